"""The full way through a real mail server: STARTTLS, login, queue, mailbox."""

from __future__ import annotations

import email
import email.policy
import os
import re
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.settings import load_settings
from python_runner.delivery.outbox import Outbox
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.model import Delivery, Message, Receipt
from python_runner.records.messages import MessageState
from python_runner.records.store import open_store
from python_runner.report.mime import without_attachment
from python_runner.runner.session import local_now


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import MailSettings, Run
    from tests.support import Cli, MakeProject


CANARY = "càn4ry-Pass word"
EVERYBODY = ["ann@example.com", "bob@example.com"]
LOUD = """
print(".")
print("..")
print("é" * 3000)
print("x" * 5000)
print(".")
raise ValueError("montant négatif : « été »\\n.\\n")
"""


@pytest.fixture
def other_authority(tmp_path: Path) -> Path:
    """Return the certificate of an authority that has nothing to do with the server."""
    trustme = pytest.importorskip("trustme")
    file = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return file


def settings_for(variables: dict[str, str]) -> MailSettings:
    """Return the mail settings of an environment."""
    return load_settings(environ=os.environ | variables).mail


def as_stored(delivered: bytes) -> bytes:
    """Return a mail from the mailbox without what servers write on top of it."""
    start = delivered.index(b"\nFrom: ") + 1
    assert re.match(rb"Return-Path: <robot@example.com>\n", delivered)
    return delivered[start:].replace(b"\n", b"\r\n")


def kept(home: Path) -> list[Message]:
    """Return every message of the outbox, newest first, whatever became of it."""
    with open_store(home, local_now()) as store:
        queued = store.messages.newest(tuple(MessageState), limit=1000)
    return [one.message for one in queued]


def test_a_report_arrives_as_it_was_stored(
    postfix: Any, authority: Any, make_project: MakeProject, cli: Cli, shielded: Path
) -> None:
    """Dots, long lines and accents: what each recipient reads is the stored bytes."""
    folder = make_project(
        "données d'été",
        {"bad.py": LOUD},
        recipients=EVERYBODY,
        email_strategy="failure_only",
        language="fr",
    )
    sender = {"MAIL_FROM": "Équipe Données <robot@example.com>"}

    done = cli("run", folder, **postfix.variables(authority) | sender)

    assert done.returncode == 1
    assert CANARY not in done.stdout + done.stderr
    (stored,) = kept(shielded)
    delivered = [*postfix.mails("ann", 1), *postfix.mails("bob", 1)]
    assert as_stored(delivered[0]) == as_stored(delivered[1])
    # What everybody has got is kept without the outputs that were attached.
    assert without_attachment(as_stored(delivered[0])) == stored.content
    mail = email.message_from_bytes(delivered[0], policy=email.policy.default)
    assert mail["From"] == "Équipe Données <robot@example.com>"
    assert "données d'été" in mail["Subject"]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "montant négatif : « été »" in body.get_content()
    assert b"with ESMTPSA" in delivered[0]
    assert "auth=1" in postfix.log("disconnect from.* quit=1")


def test_bytes_that_break_careless_clients_arrive(
    postfix: Any, authority: Any, message: Message
) -> None:
    """Lone dots and lines of 998 characters cross as they are, one mail after another."""
    lines = [b".", b"..", b".x", b"y" * 998, b"." + b"z" * 997, b"", b"."]
    head = b"From: robot@example.com\r\nSubject: dots\r\nMessage-ID: <x@y>\r\nDate: "
    head += b"Tue, 24 Nov 2026 03:00:00 +0000\r\n\r\n"
    content = head + b"\r\n".join(lines) + b"\r\n"
    mail = replace(message, recipients=("ann@example.com",), content=content)
    transport = SmtpTransport(settings_for(postfix.variables(authority)))

    receipts = [*transport.send(mail), *transport.send(mail)]
    transport.close()

    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert [as_stored(mail) for mail in postfix.mails("ann", 2)] == [content] * 2
    assert "auth=1 mail=2 rcpt=2 data=2" in postfix.log("disconnect from.* quit=1")


def test_an_unknown_recipient_does_not_cost_the_others_theirs(
    postfix: Any, authority: Any, make_project: MakeProject, cli: Cli
) -> None:
    """One address that does not exist: the others get the report, and exit code 4."""
    folder = make_project(
        recipients=["ann@example.com", "gone@example.com", "bob@example.com"],
        email_strategy="all",
    )

    done = cli("run", folder, **postfix.variables(authority))

    assert done.returncode == 4
    assert "report given up: gone@example.com: " in done.stderr
    assert "550 5.1.1" in done.stderr
    assert len(postfix.mails("ann", 1) + postfix.mails("bob", 1)) == 2
    listed = cli("mail", "list").stdout
    assert "ann@example.com, bob@example.com: sent" in listed
    assert re.search("gone@example.com: given up - .*550 5.1.1 .*unknown", listed)


def test_a_wrong_password_is_tried_once(
    postfix: Any, authority: Any, make_project: MakeProject, cli: Cli
) -> None:
    """However many reports wait, the server sees one failed login and no second kind."""
    folders = [
        make_project(name, recipients=EVERYBODY, email_strategy="all") for name in "abc"
    ]
    away = {"SMTP_PORT": "9"}
    cli("run", *folders, **postfix.variables(authority) | away)

    variables = postfix.variables(authority, PASSWORD_MAIL="wrong-pass")
    done = cli("mail", "flush", **variables)

    assert done.returncode == 1
    assert "0 sent, 3 waiting, 0 given up" in done.stdout
    assert "the server refused LOGIN_MAIL or PASSWORD_MAIL. Check both" in done.stdout
    assert "wrong-pass" not in done.stdout + done.stderr
    log = postfix.log("disconnect from.* auth=0/1")
    assert log.count("authentication failed") == 1
    assert "auth=0/1 quit=1" in log

    assert cli("mail", "flush", **postfix.variables(authority)).returncode == 0
    assert len(postfix.mails("ann", 3)) == 3


@pytest.mark.parametrize("fault", ["unknown authority", "wrong name"])
def test_a_certificate_that_proves_nothing_gets_no_login(
    *,
    postfix: Any,
    authority: Any,
    other_authority: Path,
    make_project: MakeProject,
    cli: Cli,
    fault: str,
) -> None:
    """Two runs meet the wrong certificate: the log of the server holds no AUTH."""
    folders = [
        make_project(name, recipients=EVERYBODY, email_strategy="all") for name in "ab"
    ]
    changes = {
        "unknown authority": {"SMTP_CA_FILE": str(other_authority)},
        "wrong name": {"SMTP_HOST": "127.0.0.1"},
    }

    done = cli("run", *folders, **postfix.variables(authority, **changes[fault]))

    assert done.returncode == 0
    assert "a, b: report queued: " in done.stderr
    assert "so no secret was sent" in done.stderr
    log = postfix.log("disconnect from.* starttls=0/1")
    assert "auth" not in log
    assert "mail=" not in log


@pytest.mark.parametrize(
    ("service", "found_out"), [("announced", False), ("unannounced", True)]
)
def test_a_report_too_large_for_the_server_arrives_in_fewer_bytes(
    *,
    postfix: Any,
    authority: Any,
    make_project: MakeProject,
    cli: Cli,
    service: str,
    found_out: bool,
) -> None:
    """A limit that is announced is believed; one that is not is found out."""
    folder = make_project(
        sources={"bad.py": LOUD}, recipients=EVERYBODY, email_strategy="all"
    )
    port = str(getattr(postfix, service))

    done = cli("run", folder, **postfix.variables(authority, SMTP_PORT=port))

    assert done.returncode == 1
    assert "report queued" not in done.stderr
    assert "report given up" not in done.stderr
    (mail,) = postfix.mails("ann", 1)
    assert len(as_stored(mail)) <= 5000
    assert b"bad.py" in mail
    log = postfix.log("disconnect from.* auth=1")
    assert bool(re.search(r"data=\d+/", log)) == found_out


def test_a_server_that_goes_away_in_the_middle_loses_nothing(
    postfix: Any, authority: Any, make_run: Callable[..., Run], shielded: Path
) -> None:
    """Stopped between two of ten reports and started again: each arrives, unchanged."""
    settings = settings_for(postfix.variables(authority))
    now = local_now()

    class Away(SmtpTransport):
        """A transport whose server is stopped after four messages."""

        sent = 0

        def send(self, message: Message) -> tuple[Receipt, ...]:
            """Send, as long as there is a server."""
            if self.sent == 4:
                postfix.stop()
            self.sent += 1
            return super().send(message)

    with open_store(shielded, now) as store:
        for number in range(10):
            head = (
                f"From: robot@example.com\r\nMessage-ID: <{number}@x>\r\nDate: now\r\n"
            )
            message = Message(
                message_id=f"<{number}@x>",
                sender="robot@example.com",
                recipients=("ann@example.com",),
                subject=str(number),
                content=f"{head}\r\nreport {number}\r\n.\r\n".encode(),
            )
            store.end_run(make_run(run_id=f"{number:013x}"), [message], now)
        outbox = Outbox(
            store=store,
            open_transport=lambda _audience, _folder: Away(settings),
            now=lambda: now,
        )
        first = outbox.drain(60)
        assert (first.sent, first.deferred, first.remaining) == (4, 1, 6)
        postfix.start()
        later = now + timedelta(minutes=5)
        outbox = Outbox(
            store=store,
            open_transport=lambda _audience, _folder: SmtpTransport(settings),
            now=lambda: later,
        )
        second = outbox.drain(60)
        assert (second.sent, second.remaining) == (6, 0)

    stored = {message.message_id: {message.content} for message in kept(shielded)}
    arrived = defaultdict(set)
    for mail in map(as_stored, postfix.mails("ann", 10)):
        arrived[email.message_from_bytes(mail)["Message-ID"]].add(mail)
    assert len(stored) == 10
    assert arrived == stored
