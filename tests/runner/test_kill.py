from __future__ import annotations

import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from python_runner.model import RunStatus
from python_runner.records.log_reader import read_log
from python_runner.records.store import open_store
from python_runner.runner.session import local_now
from tests.support import COMMAND, MakeProject


if TYPE_CHECKING:
    from pathlib import Path

#: Seconds after which the runner is killed: through all of its start, run and end.
MOMENTS = [0.05 + 0.09 * n for n in range(16)]


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


@pytest.mark.slow
def test_a_runner_killed_at_any_moment_leaves_the_truth(
    make_project: MakeProject, shielded: Path
) -> None:
    """After the next run: nothing open, every script of every run told exactly once."""
    pause = "import time; time.sleep(0.15)"
    folder = make_project(sources={f"{name}.py": pause for name in "abc"})

    for moment in MOMENTS:
        with subprocess.Popen([*COMMAND, "run", "-q", folder]) as runner:
            time.sleep(moment)
            runner.kill()
        psutil.wait_procs(processes_in(folder), timeout=10)
    done = subprocess.run([*COMMAND, "run", "-q", folder], check=False, timeout=60)

    assert done.returncode == 0
    assert processes_in(folder) == []
    with open_store(shielded, local_now()) as store:
        runs = store.runs(limit=1000)
    assert runs[0].status is RunStatus.SUCCESS
    assert {RunStatus.INTERRUPTED, RunStatus.SUCCESS} >= {run.status for run in runs}
    told = Counter(
        (record.run_id, record.script)
        for record in read_log(folder / "logs", "project_1.log")
    )
    assert told == Counter(
        (run.run_id, result.script) for run in runs for result in run.scripts
    )
    assert all(len(run.scripts) == 3 for run in runs)
    with closing(sqlite3.connect(shielded / "records.sqlite3")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute(
            "SELECT count(*) FROM run WHERE status IS NULL"
        ).fetchall() == [(0,)]
