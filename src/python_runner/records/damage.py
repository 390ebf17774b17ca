"""Sets a damaged database aside under another name; never deletes it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import (
    move,
    patiently,
    private_file,
    reading,
    remove,
    replacing,
)
from python_runner.records.database import (
    BUSY_SECONDS,
    COMPANIONS,
    connect,
    is_damage,
    is_filled,
    make_newest,
    suspicion,
    write_ahead_log,
)
from python_runner.records.schema import COLUMNS, MIGRATIONS
from python_runner.records.write_lock import Occupied, WriteLock


if TYPE_CHECKING:
    from datetime import datetime

#: Bytes up to which the whole file is checked at each opening: a millisecond or two.
#: Damage further on is met in use, and leads to a check at the next opening.
_CHECKED_SIZE = 250_000


@dataclass(frozen=True, slots=True)
class SetAside:
    """A damaged database that was moved out of the way.

    Attributes:
        path: where it is now; what lay beside it lies there as well.
        kept: whether the database goes on without its write-ahead log, which was
            damaged, or another database's.
    """

    path: Path
    kept: bool


def set_aside_if_damaged(path: Path, now: datetime) -> SetAside | None:
    """Move a damaged database out of the way, with its journals.

    Where it is sound without its write-ahead log it stays, as after a backup was copied
    over it while the log of the former one lay there.

    Returns:
        What was moved; None when it is sound.

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


def _set_aside(path: Path, now: datetime) -> SetAside:
    aside = _free_name(path, f"{now:%Y-%m-%d_%H-%M-%S}")
    import shutil  # noqa: PLC0415 - records are seldom damaged

    kept = path.exists() and is_filled(write_ahead_log(path)) and _is_sound_alone(path)
    if kept:
        # Another file: whoever has the former one open sees that it is gone.
        with reading(path) as source, replacing(path) as file:
            shutil.copyfileobj(source, file)
            source.close()
            _move(path, aside)
    else:
        _move(path, aside)
        # Before anybody else looks: what comes next belongs to it.
        private_file(path)
    return SetAside(aside, kept)


def _move(path: Path, aside: Path) -> None:
    """Move a database with its journals, and forget the suspicion."""
    # A journal that stayed beside a new database would be played back into it.
    for companion in ("", *COMPANIONS):
        source = path.with_name(path.name + companion)
        if source.exists():
            target = aside.with_name(aside.name + companion)
            patiently(partial(move, source, target))
    remove(suspicion(path))


def _is_sound_alone(path: Path) -> bool:
    """Say whether a database is sound without what lies beside it."""
    try:
        with closing(connect(path, "immutable=1")) as connection:
            return _has_our_tables(connection) and _has_integrity(connection)
    except sqlite3.Error:
        return False


def _has_integrity(connection: sqlite3.Connection) -> bool:
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    return bool(verdict == "ok")


def _is_replaced(path: Path) -> bool:
    """Say whether a database was written after its write-ahead log, which holds something.

    A checkpoint that was killed leaves that as well: it is a reason to look, no more.
    """
    with suppress(FileNotFoundError):
        log = write_ahead_log(path).stat()
        return log.st_size > 0 and path.stat().st_ctime_ns > log.st_mtime_ns
    return False


def _is_sound(path: Path) -> bool:
    if not path.exists():
        # SQLite would throw away what a killed process has left of a file that is gone.
        return not is_filled(write_ahead_log(path))
    suspected, replaced, before = (
        suspicion(path).exists(),
        _is_replaced(path),
        path.stat(),
    )
    closely = suspected or replaced or before.st_size <= _CHECKED_SIZE
    # A write-ahead log of another database must not be moved into this one. A rollback
    # journal, of a conversion that was cut, must be played back first.
    journal = path.with_name(path.name + "-journal")
    moves_nothing = is_filled(write_ahead_log(path)) and not is_filled(journal)
    try:
        with closing(connect(path, "mode=ro" if moves_nothing else "")) as connection:
            # Version and tables of one moment: another process may be migrating.
            connection.execute("BEGIN")
            if not _has_our_tables(connection):
                return False
            if not closely:
                return True
            sound = _has_integrity(connection)
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise
    if suspected and sound:
        remove(suspicion(path))
    if replaced and sound:
        _forget_age(path, before)
    return sound


def _forget_age(path: Path, checked: os.stat_result) -> None:
    """Let the next opening take a database that was found sound for its log's own."""
    lock = WriteLock(path)
    try:
        with suppress(OSError, Occupied), lock.held(0):
            status = path.stat()
            same = os.path.samestat(status, checked)
            if same and status.st_ctime_ns == checked.st_ctime_ns:
                make_newest(write_ahead_log(path))
    finally:
        lock.close()


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
    if version == len(MIGRATIONS):
        return {(t, column) for t, names in COLUMNS.items() for column in names.split()}
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
