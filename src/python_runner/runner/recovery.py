"""Recovers the runs whose runner died, and says whether a run's runner is alive.

A runner holds its project's lock until its run has ended. A runner that gets the lock and
finds a run that has not ended knows that the other runner is dead. A command that only
reads must not touch the lock: it compares the process id and the start that the lock's
file names.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from socket import gethostname
from typing import TYPE_CHECKING

from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.capture import mask_file
from python_runner.execution.orphans import (
    end_scripts_of,
    is_alive,
    process_start,
    scripts_of,
)
from python_runner.model import EmailStrategy
from python_runner.records import outputs
from python_runner.records.locks import Holder, project_lock
from python_runner.records.store import StoreError
from python_runner.runner.recorder import RunRecorder
from python_runner.runner.reports import report_messages
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import OpenRun, Run
    from python_runner.records.locks import FileLock
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext
    from python_runner.runner.heartbeat import RunHeartbeat


def this_runner(context: RunContext) -> Holder:
    """Return what the project's lock says of this process while it holds the lock."""
    return Holder(
        pid=os.getpid(),
        host=gethostname(),
        run_id=context.run_id,
        started_at=context.started_at,
        process_start=process_start(os.getpid()),
    )


def was_interrupted(run: OpenRun, store: Store, home: Path) -> bool:
    """Say whether the runner of a run that was found open died.

    It may have ended since. A lock of the state folder ``home`` whose file is gone or
    unreadable names no runner: nobody is waited for then.

    Raises:
        StoreError: the records cannot be read.
    """
    holder = project_lock(home, run.path).holder()
    if holder is not None and holder.run_id == run.run_id and _lives(holder):
        return False
    # A runner ends its run before it gives the lock back.
    return store.run(run.run_id) is None


def _lives(holder: Holder) -> bool:
    """Say whether a runner lives, on this machine whatever its name was.

    The state folder is on a local disk: another name is that of a machine that was
    renamed, or of a container that was made anew.
    """
    return is_alive(holder.pid, holder.process_start)


def why_locked(lock: FileLock) -> Sentence:
    """Return the sentence that says what keeps this run from beginning."""
    holder = lock.holder()
    if holder is None:
        return Sentence.of(N_("another run of the project is active"))
    if not _lives(holder) and (scripts := scripts_of(holder.run_id)):
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


def recover(context: RunContext, lock: FileLock, heartbeat: RunHeartbeat) -> None:
    """End, log and report the runs of the project whose runner died.

    Without the lock nothing proves that a runner is dead, and nothing is done. What
    goes wrong is a warning of the run that comes next, whose ``context`` this is. Where
    that one sends no report, theirs are queued, for a later run to send.
    """
    store = context.session.store
    if store is None or not lock.held:
        return
    recorder = RunRecorder(context)
    try:
        runs = _interrupted_runs(context, lock, store, recorder)
    except StoreError as error:
        context.warn(error.reason)
        return
    reported = _as_configured(context) if runs else context
    for run in runs:
        for path in (
            *outputs.files_of(context.logs, run.run_id),
            *outputs.files_of(context.private_logs, run.run_id),
        ):
            # What cannot be replaced is still masked wherever it is shown.
            with suppress(OSError):
                mask_file(path, context.masker)
        recorder.log_missing(run)
        recorder.end_run(run, report_messages(run, reported))
        heartbeat.end(run)


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
    )
    return replace(context, project=project)


def _interrupted_runs(
    context: RunContext, lock: FileLock, store: Store, recorder: RunRecorder
) -> list[Run]:
    """Return the runs that never ended, by whichever path their project was named."""
    home = context.session.settings.home
    open_runs = [
        run
        for run in store.open_runs()
        if project_lock(home, run.path).path == lock.path
    ]
    for run in open_runs:
        # Those that do not hold the lock, before any script starts.
        for process in end_scripts_of(run.run_id):
            warning = Sentence.of(
                N_(
                    "process {pid} ({name}) of run {run_id}, whose runner was killed, still ran"
                    " and was stopped"
                ),
                pid=process.pid,
                name=process.name,
                run_id=run.run_id,
            )
            context.warn(warning)
        recorder.record_from_log(run)
    return [
        run
        for path in dict.fromkeys(run.path for run in open_runs)
        for run in store.interrupt_runs(path, context.session.now())
    ]
