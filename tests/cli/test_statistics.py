from __future__ import annotations

from datetime import UTC, datetime

import pytest

from python_runner.cli.tables import ASCII_LEVELS, BLOCKS, sparkline
from python_runner.model import Outcome, PastResult
from python_runner.trends import TREND, percentile, summarize


pytestmark = pytest.mark.pure


def past(outcome: Outcome, duration: float = 1.0) -> PastResult:
    """Return a past result."""
    return PastResult(
        run_id="0123456789abc",
        outcome=outcome,
        started_at=datetime(2026, 11, 24, tzinfo=UTC),
        duration=duration,
    )


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 50, None),
        ([3.0], 50, 3.0),
        ([3.0], 95, 3.0),
        ([2.0, 1.0], 50, 1.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([float(n) for n in range(1, 21)], 95, 19.0),
        ([float(n) for n in range(1, 22)], 95, 20.0),
        ([float(n) for n in range(1, 101)], 95, 95.0),
        ([5.0, 7.0], 0, 5.0),
        ([5.0, 7.0], 100, 7.0),
    ],
)
def test_percentile_is_a_value_that_was_measured(
    values: list[float], percent: int, expected: float | None
) -> None:
    """The nearest rank is taken, whatever the order of the values."""
    assert percentile(values, percent) == expected


def test_success_counts_what_ran_and_durations_what_succeeded() -> None:
    """A skipped script did not run; a failure's time says nothing of the usual one."""
    summary = summarize(
        [
            past(Outcome.SUCCESS, 3.0),
            past(Outcome.SKIPPED, 0.0),
            past(Outcome.TIMEOUT, 900.0),
            past(Outcome.INTERRUPTED, 50.0),
            past(Outcome.SUCCESS, 1.0),
        ]
    )

    assert summary.runs == 4
    assert summary.success_rate == 0.5
    assert (summary.p50, summary.p95) == (1.0, 3.0)
    assert summary.trend == (1.0, 3.0)


def test_nothing_is_known_of_what_never_ran() -> None:
    """Without a run there is no rate and no duration, not a zero."""
    summary = summarize([past(Outcome.SKIPPED)])

    assert summary.runs == 0
    assert summary.success_rate is None
    assert summary.p50 is None
    assert summary.p95 is None
    assert summary.trend == ()


def test_the_trend_holds_the_last_durations_oldest_first() -> None:
    """Results come newest first, a drawing is read from the left."""
    newest_first = [past(Outcome.SUCCESS, float(n)) for n in range(30, 0, -1)]

    trend = summarize(newest_first).trend

    assert len(trend) == TREND
    assert trend == tuple(float(n) for n in range(31 - TREND, 31))


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([0.0, 0.0], "▁▁"),
        ([2.0], "█"),
        ([7.0, 7.0], "██"),
        ([0.0, 1.0, 2.0, 3.5, 7.0], "▁▂▃▅█"),
        ([-1.0, 1.0], "▁█"),
    ],
)
def test_a_sparkline_grows_from_zero(values: list[float], drawn: str) -> None:
    """What takes twice as long is drawn twice as high; noise is not blown up."""
    assert sparkline(values, "utf-8") == drawn


def test_both_alphabets_draw_the_same() -> None:
    """The fall-back has as many levels, all in ASCII."""
    values = [float(n) for n in range(8)]

    assert len(ASCII_LEVELS) == len(BLOCKS)
    assert ASCII_LEVELS.isascii()
    assert sparkline(values, "utf-8") == BLOCKS
    assert sparkline(values, "cp1252") == ASCII_LEVELS
