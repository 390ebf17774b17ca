"""Compares results with earlier ones: usual durations, errors, statistics, rhythms.

Whether a success is unusual, :mod:`python_runner.unusual` says.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Comparison, Outcome, Streak


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from python_runner.model import PastResult, ScriptResult

#: Durations a trend shows.
TREND = 12
#: Earlier results of a script that a comparison looks at.
PAST_RESULTS = 50
#: Successes among them that make a usual duration.
ENOUGH_SUCCESSES = 5
#: Outcomes that come from the script itself. The others are left out: it was skipped, it
#: was stopped with its runner, or the runner died.
OWN_OUTCOMES = frozenset(
    {Outcome.SUCCESS, Outcome.FAILURE, Outcome.TIMEOUT, Outcome.NOT_STARTED}
)

#: Starts of a project that its rhythm is learnt from, one an hour, at most and at least;
#: the least on as many days, so that an hour of trying something out is no rhythm.
MOST_STARTS, ENOUGH_STARTS = 1000, 5
#: Days before the last start that tell on which days of the week a project runs, and how
#: many days in a row it lets pass.
_WEEKS, _YEAR = timedelta(weeks=12), timedelta(days=400)
#: A day of the week is usual if the project ran on so many of them, and on this share.
_OFTEN, _MOSTLY = 3, 0.75
#: Share of the usual days that may have passed without a start; beyond, there is no
#: rhythm of days.
_PASSED = 0.1
#: Usual days in a row that may pass, however many did so once.
_MOST_PASSED = 3
#: A gap is too long if it is this many times the longest one before: where gaps are alike
#: (the longest at most so many times the middle one), and where they are not.
_ALIKE, _FACTOR_ALIKE, _FACTOR = 1.5, 1.4, 3.0
#: No shorter gap is too long: a computer was restarted, a project was under repair.
_LEAST_GAP = timedelta(hours=3)
#: Added where nobody has seen yet what the project does at a weekend, with a public
#: holiday beside it.
_UNSEEN_WEEKEND = timedelta(days=4)
#: A start may be so much later in the day than ever before.
_LATER = timedelta(hours=1)
_WEEK, _WORKING_DAYS = frozenset(range(7)), frozenset(range(5))
_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A project that has not been started though its rhythm says so.

    Attributes:
        expected_at: about when it should have been started.
        weekdays: the days of the week on which it is started (0 is Monday); empty where
            the gaps between its starts tell more.
        every: the usual gap between two starts, in seconds.
        starts: how many starts this was learnt from.
    """

    expected_at: datetime
    weekdays: frozenset[int]
    every: float
    starts: int


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
    if result.succeeded:
        recovered = _streak(past, lambda p: not p.outcome.succeeded)
        return Comparison(usual=usual, recovered=recovered)
    if result.outcome not in OWN_OUTCOMES:
        return Comparison(usual=usual)
    error = result.error_name
    seen = [p.started_at for p in past if p.error_name == error]
    same = _streak(past, lambda p: p.error_name == error)
    return Comparison(
        usual=usual,
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


def silence(starts: Sequence[datetime], now: datetime) -> Silence | None:
    """Say whether a project has been silent for longer than its rhythm explains.

    Weekends, public holidays, and rhythms of a week, a month or a quarter are none: the
    past of the project itself says how long a gap may be. Two rules are applied, and
    either is enough. By the days of the week, more usual days in a row have passed without
    a start than ever before (by working days one may: a public holiday). By the gaps, the
    present one is far longer than the longest before.

    Args:
        starts: of the project, all with the time zone of the computer;
            :data:`MOST_STARTS` at most. One an hour is enough.
        now: with the same time zone.

    Returns:
        None where all is as usual, or where nothing is known: of fewer than
        :data:`ENOUGH_STARTS` starts, or where a clock was wrong.
    """
    times = sorted(starts)
    days = sorted({moment.date() for moment in times})
    few_days = len(days) < ENOUGH_STARTS and len(times) < MOST_STARTS
    if len(times) < ENOUGH_STARTS or few_days or times[-1] > now:
        return None
    weekdays = usual_weekdays(days)
    gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
    expected = _missed_day(times, days, weekdays, now) if weekdays else None
    if expected is None:
        expected = _end_of_gap(times, days, gaps, now)
    if expected is None:
        return None
    return Silence(
        expected_at=expected,
        weekdays=weekdays,
        every=_usual_gap(times, days, gaps),
        starts=len(times),
    )


def usual_weekdays(days: Sequence[date]) -> frozenset[int]:
    """Return on which days of the week a project is started; none where that varies."""
    recent = [day for day in days if day > days[-1] - _WEEKS]
    span = (recent[-1] - recent[0]).days + 1
    calendar = [(recent[0] + n * _DAY).weekday() for n in range(span)]
    ran = [day.weekday() for day in recent]
    usual = frozenset(
        weekday
        for weekday in _WEEK
        if (count := ran.count(weekday)) >= _OFTEN
        and count >= _MOSTLY * calendar.count(weekday)
    )
    past = _of_a_year(days)
    passed = sum(_passed(past, usual))
    hits = sum(day.weekday() in usual for day in past)
    return usual if passed <= _PASSED * (passed + hits) else frozenset()


def _of_a_year(days: Sequence[date]) -> Sequence[date]:
    return [day for day in days if day > days[-1] - _YEAR]


def _passed(days: Sequence[date], usual: frozenset[int]) -> list[int]:
    """Return how many usual days lie between each day and the next one."""
    return [
        len(_usual_between(a, b, usual)) if b - a > _DAY else 0
        for a, b in pairwise(days)
    ]


def _usual_between(first: date, last: date, usual: frozenset[int]) -> list[date]:
    """Return the usual days between two days, without these."""
    between = (first + n * _DAY for n in range(1, (last - first).days))
    return [day for day in between if day.weekday() in usual]


def _missed_day(
    times: Sequence[datetime],
    days: Sequence[date],
    usual: frozenset[int],
    now: datetime,
) -> datetime | None:
    """Return when the first of too many usual days without a start should have had one."""
    firsts: dict[date, datetime] = {}
    for moment in times:
        firsts.setdefault(moment.date(), moment)
    clock = sorted(_since_midnight(firsts[day]) for day in days[-_WEEKS.days :])
    missed = _usual_between(days[-1], now.date() + _DAY, usual)
    if (
        missed
        and missed[-1] == now.date()
        and _since_midnight(now) < clock[-1] + _LATER
    ):
        # It may still come.
        missed.pop()
    # Whatever runs at weekends runs on public holidays as well.
    least = 0 if usual == _WEEK else 1
    worst = max(_passed(_of_a_year(days), usual), default=0)
    if len(missed) <= max(least, min(worst, _MOST_PASSED)):
        return None
    midnight = datetime.combine(missed[0], time(), now.tzinfo)
    return midnight + clock[len(clock) // 2]


def _since_midnight(moment: datetime) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)


def _end_of_gap(
    times: Sequence[datetime],
    days: Sequence[date],
    gaps: Sequence[float],
    now: datetime,
) -> datetime | None:
    """Return when a start should have ended the present gap; None while that may last."""
    by_day = _gaps_of_days(days)
    limit = min(_longest(gaps), _longest(by_day) if by_day else timedelta.max)
    first, last = days[0], days[-1]
    span = (first + n * _DAY for n in range((last - first).days + 1))
    if not any(day.weekday() >= _SATURDAY for day in span):
        limit += _UNSEEN_WEEKEND
    if now - times[-1] <= limit:
        return None
    return times[-1] + timedelta(seconds=_usual_gap(times, days, gaps))


def _gaps_of_days(days: Sequence[date]) -> list[float]:
    """Return the seconds between days with starts: several a day are one."""
    return [(b - a).total_seconds() for a, b in pairwise(days)]


def _longest(gaps: Sequence[float]) -> timedelta:
    """Return how long a gap may be after these."""
    middle = sorted(gaps)[len(gaps) // 2]
    longest = max(gaps)
    factor = _FACTOR_ALIKE if longest <= _ALIKE * middle else _FACTOR
    return max(timedelta(seconds=longest * factor), _LEAST_GAP)


def _usual_gap(
    times: Sequence[datetime], days: Sequence[date], gaps: Sequence[float]
) -> float:
    """Return the gap in the middle: of days, unless it is started several times a day."""
    often = len(times) > 3 * len(days)
    middle = sorted(gaps if often else _gaps_of_days(days) or gaps)
    return middle[len(middle) // 2]


def _streak(
    past: Sequence[PastResult], alike: Callable[[PastResult], bool]
) -> Streak | None:
    own = [p for p in past if p.outcome in OWN_OUTCOMES]
    row = list(takewhile(alike, own))
    if not row:
        return None
    open_end = len(row) == len(own) and len(past) >= PAST_RESULTS
    return Streak(count=len(row), since=None if open_end else row[-1].started_at)
