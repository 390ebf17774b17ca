"""Channels the whole way: from the configuration through the outbox to a web server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from python_runner import Runner
from python_runner.config.settings import load_settings
from python_runner.delivery.outbox import DrainReport
from python_runner.exceptions import BadRecipientList
from python_runner.records.store import open_store
from python_runner.runner.session import local_now, open_session
from tests.support import COMMAND, GENEROUS, Cli, MakeProject, Serve, wait_until


if TYPE_CHECKING:
    from pathlib import Path


SILENT = "<silent>"
TOKEN = "c4n4ry-t0ken"
BAD = "raise KeyError('montant')"


def address(port: int, path: str = "") -> str:
    """Return a channel that posts to this machine."""
    return f"json://robot:{TOKEN}-pass@127.0.0.1:{port}/{TOKEN}{path}?rto=2"


def document(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the only run of a command's document; nothing said holds a secret."""
    assert TOKEN not in done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    return run


def titles(server: Any) -> list[str]:
    """Return the subjects a server was told."""
    return [json.loads(request.body)["title"] for request in server.requests]


def test_the_same_report_goes_to_mail_and_channels(
    make_project: MakeProject,
    cli: Cli,
    serve_web: Serve,
    mail_dir: Path,
    shielded: Path,
) -> None:
    """One run, one mail, one note a channel; no record holds the address."""
    server = serve_web()
    folder = make_project(
        sources={"bad.py": BAD},
        recipients=["ann@example.org"],
        channels=[address(server.port, "/a"), address(server.port, "/b")],
        email_strategy="all",
        language="fr",
    )

    run = document(cli("run", "--json", folder))

    assert run["mail"] == "sent"
    assert sorted(server.paths()) == [f"/{TOKEN}/a", f"/{TOKEN}/b"]
    told = json.loads(server.requests[0].body)
    assert told["title"].startswith("[project_1] échec : bad.py")
    assert "KeyError: 'montant'" in told["message"]
    assert told["type"] == "failure"
    (mail,) = mail_dir.iterdir()
    records = b"".join(p.read_bytes() for p in shielded.iterdir() if p.is_file())
    assert TOKEN.encode() not in records + mail.read_bytes()
    logs = [p.read_text("utf-8") for p in (folder / "logs").rglob("*.log")]
    assert TOKEN not in "".join(logs)


@pytest.mark.portable("policy and outbox decide it, whose tests run there")
@pytest.mark.usefixtures("shielded")
def test_channels_alone_need_no_mail_settings(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """Without recipients nothing of the mail's environment is asked for."""
    server = serve_web()
    folder = make_project(email_strategy="all", channels=[address(server.port)])

    assert cli("check", folder).returncode == 0
    run = document(cli("run", "--json", folder))

    assert run["mail"] == "sent"
    assert len(server.requests) == 1


@pytest.mark.portable("policy and outbox decide it, whose tests run there")
@pytest.mark.parametrize(
    ("strategy", "source", "told"),
    [
        ("all", "", 1),
        ("failure_only", "", 0),
        ("failure_only", BAD, 1),
        ("none", BAD, 0),
    ],
)
def test_the_strategy_holds_for_channels(
    make_project: MakeProject,
    cli: Cli,
    serve_web: Serve,
    *,
    strategy: str,
    source: str,
    told: int,
) -> None:
    """They are told what the mail would tell, and when it would."""
    server = serve_web()
    folder = make_project(
        sources={"main.py": source},
        email_strategy=strategy,
        channels=[address(server.port)],
    )

    run = document(cli("run", "--json", folder))

    assert len(server.requests) == told
    assert run["mail"] == ("sent" if told else "none")


@pytest.mark.portable("policy and outbox decide it, whose tests run there")
def test_no_mail_means_no_channel(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """--no-mail sends no report, whichever way."""
    server = serve_web()
    folder = make_project(email_strategy="all", channels=[address(server.port)])

    assert document(cli("run", "--json", "--no-mail", folder))["mail"] == "none"
    assert server.requests == []


@pytest.mark.slow
@pytest.mark.portable("policy and outbox decide it, whose tests run there")
@pytest.mark.usefixtures("mail_dir")
def test_a_dead_channel_waits_and_is_told_later(
    make_project: MakeProject, cli: Cli, serve_web: Serve, mail_dir: Path
) -> None:
    """It is queued, listed without its secrets, and told once it is alive again."""
    server = serve_web({f"/{TOKEN}": (500, 200)})
    folder = make_project(
        recipients=["ann@example.org"],
        email_strategy="all",
        channels=[address(server.port)],
        language="en",
    )

    run = document(cli("run", "--json", folder))
    listed = cli("mail", "list").stdout
    shown = cli("mail", "show", 2).stdout
    flushed = cli("mail", "flush")

    assert run["mail"] == "queued"
    assert len(list(mail_dir.iterdir())) == 1
    assert "json://127.0.0.1/... (" in listed
    assert "Internal server error" in listed
    assert "[project_1] succeeded" in shown
    assert "main.py - succeeded" in shown
    assert TOKEN not in listed + shown + flushed.stdout
    assert "1 sent, 0 waiting, 0 given up" in flushed.stdout
    assert flushed.returncode == 0
    assert titles(server)[0] == titles(server)[1]
    assert len(server.requests) == 2
    assert cli("mail", "list").stdout == "No report is waiting.\n"


def test_a_dead_mail_server_waits_while_channels_are_told(
    make_project: MakeProject, cli: Cli, serve_web: Serve, free_port: int
) -> None:
    """Nobody listens where mails go; the channel is told at once."""
    server = serve_web()
    folder = make_project(
        recipients=["ann@example.org"],
        email_strategy="all",
        channels=[address(server.port)],
    )
    nowhere = {
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(free_port),
        "SMTP_SECURITY": "none",
    }

    run = document(cli("run", "--json", folder, **nowhere))

    assert run["mail"] == "queued"
    assert len(server.requests) == 1
    lines = cli("mail", "list").stdout.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("    ann@example.org: waiting - ")


@pytest.mark.slow
@pytest.mark.portable("policy and outbox decide it, whose tests run there")
def test_a_run_of_another_project_tells_what_waits(
    make_project: MakeProject, cli: Cli, serve_web: Serve, tmp_path: Path
) -> None:
    """The address is found in the defaults of the workspace, too."""
    server = serve_web({f"/{TOKEN}": (500, 200)})
    (tmp_path / "python-runner.toml").write_text(
        f'[defaults]\nchannels = ["{address(server.port)}"]\n', encoding="utf-8"
    )
    first = make_project("first", email_strategy="all")
    other = make_project("other", channels=[])
    document(cli("run", "--json", first))
    with open_store(tmp_path / "home", local_now()) as store:
        store.messages.make_due(local_now())

    run = document(cli("run", "--json", other))

    assert run["mail"] == "none"
    assert len(server.requests) == 2
    with open_store(tmp_path / "home", local_now()) as store:
        assert store.messages.newest() == []


@pytest.mark.slow
@pytest.mark.portable("policy and outbox decide it, whose tests run there")
def test_a_channel_taken_out_of_the_configuration(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """Its report waits and says what to do; the same address put back is told."""
    server = serve_web({f"/{TOKEN}": (500, 200)})
    folder = make_project(email_strategy="all", channels=[address(server.port)])
    document(cli("run", "--json", folder))

    make_project(email_strategy="none", channels=[])
    gone = cli("mail", "flush")
    new_password = address(server.port).replace("-pass", "-new")
    make_project(email_strategy="all", channels=[new_password])
    back = cli("mail", "flush")

    assert gone.returncode == 1
    assert "no longer contains this channel" in gone.stdout
    assert "python-runner mail drop 1" in gone.stdout
    assert back.returncode == 0
    assert len(server.requests) == 2
    assert TOKEN not in gone.stdout + gone.stderr + back.stdout


@pytest.mark.portable("policy and outbox decide it, whose tests run there")
def test_missing_mail_variables_are_told_to_channels(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """The project does not run, and those who can hear of it do."""
    server = serve_web()
    folder = make_project(
        recipients=["ann@example.org"],
        email_strategy="all",
        channels=[address(server.port)],
    )

    done = cli("run", "--json", folder)

    assert done.returncode == 2
    assert document(done)["mail"] == "sent"
    (request,) = server.requests
    assert "LOGIN_MAIL" in json.loads(request.body)["message"]


def test_flush_tells_channels_before_it_asks_for_mail_variables(
    make_project: MakeProject, cli: Cli, serve_web: Serve, free_port: int
) -> None:
    """Variables that mails lack keep no channel from its report."""
    server = serve_web({f"/{TOKEN}": (500, 200)})
    folder = make_project(
        recipients=["ann@example.org"],
        email_strategy="all",
        channels=[address(server.port)],
    )
    nowhere = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(free_port)}
    cli("run", folder, MAIL_FROM="robot@example.org", SMTP_SECURITY="none", **nowhere)

    done = cli("mail", "flush")

    assert done.returncode == 2
    assert "LOGIN_MAIL" in done.stderr
    assert len(server.requests) == 2


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_runner_killed_before_its_mark_tells_again(
    make_project: MakeProject, serve_web: Serve
) -> None:
    """At least once: what was taken and not marked is told again, never lost."""
    runners: list[subprocess.Popen[bytes]] = []

    def kill(_request: object) -> None:
        # The server has it all; the runner dies before it can know.
        if len(server.requests) == 1:
            wait_until(lambda: runners)
            runners[0].kill()
            runners[0].wait(GENEROUS)

    server = serve_web(on_request=kill)
    folder = make_project(email_strategy="all", channels=[address(server.port)])
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as runner:
        runners.append(runner)
        assert runner.wait(60) == -9

    def drain_after(minutes: int) -> DrainReport:
        later = local_now() + timedelta(minutes=minutes)
        with open_session(load_settings(), now=lambda: later) as session:
            return session.outbox.drain(30)

    # For a while the dead runner's claim keeps everybody else away.
    assert drain_after(0) == DrainReport(remaining=1)
    assert drain_after(5) == DrainReport(sent=1)

    assert len(server.requests) == 2
    assert titles(server)[0] == titles(server)[1]


@pytest.mark.portable("policy and outbox decide it, whose tests run there")
def test_without_records_the_channel_is_told_at_once(
    make_project: MakeProject, serve_web: Serve, tmp_path: Path, cli: Cli
) -> None:
    """Where nothing can be queued the report leaves now or never, and the run says so."""
    server = serve_web({f"/{TOKEN}": (200, 500)})
    (tmp_path / "file").touch()
    folder = make_project(email_strategy="all", channels=[address(server.port)])
    nowhere = str(tmp_path / "file" / "home")

    first = cli("run", "--json", folder, PYTHON_RUNNER_HOME=nowhere)
    second = cli("run", "--json", folder, PYTHON_RUNNER_HOME=nowhere)

    assert document(first)["mail"] == "sent"
    assert document(second)["mail"] == "failed"
    assert (first.returncode, second.returncode) == (0, 4)


@pytest.mark.slow
def test_a_channel_that_hangs_delays_nothing_for_long(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """A silent service costs its time-out, once."""
    server = serve_web({f"/{TOKEN}": SILENT})
    folders = [
        make_project(name, email_strategy="all", channels=[address(server.port)])
        for name in ("first", "second")
    ]
    started = time.monotonic()

    done = cli("run", "--json", *folders)

    assert time.monotonic() - started < GENEROUS
    assert {run["mail"] for run in json.loads(done.stdout)["runs"]} == {"queued"}
    assert done.returncode == 0


def test_the_library_tells_channels(
    make_project: MakeProject, serve_web: Serve
) -> None:
    """With channels in the file Runner needs no recipients; without, it does."""
    server = serve_web()
    folder = make_project(email_strategy="all", channels=[address(server.port)])

    (result,) = Runner(folder, []).run(["main.py"], sys.executable)

    assert result["success"]
    assert len(server.requests) == 1
    make_project(email_strategy="none")
    with pytest.raises(BadRecipientList):
        Runner(folder, []).run(["main.py"], sys.executable)


def test_a_run_without_channels_never_loads_apprise(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """What is not used costs nothing and may be missing."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")
    program = (
        "import sys; sys.modules['apprise'] = sys.modules['requests'] = None\n"
        "from python_runner.cli import main\n"
        f"sys.argv = ['python-runner', 'run', {str(folder)!r}]\nmain()"
    )

    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert done.returncode == 0
    assert len(list(mail_dir.iterdir())) == 1


@pytest.mark.slow
@pytest.mark.portable("policy and outbox decide it, whose tests run there")
def test_mail_test_tells_each_channel(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """One line a channel; exit code 1 when one did not take the note."""
    server = serve_web({f"/{TOKEN}/bad": 500})
    good, bad = (address(server.port, path) for path in ("/good", "/bad"))

    fine = cli("mail", "test", "--channels", make_project(channels=[good]))
    mixed = cli("mail", "test", "--channels", make_project(channels=[good, bad]))
    none = cli("mail", "test", "--channels", make_project())

    assert (fine.returncode, mixed.returncode, none.returncode) == (0, 1, 2)
    assert fine.stdout.startswith("json://127.0.0.1/... (")
    assert fine.stdout.endswith("): OK\n")
    assert "failed - the channel did not accept the report" in mixed.stderr
    assert "has no channels" in none.stderr
    assert titles(server) == ["Python Runner: test"] * 3
    assert TOKEN not in fine.stdout + mixed.stdout + mixed.stderr
