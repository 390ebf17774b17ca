from __future__ import annotations

import email
import email.policy
import json
import os
import subprocess
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.records.store import open_store
from python_runner.runner.project_run import run_project
from python_runner.runner.session import local_now, open_session
from tests.support import COMMAND, GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import Message, Run
    from tests.support import MakeProject


CANARY = "canary-7391-pass"
BAD = "raise KeyError('montant')"
EHLO = "250-fake\r\n250-STARTTLS\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN"


def run(folders: list[Path], server: Any, ca_file: Path, **variables: str) -> Any:
    """Run projects with the real command and return the runs of its document."""
    done = start(folders, server.port, ca_file, **variables)
    return json.loads(done.stdout)["runs"]


def start(
    folders: list[Path], port: int, ca_file: Path, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run projects with the real command, which never shows the password."""
    done = subprocess.run(
        [*COMMAND, "run", "--json", "-q", *folders],
        env=os.environ
        | {
            "LOGIN_MAIL": "robot@example.org",
            "PASSWORD_MAIL": CANARY,
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(port),
            "SMTP_CA_FILE": str(ca_file),
        }
        | variables,
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert CANARY.encode() not in done.stdout + done.stderr
    return done


def test_a_failure_reaches_the_mailbox_over_starttls(
    make_project: MakeProject, serve: Any, authority: Any
) -> None:
    """The report of a failing run arrives, encrypted, with the exception in it."""
    folder = make_project(
        sources={"bad.py": BAD, "good.py": ""},
        recipients=["ann@example.org", "bob@example.org"],
        email_strategy="failure_only",
        language="fr",
    )
    server = serve({"EHLO": EHLO}, tls=authority.context("localhost"))

    (one,) = run([folder], server, authority.file)

    assert one["mail"] == "sent"
    (data,) = server.messages
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert "bad.py" in mail["Subject"]
    assert mail["To"] == "ann@example.org, bob@example.org"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "KeyError: 'montant'" in body.get_content()
    assert "good.py" not in body.get_content()
    assert server.verbs().count("RCPT") == 2
    assert b"AUTH" not in server.raw


@pytest.mark.fault(
    "secrets",
    "The mail server's certificate proves nothing",
    "The password is not sent, and the report is kept.",
)
@pytest.mark.parametrize("fault", ["unknown authority", "wrong name", "stripped"])
def test_an_impostor_never_sees_the_password(
    make_project: MakeProject, serve: Any, authority: Any, tmp_path: Path, fault: str
) -> None:
    """A certificate that proves nothing, or none: no AUTH, the report is kept."""
    folders = [
        make_project(name, recipients=["ann@example.org"], email_strategy="all")
        for name in ("a", "b")
    ]
    name = "elsewhere.example.org" if fault == "wrong name" else "localhost"
    ca_file = authority.file
    if fault == "unknown authority":
        trustme = pytest.importorskip("trustme")
        ca_file = tmp_path / "other.pem"
        trustme.CA().cert_pem.write_to_path(str(ca_file))
    answers = {} if fault == "stripped" else {"EHLO": EHLO}
    server = serve(answers, tls=authority.context(name))

    runs = run(folders, server, ca_file)

    assert [one["status"] for one in runs] == ["success", "success"]
    assert [one["mail"] for one in runs] == ["queued", "queued"]
    assert "AUTH" not in server.verbs()
    assert CANARY.encode() not in server.raw


@pytest.mark.fault(
    "delivery",
    "The mail server is away",
    "The report leaves with a later run, also of another project.",
)
def test_what_was_kept_leaves_with_a_later_run(
    make_project: MakeProject, serve: Any, authority: Any, free_port: int
) -> None:
    """A report whose server was away is sent by a later run, even of another project."""
    first = make_project("a", recipients=["ann@example.org"], email_strategy="all")
    second = make_project("b", email_strategy="none")
    server = serve({"EHLO": EHLO}, tls=authority.context("localhost"))

    (kept,) = run([first], server, authority.file, SMTP_PORT=str(free_port))
    settings = load_settings(
        environ=os.environ
        | {
            "LOGIN_MAIL": "robot@example.org",
            "PASSWORD_MAIL": CANARY,
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(server.port),
            "SMTP_CA_FILE": str(authority.file),
        }
    )
    with open_session(
        settings, now=lambda: local_now() + timedelta(minutes=6)
    ) as session:
        run_project(load_project(second), session)

    assert kept["mail"] == "queued"
    (data,) = server.messages
    assert kept["run_id"].encode() in data


def test_a_refused_recipient_is_given_up_and_the_exit_code_says_so(
    make_project: MakeProject, serve: Any, authority: Any
) -> None:
    """The scripts succeeded, nobody will ever read it: exit code 4, mail failed."""
    folder = make_project(recipients=["gone@example.org"], email_strategy="all")
    server = serve(
        {"EHLO": EHLO, "RCPT": "550 5.1.1 no such user"},
        tls=authority.context("localhost"),
    )

    done = start([folder], server.port, authority.file)

    (one,) = json.loads(done.stdout)["runs"]
    assert done.returncode == 4
    assert one["mail"] == "failed"
    assert one["status"] == "success"
    line = b"project_1: report given up: gone@example.org: the server refuses this"
    assert line in done.stderr


@pytest.mark.portable("the outbox decides it, whose tests run there")
def test_an_earlier_report_given_up_now_is_told_by_the_exit_code(
    *,
    make_project: MakeProject,
    make_run: Callable[..., Run],
    message: Message,
    authority: Any,
    free_port: int,
    shielded: Path,
) -> None:
    """After five days a report is given up by whichever run comes then: exit code 4."""
    past = local_now() - timedelta(days=5)
    with open_store(shielded, past) as store:
        store.end_run(make_run(), [message], past)
    folder = make_project("b", email_strategy="none")

    done = start([folder], free_port, authority.file)
    again = start([folder], free_port, authority.file, LANGUAGE="fr")

    assert done.returncode == 4
    assert b"project_1: an earlier report was given up: test (" in done.stderr
    assert json.loads(done.stdout)["runs"][0]["mail"] == "none"
    assert again.returncode == 0
    # Only that scripts run as root may have been said.
    assert all(b"root" in line for line in again.stderr.splitlines())


@pytest.mark.portable("the outbox decides it, whose tests run there")
def test_a_report_that_waits_says_why(
    make_project: MakeProject, authority: Any, free_port: int
) -> None:
    """The terminal names each reason once, whatever the number of projects."""
    folders = [
        make_project(name, recipients=["ann@example.org"], email_strategy="all")
        for name in "abc"
    ]

    english = start(folders, free_port, authority.file).stderr.decode()
    french = start(folders, free_port, authority.file, LANGUAGE="fr").stderr.decode()

    assert english.startswith("a, b, c: report queued: localhost does not answer on ")
    assert french.startswith("a, b, c\xa0: rapport en attente\xa0: localhost ne répond")
    assert english.count("\n") == french.count("\n") == 1


@pytest.mark.fault(
    "delivery",
    "Several commands send the outbox at the same time",
    "Nothing leaves twice.",
)
@pytest.mark.slow
def test_commands_that_flush_at_the_same_time_send_everything_once(
    make_run: Callable[..., Run], message: Message, serve: Any, shielded: Path
) -> None:
    """Processes share the outbox, whoever starts when; nothing leaves twice."""
    now = local_now()
    with open_store(shielded, now) as store:
        for number in range(40):
            identity = f"<{number}@localhost>"
            one = replace(message, message_id=identity, content=identity.encode())
            store.end_run(make_run(run_id=f"{number:013x}"), [one], now)
    busy: set[int] = set()
    several = threading.Event()

    def meet(server: int, moment: str, verb: str) -> None:
        # The first one waits for another: commands start one after the other.
        if (moment, verb) == ("before", "DATA") and not several.is_set():
            busy.add(server)
            if len(busy) > 1:
                several.set()
            several.wait(GENEROUS)

    servers = [serve(watch=partial(meet, number)) for number in range(4)]
    commands = [
        subprocess.Popen(
            [*COMMAND, "mail", "flush"],
            env=os.environ
            | {
                "MAIL_FROM": "robot@example.org",
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(server.port),
                "SMTP_SECURITY": "none",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for server in servers
    ]
    for command in commands:
        said, _ = command.communicate(timeout=100)
        # What another one is just sending is no failure of this one.
        assert command.returncode == 0, said

    with open_store(shielded, now) as store:
        assert store.messages.waiting() == 0
    sent = Counter(content for server in servers for content in server.messages)
    assert len(sent) == 40
    assert set(sent.values()) == {1}
    # None of them had to do it alone.
    assert sum(bool(server.messages) for server in servers) > 1


@pytest.mark.slow
@pytest.mark.portable("the outbox decides it, whose tests run there")
def test_what_another_process_is_sending_is_no_failure_of_a_flush(
    make_run: Callable[..., Run], message: Message, shielded: Path, mail_dir: Path
) -> None:
    """It says so, and until when; what waits leaves all the same."""
    now = local_now()
    with open_store(shielded, now) as store:
        for number in range(2):
            one = replace(message, message_id=f"<{number}@localhost>")
            store.end_run(make_run(run_id=f"{number:013x}"), [one], now)
        store.messages.claim_due(now, owner="another", lease_seconds=500)
    environ = os.environ | {
        "MAIL_TRANSPORT": "file",
        "MAIL_DIR": str(mail_dir),
        "LANGUAGE": "en",
    }

    done = subprocess.run(
        [*COMMAND, "mail", "flush"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    assert "1 sent, 0 waiting, 0 given up" in done.stdout
    assert "1 being sent by another process, until " in done.stdout
    assert "failed" not in done.stdout
    assert len(list(mail_dir.iterdir())) == 1


@pytest.mark.fault(
    "delivery",
    "A report has been given up",
    "The next report that leaves says so, once.",
)
@pytest.mark.slow
@pytest.mark.portable("the outbox decides it, whose tests run there")
def test_a_given_up_report_is_told_of_by_the_next_that_works(
    make_project: MakeProject, serve: Any, authority: Any
) -> None:
    """Somebody learns of a report that nobody got, once."""
    lost = make_project("a", recipients=["gone@example.org"], email_strategy="all")
    other = make_project("b", recipients=["ann@example.org"], email_strategy="all")
    refusing = serve(
        {"EHLO": EHLO, "RCPT": "550 5.1.1 no such user"},
        tls=authority.context("localhost"),
    )
    working = serve({"EHLO": EHLO}, tls=authority.context("localhost"))

    run([lost], refusing, authority.file)
    run([other], working, authority.file)
    run([other], working, authority.file)

    first, second = (
        email.message_from_bytes(data, policy=email.policy.default)
        for data in working.messages
    )
    told, quiet = first.get_body(("plain",)), second.get_body(("plain",))
    assert told is not None
    assert quiet is not None
    assert "gone@example.org" in told.get_content()
    assert "gone@example.org" not in quiet.get_content()
