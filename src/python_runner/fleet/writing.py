"""Writes what waits to the fleet's folder, by one thread that nobody waits for long.

A share that has gone may not answer for minutes, or ever. So nothing that a run waits for
touches it: a run's result is queued in the state folder, a thread delivers what waits, and
the process ends without that thread where it hangs.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from datetime import timedelta
from threading import Lock, Thread
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import make_folder, private_file, put, remove
from python_runner.fleet.documents import (
    Unreadable,
    computer_bytes,
    run_bytes,
    stamped,
)
from python_runner.fleet.names import COMPUTER_FILE, is_month, run_name
from python_runner.fleet.queue import Queue
from python_runner.texts.sentence import N_, Sentence, counted
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Run
    from python_runner.model.fleet import FleetFolder, FleetRunning

#: Seconds that nobody waits longer for a folder that could not be written to before.
_SECOND_CHANCE = 1.0
#: Files that are looked at, and deleted, each time old ones are.
_MOST_LOOKED_AT, _MOST_DELETED = 5000, 1000
#: Names that are looked at for the last run of each project.
_MOST_NAMES = 20_000
#: Age of a file that some writer has left half-written.
_LEFT = timedelta(days=1)
_TEMPORARY = ".new"

_AWAY = N_(
    "the fleet's folder {folder} cannot be written to: {error}; the results of runs wait"
    " on this computer until it can be"
)
_NO_ANSWER = N_("it does not answer")
_DROPPED = counted(
    "{words}; {count} older one was deleted", "{words}; {count} older ones were deleted"
)


@dataclass(slots=True)
class _Work:
    """A delivery that is under way.

    Attributes:
        again: whether another one is wanted after it.
        written: how many files have been written so far.
    """

    thread: Thread | None = None
    again: bool = False
    written: int = 0


#: What this process is writing, by state folder and fleet: whoever calls the library in a loop has one
#: thread that hangs, not one a run.
_UNDER_WAY: dict[tuple[Path, Path], _Work] = {}
_LOCK = Lock()


class FleetWriter:
    """Tells the fleet of this computer's runs; nothing here raises an ``Exception``."""

    def __init__(
        self, place: FleetFolder, home: Path, now: Callable[[], datetime]
    ) -> None:
        """Take the fleet's folder, the state folder and the clock."""
        self.place = place
        self.queue = Queue(home)
        self._key = (home, place.folder)
        self._now = now
        self._running: Sequence[FleetRunning] = ()
        self._reason: Sentence | None = None
        self._new = self._told = False

    def tell(
        self, run: Run, *, schedule: str | None = None, due: datetime | None = None
    ) -> None:
        """Queue the result of a run, which has no secrets in its texts."""
        details = self.place.details

        def make(number: int) -> bytes:
            return run_bytes(
                *(run, writer, number),
                written_at=self._now(),
                schedule=schedule,
                due=due,
                details=details,
            )

        try:
            writer = self.queue.writer()
            self.queue.add(run, make)
        except OSError as error:
            self._note(system_error(error))

    def deliver(self, running: Sequence[FleetRunning] = ()) -> None:
        """Begin to write what waits, and that this computer is there; return at once.

        Args:
            running: the runs that have begun on this computer.
        """
        self._running = tuple(running)
        with _LOCK:
            work = _UNDER_WAY.setdefault(self._key, _Work())
            if work.thread is not None and work.thread.is_alive():
                work.again = True
                return
            work.again = False
            work.thread = Thread(
                target=self._work, args=(work,), name="fleet", daemon=True
            )
            try:
                work.thread.start()
            except (RuntimeError, MemoryError) as error:
                # What waits is written by a later run.
                work.thread = None
                self._note(Sentence.of("{words}", words=str(error)))

    def wait(self, seconds: float) -> None:
        """Wait until all is written, or for so many seconds.

        Less where it could not be written before.
        """
        work = _UNDER_WAY.get(self._key)
        thread = work.thread if work else None
        if work is None or thread is None:
            return
        known, written = self.queue.trouble() is not None, work.written
        thread.join(min(seconds, _SECOND_CHANCE) if known else seconds)
        # One that goes on writing is slow, and nobody is to be told of it.
        if thread.is_alive() and work.written == written:
            self._note(Sentence.of(_NO_ANSWER))

    def untold(self) -> Sentence | None:
        """Return what no report has told yet of an earlier trouble; it is told now."""
        trouble = self.queue.trouble()
        if trouble is None or trouble.told:
            return None
        self.queue.note_told()
        self._told = True
        reason = self._reason or Sentence.of("{words}", words=trouble.reason)
        return self._words(reason)

    def trouble(self) -> Sentence | None:
        """Return what has gone wrong in this process; None where nothing has."""
        return self._words(self._reason) if self._reason else None

    def new_trouble(self) -> Sentence | None:
        """Return what has gone wrong, where it had not before this command."""
        new = self._new and not self._told
        return self._words(self._reason) if new and self._reason else None

    def waiting(self) -> int:
        """Return how many results wait."""
        with suppress(OSError):
            return len(self.queue.waiting())
        return 0

    def _words(self, reason: Sentence) -> Sentence:
        folder = str(self.place.folder)
        words = Sentence.of(_AWAY, folder=folder, error=reason)
        trouble = self.queue.trouble()
        if trouble is None or not trouble.dropped:
            return words
        return Sentence.about(_DROPPED, trouble.dropped, words=words)

    def _note(self, reason: Sentence) -> None:
        self._reason = reason
        if self.queue.note_trouble(str(reason), self._now().isoformat()):
            self._new = True

    def _work(self, work: _Work) -> None:
        def count() -> None:
            work.written += 1

        while True:
            try:
                write_waiting(self.place, self.queue, self._now, self._running, count)
            except OSError as error:
                self._note(system_error(error))
            except Exception as error:  # noqa: BLE001 - nobody is there to be told
                self._note(Sentence.of("{words}", words=f"{type(error).__name__}"))
            else:
                self._reason, self._new = None, False
                self.queue.note_success()
            with _LOCK:
                if not work.again:
                    work.thread = None
                    return
                work.again = False


def write_waiting(
    place: FleetFolder,
    queue: Queue,
    now: Callable[[], datetime],
    running: Sequence[FleetRunning],
    count: Callable[[], None],
) -> None:
    """Write what waits, then that this computer is there; delete what is old.

    Args:
        place: the fleet's folder.
        queue: of this computer.
        now: its clock.
        running: the runs that have begun on it.
        count: called for each file that has been written.

    Raises:
        OSError: the folder is not there, or cannot be written to; the rest waits.
    """
    _require_folder(place.folder)
    writer = queue.writer()
    own = place.folder / writer.folder
    _make_own(own)
    for waiting in queue.waiting():
        data = queue.content(waiting)
        if data is None:
            continue
        try:
            file, data = stamped(data, now())
        except Unreadable:
            remove(waiting)
            continue
        month = own / f"{file.started_at:%Y-%m}"
        _make_own(month)
        put(month / waiting.name, data)
        count()
        remove(waiting)
    left = len(queue.waiting())
    moment = now()
    data = computer_bytes(writer, running, written_at=moment, waiting=left)
    put(own / COMPUTER_FILE, data)
    count()
    if not queue.was_cleaned(f"{moment:%Y-%m-%d}"):
        # What is old stays until tomorrow where it cannot be deleted.
        with suppress(OSError):
            _delete_old(own, place.keep_days, moment)


def why_unwritable(folder: Path) -> Sentence | None:
    """Return why this computer cannot write to the fleet's folder; None where it can.

    A file is made and deleted: only that shows it on every platform. May hang.
    """
    try:
        _require_folder(folder)
        probe = folder / f".{os.urandom(8).hex()}{_TEMPORARY}"
        private_file(probe)
        remove(probe)
    except OSError as error:
        return system_error(error)
    return None


def _require_folder(folder: Path) -> None:
    # Nobody makes it: without its share a folder of that name would be another one.
    if not stat.S_ISDIR(os.stat(folder).st_mode):  # noqa: PTH116 - is_dir() raises nothing
        code = errno.ENOTDIR
        raise NotADirectoryError(code, os.strerror(code), str(folder))


def _make_own(folder: Path) -> None:
    # On a share all links may be called this user's, whoever has made them.
    if folder.is_symlink():
        raise PermissionError(errno.EPERM, "is a link of another user", str(folder))
    make_folder(folder)


def _delete_old(own: Path, keep_days: int | None, now: datetime) -> None:
    """Delete this computer's files that are old by the clock of the share.

    The file that was written just now tells what time it is there: a wrong clock here
    deletes nothing. The last run of each project stays.
    """
    moment = (own / COMPUTER_FILE).stat().st_mtime
    looked_at, deleted = 0, 0
    names = [e.name for e in os.scandir(own) if e.is_dir(follow_symlinks=False)]
    months = [own / name for name in sorted(names) if is_month(name)]
    newest = _newest_of_each(months)
    this_month = f"{now:%Y-%m}"
    for folder in (own, *months):
        kept = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                looked_at += 1
                if looked_at > _MOST_LOOKED_AT or deleted >= _MOST_DELETED:
                    return
                name = run_name(entry.name)
                stays = name and name.number >= newest.get(name.project, 0)
                if not stays and _is_old(entry, keep_days, moment):
                    remove(folder / entry.name)
                    deleted += 1
                else:
                    kept += 1
        if folder is not own and not kept and folder.name != this_month:
            with suppress(OSError):
                folder.rmdir()


def _newest_of_each(months: Sequence[Path]) -> dict[str, int]:
    """Return the number of the last run of each project, as far as it is looked for.

    Its file stays however old it is: a project that fails, or that nothing starts any more,
    is not forgotten.
    """
    newest: dict[str, int] = {}
    looked_at = 0
    for month in reversed(months):
        with os.scandir(month) as entries:
            for entry in entries:
                looked_at += 1
                if looked_at > _MOST_NAMES:
                    return newest
                if name := run_name(entry.name):
                    known = newest.get(name.project, -1)
                    newest[name.project] = max(known, name.number)
    return newest


def _is_old(entry: os.DirEntry[str], keep_days: int | None, moment: float) -> bool:
    """Say whether a file is one of ours, and older than it may become."""
    if not entry.is_file(follow_symlinks=False):
        return False
    age = moment - entry.stat(follow_symlinks=False).st_mtime
    if entry.name.startswith(".") and entry.name.endswith(_TEMPORARY):
        return age > _LEFT.total_seconds()
    if run_name(entry.name) is None or keep_days is None:
        return False
    return age > keep_days * 86400
