"""What systemd makes of the lines: its own program says when they elapse."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given

from python_runner.due_times import expression_problem, times_after
from python_runner.scheduling.on_calendar import calendar_lines, calendar_problem
from tests.scheduling.hostile import EXPRESSIONS, expressions
from tests.servers.schedulers import require


pytestmark = [pytest.mark.posix]
BASE = datetime(2026, 1, 30, 12, 3, tzinfo=UTC)
#: Of each line so many times are compared: more than two years of a monthly one.
TIMES = 30
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")


def elapses(lines: tuple[str, ...]) -> list[datetime]:
    """Return when systemd says that lines elapse, all of them together."""
    done = subprocess.run(
        [
            *("systemd-analyze", "calendar", f"--iterations={TIMES}"),
            *(f"--base-time={BASE:%Y-%m-%d %H:%M:%S} UTC", *lines),
        ],
        capture_output=True,
        text=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        check=True,
    )
    found = {
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        for text in _TIME.findall(done.stdout)
    }
    return sorted(found)[:TIMES]


def due(expression: str) -> list[datetime]:
    """Return when an expression is due."""
    return list(islice(times_after(expression, BASE, UTC), TIMES))


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)
@pytest.mark.parametrize("expression", [*EXPRESSIONS, "0 6 LW * *", "0 6 */2 * 1#3"])
def test_systemd_elapses_when_the_expression_is_due(expression: str) -> None:
    """Both of day of the month and day of the week, ends of months, leap years."""
    assert calendar_problem(expression) is None
    assert elapses(calendar_lines(expression)) == due(expression)


@pytest.mark.slow
@given(expressions())
def test_any_expression_elapses_when_it_is_due(expression: str) -> None:
    """What nobody thought of is converted as exactly."""
    require("systemd-analyze")
    if expression_problem(expression) is None:
        assert elapses(calendar_lines(expression)) == due(expression)


def test_what_systemd_cannot_express_is_told() -> None:
    """A day counted from both ends of a month is refused, with the expression."""
    problem = calendar_problem("0 6 */2 * 5L")
    assert problem is not None
    assert "0 6 */2 * 5L" in str(problem)
