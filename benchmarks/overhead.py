"""What the runner adds to its scripts, as a ratio to the shell in the same run.

    python benchmarks/overhead.py [SCRIPTS] [ROUNDS]

Three tasks, interleaved with the shell's way to do the same, median of the rounds:

* many scripts that do nothing: what a script costs beyond its interpreter's start;
* one script that does nothing: what a run costs;
* one script that prints 1 GiB: time, and the runner's own peak memory.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLOOD = """
import os
block = (b"x" * 99 + b"\\n") * 10486
for _ in range(1024):
    os.write(1, block)
"""


def make_project(folder: Path, sources: dict[str, str]) -> Path:
    """Make a project with these scripts."""
    folder.mkdir()
    for name, source in sources.items():
        (folder / name).write_text(source, encoding="utf-8")
    config = {
        "scripts": list(sources),
        "python_command": sys.executable,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    (folder / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def seconds(command: Sequence[object], folder: Path) -> float:
    """Return how long a command takes."""
    began = time.perf_counter()
    subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | {"PYTHON_RUNNER_HOME": str(folder.parent / "home")},
        check=True,
    )
    return time.perf_counter() - began


def with_runner(folder: Path) -> float:
    """Run a project with the runner."""
    return seconds([sys.executable, "-m", "python_runner", "run", "-q", "."], folder)


def with_shell(folder: Path) -> float:
    """Run its scripts in a shell loop that keeps output and exit code."""
    loop = f'for s in *.py; do {sys.executable} "$s" >"$s.log" 2>&1; echo $?; done'
    return seconds(["sh", "-c", f"({loop}) >codes"], folder)


def ratio(folder: Path, rounds: int) -> tuple[float, float]:
    """Return the median ratio and the median seconds of the shell, interleaved."""
    ways: tuple[Callable[[Path], float], ...] = (with_shell, with_runner)
    times = [tuple(way(folder) for way in ways) for _ in range(rounds)]
    return (
        statistics.median(runner / shell for shell, runner in times),
        statistics.median(shell for shell, _runner in times),
    )


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5  # noqa: PLR2004
    tasks = {
        f"{count} scripts that do nothing": {
            f"s{n:04}.py": "pass" for n in range(count)
        },
        "one script that does nothing": {"s.py": "pass"},
        "one script that prints 1 GiB": {"s.py": FLOOD},
    }
    with tempfile.TemporaryDirectory() as work:
        for number, (name, sources) in enumerate(tasks.items()):
            folder = make_project(Path(work, f"p{number}"), sources)
            against, shell = ratio(folder, rounds)
            print(f"{name}: {against:.2f} times the shell's {shell:.2f} s")
    # Linux counts in KiB; the largest of all children, a bare interpreter included.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
