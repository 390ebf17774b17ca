"""When a project is due, also where the clock changes."""

from __future__ import annotations

from datetime import date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from python_runner.due_times import (
    expression_problem,
    first_missed,
    times_after,
    times_before,
)


pytestmark = pytest.mark.pure
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    "expression",
    [
        *("0 6 * * 1-5", "*/15 8-18 * * mon-fri", "  0  6  1,15 * * ", "30 2 29 2 *"),
        *("0 0 L * *", "0 0 * * 5L", "0 0 * * 1#2", "0 0 * * 7", "5 4 * JAN-MAR *"),
    ],
)
def test_an_expression_of_five_fields_is_taken(expression: str) -> None:
    """Names, steps, lists and the last day of a month are read as cron reads them."""
    assert expression_problem(expression) is None


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("@daily", 'write "0 0 * * *" instead'),
        ("@Hourly", 'write "0 * * * *" instead'),
        ("06:00", "five fields"),
        ("0 6 * *", "this has 4"),
        ("0 0 6 * * *", "this has 6"),
        ("61 * * * *", "the field minute cannot be read"),
        ("0 24 * * *", "the field hour cannot be read"),
        ("0 6 32 * *", "the field day of the month cannot be read"),
        ("0 6 * 13 *", "the field month cannot be read"),
        ("0 6 * * fri-mon", "the field day of the week cannot be read"),
        ("0 6 * * lundi", "the field day of the week cannot be read"),
        ("\N{ARABIC-INDIC DIGIT ONE} 6 * * *", "the field minute cannot be read"),
        ("*/0 * * * *", "the field minute cannot be read"),
        ("0 6 30 2 *", "the field day of the month cannot be read"),
        ("0 6 31 4,6 *", "the field day of the month cannot be read"),
    ],
)
def test_a_wrong_expression_is_told_with_its_field(expression: str, told: str) -> None:
    """A person reads which of the five fields is wrong."""
    assert told in str(expression_problem(expression))


@pytest.mark.parametrize(
    ("expression", "start", "times"),
    [
        # 02:30 does not exist on 29 March, and comes twice on 25 October.
        ("30 2 * * *", (3, 28), ["29 03:00 +02", "30 02:30 +02", "31 02:30 +02"]),
        ("30 2 * * *", (10, 24), ["25 02:30 +02", "26 02:30 +01", "27 02:30 +01"]),
        # Every twenty minutes is a distance: each comes, in both hours.
        ("*/30 2 25 10 *", (10, 24), ["25 02:00 +02", "25 02:30 +02", "25 02:00 +01"]),
        ("0 6 * * 1-5", (3, 27), ["30 06:00 +02", "31 06:00 +02", "01 06:00 +02"]),
    ],
)
def test_a_change_of_the_clock_neither_loses_nor_repeats_a_time(
    expression: str, start: tuple[int, int], times: list[str]
) -> None:
    """A daily project is due once a day, also on the two days of the change."""
    moment = datetime(2026, *start, 12, tzinfo=PARIS)

    due = list(islice(times_after(expression, moment, PARIS), len(times)))

    assert [f"{t:%d %H:%M %z}"[:-2] for t in due] == times
    later = due[-1].replace(minute=due[-1].minute + 1)
    back = list(islice(times_before(expression, later, PARIS), len(times)))
    if expression != "*/30 2 25 10 *":
        assert back == due[::-1]


WORKING = "0 6 * * 1-5"


@pytest.mark.parametrize(
    ("expression", "last", "now", "missed"),
    [
        # 23 November 2026 is a Monday.
        (WORKING, "2026-11-23 06:00", "2026-11-24 06:10", None),
        (WORKING, "2026-11-23 06:00", "2026-11-24 06:20", "2026-11-24 06:00"),
        (WORKING, "2026-11-20 06:00", "2026-11-23 05:59", None),
        (WORKING, "2026-11-20 06:00", "2026-11-25 07:00", "2026-11-23 06:00"),
        # A start a little early counts; a later one by hand counts as well.
        (WORKING, "2026-11-24 05:57", "2026-11-24 09:00", None),
        (WORKING, "2026-11-24 14:00", "2026-11-24 15:00", None),
        # The 26th is off.
        (WORKING, "2026-11-25 06:00", "2026-11-26 23:00", None),
        (WORKING, "2026-11-25 06:00", "2026-11-27 07:00", "2026-11-27 06:00"),
        ("*/5 * * * *", "2026-11-24 06:00", "2026-11-24 06:20", None),
        ("*/5 * * * *", "2026-11-24 06:00", "2026-11-24 06:30", "2026-11-24 06:10"),
        ("0 0 1 * *", "2026-11-01 00:00", "2026-11-30 23:00", None),
        ("0 0 1 * *", "2026-11-01 00:00", "2026-12-01 00:20", "2026-12-01 00:00"),
        # The clock goes forward: 02:30 is due at 03:00 that day.
        ("30 2 * * *", "2026-03-28 02:30", "2026-03-29 03:10", None),
        ("30 2 * * *", "2026-03-28 02:30", "2026-03-29 04:00", "2026-03-29 03:00"),
    ],
)
def test_the_first_time_that_was_missed(
    expression: str, last: str, now: str, missed: str | None
) -> None:
    """Days off aside; a start has a quarter of an hour to come."""

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=PARIS)

    found = first_missed(
        expression, at(last), at(now), lambda day: day == date(2026, 11, 26), PARIS
    )

    assert found == (at(missed) if missed else None)


def test_a_calendar_without_a_free_day_ends() -> None:
    """Where every day is off nothing is missed, however often it would be due."""
    last = datetime(2020, 1, 1, tzinfo=PARIS)
    now = datetime(2026, 1, 1, tzinfo=PARIS)
    assert first_missed("* * * * *", last, now, lambda _day: True, PARIS) is None
