"""What the records are asked costs no more when they hold more: counted, not timed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.worlds import NOW, fill
from python_runner.records.store import DATABASE_NAME, Store, open_store
from python_runner.runner.retention import _Kept


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from sqlite3 import Connection

    from tests.support import MakeResult, MakeRun

pytestmark = pytest.mark.portable("SQLite does the same work everywhere")

#: Runs of the smaller records; the larger ones hold eight times as many.
RUNS = 400
PROJECT = Path("/srv/projects/project_3")
#: A unit of work: so many instructions of SQLite's machine.
STEP = 10


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    """Return records of some runs, and of eight times as many."""
    homes = [tmp_path_factory.mktemp(f"home{times}") for times in (1, 8)]
    for home, times in zip(homes, (1, 8), strict=True):
        open_store(home, NOW).close()
        fill(home / DATABASE_NAME, RUNS * times)
    with open_store(homes[0], NOW) as small, open_store(homes[1], NOW) as large:
        yield small, large


def connection_of(store: Store) -> Connection:
    """Return the connection of records, to count what it does."""
    return store._database._connection  # noqa: SLF001 - no other way


def work(store: Store, ask: Callable[[Store], object]) -> int:
    """Return how much SQLite does for a question, in steps of its machine."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection_of(store).set_progress_handler(count, STEP)
    try:
        ask(store)
    finally:
        connection_of(store).set_progress_handler(None, 0)
    return steps


LONG_AGO = NOW - timedelta(days=10_000)
QUESTIONS: dict[str, Callable[[Store], object]] = {
    "newest": lambda store: store.runs(limit=10),
    "failed": lambda store: store.runs(failed=True, limit=10),
    "of a project": lambda store: store.runs(projects=[PROJECT], limit=10),
    "last run": lambda store: store.last_run(),
    "last of a project": lambda store: store.last_run([PROJECT]),
    "one": lambda store: store.run(f"{3:013x}"),
    "ids": lambda store: store.run_ids("00", 10),
    "open": lambda store: store.open_runs(),
    "last outcomes": lambda store: store.last_outcomes(PROJECT),
    "past of a script": lambda store: store.past_results(PROJECT, "0.py", 10),
    "lines that are missing": lambda store: store.unlogged(PROJECT),
    "old runs": lambda store: store.delete_old_runs(LONG_AGO, NOW),
    "contents": lambda store: store.messages.remove_contents(LONG_AGO, NOW),
    "unannounced": lambda store: store.messages.unannounced(),
    "waiting": lambda store: store.messages.waiting(),
    "due": lambda store: store.messages.due_audiences(NOW),
}
#: Those that look at the runs of the time that is kept: they are linear in these.
LINEAR = {"old runs"}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_costs_the_same_however_much_is_recorded(
    question: str, stores: tuple[Store, Store]
) -> None:
    """SQLite's own count of its instructions; some indexes are a level deeper."""
    small, large = (work(store, QUESTIONS[question]) for store in stores)
    most = 10 * small if question in LINEAR else 1.5 * small + 3
    assert large <= most


def test_many_runs_are_read_in_pages(stores: tuple[Store, Store]) -> None:
    """Whoever writes waits for a page: no transaction reads all of them."""
    statements: list[str] = []
    store = stores[1]
    connection_of(store).set_trace_callback(statements.append)
    try:
        runs = store.runs(limit=10**6)
    finally:
        connection_of(store).set_trace_callback(None)

    assert [run.run_id for run in runs] == [
        f"{number:013x}" for number in reversed(range(8 * RUNS))
    ]
    # One for the keys, then one a page of 250.
    assert statements.count("BEGIN") == 1 + -(-len(runs) // 250)


def test_many_folders_are_judged_by_one_look_at_the_runs(
    stores: tuple[Store, Store],
) -> None:
    """What is old is found once, however many folders a run has to remove."""
    statements: list[str] = []
    store = stores[1]
    kept = _Kept(store, NOW - timedelta(hours=10), NOW, "")
    connection_of(store).set_trace_callback(statements.append)
    try:
        stay = sum(f"{number:013x}" in kept for number in range(0, 8 * RUNS, 16))
    finally:
        connection_of(store).set_trace_callback(None)

    assert 0 < stay < 200
    assert sum("min(id)" in statement for statement in statements) == 1


def test_a_project_that_has_just_begun_is_found_as_quickly_as_an_old_one(
    tmp_path: Path, make_run: MakeRun, make_result: MakeResult
) -> None:
    """Its runs come last, and none of the others is looked at for it."""
    counts = []
    for times in (1, 4):
        home = tmp_path / str(times)
        open_store(home, NOW).close()
        fill(home / DATABASE_NAME, RUNS * times)
        run = make_run(make_result(), path=Path("/srv/projects/new"), run_id="e" * 13)
        with open_store(home, NOW) as store:
            store.end_run(run, [], NOW)
            counts.append(work(store, Store.projects))
    assert counts[1] <= counts[0] + 2
