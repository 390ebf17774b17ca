"""``schedule install`` with the real Task Scheduler: registered, read back, removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.scheduling.hostile import EXPRESSIONS


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli, MakeProject

pytestmark = [
    pytest.mark.windows,
    pytest.mark.not_wine,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
    pytest.mark.skipif(
        os.environ.get("PYTHON_RUNNER_TASKS") != "1",
        reason="makes tasks of this account: PYTHON_RUNNER_TASKS=1 asks for it",
    ),
]


def task_of(cli: Cli, folder: Path) -> dict[str, object]:
    """Return what ``schedule show`` tells of a project's task."""
    (row,) = [
        row
        for row in json.loads(cli("schedule", "show", "--json", folder).stdout)[
            "entries"
        ]
        if row["purpose"] == "run" or row["name"] is None
    ]
    return dict(row)


@pytest.mark.parametrize("logon", ["interactive", "s4u"])
def test_a_task_is_registered_read_back_and_removed(
    make_project: MakeProject,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    logon: str,
) -> None:
    """A second time it is unchanged: what Windows adds to a task is no difference."""
    # Where the records are would have to be said in a file.
    monkeypatch.delenv("PYTHON_RUNNER_HOME", raising=False)
    folder = make_project("Clôture & été", schedule="*/15 8-18 * * 1-5")
    install = ("schedule", "install", "--yes", "--logon", logon, folder)

    done = cli(*install)
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        row = task_of(cli, folder)
        assert row["scheduler"] == "task-scheduler"
        assert row["logon"] == logon
        assert row["notes"] == []
        assert row["expression"] == "*/15 8-18 * * 1-5"
        query = ["schtasks", "/Query", "/XML", "/TN", str(row["name"])]
        xml = subprocess.run(query, capture_output=True, check=True).stdout
        assert b"PT15M" in xml
        again = cli(*install)
        assert "already installed, unchanged" in again.stdout, again.stdout
    finally:
        gone = cli("schedule", "remove", "--yes", folder)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert task_of(cli, folder)["notes"] == ["not installed"]


def test_windows_takes_the_triggers_of_every_expression(
    make_project: MakeProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of trigger is registered as it is, and so read back."""
    monkeypatch.delenv("PYTHON_RUNNER_HOME", raising=False)
    folders = [
        make_project(f"p{number}", schedule=expression)
        for number, expression in enumerate(EXPRESSIONS)
    ]
    install = ("schedule", "install", "--yes", "--logon", "interactive", *folders)
    try:
        done = cli(*install)
        assert done.returncode == 0, done.stdout + done.stderr
        assert cli(*install).stdout.count("unchanged") == len(folders)
    finally:
        assert cli("schedule", "remove", "--yes", *folders).returncode == 0
