"""The process of the command ends at once, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import MakeProject

#: The command, in a process in which something else is to happen at its end.
BESIDE = """
import atexit, sys, threading, time
sys.argv = ["python-runner", *sys.argv[2:]]
{beside}
from python_runner.cli import entry
entry()
"""


def ended(
    beside: str, *arguments: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the command in such a process."""
    return subprocess.run(
        [sys.executable, "-c", BESIDE.format(beside=beside), "", *arguments],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    "beside",
    [
        pytest.param('atexit.register(print, "done")', id="callback"),
        pytest.param(
            "def late():\n"
            "    threading.main_thread().join()\n"
            '    print("done")\n'
            "threading.Thread(target=late).start()",
            id="thread",
        ),
        pytest.param('sys.stdout.write("done")', id="buffer"),
        pytest.param(
            'import tempfile; made = tempfile.TemporaryDirectory(dir="."); print("done")',
            id="folder",
        ),
    ],
)
@pytest.mark.parametrize("arguments", [("history",), ("run", "project_1")])
def test_what_waits_for_the_end_is_not_cut_off(
    beside: str, arguments: tuple[str, ...], make_project: MakeProject, tmp_path: Path
) -> None:
    """Callbacks, threads, what stands in a buffer, folders that are removed."""
    make_project()

    done = ended(beside, *arguments, folder=tmp_path)

    assert (done.returncode, "done" in done.stdout) == (0, True), done.stderr
    assert not [*tmp_path.glob("tmp*")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("history",), 0), (("run", "project_1"), 1), (("nonsense",), 2)],
)
def test_the_exit_code_is_the_commands(
    arguments: tuple[str, ...], code: int, make_project: MakeProject, tmp_path: Path
) -> None:
    """Whichever way the process ends."""
    make_project("project_1", {"a.py": "raise SystemExit(3)"})

    assert ended("", *arguments, folder=tmp_path).returncode == code
