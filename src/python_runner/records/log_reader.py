"""Reads a log with its archives, and while it grows.

A file is read and closed before its lines are yielded: a reader that pauses must not
keep a log open, since Windows would refuse to set it aside.
"""

from __future__ import annotations

import os
from contextlib import suppress
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.hashes import sha256
from python_runner.records.log_line import parse_log
from python_runner.records.log_rotation import archives


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from python_runner.records.log_line import LogLine


#: Bytes of one file that are read at most, its end: years of a log.
_LONGEST = 256 * 1024 * 1024
#: Bytes of a log that are in memory at a time.
_BLOCK = 1_000_000
#: No log, or something else in the place of its folder.
_NOT_THERE = (FileNotFoundError, NotADirectoryError)
#: Bytes of the first line that are looked at: time, host and run id are in them.
_FIRST_LINE = 1024
#: Bytes that are read of one file at most, when it is not known how far it was read.
_MOST = 16_000_000


class _Place(NamedTuple):
    """How far a file has been read; a file keeps its identity under another name."""

    device: int = 0
    inode: int = 0
    offset: int = 0

    @classmethod
    def in_front_of(cls, file: BinaryIO, offset: int) -> Self:
        """Return the place in an open file."""
        status = os.fstat(file.fileno())
        return cls(status.st_dev, status.st_ino, offset)

    def in_file(self, status: os.stat_result) -> bool:
        return (status.st_dev, status.st_ino) == (self.device, self.inode)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """How far a log has been read, to go on from there in another process.

    Attributes:
        file: digest of the first line of the file; empty where there was none.
        offset: bytes of it that have been read.
    """

    file: str = ""
    offset: int = 0


def read_since(
    folder: Path, filename: str, place: LogPlace
) -> tuple[list[bytes], LogPlace]:
    """Return the finished lines of a log behind ``place``, and the place behind them.

    A file that was set aside since is read to its end. Where the file of the place is
    gone, or there was none, the log itself is read: its end, if it is very long.

    Raises:
        OSError: a file is there and cannot be read.
    """
    lines: list[bytes] = []
    for path in _files_since(folder, filename, place):
        with suppress(*_NOT_THERE), reading(path) as file:
            name = _first_line(file)
            size = file.seek(0, os.SEEK_END)
            known = place.offset if name == place.file and place.offset <= size else 0
            start = max(known, size - _MOST)
            file.seek(start)
            content = file.read(size - start)
            end = start + content.rfind(b"\n") + 1
            found = content[: end - start].split(b"\n")[:-1]
            # What begins in the middle of a line is none.
            lines += found if start == known else found[1:]
            place = LogPlace(name, end) if name else LogPlace()
    return lines, place


def _files_since(folder: Path, filename: str, place: LogPlace) -> list[Path]:
    """Return the file of a place and those begun after it, oldest first."""
    files = [folder / filename]
    for path in (*files, *reversed(archives(folder, filename))) if place.file else ():
        if path not in files:
            files.insert(0, path)
        with suppress(*_NOT_THERE), reading(path) as file:
            if _first_line(file) == place.file:
                return files
    return files[-1:]


def _first_line(file: BinaryIO) -> str:
    """Return what tells a log from any other one: no two lines are alike."""
    line, _, _ = file.read(_FIRST_LINE).partition(b"\n")
    return sha256(line)[:32] if line else ""


def place_in(file: BinaryIO) -> LogPlace:
    """Return the place at the start of an open file.

    Raises:
        OSError: it cannot be read.
    """
    file.seek(0)
    return LogPlace(_first_line(file))


def read_log(
    folder: Path, *filenames: str, newest_first: bool = False
) -> Iterator[LogLine]:
    """Yield what a log and its archives say, oldest first; several by time.

    Lines that are none of ours, and bytes that are no text, are passed over. However
    long the files are, a block of each is in memory.

    Raises:
        OSError: a file is there and cannot be read.
    """
    read = _read_back if newest_first else _read
    logs = [read(folder, filename) for filename in filenames]
    return merge(*logs, key=attrgetter("time"), reverse=newest_first)


def _read(folder: Path, filename: str) -> Iterator[LogLine]:
    content, place = _next_block(folder, filename, _Place(), unfinished=True)
    while content:
        yield from parse_log(content)
        content, place = _next_block(folder, filename, place, unfinished=True)


def _read_back(folder: Path, filename: str) -> Iterator[LogLine]:
    ends = []
    for path in log_files(folder, filename):
        with suppress(*_NOT_THERE), reading(path) as file:
            ends.append(_Place.in_front_of(file, os.fstat(file.fileno()).st_size))
    for end in reversed(ends):
        place, first = end, max(0, end.offset - _LONGEST)
        # A file that is gone is told no more of.
        while place.offset > first and (
            found := _path_of(log_files(folder, filename), place)
        ):
            with reading(found) as file:
                content, place = _block_before(file, place.offset, first)
            yield from reversed([*parse_log(content)])


def log_files(folder: Path, filename: str) -> list[Path]:
    """Return a log and its archives, the oldest first."""
    return [*archives(folder, filename), folder / filename]


def _path_of(files: Sequence[Path], place: _Place) -> Path | None:
    """Return the file that is read on, which may have been set aside meanwhile."""
    for path in reversed(files):
        with suppress(*_NOT_THERE):
            if place.in_file(path.stat()):
                return path
    return None


def _block_before(file: BinaryIO, end: int, first: int) -> tuple[bytes, _Place]:
    """Return whole lines of a file that end at ``end``, and the place before them."""
    start = max(first, end - _BLOCK)
    file.seek(start)
    content = file.read(end - start)
    # What begins in the middle of a line is read with the lines before.
    cut = content.find(b"\n") + 1 if start > first else 0
    if cut == len(content):
        cut = 0
    return content[cut:], _Place.in_front_of(file, start + cut)


def follow_log(
    folder: Path, *filenames: str, wait: Callable[[], bool]
) -> Iterator[LogLine]:
    """Yield what :func:`read_log` does, then each line as it is written.

    ``wait`` is called when all there is has been yielded: it returns True after a while to
    look again, False to end. A log that is set aside meanwhile is read to its end.

    Raises:
        OSError: a file is there and cannot be read.
    """
    places = dict.fromkeys(filenames, _Place())
    while True:
        yield from merge(
            *(_new_lines(folder, name, places) for name in filenames),
            key=attrgetter("time"),
        )
        if not wait():
            return


def _new_lines(
    folder: Path, filename: str, places: dict[str, _Place]
) -> Iterator[LogLine]:
    """Yield what was written since the last look; its place is moved on."""
    while True:
        content, places[filename] = _next_block(folder, filename, places[filename])
        if not content:
            return
        yield from parse_log(content)


def _next_block(
    folder: Path, filename: str, place: _Place, *, unfinished: bool = False
) -> tuple[bytes, _Place]:
    """Return the lines behind a place of a log, and the place behind them.

    Args:
        folder: where the log lies.
        filename: its name.
        place: up to where it has been read.
        unfinished: whether a last line without an end is one.
    """
    for path in _unread(folder, filename, place):
        with suppress(*_NOT_THERE), reading(path) as file:
            size = os.fstat(file.fileno()).st_size
            here = _Place.in_front_of(file, max(0, size - _LONGEST))
            if place[:2] == here[:2] and place.offset <= size:
                here = place
            file.seek(here.offset)
            content = file.read(_BLOCK)
            if b"\n" in content or (len(content) < _BLOCK and not unfinished):
                content = content[: content.rfind(b"\n") + 1]
            place = _Place.in_front_of(file, here.offset + len(content))
            if content:
                return content, place
    return b"", place


def _unread(folder: Path, filename: str, place: _Place) -> list[Path]:
    """Return the files from the one being read on, all if there is none yet."""
    files = log_files(folder, filename)
    if reading_on := _path_of(files, place):
        return files[files.index(reading_on) :]
    # The file being read is gone for good: what is newer is in the log itself.
    return files if place == _Place() else files[-1:]
