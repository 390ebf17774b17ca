"""What a run leaves behind can be written by nobody else, whatever the umask."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli, MakeProject

if sys.platform == "win32":
    pytest.skip("modes show no permissions there", allow_module_level=True)

pytestmark = pytest.mark.posix

#: Says which mode its own output has while it runs, and writes a secret.
SCRIPT = """
import os, stat, sys
print(oct(stat.S_IMODE(os.fstat(1).st_mode)), os.environ["DB_PASSWORD"], flush=True)
raise SystemExit(1)
"""


@pytest.mark.fault(
    "secrets",
    "The umask lets everybody write",
    "Nobody else may write logs, outputs and mails.",
)
@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_nobody_else_may_write_what_a_run_leaves(
    cli: Cli, make_project: MakeProject, tmp_path: Path, mail_dir: Path, umask: int
) -> None:
    """The umask decides who reads, but not output with secrets, nor the state folder."""
    folder = make_project(
        sources={"a.py": SCRIPT},
        recipients=["a@example.org"],
        email_strategy="all",
        env={"DB_PASSWORD": "correct-horse"},
        retries=1,
        retry_delay="0.01s",
    )
    home, page = tmp_path / "state" / "home", tmp_path / "page.html"
    before = os.umask(umask)
    try:
        done = cli("run", "--json", folder, PYTHON_RUNNER_HOME=str(home))
        run_id = json.loads(done.stdout)["runs"][0]["run_id"]
        cli("show", run_id, "--html", page, PYTHON_RUNNER_HOME=str(home))
        cli("backup", tmp_path / "copy", PYTHON_RUNNER_HOME=str(home))
    finally:
        os.umask(before)

    made = [*(folder / "logs").rglob("*"), *mail_dir.rglob("*"), page]
    assert len(made) == 6
    for path in (folder / "logs", mail_dir, *made):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o022 == 0, path
        assert mode == (0o755 if path.is_dir() else 0o644) & ~umask, path
    for path in (home.parent, home, *home.rglob("*"), tmp_path / "copy"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    (output,) = (folder / "logs").glob("runs/*/*.log")
    text = output.read_text()
    assert text.count("0o600 ***") == 2
