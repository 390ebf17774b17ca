"""Pure decisions about a series, a run and its reports: no clock, no disk, no chance.

Every function here gets all it needs as arguments, so that a table can test it.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING

from python_runner.exit_codes import (
    EXIT_DOCUMENT,
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_REPORT,
    EXIT_SKIPPED,
    EXIT_SUCCESS,
    EXIT_TERMINATED,
    EXIT_USAGE,
)
from python_runner.facts import dataclass
from python_runner.model import (
    EmailStrategy,
    Held,
    HeldBy,
    MailStatus,
    OnFailure,
    Outcome,
    ReportDecision,
    RunStatus,
)
from python_runner.model.alert import errors_of_run
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from python_runner.model import (
        AlertMemory,
        AlertRules,
        Attempt,
        Run,
        Script,
        ScriptResult,
    )

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

#: How much too early the same error is repeated at most, as a share of ``remind`` and at
#: most: runs that a scheduler starts at the same time each day start seconds apart.
_EARLY, _EARLIEST = 0.01, 900.0
_DAY = 86400.0

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


@dataclass(frozen=True, slots=True)
class NextScripts:
    """The scripts of a series to start now, and those to skip, each with its reason."""

    start: tuple[Script, ...]
    skip: tuple[tuple[Script, Sentence], ...]


class Schedule:
    """Decides which scripts of a series start when; is told what has begun and ended.

    All its decisions together cost in proportion to the series.

    Args:
        scripts: the series; what a script needs is in it.
        on_failure: whether a failure ends the series.
        max_parallel: scripts that run at the same time, at most.
    """

    def __init__(
        self, scripts: Sequence[Script], *, on_failure: OnFailure, max_parallel: int
    ) -> None:
        self._scripts = scripts
        self._stops = on_failure is OnFailure.STOP
        self._most = max_parallel
        self._places = {script.name: place for place, script in enumerate(scripts)}
        self._waiting = {script.name: script for script in scripts}
        self._running: set[str] = set()
        #: In the order in which they ended.
        self._failed: dict[str, None] = {}
        #: What each script still waits for, and who waits for it.
        self._needs = {script.name: set(script.needs) for script in scripts}
        self._followers: defaultdict[str, list[str]] = defaultdict(list)
        for script in scripts:
            for needed in self._needs[script.name]:
                self._followers[needed].append(script.name)
        #: A heap of places: the order of the series. Some may wait no longer.
        self._ready = [self._places[s.name] for s in scripts if not s.needs]
        #: Those that need a script which did not succeed.
        self._unmet: set[str] = set()

    def begin(self, name: str) -> None:
        """Note that a script runs."""
        del self._waiting[name]
        self._running.add(name)

    def end(self, result: ScriptResult) -> None:
        """Note that a script has ended, or will not be started."""
        name = result.script
        self._waiting.pop(name, None)
        self._running.discard(name)
        if not result.succeeded:
            self._failed[name] = None
        for follower in self._followers.pop(name, ()):
            self._needs[follower].discard(name)
            if not result.succeeded:
                self._unmet.add(follower)
            elif not self._needs[follower]:
                heappush(self._ready, self._places[follower])

    def next(self, *, stopping: bool) -> NextScripts:
        """Return the scripts that start now, which run from now on, and those to skip.

        A script starts when all it needs has succeeded and a place is free, in the
        order of the series. Skipping one may mean skipping others: call this again when
        the skipped ones have ended.
        """
        skip = tuple(
            (script, self._why_skip(script, stopping=stopping))
            for script in self._skipped(stopping=stopping)
        )
        for script, _reason in skip:
            del self._waiting[script.name]
        start: list[Script] = []
        while self._ready and len(self._running) < self._most:
            script = self._scripts[heappop(self._ready)]
            if script.name in self._waiting:
                self.begin(script.name)
                start.append(script)
        return NextScripts(tuple(start), skip)

    def upcoming(self, most: int) -> list[Script]:
        """Return the next scripts in the order of the series, ``most`` at most."""
        return list(islice(self._waiting.values(), most))

    def _skipped(self, *, stopping: bool) -> list[Script]:
        if stopping or (self._stops and self._failed):
            return list(self._waiting.values())
        places = sorted(self._places[n] for n in self._unmet if n in self._waiting)
        self._unmet.clear()
        return [self._scripts[place] for place in places]

    def _why_skip(self, script: Script, *, stopping: bool) -> Sentence:
        if stopping:
            return stopped_before()
        for needed in script.needs:
            if needed in self._failed:
                return Sentence.of(
                    N_("it needs {script}, which did not succeed"),
                    script=needed,
                )
        return Sentence.of(
            N_('{script} failed, and on_failure is "stop"'),
            script=next(iter(self._failed)),
        )


def stopped_before() -> Sentence:
    """Say why a script is skipped whose run is stopped before its turn."""
    return Sentence.of(N_("the run was stopped before"))


def retry_wait(base: float, attempts: int) -> float:
    """Return the seconds to wait after ``attempts`` failed ones; doubles, up to a limit."""
    return min(base * 2.0 ** (attempts - 1), max(base, RETRY_CEILING))


def run_status(results: Iterable[ScriptResult], *, stopped: bool) -> RunStatus:
    """Return the status of a run by its scripts; ``stopped``: somebody ended it."""
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
        return tuple(r for r in run.scripts if not r.succeeded or r.unusual)
    return ()


def mail_due(run: Run, strategy: EmailStrategy, *, unusual: bool = False) -> bool:
    """Say whether ``run`` is reported: always, never, or when something is wrong.

    ``unusual``: a success in it has become unusual, and people want to be told.
    """
    if strategy is EmailStrategy.FAILURE_ONLY:
        return run.status is not RunStatus.SUCCESS or unusual
    return strategy is EmailStrategy.ALL


def report_due(
    run: Run, rules: AlertRules, memory: AlertMemory | None, *, unusual: bool = False
) -> ReportDecision:
    """Say whether a run that has ended is reported now, and if not, what holds it back.

    The one place that decides it, for mails and channels alike. A success is reported as
    :func:`mail_due` says, and where it ends failures that people were told of.

    Args:
        run: with all its results.
        rules: of its project.
        memory: of the runs before it; None: nobody knows, and nothing is held back.
        unusual: whether a success in it has become unusual, and people want to know.
    """
    if run.status not in INCIDENT:
        due = mail_due(run, rules.strategy, unusual=unusual)
        recovery = _is_recovery(run, rules, memory)
        return ReportDecision(due=due or recovery, recovery=recovery)
    if not mail_due(run, rules.strategy):
        return ReportDecision(due=False)
    held = _why_held(run, rules, memory) if memory else None
    return ReportDecision(due=held is None, held=held)


def _is_recovery(run: Run, rules: AlertRules, memory: AlertMemory | None) -> bool:
    """Say whether a success ends failures that people were told of, and wait to end."""
    # With "all" each success is told as ever.
    wanted = rules.strategy is EmailStrategy.FAILURE_ONLY and rules.remembers
    whole = run.status is RunStatus.SUCCESS and not run.part
    return wanted and whole and memory is not None and bool(memory.told)


def _why_held(run: Run, rules: AlertRules, memory: AlertMemory) -> Held | None:
    """Return what holds the report of a failed run back; None where it is due."""
    count = memory.failures + 1
    if count < rules.mail_after:
        reason = Sentence.of(
            N_("held back by mail_after: {count} of {wanted} failed runs in a row"),
            count=count,
            wanted=rules.mail_after,
        )
        return Held(by=HeldBy.MAIL_AFTER, reason=reason)
    if rules.remind is None:
        return None
    # What was told last of each error; in the order of recording, for a clock may jump.
    told: dict[tuple[str, str], datetime] = {}
    for failure in memory.told:
        for error in failure.errors:
            told.setdefault(error, failure.started_at)
    errors = errors_of_run(run)
    if not errors <= told.keys():
        return None
    oldest = min(told[error] for error in errors)
    if any(_is_past(told[e], run.started_at, rules.remind) for e in errors):
        return None
    until = _later(oldest, rules.remind)
    values = {"told": f"{oldest:%Y-%m-%d %H:%M}"}
    if until is None:
        template = N_("held back by remind: the same error was reported on {told}")
        return Held(by=HeldBy.REMIND, reason=Sentence.of(template, **values))
    template = N_(
        "held back by remind: the same error was reported on {told}, and is reported"
        " again from {until} on"
    )
    reason = Sentence.of(template, **values, until=f"{until:%Y-%m-%d %H:%M}")
    return Held(by=HeldBy.REMIND, reason=reason, until=until)


def _is_past(told: datetime, now: datetime, span: float) -> bool:
    """Say whether so many seconds have passed since people were told, or nearly.

    A clock that was set back tells nothing: they are told once more. Days are those of
    the calendar, which may have 23 hours.
    """
    passed = (now - told).total_seconds()
    if span >= _DAY:
        on_the_wall = now.replace(tzinfo=None) - told.replace(tzinfo=None)
        passed = max(passed, on_the_wall.total_seconds()) if passed >= 0 else passed
    return passed < 0 or passed >= span - min(span * _EARLY, _EARLIEST)


def _later(moment: datetime, seconds: float) -> datetime | None:
    """Return a moment so much later; None beyond the calendar."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


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
    signal that stopped the runner; a run that was stopped without one counts as if there
    had been SIGTERM. A project that does not run on this day is as it should be.
    ``given_up`` tells that the report of an earlier run
    was given up meanwhile.
    """
    if signal is not None:
        interrupted = signal in {"SIGINT", "SIGBREAK"}
        return EXIT_INTERRUPTED if interrupted else EXIT_TERMINATED
    runs = tuple(runs)
    statuses = {run.status for run in runs}
    given_up = given_up or any(run.mail_status is MailStatus.FAILED for run in runs)
    codes = (
        (RunStatus.STOPPED in statuses, EXIT_TERMINATED),
        (RunStatus.NOT_STARTED in statuses, EXIT_USAGE),
        (statuses - {RunStatus.SUCCESS, RunStatus.SKIPPED}, EXIT_FAILURE),
        (
            any(run.status is RunStatus.SKIPPED and not run.day_off for run in runs),
            EXIT_SKIPPED,
        ),
        (given_up, EXIT_REPORT),
        (document_lost, EXIT_DOCUMENT),
    )
    return next((code for follows, code in codes if follows), EXIT_SUCCESS)


def deserves_retry(attempt: Attempt) -> bool:
    """Say whether another attempt may help: not after a stop, not without a file."""
    helped = {Outcome.FAILURE, Outcome.TIMEOUT, Outcome.INTERRUPTED}
    return attempt.transient or attempt.outcome in helped


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
