"""Reads a log with its archives, and while it grows.

A file is read and closed before its lines are yielded: a reader that pauses must not
keep a log open, since Windows would refuse to set it aside.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from python_runner.files import reading
from python_runner.records.log_line import parse_log
from python_runner.records.log_rotation import archives


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from python_runner.records.log_line import LogLine


#: Bytes of one file that are read at a time: years of a log, and no whole memory.
_LONGEST = 256 * 1024 * 1024
#: Bytes of the first line that are looked at: time, host and run id are in them.
_FIRST_LINE = 1024
#: Bytes that are read of one file at most, when it is not known how far it was read.
_MOST = 16_000_000


class _Place(NamedTuple):
    """How far a file has been read; a file keeps its identity under another name."""

    device: int = 0
    inode: int = 0
    offset: int = 0

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
        with suppress(FileNotFoundError), reading(path) as file:
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
        with suppress(FileNotFoundError), reading(path) as file:
            if _first_line(file) == place.file:
                return files
    return files[-1:]


def _first_line(file: BinaryIO) -> str:
    """Return what tells a log from any other one: no two lines are alike."""
    line, _, _ = file.read(_FIRST_LINE).partition(b"\n")
    return hashlib.sha256(line).hexdigest()[:32] if line else ""


def read_log(folder: Path, *filenames: str) -> Iterator[LogLine]:
    """Yield what a log and its archives say, oldest file first; several by time.

    Lines that are none of ours, and bytes that are no text, are passed over.

    Raises:
        OSError: a file is there and cannot be read.
    """
    return _by_time(_read(folder, filename) for filename in filenames)


def _read(folder: Path, filename: str) -> Iterator[LogLine]:
    for path in (*archives(folder, filename), folder / filename):
        with suppress(FileNotFoundError):
            with reading(path) as file:
                content = _from(file, 0)
            yield from parse_log(content)


def _from(file: BinaryIO, offset: int) -> bytes:
    """Return what a file holds from ``offset`` on; of too much, the end."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(offset, size - _LONGEST))
    return file.read(_LONGEST)


def _by_time(logs: Iterable[Iterable[LogLine]]) -> Iterator[LogLine]:
    return merge(*logs, key=attrgetter("time"))


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
        yield from _by_time([_new_lines(folder, name, places) for name in filenames])
        if not wait():
            return


def _new_lines(folder: Path, filename: str, places: dict[str, _Place]) -> list[LogLine]:
    """Return what was written since the last look; its place is moved on."""
    lines: list[LogLine] = []
    for path in _unread(folder, filename, places[filename]):
        with suppress(FileNotFoundError):
            content, places[filename] = _news(path, places[filename])
            lines += parse_log(content)
    return lines


def _unread(folder: Path, filename: str, place: _Place) -> list[Path]:
    """Return the files from the one being read on, all if there is none yet."""
    files = [*archives(folder, filename), folder / filename]
    for index in reversed(range(len(files))):
        with suppress(FileNotFoundError):
            if place.in_file(files[index].stat()):
                return files[index:]
    # The file being read is gone for good: what is newer is in the log itself.
    return files if place == _Place() else files[-1:]


def _news(path: Path, place: _Place) -> tuple[bytes, _Place]:
    """Return the finished lines of a file behind ``place``, and the place behind them."""
    with reading(path) as file:
        status = os.fstat(file.fileno())
        known = place.in_file(status) and place.offset <= status.st_size
        content = _from(file, place.offset if known else 0)
        offset = file.tell() - len(content)
    content = content[: content.rfind(b"\n") + 1]
    return content, _Place(status.st_dev, status.st_ino, offset + len(content))
