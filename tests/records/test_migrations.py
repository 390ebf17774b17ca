from __future__ import annotations

import hashlib
import ntpath
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from python_runner.model import Outcome, RunStatus
from python_runner.records.database import connect
from python_runner.records.schema import COLUMNS, MIGRATIONS
from python_runner.records.store import DATABASE_NAME, open_store
from tests.support import NOW


FIRST = int(NOW.timestamp() * 1_000_000)
#: What was published once, by the first characters of its hash.
PUBLISHED = ("8d482156555e", "35f28dea3787", "3e302855ffe8", "4bf36c8c169e")


def apply(connection: sqlite3.Connection, *migrations: tuple[str, ...]) -> None:
    """Do what ``migrate`` does, without transactions."""
    for migration in migrations:
        for statement in migration:
            connection.execute(statement)


def fill(connection: sqlite3.Connection, *paths: str) -> None:
    """Write, as version 1 did, a run of two scripts for each project, the last open."""
    for number, path in enumerate(paths, 1):
        connection.execute("INSERT INTO project VALUES (?, ?)", (number, path))
        for name in ("a.py", "b.py"):
            connection.execute(
                "INSERT INTO script (project, name) VALUES (?, ?)", (number, name)
            )
        connection.execute(
            """
            INSERT INTO run (id, run_id, project, name, status, started_at, duration,
                interpreter)
            VALUES (?, printf('%013x', ?), ?, 'p', 'success', ?, 1.0, '/usr/bin/python3')
            """,
            (number, number, number, FIRST + number),
        )
        connection.execute(
            """
            INSERT INTO result (run, number, script, state, started_at)
            SELECT ?, row_number() OVER (ORDER BY id), id, 'success', ?
            FROM script WHERE project = ?
            """,
            (number, FIRST + number, number),
        )
        connection.execute(
            """
            INSERT INTO attempt (run, number, attempt, outcome, exit_code, started_at,
                duration)
            VALUES (?, 1, 1, 'success', 0, ?, 1.0)
            """,
            (number, FIRST + number),
        )
    connection.execute("UPDATE run SET status = NULL WHERE id = ?", (len(paths),))


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    """Upgrading loses nothing, settles what was open, and happens once."""
    with closing(
        sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    ) as old:
        apply(old, MIGRATIONS[0])
        fill(old, "/srv/one", "/srv/two")
        old.execute("PRAGMA user_version = 1")

    with open_store(tmp_path, NOW) as store:
        assert store.notice is None
        (run,) = store.runs()
        (settled,) = store.interrupt_runs(Path("/srv/two"), NOW)
        store.end_run(settled, [], NOW)
        assert store.last_outcomes(Path("/srv/one")) == dict.fromkeys(
            ["a.py", "b.py"], Outcome.SUCCESS
        )

    assert (run.path, run.status) == (Path("/srv/one"), RunStatus.SUCCESS)
    assert (run.interpreter, run.interpreter_version) == ("/usr/bin/python3", None)
    assert [len(script.attempts) for script in run.scripts] == [1, 0]
    assert settled.status is RunStatus.INTERRUPTED
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as new:
        assert new.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert new.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert new.execute("PRAGMA foreign_key_check").fetchall() == []
    with open_store(tmp_path, NOW) as store:
        assert len(store.runs()) == 2


def test_projects_that_differ_in_case_alone_are_joined() -> None:
    """Where the platform ignores case, their runs and scripts become one project's."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.create_function("path_key", 1, ntpath.normcase)
        connection.execute("PRAGMA foreign_keys = ON")
        apply(connection, *MIGRATIONS[:2])
        fill(connection, "C:\\P", "C:\\Other", "c:/p", "c:\\p")
        connection.execute("UPDATE script SET name = 'c.py' WHERE id = 6")

        apply(connection, MIGRATIONS[2])

        def ask(statement: str) -> list[tuple[object, ...]]:
            return connection.execute(statement).fetchall()

        assert ask("SELECT id, path, key FROM project ORDER BY id") == [
            (1, "C:\\P", "c:\\p"),
            (2, "C:\\Other", "c:\\other"),
        ]
        assert ask("SELECT project FROM run ORDER BY id") == [(1,), (2,), (1,), (1,)]
        assert ask(
            """
            SELECT run, script.name FROM result
            JOIN script ON script.id = result.script
            JOIN run ON run.id = run AND run.project = script.project
            ORDER BY run, number
            """
        ) == [
            *[(1, "a.py"), (1, "b.py"), (2, "a.py"), (2, "b.py")],
            *[(3, "a.py"), (3, "c.py"), (4, "a.py"), (4, "b.py")],
        ]
        assert ask("SELECT count(*) FROM script WHERE project = 1") == [(3,)]
        assert ask("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(
    ("migration", "digest"), list(zip(MIGRATIONS, PUBLISHED, strict=False))
)
def test_a_published_migration_never_changes(
    migration: tuple[str, ...], digest: str
) -> None:
    """Files out there have had it: what is to be different is a further one."""
    found = hashlib.sha256("\n".join(migration).encode()).hexdigest()

    assert found.startswith(digest)


def test_the_columns_are_those_that_the_migrations_make() -> None:
    """Who adds a migration tells what is there after it."""
    with closing(connect(Path(":memory:"))) as connection:
        apply(connection, *MIGRATIONS)
        found = connection.execute(
            """
            SELECT tables.name, columns.name
            FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
            WHERE tables.type = 'table' ORDER BY 1, 2
            """
        ).fetchall()

    named = [(table, name) for table in COLUMNS for name in COLUMNS[table].split()]
    assert named == [tuple(row) for row in found]
