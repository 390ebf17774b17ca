from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.records.network import is_remote


if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("Linux lists its mounts", allow_module_level=True)

assert sys.platform != "win32"  # tells the type checker which platform this is

from python_runner.records.network import remote_in  # noqa: E402


pytestmark = pytest.mark.posix


@pytest.mark.parametrize(
    ("kind", "remote"),
    [
        *((kind, True) for kind in ("nfs4", "cifs", "9p", "fuse.sshfs")),
        *((kind, False) for kind in ("ext4", "overlay", "tmpfs", "fuse.ntfs-3g")),
    ],
)
def test_a_network_drive_is_known_by_its_mount(kind: str, remote: bool) -> None:
    """The kernel names the file system of each device."""
    mounts = (
        "22 1 8:1 / / rw,relatime shared:1 - xfs /dev/sda1 rw\n"
        f"23 22 0:45 /a b /mnt/x rw shared:2 master:1 - {kind} server:/export rw\n"
    ).encode()
    assert remote_in(mounts, os.makedev(0, 45)) is remote
    assert not remote_in(mounts, os.makedev(8, 1))
    assert not remote_in(b"", os.makedev(8, 1))


def test_a_local_folder_is_local(tmp_path: Path) -> None:
    """The folder of the tests lies on a disk of this machine."""
    assert not is_remote(tmp_path)
