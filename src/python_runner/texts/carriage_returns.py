"""Keeps of lines that are written over and over what stood there at the end.

A progress bar goes back to the begin of its line, and several of them go up by lines, as
on a terminal; their history is nothing anybody wants to read. Everything here is pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator


#: Sequences that set colours or clear a line show nothing by themselves.
_INVISIBLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\s+")
#: Moves up by lines, as bars do that stand below one another.
_UP = re.compile(r"\x1b\[(\d{0,4})A")
#: Characters without the end of a line that are kept back at most.
_LONGEST = 65536


def settled(text: str) -> str:
    r"""Return ``text`` with, of each line, what follows its last ``\r`` that shows anything.

    Line ends become ``\n``.
    """
    if _UP.search(text):
        text = "\n".join(_rows(text))
    if "\r" not in text:
        return text
    return "\n".join(map(_settled_line, text.split("\n")))


def _rows(text: str) -> Iterator[str]:
    r"""Return the lines of a text that moves up; ``\r`` precedes what was written later."""
    rows: list[list[str]] = []
    row = 0
    for line in text.split("\n"):
        begin = "\r"
        for number, part in enumerate(_UP.split(line)):
            if number % 2:
                row, begin = max(row - int(part or 1), 0), ""
            elif row == len(rows):
                rows.append([part])
            elif part:
                rows[row] += [begin, part]
        row += 1
    return map("".join, rows)


def _settled_line(line: str) -> str:
    parts = line.rstrip("\r").split("\r")
    visible = (part for part in reversed(parts) if _INVISIBLE.sub("", part))
    return next(visible, parts[0])


class SettledLines:
    """Settles text as it comes: a line is returned when it has ended."""

    def __init__(self) -> None:
        """Begin with no line."""
        self._held = ""

    def part(self, text: str) -> str:
        """Return the lines that end in ``text``, which follows what came before."""
        text = self._held + text
        end = text.rfind("\n") + 1
        whole, rest = text[:end], text[end:]
        before, mark, last = rest.rpartition("\r")
        self._held = settled(before) + mark + last
        if len(self._held) > _LONGEST:
            whole, self._held = whole + self._held, ""
        return settled(whole)

    def rest(self) -> str:
        """Return the line that has not ended, now that nothing follows."""
        held, self._held = self._held, ""
        return settled(held)
