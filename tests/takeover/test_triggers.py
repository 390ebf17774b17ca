"""Triggers of tasks become the cron expression that says the same, or none."""

from __future__ import annotations

import pytest

from python_runner.due_times import expression_problem
from python_runner.takeover.triggers import Trigger, cron_expression, minutes_of


pytestmark = pytest.mark.pure

SIX = "2024-01-01T06:00:00"
WORKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


@pytest.mark.parametrize(
    ("triggers", "expected"),
    [
        ([Trigger(kind="daily", start=SIX)], "0 6 * * *"),
        ([Trigger(kind="daily", start="2024-01-01T23:45:00.123")], "45 23 * * *"),
        ([Trigger(kind="daily", start=SIX, every=7)], "0 6 * * 1"),
        ([Trigger(kind="weekly", start=SIX, weekdays=WORKDAYS)], "0 6 * * 1-5"),
        (
            [Trigger(kind="weekly", start=SIX, weekdays=("Sunday", "Friday"))],
            "0 6 * * 0,5",
        ),
        ([Trigger(kind="monthly", start=SIX, days=("1", "15"))], "0 6 1,15 * *"),
        ([Trigger(kind="monthly", start=SIX, days=("Last",))], "0 6 L * *"),
        (
            [
                Trigger(
                    kind="monthly", start=SIX, days=("1",), months=("January", "July")
                )
            ],
            "0 6 1 1,7 *",
        ),
        (
            [
                Trigger(
                    kind="monthly weekday",
                    start=SIX,
                    weekdays=("Monday",),
                    weeks=("1",),
                )
            ],
            "0 6 * * 1#1",
        ),
        (
            [
                Trigger(
                    kind="monthly weekday",
                    start=SIX,
                    weekdays=("Friday",),
                    weeks=("Last",),
                )
            ],
            "0 6 * * 5L",
        ),
        (
            [
                Trigger(kind="daily", start=SIX),
                Trigger(kind="daily", start="2024-01-01T18:00:00"),
            ],
            "0 6,18 * * *",
        ),
        (
            [
                Trigger(kind="weekly", start=SIX, weekdays=("Monday",)),
                Trigger(kind="weekly", start=SIX, weekdays=("Thursday",)),
            ],
            "0 6 * * 1,4",
        ),
        (
            [
                Trigger(kind="monthly", start=SIX, days=("1",)),
                Trigger(kind="weekly", start=SIX, weekdays=("Monday",)),
            ],
            "0 6 1 * 1",
        ),
        (
            [Trigger(kind="once", start="2024-01-01T00:00:00", interval="PT10M")],
            "*/10 * * * *",
        ),
        ([Trigger(kind="once", start=SIX, interval="PT1H")], "0 * * * *"),
        (
            [Trigger(kind="daily", start=SIX, interval="PT1H", duration="PT12H")],
            "0 6-17 * * *",
        ),
        (
            [
                Trigger(
                    kind="weekly",
                    start="2024-01-01T08:00:00",
                    weekdays=WORKDAYS,
                    interval="PT30M",
                    duration="PT10H",
                )
            ],
            "0,30 8-17 * * 1-5",
        ),
    ],
)
def test_triggers_with_an_expression(triggers: list[Trigger], expected: str) -> None:
    """Each is one that the key takes."""
    expression, problems = cron_expression(triggers)

    assert (expression, problems) == (expected, [])
    assert expression_problem(expected) is None


@pytest.mark.parametrize(
    "triggers",
    [
        [Trigger(kind="daily", start=SIX, every=3)],
        [Trigger(kind="weekly", start=SIX, every=2, weekdays=("Monday",))],
        [Trigger(kind="once", start=SIX)],
        [Trigger(kind="LogonTrigger")],
        [Trigger(kind="daily", start="2024-01-01T06:00:00Z")],
        [Trigger(kind="daily", start="2024-01-01T06:00:00+02:00")],
        [Trigger(kind="daily", start="tomorrow")],
        [Trigger(kind="once", start=SIX, interval="PT7M")],
        [Trigger(kind="daily", start=SIX, interval="PT90M", duration="PT5H")],
        [
            Trigger(kind="daily", start=SIX),
            Trigger(kind="daily", start="2024-01-01T18:30:00"),
        ],
        [
            Trigger(kind="weekly", start=SIX, weekdays=("Monday",)),
            Trigger(kind="daily", start="2024-01-01T07:00:00"),
        ],
        # Half of a schedule would miss runs without a word.
        [Trigger(kind="daily", start=SIX), Trigger(kind="daily", start=SIX, every=3)],
        [Trigger(kind="monthly", start=SIX)],
    ],
)
def test_triggers_without_an_expression(triggers: list[Trigger]) -> None:
    """Nothing that is nearly the same is written; the reason is told."""
    expression, problems = cron_expression(triggers)

    assert expression is None
    assert problems


def test_an_event_beside_a_time_does_not_take_the_time_away() -> None:
    """The logon is told, the time is kept."""
    daily = Trigger(kind="daily", start=SIX)

    expression, problems = cron_expression([daily, Trigger(kind="LogonTrigger")])

    assert expression == "0 6 * * *"
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("span", "minutes"),
    [("PT15M", 15), ("PT1H30M", 90), ("P1D", 1440), ("PT90S", None), ("x", None)],
)
def test_durations(span: str, minutes: int | None) -> None:
    """Whole minutes alone: cron knows no seconds."""
    assert minutes_of(span) == minutes
