"""What runs and results were made of, in the records."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import OpenRun, OpenScript, Outcome, PastBounds
from python_runner.model.metrics import OutputNumber, ProducedFile, ScriptMetrics
from python_runner.model.provenance import (
    Packages,
    RunProvenance,
    ScriptProvenance,
    SourceFile,
)
from python_runner.records.database import connect
from python_runner.records.store import DATABASE_NAME, Store, open_store
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import MakeResult, MakeRun

PACKAGES = Packages(
    fingerprint="f" * 32, versions=(("numpy", "2.1.0"), ("pandas", "2.2.3"))
)
RUN = RunProvenance(
    computer="LAPTOP-BS85JNP7",
    account="CORP\\svc_reports",
    packages=PACKAGES.fingerprint,
    variables=("HOME", "PATH", "\udce9"),
)
SCRIPT = ScriptProvenance(
    script=SourceFile(path="main.py", digest="a" * 40),
    imports=(
        SourceFile(path="lib/load.py", digest="b" * 40),
        SourceFile(path="lib/\udce9.py", digest="c" * 40),
    ),
)
METRICS = ScriptMetrics(
    output_bytes=48_210,
    output_lines=912,
    log_warnings=1,
    log_errors=2,
    log_criticals=3,
    numbers=(
        OutputNumber(line="loaded # rows", value=48210.0),
        OutputNumber(line="rate #", value=-0.1),
    ),
    files=(ProducedFile(path="out/a.csv", size=12, modified_at=NOW),),
)
UNUSUAL = (Sentence.of("it took {seconds} s", seconds=1),)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return records of their own."""
    with open_store(tmp_path, NOW) as store:
        store.keep_packages("/srv/venv", "1", PACKAGES)
        yield store


def count(home: Path, table: str) -> int:
    """Return how many rows a table has."""
    with closing(connect(home / DATABASE_NAME)) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return int(found)


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        METRICS,
        replace(METRICS, numbers=()),
        replace(METRICS, files=()),
        ScriptMetrics(output_bytes=0, output_lines=0),
    ],
)
@pytest.mark.parametrize(
    "made_of", [None, SCRIPT, ScriptProvenance(), replace(SCRIPT, script=None)]
)
def test_everything_is_read_back(
    store: Store,
    make_run: MakeRun,
    make_result: MakeResult,
    metrics: ScriptMetrics | None,
    made_of: ScriptProvenance | None,
) -> None:
    """A run that ended at once, as one that the records had missed does."""
    result = make_result(metrics=metrics, provenance=made_of, unusual=UNUSUAL)
    run = make_run(result, provenance=RUN)

    store.end_run(run, [], NOW)

    assert store.run(run.run_id) == run
    [past] = store.past_results(run.path, "main.py", 5)
    assert (past.metrics, past.unusual) == (metrics, True)
    assert store.last_success(run.path, "main.py") == (run, result)
    assert store.packages(PACKAGES.fingerprint) == PACKAGES


def test_a_run_is_made_of_what_was_there_when_it_began(
    store: Store, make_run: MakeRun, make_result: MakeResult
) -> None:
    """It is known of a run whose runner died, of results too that ended before."""
    run = make_run(make_result(number=2, provenance=SCRIPT, metrics=METRICS))
    scripts = (
        OpenScript(script="first.py", number=1),
        OpenScript(script="main.py", number=2),
    )
    store.begin_run(
        OpenRun(
            run_id=run.run_id,
            project=run.project,
            path=run.path,
            started_at=NOW,
            scripts=scripts,
        ),
        made_of=RUN,
    )
    store.begin_attempt(run.run_id, 2, NOW)
    store.end_scripts(run.scripts)

    [dead] = store.interrupt_runs(run.path, NOW)
    store.end_run(replace(dead, provenance=None), [], NOW)

    found = store.run(run.run_id)
    assert found is not None
    assert found.provenance == RUN
    assert [script.provenance for script in found.scripts] == [None, SCRIPT]
    assert [script.metrics for script in found.scripts] == [None, METRICS]


def test_the_same_text_is_kept_once_and_goes_with_the_last_run_of_it(
    store: Store, tmp_path: Path, make_run: MakeRun, make_result: MakeResult
) -> None:
    """Retention leaves what a run that stays is made of, and nothing else."""
    other = ScriptProvenance(script=SourceFile(path="main.py", digest="d" * 40))
    for day in range(4):
        made = make_result(provenance=other if day < 2 else SCRIPT)
        result = replace(made, run_id=f"{day:013x}")
        run = make_run(
            result,
            run_id=f"{day:013x}",
            started_at=NOW + timedelta(days=day),
            provenance=RUN,
        )
        store.end_run(run, [], NOW)
    # What the run has, what the packages are, and two forms of the script.
    assert count(tmp_path, "provenance") == 4

    today = NOW + timedelta(days=3)
    assert store.delete_old_runs(NOW + timedelta(days=2), today) == 2
    assert count(tmp_path, "provenance") == 3
    assert [r.scripts[0].provenance for r in store.runs()] == [SCRIPT, SCRIPT]
    assert store.packages(PACKAGES.fingerprint) == PACKAGES

    later = today + timedelta(days=2)
    bare = make_run(run_id="f" * 13, started_at=later)
    store.end_run(bare, [], later)
    assert store.delete_old_runs(later, later) == 2
    assert count(tmp_path, "provenance") == 0
    assert count(tmp_path, "environment") == 0
    assert store.packages(PACKAGES.fingerprint) is None
    assert store.known_packages("/srv/venv", "1") is None
    # A run that believed in them all the same is recorded.
    store.end_run(make_run(run_id="e" * 13, provenance=RUN), [], later)
    assert (store.run("e" * 13) or bare).provenance == replace(RUN, packages=None)


def test_packages_are_known_while_their_folders_stay_the_same(store: Store) -> None:
    """What an environment holds now takes the place of what it held."""
    newer = Packages(fingerprint="e" * 32, versions=(("pandas", "3.0"),))

    assert store.known_packages("/srv/venv", "1") == PACKAGES.fingerprint
    assert store.known_packages("/srv/venv", "2") is None
    assert store.known_packages("/srv/other", "1") is None

    store.keep_packages("/srv/venv", "2", newer)

    assert store.known_packages("/srv/venv", "1") is None
    assert store.known_packages("/srv/venv", "2") == newer.fingerprint
    assert store.packages(newer.fingerprint) == newer


def test_the_last_success_is_that_of_the_script_before_a_run(
    store: Store, make_run: MakeRun, make_result: MakeResult
) -> None:
    """Failures, later runs, open runs and other scripts of the run do not count."""
    runs = {}
    for number, outcome in enumerate(
        [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS]
    ):
        run_id = f"{number:013x}"
        scripts = (
            make_result("other.py", number=1),
            make_result(outcome=outcome, number=2),
        )
        run = make_run(
            *(replace(script, run_id=run_id) for script in scripts), run_id=run_id
        )
        store.end_run(run, [], NOW)
        runs[number] = run

    path = runs[0].path
    assert store.last_success(path, "main.py") == (runs[3], runs[3].scripts[1])
    assert store.last_success(path, "main.py", runs[3].run_id) == (
        runs[1],
        runs[1].scripts[1],
    )
    assert store.last_success(path, "main.py", runs[0].run_id) is None
    assert store.last_success(path, "none.py") is None
    assert store.last_success(path.parent, "main.py") is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE provenance SET content = '{'",
        "UPDATE provenance SET content = '[]'",
        "UPDATE provenance SET content = '[1, 2, 3]'",
        "UPDATE provenance SET content = printf('%.*c', 90000, '[')",
        "UPDATE result SET metrics = '{}'",
        "UPDATE result SET metrics = '[[1]]'",
        "UPDATE result SET metrics = '[[1,2,3,4,5],[1]]'",
        """UPDATE result SET metrics = '[[1,2,3,4,5],[["a",1e400]],[["a",1,1e400]]]'""",
        "UPDATE result SET metrics = printf('%.*c', 90000, '[')",
        """UPDATE result SET metrics = '[["a",2,"b",4,5],["a",["b","c"],[],{}]]'""",
        "UPDATE result SET unusual = '7'",
    ],
)
def test_what_is_damaged_hides_nothing_else(
    store: Store,
    tmp_path: Path,
    make_run: MakeRun,
    make_result: MakeResult,
    damage: str,
) -> None:
    """It is unknown then; the run and its results are read all the same."""
    run = make_run(make_result(provenance=SCRIPT, metrics=METRICS), provenance=RUN)
    store.end_run(run, [], NOW)
    with closing(connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute(damage)
        connection.commit()

    found = store.run(run.run_id)

    assert found is not None
    assert [script.outcome for script in found.scripts] == [Outcome.SUCCESS]
    assert store.last_success(run.path, "main.py") is not None
    assert len(store.past_results(run.path, "main.py", 5)) == 1
    assert store.past_bounds(run.path, "main.py", 5).successes == 1
    json.dumps(found.to_document(), allow_nan=False)
    store.packages(PACKAGES.fingerprint)


def test_bounds_are_those_of_the_latest_successes(
    store: Store, make_run: MakeRun, make_result: MakeResult
) -> None:
    """Failures, older results, other scripts and what is not known are left out."""
    ids = map("{:013x}".format, range(9))

    def remember(outcome: Outcome, duration: float, rows: float | None) -> None:
        made = rows is not None and replace(
            METRICS,
            output_lines=int(rows),
            numbers=(OutputNumber(line="loaded # rows", value=rows),),
        )
        results = (
            make_result(outcome=outcome, duration=duration, metrics=made or None),
            make_result("other.py", duration=99.0, number=2),
        )
        run_id = next(ids)
        named = (replace(result, run_id=run_id) for result in results)
        store.end_run(make_run(*named, run_id=run_id), [], NOW)

    for outcome, duration, rows in (
        (Outcome.SUCCESS, 900.0, 900.0),
        (Outcome.SUCCESS, 2.0, -0.5),
        (Outcome.FAILURE, 800.0, 800.0),
        (Outcome.SUCCESS, 3.0, None),
        (Outcome.SUCCESS, 4.0, 20.25),
    ):
        remember(outcome, duration, rows)
    path = make_run().path

    found = store.past_bounds(path, "main.py", 4)

    assert found == PastBounds(
        successes=3,
        duration=(2.0, 4.0),
        output_bytes=(48_210, 48_210),
        output_lines=(0, 20),
        errors=(5, 5),
        numbers={"loaded # rows": (-0.5, 20.25)},
    )
    assert store.past_bounds(path, "main.py", 4, numbers=False).numbers == {}
    assert store.past_bounds(path, "none.py", 4) == PastBounds(successes=0)
