"""One run of one project: from the lock to the report."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from python_runner.config.project import load_project
from python_runner.config.settings import can_mail, require_mail
from python_runner.exceptions import BadPythonInterpreter, PythonRunnerError
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import ask_version, still_holds
from python_runner.execution.interpreters import find_interpreter
from python_runner.model import Interpreter, Outcome, Overlap, Run, RunStatus
from python_runner.policy import run_status
from python_runner.records import outputs
from python_runner.records.locks import project_lock
from python_runner.records.store import StoreError
from python_runner.runner.context import RunContext, new_run_id
from python_runner.runner.delivery import (
    deliver,
    drain,
    given_up_notice,
    unannounced_reports,
)
from python_runner.runner.events import RunEnded, RunStarted, ScriptEnded
from python_runner.runner.heartbeat import RunHeartbeat
from python_runner.runner.recorder import RunRecorder
from python_runner.runner.recovery import recover, this_runner, why_locked
from python_runner.runner.reports import report_messages
from python_runner.runner.script_run import ScriptRun
from python_runner.runner.selection import require_records, select, unfinished
from python_runner.runner.series import Series
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from python_runner.model import Message, Project, ScriptResult
    from python_runner.records.locks import FileLock
    from python_runner.records.messages import QueuedMessage
    from python_runner.runner.session import Session


def run_configured(
    folder: Path,
    session: Session,
    *,
    defaults: Mapping[str, Any],
    only: Sequence[str] = (),
    resume: bool = False,
) -> Run | None:
    """Run the configured project in ``folder``, whatever may be wrong with it.

    What keeps it from being run becomes a run that was not started. Where the project
    is silent the optional keys ``defaults`` of ``python-runner.toml`` hold. The scripts
    named in ``only`` are run, or all; with ``resume`` those that have not succeeded,
    and None is returned where there is none.
    """
    masker = session.masker()
    try:
        configured = load_project(folder, defaults=defaults)
        masker = session.masker(configured)
        project = select(configured, only)
    except PythonRunnerError as error:
        # Nobody knows yet whether, where and to whom this is to be reported.
        return Run(
            run_id=new_run_id(),
            project=folder.name,
            path=folder,
            status=RunStatus.NOT_STARTED,
            started_at=session.now(),
            duration=0.0,
            error=masker.sentence(_as_sentence(error)),
        )
    try:
        return run_project(project, session, resume=resume)
    except PythonRunnerError as error:
        return _refuse(project, session, error)


@overload
def run_project(project: Project, session: Session) -> Run: ...
@overload
def run_project(project: Project, session: Session, *, resume: bool) -> Run | None: ...


def run_project(
    project: Project, session: Session, *, resume: bool = False
) -> Run | None:
    """Run a project's series and report it.

    Whatever happens to the scripts, the log, the records or the mail is part of the
    result. With ``resume`` only what has not succeeded is run, and None is returned
    where there is nothing: this is decided once nobody else runs the project and the
    runs whose runner died are recovered. Where the wait for another run is not wanted,
    what has not succeeded by now is skipped.

    Raises:
        BadPythonInterpreter: the scripts' interpreter is not there.
        MissingEnvironmentVariable: a mail may be due and could not leave.
        PythonRunnerError: what there is to resume is not known without records.
    """
    context = RunContext.begin(project, session)
    interpreter = _find_interpreter(context)
    if session.may_mail(project):
        require_mail(session.settings.mail)
    heartbeat = RunHeartbeat(context)
    with project_lock(session.settings.home, project.path) as lock:
        acquired = _acquire(lock, context)
        if acquired:
            recover(context, lock, heartbeat)
        if resume:
            store = require_records(session.store)
            remaining = unfinished(context.project, store)
            if remaining is None:
                # No run follows that would send what recovery has queued.
                drain(session)
                heartbeat.finish()
                return None
            context = replace(context, project=remaining)
        run = _ProjectRun(context, heartbeat, lock)
        if acquired:
            return run.run(interpreter)
        reason = why_locked(lock)
        return run.end_unstarted(RunStatus.SKIPPED, Outcome.SKIPPED, reason)


def _refuse(project: Project, session: Session, error: PythonRunnerError) -> Run:
    """Record, log and, if possible, report a project that cannot be run."""
    if not can_mail(session.settings.mail):
        # The channels get their report all the same.
        project = replace(project, recipients=())
    context = RunContext.begin(project, session)
    lock = project_lock(session.settings.home, project.path)
    run = _ProjectRun(context, RunHeartbeat(context), lock)
    reason = _as_sentence(error)
    return run.end_unstarted(RunStatus.NOT_STARTED, Outcome.NOT_STARTED, reason)


def _as_sentence(error: Exception) -> Sentence:
    """Return an error's message, which is in the user's language already."""
    return Sentence.of("{error}", error=str(error))


def _find_interpreter(context: RunContext) -> Path:
    project, settings = context.project, context.session.settings
    try:
        return find_interpreter(
            project.python_command, project.path, environ=settings.environ
        )
    except BadPythonInterpreter as error:
        raise BadPythonInterpreter(context.masker.text(str(error))) from None


def _acquire(lock: FileLock, context: RunContext) -> bool:
    """Take the project's lock; say whether the run may begin."""
    try:
        return lock.acquire(
            this_runner(context),
            wait=context.project.overlap is Overlap.WAIT,
            stop=lambda: context.session.stop.requested,
        )
    except OSError as error:
        # Without a place for locks the scripts still matter more than the overlap. Where
        # there are no records either, that has been told.
        if context.session.store is not None:
            template = N_("the project could not be locked: {error}")
            context.warn(Sentence.of(template, error=str(error)))
        return True


@dataclass(slots=True)
class _ProjectRun:
    context: RunContext
    heartbeat: RunHeartbeat
    lock: FileLock
    recorder: RunRecorder = field(init=False)
    interpreter: Interpreter | None = None
    #: By a monotonic clock.
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.recorder = RunRecorder(self.context)

    def run(self, interpreter: Path) -> Run:
        """Run the series, and end the run together with its reports."""
        self._begin(interpreter)
        self._send_waiting_reports()
        results = self._run_series(interpreter)
        context, session = self.context, self.context.session
        days, kept = context.project.output_keep_days, {context.run_id}
        for logs in (context.logs, context.private_logs):
            outputs.delete_old_outputs(logs, days, session.now(), keep=kept)
        status = run_status(results, stopped=session.stop.requested)
        return self._end(status, results)

    def end_unstarted(
        self, status: RunStatus, outcome: Outcome, reason: Sentence
    ) -> Run:
        """Record, log and report a run none of whose scripts is started."""
        self.recorder.begin_run(None)
        self._notify_start()
        context = self.context
        results = tuple(
            context.not_started(script, reason, outcome)
            for script in context.project.scripts
        )
        for result in results:
            self._end_script(result)
        return self._end(status, results, reason)

    def _begin(self, interpreter: Path) -> None:
        self.interpreter = self._identify(interpreter)
        self.recorder.begin_run(self.interpreter)
        self.heartbeat.begin()
        self.recorder.rotate_log()
        self._notify_start()

    def _notify_start(self) -> None:
        started = RunStarted(run_id=self.context.run_id, project=self.context.project)
        self.context.session.notify(started)

    def _identify(self, interpreter: Path) -> Interpreter:
        """Return what is known of an interpreter; it is asked when its files change."""
        context, store = self.context, self.context.session.store
        # Where the records cannot be read it is asked again.
        with suppress(StoreError):
            known = store.interpreter(str(interpreter)) if store else None
            if known and still_holds(known):
                return known
        environ = child_environment(
            context.session.settings.environ, context.project.env, run_id=context.run_id
        )
        answer = ask_version(interpreter, context.project.path, environ)
        path = context.masker.text(answer.path)
        # A path with a secret in it is written nowhere as it is.
        return answer if path == answer.path else replace(answer, path=path, stamp=None)

    def _send_waiting_reports(self) -> None:
        """Send the reports of earlier runs first, for this series may take hours.

        Not right after another run has done so: no project waits for mail twice.
        """
        session = self.context.session
        if session.outbox.idle_seconds > session.delivery_seconds:
            drain(session)
            self.started = time.monotonic()

    def _run_series(self, interpreter: Path) -> tuple[ScriptResult, ...]:
        context = self.context
        project = context.project
        scripts = ScriptRun(
            context=context,
            recorder=self.recorder,
            interpreter=interpreter,
            folder=outputs.output_folder(
                context.logs, context.run_id, context.started_at
            ),
            spare=outputs.output_folder(
                context.private_logs, context.run_id, context.started_at
            ),
            inherit=(self.lock.fileno(),) if self.lock.held else (),
        )
        return Series(
            scripts=project.scripts,
            on_failure=project.on_failure,
            max_parallel=project.max_parallel,
            execute=scripts.execute,
            not_started=context.not_started,
            record=self._end_script,
            stopping=lambda: context.session.stop.requested,
        ).run()

    def _end_script(self, result: ScriptResult) -> None:
        self.recorder.end_script(result)
        self.context.session.notify(
            ScriptEnded(project=self.context.project, result=result)
        )

    def _end(
        self,
        status: RunStatus,
        results: Sequence[ScriptResult],
        error: Sentence | None = None,
    ) -> Run:
        """End the run in the records together with its reports; deliver these."""
        context, session = self.context, self.context.session
        run = Run(
            run_id=context.run_id,
            project=context.project.name,
            path=context.project.path,
            status=status,
            started_at=context.started_at,
            duration=time.monotonic() - self.started,
            scripts=tuple(results),
            error=context.masker.sentence(error) if error else None,
            interpreter=self.interpreter.path if self.interpreter else None,
            interpreter_version=self.interpreter.version if self.interpreter else None,
        )
        given_up = unannounced_reports(session)
        run, reports = self._with_reports(run, given_up)
        saved = self.recorder.end_run(run, reports, [m.number for m in given_up])
        if not saved:
            # The report leaves at once, and must say why it is not in the records.
            run, reports = self._with_reports(run, given_up)
        self.heartbeat.end(run)
        run = deliver(run, reports, session, saved=saved)
        late = (w for w in self.heartbeat.finish() if w not in run.warnings)
        run = replace(run, warnings=(*run.warnings, *late))
        session.notify(RunEnded(project=context.project, run=run))
        return run

    def _with_reports(
        self, run: Run, given_up: Sequence[QueuedMessage]
    ) -> tuple[Run, tuple[Message, ...]]:
        """Return the run with its warnings so far, and the messages that report it."""
        context = self.context
        notices, late = context.session.notices, self.heartbeat.warnings
        warnings = map(context.masker.sentence, (*notices, *context.warnings, *late))
        run = replace(run, warnings=tuple(warnings))
        # Only the report mentions the given-up ones: the run itself is not to blame.
        lost = map(given_up_notice, given_up)
        reported = replace(run, warnings=(*run.warnings, *lost))
        if not context.session.reports_enabled:
            return run, ()
        return run, report_messages(reported, context)
