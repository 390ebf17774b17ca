"""How a script has done lately, in numbers and in one small drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_runner.model import Outcome
from python_runner.policy import percentile


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.model import PastResult

#: Levels of a sparkline, lowest first.
BLOCKS = "▁▂▃▄▅▆▇█"
#: The same for streams that cannot write those.
ASCII_LEVELS = "_.-=+*#@"
#: Durations a trend shows.
TREND = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What the past results of one script say.

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


def sparkline(values: Sequence[float], levels: str = BLOCKS) -> str:
    """Draw one character a value, from 0 to the largest: twice as long, twice as high."""
    ceiling = max(values, default=0.0)
    if ceiling <= 0:
        return levels[0] * len(values)
    top = len(levels) - 1
    return "".join(levels[round(max(value, 0.0) / ceiling * top)] for value in values)
