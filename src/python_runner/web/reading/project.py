"""How one project has done: its last runs, script by script and day by day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.records import overview as records
from python_runner.trends import percentile, usual_weekdays
from python_runner.web.states import State


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from python_runner.model import Outcome
    from python_runner.model.overview import DayCount, ErrorGroup, MatrixCell, RunLine
    from python_runner.records.store import Store

#: Runs that the matrix and the durations show, and scripts that they do.
MATRIX_RUNS, DURATION_RUNS, MOST_SCRIPTS = 30, 100, 100
#: Days of the calendar.
CALENDAR_DAYS = 90
#: Runs on one page of the list, and errors that are named.
PAGE_RUNS, MOST_ERRORS = 50, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRow:
    """A script in the matrix.

    Attributes:
        cells: in the order of the runs; None where a run did not have the script.
        median, p95: seconds of its successes among all of them; None without one.
    """

    script: str
    cells: tuple[MatrixCell | None, ...]
    median: float | None
    p95: float | None

    @property
    def ends(self) -> list[tuple[Outcome, float]]:
        """How it ended and how long it took where a run had it, the last run first."""
        return [(cell.outcome, cell.duration) for cell in self.cells if cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came of a day's runs.

    Attributes:
        state: None for a day without runs on which none was to be expected.
    """

    date: date
    state: State | None
    runs: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a project has done.

    Attributes:
        points: its last :data:`DURATION_RUNS` runs, the last recorded first.
        rows: the scripts of its last run; the cells are those of these runs.
        more: whether there are more scripts.
        lines: a page of runs.
        following: where the next page begins; 0 where there is none.
    """

    points: tuple[RunLine, ...]
    rows: tuple[ScriptRow, ...]
    more: bool
    days: tuple[Day, ...]
    errors: tuple[ErrorGroup, ...]
    lines: tuple[RunLine, ...]
    following: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs of a project are wanted.

    Attributes:
        days: only those that began in the last ones; 0: all.
        failures: only those that did not succeed.
        before: where the page of runs begins; None: with the last one.
    """

    days: int = 0
    failures: bool = False
    before: int | None = None

    def within(self, runs: Sequence[RunLine], now: datetime) -> list[RunLine]:
        """Return those of the last runs that began in these days."""
        if not self.days:
            return list(runs)
        since = now - timedelta(days=self.days)
        return [run for run in runs if run.started_at >= since]


ALL_RUNS = RunFilter()


def history(
    store: Store, number: int, now: datetime, wanted: RunFilter = ALL_RUNS
) -> History:
    """Return how the project with a number in the records has done.

    Args:
        store: the records.
        number: of the project.
        now: the present moment.
        wanted: which of its runs the matrix, the durations and the list show.

    Raises:
        StoreError: the records cannot be read.
    """
    since = now - timedelta(days=CALENDAR_DAYS)
    with store.view() as view:
        points = wanted.within(records.runs_of(view, number, limit=DURATION_RUNS), now)
        keys = [point.key for point in points]
        rows = records.matrix(view, number, runs=keys, limit=MOST_SCRIPTS + 1)
        counts = records.days(view, number, since)
        errors = records.errors(view, project=number, limit=MOST_ERRORS)
        lines = records.runs_of(
            view,
            number,
            before=records.BEYOND if wanted.before is None else wanted.before,
            failed=wanted.failures,
            limit=PAGE_RUNS + 1,
        )
        lines = wanted.within(lines, now)
    return History(
        points=tuple(points),
        rows=tuple(
            _script_row(row.script, {c.run: c for c in row.cells}, keys)
            for row in rows[:MOST_SCRIPTS]
        ),
        more=len(rows) > MOST_SCRIPTS,
        days=_calendar(counts, now),
        errors=tuple(errors),
        lines=tuple(lines[:PAGE_RUNS]),
        following=lines[PAGE_RUNS - 1].key if len(lines) > PAGE_RUNS else 0,
    )


def _script_row(
    script: str, cells: Mapping[int, MatrixCell], keys: Sequence[int]
) -> ScriptRow:
    good = [cell.duration for cell in cells.values() if cell.outcome.succeeded]
    return ScriptRow(
        script=script,
        cells=tuple(cells.get(key) for key in keys),
        median=percentile(good, 50),
        p95=percentile(good, 95),
    )


def _calendar(counts: Sequence[DayCount], now: datetime) -> tuple[Day, ...]:
    """Return the days up to today, by the calendar of this computer."""
    of_day = {date.fromisoformat(count.day): count for count in counts}
    usual = usual_weekdays(sorted(of_day)) if of_day else frozenset()
    today, first = now.astimezone().date(), min(of_day, default=None)
    found = []
    for back in range(CALENDAR_DAYS - 1, -1, -1):
        day = today - timedelta(days=back)
        count, state = of_day.get(day), None
        if count:
            state = State.FAILED if count.failed else State.WELL
        elif first and first < day < today and day.weekday() in usual:
            # Only a day that is over can be a gap.
            state = State.SILENT
        failed = count.failed if count else 0
        runs = failed + count.succeeded if count else 0
        found.append(Day(date=day, state=state, runs=runs, failed=failed))
    return tuple(found)
