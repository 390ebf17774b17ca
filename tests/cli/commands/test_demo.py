from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import on_terminal
from tests.support import COMMAND


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli


def test_demo_needs_nothing_and_shows_everything(cli: Cli, tmp_path: Path) -> None:
    """Log lines and the mails are shown in few lines; one script fails."""
    done = cli("demo", TMPDIR=str(tmp_path), TEMP=str(tmp_path))

    assert done.returncode == 0
    assert done.stderr == ""
    assert " - import_amounts.py - failure - " in done.stdout
    assert "[sales] failed: import_amounts.py - KeyError: 'amount' (" in done.stdout
    assert " init FOLDER " in done.stdout
    assert len(done.stdout.splitlines()) < 50
    assert "report sent" not in done.stdout
    (folder,) = tmp_path.glob("python-runner-demo-*")
    assert done.stdout.count(str(folder)) > 2
    page = (folder / "mail" / "sales.html").read_text(encoding="utf-8")
    assert "Failed: import_amounts.py" in page
    assert str(folder / "mail" / "sales.html") in done.stdout
    assert str(folder / "mail" / "stock.html") in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pastes into a POSIX shell")
def test_the_runs_can_be_looked_at_by_the_printed_commands(
    tmp_path: Path,
) -> None:
    """What the demonstration prints is pasted, and shows its runs."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    shell = {"TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [*COMMAND, "demo"],
        env=shell,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    ways = re.findall(r"^  (.* (?:show|history) .*)$", done.stdout, re.MULTILINE)
    shown, history = (
        subprocess.run(
            ["/bin/sh", "-c", way],
            env=shell,
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for way in ways
    )

    assert "KeyError: 'amount'" in shown
    assert "sales" in history
    assert "stock" in history


@pytest.mark.slow
def test_on_a_terminal_the_demo_is_the_live_view(tmp_path: Path) -> None:
    """It is shown as `run` shows it: marks in colour, and nobody is told of a mail sent."""
    code, text = on_terminal("demo", TMPDIR=str(tmp_path))

    assert code == 0
    assert re.search(r"\x1b\[31m✗\x1b\[0m.*import_amounts\.py", text)
    assert "report sent" not in text
