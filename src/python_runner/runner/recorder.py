"""Writes the two records of a run, database and log; neither may ever stop a script.

What cannot be written becomes one warning, which the report repeats. The scripts go on,
and so does the other record.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.execution.orphans import process_start
from python_runner.model import OpenRun, OpenScript, RunStatus
from python_runner.records.log import LogFile, Shortened
from python_runner.records.log_line import (
    log_line_of,
    log_line_of_skipped,
)
from python_runner.records.store import StoreError
from python_runner.runner.context import schedule_terms
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from python_runner.model import (
        AlertMemory,
        Attempt,
        Interpreter,
        Message,
        Run,
        ScriptResult,
    )
    from python_runner.model.provenance import RunProvenance
    from python_runner.records.log_line import LogLine
    from python_runner.records.log_reader import LogPlace
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext


#: The number of the line that stands for a whole run.
WHOLE_LINE = 0


class RunRecorder:
    """Writes what happens in one run to the store and to the project's log."""

    def __init__(self, context: RunContext) -> None:
        project = context.project
        self._context = context
        self._now = context.session.now
        self._store = context.session.store
        self._store_failed = False
        #: Nothing is opened before the first line.
        self._log = LogFile(
            context.logs,
            project.log_filename,
            backup_count=project.logs_backup_count,
            rotation_days=project.log_rotation_days,
        )
        #: Lines that the log has refused so far, by run and number in its series.
        self._unlogged: dict[tuple[str, int], LogLine] = {}
        self._adding = Lock()

    def begin_run(
        self,
        interpreter: Interpreter | None,
        log_place: LogPlace | None = None,
        made_of: RunProvenance | None = None,
    ) -> None:
        """Record the run and its series, for the next run to find should this one die.

        Every run that the log tells of up to ``log_place`` is recorded.
        """
        context = self._context
        run = OpenRun(
            run_id=context.run_id,
            project=context.project.name,
            path=context.project.path,
            started_at=context.started_at,
            scripts=tuple(
                OpenScript(script=script.name, number=number)
                for number, script in enumerate(context.project.scripts, 1)
            ),
            runner=os.getpid(),
            runner_start=process_start(os.getpid()),
        )
        log = (self._log.filename, log_place) if log_place else None
        terms = schedule_terms(context.project)
        whole = context.demand.whole
        self._record(
            lambda store: store.begin_run(
                run, interpreter, log=log, terms=terms, whole=whole, made_of=made_of
            )
        )

    def begin_attempt(self, number: int, output: Path) -> None:
        """Record that an attempt of a script begins, and where its output goes."""
        run_id = self._context.run_id
        self._record(
            lambda store: store.begin_attempt(run_id, number, self._now(), output)
        )

    def end_attempt(self, number: int, attempt: Attempt, wait: float) -> None:
        """Record what came of an attempt; the next one begins in ``wait`` seconds."""
        run_id = self._context.run_id
        try:
            next_at: datetime | None = self._now() + timedelta(seconds=wait)
        except OverflowError:
            # Later than the calendar has days.
            next_at = None
        self._record(lambda store: store.end_attempt(run_id, number, attempt, next_at))

    def end_scripts(
        self, results: Sequence[ScriptResult], begun: Sequence[OpenScript] = ()
    ) -> None:
        """Record the ends of scripts, and add their lines to the log.

        Of scripts that end at the same time: the disk is waited for once. What begins
        because of it, with its first attempt, is recorded with it.
        """
        if results:
            self._record(lambda store: store.end_scripts(results, begun))
            self._add_lines(results)
            return
        run_id = self._context.run_id
        for script in begun:
            begin = partial(_begin, run_id=run_id, script=script)
            self._record(begin)

    def log_unstarted(
        self,
        run_id: str,
        status: RunStatus,
        results: Sequence[ScriptResult],
        reason: Sentence,
    ) -> None:
        """Add the lines of scripts that a run does not start, in one write.

        A run that was skipped is one line. The log comes first here: what dies before
        the records know of the run is taken from the log by the next one.
        """
        if status is RunStatus.SKIPPED:
            line = log_line_of_skipped(
                run_id,
                self._context.masker.sentence(reason),
                host=host_name(),
                now=self._now(),
                include_traceback=self._context.project.include_traceback,
            )
            self._add({(run_id, WHOLE_LINE): line})
        else:
            self._add_lines(results)

    def end_run(
        self,
        run: Run,
        reports: Sequence[Message],
        announces: Sequence[int] = (),
        memory: AlertMemory | None = None,
    ) -> bool | None:
        """End the run and queue its reports, in one transaction; say whether it is kept.

        A store that failed on the way gets another chance: the run holds every result.
        The first report mentions the given-up ones with the numbers ``announces``. None
        where people know by now of something else than by ``memory``, on which the
        decision to report the run rests: nothing is written then.
        """
        self._store_failed = False
        self._add({})
        unlogged = self.unlogged(run.run_id)
        current: list[bool] = []
        kept = self._record(
            lambda store: current.append(
                store.end_run(
                    run,
                    reports,
                    self._now(),
                    announces=announces,
                    unlogged=unlogged,
                    memory=memory,
                )
            )
        )
        return None if current == [False] else kept

    def rotate_log(self) -> None:
        """Archive the log when its days are over; the caller holds the project's lock."""

        def rotate(log: LogFile) -> None:
            if warning := log.rotate(self._now()):
                self._context.warn(warning)

        self._write_log(rotate)

    def log_missing(self, run: Run, logged: Collection[str]) -> None:
        """Add the lines that an earlier run's log lacks beside those of ``logged``."""
        self._add_lines([r for r in run.scripts if r.script not in logged])

    def log_late(self, run: Run, numbers: Collection[int]) -> None:
        """Add the lines that the log refused when ``run`` ended, with its own times."""
        context, host = self._context, host_name()
        verbose = context.project.include_traceback
        late = {}
        if WHOLE_LINE in numbers:
            ended = run.started_at + timedelta(seconds=run.duration)
            late[run.run_id, WHOLE_LINE] = log_line_of_skipped(
                run.run_id, run.error, host=host, now=ended, include_traceback=verbose
            )
        for result in run.scripts:
            if result.number in numbers:
                ended = result.started_at + timedelta(seconds=result.duration)
                late[run.run_id, result.number] = log_line_of(
                    result, host=host, now=ended, include_traceback=verbose
                )
        self._add(late)

    def unlogged(self, run_id: str) -> list[int]:
        """Return the numbers of the lines of a run that the log has refused so far."""
        return [number for run, number in self._unlogged if run == run_id]

    def _add_lines(self, results: Sequence[ScriptResult]) -> None:
        lines = {
            (result.run_id, result.number): log_line_of(
                result,
                host=host_name(),
                now=self._now(),
                include_traceback=self._context.project.include_traceback,
            )
            for result in results
        }
        self._add(lines)

    def _add(self, lines: dict[tuple[str, int], LogLine]) -> None:
        """Add lines to the log; those first that it has refused before.

        What is refused now waits for the next line, or for the next run.
        """
        with self._adding:
            refused = dict(self._unlogged)
            self._unlogged |= lines
            for group in filter(None, (refused, lines)):
                self._write_log(partial(self._write_lines, group))

    def _write_lines(self, lines: dict[tuple[str, int], LogLine], log: LogFile) -> None:
        try:
            log.write(*lines.values())
        except Shortened:
            self._drop(lines)
            raise
        except OSError:
            # Once is enough to wait for a program that keeps the log open.
            self._log = replace(log, patient=False)
            raise
        self._drop(lines)

    def _drop(self, lines: Iterable[tuple[str, int]]) -> None:
        for key in lines:
            del self._unlogged[key]

    def _record(self, write: Callable[[Store], object]) -> bool:
        if self._store is None or self._store_failed:
            return False
        with self._context.as_warning():
            try:
                write(self._store)
            except StoreError as error:
                self._store_failed = True
                self._context.warn(incomplete(error))
                return False
            return True
        return False

    def _write_log(self, write: Callable[[LogFile], object]) -> None:
        with self._context.as_warning():
            try:
                write(self._log)
            except OSError as error:
                template = N_("the log is incomplete: {error}")
                self._context.warn(Sentence.of(template, error=system_error(error)))


def _begin(store: Store, run_id: str, script: OpenScript) -> None:
    store.begin_attempt(run_id, script.number, script.started_at, script.output)


def incomplete(error: StoreError) -> Sentence:
    """Return the warning of a run that the records could not take whole."""
    return Sentence.of(N_("the records are incomplete: {error}"), error=error.reason)
