"""How fast the records answer at scale, beside plain sqlite3 on the same file.

::

    python benchmarks/store.py            # 100,000 runs
    python benchmarks/store.py 1000000    # takes a while, and 1 GB of disk

The plain side runs the smallest statement that finds the same rows by the same indexes
and fetches their columns; the records also build facts of them. Adding a result is, on the
plain side, one transaction that adds the same rows to the same tables.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.model import (
    Attempt,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
)
from python_runner.records.database import connect
from python_runner.records.store import DATABASE_NAME, Store, open_store


if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
#: A run every half an hour for each of as many projects; one in twenty fails.
PROJECTS = 20
SCRIPTS = 3
REPEATS = 15
#: More than there are.
MANY = 100_000


def project(number: int) -> Path:
    """Return the folder of a project."""
    return Path(f"/srv/projects/project_{number}")


def fill(path: Path, runs: int) -> None:
    """Write ``runs`` runs, the newest of them now, in a few statements."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO project (id, path, key) VALUES (?, ?, path_key(?))",
            [(number, *[str(project(number))] * 2) for number in range(PROJECTS)],
        )
        connection.executemany(
            "INSERT INTO script (id, project, name) VALUES (?, ?, ?)",
            [
                (number * SCRIPTS + place, number, f"{place}.py")
                for number in range(PROJECTS)
                for place in range(SCRIPTS)
            ],
        )
        values = {
            "runs": runs,
            "projects": PROJECTS,
            "scripts": SCRIPTS,
            "newest": int(NOW.timestamp() * 1_000_000),
            "step": 1_800_000_000 // PROJECTS,
        }
        connection.execute(
            """
            WITH RECURSIVE n(i) AS (
                SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT :runs
            )
            INSERT INTO run (id, run_id, project, name, status, started_at, duration)
            SELECT i + 1, printf('%013x', i), i % :projects, 'project',
                iif(i % 20 = 7, 'failure', 'success'),
                :newest - (:runs - i) * :step, 60.0 + i % 17
            FROM n
            """,
            values,
        )
        connection.execute(
            """
            WITH RECURSIVE n(place) AS (
                SELECT 0 UNION ALL SELECT place + 1 FROM n LIMIT :scripts
            )
            INSERT INTO result (run, number, script, state, started_at, duration)
            SELECT id, place + 1, project * :scripts + place, status, started_at,
                20.0 + id % 31
            FROM run, n
            """,
            values,
        )
        connection.execute(
            """
            INSERT INTO attempt (run, number, attempt, outcome, exit_code, started_at,
                duration, traceback, exception)
            SELECT run, number, 1, state, state <> 'success', started_at, duration,
                iif(state <> 'success', printf('%.800c', 'x'), NULL),
                iif(state <> 'success', 'KeyError: 1', NULL)
            FROM result
            """
        )
        connection.execute("COMMIT")


def plain_runs(
    connection: sqlite3.Connection, where: str, limit: int, *values: object
) -> None:
    """Fetch runs, results and attempts as tuples."""
    keys = [
        key
        for (key,) in connection.execute(
            f"SELECT id FROM run WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - our own words
            (*values, limit),
        )
    ]
    marks = ", ".join("?" * len(keys))
    for table, column in (("run", "id"), ("result", "run"), ("attempt", "run")):
        connection.execute(
            f"SELECT * FROM {table} WHERE {column} IN ({marks})",  # noqa: S608 - likewise
            keys,
        ).fetchall()


def milliseconds(act: Callable[[], object]) -> float:
    """Return the median of some repetitions: syncs have no shortest time that counts."""
    return statistics.median(repeated(act))


def fastest(act: Callable[[], object]) -> float:
    """Return the shortest of some repetitions: what is longer is the machine's doing."""
    return min(repeated(act))


def repeated(act: Callable[[], object]) -> list[float]:
    """Return the milliseconds of some repetitions."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        act()
        times.append((time.perf_counter() - started) * 1000)
    return times


def compare(store: Store, connection: sqlite3.Connection) -> None:
    """Print each question's time, the plain one, and their ratio."""
    week = NOW - timedelta(days=7)
    microseconds = int(week.timestamp() * 1_000_000)

    failures = len(store.runs(failed=True, since=week, limit=MANY))
    questions: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "last 50 runs of a project": (
            lambda: store.runs(projects=[project(0)]),
            lambda: plain_runs(connection, "project = ?", 50, 0),
        ),
        f"failures of 7 days, all {failures}": (
            lambda: store.runs(failed=True, since=week, limit=MANY),
            lambda: plain_runs(
                connection,
                "status <> 'success' AND started_at >= ?",
                MANY,
                microseconds,
            ),
        ),
        "past of a script, 100 runs": (
            lambda: store.past_results(project(0), "0.py", 100),
            lambda: connection.execute(
                """
                SELECT * FROM result WHERE script = 0 ORDER BY run DESC LIMIT 100
                """
            ).fetchall(),
        ),
    }
    print(f"{'':<28}{'records':>10}{'plain':>10}{'ratio':>8}")
    for question, (records, plain) in questions.items():
        mine, theirs = fastest(records), fastest(plain)
        print(f"{question:<28}{mine:>7.2f} ms{theirs:>7.2f} ms{mine / theirs:>8.1f}")


def plain_result(connection: sqlite3.Connection, number: int) -> None:
    """Add a result and its attempt to the newest run, durably."""
    (run,) = connection.execute("SELECT max(id) FROM run").fetchone()
    now = int(NOW.timestamp() * 1_000_000)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        """
        INSERT INTO result (run, number, script, state, started_at, duration)
        VALUES (?, ?, 0, 'success', ?, 1.0)
        """,
        (run, number, now),
    )
    connection.execute(
        """
        INSERT INTO attempt (run, number, attempt, outcome, exit_code, started_at,
            duration)
        VALUES (?, ?, 1, 'success', 0, ?, 1.0)
        """,
        (run, number, now),
    )
    connection.execute("COMMIT")


def compare_writing(store: Store, connection: sqlite3.Connection) -> None:
    """Print what a result costs beside the same rows in one plain transaction."""
    attempt = Attempt(
        outcome=Outcome.SUCCESS, exit_code=0, started_at=NOW, duration=1.0
    )
    run = Run(
        run_id="f" * 13,
        project="project",
        path=project(0),
        status=RunStatus.SUCCESS,
        started_at=NOW,
        duration=1.0,
    )
    names = [f"{number}.py" for number in range(REPEATS)]
    store.begin_run(
        OpenRun(
            run_id=run.run_id,
            project=run.project,
            path=run.path,
            started_at=NOW,
            scripts=tuple(
                OpenScript(script=name, number=number)
                for number, name in enumerate(names, 1)
            ),
        )
    )
    results = iter(
        ScriptResult(
            script=name,
            run_id=run.run_id,
            number=number,
            outcome=Outcome.SUCCESS,
            started_at=NOW,
            attempts=(attempt,),
        )
        for number, name in enumerate(names, 1)
    )
    fresh = itertools.count(len(names) + 1)
    mine = milliseconds(lambda: store.end_script(next(results)))
    theirs = milliseconds(lambda: plain_result(connection, next(fresh)))
    print(
        f"{'adding a result':<28}{mine:>7.2f} ms{theirs:>7.2f} ms{mine / theirs:>8.1f}"
    )


def main(runs: int) -> None:
    """Build the records in a temporary folder, ask, and throw them away."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        open_store(home, NOW).close()
        started = time.perf_counter()
        fill(home / DATABASE_NAME, runs)
        size = (home / DATABASE_NAME).stat().st_size / 1e6
        seconds = time.perf_counter() - started
        print(f"{runs:,} runs of {SCRIPTS} scripts: {size:.0f} MB in {seconds:.0f} s")
        opening = milliseconds(lambda: open_store(home, NOW).close())
        print(f"{'opening':<28}{opening:>7.2f} ms")
        with (
            open_store(home, NOW) as store,
            closing(connect(home / DATABASE_NAME)) as connection,
        ):
            compare(store, connection)
            compare_writing(store, connection)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
