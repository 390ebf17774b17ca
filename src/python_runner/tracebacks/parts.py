"""The frames of a text, and what is repeated in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import frame_in


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Frames that may take turns in a recursion, at most.
LONGEST_CYCLE = 12
#: As often the same may stand before it is folded.
OFTEN = 3
#: Python draws them under the part of a line that failed.
_CARETS = lazy_pattern(r"[\s|]*[~^][~^\s]*$")
_MARGIN = lazy_pattern(r"(?:\s*\| )?")
_DEEPER = lazy_pattern(r"\s{4}\s*\S|\s*\[Previous line repeated ")
_FOLDED = lazy_pattern(r"  \[Previous (\d+) frames? repeated (\d+) more times\]$")


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a text that belong together: those of one frame, or one line.

    Attributes:
        file: of the frame; empty for a line that is none.
    """

    lines: tuple[str, ...]
    file: str = ""


def parts_of(lines: Sequence[str], *, carets: bool) -> list[Part]:
    """Return the parts of a text; ``carets`` says whether the marks below a line stay."""
    return list(_parts(lines, carets=carets))


def _parts(lines: Sequence[str], *, carets: bool) -> Iterator[Part]:
    frame: list[str] = []
    file = margin = ""
    for line in lines:
        inner = line.removeprefix(margin)
        if found := frame_in(line):
            if frame:
                yield Part(tuple(frame), file)
            frame, file = [line], found.file
            # That of a group has one, and what leaves it is none of the frame's.
            match = _MARGIN.match(line)
            margin = match[0] if match else ""
        elif frame and _CARETS.match(inner):
            frame += [line] if carets else []
        elif frame and line.startswith(margin) and _DEEPER.match(inner):
            frame.append(line)
        else:
            if frame:
                yield Part(tuple(frame), file)
            frame = []
            yield Part((line,))
    if frame:
        yield Part(tuple(frame), file)


def cycle_at(parts: Sequence[Part], number: int, longest: int) -> tuple[int, int]:
    """Return how many parts are repeated from here on, and how often they stand there.

    Args:
        parts: of a text.
        number: of the first one that is looked at.
        longest: parts that may take turns, at most.
    """
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
        if times >= OFTEN:
            return length, times
    return 1, 1


def without_recursion(text: str) -> str:
    """Return a traceback in which frames that take turns stand once.

    Python itself does that for one frame alone, and writes a line as ours.
    """
    parts = parts_of(text.split("\n"), carets=True)
    lines: list[str] = []
    number = 0
    while number < len(parts):
        length, times = 1, 1
        if parts[number].file:
            length, times = cycle_at(parts, number, LONGEST_CYCLE)
        for part in parts[number : number + length]:
            lines += part.lines
        if times > 1:
            frames = "1 frame" if length == 1 else f"{length} frames"
            lines.append(f"  [Previous {frames} repeated {times - 1} more times]")
        number += length * times
    return "\n".join(lines)


def folded_before(part: Part) -> tuple[int, int] | None:
    """Return what :func:`without_recursion` said: how many frames, and how often."""
    match = _FOLDED.match(part.lines[0]) if not part.file else None
    return (int(match[1]), int(match[2])) if match else None
