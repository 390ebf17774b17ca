from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Attempt,
    Interpreter,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
)
from python_runner.records.store import open_store
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.records.store import Store

P, Q, OTHER = Path("/srv/p"), Path("/srv/q"), Path("/srv/other")


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


def keep(
    store: Store, run_id: str, path: Path, minute: int, *outcomes: Outcome
) -> None:
    """Record a run that began in a minute; scripts 1.py, 2.py, ... ended so."""
    began = NOW + timedelta(minutes=minute)
    results = tuple(
        ScriptResult(
            script=f"{number}.py",
            run_id=run_id,
            number=number,
            outcome=outcome,
            started_at=began,
            duration=1.0,
            attempts=tuple(
                Attempt(outcome=outcome, exit_code=code, started_at=began, duration=0.5)
                for code in (7, 8, 9)
            ),
        )
        for number, outcome in enumerate(outcomes, 1)
    )
    good = all(result.succeeded for result in results)
    run = Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=RunStatus.SUCCESS if good else RunStatus.FAILURE,
        started_at=began,
        duration=2.0,
        scripts=results,
    )
    store.end_run(run, [], NOW)


def begin(store: Store, run_id: str, path: Path, minute: int) -> None:
    """Record a run that began in a minute, and has not ended."""
    run = OpenRun(
        run_id=run_id,
        project=path.name,
        path=path,
        started_at=NOW + timedelta(minutes=minute),
        scripts=tuple(OpenScript(script=f"{n}.py", number=n) for n in (1, 2, 3)),
    )
    store.begin_run(run, Interpreter(path="/usr/bin/python3", version="3.11.9"))


@pytest.fixture
def mixed(store: Store) -> Store:
    """Return records of three projects that took turns; not in the order of time."""
    for minute in (4, 2, 0, 1, 3, 5):
        keep(store, f"a{minute}", P, 10 * minute, Outcome.FAILURE)
        keep(store, f"b{minute}", Q, 10 * minute + 1, Outcome.FAILURE)
        keep(store, f"c{minute}", OTHER, 10 * minute + 2, Outcome.FAILURE)
        keep(store, f"d{minute}", P, 10 * minute + 3, Outcome.SUCCESS)
    return store


def ids(runs: list[Run]) -> list[str]:
    """Return the ids of runs."""
    return [run.run_id for run in runs]


@pytest.mark.parametrize(
    ("projects", "failed", "expected"),
    [
        ((P, Q), True, ["b5", "a5", "b3", "a3"]),
        ((P,), True, ["a5", "a3", "a1", "a0"]),
        ((P, Q), False, ["d5", "b5", "a5", "d3"]),
        ((), True, ["c5", "b5", "a5", "c3"]),
        ((), False, ["d5", "c5", "b5", "a5"]),
    ],
)
def test_the_newest_runs_of_all_that_are_asked_for(
    mixed: Store, projects: tuple[Path, ...], expected: list[str], *, failed: bool
) -> None:
    """The limit is for all together, what was recorded last is first, whoever's it is."""
    runs = mixed.runs(projects=projects, failed=failed, limit=4)
    assert ids(runs) == expected


@pytest.mark.parametrize("projects", [(), (P, Q)])
def test_since_holds_its_own_moment(mixed: Store, projects: tuple[Path, ...]) -> None:
    """A run that began exactly then is in, one a microsecond earlier is not."""
    moment = NOW + timedelta(minutes=51)
    later = moment + timedelta(microseconds=1)

    assert "b5" in ids(mixed.runs(projects=projects, since=moment))
    assert "a5" not in ids(mixed.runs(projects=projects, since=moment))
    assert "b5" not in ids(mixed.runs(projects=projects, since=later))


def test_open_runs_have_their_scripts_in_order_and_the_newest_first(
    store: Store,
) -> None:
    """Only those of the projects that are named, or of all."""
    keep(store, "ended", P, 9, Outcome.SUCCESS)
    for run_id, path, minute in (("b", Q, 2), ("c", P, 3), ("a", P, 1)):
        begin(store, run_id, path, minute)

    assert [run.run_id for run in store.open_runs()] == ["a", "c", "b"]
    assert [run.run_id for run in store.open_runs([P])] == ["a", "c"]
    assert store.newest_first(["b", "ended", "a", "none"]) == ["a", "b", "ended"]
    assert [script.number for script in store.open_runs()[0].scripts] == [1, 2, 3]


def test_ids_are_found_by_their_beginning_in_order(store: Store) -> None:
    """Open runs are found as well; what begins otherwise is not."""
    for run_id in ("abf", "ab0", "aa0", "ac0"):
        keep(store, run_id, P, 0, Outcome.SUCCESS)
    begin(store, "ab9", P, 1)

    assert store.run_ids("ab", 9) == ["ab0", "ab9", "abf"]
    assert store.run_ids("ab", 2) == ["ab0", "ab9"]


def test_the_last_outcome_is_that_of_the_last_run(store: Store) -> None:
    """By its recording, whatever the clock said; another project's has its own."""
    keep(store, "a", P, 2, Outcome.SUCCESS, Outcome.SUCCESS)
    keep(store, "b", P, 1, Outcome.FAILURE, Outcome.TIMEOUT)
    keep(store, "c", Q, 3, Outcome.STOPPED)

    assert store.last_outcomes(P) == {
        "1.py": Outcome.FAILURE,
        "2.py": Outcome.TIMEOUT,
    }
    assert store.last_outcomes(OTHER) == {}


def test_past_results_are_what_was_recorded_before_a_run(store: Store) -> None:
    """With the exit code of the last attempt; the run itself is left out."""
    for minute, run_id in ((3, "c"), (1, "a"), (2, "b")):
        keep(store, run_id, P, minute, Outcome.FAILURE, Outcome.SUCCESS)
    keep(store, "q", Q, 2, Outcome.FAILURE)
    begin(store, "open", P, 4)

    past = store.past_results(P, "1.py", 9)
    assert [result.run_id for result in past] == ["b", "a", "c"]
    assert {result.outcome for result in past} == {Outcome.FAILURE}
    assert [result.exit_code for result in past] == [9, 9, 9]
    for before, ids in {"b": ["a", "c"], "c": [], "none": ["b", "a", "c"]}.items():
        found = store.past_results(P, "1.py", 9, before=before)
        assert [result.run_id for result in found] == ids
    assert [r.run_id for r in store.past_results(P, "1.py", 1)] == ["b"]


def test_a_run_is_loaded_with_scripts_and_attempts_in_order(store: Store) -> None:
    """Whatever else was recorded, and in whatever order it is asked for."""
    keep(store, "a", P, 1, Outcome.SUCCESS, Outcome.FAILURE)
    keep(store, "b", P, 2, Outcome.TIMEOUT)

    second, first = store.runs()
    assert [r.script for r in first.scripts] == ["1.py", "2.py"]
    assert [a.exit_code for a in first.scripts[1].attempts] == [7, 8, 9]
    assert [r.outcome for r in second.scripts] == [Outcome.TIMEOUT]
