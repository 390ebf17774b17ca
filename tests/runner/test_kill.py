from __future__ import annotations

import sqlite3
import subprocess
from collections import Counter
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from python_runner.model import RunStatus
from python_runner.records.log_reader import read_log
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.runner.session import local_now
from tests.support import COMMAND, GENEROUS, MakeProject, wait_until


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Says that it is up, and goes on once nobody holds it.
GATED = """
import pathlib, time
pathlib.Path("{name}.up").touch()
end = time.monotonic() + 60
while pathlib.Path("{name}.hold").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""
#: What is seen when the runner is killed, and which script cannot end before that;
#: where none is held, the run may have ended.
MOMENTS = (
    ("locked", "a"),
    ("a.up", "a"),
    ("1 logged", "b"),
    ("b.up", "b"),
    ("2 logged", "c"),
    ("c.up", "c"),
    ("3 logged", ""),
    ("closed", ""),
)
#: How the scripts of a run end whose runner is killed while one of them runs.
UNDER_WAY = {
    "a.up": ["interrupted", "skipped", "skipped"],
    "b.up": ["success", "interrupted", "skipped"],
    "c.up": ["success", "success", "interrupted"],
}


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the living processes that work in a project's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


def successes(folder: Path) -> int:
    """Return how many successes a project's log tells of: recovery adds none here."""
    log = folder / "logs" / "project_1.log"
    return log.read_bytes().count(b" - success\n") if log.exists() else 0


def moment(folder: Path, home: Path, name: str) -> Callable[[], bool]:
    """Return what says whether a moment of the run that now begins has come."""
    logged, good = successes(folder), good_runs(home)
    if name.endswith(" logged"):
        return lambda: successes(folder) >= logged + int(name[0])
    if name == "closed":
        return lambda: good_runs(home) > good
    if name == "locked":
        return lambda: any(map(has_text, (home / "locks").glob("*.lock")))
    return (folder / name).exists


def has_text(path: Path) -> bool:
    """Say whether a file is not empty."""
    return path.stat().st_size > 0


def good_runs(home: Path) -> int:
    """Return how many runs have succeeded; none where there are no records yet."""
    with suppress(sqlite3.Error), closing(records(home)) as database:
        found = database.execute("SELECT count(*) FROM run WHERE status = 'success'")
        return int(found.fetchone()[0])
    return 0


def records(home: Path) -> sqlite3.Connection:
    """Open the records for reading; they are not made."""
    return sqlite3.connect(f"{(home / DATABASE_NAME).as_uri()}?mode=ro", uri=True)


def kill_at(folder: Path, home: Path, name: str, held: str) -> None:
    """Kill a run at a moment, and let the script that it leaves end."""
    for path in (*folder.glob("*.up"), *(home / "locks").glob("*.lock")):
        path.unlink()
    if held:
        (folder / f"{held}.hold").touch()
    come = moment(folder, home, name)
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as runner:
        wait_until(come)
        runner.kill()
    if held:
        (folder / f"{held}.hold").unlink()
    gone, alive = psutil.wait_procs(processes_in(folder), timeout=GENEROUS)
    assert not alive, gone


@pytest.mark.fault(
    "runner",
    "The runner is killed at any moment",
    "After the next run nothing is open, and each script of each run is told exactly once.",
)
@pytest.mark.not_wine
@pytest.mark.slow
def test_a_runner_killed_at_any_moment_leaves_the_truth(
    make_project: MakeProject, shielded: Path
) -> None:
    """After the next run: nothing open, every script of every run told exactly once."""
    folder = make_project(sources={f"{n}.py": GATED.format(name=n) for n in "abc"})
    expected: list[list[str]] = []

    for name, held in MOMENTS:
        kill_at(folder, shielded, name, held)
        with open_store(shielded, local_now()) as store:
            expected += [UNDER_WAY[name]] if name in UNDER_WAY else []
            active = len(store.open_runs())
        assert active == 1 or name == "locked" or not held
    done = subprocess.run([*COMMAND, "run", "-q", folder], check=False, timeout=60)

    assert done.returncode == 0
    assert processes_in(folder) == []
    with open_store(shielded, local_now()) as store:
        runs = store.runs(limit=1000)
    assert runs[0].status is RunStatus.SUCCESS
    statuses = Counter(run.status for run in runs)
    assert statuses.keys() == {RunStatus.INTERRUPTED, RunStatus.SUCCESS}
    held_runs = sum(bool(held) for name, held in MOMENTS if name != "locked")
    assert statuses[RunStatus.INTERRUPTED] >= held_runs
    ends = [[result.outcome.value for result in run.scripts] for run in reversed(runs)]
    # In this order; runs that were killed at no known moment may lie between them.
    left = iter(ends)
    assert all(end in left for end in expected), ends
    told = Counter(
        (record.run_id, record.script)
        for record in read_log(folder / "logs", "project_1.log")
    )
    assert told == Counter(
        (run.run_id, result.script) for run in runs for result in run.scripts
    )
    assert all(len(run.scripts) == 3 for run in runs)
    with closing(records(shielded)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute(
            "SELECT count(*) FROM run WHERE status IS NULL"
        ).fetchall() == [(0,)]
