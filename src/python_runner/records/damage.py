"""Sets a damaged database aside under another name; never deletes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.files import move, patiently, private_file, remove
from python_runner.records.database import (
    BUSY_SECONDS,
    COMPANIONS,
    connect,
    is_damage,
    is_filled,
    suspicion,
    write_ahead_log,
)
from python_runner.records.schema import MIGRATIONS
from python_runner.records.write_lock import WriteLock


if TYPE_CHECKING:
    from datetime import datetime

#: Bytes up to which the whole file is checked at each opening: some milliseconds.
#: Damage further on is met in use, and leads to a check at the next opening.
_CHECKED_SIZE = 1_000_000


def set_aside_if_damaged(path: Path, now: datetime) -> Path | None:
    """Move a damaged database out of the way, with its journals.

    Returns:
        Where it is now; None when it is sound.

    Raises:
        sqlite3.Error: its state cannot be found out: locked, unreadable.
        OSError: it cannot be moved.
    """
    if _is_sound(path):
        return None
    # One moves at a time: the next finds the new file, not one that is being moved, and
    # Windows moves no file that another has open.
    lock = WriteLock(path)
    try:
        with lock.held(BUSY_SECONDS):
            return None if _is_sound(path) else _set_aside(path, now)
    finally:
        lock.close()


def _set_aside(path: Path, now: datetime) -> Path:
    target = _free_name(path, f"{now:%Y-%m-%d_%H-%M-%S}")
    # A journal that stayed beside a new database would be played back into it.
    for companion in ("", *COMPANIONS):
        source = path.with_name(path.name + companion)
        if source.exists():
            aside = target.with_name(target.name + companion)
            patiently(partial(move, source, aside))
    remove(suspicion(path))
    # Before anybody else looks: what comes next belongs to it.
    private_file(path)
    return target


def _is_sound(path: Path) -> bool:
    if not path.exists():
        # SQLite would throw away what a killed process has left of a file that is gone.
        return not is_filled(write_ahead_log(path))
    suspected = suspicion(path).exists()
    try:
        with closing(connect(path)) as connection:
            # Version and tables of one moment: another process may be migrating.
            connection.execute("BEGIN")
            if not _has_our_tables(connection):
                return False
            if not suspected and path.stat().st_size > _CHECKED_SIZE:
                return True
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise
    if suspected and verdict == "ok":
        remove(suspicion(path))
    return bool(verdict == "ok")


def _has_our_tables(connection: sqlite3.Connection) -> bool:
    """Say whether the tables and columns are there that the file's version stands for.

    Another program's database is none of ours, however sound, nor is one that lost a
    table. What a newer version needs is not known here.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        return True
    found = _columns(connection)
    if version == 0:
        # Before the first migration none of the tables may be there.
        return _needed(1).isdisjoint(found)
    return version > 0 and _needed(version) <= found


@cache
def _needed(version: int) -> set[tuple[str, str]]:
    """Return the names of each table and column after so many migrations."""
    with closing(connect(Path(":memory:"))) as model:
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                model.execute(statement)
        return _columns(model)


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the names of each table and column."""
    query = """
        SELECT tables.name, columns.name
        FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table'
    """
    return {(table, column) for table, column in connection.execute(query)}


def _free_name(path: Path, date: str) -> Path:
    target = path.with_name(f"{path.name}.corrupt-{date}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.corrupt-{date}-{number}")
    return target
