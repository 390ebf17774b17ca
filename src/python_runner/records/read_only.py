"""The records for who only reads them: nothing is made, changed or locked.

Each question has a connection of its own, so that a slow one holds up no other, and leaves
it to the next: threads come and go as long as a dashboard is open. On a write-ahead log a
reader holds up nobody who writes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from python_runner.files import exists
from python_runner.records.database import (
    Connection,
    Database,
    StoreError,
    Trouble,
    connect,
    translated,
)
from python_runner.records.schema import MIGRATIONS, require_sqlite
from python_runner.records.store import Store, database_path
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Seconds to wait for who writes without a write-ahead log, as on a network drive, or
#: keeps the file locked.
_PATIENCE = 1.0


#: A connection, and the file that it was opened on.
_Opened = tuple["Connection", os.stat_result]


class NoRecords(StoreError):
    """There are no records yet."""


def open_reader(home: Path) -> tuple[Store, ReadOnlyDatabase]:
    """Return the records of the state folder ``home`` for who only reads them.

    They need not exist yet, and may be replaced later. Every method of the store raises
    :class:`NoRecords` as long as they do not exist, and those that write always raise a
    :class:`StoreError`.
    """
    require_sqlite()
    database = ReadOnlyDatabase(database_path(home))
    return Store(database.path, database=database), database


class ReadOnlyDatabase(Database):
    """A database that is only read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Connections that nobody uses now.
        self._idle: list[_Opened] = []
        self._closed = False
        self._guard = threading.Lock()
        self._watching: _Opened | None = None
        self._beginnings = 0

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a short transaction in which several queries see one moment.

        Raises:
            NoRecords: there is no file.
            StoreError: the records cannot be read.
        """
        with translated(self.path), self._lent() as connection:
            connection.execute("BEGIN")
            try:
                self._require_form(connection)
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:  # noqa: ARG002
        """Refuse to write.

        Raises:
            StoreError: always.
        """
        template = N_("{file} is only read here")
        raise StoreError(Sentence.of(template, file=str(self.path)))
        yield  # pragma: no cover - makes it a generator

    def changes(self) -> str:
        """Return what differs as soon as another process has written something.

        Raises:
            NoRecords: there is no file.
            StoreError: the records cannot be read.
        """
        with self._guard, translated(self.path):
            status = self._status()
            if self._watching and not os.path.samestat(self._watching[1], status):
                self._watching[0].close()
                self._watching = None
            if self._watching is None:
                connection = self._connect()
                if connection.refusal:
                    # It would not tell of what is written from now on; the file does.
                    connection.close()
                    return f"{status.st_mtime_ns}.{status.st_size}"
                self._watching = (connection, status)
                self._beginnings += 1
            try:
                row = self._watching[0].execute("PRAGMA data_version").fetchone()
                self._require_form(self._watching[0])
            except BaseException:
                self._watching[0].close()
                self._watching = None
                raise
        return f"{self._beginnings}.{row[0]}"

    def close(self) -> None:
        """Close the connections; one that is in use is closed after it."""
        with self._guard:
            self._closed = True
            opened, self._idle = self._idle, []
            if self._watching:
                opened.append(self._watching)
                self._watching = None
        for connection, _file in opened:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        """Lend a connection that nobody else uses meanwhile."""
        file = self._status()
        connection = self._unused(file) or self._connect()
        is_good = True
        try:
            yield connection
        except (sqlite3.Error, StoreError):
            # Another one may read what this one could not.
            is_good = False
            raise
        finally:
            self._take_back(connection, file, is_good=is_good)

    def _unused(self, file: os.stat_result) -> Connection | None:
        """Return a connection to this file, if there is one; close those to earlier ones."""
        with self._guard:
            while self._idle:
                connection, opened_on = self._idle.pop()
                if os.path.samestat(opened_on, file):
                    return connection
                connection.close()
        return None

    def _take_back(
        self, connection: Connection, file: os.stat_result, *, is_good: bool
    ) -> None:
        with self._guard:
            # One that could make no index sees the file as it was when it was opened.
            if is_good and not (self._closed or connection.refusal):
                self._idle.append((connection, file))
                return
        connection.close()

    def _status(self) -> os.stat_result:
        try:
            return self.path.stat()
        except FileNotFoundError as error:
            template = N_("{file} does not exist yet")
            raise NoRecords(Sentence.of(template, file=str(self.path))) from error

    def _connect(self) -> Connection:
        if not exists(self.path):
            self._status()
        return connect(self.path, "mode=ro", patience=_PATIENCE)

    def _require_form(self, connection: Connection) -> None:
        """Refuse records of another form, which they may have got at any time.

        Raises:
            StoreError: they have one.
        """
        (form,) = connection.execute("PRAGMA user_version").fetchone()
        if form > len(MIGRATIONS):
            template = N_("{file} was written by a newer version of Python Runner")
            raise StoreError(Sentence.of(template, file=str(self.path)), Trouble.NEWER)
        if form < len(MIGRATIONS):
            template = N_(
                "{file} was written by an older version of Python Runner; the next command"
                " brings it up to date"
            )
            raise StoreError(Sentence.of(template, file=str(self.path)), Trouble.OLDER)
