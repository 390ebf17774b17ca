from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import MakeProject

FAKETIME = shutil.which("faketime")
pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(
        FAKETIME is None and not os.environ.get("CI"),
        reason="needs Debian's faketime, which CI has",
    ),
]
DAYS = 30
PARIS = "CET-1CEST,M3.5.0,M10.5.0/3"


def test_a_month_of_daily_runs_through_a_dst_change(
    make_project: MakeProject,
) -> None:
    """Archives of exactly three days each, no line lost, none in the wrong archive."""
    folder = make_project(logs_backup_count=0)
    first = datetime(2026, 10, 10, 6, 0)  # noqa: DTZ001 - local, TZ is set below
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
