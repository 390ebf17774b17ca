"""Tells a misspelt key from somebody's own.

A file may hold keys that mean nothing here, such as ``description``. A misspelt one must
not pass for such a key: what it asks for would never happen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterable

_HUMP = lazy_pattern(r"(?<=[a-z0-9])(?=[A-Z])")
#: Letters of a word for each slip that is forgiven.
_LETTERS_A_SLIP = 4
#: Up to this length another word is as near as a slip of the pen: ``env``, ``end``.
_SHORT = 5


def is_comment(key: str) -> bool:
    """Say whether a key is there for people or for editors alone."""
    return key.startswith(("_", "//")) or key == "$schema"


def nearest_key(key: str, known: Iterable[str]) -> str | None:
    """Return the known key that was meant by ``key``, or None if it is another word.

    It was meant if one slip leads to it (a letter too many, too few, wrong, or two
    exchanged), or one for each four letters of each of its words. Up to five letters,
    only a doubled letter and two exchanged ones are slips. How words are joined, the
    case and a plural make no difference.
    """
    distances = {name: _distance(key, name) for name in known}
    near = [name for name, distance in distances.items() if distance is not None]
    return min(near, key=lambda name: distances[name] or 0, default=None)


def _distance(key: str, known: str) -> int | None:
    """Return how many slips lead from a key to a known one; None if it is another."""
    written, meant = _words(key), _words(known)
    whole, right = "".join(written), "".join(meant)
    singular = "".join(map(_singular, written)), "".join(map(_singular, meant))
    slips = min(_slips(whole, right), _slips(*singular))
    if slips == 0:
        return 0
    if len(known) <= _SHORT:
        return slips if _is_slip_in_short(whole, right) else None
    if slips == 1:
        return slips
    if len(written) != len(meant):
        return None
    pairs = zip(map(_singular, written), map(_singular, meant), strict=True)
    near = all(_slips(word, one) <= len(one) // _LETTERS_A_SLIP for word, one in pairs)
    return slips if near else None


def _words(key: str) -> list[str]:
    words = re.split(r"[\W_]+", _HUMP.sub("_", key))
    return [word.casefold() for word in words if word]


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and len(word) >= _SHORT - 1 else word


def _is_slip_in_short(word: str, right: str) -> bool:
    """Say whether letters were exchanged, or one was typed twice."""
    if len(word) == len(right):
        return sorted(word) == sorted(right)
    return re.sub(r"(.)\1+", r"\1", word) == re.sub(r"(.)\1+", r"\1", right)


def _slips(word: str, right: str) -> int:
    """Return the least number of letters added, left out, replaced or exchanged.

    This is the optimal string alignment distance.
    """
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, letter in enumerate(word, 1):
        before, last, row = row, before, [i]
        for j, other in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and word[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
