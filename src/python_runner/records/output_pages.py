"""Reads parts of an output by the numbers of its lines, however large it is.

No look at a file reads more than :data:`MOST` bytes. Where its lines begin is remembered as
long as it stays the same file, and counted on where it has grown.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.masking import MASK
from python_runner.texts.carriage_returns import settled
from python_runner.texts.excerpt import torn_character
from python_runner.texts.utf8 import local_encoding, to_utf8


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from python_runner.masking import Masker

#: Bytes that one look reads at most: those it counts lines in, those of the first lines,
#: of the last ones, and of what is in the middle.
MOST = 4 * 1024 * 1024
_COUNTED, _HEAD, _TAIL = 960 * 1024, 512 * 1024, 1024 * 1024
_MIDDLE = 1536 * 1024
#: Bytes on both sides that are looked at because a secret may reach across the border.
_MARGIN = 16 * 1024
#: Lines at the start, at the end, and of one step in between.
FIRST, LAST, STEP = 1000, 2000, 5000
#: Lines between two places that are remembered, files whose places are, and bytes by which
#: a file that has grown is known to be the same.
_EVERY, _FILES, _SAMPLE = 1000, 64, 256
_BLOCK = 256 * 1024
#: Seconds between two looks at a file whose lines are counted.
_PAUSE = 0.01
#: Characters of a line that are shown.
LONGEST_LINE = 20_000


@dataclass(frozen=True, slots=True)
class OutputLine:
    """A line of output, without secrets; colours are in it as they were printed.

    Attributes:
        number: from 1; 0 where the lines before it have not been counted yet.
        offset: of its first byte in the file.
    """

    number: int
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class OutputPart:
    """Lines of an output, one after the other.

    Attributes:
        begin: offset of the first byte in the file.
        end: offset behind the last one.
    """

    lines: tuple[OutputLine, ...] = ()
    begin: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class OutputView:
    """What an output is, and the lines that were asked for.

    Attributes:
        size: bytes of the file.
        total: its lines; None where they have not all been counted yet.
        parts: head and tail, or one where nothing lies between them.
        unfinished: whether its last line has no end yet.
    """

    size: int
    total: int | None
    parts: tuple[OutputPart, ...]
    unfinished: bool = False


class _Lines:
    """Where the lines of one file begin, as far as they have been counted.

    Attributes:
        file: which file it is.
        counted: bytes in which lines have been counted.
        count: ends of lines in these bytes.
    """

    def __init__(self, file: tuple[int, int]) -> None:
        self.file = file
        self.counted = self.count = 0
        self._starts = array("Q", [0])
        self._sample = b""
        self._stamp = 0

    def is_of(self, file: BinaryIO, status: os.stat_result) -> bool:
        """Say whether a file is the same one, or has only grown."""
        if self.file != (status.st_dev, status.st_ino) or status.st_size < self.counted:
            return False
        if self._stamp == status.st_mtime_ns:
            return True
        file.seek(self.counted - len(self._sample))
        return file.read(len(self._sample)) == self._sample

    def count_on(self, file: BinaryIO, status: os.stat_result, budget: int) -> None:
        """Count lines in further bytes of the file."""
        self._stamp = status.st_mtime_ns
        file.seek(self.counted)
        end = min(status.st_size, self.counted + budget)
        while self.counted < end:
            block = file.read(min(_BLOCK, end - self.counted))
            if not block:
                break
            self._note(block)
            self._sample = (self._sample + block)[-_SAMPLE:]
            self.counted += len(block)

    def _note(self, block: bytes) -> None:
        ends = block.count(b"\n")
        wanted = len(self._starts) * _EVERY
        if self.count + ends < wanted:
            self.count += ends
            return
        place = -1
        for _ in range(ends):
            place = block.index(b"\n", place + 1)
            self.count += 1
            if self.count % _EVERY == 0:
                self._starts.append(self.counted + place + 1)

    def before(self, number: int) -> tuple[int, int]:
        """Return a line in front of another one, or that one, and where it begins."""
        place = min((number - 1) // _EVERY, len(self._starts) - 1)
        return place * _EVERY + 1, self._starts[place]


class OutputPages:
    """Looks at outputs, from any thread; remembers where the lines of the last ones begin."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _Lines] = OrderedDict()
        self._guard = threading.Lock()
        self._counting = threading.Lock()

    def ends(
        self, path: Path, masker: Masker, first: int = FIRST, last: int = LAST
    ) -> OutputView:
        """Return the first and the last lines of a file.

        Raises:
            OSError: it cannot be read, or is not there.
        """
        with reading(path) as file:
            status = os.fstat(file.fileno())
            lines = self._counted(path, file, status, _COUNTED)
            size = status.st_size
            total, unfinished = _total(file, lines, size)
            head = _part(file, masker, 0, min(size, _HEAD), size, number=1)
            start = max(0, size - _TAIL)
            if start < head.end or size <= _TAIL:
                tail = _part(file, masker, 0, size, size, number=1)
                shown = tail.lines
                if len(shown) <= first + last:
                    return OutputView(size, total, (tail,), unfinished)
            else:
                tail = _part(file, masker, start, size, size, number=0)
            head, tail = _first(head, first), _last(tail, last)
            if total is not None:
                tail = _numbered(tail, total - len(tail.lines) + 1)
        if head.end >= tail.begin:
            lines_left = tuple(x for x in tail.lines if x.offset >= head.end)
            joined = OutputPart((*head.lines, *lines_left), 0, tail.end)
            return OutputView(size, total, (joined,), unfinished)
        return OutputView(size, total, (head, tail), unfinished)

    def lines(
        self, path: Path, masker: Masker, number: int, count: int = STEP
    ) -> OutputView:
        """Return the lines from one on; of a place not counted yet, none.

        There are fewer than ``count`` where they are long.

        Raises:
            OSError: the file cannot be read, or is not there.
        """
        with reading(path) as file:
            status = os.fstat(file.fileno())
            lines = self._counted(path, file, status, _COUNTED)
            size = status.st_size
            total, unfinished = _total(file, lines, size)
            near, start = lines.before(number)
            # Within a step of the places that are remembered.
            limit = min(size, start + _MIDDLE)
            start, near = _skip(file, start, near, number, limit)
            if near < number:
                return OutputView(size, total, (), unfinished)
            end = min(size, start + _MIDDLE)
            part = _first(_part(file, masker, start, end, size, number=near), count)
        return OutputView(size, total, (part,) if part.lines else (), unfinished)

    def since(self, path: Path, masker: Masker, offset: int) -> OutputView:
        """Return the whole lines behind a byte of a file that grows.

        Raises:
            OSError: the file cannot be read, or is not there.
        """
        with reading(path) as file:
            status = os.fstat(file.fileno())
            lines = self._counted(path, file, status, _COUNTED)
            size = status.st_size
            total, unfinished = _total(file, lines, size)
            if offset > size or not _begins_line(file, offset):
                return OutputView(size, total, (), unfinished)
            end = min(size, offset + _MIDDLE)
            part = _part(file, masker, offset, end, size, number=0)
            if total is not None and end == size:
                part = _numbered(part, total - len(part.lines) + 1)
        return OutputView(size, total, (part,) if part.lines else (), unfinished)

    def count(self, path: Path) -> bool:
        """Count further lines of a file; say whether there are more.

        For who has time: no reader waits for it.

        Raises:
            OSError: the file cannot be read, or is not there.
        """
        with reading(path) as file:
            status = os.fstat(file.fileno())
            lines = self._counted(path, file, status, MOST)
            return lines.counted < status.st_size

    def count_on(self, path: Path) -> None:
        """Count the rest of a file's lines in a thread, one file at a time."""

        def count() -> None:
            with suppress(OSError), self._counting:
                while self.count(path):
                    # Others who look at outputs have their turn.
                    time.sleep(_PAUSE)

        # Without a thread the next looks count on.
        with suppress(RuntimeError):
            threading.Thread(target=count, daemon=True).start()

    def _counted(
        self, path: Path, file: BinaryIO, status: os.stat_result, budget: int
    ) -> _Lines:
        with self._guard:
            known = self._known.get(str(path))
            if known is None or not known.is_of(file, status):
                known = _Lines((status.st_dev, status.st_ino))
                self._known[str(path)] = known
            self._known.move_to_end(str(path))
            while len(self._known) > _FILES:
                self._known.popitem(last=False)
            known.count_on(file, status, budget)
        return known


def _total(file: BinaryIO, lines: _Lines, size: int) -> tuple[int | None, bool]:
    """Return how many lines a file has, if that is known, and whether the last one ends."""
    if not size:
        return 0, False
    file.seek(size - 1)
    unfinished = file.read(1) != b"\n"
    if lines.counted < size:
        return None, unfinished
    return lines.count + unfinished, unfinished


def _begins_line(file: BinaryIO, offset: int) -> bool:
    if offset == 0:
        return True
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def _skip(
    file: BinaryIO, start: int, near: int, number: int, limit: int
) -> tuple[int, int]:
    """Pass over lines in front of one; return where it begins, or how far it came."""
    file.seek(start)
    data = file.read(limit - start)
    place = 0
    while near < number:
        end = data.find(b"\n", place)
        if end < 0:
            break
        near, place = near + 1, end + 1
    return start + place, near


def _part(
    file: BinaryIO, masker: Masker, start: int, end: int, size: int, *, number: int
) -> OutputPart:
    """Return the whole lines between two places of a file of a size.

    A line that begins in front of ``start`` is left out, and one that goes on behind
    ``end`` as well, unless it is all there is.
    """
    before = min(start, _MARGIN)
    after = min(size - end, _MARGIN)
    file.seek(start - before)
    data = file.read(before + end - start + after)
    first, last = before, min(before + end - start, len(data))
    if start and data[first - 1 : first] != b"\n":
        cut = data.find(b"\n", first, last) + 1
        first = cut or first + torn_character(data[first:last])
    if end < size and (cut := data.rfind(b"\n", first, last) + 1):
        last = cut
    begin = start - before + first
    text = decoded(data, first, last, masker).split("\n")
    lines = tuple(_lines(data[first:last], text, begin, number))
    return OutputPart(lines, begin, start - before + last)


def _lines(
    window: bytes, text: Sequence[str], begin: int, number: int
) -> Iterator[OutputLine]:
    if not window:
        return
    raw = window.split(b"\n")
    if window.endswith(b"\n"):
        raw.pop()
    offset = begin
    for place, line in enumerate(raw):
        shown = text[place] if place < len(text) else ""
        if "\r" in shown:
            shown = settled(shown)
        if len(shown) > LONGEST_LINE:
            shown = f"{shown[:LONGEST_LINE]}…"
        yield OutputLine(number + place if number else 0, offset, shown)
        offset += len(line) + 1


def decoded(data: bytes, first: int, last: int, masker: Masker) -> str:
    """Return the text of a part of some bytes, without secrets, line for line."""
    masked = _masked(data, first, last, masker)
    text = to_utf8(masked, local_encoding()).replace(b"\0", b"")
    if text != masked:
        # Only now a secret can be read that was printed in that encoding, or cut by NULs.
        text = _masked(text, 0, len(text), masker)
    return text.decode("utf-8", "backslashreplace")


def _masked(data: bytes, first: int, last: int, masker: Masker) -> bytes:
    """Return a part of some bytes without secrets; the ends of lines in these stay."""
    parts, place = [], 0
    for piece, secret in masker.pieces([data]):
        inside = piece[max(first - place, 0) : max(last - place, 0)]
        place += len(piece)
        if not secret:
            parts.append(inside)
        elif inside:
            parts.append(MASK.encode() + b"\n" * inside.count(b"\n"))
    return b"".join(parts)


def _first(part: OutputPart, count: int) -> OutputPart:
    if len(part.lines) <= count:
        return part
    return OutputPart(part.lines[:count], part.begin, part.lines[count].offset)


def _last(part: OutputPart, count: int) -> OutputPart:
    lines = part.lines[-count:]
    return OutputPart(lines, lines[0].offset if lines else part.begin, part.end)


def _numbered(part: OutputPart, number: int) -> OutputPart:
    lines = tuple(
        OutputLine(number + place, line.offset, line.text)
        for place, line in enumerate(part.lines)
    )
    return OutputPart(lines, part.begin, part.end)
