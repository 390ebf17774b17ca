"""Reads the records for pages: changes nothing, and waits for nobody.

What is in the way is told as a :class:`ReadingError`, whose ``trouble`` a page can decide
by. The next read tries again: a file may be put back, brought up to date or unlocked.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

from python_runner.records.database import StoreError, connect, is_damage, translated
from python_runner.records.schema import MIGRATIONS, require_sqlite
from python_runner.records.store import database_path
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds that a page waits for a program that keeps the file to itself.
_PATIENCE = 0.3
_MISSING = N_("there are no records yet: {file} does not exist")
_OLDER = N_(
    "{file} was written by an older version of Python Runner; the next run brings it up to"
    " date"
)
_NEWER = N_("{file} was written by a newer version of Python Runner")


class Trouble(Enum):
    """Why the records cannot be read."""

    MISSING = auto()
    OLDER = auto()
    NEWER = auto()
    DAMAGED = auto()
    LOCKED = auto()
    #: This account may not, or the disk does not.
    UNREADABLE = auto()


class ReadingError(StoreError):
    """The records cannot be read now; ``reason`` says why, ``trouble`` what it is."""

    def __init__(self, reason: Sentence, trouble: Trouble) -> None:
        super().__init__(reason)
        self.trouble = trouble


class Reader:
    """The records of one state folder, to be read by any thread, one at a time.

    Attributes:
        path: the file.
    """

    def __init__(self, home: Path) -> None:
        self.path = database_path(home)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: os.stat_result | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction in which several queries see one moment.

        Raises:
            ReadingError: the records cannot be read.
        """
        with self._lock:
            try:
                with translated(self.path):
                    connection = self._opened()
                    connection.execute("BEGIN")
                    try:
                        self._require_form(connection)
                        yield connection
                    finally:
                        if connection.in_transaction:
                            connection.execute("ROLLBACK")
            except ReadingError:
                raise
            except StoreError as error:
                self.close()
                raise ReadingError(error.reason, _trouble(error.__cause__)) from error

    def version(self) -> tuple[int, int]:
        """Return what differs once anybody has changed the records; 0, 0 without any."""
        with self._lock, suppress(ReadingError), self.read() as connection:
            changes = connection.execute("PRAGMA data_version").fetchone()[0]
            return (self._file.st_ino if self._file else 0, int(changes))
        return (0, 0)

    def set_aside(self) -> list[str]:
        """Return the names of damaged records that were set aside, the oldest first."""
        prefix = f"{self.path.name}.corrupt-"
        with suppress(OSError), os.scandir(self.path.parent) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.startswith(prefix)
                and not entry.name.endswith(("-wal", "-shm", "-journal"))
            )
        return []

    def _opened(self) -> sqlite3.Connection:
        try:
            file = self.path.stat()
        except FileNotFoundError:
            self.close()
            raise self._error(_MISSING, Trouble.MISSING) from None
        if self._connection is not None and self._file is not None:
            if os.path.samestat(file, self._file):
                return self._connection
            self.close()
        if file.st_size == 0:
            # Made a moment ago, by a run that has not written yet.
            raise self._error(_MISSING, Trouble.MISSING)
        require_sqlite()
        connection = connect(self.path, "mode=ro")
        connection.execute(f"PRAGMA busy_timeout = {round(_PATIENCE * 1000)}")
        connection.execute("PRAGMA query_only = ON")
        self._connection, self._file = connection, file
        return connection

    def _require_form(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < len(MIGRATIONS):
            raise self._error(_OLDER, Trouble.OLDER)
        if version > len(MIGRATIONS):
            raise self._error(_NEWER, Trouble.NEWER)

    def _error(self, template: str, trouble: Trouble) -> ReadingError:
        return ReadingError(Sentence.of(template, file=str(self.path)), trouble)


def _trouble(error: BaseException | None) -> Trouble:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if is_damage(error):
            return Trouble.DAMAGED
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return Trouble.LOCKED
        if code == sqlite3.SQLITE_ERROR:
            # A table or a column that is not there.
            return Trouble.DAMAGED
    return Trouble.UNREADABLE
