"""When a project is due, also where the clock changes."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from python_runner.due_times import (
    expression_problem,
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
        ("0 6 30 2 *", "no day has such a date: 0 6 30 2 *"),
        ("0 6 31 4,6 *", "no day has such a date"),
        ("0 6 15W 2 *", "the field day of the month cannot be read"),
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
