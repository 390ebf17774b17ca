"""Tells whether two processes know the same secrets, without telling these.

A run's lock says which secrets its runner takes out of the output, by marks: hashes with a
key that lies in the state folder, which only its account may read. A mark is short: whoever
has the key as well, and tries passwords, finds thousands that have the same one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.files import (
    PRIVATE_FILE_MODE,
    private_folder,
    put,
    read_regular,
)
from python_runner.hashes import sha256
from python_runner.masking import looked_for


if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEY_NAME = "secret_marks.key"
_KEY_BYTES = 32
#: Hexadecimal digits of a mark.
_DIGITS = 8
#: Marks in a lock's file, which holds little on a full disk.
_MOST = 200


def marks_to_tell(home: Path, secrets: Iterable[str]) -> str | None:
    """Return the marks of a runner's secrets, for others; None: they are not told.

    The key is made where there is none. What goes wrong costs the reader, not the run.
    """
    try:
        key = _key(home)
        if key is None:
            private_folder(home)
            put(home / KEY_NAME, os.urandom(_KEY_BYTES), PRIVATE_FILE_MODE)
            # Another runner may have made one at the same time.
            key = _key(home)
    except OSError:
        return None
    marks = _marks(key, secrets) if key else None
    return "".join(sorted(marks)) if marks is not None and len(marks) <= _MOST else None


def knows_all(home: Path, told: str, secrets: Iterable[str]) -> bool:
    """Say whether somebody who knows ``secrets`` knows all that a runner has told of."""
    if not told:
        return True
    key = _key(home)
    if key is None:
        return False
    theirs = {told[n : n + _DIGITS] for n in range(0, len(told), _DIGITS)}
    return theirs <= _marks(key, secrets)


def _key(home: Path) -> bytes | None:
    with suppress(OSError):
        key = read_regular(home / KEY_NAME, _KEY_BYTES)
        if len(key) == _KEY_BYTES:
            return key
    return None


def _marks(key: bytes, secrets: Iterable[str]) -> set[str]:
    return {_mark(key, secret) for secret in looked_for(secrets)}


def _mark(key: bytes, secret: str) -> str:
    inner = sha256(key + secret.encode("utf-8", "surrogatepass"))
    return sha256(key + inner.encode())[:_DIGITS]
