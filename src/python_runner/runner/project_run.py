"""One run of one project: from the lock to the report."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from socket import gethostname
from typing import TYPE_CHECKING

from python_runner.config.settings import can_mail, require_mail
from python_runner.exceptions import BadPythonInterpreter
from python_runner.execution.capture import mask_file
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import ask_version, still_holds
from python_runner.execution.interpreters import find_interpreter
from python_runner.execution.orphans import end_scripts_of, is_alive, scripts_of
from python_runner.model import Outcome, Overlap, Run, RunStatus
from python_runner.policy import run_status, without_secrets
from python_runner.records import outputs
from python_runner.records.locks import FileLock, Holder, project_lock
from python_runner.records.store import StoreError
from python_runner.runner.delivery import (
    catch_up,
    deliver,
    given_up_notice,
    unannounced_reports,
)
from python_runner.runner.events import RunEnded, RunStarted, ScriptEnded
from python_runner.runner.heartbeat import RunHeartbeat
from python_runner.runner.recorder import RunRecorder
from python_runner.runner.reports import reports_of
from python_runner.runner.script_run import ScriptRun
from python_runner.runner.series import Series
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.exceptions import PythonRunnerError
    from python_runner.model import Interpreter, Message, Project, ScriptResult
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store
    from python_runner.runner.session import Session


def new_run_id() -> str:
    """Return 13 hexadecimal characters, as the log has always had them."""
    return secrets.token_hex(7)[:13]


def whole(project: Project) -> Project:
    """Choose the whole series."""
    return project


def run_project(
    project: Project,
    session: Session,
    choose: Callable[[Project], Project] = whole,
) -> Run:
    """Run a project's series and report it.

    Whatever happens to the scripts, the log, the records or the mail is part of the
    result.

    Args:
        project: what is to be run.
        session: what all runs share.
        choose: decides what of the series is run, once nobody else runs the project
            and its past is settled. What it raises leaves everything as it is.

    Raises:
        BadPythonInterpreter: the scripts' interpreter is not there.
        MissingEnvironmentVariable: a mail may be due and could not leave.
    """
    try:
        interpreter = find_interpreter(
            project.python_command, project.path, environ=session.settings.environ
        )
    except BadPythonInterpreter as error:
        words = session.masker(project).text(str(error))
        raise BadPythonInterpreter(words) from None
    if session.mails(project):
        require_mail(session.settings.mail)
    return _ProjectRun.begin(project, session).conduct(interpreter, choose)


def refuse_project(project: Project, session: Session, error: PythonRunnerError) -> Run:
    """Account for a project that cannot be run: logged and, if possible, reported."""
    if not can_mail(session.settings.mail):
        # The channels are told all the same.
        project = replace(project, recipients=())
    run = _ProjectRun.begin(project, session)
    return run.give_up(RunStatus.NOT_STARTED, Outcome.NOT_STARTED, as_sentence(error))


def as_sentence(error: Exception) -> Sentence:
    """Return an error's words, which are in the user's language already."""
    return Sentence.of("{error}", error=str(error))


@dataclass(slots=True, kw_only=True)
class _ProjectRun:
    project: Project
    session: Session
    run_id: str
    started_at: datetime
    started: float
    recorder: RunRecorder
    heartbeat: RunHeartbeat
    lock: FileLock | None = None
    interpreter: Interpreter | None = None

    @classmethod
    def begin(cls, project: Project, session: Session) -> _ProjectRun:
        run_id = new_run_id()
        started_at = session.now()
        masker = session.masker(project)
        project = without_secrets(project, masker)
        return cls(
            project=project,
            session=session,
            run_id=run_id,
            started_at=started_at,
            started=time.monotonic(),
            recorder=RunRecorder(
                project=project,
                run_id=run_id,
                host=gethostname(),
                now=session.now,
                store=session.store,
                masker=masker,
            ),
            heartbeat=RunHeartbeat(project, session),
        )

    def conduct(self, interpreter: Path, choose: Callable[[Project], Project]) -> Run:
        """Run the series, or what is chosen of it, under the project's lock."""
        try:
            if not self._take_lock():
                return self.give_up(
                    RunStatus.SKIPPED, Outcome.SKIPPED, self._why_locked()
                )
            self._settle_the_past()
            self.project = self.recorder.project = self._chosen(choose)
            self.interpreter = self._known(interpreter)
            self.recorder.open_run(self.started_at, self.interpreter)
            self.heartbeat.begin(self.run_id)
            self.recorder.rotate_log()
            self.session.tell(RunStarted(run_id=self.run_id, project=self.project))
            self._catch_up()
            results = self._run_series(interpreter)
            outputs.prune(
                self.project.path / "logs",
                self.project.output_keep_days,
                self.session.now(),
                keep={self.run_id},
            )
            status = run_status(results, stopped=self.session.stop.requested)
            return self._close(status, results)
        finally:
            if self.lock is not None:
                self.lock.release()

    def give_up(self, status: RunStatus, outcome: Outcome, reason: Sentence) -> Run:
        """Close a run none of whose scripts was started."""
        self.recorder.open_run(self.started_at, None)
        self.session.tell(RunStarted(run_id=self.run_id, project=self.project))
        results = tuple(
            self.recorder.not_started(script, reason, outcome)
            for script in self.project.scripts
        )
        for result in results:
            self._keep(result)
        return self._close(status, results, reason)

    def _take_lock(self) -> bool:
        holder = Holder(
            pid=os.getpid(),
            host=gethostname(),
            run_id=self.run_id,
            started_at=self.started_at,
        )
        try:
            lock = project_lock(self.session.settings.home, self.project.path)
            self.lock = lock
            return lock.acquire(
                holder,
                wait=self.project.overlap is Overlap.WAIT,
                stop=lambda: self.session.stop.requested,
            )
        except OSError as error:
            # Without a place for locks the scripts still matter more than the overlap.
            self.lock = None
            self.recorder.warnings.append(
                Sentence.of(
                    N_("the project could not be locked: {error}"), error=str(error)
                )
            )
            return True

    def _why_locked(self) -> Sentence:
        holder = self.lock.holder() if self.lock else None
        if holder is None:
            return Sentence.of(N_("another run of the project is active"))
        if not is_alive(holder.pid, holder.started_at) and (
            scripts := scripts_of(holder.run_id)
        ):
            return Sentence.of(
                N_(
                    "the runner of run {run_id} was killed, but what it started still"
                    " runs: {processes}"
                ),
                run_id=holder.run_id,
                processes=", ".join(f"{s.pid} ({s.name})" for s in scripts),
            )
        return Sentence.of(
            N_(
                "another run of the project is active since {since}"
                " (run {run_id}, process {pid} on {host})"
            ),
            since=holder.started_at.strftime("%Y-%m-%d %H:%M:%S"),
            run_id=holder.run_id,
            pid=holder.pid,
            host=holder.host,
        )

    def _settle_the_past(self) -> None:
        """Close, log and report runs whose runner died: we hold the lock, it is dead."""
        store = self.session.store
        if store is None or self.lock is None:
            return
        try:
            unfinished = self._unfinished(store, self.lock)
        except StoreError as error:
            self.recorder.warnings.append(as_sentence(error))
            return
        for run in unfinished:
            self._mask_outputs(run.run_id)
            self.recorder.log_missing(run)
            self.recorder.close_run(run, reports_of(run, self.project, self.session))
            self.heartbeat.end(run)

    def _catch_up(self) -> None:
        """Let earlier reports out first, for this series may take hours.

        Not right after another run has done so: no project waits for mail twice.
        """
        if self.session.outbox.idle_seconds > self.session.delivery_seconds:
            catch_up(self.session)
            self.started = time.monotonic()

    def _mask_outputs(self, run_id: str) -> None:
        for path in outputs.files_of(self.project.path / "logs", run_id):
            # What cannot be replaced is still masked wherever it is shown.
            with suppress(OSError):
                mask_file(path, self.recorder.masker)

    def _unfinished(self, store: Store, lock: FileLock) -> list[Run]:
        """Return the runs that never ended, by whatever path their project went."""
        home = self.session.settings.home
        dead = [
            run
            for run in store.open_runs()
            if project_lock(home, run.path).path == lock.path
        ]
        for run in dead:
            self._end_what_is_left(run.run_id)
            self.recorder.recall(run)
        return [
            run
            for path in dict.fromkeys(run.path for run in dead)
            for run in store.interrupt_unfinished(path, self.session.now())
        ]

    def _end_what_is_left(self, run_id: str) -> None:
        """End processes of a dead run that do not hold the lock, before any starts."""
        self.recorder.warnings.extend(
            Sentence.of(
                N_(
                    "process {pid} ({name}) of run {run_id}, whose runner was killed, still ran"
                    " and was stopped"
                ),
                pid=m.pid,
                name=m.name,
                run_id=run_id,
            )
            for m in end_scripts_of(run_id)
        )

    def _chosen(self, choose: Callable[[Project], Project]) -> Project:
        try:
            return choose(self.project)
        except Exception:
            # No run follows that would deliver what settling the past has queued.
            catch_up(self.session)
            raise

    def _known(self, interpreter: Path) -> Interpreter:
        """Return what is known of an interpreter; it is asked when its files change."""
        known = self.recorder.known_interpreter(interpreter)
        if known and still_holds(known):
            return known
        environ = child_environment(
            self.session.settings.environ, self.project.env, run_id=self.run_id
        )
        answer = ask_version(interpreter, self.project.path, environ)
        path = self.recorder.masker.text(answer.path)
        # A path with a secret in it is written nowhere as it is.
        return answer if path == answer.path else replace(answer, path=path, stamp=None)

    def _run_series(self, interpreter: Path) -> tuple[ScriptResult, ...]:
        scripts = ScriptRun(
            project=self.project,
            session=self.session,
            recorder=self.recorder,
            interpreter=interpreter,
            folder=self._output_folder(),
            inherit=(self.lock.fileno(),) if self.lock else (),
        )
        return Series(
            scripts=self.project.scripts,
            on_failure=self.project.on_failure,
            max_parallel=self.project.max_parallel,
            execute=scripts.execute,
            give_up=self.recorder.not_started,
            record=self._keep,
            stopping=lambda: self.session.stop.requested,
        ).run()

    def _output_folder(self) -> Path:
        logs = self.project.path / "logs"
        return outputs.run_folder(logs, self.run_id, self.started_at)

    def _keep(self, result: ScriptResult) -> None:
        self.recorder.script_ended(result)
        self.session.tell(ScriptEnded(project=self.project, result=result))

    def _close(
        self,
        status: RunStatus,
        results: Sequence[ScriptResult],
        error: Sentence | None = None,
    ) -> Run:
        run = Run(
            run_id=self.run_id,
            project=self.project.name,
            path=self.project.path,
            status=status,
            started_at=self.started_at,
            duration=time.monotonic() - self.started,
            scripts=tuple(results),
            error=self.recorder.masker.sentence(error) if error else None,
            interpreter=self.interpreter.path if self.interpreter else None,
            interpreter_version=self.interpreter.version if self.interpreter else None,
        )
        lost = unannounced_reports(self.session)
        run, reports = self._with_reports(run, lost)
        saved = self.recorder.close_run(run, reports, [m.number for m in lost])
        if not saved:
            # The report leaves at once, and must tell why it is not in the records.
            run, reports = self._with_reports(run, lost)
        self.heartbeat.end(run)
        run = deliver(run, reports, self.session, saved=saved)
        run = self.heartbeat.finish(run)
        self.session.tell(RunEnded(project=self.project, run=run))
        return run

    def _with_reports(
        self, run: Run, lost: Sequence[QueuedMessage]
    ) -> tuple[Run, tuple[Message, ...]]:
        """Return the run with all that is odd about it by now, and its reports."""
        odd = (*self.session.notices, *self.recorder.warnings, *self.heartbeat.warnings)
        run = replace(run, warnings=tuple(map(self.recorder.masker.sentence, odd)))
        told = replace(run, warnings=(*run.warnings, *map(given_up_notice, lost)))
        return run, reports_of(told, self.project, self.session)
