"""Locks of the operating system on files: they vanish with their holder, however it dies.

On POSIX a process that inherits the descriptor holds the lock as well: a script does, so
that no second run starts beside it after its runner was killed. It cannot write with it:
what the file says of the runner is written through another one. Windows has no such
inheritance; there the runner's Job Object ends its scripts with it.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import field, replace
from datetime import datetime  # noqa: TC003 - msgspec looks it up
from functools import partial
from typing import TYPE_CHECKING, Annotated, Self

import msgspec

from python_runner.facts import dataclass
from python_runner.files import (
    PRIVATE_FILE_MODE,
    is_held,
    open_regular,
    patiently,
    private_folder,
    read_block,
    reading,
    write_all,
)
from python_runner.model import MailStatus, Outcome, RunStatus  # noqa: TC001 - likewise
from python_runner.records.file_locks import (
    FLAGS,
    is_current,
    open_writer,
    out_of_the_way,
    try_lock,
    unlock,
)
from python_runner.records.state_names import state_name


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Seconds between two looks at a lock that is waited for.
_INTERVAL = 0.2
#: Bytes of a lock file: a holder takes some 200, the outcomes of thousands of scripts
#: some 100,000. What fits into a block finds room on a full disk as well.
_LONGEST = 2**20
_BLOCK = 4096
#: What a file may say of its holder.
_SHORT = msgspec.Meta(max_length=300)
_MARKS = msgspec.Meta(max_length=2000, pattern="^[0-9a-f]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock; people read it, the lock itself does not need it.

    Attributes:
        pid: process id.
        host: name of its machine.
        run_id: the run it carries out; empty if none.
        scripts: how many scripts its series has; 0 if unknown.
        started_at: since when, aware.
        process_start: distinguishes it from a later process with its id; empty if
            unknown.
        secrets: marks of the secrets that it takes out of the output; None if unknown.
    """

    pid: Annotated[int, msgspec.Meta(gt=0, lt=2**32)]
    host: Annotated[str, _SHORT]
    run_id: Annotated[str, _SHORT]
    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    process_start: Annotated[str, _SHORT] = ""
    scripts: int = 0
    secrets: Annotated[str, _MARKS] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecorded:
    """How a run ended whose end the records could not take: the next run tells them.

    Attributes:
        run_id: the run.
        status: how it ended.
        mail: what became of its report, which left at once.
        started_at: when it began, aware.
        outcomes: how its scripts ended, by name, in their order; empty where they are
            too many.
    """

    run_id: str
    status: RunStatus
    mail: MailStatus
    started_at: Annotated[datetime, msgspec.Meta(tz=True)]
    outcomes: dict[str, Outcome] = field(default_factory=dict)


class _Content(msgspec.Struct):
    """What is in a lock's file beside its holder."""

    unrecorded: tuple[Unrecorded, ...] = ()
    cluster: Annotated[str, _SHORT] = ""


_HOLDER = msgspec.json.Decoder(Holder)
_CONTENT = msgspec.json.Decoder(_Content)
#: What may be wrong with the content of a file.
_WRONG = (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class FileLock:
    """An exclusive lock on a file, between processes and between threads.

    It is not reentrant: who holds it gets False from a second ``acquire``. The file is
    made when missing and never deleted. As a context it releases at the end.

    Attributes:
        path: the file.
        before: who held it before and never gave it back, once it is held here.
        is_new: whether nobody ever held this file, once it is held here: the one before
            may have been deleted while somebody held it.
        unrecorded: the ends of runs that the records miss, once it is held here.
        cluster: on whose workers scripts of an earlier run may be running, once it is held
            here; empty: on none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before: Holder | None = None
        self.is_new = False
        self.unrecorded: tuple[Unrecorded, ...] = ()
        self.cluster = ""
        self._holder: Holder | None = None
        self._descriptor: int | None = None
        #: Open as long as the lock is held: the file may be moved or deleted meanwhile.
        self._writer: int | None = None

    def acquire(
        self,
        holder: Holder,
        *,
        wait: bool,
        stop: Callable[[], bool] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> bool:
        """Take the lock and leave ``holder`` in its file; say whether it was free.

        Args:
            holder: what is written into the file, for other processes to read.
            wait: whether to look again until the lock is free.
            stop: ends the waiting when it returns True.
            sleep: pauses between two looks, for a number of seconds.

        Raises:
            OSError: the file or its folder cannot be made or written, or another program
                keeps all of it locked.
        """
        private_folder(self.path.parent)
        take = partial(patiently, self._take, passes=is_held)
        while (descriptor := take()) is None:
            if not wait or (stop is not None and stop()):
                return False
            sleep(_INTERVAL)
        self._descriptor, self._holder = descriptor, holder
        with suppress(OSError):
            self._writer = open_writer(descriptor, self.path)
        self.is_new = self.was_never_held()
        content = _content_of(self.path)
        self.before, self.cluster = self.holder(), content.cluster
        self.unrecorded = content.unrecorded
        self._write()
        return True

    def leave_to(self, holder: Holder) -> None:
        """Give the lock back in the name of ``holder``, who lost it with its file."""
        self._holder = holder
        self._write()
        self._give_back()

    def was_never_held(self) -> bool:
        """Say whether the file is missing or new; the lock need not be held."""
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def remember(self, end: Unrecorded) -> None:
        """Keep the end of a run that the records could not take; the lock is held.

        Where its file was deleted, a new one in its place tells it to the next run.
        """
        self.unrecorded = (*self.unrecorded, end)
        self._write()
        if self.lost and self._holder:
            with suppress(OSError), FileLock(self.path) as instead:
                if instead.acquire(self._holder, wait=False):
                    instead.remember(end)

    def forget(self, run_id: str) -> None:
        """Drop the end of a run that the records have taken; the lock is held."""
        if any(end.run_id == run_id for end in self.unrecorded):
            self.unrecorded = tuple(e for e in self.unrecorded if e.run_id != run_id)
            self._write()

    def read_unrecorded(self) -> tuple[Unrecorded, ...]:
        """Return the ends of runs that the records miss; the lock need not be held."""
        return _content_of(self.path).unrecorded

    def remember_cluster(self, address: str) -> None:
        """Keep on whose workers scripts may be running, whatever becomes of the runner.

        They hold no lock of this computer. The lock is held; empty: on none any more.
        """
        if self.cluster != address:
            self.cluster = address
            self._write()

    def _write(self) -> None:
        """Write the content; a full disk must not cost the lock."""
        if self._writer is None:
            return
        with suppress(OSError):
            size = os.fstat(self._writer).st_size
            data = self._content(_LONGEST)
            if len(data) > max(size, _BLOCK) and not _reserve(
                self._writer, size, len(data)
            ):
                data = self._content(max(size, _BLOCK))
            os.lseek(self._writer, 0, os.SEEK_SET)
            # In one piece and in the same place: a disk that is full has room for it,
            # and who reads meanwhile finds the one content or the other. A file that was
            # held is never empty.
            write_all(self._writer, data.ljust(min(size, _LONGEST)))
            if size > _BLOCK:
                os.ftruncate(self._writer, max(len(data), _BLOCK))

    def _content(self, limit: int) -> bytes:
        ends = list(self.unrecorded)
        while True:
            content = msgspec.to_builtins(self._holder) if self._holder else {}
            if self.cluster:
                content["cluster"] = self.cluster
            if ends:
                content["unrecorded"] = msgspec.to_builtins(ends)
            data = msgspec.json.encode(content)
            if len(data) <= limit or not ends:
                return data
            # The longest first, then what is oldest.
            if ends[0].outcomes:
                ends[0] = replace(ends[0], outcomes={})
            else:
                del ends[0]

    def _take(self) -> int | None:
        flags = FLAGS
        while True:
            mode = PRIVATE_FILE_MODE
            descriptor = open_regular(self.path, flags | os.O_CREAT, mode)
            with ExitStack() as stack:
                stack.callback(os.close, descriptor)
                try:
                    if not try_lock(descriptor):
                        # Who locks what others may read of it is no runner.
                        os.lseek(descriptor, 0, os.SEEK_SET)
                        read_block(descriptor, 1, patient=False)
                        return None
                except OSError as error:
                    if error.errno != errno.EBADF or flags == os.O_RDWR:
                        raise
                    # NFS locks only what may be written.
                    flags = os.O_RDWR
                    continue
                if is_current(descriptor, self.path):
                    stack.pop_all()
                    return out_of_the_way(descriptor)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    @property
    def lost(self) -> bool:
        """Whether its file was deleted while it is held: others may hold a new one."""
        if self._descriptor is None:
            return False
        try:
            return not is_current(self._descriptor, self.path)
        except OSError:
            return False

    def release(self) -> None:
        """Give the lock back, also for processes that inherited it; may be repeated.

        What the system refuses then is done by the end of this process.
        """
        if self._descriptor is None:
            return
        self._holder = None
        self._write()
        self._give_back()

    def _give_back(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        writer, self._writer = self._writer, None
        if writer is not None and writer != descriptor:
            with suppress(OSError):
                os.close(writer)
        if descriptor is not None:
            for give_back in (unlock, os.close):
                with suppress(OSError):
                    give_back(descriptor)

    def fileno(self) -> int:
        """Return the descriptor, for a child to inherit; closed in children otherwise.

        Raises:
            ValueError: the lock is not held.
        """
        if self._descriptor is None:
            raise ValueError(f"{self.path} is not locked here")
        return self._descriptor

    def holder(self) -> Holder | None:
        """Return who holds the lock, or held it when killed.

        None if nobody did, or if the file holds anything but what ``acquire`` writes.
        """
        try:
            return _HOLDER.decode(_read(self.path))
        except _WRONG:
            return None

    def __enter__(self) -> Self:
        """Return the lock itself: it is taken by ``acquire``."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Give the lock back if it is held."""
        self.release()


def _reserve(descriptor: int, size: int, wanted: int) -> bool:
    """Let a file of ``size`` bytes grow by spaces; say whether there was room."""
    try:
        os.lseek(descriptor, size, os.SEEK_SET)
        write_all(descriptor, b" " * (wanted - size))
    except OSError:
        os.ftruncate(descriptor, size)
        return False
    return True


def _content_of(path: Path) -> _Content:
    try:
        return _CONTENT.decode(_read(path))
    except _WRONG:
        return _Content()


def _read(path: Path) -> bytes:
    with reading(path) as file:
        return file.read(_LONGEST)


def project_lock(home: Path, project: Path) -> FileLock:
    """Return the lock of a project: one for all the ways to write its path.

    It lies in the local state folder ``home``: network drives lock badly.
    """
    return FileLock(lock_file(home, project))


def lock_file(home: Path, project: Path) -> Path:
    """Return the file of a project's lock."""
    return home / "locks" / f"{state_name(project)}.lock"
