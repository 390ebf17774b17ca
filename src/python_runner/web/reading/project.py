"""How one project has done: its last runs, script by script and day by day."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Outcome, RunStatus
from python_runner.trends import percentile, usual_weekdays
from python_runner.web.states import State, state_of


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from pathlib import Path

    from python_runner.model import Run
    from python_runner.records.points import ErrorPoint, ResultPoint, RunPoint
    from python_runner.records.store import Store

#: Runs that the matrix and the durations show, scripts of a run that are looked at, rows
#: of the matrix.
MATRIX_RUNS, DURATION_RUNS, MOST_SCRIPTS, MATRIX_ROWS = 30, 200, 400, 100
#: Days of the calendar, and runs that it is made of at most.
CALENDAR_DAYS, _CALENDAR_RUNS = 90, 20_000
#: Runs on one page of the list.
PAGE_RUNS = 50
#: Failed runs whose errors are put together, and errors of them.
_FAILED_RUNS, _ERRORS = 500, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRow:
    """A script in the matrix.

    Attributes:
        cells: in the order of the runs; None where a run did not have the script.
        median, p95: seconds of its successes among them; None without one.
    """

    script: str
    cells: tuple[ResultPoint | None, ...]
    median: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came of a day's runs; the worst one counts.

    Attributes:
        state: None for a day without runs.
        expected: whether the project runs on such days.
    """

    date: date
    state: State | None
    runs: int
    failed: int
    expected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringError:
    """An error that came back.

    Attributes:
        fingerprint: None where the exit code alone tells that it failed.
        last: the last failure of this kind.
        first_at: when the first one began, of those that were looked at.
        is_open: whether the last run of the project failed with it.
    """

    fingerprint: str | None
    last: ErrorPoint
    count: int
    first_at: datetime
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a project has done.

    Attributes:
        points: its last runs, the last recorded first.
        rows: the scripts of the last :data:`MATRIX_RUNS` of them.
        hidden: how many scripts have no row.
        results: of the runs whose durations are drawn.
    """

    points: tuple[RunPoint, ...]
    rows: tuple[ScriptRow, ...]
    hidden: int
    days: tuple[Day, ...]
    errors: tuple[RecurringError, ...]
    results: tuple[ResultPoint, ...]


def history(store: Store, folder: Path, now: datetime) -> History:
    """Return how a project has done.

    Raises:
        StoreError: the records cannot be read.
    """
    points = store.points.runs(folder, DURATION_RUNS)
    recent = [point.place for point in points[:MATRIX_RUNS]]
    results = store.points.results([p.place for p in points], MOST_SCRIPTS)
    rows = _matrix(recent, results)
    since = now - timedelta(days=CALENDAR_DAYS)
    of_days = store.points.runs(folder, _CALENDAR_RUNS, since=since)
    failed = store.points.runs(folder, _FAILED_RUNS, failed=True, since=since)
    errors = store.points.errors([p.place for p in failed], _ERRORS)
    last = next((p for p in points if p.status is not RunStatus.SKIPPED), None)
    return History(
        points=tuple(points),
        rows=rows[:MATRIX_ROWS],
        hidden=max(len(rows) - MATRIX_ROWS, 0),
        days=_calendar(of_days, now),
        errors=_recurring(errors, last.run_id if last else ""),
        results=tuple(results),
    )


def run_page(store: Store, folder: Path, before: int | None) -> tuple[list[Run], int]:
    """Return a page of runs with their reasons, and where the next one begins; 0: nowhere.

    Raises:
        StoreError: the records cannot be read.
    """
    points = store.points.runs(folder, PAGE_RUNS + 1, before=before)
    shown = points[:PAGE_RUNS]
    found = store.runs_by_id([point.run_id for point in shown])
    return found, shown[-1].place if len(points) > PAGE_RUNS else 0


def _matrix(
    places: Sequence[int], results: Sequence[ResultPoint]
) -> tuple[ScriptRow, ...]:
    """Return a row for each script, in the order of the last run that had it."""
    cells: defaultdict[str, dict[int, ResultPoint]] = defaultdict(dict)
    order: dict[str, tuple[int, int]] = {}
    wanted = set(places)
    for result in results:
        if result.place not in wanted:
            continue
        cells[result.script][result.place] = result
        order[result.script] = (-result.place, result.number)
    rows = []
    for script in sorted(order, key=lambda name: order[name]):
        durations = [
            r.duration for r in cells[script].values() if r.outcome is Outcome.SUCCESS
        ]
        rows.append(
            ScriptRow(
                script=script,
                cells=tuple(cells[script].get(place) for place in places),
                median=percentile(durations, 50),
                p95=percentile(durations, 95),
            )
        )
    return tuple(rows)


def _calendar(points: Sequence[RunPoint], now: datetime) -> tuple[Day, ...]:
    """Return the days up to today, in the zone of this computer."""
    of_day: defaultdict[date, list[RunPoint]] = defaultdict(list)
    for point in points:
        of_day[point.started_at.astimezone().date()].append(point)
    usual = usual_weekdays(sorted(of_day)) if of_day else frozenset()
    today = now.astimezone().date()
    first = min(of_day, default=today)
    days = [today - timedelta(days=n) for n in range(CALENDAR_DAYS - 1, -1, -1)]
    order = list(State)
    return tuple(
        Day(
            date=day,
            state=min(
                (state_of(point.status) for point in of_day[day]),
                key=order.index,
                default=None,
            ),
            runs=len(of_day[day]),
            failed=sum(state_of(p.status) is State.FAILED for p in of_day[day]),
            # Only a day that is over can be a gap.
            expected=first < day < today and day.weekday() in usual,
        )
        for day in days
    )


def _recurring(errors: Sequence[ErrorPoint], last: str) -> tuple[RecurringError, ...]:
    found: dict[tuple[str | None, str], list[ErrorPoint]] = {}
    for error in errors:
        key = (error.fingerprint, "" if error.fingerprint else error.script)
        found.setdefault(key, []).append(error)
    return tuple(
        RecurringError(
            fingerprint=fingerprint,
            last=same[0],
            count=len(same),
            first_at=same[-1].started_at,
            is_open=same[0].run_id == last,
        )
        for (fingerprint, _), same in found.items()
    )
