"""Runs by the Task Scheduler itself, in session 0, of an account that nobody uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import psutil
import pytest

from tests.support import wait_until


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support import Cli, MakeProject

pytestmark = [
    pytest.mark.windows,
    pytest.mark.not_wine,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
    pytest.mark.skipif(
        os.environ.get("PYTHON_RUNNER_TASKS") != "1",
        reason="makes tasks of SYSTEM: PYTHON_RUNNER_TASKS=1 asks for it",
    ),
]

#: Seconds within which the Task Scheduler starts a task.
PATIENCE = 120.0
SYSTEM = "S-1-5-18"
WINDOWLESS = Path(sys.executable).with_name("python-runnerw.exe")
TASK = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Principals><Principal id="account"><UserId>{user}</UserId></Principal></Principals>
  <Settings>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <ExecutionTimeLimit>PT10M</ExecutionTimeLimit>
  </Settings>
  <Actions Context="account">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""
WHERE = """
import ctypes, os, pathlib, sys
session = ctypes.c_uint32(99)
ctypes.windll.kernel32.ProcessIdToSessionId(os.getpid(), ctypes.byref(session))
pathlib.Path("where").write_text(f"{session.value} {os.environ['USERNAME']}")
"""
STUCK = """
import os, pathlib, time
pathlib.Path("pid.new").write_text(str(os.getpid()))
pathlib.Path("pid.new").replace("pid")
time.sleep(300)
"""


def schtasks(*arguments: str) -> None:
    """Tell the Task Scheduler something."""
    done = subprocess.run(
        ["schtasks", *arguments], capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Return a function that lets SYSTEM run a project now, and names the task."""
    made: list[str] = []

    def run(project: Path) -> str:
        # SYSTEM has a profile of its own; the records are to lie in the test's folder.
        variables = tmp_path / "task.env"
        variables.write_text(f"PYTHON_RUNNER_HOME={tmp_path / 'home'}\n", "utf-8")
        arguments = subprocess.list2cmdline(
            ["run", "--env-file", str(variables), str(project)]
        )
        file = tmp_path / "task.xml"
        text = TASK.format(
            user=SYSTEM,
            command=escape(str(WINDOWLESS)),
            arguments=escape(arguments),
            folder=escape(str(tmp_path)),
        )
        file.write_text(text, "utf-16")
        name = f"python-runner-test-{uuid.uuid4().hex}"
        schtasks("/create", "/tn", name, "/xml", str(file))
        made.append(name)
        schtasks("/run", "/tn", name)
        return name

    yield run
    for name in made:
        schtasks("/delete", "/tn", name, "/f")


def test_a_task_runs_a_project_where_nobody_is_logged_on(
    make_project: MakeProject, start: Callable[[Path], str], cli: Cli
) -> None:
    """Session 0 has no console, no streams and no user; the run is as any other."""
    folder = make_project("Clôture été", sources={"where.py": WHERE})
    log = folder / "logs" / f"{folder.name}.log"

    start(folder)

    wait_until(lambda: log.exists() and " - where.py - " in log.read_text("utf-8"))
    assert log.read_text("utf-8").rstrip().endswith(" - where.py - success")
    session, _user = (folder / "where").read_text("utf-8").split(" ", 1)
    assert session == "0"
    wait_until(lambda: statuses(cli) == ["success"])


def test_the_end_of_a_task_leaves_nobody(
    make_project: MakeProject, start: Callable[[Path], str], cli: Cli
) -> None:
    """What "End" kills is the runner: its scripts go along, and the next run tells of it."""
    folder = make_project(sources={"stuck.py": STUCK})
    name = start(folder)
    wait_until((folder / "pid").exists)
    script = psutil.Process(int((folder / "pid").read_text("utf-8")))

    schtasks("/end", "/tn", name)

    assert psutil.wait_procs([script], timeout=PATIENCE)[1] == []
    (folder / "stuck.py").write_text("", "utf-8")
    assert cli("run", folder).returncode == 0
    assert statuses(cli) == ["success", "interrupted"]


def statuses(cli: Cli) -> list[str]:
    """Return how the runs ended, newest first."""
    runs = json.loads(cli("history", "--json").stdout)["runs"]
    return [run["status"] for run in runs]
