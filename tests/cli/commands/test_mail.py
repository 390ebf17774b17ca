from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Delivery,
    Held,
    HeldBy,
    Message,
    Receipt,
    Run,
    RunStatus,
)
from python_runner.records.store import Store, open_store
from python_runner.report.mime import plain_text
from python_runner.texts.sentence import Sentence
from tests.support import (
    COMMAND,
    GENEROUS,
    GOOD,
    TODAY,
    Cli,
    MakeProject,
    last_run_id,
)


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def letter(subject: str, *recipients: str) -> Message:
    """Return a report."""
    head = f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return Message(
        message_id=f"<{subject}@localhost>",
        sender="runner@example.org",
        recipients=recipients,
        subject=subject,
        content=f"{head}Content-Transfer-Encoding: 8bit\r\n\r\nété\r\n".encode(),
    )


@pytest.fixture
def outbox(shielded: Path, tmp_path: Path) -> Iterator[Store]:
    """Return records with two reports: 1 was given up, 2 waits for one of two."""
    with open_store(shielded, TODAY) as store:
        fill(store, tmp_path / "p")
        yield store


def fill(store: Store, project: Path) -> None:
    """Queue two reports and note the answers of a first attempt."""
    for number, recipients in enumerate((["a@x.org"], ["b@x.org", "c@x.org"]), 1):
        message = letter(f"report-{number}", *recipients)
        run = Run(
            run_id=str(number) * 13,
            project=project.name,
            path=project,
            status=RunStatus.FAILURE,
            started_at=TODAY,
            duration=1.0,
        )
        store.end_run(run, [message], TODAY)
    later = TODAY + timedelta(hours=4)
    refused = Receipt(
        recipient="a@x.org", delivery=Delivery.FAILED, detail=Sentence.of("550 unknown")
    )
    sent = Receipt(recipient="b@x.org", delivery=Delivery.SENT)
    busy = Receipt(
        recipient="c@x.org", delivery=Delivery.DEFERRED, detail=Sentence.of("451 busy")
    )
    for receipts in ([refused], [sent, busy]):
        claim = store.messages.claim_due(TODAY, owner="test", lease_seconds=1.0)
        assert claim
        store.messages.record_receipts(
            claim.number, receipts, owner="test", next_try_at=later
        )


def drop_folder(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a way out that works."""
    return {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(tmp_path / "mails")}


@pytest.mark.usefixtures("outbox")
def test_mail_list_tells_what_waits_and_why(cli: Cli) -> None:
    """Number, state, project, run, subject; each recipient with the last answer."""
    lines = cli("mail", "list").stdout.splitlines()

    assert lines[0] == "2  queued  p (2222222222222)  report-2"
    assert re.search(r"attempts: 1, next try with the first run after \d{4}-", lines[1])
    assert lines[2:4] == ["    b@x.org: sent", "    c@x.org: waiting - 451 busy"]
    assert lines[4] == "1  given up  p (1111111111111)  report-1"
    assert "next try" not in lines[5]
    assert lines[6:] == ["    a@x.org: given up - 550 unknown"]
    assert cli("mail", "list", "--limit", 1).stdout.splitlines() == lines[:4]


def test_programs_get_the_outbox_as_one_document(
    cli: Cli, outbox: Store, tmp_path: Path
) -> None:
    """In every language: what waits, what was given up, what is held back."""
    reason = Sentence.of("held back by {key}", key="remind")
    held = Run(
        run_id="3" * 13,
        project="p",
        path=tmp_path / "p",
        status=RunStatus.FAILURE,
        started_at=TODAY,
        duration=1.0,
        held=Held(by=HeldBy.REMIND, reason=reason, until=TODAY + timedelta(days=1)),
    )
    outbox.end_run(held, [], TODAY)

    found = json.loads(cli("mail", "list", "--json", LANGUAGE="fr").stdout)

    waiting, given_up = found["reports"]
    assert (waiting["number"], waiting["kind"], waiting["channel"]) == (
        2,
        "report",
        False,
    )
    assert [(r["state"], bool(r["next_try_at"])) for r in (waiting, given_up)] == [
        ("queued", True),
        ("failed", False),
    ]
    assert waiting["recipients"] == [
        {"address": "b@x.org", "state": "sent", "detail": None},
        {"address": "c@x.org", "state": "pending", "detail": "451 busy"},
    ]
    (back,) = found["held_back"]
    assert (back["run_id"], back["held_by"]) == ("3" * 13, "remind")
    assert back["reason"] == "held back by remind"
    assert datetime.fromisoformat(back["until"]) == TODAY + timedelta(days=1)


@pytest.mark.usefixtures("outbox")
def test_mail_show_prints_the_mail(cli: Cli) -> None:
    """The text is decoded; --raw gives the bytes; an unknown number is a sentence."""
    shown = cli("mail", "show", 2, PYTHONIOENCODING="utf-8")
    raw = cli("mail", "show", 2, "--raw")
    unknown = cli("mail", "show", 9)

    assert shown.stdout.endswith("c@x.org: waiting - 451 busy\n\nété\n")
    assert raw.stdout.startswith("Subject: report-2\n")
    assert raw.stdout.endswith("\n\nété\n")
    assert unknown.returncode == 2
    assert "no report 9" in unknown.stderr


def test_mail_show_says_that_a_content_was_removed(
    cli: Cli, outbox: Store, tmp_path: Path
) -> None:
    """What identifies a mail that was sent long ago stays, and how to see its page."""
    claim = outbox.messages.claim_due(
        TODAY + timedelta(hours=5), owner="test", lease_seconds=1.0
    )
    assert claim
    arrived = Receipt(recipient="c@x.org", delivery=Delivery.SENT)
    outbox.messages.record_receipts(
        claim.number, [arrived], owner="test", next_try_at=None
    )
    later = TODAY + timedelta(days=40)
    assert outbox.messages.remove_contents(TODAY + timedelta(days=10), later) == 1

    shown = cli("mail", "show", claim.number)
    raw = cli("mail", "show", claim.number, "--raw")

    assert shown.returncode == 0
    assert "2  sent  p (2222222222222)  report-2" in shown.stdout
    assert "c@x.org: sent" in shown.stdout
    assert "    Message-ID: <report-2@localhost>" in shown.stdout
    said = "its content was deleted 30 days after its run"
    assert said in shown.stdout
    assert "`python-runner show --html FILE 2222222222222`" in shown.stdout
    assert (raw.returncode, raw.stdout) == (2, "")
    assert said in raw.stderr
    page = tmp_path / "page.html"
    assert cli("show", "--html", page, "2" * 13).returncode == 0
    assert "2222222222222" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("outbox")
def test_mail_flush_sends_what_waits_before_it_is_due(cli: Cli, tmp_path: Path) -> None:
    """What was given up stays so, and keeps the code at 1, unless it is asked for."""
    first = cli("mail", "flush", **drop_folder(tmp_path))
    second = cli("mail", "flush", "--all", **drop_folder(tmp_path))

    assert first.returncode == 1
    assert first.stdout.startswith("1 sent, 0 waiting, 1 given up\n1  given up  p ")
    assert second.returncode == 0
    assert second.stdout == "1 sent, 0 waiting, 0 given up\n"
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 2
    assert cli("mail", "list").stdout == "No report is waiting.\n"
    assert cli("mail", "list", "--all").stdout.count("  written  p ") == 2


@pytest.mark.portable("the outbox decides it, whose tests run there")
@pytest.mark.usefixtures("outbox")
def test_mail_flush_for_a_scheduler_keeps_the_waits(cli: Cli, tmp_path: Path) -> None:
    """With --due a report is tried when its wait is over, however often it is called."""
    early = cli("mail", "flush", "--due", **drop_folder(tmp_path))
    both = cli("mail", "flush", "--due", "--all", **drop_folder(tmp_path))

    assert early.returncode == 1
    assert early.stdout.startswith("0 sent, 1 waiting, 1 given up\n")
    assert not (tmp_path / "mails").exists()
    assert both.returncode == 2
    assert "exclude each other" in both.stderr


@pytest.mark.portable("the outbox decides it, whose tests run there")
def test_mail_list_tells_one_answer_once(cli: Cli, shielded: Path) -> None:
    """Recipients who met the same fate share a line."""
    with open_store(shielded, TODAY) as store:
        fill(store, shielded / "p")
        busy = Sentence.of("451 busy")
        receipt = Receipt(recipient="b@x.org", delivery=Delivery.DEFERRED, detail=busy)
        answers = [receipt, replace(receipt, recipient="c@x.org")]
        run = Run(
            run_id="3" * 13,
            project="p",
            path=shielded,
            status=RunStatus.SUCCESS,
            started_at=TODAY,
            duration=1.0,
        )
        store.end_run(run, [letter("report-3", "b@x.org", "c@x.org")], TODAY)
        store.messages.record_receipts(
            3, answers, owner="test", next_try_at=TODAY + timedelta(hours=1)
        )

    lines = cli("mail", "list", "--limit", 1).stdout.splitlines()

    assert lines[2:] == ["    b@x.org, c@x.org: waiting - 451 busy"]


@pytest.mark.portable("the outbox decides it, whose tests run there")
@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize("command", ["test", "flush"])
def test_without_settings_nothing_is_asked_of_a_project(cli: Cli, command: str) -> None:
    """Whoever tests the mail has no email_strategy in mind."""
    done = cli("mail", command)

    assert done.returncode == 2
    assert done.stderr.startswith(
        "no email can be sent: set LOGIN_MAIL, PASSWORD_MAIL "
    )
    assert "email_strategy" not in done.stderr


@pytest.mark.usefixtures("outbox")
def test_mail_flush_tells_what_did_not_leave(cli: Cli) -> None:
    """A dead server: the report waits on, with the server's answer; exit code 1."""
    done = cli(
        "mail",
        "flush",
        LOGIN_MAIL="x@example.org",
        PASSWORD_MAIL="canary-9",
        SMTP_HOST="127.0.0.1",
        SMTP_PORT="9",
    )

    assert done.returncode == 1
    assert "0 sent, 1 waiting, 1 given up" in done.stdout
    assert "127.0.0.1" in done.stdout
    assert "canary-9" not in done.stdout + done.stderr
    assert "LOGIN_MAIL" in cli("mail", "flush").stderr


@pytest.mark.portable("the outbox decides it, whose tests run there")
@pytest.mark.usefixtures("outbox")
def test_mail_drop_shows_what_it_drops(cli: Cli, tmp_path: Path) -> None:
    """A dropped report is never sent; what is sent or dropped cannot be dropped."""
    dropped = cli("mail", "drop", 2)
    again = cli("mail", "drop", 2)

    assert dropped.returncode == 0
    assert "report-2" in dropped.stdout
    assert "Report 2 is dropped." in dropped.stdout
    assert again.returncode == 2
    assert "is neither waiting" in again.stderr
    assert cli("mail", "drop", 9).returncode == 2
    cli("mail", "flush", **drop_folder(tmp_path))
    assert not list((tmp_path / "mails").glob("*.eml"))


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.usefixtures("outbox")
def test_mail_flush_stops_when_asked(tmp_path: Path) -> None:
    """Ctrl-C while a server is silent: seconds later all is accounted for, exit 130."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        (tmp_path / ".env").write_text(
            "LOGIN_MAIL=x@example.org\nPASSWORD_MAIL=pw\nSMTP_HOST=127.0.0.1\n"
            f"SMTP_PORT={server.getsockname()[1]}\n",
            "utf-8",
        )
        with subprocess.Popen(
            [*COMMAND, "mail", "flush"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            connection, _ = server.accept()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=GENEROUS)
            connection.close()

    assert process.returncode == 130
    assert "0 sent, 1 waiting" in output
    assert errors == ""


def test_mail_test_walks_to_a_folder(cli: Cli, tmp_path: Path) -> None:
    """With the file transport the test mail is a file."""
    done = cli(
        "mail",
        "test",
        "--to",
        "a@example.org",
        MAIL_TRANSPORT="file",
        MAIL_DIR=str(tmp_path / "mails"),
    )

    assert done.returncode == 0
    assert "a@example.org" in done.stdout
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 1


def test_mail_test_names_the_step_that_fails(cli: Cli) -> None:
    """A server that is not there fails at TCP, with words and exit code 1."""
    done = cli(
        "mail",
        "test",
        LOGIN_MAIL="x@example.org",
        PASSWORD_MAIL="canary-9",
        SMTP_HOST="127.0.0.1",
        SMTP_PORT="9",
    )

    assert done.returncode == 1
    assert "TCP" in done.stderr
    assert "canary-9" not in done.stdout + done.stderr


@pytest.mark.portable("the outbox decides it, whose tests run there")
def test_mail_test_wants_its_variables(cli: Cli) -> None:
    """Without a mailbox the missing variables are named; a wrong address is refused."""
    done = cli("mail", "test")
    assert done.returncode == 2
    assert "LOGIN_MAIL, PASSWORD_MAIL" in done.stderr

    wrong = cli("mail", "test", "--to", "x", MAIL_TRANSPORT="file", MAIL_DIR="m")
    assert wrong.returncode == 2


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "arguments",
    [
        *(["logs", "FOLDER"], ["logs", "--failures", "FOLDER"]),
        *(["logs", "--reverse", "FOLDER"], ["logs", "--grep", "s3cret", "FOLDER"]),
        *(["mail", "list", "--all"], ["mail", "show", "1"], ["mail", "drop", "1"]),
        *(["history"], ["history", "--json"], ["history", "--failed", "FOLDER"]),
        *(["show", "RUN"], ["show", "--json", "RUN"], ["show", "--html", "p", "RUN"]),
        *(["output", "RUN"], ["output", "RUN", "none.py"]),
    ],
    ids=" ".join,
)
def test_what_became_secret_later_is_printed_by_no_command(
    cli: Cli, make_project: MakeProject, store: Store, arguments: list[str]
) -> None:
    """What looks back knows today's secrets: names, errors, output and reports."""
    secret = "s3cret-word"
    failing = f"print('{secret}')\nraise KeyError('{secret}')"
    folder = make_project(sources={f"{secret}.py": failing, "good.py": GOOD})
    cli("run", "-q", folder)
    run_id = last_run_id()
    report = replace(
        letter(secret, "a@x.org"),
        content=f"Content-Type: text/plain\r\n\r\n{secret}\r\n".encode(),
    )
    store.end_run(store.runs()[0], [report], TODAY)

    named = {"FOLDER": str(folder), "RUN": run_id}
    done = cli(*(named.get(a, a) for a in arguments), DB_PASSWORD=secret)

    # The files of output keep their names.
    said = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if f"01_{secret}.py.log" not in line
    ]
    assert "Traceback" not in done.stderr
    assert "--grep" in arguments or said
    assert not [line for line in said if secret in line]


def test_each_way_is_tested_and_told(cli: Cli, tmp_path: Path) -> None:
    """One that fails is named with its step; the others are tried all the same."""
    ways = {
        "MAIL_TRANSPORT": "smtp,file",
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "9",
        "MAIL_DIR": "mails",
    }
    done = cli("mail", "test", **ways)
    assert done.returncode == 1
    assert "Way 1 of 2: smtp" in done.stdout
    assert "TCP    failed" in done.stderr
    assert "Way 2 of 2: file" in done.stdout
    assert "FILE   OK" in done.stdout
    assert len([*(tmp_path / "mails").glob("*.eml")]) == 1
    assert "has been sent" not in done.stdout


def test_a_report_that_came_another_way_says_so(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """On the terminal, in the outbox and in the mail; the run is none the worse for it."""
    folder = make_project(
        sources={"a.py": GOOD}, recipients=["a@e.org"], email_strategy="all"
    )
    ways = {
        "MAIL_TRANSPORT": "smtp,file",
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "9",
        "MAIL_DIR": str(tmp_path / "mails"),
    }
    done = cli("run", folder, **ways)
    assert done.returncode == 0, done.stderr
    why = "by file, because smtp is unavailable (127.0.0.1 does not answer on port 9"
    assert why in done.stderr
    listed = cli("mail", "list", "--all", **ways).stdout
    assert why in listed
    (mail,) = (tmp_path / "mails").glob("*.eml")
    assert "This report was sent by file" in plain_text(mail.read_bytes())
    french = cli("mail", "list", "--all", **ways, LANGUAGE="fr").stdout
    assert "par file, parce que smtp est indisponible" in french
