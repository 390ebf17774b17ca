"""One run of one project: from the lock to the report."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from python_runner.config.project import load_project
from python_runner.config.settings import can_mail, require_mail
from python_runner.exceptions import BadPythonInterpreter, PythonRunnerError
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import (
    ask_version,
    shown_command,
    still_holds,
)
from python_runner.execution.interpreters import find_command
from python_runner.execution.stop import StopRequest
from python_runner.facts import dataclass
from python_runner.imported_files import Sources
from python_runner.model import (
    Interpreter,
    MailStatus,
    Outcome,
    Overlap,
    Run,
    RunStatus,
)
from python_runner.policy import run_status
from python_runner.records import outputs
from python_runner.records.locks import Unrecorded, project_lock
from python_runner.records.stop_file import stop_file
from python_runner.records.store import StoreError
from python_runner.runner.cluster import end_elsewhere, examined
from python_runner.runner.context import (
    Demand,
    RunContext,
    day_off_of,
    new_run_id,
    require_schedule,
    schedule_terms,
)
from python_runner.runner.delivery import (
    deliver,
    drain,
    drain_again,
    given_up_notice,
    unannounced_reports,
    with_mail_status,
)
from python_runner.runner.events import RunEnded, RunStarted, RunStopping, ScriptEnded
from python_runner.runner.heartbeat import RunHeartbeat
from python_runner.runner.provenance import run_provenance
from python_runner.runner.recorder import RunRecorder
from python_runner.runner.recovery import (
    Recovery,
    living_runner,
    recover,
    this_runner,
    why_locked,
)
from python_runner.runner.reports import (
    decide,
    known_failures,
    prepare_reports,
    report_messages,
    unwanted,
)
from python_runner.runner.retention import (
    delete_old_outputs,
    delete_old_runs,
    remove_old_contents,
)
from python_runner.runner.script_run import ScriptRun
from python_runner.runner.selection import require_records, select, unfinished
from python_runner.runner.series import Series
from python_runner.runner.source_texts import SourceKeeper
from python_runner.runner.stop_watch import watching
from python_runner.runner.unexpected import explain
from python_runner.runner.unusual_results import judged
from python_runner.runner.warm import warm_interpreters
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from python_runner.model import (
        AlertMemory,
        Message,
        OpenScript,
        Project,
        ScriptResult,
    )
    from python_runner.model.provenance import RunProvenance
    from python_runner.records.locks import FileLock
    from python_runner.records.messages import QueuedMessage
    from python_runner.runner.session import Session

#: Seconds between two looks at a runner whose lock was deleted, where it is waited for.
_LOOKING = 1.0


def run_configured(
    folder: Path,
    session: Session,
    *,
    defaults: Mapping[str, Any],
    only: Sequence[str] = (),
    resume: bool = False,
    demand: Demand | None = None,
) -> Run | None:
    """Run the configured project in ``folder``, whatever may be wrong with it.

    What keeps it from being run becomes a run that was not started. Where the project
    is silent the optional keys ``defaults`` of ``python-runner.toml`` hold. The scripts
    named in ``only`` are run, or all; with ``resume`` those that have not succeeded,
    and None is returned where there is none, or where the run is not wanted.
    """
    demand = demand or Demand()
    masker = session.masker()
    try:
        configured = load_project(folder, defaults=defaults)
        masker = session.masker(configured)
        project = select(configured, only)
        if demand.unless:
            require_schedule(project)
        whole = len(project.scripts) == len(configured.scripts)
        try:
            return run_project(
                project, session, resume=resume, demand=replace(demand, whole=whole)
            )
        except PythonRunnerError as error:
            return _refuse(project, session, error)
    except Exception as error:  # noqa: BLE001 - the other projects still run
        # Nobody knows whether, where and to whom this is to be reported.
        reason = explain(error, session.settings.home, session.now(), masker)
        run = Run(
            run_id=new_run_id(),
            project=folder.name or str(folder),
            path=folder,
            status=RunStatus.NOT_STARTED,
            started_at=session.now(),
            duration=0.0,
            error=masker.sentence(reason),
        )
        with suppress(Exception):
            if session.fleet:
                session.fleet.tell(run, None)
        return run


def finish_runs(
    runs: Sequence[Run], session: Session, keep_days: int | None
) -> list[Run]:
    """Do what follows the last run of a command; return the runs as they are then.

    Reports that wait are tried once more, records older than ``keep_days`` days are
    deleted, and contents of mails sent long ago removed. What is being written to the fleet
    is waited for a little. An error there is a warning of the last run.
    """
    finished = list(runs)
    try:
        finished = drain_again(finished, session)
        delete_old_runs(session, keep_days)
        remove_old_contents(session)
        words = session.fleet.finish() if session.fleet else None
        if words and finished:
            last = finished[-1]
            finished[-1] = replace(last, warnings=(*last.warnings, words))
    except Exception as error:  # noqa: BLE001 - the runs are over
        masker = session.masker()
        reason = explain(error, session.settings.home, session.now(), masker)
        for run in finished[-1:]:
            warnings = (*run.warnings, masker.sentence(reason))
            finished[-1] = replace(run, warnings=warnings)
    return finished


@overload
def run_project(project: Project, session: Session) -> Run: ...
@overload
def run_project(
    project: Project, session: Session, *, resume: bool, demand: Demand | None = None
) -> Run | None: ...


def run_project(
    project: Project,
    session: Session,
    *,
    resume: bool = False,
    demand: Demand | None = None,
) -> Run | None:
    """Run a project's series and report it.

    Whatever happens to the scripts, the log, the records or the mail is part of the
    result. With ``resume`` only what has not succeeded is run, and None is returned
    where there is nothing: this is decided once nobody else runs the project and the
    runs whose runner died are recovered. Where the wait for another run is not wanted,
    what has not succeeded by now is skipped. Where ``demand`` wants no run, that is told and
    None is returned; nothing of it is recorded.

    Raises:
        BadPythonInterpreter: the scripts' interpreter is not there.
        MissingEnvironmentVariable: a mail may be due and could not leave.
        PythonRunnerError: what there is to resume is not known without records.
    """
    # It can be stopped alone; what stops the runner stops it, too.
    stop = StopRequest()
    unsubscribe = session.stop.subscribe(stop.request)
    run = _ProjectRun(RunContext.begin(project, replace(session, stop=stop), demand))
    try:
        with run.lock:
            try:
                return run.run(resume=resume)
            except Exception as error:
                if isinstance(error, PythonRunnerError) and not run.begun:
                    raise
                return run.end_by(error)
    finally:
        unsubscribe()


def _refuse(project: Project, session: Session, error: PythonRunnerError) -> Run:
    """Record, log and, if possible, report a project that cannot be run."""
    if not can_mail(session.settings.mail):
        # The channels get their report all the same.
        project = replace(project, recipients=())
    return _ProjectRun(RunContext.begin(project, session)).end_by(error)


def _find_interpreter(context: RunContext) -> tuple[str, ...]:
    project, settings = context.project, context.session.settings
    try:
        return find_command(
            project.python_command, project.path, environ=settings.environ
        )
    except BadPythonInterpreter as error:
        raise BadPythonInterpreter(context.masker.text(str(error))) from None


def _acquire(lock: FileLock, context: RunContext, *, resume: bool) -> bool:
    """Take the project's lock; say whether the run may begin."""
    wait = context.project.overlap is Overlap.WAIT
    stop = context.session.stop
    try:
        while lock.acquire(
            this_runner(context, resume=resume), wait=wait, stop=lambda: stop.requested
        ):
            # Its lock was lost with its file; it goes on.
            holder = living_runner(context, lock)
            if holder is None:
                return True
            lock.leave_to(holder)
            if not wait or stop.wait(_LOOKING):
                return False
    except OSError as error:
        # Without a place for locks the scripts still matter more than the overlap. Where
        # there are no records either, that has been told.
        if context.session.store is not None:
            template = N_("the project could not be locked: {file}: {error}")
            reason = system_error(error)
            context.warn(Sentence.of(template, file=str(lock.path), error=reason))
        return True
    return False


@dataclass(slots=True)
class _ProjectRun:
    """One run, from the lock to the report.

    Attributes:
        recovery: what is known of earlier runs, once they are recovered.
        made_of: what its scripts have in common, once it has begun.
        day_off: whether the project does not run on this day.
        begun: whether the records, the log and people may know of it.
        told: whether it is reported to people.
        part: whether scripts were chosen; what is resumed is no choice.
        ended: the run as it was recorded with its reports, once it was.
        results: of the scripts that have ended, in that order.
        started: by a monotonic clock.
    """

    context: RunContext
    heartbeat: RunHeartbeat = field(init=False)
    lock: FileLock = field(init=False)
    recorder: RunRecorder = field(init=False)
    recovery: Recovery = field(default_factory=Recovery)
    interpreter: Interpreter | None = None
    made_of: RunProvenance | None = None
    day_off: bool = False
    begun: bool = False
    told: bool = True
    part: bool = field(init=False)
    ended: Run | None = None
    results: dict[str, ScriptResult] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        context = self.context
        self.part = not context.demand.whole
        self.heartbeat = RunHeartbeat(context)
        self.lock = project_lock(context.session.settings.home, context.project.path)
        self.recorder = RunRecorder(context)

    def run(self, *, resume: bool) -> Run | None:
        """Run the series, and end the run together with its reports."""
        context, session = self.context, self.context.session
        self._keep_schedule()
        if self._is_unwanted(locked=False):
            return None
        if reason := self._why_not_today():
            # Nobody waits for a report of it.
            self.day_off, self.told = True, False
            return self._end_unstarted(RunStatus.SKIPPED, Outcome.SKIPPED, reason)
        interpreter = self._find_interpreter()
        if session.may_mail(context.project):
            require_mail(session.settings.mail)
        prepare_reports(context)
        acquired = _acquire(self.lock, context, resume=resume)
        if acquired:
            with context.as_warning():
                self.recovery = recover(context, self.lock, self.heartbeat)
        if self._is_needless(acquired=acquired, resume=resume):
            return None
        if session.stop.requested:
            # Whoever asked knows, and is told of the project that was under way.
            self.told = False
            reason = Sentence.of(N_("the stop was requested before this run started"))
            return self._end_unstarted(RunStatus.NOT_STARTED, Outcome.SKIPPED, reason)
        if acquired:
            return self._run_scripts(interpreter)
        reason = why_locked(self.lock, context.masker)
        with context.as_warning():
            self.told = not self._skip_is_told()
        return self._end_unstarted(RunStatus.SKIPPED, Outcome.SKIPPED, reason)

    def _find_interpreter(self) -> tuple[str, ...]:
        """Return what starts the scripts; in a cluster, whose workers are asked, there.

        Raises:
            PythonRunnerError: it is not there, or the cluster cannot run the scripts.
        """
        context = self.context
        cluster = context.session.cluster
        if cluster is None:
            return _find_interpreter(context)
        if context.project.warm:
            context.warn(Sentence.of(N_('"warm" has no effect in a cluster')))
        try:
            self.interpreter = examined(cluster, context)
        except PythonRunnerError:
            if not context.session.stop.requested:
                raise
            # Nothing begins any more.
            return ()
        return (self.interpreter.path,)

    def _is_unwanted(self, *, locked: bool) -> bool:
        """Say, and tell, whether no run is wanted now."""
        demand = self.context.demand
        reason = demand.unless(self.context, locked) if demand.unless else None
        if reason:
            demand.tell(reason)
        return reason is not None

    def _is_needless(self, *, acquired: bool, resume: bool) -> bool:
        """Say whether there is nothing to do, as the lock or another run's tells."""
        if resume and not self._resume():
            return True
        if self.context.demand.unless is None:
            return False
        if not acquired:
            self.context.demand.tell(why_locked(self.lock, self.context.masker))
            return True
        if not self._is_unwanted(locked=True):
            return False
        self._leave_recovered()
        return True

    def _keep_schedule(self) -> None:
        """Note since when the schedule is known: what was due before was not missed."""
        context = self.context
        store, project = context.session.store, context.project
        # What fails here fails again where the run begins, and is told there.
        with context.as_warning(), suppress(StoreError):
            if store is not None:
                store.keep_schedule(
                    project.path, schedule_terms(project), context.started_at
                )

    def _leave_recovered(self) -> None:
        """Send what recovery has queued: no run follows that would."""
        drain(self.context.session)
        self.heartbeat.finish()

    def _why_not_today(self) -> Sentence | None:
        """Return why the project does not run on this day; None if it does.

        An entry that cannot be asked is a warning: the scripts run.
        """
        context = self.context
        if context.demand.any_day:
            return None
        reason, warnings = day_off_of(context.project, context.started_at)
        for warning in warnings:
            context.warn(warning)
        return reason

    def _skip_is_told(self) -> bool:
        """Say whether people know that runs are skipped for the one that is active."""
        store, holder = self.context.session.store, self.lock.holder()
        if store is None or holder is None:
            return False
        with suppress(StoreError):
            return store.is_skip_told(self.context.project.path, holder.started_at)
        return False

    def _resume(self) -> bool:
        """Go on with what has not succeeded; say whether there is anything."""
        session = self.context.session
        store = require_records(session.store)
        if self.recovery.unread is not None:
            raise StoreError(self.recovery.unread)
        unrecorded = self.recovery.unrecorded
        remaining = unfinished(self.context.project, store, unrecorded)
        if remaining is None:
            self._leave_recovered()
            return False
        whole = len(remaining.scripts) == len(self.context.project.scripts)
        demand = replace(self.context.demand, whole=self.context.demand.whole and whole)
        self.context = replace(self.context, project=remaining, demand=demand)
        self.recorder = RunRecorder(self.context)
        return True

    def _run_scripts(self, interpreter: tuple[str, ...]) -> Run:
        context, session = self.context, self.context.session
        self._begin(interpreter)
        wish = stop_file(self.lock.path)
        with watching(wish, context.run_id, session.stop, self._tell_of_stop):
            with context.as_warning():
                self._send_waiting_reports()
            results = self._run_series(interpreter)
        with context.as_warning():
            delete_old_outputs(context)
        return self._end(run_status(results, stopped=session.stop.requested), results)

    def _tell_of_stop(self, urgent: bool) -> None:
        context = self.context
        stopping = RunStopping(
            run_id=context.run_id, project=context.project, urgent=urgent
        )
        context.session.notify(stopping)

    def end_by(self, error: Exception) -> Run:
        """End the run because of an error: what has not ended is not started.

        Where all has ended the error is a warning, and a run that is recorded stays as
        it was recorded.
        """
        reason = self.context.explain(error)
        try:
            return self._end_by(reason)
        except Exception as another:  # noqa: BLE001 - what is known is told all the same
            self.context.warn(self.context.explain(another))
            run = self._made(RunStatus.FAILURE, self._results(), reason)
            return self._with_warnings(run)

    def _end_by(self, reason: Sentence) -> Run:
        context, results = self.context, self._results()
        if self.ended is not None:
            context.warn(reason)
            return self._with_warnings(self.ended)
        if self.begun and len(results) == len(context.project.scripts):
            context.warn(reason)
            stopped = context.session.stop.requested
            return self._end(run_status(results, stopped=stopped), results)
        ran = any(result.attempts for result in results)
        status = RunStatus.FAILURE if ran else RunStatus.NOT_STARTED
        return self._end_unstarted(status, Outcome.NOT_STARTED, reason)

    def _results(self) -> list[ScriptResult]:
        """Return what has ended, in the order of the series."""
        scripts, results = self.context.project.scripts, self.results
        return [results[script.name] for script in scripts if script.name in results]

    def _end_unstarted(
        self, status: RunStatus, outcome: Outcome, reason: Sentence
    ) -> Run:
        """Record, log and report a run whose remaining scripts are not started.

        One that never began never is open in the records: nobody takes it for a run
        whose runner died.
        """
        if not self.begun:
            self._notify_start()
        context = self.context
        rest = [
            context.not_started(script, reason, outcome)
            for script in context.project.scripts
            if script.name not in self.results
        ]
        for result in rest:
            self.results[result.script] = result
            context.session.notify(ScriptEnded(project=context.project, result=result))
        self.begun = True
        with context.as_warning():
            self.recorder.log_unstarted(context.run_id, status, rest, reason)
        return self._end(status, self._results(), reason)

    def _begin(self, interpreter: tuple[str, ...]) -> None:
        with self.context.as_warning():
            # Workers have been asked for theirs.
            self.interpreter = self.interpreter or self._identify(interpreter)
        with self.context.as_warning():
            self.made_of = run_provenance(self.context, self.interpreter)
        self.begun = True
        self.recorder.begin_run(self.interpreter, self.recovery.place, self.made_of)
        with self.context.as_warning():
            self.heartbeat.begin()
        with self.context.as_warning():
            self._begin_in_fleet()
        self.recorder.rotate_log()
        self._notify_start()

    def _begin_in_fleet(self) -> None:
        context, fleet = self.context, self.context.session.fleet
        if fleet:
            fleet.begin(context.run_id, context.project, context.started_at)

    def _tell_fleet(self, run: Run) -> None:
        context, fleet = self.context, self.context.session.fleet
        if fleet:
            fleet.tell(run.masked(context.masker), context.project)

    def _notify_start(self) -> None:
        started = RunStarted(run_id=self.context.run_id, project=self.context.project)
        self.context.session.notify(started)

    def _identify(self, interpreter: tuple[str, ...]) -> Interpreter:
        """Return what is known of an interpreter; it is asked when its files change."""
        context, store = self.context, self.context.session.store
        # Where the records cannot be read it is asked again.
        with suppress(StoreError):
            known = store.interpreter(shown_command(interpreter)) if store else None
            if known and still_holds(known):
                return known
        environ = child_environment(
            context.session.settings.environ, context.project.env, run_id=context.run_id
        )
        program, *arguments = interpreter
        answer = ask_version(Path(program), context.project.path, environ, arguments)
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

    def _run_series(self, interpreter: tuple[str, ...]) -> tuple[ScriptResult, ...]:
        context = self.context
        project, cluster = context.project, context.session.cluster
        if cluster is not None:
            with context.as_warning():
                cluster.end_earlier(project)
        end_elsewhere(context, self.lock)
        scripts = ScriptRun(
            context=context,
            recorder=self.recorder,
            interpreter=interpreter,
            identity=self.interpreter or Interpreter(path=shown_command(interpreter)),
            folder=outputs.output_folder(
                context.logs, context.run_id, context.started_at
            ),
            spare=outputs.output_folder(
                context.private_logs, context.run_id, context.started_at
            ),
            inherit=(self.lock.fileno(),) if self.lock.held else (),
            sources=Sources(project.path, project.env),
            texts=SourceKeeper(context),
        )
        local = nullcontext() if cluster else warm_interpreters(scripts)
        with local as pool:
            scripts = replace(scripts, warm=pool)
            results = Series(
                scripts=project.scripts,
                on_failure=project.on_failure,
                max_parallel=project.max_parallel,
                execute=lambda script: judged(scripts.execute(script), context),
                not_started=context.not_started,
                record=self._end_scripts,
                stopping=lambda: context.session.stop.requested,
                prepare=scripts.prepare if pool else None,
                begin=lambda ended, starting: self._end_scripts(
                    ended, [scripts.begun(script) for script in starting]
                ),
            ).run()
        if cluster is not None and not cluster.has_left(project):
            self.lock.remember_cluster("")
        return results

    def _end_scripts(
        self, results: Sequence[ScriptResult], begun: Sequence[OpenScript] = ()
    ) -> None:
        self.results |= {result.script: result for result in results}
        with self.context.as_warning():
            self.recorder.end_scripts(results, begun)
        for result in results:
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
        run = outputs.as_kept(self._made(status, results, error))
        kept = zip(results, run.scripts, strict=True)
        removed = [result for result, one in kept if result.output and not one.output]
        if removed:
            # Who empties the folder removes all of them.
            template = N_("{script}: its output file was removed during the run")
            if len(removed) > 1:
                template = N_(
                    "{script} and {count} more: their output files were removed during the run"
                )
            first, count = removed[0].script, len(removed) - 1
            context.warn(Sentence.of(template, script=first, count=count))
        given_up: tuple[QueuedMessage, ...] = ()
        saved = False
        if self.lock.lost:
            template = N_(
                "the lock {file} was deleted during the run: another run may have"
                " started at the same time"
            )
            context.warn(Sentence.of(template, file=str(self.lock.path)))
        with context.as_warning():
            fleet = session.fleet if status is not RunStatus.SKIPPED else None
            if fleet and (words := fleet.untold()):
                context.warn(words)
        with context.as_warning():
            self._keep_signed_in()
        with context.as_warning():
            given_up = unannounced_reports(session)
        run, reports, saved = self._end_in_records(run, given_up)
        if reports:
            # As long as nothing better is known.
            waits = MailStatus.QUEUED if saved else MailStatus.FAILED
            run = replace(run, mail_status=waits)
        self.ended = run
        with context.as_warning():
            self.heartbeat.end(run)
        with context.as_warning():
            run = deliver(run, reports, session, saved=saved)
        if not saved:
            with context.as_warning():
                run, saved = self._save_late(run, reports)
        if not saved or self.lock.lost:
            # Records that were moved away with the lock come back with it.
            self._leave_end(run)
        with context.as_warning():
            self._tell_fleet(run)
        with context.as_warning():
            for warning in self.heartbeat.finish():
                context.warn(warning)
        run = self._with_warnings(run)
        session.notify(RunEnded(project=context.project, run=run))
        return run

    def _end_in_records(
        self, run: Run, given_up: Sequence[QueuedMessage]
    ) -> tuple[Run, tuple[Message, ...], bool]:
        """Record the end of the run with its reports; return these, and whether it is kept.

        Whether it is reported follows from what people know. Where that changes before
        it is written down, because another run ends, it is decided anew.
        """
        context, numbers = self.context, [message.number for message in given_up]
        ended, saved = run, False
        reports: tuple[Message, ...] = ()
        for last in (False, False, True):
            memory = known_failures(run, context)
            ended, reports = self._with_reports(run, given_up, memory)
            kept: bool | None = False
            with context.as_warning():
                kept = self.recorder.end_run(
                    ended, reports, numbers, None if last else memory
                )
            saved = bool(kept)
            if kept is not None:
                break
        if not saved:
            # The report leaves at once, and must say why it is not in the records. What
            # they do not keep is not held back either.
            ended, reports = self._with_reports(run, given_up, None)
        return ended, reports, saved

    def _keep_signed_in(self) -> None:
        """Let the sign-in of ``mail login`` not end of disuse, and tell where it has."""
        context, session = self.context, self.context.session
        ways = session.settings.mail.user_ways
        if not ways or not session.may_mail(context.project):
            return
        # Imported here because only users who signed in need it.
        from python_runner.delivery.sign_in.renewal import keep_alive  # noqa: PLC0415

        notice = keep_alive(
            ways[0], session.now(), stopping=lambda: session.stop.requested
        )
        if notice:
            context.warn(notice)

    def _made(
        self,
        status: RunStatus,
        results: Sequence[ScriptResult],
        error: Sentence | None,
    ) -> Run:
        context = self.context
        return Run(
            run_id=context.run_id,
            project=context.project.name,
            path=context.project.path,
            status=status,
            started_at=context.started_at,
            duration=time.monotonic() - self.started,
            scripts=tuple(results),
            error=context.masker.sentence(error) if error else None,
            day_off=self.day_off,
            interpreter=self.interpreter.path if self.interpreter else None,
            interpreter_version=self.interpreter.version if self.interpreter else None,
            provenance=self.made_of,
            part=self.part,
        )

    def _save_late(self, run: Run, reports: Sequence[Message]) -> tuple[Run, bool]:
        """Record the run whose report has left; say whether it is kept now.

        The records may have been locked for a while. A report that could not leave is
        queued after all.
        """
        lost = run.mail_status is MailStatus.FAILED
        saved = bool(self.recorder.end_run(run, reports if lost else ()))
        if saved and lost:
            run = with_mail_status(run, self.context.session)
        return run, saved

    def _leave_end(self, run: Run) -> None:
        """Leave the end of a run that is recorded nowhere to the next one."""
        if self.lock.held:
            end = Unrecorded(
                run_id=run.run_id,
                status=run.status,
                mail=run.mail_status,
                started_at=run.started_at,
                outcomes={result.script: result.outcome for result in run.scripts},
            )
            self.lock.remember(end)

    def _with_reports(
        self,
        run: Run,
        given_up: Sequence[QueuedMessage],
        memory: AlertMemory | None,
    ) -> tuple[Run, tuple[Message, ...]]:
        """Return the run with its warnings so far, and the messages that report it.

        Where no report can be made of what the scripts wrote, it does without. Where it
        is held back, the run says why.
        """
        context = self.context
        if not (self.told and context.session.reports_enabled):
            decision = unwanted()
        else:
            decision = decide(run, context, memory)
        if held := decision.held:
            run = replace(run, held=held, mail_reason=held.reason)
            return self._with_warnings(run), ()
        # Only the report mentions the given-up ones: the run itself is not to blame.
        lost = tuple(map(given_up_notice, given_up))
        bare = tuple(replace(r, attempts=(), output=None) for r in run.scripts)
        forms: tuple[tuple[ScriptResult, ...], ...] = (run.scripts, bare)
        if run.status is RunStatus.SKIPPED:
            # It says nothing about its scripts, and each would give the same reason.
            forms = ((),)
        for scripts in forms:
            run = self._with_warnings(run)
            told = replace(run, scripts=scripts, warnings=(*run.warnings, *lost))
            with context.as_warning():
                return run, report_messages(told, context, decision, memory)
        reason = context.masker.sentence(context.warnings[-1])
        run = replace(run, mail_status=MailStatus.FAILED, mail_reason=reason)
        return self._with_warnings(run), ()

    def _with_warnings(self, run: Run) -> Run:
        """Return the run with all that has gone wrong beside the scripts so far."""
        context = self.context
        notices, late = context.session.notices, self.heartbeat.warnings
        warnings = map(context.masker.sentence, (*notices, *context.warnings, *late))
        return replace(run, warnings=_each_once(warnings))


def _each_once(sentences: Iterable[Sentence]) -> tuple[Sentence, ...]:
    """Leave out what is said already."""
    kept: list[Sentence] = []
    kept.extend(sentence for sentence in sentences if sentence not in kept)
    return tuple(kept)
