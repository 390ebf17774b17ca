"""One writer of the records at a time, whatever their database is busy with.

SQLite has locks of its own, but up to 3.51.2, which the Pythons of these years carry, a
checkpoint of the write-ahead log that meets a commit may lose pages. Whoever writes or
moves content from the write-ahead log into the database holds this lock: the two never
meet. Who only reads needs none.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from python_runner.files import PRIVATE_FILE_MODE, open_regular
from python_runner.records.file_locks import is_current, try_lock, unlock


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds between two looks at the lock: the first, and the most; each doubles the one
#: before. A write takes some milliseconds.
_FIRST_LOOK = 0.001
_LOOK = 0.05


class Occupied(Exception):
    """Somebody else has kept the lock for all the time that it was waited for."""


class WriteLock:
    """The lock of one database, between processes and between objects of this class.

    Its file is empty, private, and never deleted; each object keeps it open.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.lock")
        self._descriptor: int | None = None

    @contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Hold the lock for the block; wait for it up to ``seconds``.

        Where its file can be neither made nor locked the block goes on without: hardly
        anything is written there, and SQLite's own locks remain.

        Raises:
            Occupied: somebody else kept it.
        """
        held = self._acquire(time.monotonic() + seconds)
        try:
            yield
        finally:
            if held and self._descriptor is not None:
                with suppress(OSError):
                    unlock(self._descriptor)

    def close(self) -> None:
        """Close the file; the lock is not held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def _acquire(self, until: float) -> bool:
        pause = _FIRST_LOOK
        try:
            while not self._try():
                if time.monotonic() > until:
                    raise Occupied
                time.sleep(pause)
                pause = min(2 * pause, _LOOK)
        except OSError:
            return False
        return True

    def _try(self) -> bool:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT
            self._descriptor = open_regular(self._path, flags, PRIVATE_FILE_MODE)
        if not try_lock(self._descriptor):
            return False
        if is_current(self._descriptor, self._path):
            return True
        # Deleted meanwhile: others lock a new one.
        self.close()
        return False
