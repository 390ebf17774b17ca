"""Worlds of a size to measure in: projects, records of many runs, long logs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from benchmarks.timing import Sample, Start, run
from python_runner.records.database import connect
from python_runner.records.schema import SUMMARIES
from python_runner.records.store import DATABASE_NAME, open_store


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: The newest run of the records that are made.
NOW = datetime.now(UTC)
#: A run every half an hour for each of as many projects; one in twenty fails.
PROJECTS = 20
SCRIPTS = 3
#: Seconds that one command may take.
_LIMIT = 300.0
#: Lines of a log: one in ten tells a failure.
_LINE = "2024-11-27 09:51:58,954 - {level} - LAPTOP - 39be3d37aed64 - 0.08 - main.py - {end}\n"


class World:
    """A folder with a state folder in it, in which commands run.

    Attributes:
        root: the folder.
        home: the state folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"

    def project(
        self, name: str, scripts: int, source: str = "", **keys: object
    ) -> Path:
        """Make a project of equal scripts of ``sh``, quicker than any Python."""
        folder = self.root / name
        folder.mkdir(parents=True)
        names = [f"s{number:05}.py" for number in range(1, scripts + 1)]
        for script in names:
            (folder / script).write_text(source, encoding="utf-8")
        config = {
            "scripts": names,
            "python_command": shutil.which("sh" if source else "true"),
            "recipients": [],
            "email_strategy": "none",
            "include_traceback": True,
            "logs_backup_count": 0,
            **keys,
        }
        (folder / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder

    def start(self, *arguments: object) -> Start:
        """Return how one of our commands is started here."""
        command = [sys.executable, "-m", "python_runner", *map(str, arguments)]
        environ = {"PYTHON_RUNNER_HOME": str(self.home), "LANGUAGE": "en"}
        return Start(command=command, environ=environ)

    def run(self, *arguments: object) -> Sample:
        """Run one of our commands.

        Raises:
            RuntimeError: it failed, or took minutes.
        """
        sample = run(self.start(*arguments), self.root, _LIMIT)
        if sample.timed_out or sample.code not in {0, 1}:
            said = (self.root / "out").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"{arguments}: exit code {sample.code}: {said[-500:]}")
        return sample

    @contextmanager
    def beside(self, *arguments: object) -> Iterator[None]:
        """Run one of our commands beside what the block does, again and again."""
        start = self.start(*arguments)
        command = 'while :; do "$@" >/dev/null 2>&1; sleep 0.05; done'
        child = subprocess.Popen(
            ["sh", "-c", command, "sh", *start.command],
            env=os.environ | dict(start.environ),
            start_new_session=True,
        )
        with ended(child):
            yield


@contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill a process, which leads its session, with all it has started."""
    if sys.platform == "win32":
        raise NotImplementedError("benchmarks need POSIX")
    try:
        yield
    finally:
        os.killpg(child.pid, 9)
        child.wait()


@contextmanager
def sleepers(count: int) -> Iterator[None]:
    """Keep so many processes asleep while the block runs."""
    loop = f"i=0; while [ $i -lt {count} ]; do sleep 900 & i=$((i+1)); done; echo; wait"
    with (
        subprocess.Popen(
            ["sh", "-c", loop], stdout=subprocess.PIPE, start_new_session=True
        ) as child,
        ended(child),
    ):
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        child.stdout.readline()
        yield


def make_log(folder: Path, megabytes: int) -> None:
    """Write a log of so many MB into a project."""
    (folder / "logs").mkdir()
    good = _LINE.format(level="INFO", end="success")
    bad = _LINE.format(level="ERROR", end="failure")
    block = (good * 9 + bad) * 1000
    with (folder / "logs" / f"{folder.name}.log").open("w", encoding="ascii") as log:
        for _ in range(megabytes * 1_000_000 // len(block) + 1):
            log.write(block)


def make_outputs(folder: Path, count: int, age: timedelta) -> None:
    """Make folders of output of so many runs into a project, the newest of that age."""
    for number in range(count):
        moment = datetime.now().astimezone() - age - timedelta(minutes=number)
        name = f"{moment:%Y-%m-%d_%H-%M-%S}_{number:013x}"
        (folder / "logs" / "runs" / name).mkdir(parents=True)


def make_records(home: Path, runs: int, projects: int = PROJECTS) -> None:
    """Make records of so many runs."""
    open_store(home, NOW).close()
    fill(home / DATABASE_NAME, runs, projects)


def fill(path: Path, runs: int, projects: int = PROJECTS) -> None:
    """Write ``runs`` runs, the newest of them now, in a few statements."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO project (id, path, key) VALUES (?, ?, path_key(?))",
            [
                (number, *[f"/srv/projects/project_{number}"] * 2)
                for number in range(projects)
            ],
        )
        connection.executemany(
            "INSERT INTO script (id, project, name) VALUES (?, ?, ?)",
            [
                (number * SCRIPTS + place, number, f"{place}.py")
                for number in range(projects)
                for place in range(SCRIPTS)
            ],
        )
        values = {
            "runs": runs,
            "projects": projects,
            "scripts": SCRIPTS,
            "newest": int(NOW.timestamp() * 1_000_000),
            "step": 1_800_000_000 // projects,
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
        for statement in SUMMARIES:
            if statement.lstrip().startswith(("INSERT", "WITH")):
                connection.execute(statement)
        connection.execute(
            "UPDATE run SET scripts = :scripts, failed = iif(status = 'success', 0, :scripts)",
            values,
        )
        connection.execute("COMMIT")
