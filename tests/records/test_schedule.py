"""What the records know of a schedule: since when, and up to where its slots are settled."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import KnownSchedule, OpenRun, Run, RunStatus
from python_runner.records.store import Store, open_store
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

pytestmark = pytest.mark.portable("tables of the records alone")
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return empty records."""
    with open_store(tmp_path / "home", NOW) as store:
        yield store


def begin(
    store: Store, path: Path, at: datetime, terms: str | None, *, whole: bool = True
) -> None:
    """Begin a run of a project."""
    run = OpenRun(
        run_id=f"{int(at.timestamp()):013x}", project="p", path=path, started_at=at
    )
    store.begin_run(run, terms=terms, whole=whole)


def known(store: Store, path: Path) -> tuple[str, datetime, datetime] | None:
    """Return the terms, since when they are known, and up to when slots are settled."""
    found: KnownSchedule | None = store.schedule(path)
    return (found.terms, found.since, found.reached) if found else None


def test_a_schedule_is_known_from_its_first_sight(store: Store, tmp_path: Path) -> None:
    """Seen again it stays; other terms begin anew; without a key nothing is known."""
    path = tmp_path / "p"
    assert known(store, path) is None
    for hours in range(3):
        store.keep_schedule(path, "a", NOW + hours * HOUR)
    assert known(store, path) == ("a", NOW, NOW)
    store.keep_schedule(path, "b", NOW + 3 * HOUR)
    assert known(store, path) == ("b", NOW + 3 * HOUR, NOW + 3 * HOUR)
    store.keep_schedule(path, None, NOW + 4 * HOUR)
    assert known(store, path) is None


def test_a_run_of_the_whole_series_settles(store: Store, tmp_path: Path) -> None:
    """A run of a part does not, unless the terms are new to it."""
    path = tmp_path / "p"
    begin(store, path, NOW, "a")
    begin(store, path, NOW + HOUR, "a", whole=False)
    assert known(store, path) == ("a", NOW, NOW)
    begin(store, path, NOW + 2 * HOUR, "a")
    assert known(store, path) == ("a", NOW, NOW + 2 * HOUR)
    begin(store, path, NOW + 3 * HOUR, "b", whole=False)
    assert known(store, path) == ("b", NOW + 3 * HOUR, NOW + 3 * HOUR)
    begin(store, path, NOW + 4 * HOUR, None)
    assert known(store, path) is None


def test_a_clock_that_was_wrong_is_forgotten(store: Store, tmp_path: Path) -> None:
    """What lies in the future now was written by it."""
    path = tmp_path / "p"
    begin(store, path, NOW + timedelta(days=400), "a")
    store.keep_schedule(path, "a", NOW)
    assert known(store, path) == ("a", NOW, NOW)


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_that_the_records_have_missed_settles(
    store: Store, tmp_path: Path, status: RunStatus
) -> None:
    """It is added when it has ended; one that ran nothing settles nothing."""
    path = tmp_path / "p"
    store.keep_schedule(path, "a", NOW)
    run = Run(
        run_id="5" * 13,
        project="p",
        path=path,
        status=status,
        started_at=NOW + HOUR,
        duration=1.0,
    )
    store.add_runs([run])

    ran = status not in {RunStatus.SKIPPED, RunStatus.NOT_STARTED}
    assert known(store, path) == ("a", NOW, NOW + HOUR if ran else NOW)


def test_deleted_runs_leave_it(store: Store, tmp_path: Path) -> None:
    """What was answered by a run that is deleted is not missed afterwards."""
    path, old = tmp_path / "p", NOW - timedelta(days=500)
    for days in range(500, 0, -90):
        where, at = path if days == 500 else tmp_path / "q", NOW - timedelta(days=days)
        begin(store, where, at, "a")
        for run in store.interrupt_runs(where, at):
            store.end_run(run, [], at)

    store.delete_old_runs(NOW - timedelta(days=7), NOW)

    assert store.runs(projects=[path]) == []
    assert known(store, path) == ("a", old, old)
