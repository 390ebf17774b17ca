"""Recovers the runs of the past, and says whether a run's runner is alive.

A runner holds its project's lock until its run has ended. A runner that gets the lock and
finds a run that has not ended knows that the other runner is dead. A command that only
reads must not touch the lock: it compares the process id and the start that the lock's
file names.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.capture import Readable, put_away
from python_runner.execution.orphans import (
    end_scripts_of,
    holders_of,
    is_alive,
    process_start,
    scripts_of,
)
from python_runner.facts import dataclass
from python_runner.model import EmailStrategy, RunStatus
from python_runner.records import outputs
from python_runner.records.locks import Holder, project_lock
from python_runner.records.log_line import WHOLE_RUN
from python_runner.records.log_reader import read_log
from python_runner.records.secret_marks import marks_to_tell
from python_runner.records.store import StoreError
from python_runner.runner.missed_runs import (
    RecoveredRun,
    as_it_ended,
    ends_of,
    missed_runs,
    read_log_news,
)
from python_runner.runner.recorder import RunRecorder, incomplete
from python_runner.runner.reports import decide, known_failures, report_messages
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.utf8 import local_encoding


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import Message, OpenRun, Outcome
    from python_runner.records.locks import FileLock, Unrecorded
    from python_runner.records.log_reader import LogPlace
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext
    from python_runner.runner.heartbeat import RunHeartbeat
    from python_runner.runner.missed_runs import LogNews


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What is known of earlier runs after their recovery.

    Attributes:
        place: up to where in the log the records know every run; None if unknown.
        unrecorded: how scripts ended in runs that the records could not take now either.
        unread: why the records could not be read, or None.
    """

    place: LogPlace | None = None
    unrecorded: Mapping[str, Outcome] = field(default_factory=dict)
    unread: Sentence | None = None


def this_runner(context: RunContext, *, resume: bool) -> Holder:
    """Return what the project's lock says of this process while it holds the lock.

    With ``resume`` it is not known yet how many scripts are run.
    """
    settings = context.session.settings
    return Holder(
        pid=os.getpid(),
        host=host_name(),
        run_id=context.run_id,
        started_at=context.started_at,
        process_start=process_start(os.getpid()),
        scripts=0 if resume else len(context.project.scripts),
        secrets=marks_to_tell(
            settings.home, (*settings.secrets, *context.project.secrets)
        ),
    )


def was_interrupted(run: OpenRun, store: Store, home: Path) -> bool:
    """Say whether the runner of a run that was found open died.

    It may have ended since. Where the lock's file in the state folder ``home`` is gone,
    the records say which process it was; one that says nothing keeps nobody waiting.

    Raises:
        StoreError: the records cannot be read.
    """
    lock = project_lock(home, run.path)
    holder = lock.holder() or (_runner_of(run) if lock.was_never_held() else None)
    if holder is not None and holder.run_id == run.run_id and _lives(holder):
        return False
    # A runner ends its run before it gives the lock back.
    return store.run(run.run_id) is None


def active_runner(
    home: Path, folder: Path, open_runs: Iterable[OpenRun]
) -> Holder | None:
    """Return who carries out a run of a project now; None where nobody does.

    Args:
        home: the state folder.
        folder: the project.
        open_runs: its runs that have not ended by the records; they tell where the
            lock's file is gone.
    """
    lock = project_lock(home, folder)
    holder = lock.holder()
    if holder is not None:
        return holder if _lives(holder) else None
    if not lock.was_never_held():
        return None
    return next(filter(_lives, map(_runner_of, open_runs)), None)


def known_end(run: OpenRun, home: Path) -> Unrecorded | None:
    """Return how a run that is open in the records ended; None unless its lock tells.

    People know of it: it was reported, and the next run of its project records it.
    """
    ends = project_lock(home, run.path).read_unrecorded()
    return next((end for end in ends if end.run_id == run.run_id), None)


def living_runner(context: RunContext, lock: FileLock) -> Holder | None:
    """Return who carries out a run of the project, though the lock is held here.

    The lock's file was deleted or moved away during that run: it was made anew, or it
    was left to that runner since. None where there is nobody, or no records tell.
    """
    store, before = context.session.store, lock.before
    if store is None or not (lock.is_new or before):
        return None
    with suppress(StoreError):
        for run in _open_runs(context, lock, store):
            holder = _runner_of(run)
            left = before is not None and before.run_id == run.run_id
            if (lock.is_new or left) and _lives(holder):
                return holder
    return None


def _runner_of(run: OpenRun) -> Holder:
    return Holder(
        pid=run.runner,
        host=host_name(),
        run_id=run.run_id,
        started_at=run.started_at,
        process_start=run.runner_start,
        scripts=len(run.scripts),
    )


def _lives(holder: Holder) -> bool:
    """Say whether a runner lives, on this machine whatever its name was.

    The state folder is on a local disk: another name is that of a machine that was
    renamed, or of a container that was made anew.
    """
    return is_alive(holder.pid, holder.process_start)


def why_locked(lock: FileLock, masker: Masker) -> Sentence:
    """Return the sentence that says what keeps this run from beginning."""
    holder = lock.holder()
    if holder is None:
        return Sentence.of(N_("another run of the project is active"))
    known = bool(holder.process_start)
    if not _lives(holder):
        # A process may have lost the mark in its environment; it still has the lock.
        left = scripts_of(holder.run_id, masker)
        left = left or (holders_of(lock.path, masker) if known else ())
        if left:
            return Sentence.of(
                N_(
                    "the runner of run {run_id} was killed, but processes that it"
                    " started are still running: {processes}"
                ),
                run_id=holder.run_id,
                processes=", ".join(f"{s.pid} ({s.name})" for s in left),
            )
    if known and not _lives(holder):
        return Sentence.of(
            N_(
                "the runner of run {run_id} was killed, but a process that it started"
                " still holds the lock {file}"
            ),
            run_id=holder.run_id,
            file=str(lock.path),
        )
    return Sentence.of(
        N_(
            "another run of the project has been active since {since} (run {run_id},"
            " process {pid} on {host})"
        ),
        since=holder.started_at.strftime("%Y-%m-%d %H:%M:%S"),
        run_id=holder.run_id,
        pid=holder.pid,
        host=holder.host,
    )


def recover(context: RunContext, lock: FileLock, heartbeat: RunHeartbeat) -> Recovery:
    """Complete the records: end what never ended, and take from the log what they miss.

    A run whose runner died is ended, logged and reported. One that ended while the
    records could not be written is recorded as it ended: people know of it. Without
    the lock nothing proves that a runner is dead, and nothing is done. What goes wrong
    is a warning of the run that comes next, whose ``context`` this is. Where that one
    sends no report, those made here are queued, for a later run to send.
    """
    store = context.session.store
    if store is None or not lock.held:
        return Recovery()
    recorder = RunRecorder(context)
    try:
        open_runs = _open_runs(context, lock, store)
        ended = [end.run_id for end in lock.unrecorded]
        news = read_log_news(context, store, [run.run_id for run in open_runs], ended)
    except StoreError as error:
        context.warn(incomplete(error))
        return Recovery(unread=error.reason)
    for run_id in set(ended).difference(
        news.missed, (open_run.run_id for open_run in open_runs)
    ):
        lock.forget(run_id)
    with context.as_warning():
        _complete_log(context, store, recorder)
    if not open_runs and not news.missed:
        return Recovery(place=news.place)
    configured = _as_configured(context)
    missed = missed_runs(context, lock, news, configured.project.scripts)
    unrecorded = Recovery(unrecorded=_outcomes(context, lock, open_runs, news, missed))
    try:
        runs = _as_they_ended(context, lock, store, open_runs, news)
        known = [run for run in missed if not run.is_due]
        store.add_runs([run.facts for run in known])
    except StoreError as error:
        context.warn(incomplete(error))
        return unrecorded
    for run in known:
        recorder.log_missing(run.facts, run.logged)
        _keep_unlogged(run.facts.run_id, store, recorder)
        lock.forget(run.facts.run_id)
    for recovered in (*runs, *(run for run in missed if run.is_due)):
        if not _end(recovered, configured, recorder, heartbeat):
            return unrecorded
        lock.forget(recovered.facts.run_id)
    return Recovery(place=news.place)


def unrecorded_outcomes(context: RunContext, store: Store) -> dict[str, Outcome]:
    """Return how scripts ended last as far as the records do not say it.

    Nothing is changed, and the project's lock is not taken.

    Raises:
        StoreError: the records cannot be read.
    """
    lock = project_lock(context.session.settings.home, context.project.path)
    lock.unrecorded = lock.read_unrecorded()
    open_runs = _open_runs(context, lock, store)
    ended = [end.run_id for end in lock.unrecorded]
    news = read_log_news(context, store, [run.run_id for run in open_runs], ended)
    missed = missed_runs(context, lock, news, context.project.scripts)
    return _outcomes(context, lock, open_runs, news, missed)


def _complete_log(context: RunContext, store: Store, recorder: RunRecorder) -> None:
    """Add the lines of earlier runs that the log refused when they ended."""
    try:
        unlogged = store.unlogged(context.project.path)
    except StoreError as error:
        context.warn(incomplete(error))
        return
    if not unlogged:
        return
    ids = {run.run_id for run, _numbers in unlogged}
    logged: set[tuple[str, str]] = set()
    # A runner may have died when they were written but not forgotten.
    with suppress(OSError):
        for line in read_log(context.logs, context.project.log_filename):
            if line.run_id in ids:
                logged.add((line.run_id, line.script))
    for run, numbers in unlogged:
        names = {result.number: result.script for result in run.scripts}
        missing = {
            number
            for number in numbers
            if (run.run_id, names.get(number, WHOLE_RUN)) not in logged
        }
        recorder.log_late(run, missing)
        _keep_unlogged(run.run_id, store, recorder)


def _keep_unlogged(run_id: str, store: Store, recorder: RunRecorder) -> None:
    """Record which lines of an ended run the log lacks now."""
    with suppress(StoreError):
        store.keep_unlogged(run_id, recorder.unlogged(run_id))


def _outcomes(
    context: RunContext,
    lock: FileLock,
    open_runs: Sequence[OpenRun],
    news: LogNews,
    missed: Sequence[RecoveredRun],
) -> dict[str, Outcome]:
    """Return how scripts ended last as far as the records do not say it."""
    ends = {end.run_id: end for end in lock.unrecorded}
    results = [
        result
        for run in reversed(open_runs)
        for result in ends_of(
            run,
            news.lines.get(run.run_id, ()),
            ends.get(run.run_id),
            context.project.path,
        )
    ]
    results += [result for run in missed for result in run.facts.scripts]
    return {result.script: result.outcome for result in results}


def _end(
    run: RecoveredRun,
    configured: RunContext,
    recorder: RunRecorder,
    heartbeat: RunHeartbeat,
) -> bool:
    """End a run in the log and in the records; report it where nobody knows of it."""
    readable = Readable(configured.masker, local_encoding())
    for path in (
        *outputs.files_of(configured.logs, run.facts.run_id),
        *outputs.files_of(configured.private_logs, run.facts.run_id),
    ):
        # What cannot be replaced is still masked wherever it is shown.
        with suppress(OSError):
            put_away(path, readable)
    recorder.log_missing(run.facts, run.logged)
    facts = run.facts
    reports: tuple[Message, ...] = ()
    if run.is_due:
        # Nobody else runs the project: what people know does not change meanwhile.
        memory = known_failures(facts, configured)
        decision = decide(facts, configured, memory)
        facts = replace(facts, held=decision.held)
        reports = report_messages(facts, configured, decision, memory)
    ended = bool(recorder.end_run(facts, reports))
    if run.is_due:
        heartbeat.end(facts)
        if fleet := configured.session.fleet:
            fleet.tell(facts.masked(configured.masker), configured.project)
    return ended


def _as_configured(context: RunContext) -> RunContext:
    """Return ``context`` with whom and when to report as the project's file says.

    That a run is started without reports, or for other recipients, says nothing about
    the one that died. Where the file cannot be read or wants no report, ``context``
    decides: no report is lost.
    """
    project, session = context.project, context.session
    try:
        configured = load_project(project.path, defaults=session.defaults)
    except PythonRunnerError:
        return context
    if configured.email_strategy is EmailStrategy.NONE:
        return context
    project = replace(
        project,
        recipients=configured.recipients,
        channels=configured.channels,
        email_strategy=configured.email_strategy,
        mail_after=configured.mail_after,
        remind=configured.remind,
    )
    return replace(context, project=project)


def _open_runs(context: RunContext, lock: FileLock, store: Store) -> list[OpenRun]:
    """Return the runs that never ended, by whichever path their project was named."""
    home = context.session.settings.home
    return [
        run
        for run in store.open_runs()
        if project_lock(home, run.path).path == lock.path
    ]


def _as_they_ended(
    context: RunContext,
    lock: FileLock,
    store: Store,
    open_runs: Sequence[OpenRun],
    news: LogNews,
) -> list[RecoveredRun]:
    """Return the open runs as they ended, oldest first.

    Raises:
        StoreError: the records cannot be read or written.
    """
    ends = {end.run_id: end for end in lock.unrecorded}
    by_log = set()
    for begun in open_runs:
        _end_processes(begun.run_id, context)
        lines = news.lines.get(begun.run_id, ())
        end = ends.get(begun.run_id)
        for result in ends_of(begun, lines, end, context.project.path):
            store.end_script(result)
            by_log.add(begun.run_id)
    died = lock.before.run_id if lock.before else None
    recovered = []
    for path in dict.fromkeys(run.path for run in open_runs):
        for run in store.interrupt_runs(path, context.session.now()):
            end = ends.get(run.run_id)
            facts = as_it_ended(run, end)
            # A runner that lived on while the records failed has sent the report.
            lived_on = run.run_id in by_log and run.run_id != died
            is_due = end is None and (
                facts.status is RunStatus.INTERRUPTED or not lived_on
            )
            logged = frozenset(line.script for line in news.lines.get(run.run_id, ()))
            recovered.append(RecoveredRun(facts=facts, logged=logged, is_due=is_due))
    return recovered


def _end_processes(run_id: str, context: RunContext) -> None:
    """Stop what a killed runner left running; those that do not hold the lock."""
    for process in end_scripts_of(run_id, context.masker):
        warning = Sentence.of(
            N_(
                "process {pid} ({name}) of run {run_id}, whose runner was killed, was"
                " still running and was stopped"
            ),
            pid=process.pid,
            name=process.name,
            run_id=run_id,
        )
        context.warn(warning)
