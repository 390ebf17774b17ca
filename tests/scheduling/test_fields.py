from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.scheduling.fields import displaced_times, in_steps


pytestmark = pytest.mark.pure
PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 26, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("30 2 * * *", ["03-28 03:00"]),
        ("0 2,6 * * 0", ["03-28 03:00"]),
        ("30 2 * * 1-5", []),
        ("0 6 * * *", []),
        ("0 3 * * *", []),
        ("30 2 25 10 *", []),
        # It goes on through the change.
        ("*/30 * * * *", []),
        ("30 * * * *", []),
    ],
)
def test_a_time_that_a_day_does_not_have_is_found(
    expression: str, days: list[str]
) -> None:
    """Only a fixed time, only on the day when the clock goes forward."""
    found = displaced_times(expression, NOW, PARIS)
    assert [f"{due:%m-%d %H:%M}" for due in found] == days


def test_a_zone_without_changes_displaces_nothing() -> None:
    """There each day has all of its times."""
    assert list(displaced_times("30 2 * * *", NOW, UTC)) == []


@given(st.sets(st.integers(0, 23), min_size=1), st.sets(st.integers(0, 59), min_size=1))
def test_rows_are_the_times_each_once(hours: set[int], minutes: set[int]) -> None:
    """No time is lost, doubled or added, however irregular they are."""
    times = tuple(h * 60 + m for h in sorted(hours) for m in sorted(minutes))
    rows = in_steps(times)
    told = [row.first + row.step * n for row in rows for n in range(row.count)]
    assert sorted(told) == list(times)
    assert all(row.last < 24 * 60 for row in rows)
