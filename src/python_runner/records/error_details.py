"""Details of errors that nobody foresaw, in one file a day in the state folder."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.files import of_descriptor, opened, private_folder, remove


if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_FOLDER = "errors"
_NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.txt")
#: Files that are kept, and bytes of each.
_MOST_FILES = 10
_MOST_BYTES = 1_000_000
#: Neither a link nor a pipe that somebody put there; Windows knows no such thing.
_FLAGS = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


def keep_details(home: Path, details: str, now: datetime) -> Path:
    """Add the details of an error to the day's file in the state folder; return it.

    What the file holds already is not added again: an error that meets every script of
    a series is told once. The oldest files are deleted.

    Args:
        home: the state folder.
        details: a text without secrets.
        now: the present moment.

    Raises:
        OSError: they cannot be kept; the day's file may be full.
    """
    folder = home / _FOLDER
    private_folder(folder)
    path = folder / f"{now:%Y-%m-%d}.txt"
    data = details.encode("utf-8", "backslashreplace")
    with of_descriptor(opened(path, _FLAGS, 0o600), "r+b") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
        kept = file.read(_MOST_BYTES)
        if data not in kept:
            if len(kept) + len(data) > _MOST_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
            file.write(f"--- {now:%Y-%m-%d %H:%M:%S} ---\n".encode() + data + b"\n")
    _delete_old(folder, keep=path.name)
    return path


def _delete_old(folder: Path, *, keep: str) -> None:
    with suppress(OSError):
        files = [p for p in folder.iterdir() if _NAME.fullmatch(p.name)]
        others = sorted((p for p in files if p.name != keep), reverse=True)
        for path in others[_MOST_FILES - 1 :]:
            remove(path)
