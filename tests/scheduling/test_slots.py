"""Which slots of a schedule a run has answered, and which were missed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.model import KnownSchedule, OpenRun, Run, RunStatus
from python_runner.scheduling.slots import (
    MOST_SLOTS,
    Clock,
    Outlook,
    SlotState,
    judge,
    outlook,
)
from tests.support import examples


pytestmark = pytest.mark.pure
PARIS = ZoneInfo("Europe/Paris")
DAILY, OFTEN = "0 6 * * *", "*/5 * * * *"


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """Return a moment of 2026 in Paris: ``11-26 06:00`` or ``11-26 06:00:30``."""
    form = "%Y-%m-%d %H:%M:%S" if text.count(":") > 1 else "%Y-%m-%d %H:%M"
    return datetime.strptime(f"2026-{text}", form).replace(tzinfo=zone)


def weekend(day: date) -> bool:
    """Say whether a day is one of a weekend."""
    return day.weekday() >= 5


def never(day: date) -> bool:
    """Say that no day is off."""
    del day
    return False


def found(
    expression: str,
    reached: str,
    now: str,
    *,
    off: bool = False,
    terms: str = "same",
) -> Outlook:
    """Return the outlook of a project that ran last at ``reached``."""
    clock = Clock(
        expression=expression, now=at(now), is_off=weekend if off else never, zone=PARIS
    )
    known = KnownSchedule(terms="same", since=at("01-01 00:00"), reached=at(reached))
    return outlook(clock, known, terms)


@pytest.mark.parametrize(
    ("expression", "reached", "now", "count"),
    [
        # It ran when it was due, a moment early, later the same day, by hand.
        (DAILY, "11-26 06:00:01", "11-26 09:00", 0),
        (DAILY, "11-26 05:59:57", "11-26 09:00", 0),
        (DAILY, "11-25 23:00", "11-26 05:59:59", 0),
        # The machine was off.
        (DAILY, "11-25 06:00:01", "11-26 09:00", 1),
        (DAILY, "11-25 23:00", "11-26 09:00", 1),
        (DAILY, "11-23 06:00", "11-26 05:00", 2),
        (DAILY, "11-23 06:00", "11-26 06:05", 3),
        # A run that took too long: those due meanwhile were skipped.
        (OFTEN, "11-26 06:00", "11-26 06:13", 2),
        # A schedule that is seldom due.
        ("0 6 1 1 *", "01-01 06:00", "11-26 06:00", 0),
        ("0 6 1 * *", "09-30 06:00", "11-26 06:00", 2),
        # The clock was wrong once: a run in the future.
        (DAILY, "12-24 06:00", "11-26 09:00", 0),
    ],
)
def test_the_slots_since_the_last_run_are_missed(
    expression: str, reached: str, now: str, count: int
) -> None:
    """Those that were due since, up to the present moment."""
    missed = found(expression, reached, now).missed

    assert (missed.count if missed else 0) == count


@pytest.mark.parametrize(
    ("expression", "now", "begins", "count"),
    [
        (DAILY, "11-26 06:00:00", "11-26 06:00", 0),
        (DAILY, "11-26 06:00:59", "11-26 06:00", 0),
        (DAILY, "11-26 06:01:00", None, 1),
        # Half of the time to the next one at the most.
        ("* * * * *", "11-25 06:01:29", "11-25 06:01", 0),
        ("* * * * *", "11-25 06:01:31", None, 1),
    ],
)
def test_a_run_may_be_about_to_begin(
    expression: str, now: str, begins: str | None, count: int
) -> None:
    """A scheduler may take a minute: until then its slot is neither missed nor answered."""
    told = found(expression, "11-25 06:00:10", now)

    assert told.begins == (at(begins) if begins else None)
    assert (told.missed.count if told.missed else 0) == count


def test_days_off_are_never_missed() -> None:
    """From Friday to Monday nothing was due; what comes next is Monday's."""
    sunday = found(DAILY, "11-27 06:00:01", "11-29 12:00", off=True)
    assert sunday.missed is None
    assert sunday.due == at("11-30 06:00")
    monday = found(DAILY, "11-27 06:00:01", "11-30 12:00", off=True)
    assert monday.missed is not None
    assert (monday.missed.count, monday.missed.first) == (1, at("11-30 06:00"))


def test_an_hour_of_a_day_off_does_not_wait() -> None:
    """A slot that the calendar excludes is not about to begin."""
    assert found(DAILY, "11-27 06:00:01", "11-29 06:00:10", off=True).begins is None


def test_a_schedule_with_nothing_but_days_off_ends() -> None:
    """The work is bounded, and nothing is due."""
    told = found("0 6 * * 6", "01-02 06:00", "11-26 06:00", off=True)
    assert told == Outlook(due=None)


def test_other_terms_make_nothing_missed() -> None:
    """Nobody knows since when a key holds that no run has seen, nor what was due before."""
    assert found(DAILY, "11-01 06:00", "11-26 09:00", terms="other").missed is None
    clock = Clock(expression=DAILY, now=at("11-26 09:00"), zone=PARIS)
    assert outlook(clock, None, "any") == Outlook(due=at("11-27 06:00"))


def test_months_are_counted_up_to_a_bound() -> None:
    """Every five minutes since January: so many and more, and the last is the last."""
    missed = found(OFTEN, "01-01 00:00:10", "11-26 09:03").missed

    assert missed is not None
    assert (missed.count, missed.more) == (MOST_SLOTS, True)
    assert (missed.first, missed.last) == (at("01-01 00:05"), at("11-26 09:00"))


@pytest.mark.parametrize(
    ("expression", "reached", "now", "count"),
    [
        # 02:30 does not exist on 29 March: it is due at 03:00, once.
        ("30 2 * * *", "03-28 02:30", "03-29 12:00", 1),
        ("30 2 * * *", "03-29 03:00", "03-29 12:00", 0),
        # It comes twice on 25 October, and is due once.
        ("30 2 * * *", "10-24 02:30", "10-25 12:00", 1),
        # A distance is a distance: four halves of an hour between 2 and 3.
        ("*/30 * * * *", "10-25 01:30", "10-25 03:10", 5),
    ],
)
def test_a_change_of_the_clock_invents_no_slot(
    expression: str, reached: str, now: str, count: int
) -> None:
    """Each is counted once on the two days of the change."""
    missed = found(expression, reached, now).missed

    assert (missed.count if missed else 0) == count


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    """A run in the first 02:40 does not answer the second 02:30."""
    first = datetime(2026, 10, 25, 2, 40, tzinfo=PARIS)
    known = KnownSchedule(terms="t", since=first, reached=first)
    now = datetime(2026, 10, 25, 2, 45, fold=1, tzinfo=PARIS)
    clock = Clock(expression="*/30 * * * *", now=now, zone=PARIS)

    missed = outlook(clock, known, "t").missed

    assert missed is not None
    assert missed.last == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert missed.count == 2


EXPRESSIONS = st.sampled_from(
    [DAILY, "30 2 * * *", "*/20 * * * *", "0 * * * *", "15 8-18 * * 1-5", "0 0 1 * *"]
)
MINUTES = st.integers(0, 60 * 24 * 40)


@examples(60)
@given(expression=EXPRESSIONS, start=MINUTES, ago=MINUTES)
def test_a_run_now_settles_everything(expression: str, start: int, ago: int) -> None:
    """Whatever was missed: after a catch-up nothing is, and what is due lies ahead."""
    now = datetime(2026, 3, 20, tzinfo=UTC) + timedelta(minutes=start)
    reached = now - timedelta(minutes=ago)
    clock = Clock(expression=expression, now=now, zone=PARIS)
    before = outlook(clock, KnownSchedule(terms="", since=reached, reached=reached), "")
    after = outlook(clock, KnownSchedule(terms="", since=reached, reached=now), "")

    assert after.missed is None
    assert after.due is not None
    assert after.due > now
    if before.missed:
        assert reached < before.missed.first <= before.missed.last <= now


def ran(begin: str, minutes: float, status: RunStatus = RunStatus.SUCCESS) -> Run:
    """Return a run that began then and took so long."""
    return Run(
        run_id="1" * 13,
        project="p",
        path=cast("Any", None),
        status=status,
        started_at=at(begin),
        duration=minutes * 60,
    )


def active(begin: str) -> OpenRun:
    """Return a run that has not ended."""
    return OpenRun(
        run_id="2" * 13,
        project="p",
        path=cast("Any", None),
        started_at=at(begin),
    )


SKIPPED, UNSTARTED = RunStatus.SKIPPED, RunStatus.NOT_STARTED


@pytest.mark.parametrize(
    ("slot", "runs", "running", "state"),
    [
        ("11-26 06:00", [ran("11-26 06:00:01", 1)], None, "answered"),
        ("11-26 06:00", [ran("11-26 17:00", 1)], None, "answered"),
        ("11-26 06:00", [ran("11-26 05:59:58", 1)], None, "answered"),
        ("11-26 06:00", [ran("11-26 06:00", 1, RunStatus.FAILURE)], None, "answered"),
        (
            "11-26 06:00",
            [ran("11-26 06:00", 1, RunStatus.INTERRUPTED)],
            None,
            "answered",
        ),
        ("11-26 06:00", [], active("11-26 06:00:01"), "answered"),
        ("11-26 06:00", [], active("11-25 20:00"), "running"),
        ("11-26 06:00", [ran("11-25 06:00", 1)], None, "missed"),
        ("11-26 06:00", [ran("11-27 06:00", 1)], None, "missed"),
        ("11-26 06:00", [ran("11-25 20:00", 900)], None, "skipped"),
        (
            "11-26 06:00",
            [ran("11-25 20:00", 900), ran("11-26 06:00", 0, SKIPPED)],
            None,
            "skipped",
        ),
        ("11-26 06:00", [ran("11-26 06:00", 0, UNSTARTED)], None, "not_started"),
        (
            "11-26 06:00",
            [ran("11-26 06:00", 0, UNSTARTED), ran("11-26 09:00", 1)],
            None,
            "answered",
        ),
        ("11-28 06:00", [], None, "day_off"),
        ("11-28 06:00", [ran("11-28 06:00", 0, SKIPPED)], None, "day_off"),
        ("11-28 06:00", [ran("11-28 06:00", 1)], None, "answered"),
        ("12-02 06:00", [], None, "due"),
        ("12-01 06:00", [], None, "begins"),
        ("11-26 06:00", [ran("11-20 06:00", 1e12)], None, "skipped"),
    ],
)
def test_each_slot_has_one_state(
    slot: str, runs: list[Run], running: OpenRun | None, state: str
) -> None:
    """By the runs around it, whatever started them."""
    clock = Clock(
        expression=DAILY, now=at("12-01 06:00:10"), is_off=weekend, zone=PARIS
    )

    told = judge(at(slot), clock, runs, running)

    assert told.state is SlotState(state)
    assert told.missed is (state in {"missed", "skipped", "not_started"})
