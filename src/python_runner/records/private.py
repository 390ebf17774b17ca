"""What lies in the state folder is its user's alone.

On POSIX by the modes set here; on Windows by the permissions of the user's profile, which
new files inherit.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path


def private_folder(path: Path) -> None:
    """Make a folder where it is missing, and those above it.

    Raises:
        OSError: it cannot be made.
    """
    # mkdir() would give the folders above the usual mode.
    if path.parent != path and not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file where it is missing; never open one that is there.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
