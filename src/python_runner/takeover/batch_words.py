"""How ``cmd.exe`` reads a line: commands, what joins them, words and redirections."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterator

#: Characters that ``cmd.exe`` reads of a line.
_LONGEST = 8191
#: A quote with the backslashes before it, space, or what is neither.
_PIECE = lazy_pattern(r'\\*"|[ \t]+|\\+|[^" \t\\]+')
#: Between commands; the longer one first.
_JOINERS = ("&&", "||", "&", "|")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a line.

    Attributes:
        joiner: what stands before it: ``&&``, ``||``, ``&``, ``|``, or nothing.
        text: the command, without redirections and carets; quotes are kept.
        outputs: where its output goes.
        source: where its input comes from, or empty.
    """

    joiner: str = ""
    text: str = ""
    outputs: tuple[str, ...] = field(default=())
    source: str = ""


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a batch file with their numbers, those that a caret joins as one."""
    number = 0
    joined: list[str] = []
    for at, line in enumerate(text.split("\n"), 1):
        number = number or at
        stripped = line.rstrip()[:_LONGEST]
        carets = len(stripped) - len(stripped.rstrip("^"))
        if carets % 2 and stripped.count('"') % 2 == 0:
            joined.append(stripped[:-1])
            continue
        yield number, "".join([*joined, stripped])[:_LONGEST]
        number = 0
        joined.clear()
    if joined:
        yield number, "".join(joined)[:_LONGEST]


def commands(line: str) -> list[Command]:  # noqa: C901 - reads sign by sign
    """Return the commands of a line; a group in parentheses is one command."""
    found: list[Command] = []
    joiner, at, depth = "", 0, 0
    text, outputs, source = "", list[str](), ""
    quoted = False
    while at < len(line):
        char = line[at]
        if char == '"':
            quoted = not quoted
        elif quoted:
            pass
        elif char == "^" and at + 1 < len(line):
            # Inside of a group another reading follows, which takes the caret away.
            text += line[at : at + 2] if depth else line[at + 1]
            at += 2
            continue
        elif char == "(" and (depth or not text.strip()):
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        elif not depth:
            sign = next((sign for sign in _JOINERS if line.startswith(sign, at)), "")
            if sign:
                found.append(_made(joiner, text, outputs, source))
                joiner, text, outputs, source = sign, "", [], ""
                at += len(sign)
                continue
            if char in "<>":
                text, target, end = _redirection(line, at, text)
                if char == ">":
                    outputs.append(target)
                else:
                    source = target
                at = end
                continue
        text += char
        at += 1
    found.append(_made(joiner, text, outputs, source))
    return [command for command in found if command.text or command.joiner]


def _made(joiner: str, text: str, outputs: list[str], source: str) -> Command:
    return Command(
        joiner=joiner, text=text.strip(), outputs=tuple(outputs), source=source
    )


def _redirection(line: str, at: int, text: str) -> tuple[str, str, int]:
    """Return the text before a redirection, its target, and where it ends."""
    # The number of a stream stands before it, as a word of its own.
    if text[-1:].isdigit() and (len(text) == 1 or text[-2].isspace()):
        text = text[:-1]
    end = at
    while end < len(line) and line[end] in "<>":
        end += 1
    if line[end : end + 1] == "&":
        return text, line[end : end + 2], end + 2
    while end < len(line) and line[end].isspace():
        end += 1
    begin, quoted = end, False
    while end < len(line) and (quoted or line[end] not in " \t&|<>()"):
        quoted ^= line[end] == '"'
        end += 1
    return text, line[begin:end].replace('"', ""), end


def words(text: str) -> tuple[str, ...]:
    """Return the words of a command, by the rules of programs of Windows for quotes."""
    found: list[str] = []
    word: str | None = None
    quoted = closed = False
    for piece in _PIECE.findall(text):
        if piece.endswith('"'):
            count = len(piece) - 1
            word = (word or "") + "\\" * (count // 2)
            if count % 2 or closed:
                word += '"'
            quoted, closed = (
                (quoted, False) if count % 2 else (not quoted, quoted and not count)
            )
            continue
        closed = False
        if piece.isspace() and not quoted:
            found += [word] if word is not None else []
            word = None
        else:
            word = (word or "") + piece
    return (*found, word) if word is not None else tuple(found)


def depth_of(line: str) -> int:
    """Count the parentheses that a line opens and does not close, outside of quotes."""
    depth, quoted, escaped = 0, False, False
    for char in line:
        if escaped:
            escaped = False
        elif char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == "^":
            escaped = True
        elif char in "()":
            depth += 1 if char == "(" else -1
    return depth
