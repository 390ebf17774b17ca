"""Breaks lines for a terminal: between words, and not between a number and its unit."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise


#: What a number is written with, after a space.
_UNITS = r"(?:[kMGT]?[Bo]|ms|s|min|h|d|j|days?|jours?|%)"
_WITH_UNIT = re.compile(rf"(?<=\d) (?={_UNITS}(?!\w))")
_WORD = re.compile(r"( *)[^ ]+")
#: Columns by which the rest of a broken line is indented further than its beginning.
_HANG = 2


def width(text: str) -> int:
    """Return the columns that a text takes on a terminal; it is one line."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shortened(text: str, columns: int, mark: str = "…", *, tail: bool = False) -> str:
    """Return a text of one line that takes at most so many columns.

    Args:
        text: the text; what is left out has ``mark`` in its place.
        columns: how many it may take, not fewer than ``mark`` does.
        mark: what stands for the rest.
        tail: whether the end stays as well: of names the ends differ.
    """
    if width(text) <= columns:
        return text
    room = columns - width(mark)
    end = _fitting(text[::-1], room // 2)[::-1] if tail else ""
    begin = _fitting(text, room - width(end))
    return (begin if end else begin.rstrip()) + mark + end


def _fitting(text: str, room: int) -> str:
    """Return the beginning of a text that finds room."""
    for place, character in enumerate(text):
        room -= _columns(character)
        if room < 0:
            return text[:place]
    return text


def wrap(line: str, columns: int) -> list[str]:
    """Return a line as the lines that it takes on a terminal of so many columns.

    What follows the first is indented. A word that is longer than the terminal is left
    whole: whoever copies a path gets it in one piece.
    """
    places = [0, *breaks(line, columns), len(line)]
    hang = " " * indent_of_rest(line, columns)
    parts = [line[a:b].rstrip(" ") for a, b in pairwise(places)]
    return [parts[0], *(hang + part for part in parts[1:])]


def breaks(line: str, columns: int) -> list[int]:
    """Return where the second and each further part of a line begin."""
    if width(line) <= columns:
        return []
    found: list[int] = []
    begin, room = 0, columns
    # A character that no line holds stands for the space that is none to break at.
    for word in _WORD.finditer(_WITH_UNIT.sub("\0", line)):
        # Before the first word of a part nothing is to be broken.
        empty = not line[begin : word.end(1)].strip(" ")
        if not empty and width(line[begin : word.end()]) > room:
            begin, room = word.end(1), columns - indent_of_rest(line, columns)
            found.append(begin)
    return found


def indent_of_rest(line: str, columns: int) -> int:
    """Return by how many columns what follows the first of several lines is indented."""
    indent = len(line) - len(line.lstrip(" "))
    return min(indent + _HANG, columns // 4)
