"""Keeps of a line with carriage returns what stood at its end, as on a terminal.

A progress bar writes a line over and over; its history is nothing anybody wants to read.
Everything here is pure.
"""

from __future__ import annotations

import re


#: Sequences that set colours or clear a line show nothing by themselves.
_INVISIBLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\s+")
#: Characters without the end of a line that are kept back at most.
_LONGEST = 65536


def settled(text: str) -> str:
    r"""Return ``text`` with, of each line, what follows its last ``\r`` that shows anything.

    Line ends become ``\n``.
    """
    if "\r" not in text:
        return text
    return "\n".join(map(_settled_line, text.split("\n")))


def _settled_line(line: str) -> str:
    line = line.rstrip("\r")
    while "\r" in line:
        line, _, last = line.rpartition("\r")
        if _INVISIBLE.sub("", last):
            return last
    return line


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
