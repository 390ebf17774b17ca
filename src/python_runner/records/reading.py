"""How a log is read back: with its archives, and while it grows.

Files are read and closed before anything of them is told: a reader that pauses must not
keep a log open, since Windows would refuse to set it aside.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from python_runner.records.line import parse_record
from python_runner.records.rotation import archives


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from python_runner.records.line import Record


class _Place(NamedTuple):
    """How far a reader has come: a file, whatever it is called now, and bytes read."""

    device: int = 0
    inode: int = 0
    offset: int = 0

    def in_file(self, status: os.stat_result) -> bool:
        return (status.st_dev, status.st_ino) == (self.device, self.inode)


def read_records(folder: Path, filename: str) -> Iterator[Record]:
    """Yield what a log and its archives say, oldest file first.

    Lines that are no records, and bytes that are no text, are passed over.

    Raises:
        OSError: a file is there and cannot be read.
    """
    for path in (*archives(folder, filename), folder / filename):
        with suppress(FileNotFoundError):
            yield from _records(path.read_bytes())


def follow(
    folder: Path, filename: str, *, wait: Callable[[], bool]
) -> Iterator[Record]:
    """Yield what :func:`read_records` does, then each record as it is written.

    ``wait`` is called when all there is has been told: it returns True after a while to
    look again, False to end. A log that is set aside meanwhile is read to its end.

    Raises:
        OSError: a file is there and cannot be read.
    """
    place = _Place()
    while True:
        for path in _unread(folder, filename, place):
            with suppress(FileNotFoundError):
                content, place = _news(path, place)
                yield from _records(content)
        if not wait():
            return


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
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        known = place.in_file(status) and place.offset <= status.st_size
        offset = file.seek(place.offset if known else 0)
        content = file.read()
    content = content[: content.rfind(b"\n") + 1]
    return content, _Place(status.st_dev, status.st_ino, offset + len(content))


def _records(content: bytes) -> Iterator[Record]:
    for line in content.split(b"\n"):
        if record := parse_record(line.decode("utf-8", "replace")):
            yield record
