"""Free space of a disk, and giving space of a file back to it."""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from pathlib import Path

_FALLOC_FL_KEEP_SIZE = 0x01
_FALLOC_FL_PUNCH_HOLE = 0x02


def free_space(folder: Path) -> int:
    """Return the bytes that may still be written into ``folder``.

    Raises:
        OSError: the folder cannot be asked.
    """
    if sys.platform == "win32":
        import shutil  # noqa: PLC0415 - asks Windows itself

        return shutil.disk_usage(folder).free
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _SET_SPARSE = 0x000900C4
    _SET_ZERO_DATA = 0x000980C8
    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.DeviceIoControl.argtypes = (
        wintypes.HANDLE,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        ctypes.POINTER(wintypes.DWORD),
        ctypes.c_void_p,
    )

    class _ZeroData(ctypes.Structure):
        """``FILE_ZERO_DATA_INFORMATION``: a range of a file, without its end."""

        _fields_ = (("start", ctypes.c_longlong), ("end", ctypes.c_longlong))

    def punch_hole(descriptor: int, start: int, end: int) -> bool:
        """Give the bytes of a file from ``start`` to ``end`` back to the disk.

        The file keeps its size, so that a program that appends to it is not disturbed.

        Returns:
            Whether this platform and this file system can do that.
        """
        # In a file that is not sparse the zeros would be written.
        return _control(descriptor, _SET_SPARSE) and _control(
            descriptor, _SET_ZERO_DATA, _ZeroData(start, end)
        )

    def _control(descriptor: int, code: int, data: _ZeroData | None = None) -> bool:
        file, done = msvcrt.get_osfhandle(descriptor), wintypes.DWORD()
        given = (None, 0) if data is None else (ctypes.byref(data), ctypes.sizeof(data))
        return bool(
            _kernel32.DeviceIoControl(
                file, code, *given, None, 0, ctypes.byref(done), None
            )
        )

else:

    def punch_hole(descriptor: int, start: int, end: int) -> bool:
        """Give the bytes of a file from ``start`` to ``end`` back to the disk.

        The file keeps its size, so that a program that appends to it is not disturbed.

        Returns:
            Whether this platform and this file system can do that.
        """
        fallocate = _fallocate()
        if fallocate is None:
            return False
        mode = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
        return bool(fallocate(descriptor, mode, start, end - start) == 0)

    @cache
    def _fallocate() -> Any:
        if sys.platform != "linux":
            return None
        import ctypes  # noqa: PLC0415 - only a flood of output needs it

        function = getattr(ctypes.CDLL(None), "fallocate64", None)
        if function is not None:
            offset = ctypes.c_int64
            function.argtypes = (ctypes.c_int, ctypes.c_int, offset, offset)
        return function


def free_files(folder: Path) -> int | None:
    """Return how many files may still be made in ``folder``; None where nothing limits it.

    Raises:
        OSError: the folder cannot be asked.
    """
    if sys.platform == "win32":
        return None
    system = os.statvfs(folder)
    # File systems that make the entries as they are needed, as btrfs, say 0 of 0.
    return system.f_favail if system.f_files else None


def disk_full(folder: Path) -> OSError:
    """Return the error of a disk that has no room left."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
