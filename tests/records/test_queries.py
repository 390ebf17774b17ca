from __future__ import annotations

import random
import sys
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Attempt,
    Interpreter,
    Message,
    OpenRun,
    OpenScript,
    Outcome,
    ProjectState,
    Run,
    RunStatus,
    ScriptResult,
)
from python_runner.records.log_reader import LogPlace
from python_runner.records.store import SHORT_ID, open_store
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
    store: Store, run_id: str, path: Path, minute: float, *outcomes: Outcome
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


def begin(
    store: Store,
    run_id: str,
    path: Path,
    minute: float,
    *,
    log: tuple[str, LogPlace] | None = None,
) -> None:
    """Record a run that began in a minute, and has not ended."""
    run = OpenRun(
        run_id=run_id,
        project=path.name,
        path=path,
        started_at=NOW + timedelta(minutes=minute),
        scripts=tuple(OpenScript(script=f"{n}.py", number=n) for n in (1, 2, 3)),
    )
    interpreter = Interpreter(path="/usr/bin/python3", version="3.11.9")
    store.begin_run(run, interpreter, log=log)


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
    heads = store.newest_ids("ab", 9)
    assert [head.run_id for head in heads] == ["ab9", "ab0", "abf"]
    assert [head.status for head in heads] == [
        None,
        RunStatus.SUCCESS,
        RunStatus.SUCCESS,
    ]
    assert heads[0].project == P.name
    assert heads[0].started_at == NOW + timedelta(minutes=1)
    assert [head.run_id for head in store.newest_ids("ab", 2)] == ["ab9", "ab0"]


def test_an_id_is_as_short_as_no_other_one_begins(store: Store) -> None:
    """Ids that are much alike need more of their characters."""
    chance = random.Random(1)  # noqa: S311 - no secret, a reproducible test
    ids = ["".join(chance.choices("0123456789abcdef", k=13)) for _ in range(20)]
    ids += [
        f"{run_id[:-number]}{'f' * number}" for number, run_id in enumerate(ids, 1)
    ][:9]
    for run_id in ids:
        keep(store, run_id, P, 0, Outcome.SUCCESS)

    for run_id, short in store.short_ids(ids).items():
        assert store.run_ids(short, 9) == [run_id]
        assert len(short) == SHORT_ID or len(store.run_ids(short[:-1], 9)) > 1


@pytest.mark.parametrize(
    ("status", "reported", "ago", "path", "told"),
    [
        (RunStatus.SKIPPED, True, 1, P, True),
        (RunStatus.SKIPPED, True, 2, P, True),
        (RunStatus.SKIPPED, True, 3, P, False),
        (RunStatus.SKIPPED, False, 1, P, False),
        (RunStatus.SKIPPED, True, 1, Q, False),
        (RunStatus.FAILURE, True, 1, P, False),
        (RunStatus.SUCCESS, True, 1, P, False),
    ],
)
def test_a_skipped_run_is_told_once(
    store: Store, status: RunStatus, ago: int, path: Path, *, reported: bool, told: bool
) -> None:
    """A report of a skipped run of the same project, within the last two hours."""
    run = Run(
        run_id="a",
        project=path.name,
        path=path,
        status=status,
        started_at=NOW - timedelta(hours=ago),
        duration=0.0,
    )
    message = Message(
        message_id="<a@localhost>",
        sender="runner@example.org",
        recipients=("ann@example.org",),
        subject="skipped",
        content=b"",
    )
    store.end_run(run, [message] if reported else [], NOW)

    assert store.is_skip_told(P, NOW - timedelta(hours=2)) is told


@pytest.mark.parametrize(
    ("history", "status", "streak"),
    [
        ("s", RunStatus.SUCCESS, 1),
        ("ssf", RunStatus.FAILURE, 1),
        ("fsff", RunStatus.FAILURE, 2),
        ("ffss", RunStatus.SUCCESS, 2),
        ("sfsss", RunStatus.SUCCESS, 3),
    ],
)
def test_a_project_does_as_its_last_runs_did(
    store: Store, history: str, status: RunStatus, streak: int
) -> None:
    """The runs in a row that ended as the last one did, and since when."""
    outcomes = {"s": Outcome.SUCCESS, "f": Outcome.FAILURE}
    for number, letter in enumerate(history):
        keep(store, str(number), P, number, outcomes[letter])
        keep(store, f"q{number}", Q, number, Outcome.TIMEOUT)

    state = store.project_state(P)

    assert state.last is not None
    assert (state.last.run_id, state.last.status) == (str(len(history) - 1), status)
    assert state.streak is not None
    assert state.streak.count == streak
    assert state.streak.since == NOW + timedelta(minutes=len(history) - streak)
    assert state.durations == (2.0,) * history.count("s")
    assert store.project_state(OTHER) == ProjectState()


def test_the_usual_duration_is_that_of_whole_series(store: Store) -> None:
    """Runs of some scripts alone take less time, and say nothing about it."""
    good = Outcome.SUCCESS
    for number, scripts in enumerate((1, 3, 2, 3, 1, 3)):
        keep(store, str(number), P, number, *[good] * scripts)

    assert store.project_state(P).durations == (2.0,) * 3


DAY = 24 * 60
#: A microsecond, in days.
MOMENT = 1 / (DAY * 60 * 1_000_000)


@pytest.mark.parametrize(
    ("ages", "old", "unrecorded"),
    [
        ([], [], True),
        ([60, 40, 20, 0], [60, 40], True),
        ([60, 30, 0], [60], True),
        ([20, 0], [], True),
        ([40], [40], True),
        # Longer than a quarter without any run, and the clock alone proves nothing.
        ([100], [100], True),
        ([100 + MOMENT], [], False),
        ([200, 0], [], False),
        ([200, 120, 40, 0], [200, 120, 40], True),
        # What was recorded behind a run that is not old is not old.
        ([40, 20, 50, 0], [40], True),
        ([20, 50, 0], [], True),
        # By a clock that was ahead.
        ([-10, 40, 0], [-10, 40], True),
    ],
)
def test_runs_are_old_for_sure(
    store: Store, ages: list[float], old: list[float], *, unrecorded: bool
) -> None:
    """Older than thirty days, by their own clock and by those of the other runs."""
    begin(store, "open", Q, -300 * DAY)
    for number, age in enumerate(ages):
        keep(store, f"{number}", P, -age * DAY, Outcome.SUCCESS)

    found = store.old_runs(NOW - timedelta(days=30), NOW)

    recorded = enumerate(ages)
    assert [a for n, a in recorded if store.is_old(f"{n}", found)] == old
    assert store.is_old("none", found) is unrecorded


def test_a_log_has_been_read_up_to_its_own_place(store: Store) -> None:
    """Of each log of each project."""
    places = {
        (path, name): LogPlace(f"{number}", 10 * number)
        for number, (path, name) in enumerate(product((P, Q), ("a.log", "b.log")), 1)
    }
    for number, ((path, name), place) in enumerate(places.items()):
        begin(store, str(number), path, number, log=(name, place))

    assert {key: store.log_place(*key) for key in places} == places
    assert store.log_place(P, "c.log") == LogPlace()
    assert store.log_place(OTHER, "a.log") == LogPlace()


def test_runs_that_the_log_lacks_come_oldest_first(store: Store) -> None:
    """With the numbers of their scripts; those of the project alone."""
    for run_id, path, numbers in (("b", P, [2, 1]), ("q", Q, [1]), ("a", P, [0])):
        keep(store, run_id, path, 0, Outcome.SUCCESS, Outcome.SUCCESS)
        store.keep_unlogged(run_id, numbers)
    keep(store, "c", P, 0, Outcome.SUCCESS)

    found = [(run.run_id, sorted(numbers)) for run, numbers in store.unlogged(P)]

    assert found == [("b", [1, 2]), ("a", [0])]


def test_interrupted_runs_come_oldest_first(store: Store) -> None:
    """As they were recorded; no other project's are among them."""
    for run_id, path, minute in (("b", P, 2), ("q", Q, 1), ("a", P, 3), ("c", P, 1)):
        begin(store, run_id, path, minute)

    assert [run.run_id for run in store.interrupt_runs(P, NOW)] == ["b", "a", "c"]


@pytest.mark.skipif(sys.platform == "win32", reason="this user may make no links")
def test_a_folder_and_a_link_to_it_keep_their_own_runs(
    store: Store, tmp_path: Path
) -> None:
    """Where both have runs of their own already, from before the link led there."""
    link = tmp_path / "current"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    link.symlink_to(tmp_path / "first", target_is_directory=True)
    keep(store, "a", link, 0, Outcome.SUCCESS)
    keep(store, "b", tmp_path / "second", 1, Outcome.SUCCESS)
    link.unlink()
    link.symlink_to(tmp_path / "second", target_is_directory=True)
    keep(store, "c", link, 2, Outcome.SUCCESS)

    assert ids(store.runs(projects=[link])) == ["c", "a"]
    assert ids(store.runs(projects=[tmp_path / "second"])) == ["b"]


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
