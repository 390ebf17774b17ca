"""A traceback in parts: the author's own frames stand open, those of libraries are folded."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.texts.sanitize import clean
from python_runner.tracebacks.parts import parts_of
from python_runner.tracebacks.place import inside


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.tracebacks.parts import Part


@dataclass(frozen=True, slots=True)
class Shown:
    """Lines of a traceback that stand together.

    Attributes:
        text: the lines.
        frames: how many frames of libraries they are; 0: they stand open.
        own: whether they are a frame of the project.
    """

    text: str
    frames: int = 0
    own: bool = False


def shown_parts(text: str, folder: str) -> tuple[Shown, ...]:
    """Return a traceback in parts; one without frames of the project stands open."""
    parts = parts_of(clean(text).rstrip().split("\n"), carets=True)
    own = [bool(part.file) and inside(part.file, folder) is not None for part in parts]
    if not any(own):
        return (Shown(_text(parts)),)
    found = []
    for (foreign, ours), group in groupby(
        zip(parts, own, strict=True), lambda pair: (bool(pair[0].file), pair[1])
    ):
        members = [part for part, _own in group]
        frames = len(members) if foreign and not ours else 0
        found.append(Shown(_text(members), frames, ours))
    return tuple(found)


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(line for part in parts for line in part.lines)
