"""One traceback in the lines of an output: where it stands, what it names.

A block begins with a line that says so, and each format has a function that reads on from
there. None of them looks at a line of another block, so that all blocks of an output
together cost one look at each of its lines.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEADER = lazy_pattern(r"(.*?)(Traceback \(most recent call last\):)\s*$")
#: Python may lengthen a group by so many lines without a margin: those of a message.
_HANGING = 50
#: Lines that a statement may leave empty, and that loguru leaves between two frames.
_EMPTY = 3
#: Of the error of a script that Python cannot read: place, code and markers.
_SYNTAX_LINES = 5
#: Most indented lines above such a place that are looked at for a header.
_ABOVE = 60

_GROUP_HEADER = lazy_pattern(
    r"(?!\s+\|).*?  \+ Exception Group Traceback \(most recent call last\):"
)
_MARGIN = lazy_pattern(r"\s+[|+]")
#: Above the first exception of a group that is in no other, and what it is called.
_GROUP_TOP = lazy_pattern(r"  \+-\+-{5,} 1 -{5,}$")
_GROUP_TITLE = lazy_pattern(r"  \| \S.* sub-exceptions?\)$")
_GROUP_RULE = lazy_pattern(r"\s+(\+-)?\+-{5,}")
_GROUP_ERROR = lazy_pattern(r"\s+\| (\S.*)")
_FATAL = lazy_pattern(
    r"(?:Fatal Python error: |Windows fatal exception: |Timeout \([0-9:.]+\)!)"
)
_FATAL_LINE = lazy_pattern(
    r"\s|$|Fatal Python error: |Python runtime state: |Extension modules: "
    r"|Current thread|Thread 0x|<Cannot show|\w+Error: "
)
_SYNTAX_FRAME = lazy_pattern(r'  File "[^"]*", line \d+$')
_SYNTAX_ERROR = lazy_pattern(r"(?:SyntaxError|IndentationError|TabError): ")
#: Of such a script, Python names the place in the message.
_NOT_UTF_8 = lazy_pattern(
    r"SyntaxError: Non-UTF-8 code .* in file (.+) on line (\d+), but no "
)
_FRAME = lazy_pattern(r'^[\s|>]*File "([^"]+)", line (\d+)(?:,? in (.+))?$')


class Kind(Enum):
    """What wrote a block."""

    #: Python, or a logger that writes as Python does.
    PYTHON = auto()
    GROUP = auto()
    #: faulthandler: the process ends, and the innermost frames come first.
    FATAL = auto()
    #: Rich draws a frame around it, and leaves frames of libraries out.
    BOX = auto()
    #: loguru, which goes on above the place where an exception was caught.
    LOGURU = auto()
    #: IPython, of itself or of the cell of a notebook.
    NOTEBOOK = auto()


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in a program; ``function`` is None in a file that cannot be read."""

    file: str
    line: int
    function: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """One traceback.

    Attributes:
        start: its first line.
        error: the line that names the exception.
        end: the line after its last certain one; a message may go on there.
        exception: exception and message, one line.
        frames: the outermost first.
    """

    kind: Kind
    start: int
    error: int
    end: int
    exception: str
    frames: tuple[Frame, ...]


def block_at(lines: list[str], start: int, limit: int) -> Block | None:
    """Return the block that begins at a line, or None.

    Args:
        lines: of the output.
        start: number of the line.
        limit: where the next block begins, or the number of lines.
    """
    line = lines[start]
    if line.lstrip().startswith(("|", "│")):
        # Part of a group or of a box, which begins above.
        return None
    readers: tuple[Callable[[list[str], int, int], Block | None], ...] = (
        _plain_block,
        _group_block,
        _fatal_block,
        _encoding_block,
        _syntax_block,
    )
    for reader in readers:
        if block := reader(lines, start, limit):
            return block
    return None


def frame_in(line: str) -> Frame | None:
    """Return the frame that a line of a traceback names, or None."""
    if match := _FRAME.match(line):
        return Frame(match[1], int(match[2]), match[3])
    return None


def frames_in(lines: list[str]) -> tuple[Frame, ...]:
    """Return the frames that lines of a traceback name, in their order."""
    return tuple(frame for line in lines if (frame := frame_in(line)))


def _plain_block(lines: list[str], start: int, limit: int) -> Block | None:
    """Read a header, indented lines, and the line of the exception."""
    header = HEADER.match(lines[start])
    if not header or "Exception Group " in header[1]:
        return None
    # Some loggers indent a whole traceback.
    indent = "" if header[1].strip() else header[1]
    loguru = start + 1 < limit and not lines[start + 1].strip()
    error = _end_of_frames(lines, start + 1, limit, indent, spaced=loguru)
    if error is None or error == start + 1:
        return None
    kind = Kind.LOGURU if loguru else Kind.PYTHON
    frames = frames_in(lines[start + 1 : error])
    return Block(kind, start, error, error + 1, lines[error].strip(), frames)


def _end_of_frames(
    lines: list[str], number: int, limit: int, indent: str, *, spaced: bool
) -> int | None:
    """Return the line behind the indented ones, or None if the output ends before.

    Args:
        lines: of the output.
        number: of the first line that may be one of a frame.
        limit: where the next block begins.
        indent: blanks before every line.
        spaced: whether there are blank lines between frames, not only in a statement.
    """
    while number < limit:
        line = lines[number].removeprefix(indent)
        if not line.strip():
            after = _after_blanks(lines, number, limit)
            if after is None:
                return None
            if not spaced and not lines[after].removeprefix(indent).startswith("    "):
                return None
            number = after
        elif line.startswith((" ", "> File ")):
            number += 1
        else:
            return number
    return None


def _after_blanks(lines: list[str], number: int, limit: int) -> int | None:
    for after in range(number, min(number + _EMPTY + 1, limit)):
        if lines[after].strip():
            return after
    return None


def _group_block(lines: list[str], start: int, _limit: int) -> Block | None:
    """Read lines with a margin; Python 3.11 lets messages hang over it."""
    first, top = start + 1, len(lines)
    if _GROUP_TOP.match(lines[start]):
        top, start = start, _bare_group_start(lines, start)
        if start == top:
            return None
        first = start
    elif not _GROUP_HEADER.match(lines[start]):
        return None
    end = _group_end(lines, start, top)
    errors = list(_errors_of_a_group(lines, first, end + 1))
    if not errors:
        return None
    (error, said, frames), *inner = errors
    # Its title rarely says what failed: the first of its exceptions that was raised does.
    inner.sort(key=lambda one: not one[2])
    # The last frames are those that count.
    frames += tuple(frame for one in reversed(inner) for frame in one[2])
    if inner:
        said += f": {inner[0][1]}"
    return Block(Kind.GROUP, start, error, end + 1, said, frames)


def _group_end(lines: list[str], start: int, top: int) -> int:
    """Return the last line of a group; below ``top`` its own margin is another one's."""
    end = start
    for number in range(start + 1, len(lines)):
        if number - end > _HANGING or _GROUP_HEADER.match(lines[number]):
            break
        if number > top and lines[number].startswith(("  | ", "  +-+")):
            # Another group without a header.
            break
        if HEADER.match(lines[number]) and not _MARGIN.match(lines[number]):
            break
        if _MARGIN.match(lines[number]):
            end = number
    return end


def _bare_group_start(lines: list[str], top: int) -> int:
    """Return where a group begins that has no frames; ``top`` where it is none.

    ``except*`` makes such groups. Python writes no header above them.
    """
    start = top
    while start > max(top - _HANGING, 0) and lines[start - 1].startswith("  | "):
        start -= 1
    is_bare = _GROUP_TITLE.match(lines[start]) and not (
        start and _GROUP_HEADER.match(lines[start - 1])
    )
    return start if is_bare else top


def _errors_of_a_group(
    lines: list[str], start: int, end: int
) -> Iterator[tuple[int, str, tuple[Frame, ...]]]:
    """Yield the group, then the exceptions in it that are no groups: line, text, frames."""
    found: tuple[int, str, tuple[Frame, ...]] | None = None
    above, outermost = start, True
    for number in range(start, end):
        line = lines[number]
        if rule := _GROUP_RULE.match(line):
            # What stands above the exceptions of a group is the group.
            if found and (outermost or not rule[1]):
                yield found
                outermost = False
            above, found = number + 1, None
        elif HEADER.match(line):
            # What came of the exception above it.
            above, found = number + 1, None
        elif not found and (match := _GROUP_ERROR.match(line)):
            found = (number, match[1].strip(), frames_in(lines[above:number]))
    if found:
        yield found


def _fatal_block(lines: list[str], start: int, _limit: int) -> Block | None:
    if not _FATAL.match(lines[start]):
        return None
    end = start + 1
    while end < len(lines) and _FATAL_LINE.match(lines[end]):
        if _FATAL.match(lines[end]):
            break
        end += 1
    frames = tuple(reversed(list(_crashed_frames(lines[start + 1 : end]))))
    return Block(Kind.FATAL, start, start, end, lines[start].strip(), frames)


def _crashed_frames(lines: list[str]) -> Iterator[Frame]:
    """Yield the frames of the thread that crashed, where one is named as such."""
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(("Thread ", "Current thread ")):
            sections.append([])
        sections[-1].append(line)
    current = [s for s in sections if s and s[0].startswith("Current thread ")]
    for section in current or sections[-1:]:
        yield from frames_in(section)


def _encoding_block(lines: list[str], error: int, _limit: int) -> Block | None:
    """Read the error of a script that is not UTF-8: its message alone names the place."""
    match = _NOT_UTF_8.match(lines[error])
    if not match or (error and lines[error - 1].startswith(" ")):
        return None
    frame = Frame(match[1], int(match[2]), None)
    said = lines[error].strip()
    return Block(Kind.PYTHON, error, error, error + 1, said, (frame,))


def _syntax_block(lines: list[str], error: int, _limit: int) -> Block | None:
    """Read the error of the script itself, which has no header, from its last line."""
    if not _SYNTAX_ERROR.match(lines[error]):
        return None
    for start in range(error - 1, max(error - _SYNTAX_LINES, -1), -1):
        if not lines[start].startswith(" "):
            return None
        if _SYNTAX_FRAME.match(lines[start]):
            break
    else:
        return None
    for above in reversed(lines[max(start - _ABOVE, 0) : start]):
        if "Traceback (most recent" in above:
            # The module that a script imports.
            return None
        if not above.startswith(" "):
            break
    frames = frames_in(lines[start:error])
    said = lines[error].strip()
    return Block(Kind.PYTHON, start, error, error + 1, said, frames)
