"""Whether a run is reported, by what people know already: decided by tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    AlertMemory,
    AlertRules,
    EmailStrategy,
    HeldBy,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    ToldFailure,
    Traceback,
)
from python_runner.model.alert import errors_of_run
from python_runner.policy import report_due
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from tests.support import MakeResult, MakeRun

pytestmark = pytest.mark.pure

ALL, NONE, ONLY = EmailStrategy.ALL, EmailStrategy.NONE, EmailStrategy.FAILURE_ONLY
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: The errors of scripts, as tests write them: a script and what it fails with.
A, A2, B = "a.py KeyError", "a.py ValueError", "b.py KeyError"


def errors(*written: str) -> frozenset[tuple[str, str]]:
    """Return errors as the memory holds them."""
    pairs = (text.split() for text in written)
    return frozenset((script, f"{kind}@{script}:load") for script, kind in pairs)


def told(ago: timedelta, *written: str) -> ToldFailure:
    """Return a failed run that people know of."""
    return ToldFailure(started_at=NOW - ago, errors=errors(*written))


def knows(*failures: ToldFailure, count: int = 0) -> AlertMemory:
    """Return what people know, the last told first, of ``count`` failed runs in all."""
    count = max(count, len(failures))
    return AlertMemory(failures=count, since=NOW - DAY, told=failures)


@pytest.fixture
def failing(make_run: MakeRun, make_result: MakeResult) -> object:
    """Return a function that makes a run whose scripts fail so; none: it succeeds."""

    def make(*written: str, **changes: object) -> Run:
        results: list[ScriptResult] = []
        for number, text in enumerate(written, 1):
            script, kind = text.split()
            traceback = Traceback(
                text=kind, exception=kind, file=script, line=1, function="load"
            )
            results.append(
                make_result(script, Outcome.FAILURE, number=number, traceback=traceback)
            )
        good = make_result("good.py", number=len(results) + 1)
        return make_run(*results, good, **changes)

    return make


@pytest.mark.parametrize("strategy", [ALL, ONLY, NONE])
@pytest.mark.parametrize("status", RunStatus)
def test_without_the_keys_the_strategy_alone_decides(
    failing: MakeRun, strategy: EmailStrategy, status: RunStatus
) -> None:
    """Whatever people know, a project without these keys is reported as ever."""
    memory = knows(told(HOUR, A), count=7)
    for run in (failing(A, status=status), failing(status=status)):
        due = strategy is ALL or (strategy is ONLY and status is not RunStatus.SUCCESS)
        decision = report_due(run, AlertRules(strategy=strategy), memory)
        assert (decision.due, decision.held, decision.recovery) == (due, None, False)


@pytest.mark.parametrize(
    ("wanted", "failures", "due"),
    [
        (1, 0, True),
        (2, 0, False),
        (2, 1, True),
        (3, 1, False),
        (3, 2, True),
        (3, 9, True),
        (10**30, 10**6, False),
    ],
)
@pytest.mark.parametrize(
    "status",
    [
        RunStatus.FAILURE,
        RunStatus.STOPPED,
        RunStatus.INTERRUPTED,
        RunStatus.NOT_STARTED,
    ],
)
def test_mail_after_counts_failed_runs_in_a_row(
    failing: MakeRun, wanted: int, failures: int, due: bool, status: RunStatus
) -> None:
    """Every end that is no success counts; people are told from number N on."""
    rules = AlertRules(strategy=ONLY, mail_after=wanted)
    run = failing(A, status=status)

    decision = report_due(run, rules, AlertMemory(failures=failures))

    assert decision.due is due
    if not due:
        assert decision.held is not None
        assert (decision.held.by, decision.held.until) == (HeldBy.MAIL_AFTER, None)
        assert f"{failures + 1} of {wanted} failed runs" in str(decision.held.reason)


@pytest.mark.parametrize(
    ("now", "memory", "due"),
    [
        # Nobody knows of anything, or of something else.
        ([A], [], True),
        ([A], [told(HOUR, A2)], True),
        ([A], [told(HOUR, B)], True),
        # The same, too early and in time; some seconds early is in time.
        ([A], [told(HOUR, A)], False),
        ([A], [told(DAY, A)], True),
        ([A], [told(DAY - timedelta(minutes=10), A)], True),
        ([A], [told(DAY - timedelta(minutes=30), A)], False),
        # A second script fails beside the first; one of two has recovered.
        ([A, B], [told(HOUR, A)], True),
        ([A], [told(HOUR, A, B)], False),
        ([A, B], [told(HOUR, A), told(2 * HOUR, B)], False),
        # Another error in between makes the first one no news.
        ([A], [told(HOUR, A2), told(2 * HOUR, A)], False),
        # Each error counts from when it was told last.
        ([A], [told(HOUR, A), told(DAY, A)], False),
        ([A], [told(HOUR, B), told(DAY, A)], True),
        ([A, B], [told(HOUR, A, B), told(DAY, A)], False),
        ([A, B], [told(HOUR, B), told(DAY, A)], True),
        # The clock was set back since: what is told later than now is told once more.
        ([A], [told(-HOUR, A)], True),
        # What was recorded last counts, whatever its clock said.
        ([A], [told(HOUR, A), told(-DAY, A)], False),
        ([A], [told(-HOUR, A), told(HOUR, A)], True),
    ],
)
def test_remind_tells_an_error_once_in_its_time(
    failing: MakeRun, now: list[str], memory: list[ToldFailure], due: bool
) -> None:
    """What is new is told at once, what is known is repeated when its time is over."""
    rules = AlertRules(strategy=ONLY, remind=DAY.total_seconds())

    decision = report_due(failing(*now), rules, knows(*memory))

    assert decision.due is due
    assert (decision.held is None) is due
    if decision.held:
        assert decision.held.by is HeldBy.REMIND
        assert decision.held.until is not None
        assert NOW < decision.held.until <= NOW + DAY


def test_until_when_it_is_held_back_is_when_it_is_due(failing: MakeRun) -> None:
    """A run that begins at the moment that people were told is reported."""
    rules = AlertRules(strategy=ONLY, remind=DAY.total_seconds())
    memory = knows(told(HOUR, B), told(5 * HOUR, A))
    held = report_due(failing(A, B), rules, memory).held
    assert held is not None
    assert held.until == NOW - 5 * HOUR + DAY

    assert report_due(failing(A, B, started_at=held.until), rules, memory).due
    early = held.until - HOUR
    assert not report_due(failing(A, B, started_at=early), rules, memory).due


@pytest.mark.parametrize(("shift", "hours"), [(1, 23), (-1, 25)])
def test_a_day_is_one_of_the_calendar(failing: MakeRun, shift: int, hours: int) -> None:
    """A daily run is reminded of daily, also when the clocks change in the night."""
    rules = AlertRules(strategy=ONLY, remind=DAY.total_seconds())
    before = datetime(2026, 3, 28, 6, tzinfo=timezone(timedelta(hours=1)))
    after = before + timedelta(hours=hours)
    after = after.astimezone(timezone(timedelta(hours=1 + shift)))
    assert after.hour == before.hour
    memory = AlertMemory(
        failures=1,
        since=before,
        told=(ToldFailure(started_at=before, errors=errors(A)),),
    )

    assert report_due(failing(A, started_at=after), rules, memory).due


@pytest.mark.parametrize(
    ("span", "passed", "due"),
    [
        (1.0, 0.5, False),
        (1.0, 1.0, True),
        (60.0, 59.0, False),
        (3600.0, 3500.0, False),
        (3600.0, 3565.0, True),
        (1e10, 1e9, False),
    ],
)
def test_spans_of_any_length(
    failing: MakeRun, span: float, passed: float, due: bool
) -> None:
    """A second and three centuries hold; nothing overflows."""
    rules = AlertRules(strategy=ONLY, remind=span)
    memory = knows(told(timedelta(seconds=passed), A))
    late = failing(A)

    assert report_due(late, rules, memory).due is due


def test_what_is_held_back_says_since_when_and_until_when(failing: MakeRun) -> None:
    """Who wonders about a missing mail finds both in the records."""
    rules = AlertRules(strategy=ONLY, remind=DAY.total_seconds())

    held = report_due(failing(A), rules, knows(told(HOUR, A))).held

    assert held is not None
    assert held.until == NOW - HOUR + DAY
    assert str(held.reason) == (
        f"held back by remind: the same error was reported on {NOW - HOUR:%Y-%m-%d %H:%M},"
        f" and is reported again from {NOW - HOUR + DAY:%Y-%m-%d %H:%M} on"
    )


def test_a_span_beyond_the_calendar_holds_back_for_good(failing: MakeRun) -> None:
    """The last year of the calendar is 9999: there is no moment to name."""
    end = datetime.max.replace(tzinfo=NOW.tzinfo) - DAY
    memory = knows(ToldFailure(started_at=end - HOUR, errors=errors(A)))
    rules = AlertRules(strategy=ONLY, remind=1e10)

    held = report_due(failing(A, started_at=end), rules, memory).held

    assert held is not None
    assert held.until is None
    assert "again" not in str(held.reason)


def test_both_keys_together(failing: MakeRun) -> None:
    """Nothing is told before the Nth failure, not even a new error; then once a day."""
    rules = AlertRules(strategy=ONLY, mail_after=3, remind=DAY.total_seconds())
    for count, due in ((0, False), (1, False), (2, True)):
        assert report_due(failing(A2), rules, knows(count=count)).due is due
    again = report_due(failing(A), rules, knows(told(HOUR, A), count=5))
    assert again.held is not None
    assert again.held.by is HeldBy.REMIND
    assert report_due(failing(A, B), rules, knows(told(HOUR, A), count=5)).due


@pytest.mark.parametrize("keys", [{"mail_after": 2}, {"remind": 60.0}])
@pytest.mark.parametrize(
    ("strategy", "memory", "part", "told"),
    [
        # Who was told of a failure is told of its end.
        (ONLY, knows(told(HOUR, A)), False, (True, True)),
        (ONLY, knows(told(9 * DAY, A), count=40), False, (True, True)),
        # Nobody was told, or nothing failed, or the rest of the series did not run.
        (ONLY, knows(count=1), False, (False, False)),
        (ONLY, knows(), False, (False, False)),
        (ONLY, knows(told(HOUR, A)), True, (False, False)),
        # A success is told as ever, or never.
        (ALL, knows(count=1), False, (True, False)),
        (ALL, knows(told(HOUR, A)), True, (True, False)),
        (NONE, knows(told(HOUR, A)), False, (False, False)),
    ],
)
def test_a_recovery_is_told_to_who_knows_of_the_failure(
    failing: MakeRun,
    *,
    keys: dict[str, int],
    strategy: EmailStrategy,
    memory: AlertMemory,
    part: bool,
    told: tuple[bool, bool],
) -> None:
    """Also under ``failure_only``, and never where the failure was held back."""
    rules = AlertRules(strategy=strategy, **keys)

    decision = report_due(failing(part=part), rules, memory)

    assert (decision.due, decision.recovery) == told
    assert decision.held is None


@pytest.mark.parametrize("strategy", [ALL, ONLY])
def test_a_skipped_run_is_told_whatever_failed(
    failing: MakeRun, strategy: EmailStrategy
) -> None:
    """It is no failure: neither key holds it back."""
    rules = AlertRules(strategy=strategy, mail_after=5, remind=60.0)
    assert report_due(failing(status=RunStatus.SKIPPED), rules, knows()).due


@pytest.mark.parametrize("status", RunStatus)
def test_none_tells_nothing(failing: MakeRun, status: RunStatus) -> None:
    """And nothing of it is held back: nobody waits for it."""
    rules = AlertRules(strategy=NONE, mail_after=5, remind=60.0)
    decision = report_due(failing(A, status=status), rules, knows(told(HOUR, A)))
    assert not decision.due
    assert decision.held is None


@pytest.mark.parametrize("strategy", [ALL, ONLY])
def test_what_nobody_knows_holds_nothing_back(
    failing: MakeRun, strategy: EmailStrategy
) -> None:
    """Without records a failure is told rather than lost."""
    rules = AlertRules(strategy=strategy, mail_after=5, remind=60.0)
    assert report_due(failing(A), rules, None).due


def test_what_makes_two_failures_the_same(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """Exception and place, exit code, or outcome, of each script that failed itself."""

    def failed(exception: str | None, function: str = "load") -> ScriptResult:
        one = make_result("a.py", Outcome.FAILURE)
        traceback = Traceback(
            text="x", exception=exception, file="a.py", line=3, function=function
        )
        (attempt,) = one.attempts
        return replace(one, attempts=(replace(attempt, traceback=traceback),))

    def run_of(*results: ScriptResult, **changes: object) -> frozenset[object]:
        return errors_of_run(make_run(*results, **changes))

    first = run_of(failed("KeyError: 'x'"))
    assert first == run_of(failed("KeyError: 'another'"))
    assert first != run_of(failed("ValueError: x"))
    assert first != run_of(failed("KeyError: 'x'", function="save"))
    assert run_of(failed("no rows on 2026-11-23")) == run_of(
        failed("no rows on 2027-01-02")
    )
    # What follows from it adds nothing, whether or not it is there.
    follows = make_result("b.py", Outcome.SKIPPED, number=2)
    assert first == run_of(failed("KeyError: 'x'"), follows)
    assert first != run_of(
        failed("KeyError: 'x'"), make_result("b.py", Outcome.TIMEOUT)
    )
    # A run that never began is known by its reason, not by the scripts that it lacks.
    never = make_result("a.py", Outcome.NOT_STARTED)
    without = {"status": RunStatus.NOT_STARTED}
    gone = Sentence.of("python {v} is gone", v="3.11.9")
    assert run_of(never, error=gone, **without) == run_of(
        make_result("z.py", Outcome.NOT_STARTED),
        error=Sentence.of("python {v} is gone", v="3.11.10"),
        **without,
    )
    other = Sentence.of("the share is away")
    assert run_of(never, error=gone, **without) != run_of(never, error=other, **without)
    assert run_of(status=RunStatus.INTERRUPTED) == {("", "interrupted")}
    # Halves of characters are kept as the records give them back.
    half = replace(failed("KeyError: x"), script="\udc80.py")
    assert run_of(half) == {("\\udc80.py", "KeyError@a.py:load")}
