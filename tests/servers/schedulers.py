"""A crontab and a manager of systemd of the tests' own: real programs, private places."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import GENEROUS, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator

#: Runs the real program with a folder of ours in the place of the system's crontabs.
CRONTAB = """#!/bin/sh
exec unshare --mount sh -c '
  mount --bind "$1" /var/spool/cron/crontabs && shift && exec {crontab} "$@"
' sh "{spool}" "$@"
"""
#: What only a system that was booted by systemd has, in a /run of its own.
MANAGER = """
mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec {manager} --user
"""
SYSTEMCTL = """#!/bin/sh
exec nsenter --mount --target {pid} {systemctl} "$@"
"""


def require(*programs: str) -> None:
    """Skip where a program is missing, or who tests is not root; fail in CI."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root may give a program another view of the system")
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI"):
                pytest.fail(f"{program} is not installed")
            pytest.skip(f"{program} is not installed")


def program(path: Path, text: str) -> None:
    """Write a program."""
    path.write_text(text, "utf-8")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose programs are found first."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def crontab(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the real ``crontab`` work on a private crontab; return its file."""
    require("crontab", "unshare")
    found = shutil.which("crontab")
    spool = tmp_path / "spool"
    spool.mkdir()
    program(programs / "crontab", CRONTAB.format(crontab=found, spool=spool))
    # No timers of the machine's.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    program(programs / "systemctl", "#!/bin/sh\necho offline\nexit 1\n")
    return spool / "root"


@pytest.fixture
def user_manager(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Start a real manager of systemd for this user; return the folder of its units."""
    require("systemctl", "unshare", "nsenter")
    found = shutil.which("systemctl")
    manager = Path("/lib/systemd/systemd")
    # The names of its sockets are short.
    with tempfile.TemporaryDirectory(prefix="pr") as runtime:
        home = tmp_path / "home"
        home.mkdir()
        for name, value in (("HOME", home), ("XDG_RUNTIME_DIR", runtime)):
            monkeypatch.setenv(name, str(value))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        monkeypatch.delenv("XDG_DATA_HOME", raising=False)
        with subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", MANAGER.format(manager=manager)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                program(
                    programs / "systemctl",
                    SYSTEMCTL.format(pid=process.pid, systemctl=found),
                )
                command = ["systemctl", "--user", "is-system-running"]

                def is_running() -> bool:
                    done = subprocess.run(command, capture_output=True, check=False)
                    return done.stdout.strip() in {b"running", b"degraded"}

                wait_until(lambda: process.poll() is not None or is_running(), GENEROUS)
                if process.poll() is not None:
                    pytest.skip("this machine lets no manager of a user run")
                yield home / ".config/systemd/user"
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
