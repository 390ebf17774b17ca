"""A traceback as people read it: the author's frames stand out, the rest is folded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from python_runner.texts.formats import Formats
from python_runner.tracebacks.blocks import frame_in
from python_runner.tracebacks.place import inside


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What the lines of the author's own frames begin with.
MARK = "> "
#: Python draws them under the part of a line that failed.
_CARETS = re.compile(r"[\s|]*[~^][~^\s]*$")
_MARGIN = re.compile(r"(?:\s*\| )?")
_DEEPER = re.compile(r"\s{4}\s*\S|\s*\[Previous line repeated ")
#: Frames that may take turns in a recursion, at most.
_LONGEST_CYCLE = 4
#: As often the same may stand before it is folded.
_OFTEN = 3
_PACKAGE = re.compile(r"(?:site|dist)-packages[/\\]([^/\\]+)")
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines of a text that belong together: those of one frame, or one line.

    Attributes:
        file: of the frame; empty for a line that is none.
    """

    lines: tuple[str, ...]
    file: str = ""


def excerpt(text: str, folder: str, language: str) -> str:
    """Return what people need of a traceback.

    The frames of the project begin with :data:`MARK`, those of libraries become one line
    that counts them, and what is repeated stands there once. A text without frames of
    the project keeps all of its frames.

    Args:
        text: one chain of tracebacks, or the end of an output.
        folder: the project's folder.
        language: of the lines that say what was folded.
    """
    formats = Formats(language)
    parts = list(_unrepeated(list(_parts(text.split("\n"))), formats))
    if not any(_is_own(part, folder) for part in parts):
        return "\n".join(line for part in parts for line in part.lines)
    lines: list[str] = []
    for (foreign, own), group in groupby(
        parts, lambda part: (bool(part.file), _is_own(part, folder))
    ):
        members = list(group)
        if own:
            lines += (_marked(line) for part in members for line in part.lines)
        elif foreign:
            lines.append(_folded(members, formats))
        else:
            lines += (line for part in members for line in part.lines)
    return "\n".join(lines)


def fold_repeated_lines(text: str, language: str) -> str:
    """Return a text in which a line that follows itself again and again stands once."""
    parts = [_Part((line,)) for line in text.split("\n")]
    folded = _unrepeated(parts, Formats(language), longest=1)
    return "\n".join(line for part in folded for line in part.lines)


def _parts(lines: Sequence[str]) -> Iterator[_Part]:
    frame: list[str] = []
    file = margin = ""
    for line in lines:
        inner = line.removeprefix(margin)
        if found := frame_in(line):
            if frame:
                yield _Part(tuple(frame), file)
            frame, file = [line], found.file
            # That of a group has one, and what leaves it is none of the frame's.
            match = _MARGIN.match(line)
            margin = match[0] if match else ""
        elif frame and _CARETS.match(inner):
            continue
        elif frame and line.startswith(margin) and _DEEPER.match(inner):
            frame.append(line)
        else:
            if frame:
                yield _Part(tuple(frame), file)
            frame = []
            yield _Part((line,))
    if frame:
        yield _Part(tuple(frame), file)


def _unrepeated(
    parts: Sequence[_Part], formats: Formats, longest: int = _LONGEST_CYCLE
) -> Iterator[_Part]:
    number = 0
    while number < len(parts):
        length, times = _cycle_at(parts, number, longest)
        if times < _OFTEN:
            yield parts[number]
            number += 1
            continue
        yield from parts[number : number + length]
        yield _Part((_repeated(parts[number], length, times - 1, formats),))
        number += length * times


def _cycle_at(parts: Sequence[_Part], number: int, longest: int) -> tuple[int, int]:
    """Return how many parts are repeated from here on, and how often they stand there."""
    for length in range(1, longest + 1):
        # A quick look, for there are many lines, and hardly one is repeated.
        after = number + length
        if after >= len(parts) or parts[after].lines != parts[number].lines:
            continue
        first = parts[number:after]
        if not any(line.strip() for part in first for line in part.lines):
            continue
        times, place = 1, number + length
        while parts[place : place + length] == first:
            times += 1
            place += length
        if times >= _OFTEN:
            return length, times
    return 1, 1


def _repeated(part: _Part, length: int, times: int, formats: Formats) -> str:
    ngettext = formats.ngettext
    if part.file:
        what = ngettext("the same frame", "the same {count} frames", length)
    else:
        what = ngettext("the same line", "the same {count} lines", length)
    said = ngettext("[{what} {count} more time]", "[{what} {count} more times]", times)
    what = what.format(count=formats.number(length))
    return "  " + said.format(what=what, count=formats.number(times))


def _is_own(part: _Part, folder: str) -> bool:
    # A relative name is one of a compiled library, as a rule.
    path = part.file
    absolute = path[:1] in {"/", "\\"} or path[1:2] == ":"
    return absolute and inside(path, folder) is not None


def _marked(line: str) -> str:
    # loguru marks the frame that caught the error in the same way.
    return MARK + line.removeprefix("  ").removeprefix(MARK)


def _folded(parts: Sequence[_Part], formats: Formats) -> str:
    packages = dict.fromkeys(
        match[1] for part in parts if (match := _PACKAGE.search(part.file))
    )
    names = list(packages)[:_NAMED] or ["Python"]
    said = formats.ngettext(
        "[{count} frame of {names}]", "[{count} frames of {names}]", len(parts)
    )
    return "  " + said.format(count=formats.number(len(parts)), names=", ".join(names))
