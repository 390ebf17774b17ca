"""What only Windows has: drives that a scheduled task lacks, and a limit for paths."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from python_runner.model import Project

#: Characters of a path that Windows takes where long ones are not allowed.
_MOST = 259
#: Those of an output below a project's folder, its script's name aside:
#: ``\logs\runs\2026-11-26_06-00-00_39be3d37aed64\01_`` and ``.log``.
_OUTPUT = 55

if sys.platform == "win32":
    import ctypes
    import winreg
    from ctypes import wintypes

    _mpr = ctypes.WinDLL("mpr")
    _mpr.WNetGetConnectionW.argtypes = (
        wintypes.LPCWSTR,
        wintypes.LPWSTR,
        ctypes.POINTER(wintypes.DWORD),
    )

    def share_of(drive: str) -> str | None:
        """Return the share that a drive letter stands for (``Z:``); None for a disk."""
        size = wintypes.DWORD(1000)
        buffer = ctypes.create_unicode_buffer(size.value)
        if _mpr.WNetGetConnectionW(drive, buffer, ctypes.byref(size)):
            return None
        return buffer.value

    def takes_long_paths() -> bool:
        """Say whether this Windows lets programs use paths of any length."""
        key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
                return bool(winreg.QueryValueEx(opened, "LongPathsEnabled")[0])
        except OSError:
            return False

else:

    def share_of(drive: str) -> str | None:  # noqa: ARG001
        """Return None: only Windows has drives."""
        return None

    def takes_long_paths() -> bool:
        """Return True: only Windows has this limit."""
        return True


def look_at_drives(
    paths: Iterable[Path],
    project: Path | None,
    share: Callable[[str], str | None] = share_of,
) -> Iterator[Finding]:
    """Yield which paths lie on a drive that is only there while somebody is logged on.

    Args:
        paths: of what a run needs; of each drive the first is told.
        project: whose they are; None: this computer's.
        share: returns what a drive stands for.
    """
    told = set()
    for path in paths:
        drive = path.drive
        # Longer is a share already.
        if len(drive) != 2 or drive in told:  # noqa: PLR2004 - a letter and a colon
            continue
        told.add(drive)
        if name := share(drive):
            yield Finding.of(
                kinds.DRIVE_MAPPED,
                project,
                path=str(path),
                drive=drive,
                share=name + str(path)[len(drive) :],
            )


def look_at_lengths(project: Project, *, unlimited: bool) -> Iterator[Finding]:
    """Yield that names of output get longer than Windows takes them."""
    names = (len(script.name) for script in project.scripts)
    longest = len(str(project.path)) + _OUTPUT + max(names, default=0)
    if longest > _MOST and not unlimited:
        yield Finding.of(
            kinds.PATH_LONG, project.path, path=str(project.path), length=longest
        )
