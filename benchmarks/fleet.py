"""``python -m benchmarks.fleet``: what it costs a run to tell a fleet of itself.

Each round runs the same project once without the key ``fleet`` and once with it, in
turn; the figures are ratios within a round. It also reads a fleet of many computers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.ratios import ratios, spread
from python_runner.fleet.reading import read_fleet
from python_runner.fleet.writing import FleetWriter
from python_runner.model import Outcome, Run, RunStatus, ScriptResult
from python_runner.model.fleet import FleetFolder


ROUNDS = 15
SCRIPTS = 3
#: Computers, projects of each, and runs of each project.
_FLEET = (10, 10, 50)


def _run(folder: Path, home: Path) -> tuple[float, float]:
    """Run the project of a folder; return seconds, and those of the processor."""
    environ = os.environ | {"PYTHON_RUNNER_HOME": str(home)}
    before, begin = os.times(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "python_runner", "run", "--quiet", "p"],
        cwd=folder,
        env=environ,
        check=True,
    )
    seconds, after = time.perf_counter() - begin, os.times()
    used = after.children_user + after.children_system
    return seconds, used - before.children_user - before.children_system


def _make(folder: Path, text: str) -> Path:
    project = folder / "p"
    project.mkdir(parents=True)
    names = [f"{number}.py" for number in range(SCRIPTS)]
    for name in names:
        (project / name).touch()
    config = {
        "scripts": names,
        "python_command": sys.executable,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": False,
        "logs_backup_count": 0,
    }
    (project / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "python-runner.toml").write_text(text, encoding="utf-8")
    return folder


def measure_runs(root: Path) -> None:
    """Print the ratio of a run that tells a fleet to one that does not."""
    (root / "share").mkdir()
    worlds = [
        _make(root / "without", ""),
        _make(root / "with", 'fleet = "../share"\n'),
    ]
    figures: list[list[tuple[float, float]]] = [[], []]
    for number in range(ROUNDS + 1):
        for place in (0, 1) if number % 2 else (1, 0):
            found = _run(worlds[place], root / f"home{place}")
            if number:
                figures[place].append(found)
    for name, column in (("wall clock", 0), ("processor", 1)):
        plain, told = ([row[column] for row in one] for one in figures)
        found_spread = spread(ratios(told, plain))
        print(
            f"{name}: {found_spread.median:.3f} times"
            f" ({found_spread.least:.3f} to {found_spread.most:.3f},"
            f" {found_spread.count} rounds)"
        )


def measure_reading(root: Path) -> None:
    """Print how long a fleet takes to be read, for each file."""
    share = root / "many"
    share.mkdir()
    computers, projects, runs = _FLEET
    begin = datetime.now(UTC) - timedelta(days=runs)
    for computer in range(computers):
        writer = FleetWriter(
            FleetFolder(folder=share), root / f"c{computer}", lambda: datetime.now(UTC)
        )
        for number in range(projects * runs):
            run_id = f"{number:013x}"
            started = begin + timedelta(days=number // projects)
            script = ScriptResult(
                script="a.py",
                run_id=run_id,
                number=1,
                outcome=Outcome.SUCCESS,
                started_at=started,
            )
            run = Run(
                run_id=run_id,
                project=f"p{number % projects}",
                path=Path("/srv", f"p{number % projects}"),
                status=RunStatus.SUCCESS,
                started_at=started,
                duration=1.0,
            )
            writer.tell(replace(run, scripts=(script,) * SCRIPTS))
        writer.deliver()
        writer.wait(60.0)
    start = time.perf_counter()
    reading = read_fleet(share, lambda: datetime.now(UTC))
    seconds = time.perf_counter() - start
    read = sum(len(p.runs) for c in reading.computers for p in c.projects)
    print(
        f"{len(reading.computers)} computers, {read} runs read in {seconds:.2f} s,"
        f" {1e6 * seconds / read:.0f} µs each"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measure_runs(Path(name))
        measure_reading(Path(name))
