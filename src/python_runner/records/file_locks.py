"""What the systems have to lock an open file; who holds a lock writes in ``locks``."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from python_runner.files import open_regular


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Looks at a lock that is held for one write only, and seconds between them.
_BRIEF_LOOKS = 50
_BRIEF_INTERVAL = 0.02
#: Number of the descriptor that scripts inherit, or half of those that are allowed. For
#: one above 63 the kernel enlarges a table that threads share: that takes some 10 ms.
_HIGH = 60

if sys.platform == "win32":
    import msvcrt

    #: How a file is opened that is to be locked.
    FLAGS = os.O_RDWR
    #: Far behind the content: a locked byte cannot be read by others. (The C runtime
    #: takes no position beyond 2 GiB.)
    _LOCKED_BYTE = 0x7FFF_0000

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file; say whether it was free."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give the lock of an open file back."""
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def is_current(_descriptor: int, _path: Path) -> bool:
        """Say whether an open file still has its name; nobody can delete an open one."""
        return True

    def out_of_the_way(descriptor: int) -> int:
        """Return the descriptor itself: nobody inherits it."""
        return descriptor

    def open_writer(descriptor: int, _path: Path) -> int:
        """Return the descriptor itself: it can write."""
        return descriptor

else:
    import fcntl
    import resource

    FLAGS = os.O_RDONLY

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file; say whether it was free."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give the lock of an open file back."""
        # For all who inherited it: closing alone would leave them the lock.
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def is_current(descriptor: int, path: Path) -> bool:
        """Say whether an open file still has its name."""
        # After the file is deleted, another process can create and lock a new one; ours
        # no longer counts.
        try:
            return os.path.samestat(os.fstat(descriptor), path.stat())
        except FileNotFoundError:
            return False

    def out_of_the_way(descriptor: int) -> int:
        """Give the descriptor a high number: scripts inherit it, and count from below."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        high = _HIGH if most == resource.RLIM_INFINITY else min(_HIGH, most // 2)
        try:
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, high)
        except OSError:
            return descriptor
        os.close(descriptor)
        return moved

    def open_writer(descriptor: int, path: Path) -> int:
        """Return a descriptor of the same file that can write.

        Raises:
            OSError: there is none; the file was deleted.
        """
        writer = open_regular(path, os.O_WRONLY)
        if os.path.samestat(os.fstat(writer), os.fstat(descriptor)):
            return writer
        # Deleted, and made anew by somebody who holds that one.
        os.close(writer)
        raise FileNotFoundError(path)


@contextmanager
def brief_lock(
    descriptor: int, *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Keep other writers out of an open file for the length of one write.

    Where the file system has no locks, or somebody keeps this one longer than a second,
    the write goes on without: what is written late is better than what is lost.
    """
    with suppress(OSError):
        for _ in range(_BRIEF_LOOKS):
            if try_lock(descriptor):
                break
            sleep(_BRIEF_INTERVAL)
    try:
        yield
    finally:
        with suppress(OSError):
            unlock(descriptor)
