"""One wait for the disk, for all who have committed while another one waited.

A busy disk takes milliseconds for each commit. Runs at the same time would wait one after
the other; so each commits, lets the next one commit, and waits then.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


class GroupSync:
    """Brings commits to the disk that were written without waiting for it."""

    def __init__(self, descriptor: int, sync: Callable[[int], object]) -> None:
        """Take an open file, which is closed here, and what brings it to the disk."""
        self._descriptor = descriptor
        self._sync = sync
        self._lock = Lock()
        self._closed = False
        self._committed = 0
        self._synced = 0

    def commit(self) -> int:
        """Count a commit, which is written by now; return its number.

        Called by one thread at a time.
        """
        self._committed += 1
        return self._committed

    def wait(self, number: int) -> None:
        """Return when the commit of that number is on the disk, with all before it.

        Raises:
            OSError: it may not be there.
        """
        with self._lock:
            if self._synced < number:
                if self._closed:
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                written = self._committed
                self._sync(self._descriptor)
                self._synced = written

    def close(self) -> None:
        """Bring the rest to the disk for those who wait, and close the file."""
        with suppress(OSError):
            self.wait(self._committed)
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)
