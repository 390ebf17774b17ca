"""Tracebacks that Rich draws: for scripts that install it, for Typer, for structlog.

A box with the frames, each with some lines of its source, and below it the exception,
wrapped at the width of the box. In a column of a log the whole is indented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import Block, Frame, Kind


if TYPE_CHECKING:
    from collections.abc import Iterator

#: A narrow one cuts its title.
_TOP = lazy_pattern(r"(.*?)[╭┌+][─-]+ Traceback \([\w ]*\)? ?[─-]+[╮┐+]")
_UPPER = lazy_pattern(r"[╭┌+][─-]")
_LOWER = lazy_pattern(r"[╰└+][─-]")
_SUB_EXCEPTION = lazy_pattern(r"[╭┌+][─-]+ Sub-exception #")
#: Content that is no name of a file: source, marks, values, a box inside.
_NO_PLACE = lazy_pattern(r"[\s❱╭╰┌└+]|\\u2771|$")
#: A narrow box breaks it, also behind the "in".
_PLACE = lazy_pattern(r"(.+):(\d+)(?: in(?: (.+))?)?$")
#: Characters of a path that is broken into several lines, at most.
_LONGEST_PATH = 4096


def box_at(lines: list[str], start: int, limit: int) -> Block | None:
    """Return the box that begins at a line, with the exception below it, or None."""
    top = _TOP.match(lines[start])
    if not top:
        return None
    left = len(top[1])
    width = top.end() - left
    end = _box_end(lines, start, limit, left)
    if end is None:
        return None
    inside = lines[start + 1 : end - 1]
    if end < limit and _UPPER.match(lines[end][left:]):
        # The place of a SyntaxError has a box of its own.
        second = _box_end(lines, end, limit, left)
        if second is None:
            return None
        inside += lines[end + 1 : second - 1]
        end = second
    error = end
    if error >= limit or not lines[error][left:].strip():
        return None
    end, exception = _unwrapped(lines, error, limit, left, width)
    inner = list(_sub_exceptions(lines, end, left))
    if inner:
        end = inner[-1][0]
        exception = f"{exception}: {inner[0][1]}"
    # The first one is named, so that its frames are the last ones.
    inside += [line for _, _, own in reversed(inner) for line in own]
    return Block(Kind.BOX, start, error, end, exception, _frames(inside, left))


def _box_end(lines: list[str], start: int, limit: int, left: int) -> int | None:
    """Return the line after a box."""
    for number in range(start + 1, limit):
        content = lines[number][left:]
        if _LOWER.match(content):
            return number + 1
        if not content.startswith(("│", "|")):
            return None
    return None


def _unwrapped(
    lines: list[str], error: int, limit: int, left: int, width: int
) -> tuple[int, str]:
    """Return where the line of the exception ends, and that line as it was written."""
    said = lines[error][left:]
    number = error + 1
    while number < limit:
        after = lines[number][left:]
        word = after.split(" ", 1)[0]
        # It was broken here if the next word had no room.
        last = lines[number - 1][left:].rstrip()
        if not word or len(last) + 1 + len(word) <= width:
            break
        # Only a word that fills a line for itself may have been broken.
        broken = len(last) >= width and " " not in last
        said = said.rstrip() + ("" if broken else " ") + after
        number += 1
    return number, said.strip()


def _sub_exceptions(
    lines: list[str], end: int, left: int
) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the exceptions of a group: where each one's box ends, its words, its lines."""
    while end + 1 < len(lines) and not lines[end].strip():
        top = end + 1
        below = _box_end(lines, top, len(lines), left)
        if not _SUB_EXCEPTION.match(lines[top][left:]) or below is None:
            return
        inside, end = lines[top + 1 : below - 1], below
        said: list[str] = []
        for line in reversed(inside):
            content = _content(line[left:]).strip()
            if not content or _LOWER.match(content):
                break
            said.append(content)
        yield end, " ".join(reversed(said)), inside


def _frames(inside: list[str], left: int) -> tuple[Frame, ...]:
    frames, path = [], ""
    for line in inside:
        content = _content(line[left:])
        if _NO_PLACE.match(content) or len(path) > _LONGEST_PATH:
            path = ""
            continue
        # A long path is broken at the side of the box.
        path += content
        if match := _PLACE.match(path):
            frames.append(Frame(match[1], int(match[2]), match[3]))
            path = ""
    return tuple(frames)


def _content(line: str) -> str:
    """Return what stands in a line of a box, without its sides and those of a box in it."""
    line = line.rstrip()
    while line.startswith(("│ ", "| ")):
        line = line[2:]
        if line.endswith(("│", "|")):
            line = line[:-1].rstrip()
    # The place of a SyntaxError stands apart from the side.
    return line[1:] if line.startswith(" ") and line[1:2] in {"/", "\\"} else line
