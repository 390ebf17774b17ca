"""The difference of two source texts, short enough for a mail.

The work is bounded, whatever the texts are: where they have too little in common, all of
the one is replaced by all of the other.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.differences import SourceDiff
from python_runner.patterns import lazy_pattern
from python_runner.texts.characters import (
    CONTROLS,
    INVISIBLE,
    REORDERING,
    SURROGATES,
    escape,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Lines of a short diff, characters of a line, and unchanged lines around a change.
LINES, LINE, CONTEXT = 12, 120, 1
#: Lines of each side of a change that a short diff shows, where not all of it fits.
_SIDE = 3
#: Characters that are shown before the first one that differs in a long line.
_LEAD = 40
#: Steps after which two texts have too little in common.
_MOST_STEPS = 400_000
#: What a reader must see, as it may change what a line does, or how it looks.
_HIDDEN = lazy_pattern(rf"(?!\t)[{CONTROLS}{REORDERING}{SURROGATES}{INVISIBLE}]")

_SAME_TEXT = N_("what differs is not shown: a secret, or how the file is saved")
_SAME_LINES = N_("only the line ends differ")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines ``old_start`` to ``old_end`` of one text, replaced by those of the other.

    The lines are numbered from 0; the ends are not part of it. One side may be empty.
    """

    old_start: int
    old_end: int
    new_start: int
    new_end: int


def lines_of(text: str) -> list[str]:
    r"""Return the lines of a text, each without its ``\n``; a last empty one is none."""
    lines = text.split("\n")
    if not lines[-1]:
        del lines[-1]
    return lines


def changed_blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """Return what is replaced in ``old`` to make ``new``, in order and apart."""
    least = min(len(old), len(new))
    start = 0
    while start < least and old[start] == new[start]:
        start += 1
    rest = 0
    while rest < least - start and old[-1 - rest] == new[-1 - rest]:
        rest += 1
    between = old[start : len(old) - rest], new[start : len(new) - rest]
    ends = (len(old) - start - rest, len(new) - start - rest)
    blocks, old_at, new_at = [], 0, 0
    for old_next, new_next in [*_common_lines(*between), ends]:
        if (old_at, new_at) != (old_next, new_next):
            places = (old_at, old_next, new_at, new_next)
            blocks.append(Block(*(start + place for place in places)))
        old_at, new_at = old_next + 1, new_next + 1
    return blocks


def _common_lines(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of the lines that both texts have, as many as there can be.

    None where it takes too long. The greedy algorithm of E. Myers: ``furthest`` is, for
    each difference of the two places, how far ``old`` is matched with so many changes.
    """
    if not old or not new:
        return []
    furthest, history, steps = {1: 0}, [], 0
    for changes in range(len(old) + len(new) + 1):
        history.append(furthest.copy())
        for diagonal in range(-changes, changes + 1, 2):
            before, after = (
                furthest.get(diagonal - 1, -1),
                furthest.get(diagonal + 1, -1),
            )
            down = diagonal == -changes or (diagonal != changes and before < after)
            place = after if down else before + 1
            begin = place
            while (
                place < len(old)
                and place - diagonal < len(new)
                and old[place] == new[place - diagonal]
            ):
                place += 1
            steps += 1 + place - begin
            furthest[diagonal] = place
            if place >= len(old) and place - diagonal >= len(new):
                return _walked_back(history, len(old), len(new))
        if steps > _MOST_STEPS:
            break
    return []


def _walked_back(
    history: Sequence[dict[int, int]], old_at: int, new_at: int
) -> list[tuple[int, int]]:
    pairs = []
    for changes in range(len(history) - 1, -1, -1):
        furthest, diagonal = history[changes], old_at - new_at
        before, after = furthest.get(diagonal - 1, -1), furthest.get(diagonal + 1, -1)
        down = diagonal == -changes or (diagonal != changes and before < after)
        previous = diagonal + 1 if down else diagonal - 1
        old_before = furthest[previous]
        new_before = old_before - previous
        while old_at > max(old_before, 0) and new_at > max(new_before, 0):
            old_at, new_at = old_at - 1, new_at - 1
            pairs.append((old_at, new_at))
        old_at, new_at = old_before, new_before
    return pairs[::-1]


def unified(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return a unified diff of two texts, without the names of files."""
    return [line for hunk in _hunks(old, new) for line in hunk.lines]


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Changes that share their context; ``end`` is the line of the new text behind it."""

    end: int
    lines: tuple[str, ...]


def _hunks(
    old: Sequence[str], new: Sequence[str], side: int | None = None
) -> Iterator[_Hunk]:
    """Yield what makes a unified diff.

    Args:
        old: lines of the one text.
        new: lines of the other.
        side: lines that are shown of each side of a change; three points stand for the
            others. None: all of them.
    """
    for group in _groups(changed_blocks(old, new)):
        first, last = group[0], group[-1]
        begin = max(first.old_start - CONTEXT, 0)
        end = min(last.old_end + CONTEXT, len(old))
        # As many lines of context on both sides.
        new_begin = first.new_start - (first.old_start - begin)
        new_end = last.new_end + (end - last.old_end)
        place = begin
        lines = [f"@@ -{_range(begin, end)} +{_range(new_begin, new_end)} @@"]
        for block in group:
            lines += (" " + line for line in old[place : block.old_start])
            lines += _sides(
                old[block.old_start : block.old_end],
                new[block.new_start : block.new_end],
                side,
            )
            place = block.old_end
        lines += (" " + line for line in old[place:end])
        yield _Hunk(new_end, tuple(lines))


def _groups(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Yield the blocks that share their context."""
    group: list[Block] = []
    for block in blocks:
        if group and block.old_start - group[-1].old_end > 2 * CONTEXT:
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _range(begin: int, end: int) -> str:
    """Return lines as a unified diff writes them: the first one, and how many."""
    count = end - begin
    if count == 1:
        return str(begin + 1)
    return f"{begin + 1 if count else begin},{count}"


def _sides(old: Sequence[str], new: Sequence[str], side: int | None) -> Iterator[str]:
    for sign, lines in (("-", old), ("+", new)):
        kept = lines if side is None or len(lines) <= side else lines[: side - 1]
        yield from (sign + line for line in kept)
        if len(kept) < len(lines):
            yield f"{sign}…"


def short_diff(old: str, new: str, line: int = 0) -> SourceDiff:
    """Return how a text differs from another one, in few and short lines.

    Where there is no room for all of it, it begins with the changes at, or behind,
    ``line`` of the new text (from 1).
    """
    if old == new:
        return SourceDiff(note=Sentence.of(_SAME_TEXT))
    before, after = lines_of(old), lines_of(new)
    if [text.rstrip("\r") for text in before] == [text.rstrip("\r") for text in after]:
        return SourceDiff(note=Sentence.of(_SAME_LINES))
    shown = whole = unified(before, after)
    if len(whole) > LINES:
        hunks = list(_hunks(before, after, _SIDE))
        behind = [hunk for hunk in hunks if hunk.end >= line] or hunks
        shown = [text for hunk in behind for text in hunk.lines][:LINES]
    left = 0 if shown == whole else len(whole) - sum(text[1:] != "…" for text in shown)
    return SourceDiff(lines=tuple(_bounded(shown)), more=left)


def _bounded(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a diff without control characters; of long ones a part.

    That is the part in which a line differs from the one that it replaces.
    """
    seen = [_HIDDEN.sub(lambda match: escape(match[0]), line) for line in lines]
    begins = [0] * len(seen)
    removed: list[int] = []
    replacing: list[int] = []
    for place, line in enumerate([*seen, " "]):
        if line.startswith("-"):
            removed.append(place)
        elif line.startswith("+"):
            replacing.append(place)
        else:
            for one, other in zip(removed, replacing, strict=False):
                begins[one] = begins[other] = _first_other(seen[one], seen[other])
            removed, replacing = [], []
    for line, begin in zip(seen, begins, strict=True):
        yield line[0] + _part(line[1:], begin - 1 - _LEAD)


def _first_other(one: str, other: str) -> int:
    """Return where two lines differ, behind their signs."""
    pairs = enumerate(zip_longest(one[1:], other[1:]), 1)
    return next((place for place, (old, new) in pairs if old != new), 0)


def _part(line: str, begin: int) -> str:
    if len(line) <= LINE:
        return line
    begin = max(0, min(begin, len(line) - LINE))
    head, tail = "…" if begin else "", "…" if begin + LINE < len(line) else ""
    return f"{head}{line[begin : begin + LINE]}{tail}"
