"""``python-runner serve --install``: the system starts the dashboard, and nothing else changes."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from tests.servers.schedulers import program
from tests.support import wait_until


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.posix


@pytest.fixture
def command(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Return what runs the command in a folder of its own."""
    monkeypatch.delenv("PYTHON_RUNNER_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str]:
        capfd.readouterr()
        code = run_app([str(word) for word in words])
        captured = capfd.readouterr()
        return code, captured.out + captured.err

    return run


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_well(port: int) -> bool:
    """Say whether a dashboard answers."""
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/help", timeout=5
        ) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def kill(unit: str) -> None:
    """Kill the process of a service."""
    words = ["systemctl", "--user", "kill", "--signal=KILL", unit]
    subprocess.run(words, check=True)


@pytest.mark.slow
def test_a_real_manager_serves_until_it_is_removed(
    user_manager: Path, command: Callable[..., tuple[int, str]]
) -> None:
    """It is there again when it was killed; a second time nothing is changed."""
    user_manager.mkdir(parents=True)
    foreign = user_manager / "backup.service"
    foreign.write_text("[Service]\nExecStart=/bin/true\n", "utf-8")
    port = free_port()

    code, text = command("serve", "--install", "--port", port, "--dry-run")
    assert code == 0, text
    assert "Restart=on-failure" in text
    assert list(user_manager.iterdir()) == [foreign]
    code, text = command("serve", "--install", "--port", port)
    assert code == 2, "nobody is there to be asked"
    assert list(user_manager.iterdir()) == [foreign]

    code, text = command("serve", "--install", "--port", port, "--yes")
    assert code == 0, text
    assert f"http://127.0.0.1:{port}" in text
    assert "logged on" in text
    (unit,) = (p for p in user_manager.glob("python-runner-*") if p.is_file())
    wait_until(lambda: is_well(port))
    code, text = command("serve", "--install", "--port", port, "--yes")
    assert code == 0
    assert "already installed, unchanged" in text
    code, text = command("schedule", "show")
    assert code == 0
    assert re.search(r"dashboard\s+all the time", text)

    kill(unit.name)
    wait_until(lambda: not is_well(port))
    wait_until(lambda: is_well(port))

    code, text = command("serve", "--remove", "--yes")
    assert code == 0, text
    assert not is_well(port)
    assert [path for path in user_manager.rglob("*") if path.is_file()] == [foreign]
    code, text = command("serve", "--remove", "--yes")
    assert code == 0
    assert "nothing to remove" in text


#: A manager that accepts everything.
WILLING = '#!/bin/sh\ncase "$*" in *is-system-running) echo running ;; esac\n'


@pytest.fixture
def units(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the units of a manager that accepts everything."""
    program(programs / "systemctl", WILLING)
    program(programs / "loginctl", "#!/bin/sh\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config/systemd/user"


@pytest.mark.parametrize("given", ["", "the token of this shell alone"])
def test_a_token_is_in_no_unit(
    units: Path,
    command: Callable[..., tuple[int, str]],
    shielded: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
) -> None:
    """It lies in a file that nobody else reads, and goes with the dashboard."""
    if given:
        monkeypatch.setenv("PYTHON_RUNNER_TOKEN", given)
    code, text = command("serve", "--install", "--yes", "--host", "192.0.2.1")
    assert code == 0, text
    kept = shielded / "dashboard-token"
    token = kept.read_text("utf-8").strip()
    assert token == given or (not given and len(token) > 30)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    monkeypatch.delenv("PYTHON_RUNNER_TOKEN", raising=False)
    (unit,) = units.glob("*.service")
    assert token not in unit.read_text("utf-8")
    assert token not in text
    assert "serve --link --host 192.0.2.1" in text
    code, text = command("serve", "--link", "--host", "192.0.2.1")
    assert code == 0
    assert re.match(r"http://192\.0\.2\.1:8765/\?ticket=", text)

    code, text = command("serve", "--remove", "--yes")
    assert code == 0, text
    assert not kept.exists()
    assert list(units.glob("*")) == []


def test_a_token_of_the_settings_file_is_kept_nowhere_else(
    units: Path, command: Callable[..., tuple[int, str]], tmp_path: Path, shielded: Path
) -> None:
    """The service reads that file itself."""
    (tmp_path / ".env").write_text(
        "PYTHON_RUNNER_TOKEN=a-token-of-the-file-x\n", "utf-8"
    )
    code, text = command("serve", "--install", "--yes", "--host", "192.0.2.1")
    assert code == 0, text
    assert list(units.glob("*.service"))
    assert not (shielded / "dashboard-token").exists()


def test_only_its_own_entry_is_touched(
    units: Path,
    command: Callable[..., tuple[int, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the schedules of projects, nor the dashboard of another folder."""
    units.mkdir(parents=True)
    for name in ("python-runner-flush-p-0123456789", "python-runner-run-p-0123456789"):
        (units / f"{name}.timer").write_text(
            "[Timer]\nOnCalendar=daily\n[X-PythonRunner]\nExpression=0 0 * * *\n",
            "utf-8",
        )
        (units / f"{name}.service").write_text(
            "[Service]\nExecStart=/bin/python-runner mail flush --due\n", "utf-8"
        )
    before = set(units.iterdir())
    other = tmp_path / "other"
    other.mkdir()
    assert command("serve", "--install", "--yes")[0] == 0
    with monkeypatch.context() as elsewhere:
        elsewhere.chdir(other)
        assert command("serve", "--install", "--yes", "--port", "9001")[0] == 0
        assert len(set(units.iterdir()) - before) == 2
        assert command("serve", "--remove", "--yes")[0] == 0
        code, text = command("serve", "--remove", "--yes")
        assert code == 0
        assert f"installed for {tmp_path}" in text
    assert len(set(units.iterdir()) - before) == 1
    code, text = command("serve", "--install", "--yes", "--port", "9002")
    assert code == 0
    assert "to be changed" in text
    assert len(set(units.iterdir()) - before) == 1
    assert command("serve", "--remove", "--yes")[0] == 0
    assert set(units.iterdir()) == before


def test_without_a_manager_it_says_what_to_do(
    crontab: Path, command: Callable[..., tuple[int, str]]
) -> None:
    """Cron starts nothing again; the line for it is named, and the crontab left alone."""
    code, text = command("serve", "--install", "--yes")
    assert code == 2
    assert "no systemd manager" in text
    assert "@reboot cd " in text
    assert not crontab.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--install", "--remove"),
        ("--install", "--open"),
        ("--install", "--link"),
        ("--remove", "--link"),
        ("--yes",),
        ("--dry-run",),
        ("--install", "--port", "0", "--yes"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    units: Path, command: Callable[..., tuple[int, str]], words: tuple[str, ...]
) -> None:
    """Before anything is changed."""
    code, text = command("serve", *words)
    assert code == 2, text
    assert not units.exists()
