"""Sets a damaged database aside under another name; never deletes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from python_runner.files import move, patiently, private_file
from python_runner.records.database import BUSY_SECONDS, connect, is_damage, suspicion


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

#: Bytes up to which the whole file is checked at each opening: some milliseconds.
#: Damage further on is met in use, and leads to a check at the next opening.
_CHECKED_SIZE = 4_000_000
#: A journal that stayed beside a new database would be played back into it.
_COMPANIONS = ("", "-journal", "-wal", "-shm")


def set_aside_if_damaged(path: Path, now: datetime) -> Path | None:
    """Move a damaged database out of the way, with its journals.

    Returns:
        Where it is now; None when it is sound.

    Raises:
        sqlite3.Error: its state cannot be found out: locked, unreadable.
        OSError: it cannot be moved.
    """
    # One looks at a time: the next finds the new file, not one that is being moved, and
    # Windows moves no file that another has open.
    with _alone(path.with_name(f"{path.name}.lock")):
        if _is_sound(path):
            return None
        target = _free_name(path, f"{now:%Y-%m-%d_%H-%M-%S}")
        for companion in _COMPANIONS:
            source = path.with_name(path.name + companion)
            if source.exists():
                aside = target.with_name(target.name + companion)
                patiently(partial(move, source, aside))
        suspicion(path).unlink(missing_ok=True)
        return target


def _is_sound(path: Path) -> bool:
    if not path.exists():
        return True
    suspected = suspicion(path).exists()
    try:
        with closing(connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if not suspected and path.stat().st_size > _CHECKED_SIZE:
                return True
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise
    if suspected and verdict == "ok":
        suspicion(path).unlink(missing_ok=True)
    return bool(verdict == "ok")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Exclude other processes, by a lock that ends with the process that holds it."""
    private_file(path)
    guard = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    with closing(guard):
        guard.execute("BEGIN EXCLUSIVE")
        yield


def _free_name(path: Path, date: str) -> Path:
    target = path.with_name(f"{path.name}.corrupt-{date}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.corrupt-{date}-{number}")
    return target
