"""``python -m benchmarks.cluster``: what an attempt in a cluster costs beside bare Dask.

Both run the same script, which does nothing, with the same interpreter on the same two
worker processes, one after the other, in turn: our whole step of a script (leave to begin,
lease, process tree, output in UTF-8, answer), and a task that calls ``subprocess.run``.
The processor time of all processes is told as well: on a machine that others use it
says more than the seconds that passed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from python_runner.cluster.coordinator import Cluster
from python_runner.config.project import load_project
from python_runner.execution.environment import PYTHON_FLAGS
from python_runner.execution.stop import StopRequest
from python_runner.model import Command
from python_runner.model.cluster import ClusterPlace


#: What an attempt may take, of the time of the bare engine.
MOST = 1.15


def bare(command: list[str], folder: str, output: str) -> int:
    """Run a command as a task of the bare engine does."""
    with Path(output).open("ab") as file:
        return subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def processor_time() -> float:
    """Return the seconds of this process and of all below it, also of those that ended."""
    processes = [psutil.Process()]
    processes += processes[0].children(recursive=True)
    times = [process.cpu_times() for process in processes]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def measure(rounds: int, folder: Path) -> list[tuple[float, float]]:
    """Return what an attempt takes, ours and the bare engine's.

    Median seconds that passed, and mean
    seconds of processor time.
    """
    script, logs = folder / "main.py", folder / "logs"
    script.write_text("pass\n", encoding="utf-8")
    logs.mkdir()
    config = {
        "scripts": [script.name],
        "python_command": sys.executable,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": False,
        "logs_backup_count": 0,
    }
    (folder / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")
    project = load_project(folder)
    command = Command(
        argv=(sys.executable, str(script)),
        cwd=str(folder),
        env={},
        output=str(logs / "ours.log"),
        output_limit=10_000_000,
        timeout=None,
        grace=10.0,
        project=str(folder),
        run_id="39be3d37aed64",
    )
    plain = [sys.executable, *PYTHON_FLAGS, str(script)]
    with Cluster(ClusterPlace(address="local:2"), folder / "home") as cluster:

        def ours() -> None:
            cluster.run(project, project.scripts[0], command, StopRequest())

        engine: Any = cluster.connect().client.get_executor(pure=False, retries=0)

        def theirs() -> None:
            engine.submit(bare, plain, str(folder), str(logs / "bare.log")).result()

        for step in (ours, theirs) * 4:
            step()
        taken: dict[Any, list[float]] = {ours: [], theirs: []}
        worked: dict[Any, float] = {ours: 0.0, theirs: 0.0}
        for turn in range(rounds):
            for step in (ours, theirs) if turn % 2 else (theirs, ours):
                # A client of Dask sends its words 10 ms apart, the last one of a step too:
                # each step waits for one of its own kind, as in a series.
                step()
                before, begin = processor_time(), time.perf_counter()
                step()
                taken[step].append(time.perf_counter() - begin)
                worked[step] += processor_time() - before
    return [(statistics.median(taken[s]), worked[s] / rounds) for s in (ours, theirs)]


def main() -> int:
    """Print the ratio; return 1 where it is too high."""
    # As where it is installed: else each guard would compile what it imports anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rounds = int(sys.argv[1]) if sys.argv[1:] else 100
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ours, theirs = measure(rounds, Path(folder))
    ratio = ours[0] / theirs[0]
    print(
        f"{ratio:.2f} ({ours[0] * 1000:.0f} ms, bare {theirs[0] * 1000:.0f} ms,"
        f" {rounds} rounds); processor time {ours[1] / theirs[1]:.2f}"
        f" ({ours[1] * 1000:.0f} ms, bare {theirs[1] * 1000:.0f} ms)"
    )
    return int(ratio > MOST)


if __name__ == "__main__":
    sys.exit(main())
