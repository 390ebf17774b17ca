"""Chains of tracebacks: exceptions that led to one another, and what came with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import HEADER, Block, block_at
from python_runner.tracebacks.boxes import box_at
from python_runner.tracebacks.notebooks import cell_block_at


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.tracebacks.lines import Output

_CAUSE = "The above exception was the direct cause of the following exception:"
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    _CAUSE,
)
_HEADER = "Traceback (most recent call last)"
#: Lines without text between a link and the blocks that it joins, at most.
_BLANKS = 3
#: A traceback that came from another process is quoted in an exception of this kind.
_REMOTE = lazy_pattern(r"[\w.]*Remote\w*: ?$|[\w.]*RemoteTraceback: ")
#: What Python writes before the header of a group.
_GROUP = lazy_pattern(r"  \+ Exception Group $")
_QUOTES = ('"""', "'''")
_EXCEPTION = lazy_pattern(r"(?:[^\W\d]\w*\.)*[A-Z]\w*(?:: |$)")
#: Lines of a message that are looked through for the exception of a link, at most.
_MESSAGE = 50


@dataclass(frozen=True, slots=True)
class Chain:
    """Exceptions that led to one another.

    Attributes:
        start: its first line.
        last: the block that stands last, and names what was not caught.
        blocks: all of its blocks, the first one first.
        before: the line above it; empty if there is none.
    """

    start: int
    last: Block
    blocks: tuple[Block, ...]
    before: str


def chains_from_the_end(output: Output) -> Iterator[Chain]:
    """Yield the chains of an output, the last one first."""
    lines = output.lines
    blocks = _blocks_from_the_end(output)
    block = next(blocks, None)
    while block:
        members = [block]
        start = block.start
        earlier = next(blocks, None)
        while (link := _link_above(lines, start)) is not None:
            if earlier is None or earlier.end > link:
                above = _exception_above(lines, link)
                start = start if above is None else above
                break
            members.append(earlier)
            start = _with_quotes(lines, earlier.start)
            earlier = next(blocks, None)
        members.reverse()
        before = lines[start - 1] if start else ""
        yield Chain(start, members[-1], tuple(members), before)
        block = earlier


def chain_text(output: Output, chain: Chain, end: int) -> str:
    """Return the text of a chain, and of what follows it up to the line ``end``."""
    lines = output.lines[chain.start : end]
    header = HEADER.match(lines[0])
    if header and header[1].strip() and not _REMOTE.search(header[1]):
        # Output that did not end its line stands before it.
        lines[0] = (_GROUP.search(header[1]) or [""])[0] + header[2]
    return "\n".join(lines).rstrip()


def raising_block(output: Output, chain: Chain) -> Block:
    """Return the block of a chain that tells where its last exception was raised.

    A pool brings the traceback of a worker as the cause of the same exception, which it
    raises again in the script: the worker's tells more.
    """
    *above, last = chain.blocks
    if not above or above[-1].exception != last.exception:
        return last
    between = output.lines[max(last.start - _BLANKS - 1, 0) : last.start]
    caused = any(line.strip() == _CAUSE for line in between)
    return above[-1] if caused else last


def _blocks_from_the_end(output: Output) -> Iterator[Block]:
    limit = len(output.lines)
    for start in reversed(output.marks):
        if _is_in_message(output.lines, start):
            continue
        readers = block_at, box_at, cell_block_at
        found = (reader(output.lines, start, limit) for reader in readers)
        block = next(filter(None, found), None)
        if block:
            yield block
        if block or _HEADER in output.lines[start]:
            limit = start


def _is_in_message(lines: list[str], start: int) -> bool:
    """Whether a traceback is quoted where the message of an exception begins."""
    header = HEADER.match(lines[start])
    if not header or not start or not lines[start - 1].startswith("    "):
        return False
    return bool(_EXCEPTION.match(header[1])) and not _REMOTE.match(header[1])


def _link_above(lines: list[str], start: int) -> int | None:
    """Return the line of the sentence that joins a block to the one above it."""
    for number in range(start - 1, max(start - _BLANKS - 2, -1), -1):
        line = lines[number].strip()
        if line in _LINKS:
            return number
        if line:
            return None
    return None


def _exception_above(lines: list[str], link: int) -> int | None:
    """Return where an exception begins that has no traceback of its own, if it is one."""
    number = link
    while number and not lines[number - 1].strip():
        number -= 1
    while number and lines[number - 1].strip() and link - number < _MESSAGE:
        number -= 1
    return number if _EXCEPTION.match(lines[number]) else None


def _with_quotes(lines: list[str], start: int) -> int:
    """Return where the exception begins that quotes the traceback at ``start``."""
    quoted = start > 1 and lines[start - 1].strip() in _QUOTES
    return start - 2 if quoted and _REMOTE.match(lines[start - 2]) else start
