"""The records: runs, scripts and reports.

Each step is committed before the next begins, so that after a crash they show how far the
run came. ``end_run`` writes a run's end and queues its reports in one transaction.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from python_runner.files import (
    PRIVATE_FILE_MODE,
    private_file,
    private_folder,
    replacing,
    resolved,
)
from python_runner.model import Outcome
from python_runner.records import alerts, changes, provenance, queries, summaries
from python_runner.records.damage import set_aside_if_damaged
from python_runner.records.database import Database, StoreError, translated
from python_runner.records.message_queue import MessageQueue
from python_runner.records.schema import migrate, require_sqlite
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime
    from sqlite3 import Connection

    from python_runner.model import (
        AlertMemory,
        Attempt,
        Interpreter,
        KnownSchedule,
        Message,
        OpenRun,
        OpenScript,
        PastBounds,
        PastResult,
        ProjectState,
        Run,
        RunHead,
        ScriptResult,
    )
    from python_runner.model.provenance import Packages, RunProvenance
    from python_runner.records.digests import Digests
    from python_runner.records.log_reader import LogPlace
    from python_runner.records.queries import OldRuns
    from python_runner.records.source_texts import SourceTexts

__all__ = ["DATABASE_NAME", "Store", "StoreError", "open_store"]

#: File name of the records, in the state folder.
DATABASE_NAME = "records.sqlite3"
_SET_ASIDE = N_("the records were damaged; new ones were created; see {file}")
_LOG_SET_ASIDE = N_(
    "the records' write-ahead log was damaged, or belonged to others; the records go on "
    "without it; see {file}"
)
#: Characters of a run's id that people are shown at least.
SHORT_ID = 7
#: Runs that one transaction deletes: others may write in between.
_DELETED_AT_ONCE = 500
#: Runs that one transaction reads.
_READ_AT_ONCE = 250


def database_path(home: Path) -> Path:
    """Return where the records of the state folder ``home`` lie.

    A link is followed: what lies beside a database, its lock too, lies beside the file
    itself, and is one for everybody who has it open.
    """
    path = home / DATABASE_NAME
    # Whoever may not look into the folder is told by who opens the file.
    return Path(resolved(path)) if os.path.islink(path) else path  # noqa: PTH114


def open_store(home: Path, now: datetime) -> Store:
    """Open the records of the state folder ``home``, made where it is missing.

    A damaged file is set aside under a dated name and new records are begun, unless it
    is sound without its write-ahead log; the store's ``notice`` says so.

    Raises:
        StoreError: no records can be kept: read-only, full disk, locked, too new.
    """
    require_sqlite()
    path = database_path(home)
    notice = None
    with translated(path):
        private_folder(home)
        if damaged := set_aside_if_damaged(path, now):
            told = _LOG_SET_ASIDE if damaged.kept else _SET_ASIDE
            notice = Sentence.of(told, file=str(damaged.path))
        # Only ever made here, never opened: closing any descriptor of the file would
        # drop the locks that another connection of this process holds on it.
        private_file(path)
    return Store(path, notice=notice)


class Store:
    """The records of one state folder.

    Every method may be called from any thread, and raises :class:`StoreError` when the
    records cannot be read or written.

    Attributes:
        notice: what people must know about the records, or None.
        messages: the queue of the reports.
    """

    def __init__(
        self,
        path: Path,
        *,
        notice: Sentence | None = None,
        database: Database | None = None,
    ) -> None:
        self.notice = notice
        self._database = database or Database(path, migrate)
        self.messages = MessageQueue(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def require_writable(self) -> None:
        """Write what is there already, which tells whether the records can be written.

        A transaction that changes nothing may begin in a file that is read-only.
        """
        with self._database.write() as connection:
            (form,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version = {form}")

    @property
    def digests(self) -> Digests:
        """What digests are made of, and which have been mailed."""
        # Imported here because no run needs it.
        from python_runner.records.digests import Digests  # noqa: PLC0415

        return Digests(self._database, self.messages)

    @property
    def sources(self) -> SourceTexts:
        """The texts of what scripts were made of."""
        # Imported here because what only reads runs needs none.
        from python_runner.records.source_texts import (  # noqa: PLC0415
            SourceTexts,
        )

        return SourceTexts(self._database)

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """Open one moment of the records, for the questions of ``records.overview``."""
        with self._database.read() as connection:
            yield connection

    # Transitions: each is on disk when its method returns, the start of an attempt
    # excepted.

    def begin_run(
        self,
        run: OpenRun,
        interpreter: Interpreter | None = None,
        *,
        log: tuple[str, LogPlace] | None = None,
        terms: str | None = None,
        whole: bool = True,
        made_of: RunProvenance | None = None,
    ) -> None:
        """Write a run before its first script; none of its scripts has begun.

        What its interpreter says of itself is kept for later runs, where it will hold.

        Args:
            run: what begins.
            interpreter: what runs its scripts.
            log: name of its log, and the place up to which all runs are recorded.
            terms: what the project's slots follow from; None: it has no schedule.
            whole: whether the whole series is run, which settles the slots before.
            made_of: what its scripts have in common; None: that is not known.
        """
        with self._database.write() as connection:
            if interpreter and interpreter.stamp:
                changes.keep_interpreter(connection, interpreter)
            key = changes.begin_run(connection, run, interpreter, made_of)
            if log:
                changes.keep_log_place(connection, key, *log)
            changes.keep_schedule(
                connection, run.path, terms, run.started_at, ran=whole
            )

    def begin_attempt(
        self,
        run_id: str,
        number: int,
        started_at: datetime | None,
        output: Path | None = None,
    ) -> None:
        """Record that an attempt of a script begins; the first one's time stays.

        Args:
            run_id: the run.
            number: the script's place in the series, from 1.
            started_at: when the attempt begins.
            output: the file its output goes to: where to look should the runner die.
        """
        # An attempt that a power cut takes with it has not ended: nobody misses its start.
        with self._database.write(synced=False) as connection:
            run = changes.run_key(connection, run_id)
            changes.begin_attempt(connection, run, number, started_at, output)

    def end_attempt(
        self,
        run_id: str,
        number: int,
        attempt: Attempt,
        waits_until: datetime | None = None,
    ) -> None:
        """Record what came of a script's next attempt, and when one more begins."""
        with self._database.write() as connection:
            run = changes.run_key(connection, run_id)
            changes.end_attempt(connection, run, number, attempt, waits_until)

    def end_script(self, result: ScriptResult) -> None:
        """Record a script's end; an end once recorded stays."""
        self.end_scripts([result])

    def end_scripts(
        self, results: Sequence[ScriptResult], begun: Sequence[OpenScript] = ()
    ) -> None:
        """Record the ends of several scripts of a run in one transaction.

        Args:
            results: how they ended; at least one.
            begun: scripts of that run whose first attempts begin now, with their times
                and outputs.
        """
        with self._database.write() as connection:
            run = changes.run_key(connection, results[0].run_id)
            for result in results:
                changes.end_script(connection, run, result)
            for script in begun:
                changes.begin_attempt(
                    connection, run, script.number, script.started_at, script.output
                )

    def end_run(
        self,
        run: Run,
        reports: Sequence[Message],
        now: datetime,
        *,
        announces: Sequence[int] = (),
        unlogged: Collection[int] = (),
        memory: AlertMemory | None = None,
    ) -> bool:
        """Write a run's end and queue its reports: all or nothing.

        The records may lack the run or parts of it: ``run`` holds everything.
        A report that is queued already stays as it is.

        Args:
            run: how it ended.
            reports: one for each audience; none when none is due.
            now: when they are queued.
            announces: numbers of the given up messages that the first report names.
            unlogged: numbers of the scripts whose lines the log has refused; 0 stands
                for the line of the whole run.
            memory: what people knew when it was decided whether the run is reported.

        Returns:
            False where people know something else by now: nothing is written then, and
            it is to be decided anew.
        """
        with self._database.write() as connection:
            if memory is not None and memory != alerts.alert_memory(
                connection, run.path, run.run_id, errors=memory.compared
            ):
                return False
            key = changes.end_run(connection, run)
            changes.keep_unlogged(connection, key, unlogged)
            changes.interrupt_runs(connection, [key], now)
            summaries.add_run(connection, key)
            for report in reports:
                self.messages.put(connection, key, report, now, announces=announces)
                # One report names them for all: the mail, if there is one.
                announces = ()
        return True

    def alert_memory(self, path: Path, run_id: str, *, errors: bool) -> AlertMemory:
        """Return what people know of the failures of a project, a run of it aside.

        Args:
            path: the project's folder.
            run_id: the run that is left out.
            errors: whether what went wrong in them is to be compared.
        """
        with self._database.read() as connection:
            return alerts.alert_memory(connection, path, run_id, errors=errors)

    def held_back(self, *, everything: bool = False, limit: int = 50) -> list[Run]:
        """Return the runs whose reports are held back, newest first.

        With ``everything`` also those that a later report has told of, or that a success
        has ended.
        """
        with self._database.read() as connection:
            keys = alerts.held_back(connection, everything=everything, limit=limit)
            return queries.load(connection, keys)

    def unlogged(self, path: Path) -> list[tuple[Run, frozenset[int]]]:
        """Return the ended runs of a project whose log lacks lines, oldest first.

        With each the numbers that :meth:`end_run` was given.
        """
        with self._database.read() as connection:
            return queries.unlogged(connection, path)

    def keep_unlogged(self, run_id: str, numbers: Collection[int]) -> None:
        """Write which lines of a run the log lacks now."""
        with self._database.write() as connection:
            key = changes.run_key(connection, run_id)
            changes.keep_unlogged(connection, key, numbers)

    def keep_schedule(self, path: Path, terms: str | None, now: datetime) -> None:
        """Write what a project's slots follow from, where that is not known yet.

        Args:
            path: the project's folder.
            terms: see :class:`~python_runner.model.KnownSchedule`; None: it has none.
            now: the present moment.
        """
        known = self.schedule(path)
        same = known is not None and known.terms == terms and known.reached <= now
        if same or (known is None and terms is None):
            return
        with self._database.write() as connection:
            changes.keep_schedule(connection, path, terms, now, ran=False)

    def keep_packages(self, folders: str, stamp: str, packages: Packages) -> None:
        """Write which packages lie in the folders of an environment.

        Args:
            folders: what identifies them.
            stamp: what changes when one of them does.
            packages: what a run refers to by its fingerprint from now on.
        """
        # A power cut that takes it with it takes the run as well, or it is read again.
        with self._database.write(synced=False) as connection:
            provenance.keep_packages(connection, folders, stamp, packages)

    def add_runs(self, runs: Sequence[Run]) -> None:
        """Add ended runs that the records have missed; those they hold stay as they are."""
        with self._database.write() as connection:
            for run in runs:
                if not queries.newest_first(connection, [run.run_id]):
                    summaries.add_run(connection, changes.end_run(connection, run))

    def interrupt_runs(self, path: Path, now: datetime) -> list[Run]:
        """End the scripts of a project's runs whose runner died; return these runs.

        The caller holds the project's lock, so no other runner can be alive. A script
        that ran becomes ``interrupted``, one that was planned ``skipped``. The run
        itself stays open until :meth:`end_run` ends it and queues its report: a crash in
        between loses neither. The runs come oldest first.
        """
        with self._database.write() as connection:
            keys = queries.keys_of_open_runs(connection, path)
            changes.interrupt_runs(connection, keys, now)
            runs = queries.load(connection, keys)
        return [_with_known_duration(run) for run in runs]

    # Reading back.

    def run(self, run_id: str) -> Run | None:
        """Return the ended run with this id."""
        with self._database.read() as connection:
            runs = queries.load(connection, queries.ended(connection, run_id))
        return next(iter(runs), None)

    def run_ids(self, prefix: str, limit: int) -> list[str]:
        """Return the first ids that begin with ``prefix``, open runs included."""
        with self._database.read() as connection:
            return queries.run_ids(connection, prefix, limit)

    def newest_ids(self, prefix: str, limit: int) -> list[RunHead]:
        """Return the last runs whose ids begin so, open ones included, newest first."""
        with self._database.read() as connection:
            return queries.newest_ids(connection, prefix, limit)

    def short_ids(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Return for each id how it begins, as far as no other run's id does."""
        with self._database.read() as connection:
            short = queries.short_ids(connection, run_ids, SHORT_ID)
        return dict(zip(run_ids, short, strict=True))

    def projects(self) -> list[Path]:
        """Return the folders of all projects that have runs, in the order of their names."""
        with self._database.read() as connection:
            paths = map(Path, queries.project_paths(connection))
        return sorted(paths, key=lambda path: (path.name.casefold(), path))

    def project_state(self, path: Path) -> ProjectState:
        """Return how the runs of a project went lately.

        Open runs are passed over, and those that were skipped because another one was
        active.
        """
        with self._database.read() as connection:
            return queries.project_state(connection, path)

    def last_begin(self) -> tuple[str, datetime] | None:
        """Return the project and the begin of the run that began last, by its own clock."""
        with self._database.read() as connection:
            return queries.last_begin(connection)

    def runs(
        self,
        *,
        projects: Sequence[Path] = (),
        failed: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> list[Run]:
        """Return ended runs, the last recorded first: a clock may have been wrong.

        Args:
            projects: folders of the projects; none means all.
            failed: leave out the runs that succeeded, and those that were skipped
                because another one was active.
            since: leave out what began earlier.
            until: leave out what began then or later.
            limit: how many at most.
        """
        pages = self.pages_of_runs(
            projects=projects, failed=failed, since=since, until=until, limit=limit
        )
        return [run for page in pages for run in page]

    def pages_of_runs(
        self,
        *,
        projects: Sequence[Path] = (),
        failed: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> Iterator[list[Run]]:
        """Return what :meth:`runs` returns at this moment, read page by page.

        Of hundreds of thousands of runs memory holds no more than a page then.
        """
        with self._database.read() as connection:
            keys = queries.newest(
                connection,
                projects=projects,
                failed=failed,
                since=since,
                until=until,
                limit=limit,
            )
        return self._pages(keys)

    def _pages(self, keys: Sequence[int]) -> Iterator[list[Run]]:
        # Whoever writes waits for a page at most. A run that has ended never changes.
        for first in range(0, len(keys), _READ_AT_ONCE):
            with self._database.read() as connection:
                page = queries.load(connection, keys[first : first + _READ_AT_ONCE])
            yield page

    def is_skip_told(self, path: Path, since: datetime) -> bool:
        """Say whether a run of a project that was skipped ``since`` then is reported."""
        with self._database.read() as connection:
            return queries.is_skip_told(connection, path, since)

    def last_run(self, projects: Sequence[Path] = ()) -> str | None:
        """Return the id of the run that was recorded last; None where there is none.

        It may not have ended. Runs that were skipped because another one was active are
        passed over where there are others.

        Args:
            projects: folders of the projects; none means all.
        """
        with self._database.read() as connection:
            return queries.last_run(connection, projects)

    def newest_first(self, run_ids: Iterable[str]) -> list[str]:
        """Return the ids of recorded runs, open or ended, the last recorded first."""
        with self._database.read() as connection:
            return queries.newest_first(connection, run_ids)

    def open_runs(self, projects: Sequence[Path] = ()) -> list[OpenRun]:
        """Return the runs that have not ended, the last recorded first.

        Each is active, or its runner died and no later run has ended it yet.

        Args:
            projects: folders of the projects; none means all.
        """
        with self._database.read() as connection:
            return queries.open_runs(connection, projects)

    def schedule(self, path: Path) -> KnownSchedule | None:
        """Return what is known of a project's schedule; None where nothing is."""
        with self._database.read() as connection:
            return queries.schedule(connection, path)

    def oldest_run(self, path: Path) -> datetime | None:
        """Return when the first recorded of a project's ended runs began."""
        with self._database.read() as connection:
            return queries.oldest_run(connection, path)

    def last_outcomes(self, path: Path) -> dict[str, Outcome]:
        """Return how each script of a project ended in the last run that held it.

        Open runs are passed over, and those that were skipped because another one was
        active. A run that could not be started counts.
        """
        with self._database.read() as connection:
            return queries.last_outcomes(connection, path)

    def log_place(self, path: Path, name: str) -> LogPlace:
        """Return how far a log of a project has been compared with the records."""
        with self._database.read() as connection:
            return queries.log_place(connection, path, name)

    def interpreter(self, path: str) -> Interpreter | None:
        """Return what the interpreter ``path`` said of itself last."""
        with self._database.read() as connection:
            return queries.interpreter(connection, path)

    def past_results(
        self, path: Path, script: str, limit: int, *, before: str | None = None
    ) -> list[PastResult]:
        """Return how a script of a project ended, the last recorded first.

        Open runs are left out.

        Args:
            path: the project's folder.
            script: name of the script.
            limit: how many at most.
            before: id of a run; it is left out, and so is what was recorded after it.
        """
        with self._database.read() as connection:
            return queries.past_results(connection, path, script, limit, before)

    def past_bounds(
        self, path: Path, script: str, limit: int, *, numbers: bool = True
    ) -> PastBounds:
        """Return the least and the most of what a script's latest successes amounted to.

        Open runs are left out. Files are not compared.

        Args:
            path: the project's folder.
            script: name of the script.
            limit: how many of its results, successes or not, are asked at most.
            numbers: whether those of its lines are asked, too, which takes most time.
        """
        with self._database.read() as connection:
            return queries.past_bounds(connection, path, script, limit, numbers=numbers)

    def last_success(
        self, path: Path, script: str, before: str | None = None
    ) -> tuple[Run, ScriptResult] | None:
        """Return the result with which a script of a project succeeded last, and its run.

        Args:
            path: the project's folder.
            script: name of the script.
            before: id of a run; it is left out, and so is what was recorded after it.
        """
        with self._database.read() as connection:
            keys = queries.last_success(connection, path, script, before)
            runs = queries.load(connection, keys)
        for run in runs:
            for result in run.scripts:
                if result.script == script:
                    return run, result
        return None

    def known_packages(self, folders: str, stamp: str) -> str | None:
        """Return the fingerprint that :meth:`keep_packages` wrote; None: read them anew."""
        with self._database.read() as connection:
            return provenance.known_packages(connection, folders, stamp)

    def packages(self, fingerprint: str) -> Packages | None:
        """Return the packages with this fingerprint; None where no run has them."""
        with self._database.read() as connection:
            return provenance.packages(connection, fingerprint)

    # Care.

    def damage(self) -> str | None:
        """Return what SQLite finds wrong in the whole file; None where it is sound.

        Takes seconds for a large file; others read and write meanwhile.
        """
        with self._database.read() as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        return None if verdict == "ok" else str(verdict)

    def backup(self, target: Path) -> None:
        """Write a consistent copy to the new file ``target`` while runs go on.

        Raises:
            StoreError: ``target`` exists or cannot be written; no part of it is left.
        """
        with translated(target):
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            with (
                replacing(target, overwrite=False, mode=PRIVATE_FILE_MODE) as new,
                closing(sqlite3.connect(new.name)) as copy,
            ):
                self._database.copy_to(copy)
                # One file, which can be read where nothing can be written beside it.
                copy.execute("PRAGMA journal_mode = DELETE")

    def old_runs(self, older_than: datetime, now: datetime) -> OldRuns:
        """Return which runs began before, for sure: what :meth:`delete_old_runs` forgets.

        What is not recorded is as old as it says where the clock can be believed.
        """
        with self._database.read() as connection:
            return queries.old_runs(connection, older_than, now)

    def is_old(self, run_id: str, old: OldRuns) -> bool:
        """Say whether a run is among those that :meth:`old_runs` has found."""
        with self._database.read() as connection:
            return queries.is_old(connection, run_id, old)

    def delete_old_runs(
        self, older_than: datetime, now: datetime, limit: int = sys.maxsize
    ) -> int:
        """Delete ended runs that began before; return how many.

        A run whose report is not delivered stays, and so does an open one. So does the last
        run of a project, for 400 days more. So does what was recorded behind a run that is not old, whatever its own clock said; and all
        of them where no run was recorded for a long time: the clock may be wrong, and
        the runs to come will tell.

        Args:
            older_than: what began then or later stays.
            now: the present moment; later times were wrong.
            limit: how many to delete at most.
        """
        deleted = 0
        while deleted < limit:
            size = min(_DELETED_AT_ONCE, limit - deleted)
            with self._database.write() as connection:
                count = changes.delete_old_runs(connection, older_than, now, size)
            deleted += count
            if count < size:
                break
        return deleted


def _with_known_duration(run: Run) -> Run:
    """Let an interrupted run last until the last thing that is known of it."""
    known = (
        (result.started_at - run.started_at).total_seconds() + result.duration
        for result in run.scripts
        if result.outcome is not Outcome.SKIPPED
    )
    return replace(run, duration=max(known, default=0.0))
