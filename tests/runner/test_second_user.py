"""A run of a user who owns nothing: no home, no entry among the users, foreign folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

if sys.platform == "win32":
    pytest.skip("needs POSIX", allow_module_level=True)

pytestmark = pytest.mark.posix

#: Of a user and a group that are nobody's.
NUMBER = 54321
CONFIG = {
    "scripts": ["a.py"],
    "recipients": ["office@example.org"],
    "email_strategy": "all",
    "include_traceback": True,
    "logs_backup_count": 0,
}


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder of ours that every user may look into, and write only ``own``."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become another user")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "p").mkdir()
    (folder / "p" / "a.py").write_text("print('fine')\n")
    (folder / "p" / "exec_config.json").write_text(
        json.dumps(CONFIG | {"python_command": interpreter()})
    )
    (folder / "own").mkdir()
    os.chown(folder / "own", NUMBER, NUMBER)
    yield folder
    shutil.rmtree(folder)


def interpreter() -> str:
    """Return an interpreter of our version that another user may start."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (
        sys.executable,
        f"/usr/bin/{version}",
        f"/usr/local/bin/{version}",
    ):
        done = subprocess.run(
            [*become(), candidate, "-c", ""], capture_output=True, cwd="/", check=False
        )
        if done.returncode == 0:
            return candidate
    pytest.skip("no interpreter of this version may be started by another user")


def become() -> list[str]:
    """Return the beginning of a command that another user runs."""
    # setpriv itself still looks for its command with the rights of root.
    user = (f"--reuid={NUMBER}", f"--regid={NUMBER}", "--clear-groups")
    return ["setpriv", *user, "env"]


@pytest.fixture
def call(place: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command as another user, without a home."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANGUAGE": "en",
            "MAIL_TRANSPORT": "file",
            "MAIL_DIR": str(place / "own" / "mails"),
            "MAIL_FROM": "robot@example.org",
        }
        return subprocess.run(
            [*become(), interpreter(), "-m", "python_runner", *arguments],
            cwd=place,
            env=environ | variables,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )

    return run


def only_run(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return the run of which the command tells."""
    run: dict[str, Any]
    (run,) = json.loads(done.stdout)["runs"]
    return run


@pytest.mark.fault(
    "machine",
    "The account has no home folder",
    "Scripts run and mail leaves; one sentence says what is lacking.",
)
def test_without_a_home_scripts_run_and_mail_leaves(place: Path, call: Any) -> None:
    """What is lacking is one sentence, that ``check`` says beforehand."""
    checked = call("check", "--json", "p")
    done = call("run", "--json", "p")

    assert checked.returncode == done.returncode == 0, done.stderr
    assert "Traceback" not in checked.stderr + done.stderr
    run = only_run(done)
    assert run["mail"] == "sent"
    assert len(list((place / "own" / "mails").iterdir())) == 1
    assert "no records are kept" in done.stderr
    assert "PYTHON_RUNNER_HOME" in done.stderr
    assert "locked" not in done.stderr
    said = [w["message"] for w in json.loads(checked.stdout)["warnings"]]
    assert sum("PYTHON_RUNNER_HOME" in message for message in said) == 1
    output = Path(run["scripts"][0]["output"])
    assert output.read_text() == "fine\n"
    output.unlink()
    (reason,) = run["scripts"][0]["warnings"]
    assert reason == f"its output is in {output}: Permission denied"


def test_a_folder_that_may_not_be_listed_stops_no_other_project(
    place: Path, call: Any
) -> None:
    """What is in a closed one cannot be told; one that is only not listed runs."""
    (place / "closed").mkdir(mode=0o700)
    (place / "p").chmod(0o711)

    done = call("run", "--json", "closed", "p", PYTHON_RUNNER_HOME=str(place / "own"))

    runs = {run["project"]: run["status"] for run in json.loads(done.stdout)["runs"]}
    assert done.returncode == 2
    assert runs == {"closed": "not_started", "p": "success"}, done.stderr


@pytest.mark.fault(
    "machine",
    "`logs` belongs to somebody else",
    "The output lies in the state folder, and every message says where.",
)
def test_output_lies_in_the_state_folder_of_whoever_may_not_write_the_logs(
    place: Path, call: Any
) -> None:
    """The folder of somebody else's logs: the permission is told, and all is found."""
    (place / "p" / "logs").mkdir()
    home = place / "own" / "state"

    done = call("run", "--json", "p", PYTHON_RUNNER_HOME=str(home))
    run = only_run(done)
    shown = call("output", run["run_id"], PYTHON_RUNNER_HOME=str(home))

    assert done.returncode == shown.returncode == 0, done.stderr
    output = Path(run["scripts"][0]["output"])
    assert output.is_relative_to(home / "outputs")
    assert output.read_text() == shown.stdout == "fine\n"
    assert output.stat().st_mode & 0o077 == 0
    assert home.stat().st_mode & 0o077 == 0
    assert f"{output.parent}: {place / 'p' / 'logs'}: Permission denied" in done.stderr
