"""Pure decisions about a series, a run and its reports: no clock, no disk, no chance.

Every function here gets all it needs as arguments, so that a table can test it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.model import (
    EmailStrategy,
    MailStatus,
    OnFailure,
    Outcome,
    RunStatus,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from python_runner.model import Run, Script, ScriptResult

#: Longest wait between two attempts of a script, in seconds: a doubling delay must not
#: push the last retry into the next day.
RETRY_CEILING = 3600.0

#: First and longest wait between two attempts to deliver a message, and how long it is
#: worth trying: what mail servers do, so that a week-end without a network is survived.
DELIVERY_WAIT = timedelta(minutes=5)
DELIVERY_CEILING = timedelta(hours=4)
DELIVERY_LIFE = timedelta(days=5)
#: Longest wait a mail server may ask for.
DELIVERY_ASKED = timedelta(days=1)

#: Runs that make an incident, which a success ends. A skipped run does neither: another
#: one was active.
INCIDENT = frozenset(
    {
        RunStatus.FAILURE,
        RunStatus.STOPPED,
        RunStatus.INTERRUPTED,
        RunStatus.NOT_STARTED,
    }
)

#: Every script succeeded.
EXIT_SUCCESS = 0
#: A script did not succeed.
EXIT_FAILURE = 1
#: Wrong usage, or a project that could not be run at all.
EXIT_USAGE = 2
#: A project was skipped because a run of it is active.
EXIT_SKIPPED = 3
#: The scripts succeeded, but a report has been given up.
EXIT_REPORT = 4
#: The scripts succeeded, but the document that was asked for could not be written.
EXIT_DOCUMENT = 5
#: Ctrl-C, or its like on Windows: 128 + SIGINT, as a shell has it.
EXIT_INTERRUPTED = 130
#: Any other signal that asks to stop: 128 + SIGTERM.
EXIT_TERMINATED = 143


@dataclass(frozen=True, slots=True)
class NextScripts:
    """The scripts of a series to start now, and those to skip, each with its reason."""

    start: tuple[Script, ...]
    skip: tuple[tuple[Script, Sentence], ...]


def next_scripts(
    scripts: Sequence[Script],
    *,
    results: Mapping[str, ScriptResult],
    running: Collection[str],
    on_failure: OnFailure,
    max_parallel: int,
    stopping: bool,
) -> NextScripts:
    """Decide which scripts start now, and which are skipped.

    ``results`` holds the scripts that have ended, ``running`` those that have not. A
    script starts when all it needs has succeeded and a place is free, in the order of
    the series. Skipping one may mean skipping others: call this again with the skipped
    ones in ``results``.
    """
    waiting = [s for s in scripts if s.name not in results and s.name not in running]
    skip = tuple(
        (script, reason)
        for script in waiting
        if (reason := _why_skip(script, results, on_failure, stopping=stopping))
    )
    skipped = {script.name for script, _ in skip}
    ready = [
        script
        for script in waiting
        if script.name not in skipped and all(n in results for n in script.needs)
    ]
    return NextScripts(tuple(ready[: max(0, max_parallel - len(running))]), skip)


def _why_skip(
    script: Script,
    results: Mapping[str, ScriptResult],
    on_failure: OnFailure,
    *,
    stopping: bool,
) -> Sentence | None:
    if stopping:
        return Sentence.of(N_("not started: the run was stopped"))
    for needed in script.needs:
        if needed in results and not results[needed].succeeded:
            return Sentence.of(
                N_("not started: it needs {script}, which did not succeed"),
                script=needed,
            )
    if on_failure is OnFailure.STOP:
        for name, result in results.items():
            if not result.succeeded:
                return Sentence.of(
                    N_("not started: {script} failed, and the series stops then"),
                    script=name,
                )
    return None


def retry_wait(base: float, attempts: int) -> float:
    """Return the seconds to wait after ``attempts`` failed ones; doubles, up to a limit."""
    return min(base * 2.0 ** (attempts - 1), max(base, RETRY_CEILING))


def run_status(results: Iterable[ScriptResult], *, stopped: bool) -> RunStatus:
    """Return the status of a run by its scripts; ``stopped``: a signal ended it."""
    if stopped:
        return RunStatus.STOPPED
    if all(result.succeeded for result in results):
        return RunStatus.SUCCESS
    return RunStatus.FAILURE


def reported_scripts(run: Run, strategy: EmailStrategy) -> tuple[ScriptResult, ...]:
    """Return the scripts a report names under ``strategy``."""
    if strategy is EmailStrategy.ALL:
        return run.scripts
    if strategy is EmailStrategy.FAILURE_ONLY:
        return run.failed_scripts
    return ()


def mail_due(run: Run, strategy: EmailStrategy) -> bool:
    """Say whether ``run`` is reported: always, never, or when something is wrong."""
    if strategy is EmailStrategy.FAILURE_ONLY:
        return run.status is not RunStatus.SUCCESS
    return strategy is EmailStrategy.ALL


def exit_code(
    runs: Iterable[Run],
    *,
    signal: str | None = None,
    given_up: bool = False,
    document_lost: bool = False,
) -> int:
    """Return the exit code of the command, the one number that a scheduler sees.

    What keeps a whole project from running outweighs a failed script, which outweighs
    a skipped project, which outweighs a lost report, which outweighs a lost document
    (``--json``). ``signal`` is the name of the
    signal that stopped the runner; ``given_up`` tells that the report of an earlier run
    was given up meanwhile.
    """
    if signal is not None:
        interrupted = signal in {"SIGINT", "SIGBREAK"}
        return EXIT_INTERRUPTED if interrupted else EXIT_TERMINATED
    runs = tuple(runs)
    statuses = {run.status for run in runs}
    if RunStatus.NOT_STARTED in statuses:
        return EXIT_USAGE
    if statuses - {RunStatus.SUCCESS, RunStatus.SKIPPED}:
        return EXIT_FAILURE
    if RunStatus.SKIPPED in statuses:
        return EXIT_SKIPPED
    if given_up or any(run.mail_status is MailStatus.FAILED for run in runs):
        return EXIT_REPORT
    return EXIT_DOCUMENT if document_lost else EXIT_SUCCESS


def deserves_retry(outcome: Outcome) -> bool:
    """Say whether another attempt may help: not after a stop, not without a file."""
    return outcome in {Outcome.FAILURE, Outcome.TIMEOUT}


def next_try(
    queued_at: datetime, attempts: int, now: datetime, *, asked: float = 0.0
) -> datetime | None:
    """Return when a message is tried again after ``attempts`` that failed.

    None five days after it was queued: given up.

    Args:
        queued_at: when the message was made.
        attempts: how many failed.
        now: the present moment.
        asked: seconds that the server asks to wait, which may be longer.
    """
    if now - queued_at >= DELIVERY_LIFE:
        return None
    longest = timedelta(seconds=min(asked, DELIVERY_ASKED.total_seconds()))
    return now + max(delivery_wait(attempts), longest)


def delivery_wait(attempts: int) -> timedelta:
    """Return how long to wait after ``attempts``: five minutes, doubling to four hours."""
    # The doubling passes the ceiling at the seventh; a higher power may overflow.
    return min(DELIVERY_WAIT * 2.0 ** (min(attempts, 7) - 1), DELIVERY_CEILING)
