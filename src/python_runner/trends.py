"""Compares a result with earlier ones: usual durations, recurring errors, statistics."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Comparison, Outcome, Streak


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from python_runner.model import PastResult, ScriptResult

#: Durations a trend shows.
TREND = 12
#: Earlier results of a script that a comparison looks at.
PAST_RESULTS = 50
#: Successes among them that make a usual duration.
ENOUGH_SUCCESSES = 5
#: A duration stands out if it is this many times the usual one or more, and at least this
#: many seconds longer.
SLOW_FACTOR, SLOW_SECONDS = 2.0, 30.0
#: So does the duration of a success that is at most this much of the usual one, and at
#: least this many seconds shorter: the script may have done nothing.
QUICK_FACTOR, QUICK_SECONDS = 0.25, 60.0
#: Outcomes that come from the script itself. The others are left out: it was skipped, it
#: was stopped with its runner, or the runner died.
OWN_OUTCOMES = frozenset(
    {Outcome.SUCCESS, Outcome.FAILURE, Outcome.TIMEOUT, Outcome.NOT_STARTED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics over the past results of one script.

    Attributes:
        runs: how often it ran.
        success_rate: share of the runs that succeeded, 0 to 1; None without a run.
        p50: seconds that half of its successes took at most; None without one.
        p95: seconds that 95 % of them took at most.
        trend: seconds of its last successes, oldest first.
    """

    runs: int
    success_rate: float | None
    p50: float | None
    p95: float | None
    trend: tuple[float, ...]


def summarize(results: Sequence[PastResult]) -> Statistics:
    """Sum up ``results``, newest first; those that never started do not count."""
    ran = [result for result in results if result.outcome is not Outcome.SKIPPED]
    durations = [result.duration for result in ran if result.outcome.succeeded]
    return Statistics(
        runs=len(ran),
        success_rate=len(durations) / len(ran) if ran else None,
        p50=percentile(durations, 50),
        p95=percentile(durations, 95),
        trend=tuple(reversed(durations[:TREND])),
    )


def compare(result: ScriptResult, past: Sequence[PastResult]) -> Comparison:
    """Compare a result with at most :data:`PAST_RESULTS` earlier ones, newest first."""
    durations = [p.duration for p in past if p.outcome.succeeded]
    usual = usual_duration(durations) if result.attempts else None
    factor = _factor(result, usual, durations) if usual else None
    if result.succeeded:
        recovered = _streak(past, lambda p: not p.outcome.succeeded)
        return Comparison(usual=usual, factor=factor, recovered=recovered)
    if result.outcome not in OWN_OUTCOMES:
        return Comparison(usual=usual, factor=factor)
    error = _error_of(result)
    seen = [p.started_at for p in past if _past_error(p) == error]
    same = _streak(past, lambda p: _past_error(p) == error)
    return Comparison(
        usual=usual,
        factor=factor,
        new=not seen,
        same=same,
        last_seen=seen[0] if seen and not same else None,
    )


def usual_duration(durations: Sequence[float]) -> float | None:
    """Return the seconds in the middle of those of successes; None while they are few."""
    return percentile(durations, 50) if len(durations) >= ENOUGH_SUCCESSES else None


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that ``percent`` % of ``values`` do not exceed."""
    if not values:
        return None
    # Nearest rank, in whole numbers: 0.95 times 20 is not 19 to a float.
    rank = -(-percent * len(values) // 100)
    return sorted(values)[max(rank, 1) - 1]


def _factor(
    result: ScriptResult, usual: float, durations: Sequence[float]
) -> float | None:
    """Return how many times the usual a duration is, if it stands out.

    It must differ by much, and be longer (or shorter) than nine tenths of the others: a
    script that is slow every Monday does not stand out on a Monday.
    """
    factor, beside = result.duration / usual, result.duration - usual
    rank = sum(d < result.duration for d in durations) / len(durations)
    slow = factor >= SLOW_FACTOR and beside >= SLOW_SECONDS and rank >= 0.9  # noqa: PLR2004
    quick = factor <= QUICK_FACTOR and -beside >= QUICK_SECONDS and rank <= 0.1  # noqa: PLR2004
    return factor if slow or (quick and result.succeeded) else None


def _streak(
    past: Sequence[PastResult], alike: Callable[[PastResult], bool]
) -> Streak | None:
    own = [p for p in past if p.outcome in OWN_OUTCOMES]
    row = list(takewhile(alike, own))
    if not row:
        return None
    open_end = len(row) == len(own) and len(past) >= PAST_RESULTS
    return Streak(count=len(row), since=None if open_end else row[-1].started_at)


def _error_of(result: ScriptResult) -> str:
    traceback = result.last_traceback
    fingerprint = traceback.fingerprint if traceback else None
    return _error_name(result.outcome, fingerprint, result.exit_code)


def _past_error(past: PastResult) -> str:
    return _error_name(past.outcome, past.fingerprint, past.exit_code)


def _error_name(
    outcome: Outcome, fingerprint: str | None, exit_code: int | None
) -> str:
    """Return a name that two failures share if they are the same error."""
    if outcome is not Outcome.FAILURE:
        return outcome.value
    # The message of sys.exit() may hold today's date, or how many rows were missing.
    return re.sub(r"[0-9]+", "0", fingerprint) if fingerprint else f"exit {exit_code}"
