from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import QUICK


if TYPE_CHECKING:
    from tests.support import MakeProject

FAKETIME = shutil.which("faketime")
pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(
        FAKETIME is None and not os.environ.get("CI"),
        reason="needs Debian's faketime, which CI has",
    ),
]
#: Around the night in which the clocks go back.
DAYS = 12 if QUICK else 30
PARIS = "CET-1CEST,M3.5.0,M10.5.0/3"


@pytest.mark.fault(
    "clocks",
    "A month of daily runs through a clock change",
    "Each archive holds its days, and no line is lost.",
)
def test_a_month_of_daily_runs_through_a_dst_change(
    make_project: MakeProject,
) -> None:
    """Archives of exactly three days each, no line lost, none in the wrong archive."""
    folder = make_project(logs_backup_count=0)
    middle = datetime(2026, 10, 25, 6, 0)  # noqa: DTZ001 - local, TZ is set below
    first = middle - timedelta(days=DAYS // 2)
    assert FAKETIME is not None
    for day in range(DAYS):
        # Task schedulers are late by some seconds, never by the same.
        moment = first + timedelta(days=day, seconds=(day * 37) % 90)
        subprocess.run(
            [
                FAKETIME,
                moment.strftime("%Y-%m-%d %H:%M:%S"),
                sys.executable,
                "-m",
                "python_runner",
                "run",
                "-q",
                folder,
            ],
            env=os.environ | {"TZ": PARIS, "NO_FAKE_STAT": "1"},
            check=True,
            timeout=60,
        )

    logs = folder / "logs"
    archives = sorted(logs.glob("project_1.log.*"))
    spans = [_days(path) for path in (*archives, logs / "project_1.log")]

    assert [len(span) for span in spans] == [3] * (DAYS // 3)
    assert [day for span in spans for day in span] == [
        (first + timedelta(days=day)).strftime("%Y-%m-%d") for day in range(DAYS)
    ]
    for path, span in zip(archives, spans[1:], strict=False):
        assert re.fullmatch(rf"project_1\.log\.{span[0]}_06-0[01]", path.name), (
            "named after the moment of archiving"
        )


def _days(log: Path) -> list[str]:
    return [line[:10] for line in log.read_text(encoding="utf-8").splitlines()]


#: What the clocks of runs one after the other say, in days from now.
CLOCKS = {
    "ahead": (0.1, 0, 0, 0),
    "years-ahead": (27_000, 0, 0, 0),
    "behind": (-0.1, 0, 0, 0),
    "years-behind": (-4000, 0, 0, 0),
    "back-and-forth": (0, 400, -400, 0),
}


@pytest.mark.fault(
    "clocks",
    "Runs under clocks that are ahead or behind",
    "`--resume` repeats no success.",
)
@pytest.mark.sampled(2)
@pytest.mark.parametrize("clocks", CLOCKS.values(), ids=CLOCKS)
def test_by_whatever_clocks_a_success_is_not_repeated(
    make_project: MakeProject, tmp_path: Path, clocks: tuple[float, ...]
) -> None:
    """What failed is resumed once, and what each run left stays."""
    folder = make_project(
        sources={
            "good.py": "open('good', 'a').write('x')",
            "bad.py": "import os; open('bad', 'a').write('x')\n"
            "raise SystemExit(os.path.getsize('bad') == 1)",
        },
        scripts=["good.py", "bad.py"],
        output_keep_days=30,
        logs_backup_count=1,
    )
    (tmp_path / "python-runner.toml").write_text("keep_days = 30\n", "utf-8")
    first, *later = clocks

    assert run(folder, first) == 1
    assert [run(folder, clock, "--resume") for clock in later] == [0] * len(later)

    assert (folder / "good").read_text() == "x"
    assert (folder / "bad").read_text() == "xx"
    runs = history(folder)
    assert [r["status"] for r in runs] == ["success", "failure"]
    outputs = [Path(s["output"]) for r in runs for s in r["scripts"]]
    assert len(outputs) == 3
    assert all(output.exists() for output in outputs)


@pytest.mark.fault(
    "clocks",
    "A run of the real command under a wrong date",
    "Records, output and archives are there as before.",
)
@pytest.mark.sampled(2)
@pytest.mark.parametrize("wrong", [27_000, 400, -400, -9000])
def test_a_run_by_a_wrong_clock_forgets_nothing(
    make_project: MakeProject, tmp_path: Path, wrong: float
) -> None:
    """Records, output and archives are there as before, its own included."""
    folder = make_project(output_keep_days=30, logs_backup_count=2)
    (tmp_path / "python-runner.toml").write_text("keep_days = 30\n", "utf-8")
    for clock in (-8, -4, wrong, wrong + 1, 0):
        assert run(folder, clock) == 0

    assert len(history(folder)) == 5
    assert len(list((folder / "logs" / "runs").iterdir())) == 5
    logs = (folder / "logs").glob("project_1.log*")
    assert sum(len(_days(log)) for log in logs) == 5


def run(folder: Path, days: float, *arguments: str) -> int:
    """Run the project by a clock that is so many days off; return the exit code."""
    assert FAKETIME is not None
    shift = f"{'-' if days < 0 else '+'}{abs(days) * 86_400:.0f}"
    command = [sys.executable, "-m", "python_runner", "run", "-q", *arguments]
    return subprocess.run(
        [FAKETIME, "-f", shift, *command, folder],
        env=os.environ | {"NO_FAKE_STAT": "1"},
        cwd=folder.parent,
        check=False,
        timeout=60,
    ).returncode


def history(folder: Path) -> list[dict[str, Any]]:
    """Return the recorded runs of the project, the last one first."""
    done = subprocess.run(
        [sys.executable, "-m", "python_runner", "history", "--json", folder],
        capture_output=True,
        check=True,
        timeout=60,
    )
    runs: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
    return runs
