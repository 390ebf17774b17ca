"""When a project is silent for longer than its rhythm explains: tables and simulation."""

from __future__ import annotations

import random
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from python_runner.trends import ENOUGH_STARTS, MOST_STARTS, silence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

pytestmark = pytest.mark.pure

#: A Monday.
MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
WORKING_DAYS = frozenset(range(5))


def daily(count: int) -> list[datetime]:
    """Return starts of so many days in a row."""
    return [MONDAY + n * DAY for n in range(count)]


def working_days(weeks: int) -> list[datetime]:
    """Return starts of the working days of so many weeks."""
    return [m for m in daily(7 * weeks) if m.weekday() in WORKING_DAYS]


def weekly(count: int) -> list[datetime]:
    """Return starts of so many Mondays."""
    return [MONDAY + n * WEEK for n in range(count)]


def monthly(count: int) -> list[datetime]:
    """Return starts of the first of so many months."""
    return [
        MONDAY.replace(year=2026 + n // 12, month=1 + n % 12, day=1)
        for n in range(count)
    ]


def every(gap: timedelta, count: int) -> list[datetime]:
    """Return starts that are equally far apart."""
    return [MONDAY + n * gap for n in range(count)]


@pytest.mark.parametrize(
    ("starts", "quiet", "silent"),
    [
        # After the last start: the longest time that is usual, one that is not.
        pytest.param(daily(30), DAY + timedelta(minutes=30), 26 * DAY / 24, id="daily"),
        pytest.param(daily(ENOUGH_STARTS + 2), DAY, 2 * DAY, id="daily, new"),
        pytest.param(daily(ENOUGH_STARTS), 5 * DAY, 6 * DAY, id="no weekend seen"),
        # A weekend, and a public holiday beside it; one working day more is odd.
        pytest.param(
            working_days(6), 4 * DAY, 4 * DAY + timedelta(hours=2), id="working days"
        ),
        pytest.param(weekly(10), WEEK + DAY, 10 * DAY, id="weekly"),
        pytest.param(monthly(8), 35 * DAY, 45 * DAY, id="monthly"),
        pytest.param(every(91 * DAY, 6), 110 * DAY, 130 * DAY, id="quarterly"),
        pytest.param(every(DAY / 24, 500), DAY / 12, DAY / 6, id="hourly"),
        pytest.param(every(DAY / 96, 1000), DAY / 12, DAY / 6, id="every quarter"),
    ],
)
def test_a_rhythm_tells_when_a_project_is_silent(
    starts: list[datetime], quiet: timedelta, silent: timedelta
) -> None:
    """Weekends, and weeks and months between two runs, are no alarm."""
    assert silence(starts, starts[-1] + quiet) is None
    found = silence(starts, starts[-1] + silent)
    assert found is not None
    assert starts[-1] < found.expected_at < starts[-1] + silent
    assert found.starts == len(starts)
    # Once silent, it stays so until it runs.
    assert silence(starts, starts[-1] + 2 * silent) is not None


def test_it_says_which_rhythm_it_is() -> None:
    """Days of the week where they tell, else the usual gap."""
    found = silence(working_days(6), MONDAY + 6 * WEEK + 3 * DAY)
    assert found is not None
    assert found.weekdays == WORKING_DAYS
    assert found.expected_at == MONDAY + 6 * WEEK

    found = silence(weekly(8), MONDAY + 12 * WEEK)
    assert found is not None
    assert (found.weekdays, found.every) == (frozenset({0}), WEEK.total_seconds())

    found = silence(monthly(8), MONDAY + 60 * WEEK)
    assert found is not None
    assert found.weekdays == frozenset()
    assert 28 * DAY <= timedelta(seconds=found.every) <= 31 * DAY


@pytest.mark.parametrize(
    "starts",
    [
        pytest.param([], id="none"),
        pytest.param(daily(ENOUGH_STARTS - 1), id="too few"),
        pytest.param(every(timedelta(minutes=3), 90), id="an afternoon of trying"),
        pytest.param([*daily(30), MONDAY + 900 * DAY], id="a clock was wrong"),
    ],
)
def test_of_little_nothing_is_learnt(starts: list[datetime]) -> None:
    """Five starts on five days are needed, and a clock that is right."""
    assert silence(starts, MONDAY + 300 * DAY) is None


def test_the_order_of_the_starts_does_not_matter() -> None:
    """The records give them newest first; a clock may have been set back between."""
    starts, now = working_days(8), MONDAY + 9 * WEEK
    assert silence(starts, now) == silence(starts[::-1], now) is not None


def test_one_long_absence_hides_no_later_one() -> None:
    """What was away for a month once is missed after some days all the same."""
    starts = [m for m in daily(300) if not 100 * DAY < m - MONDAY < 130 * DAY]
    found = silence(starts, starts[-1] + 5 * DAY)
    assert found is not None


# Two years of projects, looked at every morning.

DAYS = 730
PROJECTS = 2


def easter(year: int) -> date:
    """Return Easter Sunday (Gauss, for 1900 to 2099)."""
    d = (19 * (year % 19) + 24) % 30
    e = (2 * (year % 4) + 4 * (year % 7) + 6 * d + 5) % 7
    late = (d == 29 and e == 6) or (d == 28 and e == 6 and year % 19 > 10)
    return date(year, 3, 22) + timedelta(days=d + e - 7 * late)


def holidays(year: int) -> set[date]:
    """Return days off that come close together, as in several countries."""
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (12, 25), (12, 26))
    moving = (-2, 1, 39, 50)
    days = {date(year, month, day) for month, day in fixed}
    return days | {easter(year) + timedelta(days=n) for n in moving}


OFF = set[date]().union(*map(holidays, range(2024, 2029)))


def is_working(day: date) -> bool:
    """Say whether people work on a day."""
    return day.weekday() in WORKING_DAYS and day not in OFF


def first_working(day: date) -> bool:
    """Say whether a day is the first of its month on which people work."""
    before = (day.replace(day=n) for n in range(1, day.day))
    return is_working(day) and not any(map(is_working, before))


#: On which days it runs, and how often it fails to be started.
KINDS: dict[str, tuple[Callable[[date], bool], float]] = {
    "daily": (lambda _day: True, 0.0),
    "daily, a computer that is off now and then": (lambda _day: True, 0.03),
    "working days": (lambda day: day.weekday() in WORKING_DAYS, 0.0),
    "working days without holidays": (is_working, 0.0),
    "working days, a computer that is off now and then": (is_working, 0.03),
    "three days a week": (lambda day: is_working(day) and day.weekday() % 2 == 0, 0.0),
    "weekly": (lambda day: day.weekday() == 2, 0.0),
    "weekly without holidays": (
        lambda day: is_working(day) and day.weekday() == 0,
        0.0,
    ),
    "monthly": (lambda day: day.day == 1, 0.0),
    "monthly, working days": (first_working, 0.0),
    "month ends": (lambda day: (day + DAY).day == 1, 0.0),
    "by hand, on most working days": (is_working, 0.12),
    "irregular": (lambda _day: True, 0.5),
    "seldom": (lambda _day: True, 0.85),
}


def simulated(kind: str, seed: int) -> Iterator[datetime]:
    """Yield the starts of a project over two years, with noise."""
    # Not for secrets: the same projects every time.
    chance = random.Random(f"{kind} {seed}")  # noqa: S311
    runs_on, missed = KINDS[kind]
    begin = date(2024, 1, 1) + timedelta(days=chance.randrange(365))
    hour, late = chance.uniform(0, 23), chance.choice((0.05, 0.5))
    if missed > 0.1:
        late = 20 - hour if hour < 20 else 1.0
    for n in range(DAYS):
        day = begin + timedelta(days=n)
        at = timedelta(hours=hour + chance.uniform(0, late))
        if runs_on(day) and chance.random() >= missed:
            yield datetime(day.year, day.month, day.day, tzinfo=UTC) + at


def alarms(starts: Sequence[datetime], hour: int) -> int:
    """Return how often a project that is well is called silent, once an absence."""
    count, silent = 0, False
    for n in range(1, DAYS):
        now = starts[0].replace(hour=hour, minute=0) + n * DAY
        seen = starts[: bisect_right(starts, now)][-MOST_STARTS:]
        before, silent = silent, silence(seen, now) is not None
        count += silent and not before
    return count


@pytest.mark.slow
@pytest.mark.sampled(5)
@pytest.mark.parametrize("kind", KINDS)
def test_false_alarms_are_fewer_than_one_a_year(kind: str) -> None:
    """Of two projects over two years; and a project that stops is found."""
    projects = [sorted(simulated(kind, seed)) for seed in range(PROJECTS)]
    assert sum(alarms(starts, 7) for starts in projects) < 2 * PROJECTS

    for starts in projects:
        stopped = starts[: len(starts) * 2 // 3]
        gaps = sorted(b - a for a, b in pairwise(stopped))
        # Within three usual gaps and the longest one together, or a working week.
        limit = max(3 * gaps[-1], 3 * gaps[len(gaps) // 2], 5 * DAY) + 2 * DAY
        assert silence(stopped[-MOST_STARTS:], stopped[-1] + limit) is not None
