"""What one run writes down: records and log; neither may ever stop a script.

What cannot be written becomes one warning, which the report repeats. The scripts go on,
and so does the other book.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from python_runner.masking import Masker
from python_runner.model import OpenRun, OpenScript, Outcome, ScriptResult
from python_runner.records.log import LogFile
from python_runner.records.log_line import log_line_of, result_of
from python_runner.records.log_reader import read_log
from python_runner.records.store import Store, StoreError
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import (
        Attempt,
        Interpreter,
        Message,
        Project,
        Run,
        Script,
    )
    from python_runner.records.log_line import LogLine


@dataclass(slots=True, kw_only=True)
class RunRecorder:
    """Store and journal of one run of one project.

    Attributes:
        store: None where there is none.
        masker: takes secrets out of the sentences that begin here.
        warnings: what could not be written, for the report.
    """

    project: Project
    run_id: str
    host: str
    now: Callable[[], datetime]
    store: Store | None
    masker: Masker = field(default_factory=Masker)
    warnings: list[Sentence] = field(default_factory=list)
    _store_failed: bool = False
    _log_failed: bool = False
    _journal: LogFile = field(init=False)

    def __post_init__(self) -> None:
        """Name the log; nothing is opened yet."""
        self._journal = LogFile(
            self.project.path / "logs",
            self.project.log_filename,
            backup_count=self.project.logs_backup_count,
            rotation_days=self.project.log_rotation_days,
        )

    def number(self, script: Script) -> int:
        """Return a script's place in the series, from 1."""
        return self.project.scripts.index(script) + 1

    def not_started(
        self, script: Script, reason: Sentence, outcome: Outcome = Outcome.SKIPPED
    ) -> ScriptResult:
        """Return the result of a script that is given up; nothing is written yet."""
        return ScriptResult(
            script=script.name,
            run_id=self.run_id,
            number=self.number(script),
            outcome=outcome,
            started_at=self.now(),
            reason=self.masker.sentence(reason),
        )

    def known_interpreter(self, path: Path) -> Interpreter | None:
        """Return what an interpreter said of itself in an earlier run."""
        # A question can be asked again: no reason to give up the records.
        with suppress(StoreError):
            return self.store.interpreter(str(path)) if self.store else None
        return None

    def begin_run(self, started_at: datetime, interpreter: Interpreter | None) -> None:
        """Leave something to find should the runner die from here on."""
        run = OpenRun(
            run_id=self.run_id,
            project=self.project.name,
            path=self.project.path,
            started_at=started_at,
            scripts=tuple(
                OpenScript(script=script.name, number=number)
                for number, script in enumerate(self.project.scripts, 1)
            ),
        )
        self._record(lambda store: store.begin_run(run, interpreter))

    def begin_attempt(self, number: int, output: Path) -> None:
        """Record that an attempt of a script begins, and where its output goes."""
        self._record(
            lambda store: store.begin_attempt(self.run_id, number, self.now(), output)
        )

    def end_attempt(self, number: int, attempt: Attempt) -> None:
        """Record what came of an attempt."""
        self._record(lambda store: store.end_attempt(self.run_id, number, attempt))

    def end_script(self, result: ScriptResult) -> None:
        """Record a script's end, and add its line to the log."""
        self._record(lambda store: store.end_script(result))
        self.log(result)

    def log(self, *results: ScriptResult) -> None:
        """Add the results' lines to the log."""

        def write(journal: LogFile) -> None:
            for result in results:
                journal.write(
                    log_line_of(
                        result,
                        host=self.host,
                        now=self.now(),
                        include_traceback=self.project.include_traceback,
                    )
                )

        self._write_log(write)

    def recall(self, run: OpenRun) -> None:
        """Record the ends of scripts that the log alone knows.

        The records could not be written then; what succeeded must not be run again.
        """
        open_scripts = {s.script: s for s in run.scripts if s.outcome is None}
        with suppress(OSError):
            for record in self._logged(run.run_id):
                if script := open_scripts.get(record.script):
                    result = result_of(record, script.number)
                    self._record(partial(Store.end_script, result=result))

    def log_missing(self, run: Run) -> None:
        """Add the lines a run's log lacks, because its runner died before them."""

        def write(_journal: LogFile) -> None:
            logged = {record.script for record in self._logged(run.run_id)}
            self.log(*(r for r in run.scripts if r.script not in logged))

        self._write_log(write)

    def _logged(self, run_id: str) -> Iterator[LogLine]:
        """Yield what the log and its archives say about a run."""
        records = read_log(self._journal.folder, self._journal.filename)
        return (record for record in records if record.run_id == run_id)

    def rotate_log(self) -> None:
        """Archive the log when its days are over; the caller holds the lock."""

        def rotate(journal: LogFile) -> None:
            if warning := journal.rotate(self.now()):
                self.warnings.append(warning)

        self._write_log(rotate)

    def end_run(
        self, run: Run, reports: Sequence[Message], announces: Sequence[int] = ()
    ) -> bool:
        """Close the run and queue its reports, in one transaction.

        A store that failed on the way gets another chance: the run holds every result.

        Args:
            run: with every result.
            reports: one for each audience; none when none is due.
            announces: numbers of given-up reports that the first one tells of.

        Returns:
            Whether all is safe.
        """
        self._store_failed = False
        return self._record(
            lambda store: store.end_run(run, reports, self.now(), announces=announces)
        )

    def _record(self, write: Callable[[Store], object]) -> bool:
        if self.store is None or self._store_failed:
            return False
        try:
            write(self.store)
        except StoreError as error:
            self._store_failed = True
            self._warn(N_("the records are incomplete: {error}"), error)
            return False
        return True

    def _write_log(self, write: Callable[[LogFile], object]) -> None:
        try:
            write(self._journal)
        except OSError as error:
            if not self._log_failed:
                self._warn(N_("the log is incomplete: {error}"), error)
            self._log_failed = True

    def _warn(self, template: str, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) else None
        self.warnings.append(Sentence.of(template, error=reason or str(error)))
