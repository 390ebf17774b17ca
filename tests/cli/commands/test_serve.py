"""``python-runner serve``: where it listens, what it prints, how it ends."""

from __future__ import annotations

import re
import signal
import socket
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from python_runner.exit_codes import EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_USAGE
from python_runner.web.security import SHORTEST_TOKEN
from tests.support import GENEROUS, started, wait_until


if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested
TOKEN = "a token that nobody guesses"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state folder of the command."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(folder))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.chdir(tmp_path)
    return folder


def address_of(process: subprocess.Popen[str]) -> str:
    """Return the address that a server has printed."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found, (line, process.stderr and process.poll())
    return found[0]


def get(address: str, **headers: str) -> tuple[int, bytes]:
    """Return status and body of the answer from an address on this computer."""
    assert re.match(r"http://(127\.0\.0\.1|localhost)[:/]", address)
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture
def stream() -> Iterator[socket.socket]:
    """Return a socket for a stream that stays open."""
    with socket.socket() as client:
        client.settimeout(GENEROUS)
        yield client


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, EXIT_INTERRUPTED), (signal.SIGTERM, EXIT_TERMINATED)],
)
def test_a_signal_ends_it_at_once_with_an_open_stream(
    tmp_path: Path, stream: socket.socket, number: int, code: int
) -> None:
    """Whoever watches is cut off; nobody waits for a page that is left open."""
    with started(tmp_path, "serve", "--port", "0") as process:
        address = address_of(process)
        assert get(address)[0] == 200
        port = int(address.rpartition(":")[2])
        stream.connect(("127.0.0.1", port))
        stream.sendall(
            f"GET /events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
        )
        assert b"text/event-stream" in stream.recv(4096)
        process.send_signal(number)
        # The stream alone would go on for ever.
        assert process.wait(GENEROUS) == code
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_port_in_use_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """In a sentence, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_app(["serve", "--port", str(port)]) == EXIT_USAGE
    error = capfd.readouterr().err
    assert f"port {port} is in use" in error
    assert "--port" in error


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_how_to_install_it(
    missing: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a sentence that names the extra; nothing else is broken by that."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "starlette"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert run_app(["serve"]) == EXIT_USAGE
    error = capfd.readouterr().err
    assert missing in error
    assert "python-series-runner[web]" in error


@pytest.mark.parametrize("arguments", [["serve", "--link"], ["serve"]])
def test_a_token_that_can_be_guessed_is_refused(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Before anything listens."""
    monkeypatch.setenv("PYTHON_RUNNER_TOKEN", "x" * (SHORTEST_TOKEN - 1))
    assert run_app(arguments) == EXIT_USAGE
    assert "PYTHON_RUNNER_TOKEN is too short" in capfd.readouterr().err


def test_a_link_needs_the_token_that_the_server_has(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nobody else can make one."""
    assert run_app(["serve", "--link"]) == EXIT_USAGE
    assert "PYTHON_RUNNER_TOKEN is not set" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.posix
def test_on_a_network_it_prints_a_link_that_works_once(tmp_path: Path) -> None:
    """Without a token it makes one; the link alone opens the pages."""
    with started(tmp_path, "serve", "--host", EVERYWHERE, "--port", "0") as process:
        link = address_of(process)
        address, _, query = link.partition("/?")
        local = f"http://127.0.0.1:{address.rpartition(':')[2]}"
        assert get(local)[0] == 401
        assert get(f"{local}/status.txt?{query}")[0] == 200
        assert get(f"{local}/status.txt?{query}")[0] == 401
        process.terminate()
        assert process.wait(GENEROUS) == EXIT_TERMINATED


@pytest.mark.slow
@pytest.mark.posix
def test_the_token_of_the_environment_opens_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the header; also where only this computer is served."""
    monkeypatch.setenv("PYTHON_RUNNER_TOKEN", TOKEN)
    with started(tmp_path, "serve", "--port", "0") as process:
        address = address_of(process).partition("/?")[0]
        assert get(f"{address}/status.txt")[0] == 401
        answer = get(f"{address}/status.txt", Authorization=f"Bearer {TOKEN}")
        assert answer == (200, b"FAIL no project is recorded\n")
        process.terminate()
        process.wait(GENEROUS)


@pytest.mark.slow
@pytest.mark.posix
def test_a_running_series_is_followed_and_waits_for_nobody(tmp_path: Path) -> None:
    """A real run is shown while it goes on, and ends while a stream is open."""
    project = tmp_path / "busy"
    project.mkdir()
    project.joinpath("exec_config.json").write_text(
        '{"scripts": ["a.py"], "python_command": null, "recipients": [],'
        ' "email_strategy": "none", "include_traceback": true, "logs_backup_count": 0}',
        encoding="utf-8",
    )
    project.joinpath("a.py").write_text(
        "import pathlib, time\n"
        "print('begun', flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.05)\n",
        encoding="utf-8",
    )
    with (
        started(tmp_path, "serve", "--port", "0") as server,
        started(tmp_path, "run", project, "--quiet") as run,
    ):
        address = address_of(server)
        wait_until(lambda: b"running 0 of 1" in get(address)[1])
        project.joinpath("go").touch()
        assert run.wait(60) == 0
        wait_until(lambda: get(f"{address}/status.txt")[1] == b"OK\n")
        server.send_signal(signal.SIGTERM)
        server.wait(GENEROUS)
