"""Files, made and replaced the same way everywhere: whole, patiently, private where asked.

The state folder is readable by its user alone: on POSIX by the modes set here, on Windows
by the permissions of the user's profile, which new files inherit.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

#: What Windows says while an antivirus, an indexer or a backup looks at a file:
#: access denied, sharing violation, lock violation.
_BUSY = frozenset({5, 32, 33})
#: Seconds to wait for such a program, one after the other.
_PATIENCE = (0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


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


def replace(source: Path, target: Path) -> None:
    """Put ``source`` in the place of ``target``, at once or not at all.

    Raises:
        OSError: it cannot be done; on Windows after waiting for a program that has the
            file open.
    """
    for pause in _PATIENCE:
        try:
            os.replace(source, target)  # noqa: PTH105 - the same on all platforms
        except OSError as error:
            if getattr(error, "winerror", None) not in _BUSY:
                raise
            time.sleep(pause)
        else:
            return
    os.replace(source, target)  # noqa: PTH105
