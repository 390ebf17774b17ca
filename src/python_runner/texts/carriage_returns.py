"""Keeps of lines that are written over and over what stood there at the end.

A progress bar goes back to the begin of its line, and several of them go up by lines, as
on a terminal; their history is nothing anybody wants to read. Everything here is pure.
"""

from __future__ import annotations

import re


#: Sequences that set colours or clear a line show nothing by themselves.
_INVISIBLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\s+")
#: Moves up by lines, as bars do that stand below one another.
_UP = re.compile(r"\x1b\[(\d{0,4})A")
_UP_BEGUN = re.compile(r"\x1b(\[\d{0,4})?$")
#: Lines that are kept back at most because the text may move up to them.
_MOST_ROWS = 100
#: Characters without the end of a line that are kept back at most.
_LONGEST = 65536


def settled(text: str) -> str:
    r"""Return ``text`` with, of each line, what follows its last ``\r`` that shows anything.

    Line ends become ``\n``.
    """
    if _UP.search(text):
        rows = _Rows()
        for line in text.split("\n"):
            rows.write(line)
            rows.down()
        text = "\n".join(rows.texts())
    if "\r" not in text:
        return text
    return "\n".join(map(_settled_line, text.split("\n")))


class _Rows:
    r"""Lines of a text that moves up; in each, ``\r`` precedes what was written later.

    Attributes:
        row: number of the line that is written on.
        highest: most lines that the text has moved up at once.
        new: lines that were begun at the bottom since it last moved up.
    """

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._begin = ""
        self.row = self.highest = self.new = 0

    def __len__(self) -> int:
        return len(self._rows)

    def write(self, text: str) -> None:
        """Write on; ``text`` has no end of a line."""
        for number, part in enumerate(_UP.split(text)):
            if number % 2:
                up = int(part or 1)
                self.row = max(self.row - up, 0)
                self.highest, self.new = max(self.highest, up), 0
                self._begin = ""
            elif self.row == len(self._rows):
                self._rows.append([part])
                self.new += 1
                self._begin = ""
            elif part:
                self._rows[self.row] += [self._begin, part]
                self._begin = ""

    def down(self) -> None:
        """Go to the next line."""
        self.row += 1
        self._begin = "\r"

    def texts(self) -> list[str]:
        """Return all lines."""
        return ["".join(row) for row in self._rows]

    def bars_above(self) -> int:
        r"""Return how many rows above this one are bars, with blank ones below them."""
        first = self.row
        for row in range(self.row - 1, max(self.row - _MOST_ROWS, 0) - 1, -1):
            text = "".join(self._rows[row]).rstrip("\r")
            if text and "\r" not in text:
                break
            first = row if text else first
        return self.row - first

    def settle(self) -> None:
        """Forget of each line what nothing will show any more."""
        self._rows = [[_still_open(text)[-_LONGEST:]] for text in self.texts()]

    def take(self, count: int) -> list[str]:
        """Remove the first lines, and return them."""
        taken = self.texts()[:count]
        del self._rows[:count]
        self.row -= count
        return taken


def _settled_line(line: str) -> str:
    parts = line.rstrip("\r").split("\r")
    visible = (part for part in reversed(parts) if _INVISIBLE.sub("", part))
    return next(visible, parts[0])


def _still_open(line: str) -> str:
    """Return a line that is settled as far as what follows cannot change it."""
    before, mark, last = line.rpartition("\r")
    return settled(before) + mark + last


def _first_of_bars(text: str) -> int:
    r"""Return where lines at the end of ``text`` begin that are bars, or their blank ones.

    A bar begins its line with ``\r`` or goes back to it. Where none ends the text, that
    is its length.
    """
    first = place = len(text)
    for _ in range(_MOST_ROWS):
        begin = text.rfind("\n", 0, place - 1) + 1 if place else 0
        line = text[begin:place].rstrip("\r\n")
        if begin == place or (line and "\r" not in line):
            break
        first = begin if line else first
        place = begin
    return first if len(text) - first <= _LONGEST else len(text)


class SettledLines:
    """Settles text as it comes: a line is returned when it has ended.

    Once the text has moved up, as many lines are kept back as it may move again. A bar
    at the end is kept back as well: the first one of several ends its line before the
    text moves up for the first time.
    """

    def __init__(self) -> None:
        """Begin with no line."""
        self._held = ""
        self._rows: _Rows | None = None

    def part(self, text: str) -> str:
        """Return the lines that end in ``text``, which follows what came before."""
        text = self._held + text
        if self._rows or _UP.search(text):
            return self._moving(text)
        end = text.rfind("\n") + 1
        whole, rest = text[:end], _still_open(text[end:])
        if not rest or rest.startswith(("\r", "\x1b")):
            end = _first_of_bars(whole)
        whole, bars = whole[:end], whole[end:]
        self._held = bars + rest
        if len(self._held) > _LONGEST:
            whole, self._held = whole + self._held, ""
        return settled(whole)

    def paused(self) -> str:
        """Return the bars that are kept back, where nothing has come for a moment."""
        if self._rows:
            return ""
        end = self._held.rfind("\n") + 1
        bars, self._held = self._held[:end], self._held[end:]
        return settled(bars)

    def rest(self) -> str:
        """Return the line that has not ended, now that nothing follows."""
        held, self._held = self._held, ""
        if self._rows:
            self._rows.write(held)
            held = "\n".join(self._rows.texts())
            self._rows = None
        return settled(held)

    def _moving(self, text: str) -> str:
        rows = self._rows = self._rows or _Rows()
        # A move of which only the begin has come.
        begun = _UP_BEGUN.search(text)
        end = begun.start() if begun else len(text)
        self._held = text[end:]
        ended: list[str] = []
        for number, line in enumerate(text[:end].split("\n")):
            if number:
                rows.down()
            rows.write(line)
            if rows.new > rows.highest + 1:
                # Whatever moved up is over.
                rows.highest = 0
            kept = min(max(rows.highest, rows.bars_above()), _MOST_ROWS)
            if rows.row > kept:
                ended += rows.take(rows.row - kept)
        rows.settle()
        if not rows.highest and len(rows) == 1:
            self._held = rows.texts()[0] + self._held
            self._rows = None
        return settled("".join(f"{line}\n" for line in ended))
