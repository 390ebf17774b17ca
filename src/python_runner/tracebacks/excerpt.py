"""A traceback as people read it: the author's frames stand out, the rest is folded."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.texts.formats import Formats
from python_runner.tracebacks.parts import (
    LONGEST_CYCLE,
    OFTEN,
    Part,
    cycle_at,
    folded_before,
    parts_of,
)
from python_runner.tracebacks.place import inside


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What the lines of the author's own frames begin with.
MARK = "> "
_PACKAGE = lazy_pattern(r"(?:site|dist)-packages[/\\]([^/\\]+)")
_NAMED = 3


def excerpt(text: str, folder: str, language: str) -> str:
    """Return what people need of a traceback.

    The frames of the project begin with :data:`MARK` and name their files as the project
    does, those of libraries become one line that counts them, and what is repeated stands
    there once. A text without frames of
    the project keeps all of its frames.

    Args:
        text: one chain of tracebacks, or the end of an output.
        folder: the project's folder.
        language: of the lines that say what was folded.
    """
    formats = Formats(language)
    parts = list(_unrepeated(parts_of(text.split("\n"), carets=False), formats))
    if not any(_is_own(part, folder) for part in parts):
        return "\n".join(line for part in parts for line in part.lines)
    lines: list[str] = []
    for (foreign, own), group in groupby(
        parts, lambda part: (bool(part.file), _is_own(part, folder))
    ):
        members = list(group)
        if own:
            lines += (line for part in members for line in _own_lines(part, folder))
        elif foreign:
            lines.append(_folded(members, formats))
        else:
            lines += (line for part in members for line in part.lines)
    return "\n".join(lines)


def fold_repeated_lines(text: str, language: str) -> str:
    """Return a text in which a line that follows itself again and again stands once."""
    parts = [Part((line,)) for line in text.split("\n")]
    folded = _unrepeated(parts, Formats(language), longest=1)
    return "\n".join(line for part in folded for line in part.lines)


def _unrepeated(
    parts: Sequence[Part], formats: Formats, longest: int = LONGEST_CYCLE
) -> Iterator[Part]:
    number = 0
    while number < len(parts):
        if folded := folded_before(parts[number]):
            yield Part((_repeated(parts[number - 1], *folded, formats),))
            number += 1
            continue
        length, times = cycle_at(parts, number, longest)
        if times < OFTEN:
            yield parts[number]
            number += 1
            continue
        yield from parts[number : number + length]
        yield Part((_repeated(parts[number], length, times - 1, formats),))
        number += length * times


def _repeated(part: Part, length: int, times: int, formats: Formats) -> str:
    ngettext = formats.ngettext
    if part.file:
        what = ngettext("the same frame", "the same {count} frames", length)
    else:
        what = ngettext("the same line", "the same {count} lines", length)
    said = ngettext("[{what} {count} more time]", "[{what} {count} more times]", times)
    what = what.format(count=formats.number(length))
    return "  " + said.format(what=what, count=formats.number(times))


def _is_own(part: Part, folder: str) -> bool:
    # A relative name is one of a compiled library, as a rule.
    path = part.file
    absolute = path[:1] in {"/", "\\"} or path[1:2] == ":"
    return absolute and inside(path, folder) is not None


def _own_lines(part: Part, folder: str) -> Iterator[str]:
    """Yield the lines of a frame of the project: its file as one finds it from there."""
    first, *others = part.lines
    yield _marked(first.replace(part.file, inside(part.file, folder) or part.file, 1))
    yield from map(_marked, others)


def _marked(line: str) -> str:
    # loguru marks the frame that caught the error in the same way.
    return MARK + line.removeprefix("  ").removeprefix(MARK)


def _folded(parts: Sequence[Part], formats: Formats) -> str:
    packages = dict.fromkeys(
        match[1] for part in parts if (match := _PACKAGE.search(part.file))
    )
    names = list(packages)[:_NAMED] or ["Python"]
    said = formats.ngettext(
        "[{count} frame of {names}]", "[{count} frames of {names}]", len(parts)
    )
    return "  " + said.format(count=formats.number(len(parts)), names=", ".join(names))
