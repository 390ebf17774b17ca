"""One connection to SQLite, its transactions and its errors.

Every error of SQLite and of the file system becomes a :class:`StoreError`: the scripts
go on without records, and the report says so.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.files import (
    is_held,
    opened,
    private_file,
    private_folder,
    read_block,
)
from python_runner.records.rows import project_key
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Seconds to wait for another process that writes; and as long as the last wait for it
#: was in vain.
BUSY_SECONDS = 10.0
_BUSY_AGAIN_SECONDS = 0.5
#: Pages that a copy takes at a time (16 MB), and how often it may begin anew.
_STEP = 4000
_BEGINNINGS = 5
#: Bytes at the start of the file that every transaction reads.
_HEADER = 100

_SENTENCES = {
    sqlite3.SQLITE_BUSY: N_("{file} is locked by another program"),
    sqlite3.SQLITE_CANTOPEN: N_("{file} cannot be opened or written"),
    sqlite3.SQLITE_CORRUPT: N_("{file} is damaged"),
    sqlite3.SQLITE_FULL: N_("there is no space left for {file}"),
    sqlite3.SQLITE_NOTADB: N_("{file} is damaged"),
    sqlite3.SQLITE_READONLY: N_("{file} is read-only"),
}
_ANY_ERROR = N_("{file}: {error}")


class StoreError(PythonRunnerError):
    """The records cannot be read or written; ``reason`` is one sentence that says why.

    Nothing is half done: the transaction that met the error has been undone.
    """

    def __init__(self, reason: Sentence) -> None:
        self.reason = reason
        super().__init__(str(reason))


class Database:
    """One connection, shared by the threads of this process one at a time."""

    def __init__(self, path: Path, prepare: Callable[[Database], None]) -> None:
        """Open the file; ``prepare`` brings its tables to the present form."""
        self.path = path
        self._prepare = prepare
        self._lock = threading.RLock()
        #: Whether the last transaction has waited in vain.
        self._waited = False
        self._open()

    def _open(self) -> None:
        with translated(self.path):
            self._connection = connect(self.path)
            self._file = self.path.stat()
        try:
            self._prepare(self)
        except BaseException:
            self._connection.close()
            raise

    def _open_anew_if_gone(self) -> None:
        """Begin new records where the file was deleted or moved while it was open.

        SQLite refuses to write into a file that has lost its name.
        """
        try:
            if os.path.samestat(self.path.stat(), self._file):
                return
        except FileNotFoundError:
            private_folder(self.path.parent)
            private_file(self.path)
        self._connection.close()
        self._open()

    def close(self) -> None:
        """Close the file; a transaction of another thread ends first."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is on disk when the block is left without an error.

        Raises:
            StoreError: nothing of the transaction has been kept.
        """
        # A deferred transaction that turns into a writer fails at once when another
        # one writes, whatever the busy timeout.
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction in which several queries see one moment.

        Raises:
            StoreError: the records cannot be read.
        """
        with self._transaction("BEGIN") as connection:
            yield connection

    def copy_to(self, target: sqlite3.Connection) -> None:
        """Copy everything as it is at one moment, while others may write.

        It goes in steps, and whoever writes waits for one of them only; what is written
        lets the copy begin anew. After some beginnings the others wait to its end.

        Raises:
            sqlite3.Error: the records cannot be read, or the copy cannot be written.
        """
        left, beginnings = sys.maxsize, 0

        def count(_status: int, remaining: int, _total: int) -> None:
            nonlocal left, beginnings
            beginnings += remaining > left
            left = remaining
            if beginnings > _BEGINNINGS:
                raise _TooOften

        with self._lock:
            with suppress(_TooOften):
                self._connection.backup(target, pages=_STEP, progress=count)
                return
            self._connection.backup(target)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path):
            self._open_anew_if_gone()
            try:
                self._begin(begin)
                yield self._connection
                self._connection.execute("COMMIT")
                self._note_waiting(in_vain=False)
            except BaseException as error:
                if isinstance(error, sqlite3.Error):
                    self._note_waiting(in_vain=_is_busy(error))
                    if is_damage(error):
                        with suppress(OSError):
                            private_file(suspicion(self.path))
                # SQLite may have rolled back by itself, on a full disk for instance.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _begin(self, statement: str) -> None:
        try:
            self._connection.execute(statement)
        except sqlite3.Error as error:
            if _primary_code(error) != sqlite3.SQLITE_IOERR:
                raise
            _wait_while_held(self.path)
            self._connection.execute(statement)

    def _note_waiting(self, *, in_vain: bool) -> None:
        """Wait less from now on, or as long as usual again.

        A run has many transactions: each of them would wait for a program that keeps
        the file to itself.
        """
        if in_vain is not self._waited:
            self._waited = in_vain
            seconds = _BUSY_AGAIN_SECONDS if in_vain else BUSY_SECONDS
            self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


class _TooOften(Exception):
    """Others write so often that a copy never comes to its end."""


if sys.platform == "win32":

    def _wait_while_held(path: Path) -> None:
        """Wait for a program that lets nobody open or read the file, such as a backup.

        Raises:
            OSError: it stays held.
        """
        try:
            descriptor = opened(path, os.O_RDWR, 0)
            try:
                read_block(descriptor, _HEADER)
            finally:
                os.close(descriptor)
        except OSError as error:
            if is_held(error):
                raise

else:

    def _wait_while_held(_path: Path) -> None:
        """Do nothing: to close the file would drop the locks that SQLite has on it."""


def connect(path: Path) -> sqlite3.Connection:
    """Open ``path`` the way every connection to the records is opened.

    Raises:
        sqlite3.Error: it cannot be opened.
        OSError: another program lets nobody open it (Windows).
    """
    _wait_while_held(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    # One damaged text must not hide the others.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.create_function("path_key", 1, project_key, deterministic=True)
    try:
        # Not WAL: up to SQLite 3.51.2, which the Pythons of these years carry, a reset
        # of the WAL can corrupt the file, and WAL would stay in the file for whichever
        # version opens it next. EXTRA also syncs the folder after the journal's
        # removal: without it a power cut could bring the journal back, and with it
        # the moment before the commit.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a :class:`StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        template = _SENTENCES.get(_primary_code(error), _ANY_ERROR)
        cause: object = str(error)
        if _primary_code(error) == sqlite3.SQLITE_IOERR:
            # SQLite does not say which error it was.
            try:
                _wait_while_held(path)
            except OSError as held:
                cause = system_error(held)
        reason = Sentence.of(template, file=str(path), error=cause)
        raise StoreError(reason) from error
    except OSError as error:
        cause = system_error(error)
        reason = Sentence.of(_ANY_ERROR, file=str(path), error=cause)
        raise StoreError(reason) from error


def suspicion(path: Path) -> Path:
    """Return the mark that damage was met: the next opening looks closely."""
    return path.with_name(f"{path.name}.suspect")


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether ``error`` means a broken file, and not a trouble that passes."""
    return _primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_unwritable(error: sqlite3.Error) -> bool:
    """Say whether ``error`` means that a file or its folder takes nothing."""
    return _primary_code(error) in {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
    }


def _is_busy(error: sqlite3.Error) -> bool:
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _primary_code(error: sqlite3.Error) -> int:
    # Errors of the Python module itself, such as a closed connection, have no code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
