"""How a script compares with its past: decided by tables."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from python_runner.model import (
    Attempt,
    Comparison,
    Outcome,
    PastResult,
    ScriptResult,
    Streak,
    Traceback,
)
from python_runner.trends import (
    ENOUGH_SUCCESSES,
    PAST_RESULTS,
    compare,
)
from tests.support import NOW


pytestmark = pytest.mark.pure


S, F, T, N = Outcome.SUCCESS, Outcome.FAILURE, Outcome.TIMEOUT, Outcome.NOT_STARTED
#: What says nothing of the script itself.
QUIET = (Outcome.SKIPPED, Outcome.STOPPED, Outcome.INTERRUPTED)
FAULT = "KeyError@import.py:load"


def day(count: int) -> datetime:
    """Return the moment so many days ago."""
    return NOW - timedelta(days=count)


def past(
    *outcomes: Outcome, fingerprint: str | None = FAULT, exit_code: int = 1
) -> list[PastResult]:
    """Return one result a day, newest first."""
    return [
        PastResult(
            run_id=f"{days}",
            outcome=outcome,
            started_at=day(days),
            duration=10.0,
            fingerprint=fingerprint if outcome is F else None,
            exit_code=exit_code if outcome is F else None,
        )
        for days, outcome in enumerate(outcomes, 1)
    ]


def took(*seconds: float) -> list[PastResult]:
    """Return successes of these durations, newest first."""
    return [
        PastResult(run_id=f"{days}", outcome=S, started_at=day(days), duration=duration)
        for days, duration in enumerate(seconds, 1)
    ]


def now(
    outcome: Outcome = S,
    duration: float = 10.0,
    exception: str | None = "KeyError: 'montant'",
    file: str | None = "import.py",
    exit_code: int = 1,
) -> ScriptResult:
    """Return today's result."""
    traceback = exception and Traceback(
        text="...", exception=exception, file=file, line=12, function="load"
    )
    attempt = Attempt(
        outcome=outcome,
        exit_code=exit_code,
        started_at=NOW,
        duration=duration,
        traceback=traceback if traceback and outcome is F else None,
    )
    return ScriptResult(
        script="import.py",
        run_id="0",
        number=1,
        outcome=outcome,
        started_at=NOW,
        duration=duration,
        attempts=() if outcome in {N, Outcome.SKIPPED} else (attempt,),
    )


@pytest.mark.parametrize(
    ("seconds", "usual"),
    [
        ((), None),
        ((10.0,) * (ENOUGH_SUCCESSES - 1), None),
        ((10.0,) * ENOUGH_SUCCESSES, 10.0),
        ((9.0, 11.0, 10.0, 500.0, 10.0), 10.0),
    ],
)
def test_the_usual_is_the_middle_of_enough_successes(
    seconds: tuple[float, ...], usual: float | None
) -> None:
    """One long day changes nothing, and few days say nothing."""
    assert compare(now(), took(*seconds)).usual == usual


def test_failures_make_no_usual() -> None:
    """A script that dies at once is not quick."""
    assert compare(now(), past(S, F, S, F, S, F, S)).usual is None
    assert compare(now(), past(S, F, S, F, S, F, S, S)).usual == 10.0


@pytest.mark.parametrize("outcome", [N, Outcome.SKIPPED])
def test_what_never_ran_has_no_usual(outcome: Outcome) -> None:
    """How long it takes as a rule has nothing to do with it."""
    found = compare(now(outcome), took(*[10.0] * 9))
    assert found.usual is None


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((), Comparison(new=True)),
        ((S, S), Comparison(new=True)),
        ((T, N, S), Comparison(new=True)),
        ((F,), Comparison(same=Streak(count=1, since=day(1)))),
        ((F, F, F, S, F), Comparison(same=Streak(count=3, since=day(3)))),
        ((F, *QUIET, F, S), Comparison(same=Streak(count=2, since=day(5)))),
        ((S, F, F), Comparison(last_seen=day(2))),
        ((T, F), Comparison(last_seen=day(2))),
        (QUIET, Comparison(new=True)),
    ],
)
def test_a_failure_is_new_the_same_or_seen_before(
    outcomes: tuple[Outcome, ...], expected: Comparison
) -> None:
    """What was skipped, stopped or interrupted in between is passed over."""
    assert compare(now(F), past(*outcomes)) == expected


@pytest.mark.parametrize(
    ("outcomes", "recovered"),
    [
        ((), None),
        ((S, F), None),
        ((F, S), Streak(count=1, since=day(1))),
        ((F, T, N, F, S, F), Streak(count=4, since=day(4))),
        ((*QUIET, F, S), Streak(count=1, since=day(4))),
        (QUIET, None),
    ],
)
def test_a_success_ends_the_failures_before_it(
    outcomes: tuple[Outcome, ...], recovered: Streak | None
) -> None:
    """Failures of any kind count; a power cut alone is nothing to recover from."""
    found = compare(now(S), past(*outcomes))
    assert found == Comparison(recovered=recovered)


@pytest.mark.parametrize("outcome", QUIET)
def test_what_says_nothing_of_the_script_is_not_compared(outcome: Outcome) -> None:
    """A script that was stopped with its runner did not fail as it did yesterday."""
    assert compare(now(outcome), past(outcome, F, S)) == Comparison()


def test_a_row_that_fills_the_view_has_no_first() -> None:
    """Where more may have gone before, no date is claimed."""
    assert compare(now(F), past(*[F] * PAST_RESULTS)).same == Streak(
        count=PAST_RESULTS, since=None
    )
    assert compare(now(S), past(*[F] * PAST_RESULTS)).recovered == Streak(
        count=PAST_RESULTS, since=None
    )
    short = compare(now(F), past(*[F] * (PAST_RESULTS - 1))).same
    assert short == Streak(count=PAST_RESULTS - 1, since=day(PAST_RESULTS - 1))


@pytest.mark.parametrize(
    ("today", "fingerprint", "exit_code", "same"),
    [
        (now(F), FAULT, 1, True),
        (now(F, exception="KeyError: 'client'"), FAULT, 1, True),
        (now(F, exception="ValueError: 1"), FAULT, 1, False),
        (now(F, file="export.py"), FAULT, 1, False),
        (now(F, exception=None, exit_code=3), None, 3, True),
        (now(F, exception=None, exit_code=3), None, 4, False),
        (now(F, exception=None), FAULT, 1, False),
        # sys.exit() with a message: there is no frame, and it may name the day.
        (now(F, exception="no 24.csv", file=None), "no 23.csv", 1, True),
        (now(F, exception="no 24.csv", file=None), "no 23.xls", 1, False),
        (now(T), FAULT, 1, False),
    ],
)
def test_the_same_fault_is_type_and_place_else_the_exit_code(
    *, today: ScriptResult, fingerprint: str | None, exit_code: int, same: bool
) -> None:
    """Messages hold values that differ each day, and numbers do."""
    yesterday = past(F, fingerprint=fingerprint, exit_code=exit_code)
    found = compare(today, yesterday)
    assert (found.same is not None) == same
    assert found.new != same


@pytest.mark.parametrize("outcome", [T, N])
def test_outcomes_without_a_word_are_the_same_by_themselves(outcome: Outcome) -> None:
    """A second time-out is the same as the first, a missing file stays missing."""
    found = compare(now(outcome), past(outcome, S))
    assert found.same == Streak(count=1, since=day(1))
