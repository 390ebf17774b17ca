"""A project of one script, and a cluster that runs it."""

from __future__ import annotations

import sys
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING, Any

import psutil

from python_runner.config.project import load_project
from python_runner.execution.stop import StopRequest
from python_runner.model import Attempt, Command
from tests.support import wait_until


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.cluster.coordinator import Cluster

#: Seconds of a lease; the usual one would be waited for.
LEASE = 1.5
#: Notes that it runs, by its number, and goes on for long.
SLEEPS = """if True:
    import os, time
    with open("begun", "a") as file:
        print(os.getpid(), file=file, flush=True)
    print("begun", flush=True)
    time.sleep(600)
"""


class Bench:
    """A project of one script, and a cluster that runs it."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.project = load_project(folder)
        self.cluster = cluster
        self.stop = StopRequest()
        self.attempts: list[Attempt] = []
        self.output = folder / "logs" / "runs" / "one" / "out.log"
        self.output.parent.mkdir(parents=True)

    def run(self, **changes: Any) -> Attempt:
        """Run the script once, to its end."""
        (script,) = self.project.scripts
        folder = self.project.path
        command = Command(
            argv=(sys.executable, str(folder / script.path)),
            cwd=str(folder),
            env={},
            output=str(self.output),
            output_limit=100_000,
            timeout=None,
            grace=1.0,
            project=str(folder),
            run_id="39be3d37aed64",
        )
        return self.cluster.run(
            self.project, script, replace(command, **changes), self.stop
        )

    def begin(self) -> Thread:
        """Run the script in a thread; return when it has begun."""
        thread = Thread(target=lambda: self.attempts.append(self.run()))
        thread.start()
        wait_until(self.pids)
        return thread

    def pids(self) -> list[int]:
        """Return the processes of the script that began, in order."""
        file = self.project.path / "begun"
        return [*map(int, file.read_text("utf-8").split())] if file.exists() else []

    def is_over(self) -> bool:
        """Say whether no process of the script is left."""
        return not any(map(psutil.pid_exists, self.pids()))
