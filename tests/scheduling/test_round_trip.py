"""A schedule that becomes a task of Windows is taken over from it as the same schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given

from python_runner.due_times import times_after
from python_runner.scheduling.triggers import trigger_problem
from python_runner.takeover.task_xml import read_task
from tests.scheduling.hostile import expressions
from tests.scheduling.test_triggers import job, xml_of
from tests.support import examples


pytestmark = pytest.mark.portable("texts are read, and nothing else")

START = datetime(2026, 1, 1, tzinfo=UTC)
EXPRESSIONS = [
    "0 6 * * *",
    "30 8-18 * * 1-5",
    "*/15 * * * *",
    "* * * * *",
    "0 */2 * * *",
    "*/10 8-9 * * *",
    "*/20 7-19/2 * * 1-5",
    "15,45 6 * * *",
    "0 6,18 * * 0",
    "0 22-23 * * *",
    "0 6 * * 7",
    "0 6 1,15 * *",
    "0 6 L * *",
    "0 6 1,L * *",
    "0 6 31 * *",
    "0 0 1 1 *",
    "0 0 29 2 *",
    "0 6 * 1-3 *",
    "0 6 * 1 1-5",
    "0 6 * * 1#1",
    "0 6 * * 1#2,1#4",
    "0 6 * * 5L",
    "0 6 * 3,6,9,12 5L",
    "5 4 1 * 1",
    "0 6 13 * 5",
    "0 6 * jan,JUL mon-fri",
]


def taken_over(expression: str) -> str | None:
    """Return the schedule that is read from the task of an expression; None: it is told."""
    taken = read_task(
        xml_of(job(expression)), variables={}, read=lambda _path: None
    ).taken
    assert taken.schedule or taken.notes
    return taken.schedule


def due(expression: str) -> list[datetime]:
    """Return the next times of an expression."""
    return list(islice(times_after(expression, START, UTC), 200))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_schedule_comes_back(expression: str) -> None:
    """It may be written otherwise; it is due at the same times."""
    schedule = taken_over(expression)

    assert schedule is not None
    assert due(schedule) == due(expression)


@given(expressions())
@examples(60)
def test_no_schedule_comes_back_as_another_one(expression: str) -> None:
    """Whatever has triggers is read as the same times, or not at all."""
    if trigger_problem(expression) is not None:
        return
    schedule = taken_over(expression)
    assert schedule is None or due(schedule) == due(expression)
