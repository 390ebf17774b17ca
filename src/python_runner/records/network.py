"""Whether a file lies on a network drive: a write-ahead log needs one machine's memory."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.files import reading


if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _DRIVE_REMOTE = 4
    _kernel32 = ctypes.WinDLL("kernel32")
    _kernel32.GetDriveTypeW.argtypes = (wintypes.LPCWSTR,)

    def is_remote(path: Path) -> bool:
        """Say whether other machines may have the file open as well."""
        anchor = os.path.realpath(path)
        root = os.path.splitdrive(anchor)[0] + "\\"
        return bool(_kernel32.GetDriveTypeW(root) == _DRIVE_REMOTE)

else:
    #: As the kernel names them; those of FUSE bear the program's name behind a dot.
    _REMOTE = frozenset(
        [
            "9p",
            "afs",
            "ceph",
            "cifs",
            "coda",
            "gfs",
            "gfs2",
            "glusterfs",
            "lustre",
            "ncpfs",
            "nfs",
            "nfs4",
            "ocfs2",
            "smb3",
            "smbfs",
            "fuse.sshfs",
            "fuse.s3fs",
            "fuse.rclone",
            "fuse.glusterfs",
            "fuse.davfs",
            "fuse.cephfs",
            "virtiofs",
        ]
    )

    def is_remote(path: Path) -> bool:
        """Say whether other machines may have the file open as well."""
        return remote_in(_mounts(), os.stat(path).st_dev)  # noqa: PTH116

    def _mounts() -> bytes:
        with suppress(OSError), reading("/proc/self/mountinfo") as file:
            return file.read()
        return b""

    def remote_in(mounts: bytes, device: int) -> bool:
        """Say whether a file system is a network's, by what the kernel lists (Linux).

        Args:
            mounts: the content of ``/proc/self/mountinfo``.
            device: number of the device on which a file lies.
        """
        wanted = f"{os.major(device)}:{os.minor(device)}".encode()
        for line in mounts.splitlines():
            fields, _, kind = line.partition(b" - ")
            if fields.split(maxsplit=3)[2:3] == [wanted]:
                return kind.split(maxsplit=1)[0].decode() in _REMOTE
        return False
