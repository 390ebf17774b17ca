"""One connection to SQLite, its transactions and its errors.

Every error of SQLite and of the file system becomes a :class:`StoreError`: the scripts
go on without records, and the report says so.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import threading
from contextlib import contextmanager, suppress
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.files import (
    is_held,
    open_regular,
    opened,
    private_file,
    private_folder,
    read_block,
    remove,
    set_mode,
)
from python_runner.records.group_sync import GroupSync
from python_runner.records.network import is_remote
from python_runner.records.rows import error_key, project_key
from python_runner.records.write_lock import Occupied, WriteLock
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
#: Transactions after which the content of the write-ahead log is moved into the
#: database: some 250 scripts, a few megabytes.
_WRITES = 500
#: How transactions begin. A deferred one that turns into a writer fails at once when
#: another one writes, whatever the busy timeout.
_READ, _WRITE = "BEGIN", "BEGIN IMMEDIATE"
#: What lies beside a database: a rollback journal, the write-ahead log and its index.
COMPANIONS = ("-journal", "-wal", "-shm")
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
#: What SQLite answers where there is no room.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
#: What SQLite answers where it cannot make what reading a write-ahead log needs.
_UNREADABLE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
)


class Trouble(Enum):
    """What keeps the records from being read or written: what is to be done differs."""

    LOCKED = auto()
    DAMAGED = auto()
    NEWER = auto()
    OLDER = auto()
    REFUSED = auto()
    FULL = auto()
    OTHER = auto()


_TROUBLES = {
    sqlite3.SQLITE_BUSY: Trouble.LOCKED,
    sqlite3.SQLITE_LOCKED: Trouble.LOCKED,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
    sqlite3.SQLITE_CANTOPEN: Trouble.REFUSED,
    sqlite3.SQLITE_READONLY: Trouble.REFUSED,
    sqlite3.SQLITE_PERM: Trouble.REFUSED,
    sqlite3.SQLITE_FULL: Trouble.FULL,
}


class StoreError(PythonRunnerError):
    """The records cannot be read or written; ``reason`` is one sentence that says why.

    ``trouble`` is which kind of thing that is.

    Nothing is half done: the transaction that met the error has been undone. One that the
    disk failed to take after several were written together is there, and a power cut may
    undo it.
    """

    def __init__(self, reason: Sentence, trouble: Trouble = Trouble.OTHER) -> None:
        self.reason, self.trouble = reason, trouble
        super().__init__(str(reason))


class Connection(sqlite3.Connection):
    """A connection; ``refusal`` says why it can only read, where SQLite could not write."""

    refusal: sqlite3.OperationalError | None = None


class Database:
    """One connection, shared by the threads of this process one at a time.

    Changes go to a write-ahead log, where they are durable after one sync, and who reads
    holds up nobody who writes. Where there can be none, as on a network drive, they go
    through a rollback journal.
    """

    def __init__(self, path: Path, prepare: Callable[[Database], None]) -> None:
        """Open the file; ``prepare`` brings its tables to the present form."""
        self.path = path
        self._prepare = prepare
        self._lock = threading.RLock()
        #: Held by whoever writes, in whichever process.
        self._writing = WriteLock(path)
        #: Transactions that are under way or wait for their turn, and what guards that.
        self._turns, self._counting = 0, threading.Lock()
        #: Brings commits to the disk outside of the turns; None where SQLite does alone.
        self._together: GroupSync | None = None
        #: Whether the last transaction has waited in vain.
        self._waited = False
        #: Whether the file is being opened.
        self._opening = False
        self._open()

    def _open(self) -> None:
        with translated(self.path):
            self._connection = connect(self.path)
            try:
                self._file = self.path.stat()
                self._use_write_ahead_log()
            except BaseException:
                self._connection.close()
                raise
        self._opening = True
        try:
            self._prepare(self)
        except BaseException:
            self._connection.close()
            raise
        finally:
            self._opening = False
        #: What lies beside the file, as long as it is open.
        self._companions: dict[Path, os.stat_result] = {}
        for companion in COMPANIONS:
            path = self.path.with_name(self.path.name + companion)
            with suppress(OSError):
                self._companions[path] = path.stat()
        self._open_log()

    def _open_log(self) -> None:
        """Open the write-ahead log, to bring it to the disk without SQLite.

        SQLite's locks are on other files. It is the very file that SQLite writes: nobody
        removes it as long as the records are open.
        """
        self._close_log()
        if sys.platform == "linux" and self._wal and not self._connection.refusal:
            with suppress(OSError):
                descriptor = open_regular(write_ahead_log(self.path))
                self._together = GroupSync(descriptor, os.fdatasync)

    def _close_log(self) -> None:
        together, self._together = self._together, None
        if together:
            together.close()

    def _use_write_ahead_log(self) -> None:
        """Turn records with another journal into such with a write-ahead log, or back.

        Where that cannot be done now they stay as they are: read-only, in use by an older
        version, without room.
        """
        wanted = "delete" if is_remote(self.path) else "wal"
        if (mode := _journal_mode(self._connection)) != wanted:
            with (
                suppress(sqlite3.OperationalError, Occupied),
                self._alone(BUSY_SECONDS),
            ):
                self._connection.execute(f"PRAGMA journal_mode = {wanted}")
            mode = _journal_mode(self._connection)
        self._wal = mode == "wal"
        #: Transactions that were written since the last checkpoint, and whether any was.
        self._writes, self._written = 0, False
        self._synced = False
        self._sync(wanted=True)

    def _sync(self, *, wanted: bool) -> None:
        """Choose whether the next transaction is to survive a power cut.

        One that is not, survives the death of this process; and everything that was
        written before one that is, survives with it.
        """
        if wanted is self._synced or (self._synced and not self._wal):
            return
        # EXTRA also syncs the folder after a rollback journal's removal: without it a
        # power cut could bring the journal back, and with it the moment before the commit.
        level = ("FULL" if self._wal else "EXTRA") if wanted else "NORMAL"
        self._connection.execute(f"PRAGMA synchronous = {level}")
        self._synced = wanted

    def _open_anew_if_gone(self) -> None:
        """Begin new records where the file was deleted or moved while it was open."""
        try:
            if os.path.samestat(self.path.stat(), self._file):
                return
        except FileNotFoundError:
            pass
        except OSError:
            # Nobody can tell: the open file may still take what is written.
            return
        with self._alone(BUSY_SECONDS):
            # Into the file that has another name now, or none.
            self._empty_write_ahead_log("TRUNCATE")
            self._connection.close()
            # Nobody may share what belongs to it: neither who opens the file that takes
            # its place, nor another process that still has the old one.
            for path, status in self._companions.items():
                with suppress(FileNotFoundError):
                    if os.path.samestat(path.stat(), status):
                        remove(path)
            private_folder(self.path.parent)
            private_file(self.path)
        self._open()

    def _require_writable(self) -> None:
        """Open the file once more where there was no room for what writing needs."""
        if self._connection.refusal is not None and not self._opening:
            self._connection.close()
            self._open()
        if self._connection.refusal is not None:
            raise self._connection.refusal

    def close(self) -> None:
        """Close the file; a transaction of another thread ends first."""
        with self._lock:
            # Where another one writes on and on it moves the content itself.
            with suppress(Occupied), self._alone(_BUSY_AGAIN_SECONDS):
                if self._written:
                    self._empty_write_ahead_log()
                self._connection.close()
            self._connection.close()
            self._close_log()
            self._writing.close()

    def _empty_write_ahead_log(self, way: str = "PASSIVE") -> None:
        """Move its content into the database, as far as nobody reads what was before."""
        if self._wal:
            with suppress(sqlite3.Error):
                self._connection.execute(f"PRAGMA wal_checkpoint({way})")
            self._writes = 0
            with suppress(OSError):
                make_newest(write_ahead_log(self.path))

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """Open a transaction that is kept when the block is left without an error.

        Args:
            synced: whether it is on disk then, with all before it. Another one survives
                a kill, but a power cut only with the next that is synced.

        Raises:
            StoreError: nothing of the transaction has been kept, or a power cut may undo
                it.
        """
        with translated(self.path):
            together, commit = None, 0
            with self._turn():
                self._open_anew_if_gone()
                self._require_writable()
                with self._alone(self._patience):
                    # Whoever waits for its turn does not wait for the disk as well.
                    together = self._together if synced and self._turns > 1 else None
                    self._sync(wanted=synced and together is None)
                    with self._transaction(_WRITE) as connection:
                        yield connection
                    if together:
                        commit = together.commit()
                    self._written = True
                    self._writes += 1
                    if self._writes >= _WRITES:
                        self._empty_write_ahead_log()
            if together:
                together.wait(commit)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction in which several queries see one moment.

        Raises:
            StoreError: the records cannot be read.
        """
        with self._turn(), translated(self.path):
            self._open_anew_if_gone()
            with self._transaction(_READ) as connection:
                yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the connection alone for the block, when it is this thread's turn."""
        with self._counting:
            self._turns += 1
        try:
            with self._lock:
                yield
        finally:
            with self._counting:
                self._turns -= 1

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
    def _alone(self, seconds: float) -> Iterator[None]:
        """Keep other writers away, who are waited for up to ``seconds``."""
        try:
            with self._writing.held(seconds):
                yield
        except Occupied:
            self._note_waiting(in_vain=True)
            raise

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            self._begin(begin)
            yield self._connection
            self._connection.execute("COMMIT")
            # Beside a write-ahead log a read waits for nobody, and tells nothing.
            if begin != _READ or not self._wal:
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
            if begin != _READ and _is_full(error):
                # What the write-ahead log takes can be written again from its start.
                self._empty_write_ahead_log()
            raise

    @property
    def _patience(self) -> float:
        return _BUSY_AGAIN_SECONDS if self._waited else BUSY_SECONDS

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
            milliseconds = round(self._patience * 1000)
            self._connection.execute(f"PRAGMA busy_timeout = {milliseconds}")


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


def connect(path: Path, how: str = "", *, patience: float = BUSY_SECONDS) -> Connection:
    """Open ``path`` the way every connection to the records is opened.

    Args:
        path: the file.
        how: parameters of SQLite's address of a file, where it is not to be written.
        patience: seconds to wait for another program that has it locked.

    Raises:
        sqlite3.Error: it cannot be opened.
        OSError: another program lets nobody open it (Windows).
    """
    _wait_while_held(path)
    _share_mode(path)
    connection = _connection(path, how, patience)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if _primary_code(error) not in _UNREADABLE or is_filled(write_ahead_log(path)):
            raise
        # Where nothing can be written SQLite makes no index of a write-ahead log, and
        # reads nothing. There is no log, and nobody else who could begin one.
        connection = _connection(path, "immutable=1", patience)
        connection.refusal = error
    except BaseException:
        connection.close()
        raise
    return connection


def _connection(path: Path, how: str, patience: float) -> Connection:
    connection: Connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}" if how else path,
        uri=bool(how),
        factory=Connection,
        timeout=patience,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    # One damaged text must not hide the others.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.create_function("path_key", 1, project_key, deterministic=True)
    connection.create_function("error_key", 4, error_key, deterministic=True)
    # Nothing is moved into the database unless its writers are kept away.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _share_mode(path: Path) -> None:
    """Let whoever may write the file write what lies beside it.

    SQLite makes it with the file's mode, and leaves it where the file is read-only: it
    would stay so for ever.
    """
    with suppress(OSError):
        wanted = stat.S_IMODE(path.stat().st_mode)
        for companion in _companions(path):
            status = companion.lstat()
            if stat.S_ISREG(status.st_mode) and wanted & ~status.st_mode:
                set_mode(companion, wanted)


def _companions(path: Path) -> list[Path]:
    """Return what lies beside the file, whatever it is."""
    beside = (path.with_name(path.name + companion) for companion in COMPANIONS)
    return [companion for companion in beside if os.path.lexists(companion)]


def write_ahead_log(path: Path) -> Path:
    """Return where the changes of a database are written first."""
    return path.with_name(f"{path.name}-wal")


def make_newest(log: Path) -> None:
    """Give a write-ahead log the present time, where there is one.

    A checkpoint writes the database, and leaves the log as it was while somebody else
    has the records open. A database that is newer than its log looks like another one
    that was copied over it, and is checked whole at each opening.

    Raises:
        OSError: its time cannot be changed.
    """
    with suppress(FileNotFoundError):
        os.utime(log)


def is_filled(path: Path) -> bool:
    """Say whether there is such a file, and something in it."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a :class:`StoreError`."""
    try:
        yield
    except Occupied as error:
        template = _SENTENCES[sqlite3.SQLITE_BUSY]
        reason = Sentence.of(template, file=str(path))
        raise StoreError(reason, Trouble.LOCKED) from error
    except sqlite3.Error as error:
        template = _SENTENCES.get(_primary_code(error), _ANY_ERROR)
        if _is_refusal(error) and (beside := _in_the_way(path)):
            template = _SENTENCES[sqlite3.SQLITE_CANTOPEN]
            reason = Sentence.of(template, file=str(beside))
            raise StoreError(reason, Trouble.REFUSED) from error
        trouble = _TROUBLES.get(_primary_code(error), Trouble.OTHER)
        cause: object = str(error)
        if _primary_code(error) == sqlite3.SQLITE_IOERR:
            # SQLite does not say which error it was.
            try:
                _wait_while_held(path)
            except OSError as held:
                cause = system_error(held)
        reason = Sentence.of(template, file=str(path), error=cause)
        raise StoreError(reason, trouble) from error
    except OSError as error:
        cause = system_error(error)
        reason = Sentence.of(_ANY_ERROR, file=str(path), error=cause)
        refused = isinstance(error, PermissionError)
        trouble = Trouble.REFUSED if refused else Trouble.OTHER
        raise StoreError(reason, trouble) from error


def _in_the_way(path: Path) -> Path | None:
    """Return what lies beside a file that can be written, and cannot be written itself.

    SQLite tells of the file alone, and follows no link there.
    """
    if not os.access(path, os.R_OK | os.W_OK):
        return None
    for companion in _companions(path):
        with suppress(OSError):
            regular = stat.S_ISREG(companion.lstat().st_mode)
            if not (regular and os.access(companion, os.R_OK | os.W_OK)):
                return companion
    return None


def suspicion(path: Path) -> Path:
    """Return the mark that damage was met: the next opening looks closely."""
    return path.with_name(f"{path.name}.suspect")


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether ``error`` means a broken file, and not a trouble that passes."""
    return _primary_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _is_refusal(error: sqlite3.Error) -> bool:
    return _primary_code(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}


def _is_full(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _FULL


def _journal_mode(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def _is_busy(error: sqlite3.Error) -> bool:
    return _primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _primary_code(error: sqlite3.Error) -> int:
    # Errors of the Python module itself, such as a closed connection, have no code.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    # No room for the index of the write-ahead log.
    return sqlite3.SQLITE_FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else code & 0xFF
