"""A mail that is too large for a server is sent in fewer bytes, never refused."""

from __future__ import annotations

import datetime as dt
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports.explain import smtp_error
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.model import Cause, Delivery
from python_runner.report.compose import compose
from python_runner.report.mime import Attachment
from python_runner.report.render import Report


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import MailSettings, Message

SENT, DEFERRED, FAILED = Delivery.SENT, Delivery.DEFERRED, Delivery.FAILED
TOO_LARGE = "552 5.3.4 Message size exceeds fixed limit"
EHLO = "250-fake\r\n250-SIZE {limit}\r\n250 AUTH PLAIN LOGIN"


@pytest.fixture
def large() -> Message:
    """Return a mail with two bodies of 20 KB and an attachment of 100 KB."""
    return compose(
        Report(
            "[p] failed",
            "row\n" * 5000,
            f"<body>{'<p>' * 6000}</body>\n",
            attachment=Attachment("x.zip", b"z" * 100_000),
        ),
        run_id="39be3d37aed64",
        sender="robot@example.com",
        recipients=("ann@example.com", "bob@example.com"),
        date=dt.datetime(2026, 11, 23, 9, 51, 58, tzinfo=dt.UTC),
    )


def form(content: bytes) -> str:
    """Return which form of a mail a server has got."""
    mail = message_from_bytes(content, policy=default)
    assert mail["Message-ID"] == "<39be3d37aed64.python-runner@example.com>"
    assert mail["Date"] == "Mon, 23 Nov 2026 09:51:58 +0000"
    kinds = {"multipart/mixed": "all", "multipart/alternative": "bodies"}
    return kinds.get(mail.get_content_type(), "text")


@pytest.mark.parametrize(
    ("answers", "forms", "tries"),
    [
        ({"EHLO": EHLO.format(limit=1_000_000)}, ["all"], 1),
        ({"EHLO": EHLO.format(limit=0)}, ["all"], 1),
        ({"EHLO": EHLO.format(limit=100_000)}, ["bodies"], 1),
        ({"EHLO": EHLO.format(limit=30_000)}, ["text"], 1),
        ({"EHLO": EHLO.format(limit=8_000)}, ["text"], 1),
        ({"MAIL": (TOO_LARGE, "250 ok")}, ["bodies"], 2),
        ({"MAIL": (TOO_LARGE, TOO_LARGE, "250 ok")}, ["text"], 3),
        ({".": (TOO_LARGE, "250 ok")}, ["all", "bodies"], 2),
        ({".": ("554 5.2.3 too big", "552 sorry, size", "250 ok")}, None, 3),
        ({"RCPT": (TOO_LARGE, TOO_LARGE, "250 ok")}, ["bodies"], 2),
        ({"DATA": (TOO_LARGE, "354 go on")}, ["bodies"], 2),
    ],
)
def test_what_is_too_large_is_sent_without_its_attachment_or_as_text(
    *,
    answers: dict[str, Any],
    forms: list[str] | None,
    tries: int,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    large: Message,
) -> None:
    """Said beforehand, at a command or after the last dot: everybody gets the news."""
    server = serve(answers)
    transport = SmtpTransport(mail_settings(server))
    receipts = transport.send(large)
    transport.close()
    assert [receipt.delivery for receipt in receipts] == [SENT, SENT]
    assert list(map(form, server.messages)) == (forms or ["all", "bodies", "text"])
    assert server.verbs().count("MAIL") == tries
    assert server.connections == 1
    whole = forms == ["all"]
    assert all((receipt.detail is None) == whole for receipt in receipts)


def test_only_who_cannot_get_all_gets_less(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    large: Message,
) -> None:
    """One mailbox with a limit of its own costs the others nothing, and none twice."""
    server = serve({"RCPT": ("250 ok", "550 5.2.3 too large for him", "250 ok")})
    transport = SmtpTransport(mail_settings(server))
    ann, bob = transport.send(large)
    transport.close()
    assert list(map(form, server.messages)) == ["all", "bodies"]
    asked = [line for line in server.said if line.lower().startswith("rcpt")]
    assert [line.partition("<")[2].partition("@")[0] for line in asked] == [
        "ann",
        "bob",
        "bob",
    ]
    assert (ann.delivery, ann.detail) == (SENT, None)
    assert bob.delivery is SENT
    assert "too large" in str(bob.detail)


def test_a_server_that_takes_nothing_is_told_so(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    large: Message,
) -> None:
    """There is an end: the shortest form was refused as well."""
    server = serve({"EHLO": EHLO.format(limit=100)})
    transport = SmtpTransport(mail_settings(server))
    receipts = transport.send(large)
    transport.close()
    assert [receipt.delivery for receipt in receipts] == [FAILED, FAILED]
    assert all("the server accepts 100 at most" in str(r.detail) for r in receipts)
    assert server.messages == []


def test_a_lighter_mail_that_is_deferred_waits(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    large: Message,
) -> None:
    """A server that hangs up on the second form is asked again later."""
    server = serve({"MAIL": (TOO_LARGE, "451 later")})
    transport = SmtpTransport(mail_settings(server))
    receipts = transport.send(large)
    transport.close()
    assert [receipt.delivery for receipt in receipts] == [DEFERRED, DEFERRED]


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (552, "5.3.4 Message size exceeds fixed maximum message size", True),
        (554, "5.3.4 message too big for system", True),
        (550, "5.2.3 RESOLVER.RST.RecipSizeLimit", True),
        (552, "message exceeds fixed maximum message size", True),
        (552, "5.2.2 mailbox full", False),
        (552, "", True),
        (550, "5.1.1 no such user", False),
        (451, "size does not matter now", False),
        (550, "15.3.45 is no status", False),
    ],
)
def test_servers_say_too_large_in_many_ways(
    *, code: int, text: str, expected: bool
) -> None:
    """A full mailbox is none of them."""
    assert (smtp_error(code, text).cause is Cause.TOO_LARGE) == expected
