"""What each misbehaviour of a server means for each recipient."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from python_runner.delivery.outbox import Outbox
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.model import Delivery
from python_runner.records.store import open_store
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from python_runner.model import MailSettings, Message, Run

DROP, SILENT, CUT = "<drop>", "<silent>", "354 <cut>"
_T = TypeVar("_T")
SENT, DEFERRED, FAILED = Delivery.SENT, Delivery.DEFERRED, Delivery.FAILED
BOTH_DEFERRED = (DEFERRED, DEFERRED)
BOTH_SENT = (SENT, SENT)


@dataclass(frozen=True)
class Fault:
    """A server's misbehaviour, and what it means.

    Attributes:
        name: shown by pytest.
        answers: see ``FakeServer``.
        first: outcome of the first message for its two recipients.
        says: part of the sentence about the last recipient.
        second: outcome of a second message right after it.
        taken: messages the server has accepted or may have accepted in the end.
        connections: how many there were.
        settings: what differs from a relay without encryption and login.
        doubt: whether the first message may have arrived although it is tried again.
    """

    name: str
    answers: Mapping[str, Any]
    first: tuple[Delivery, Delivery]
    says: str = ""
    second: tuple[Delivery, Delivery] = BOTH_SENT
    taken: int = 1
    connections: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    doubt: bool = False


OFFER = "250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"
LOGIN = {"login": "robot", "password": "secret"}
FAULTS = (
    Fault("none", {}, BOTH_SENT, taken=2),
    Fault(
        "silent greeting",
        {"CONNECT": SILENT},
        BOTH_DEFERRED,
        "sends no greeting (no answer in time)",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "hangs up at once",
        {"CONNECT": DROP},
        BOTH_DEFERRED,
        "port 465 needs SMTP_SECURITY=tls",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "too busy to greet",
        {"CONNECT": "421 4.3.2 too many connections"},
        BOTH_DEFERRED,
        "421 4.3.2 too many connections",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "no mail server",
        {"CONNECT": "HTTP/1.1 400 Bad Request"},
        BOTH_DEFERRED,
        "is not a mail server",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "refuses everybody",
        {"CONNECT": "554 5.7.1 no service for you"},
        BOTH_DEFERRED,
        "554 5.7.1 no service",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "hello refused twice",
        {"EHLO": "502 no", "HELO": "501 no"},
        BOTH_DEFERRED,
        "set SMTP_HELO to a name that the server accepts",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "hello put off",
        {"EHLO": "421 4.3.2 closing"},
        BOTH_DEFERRED,
        "421 4.3.2 closing",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "hello refused at the recipient",
        {
            "RCPT": (
                "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
                "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
                "250 ok",
            )
        },
        BOTH_DEFERRED,
        "set SMTP_HELO",
    ),
    Fault(
        "hello refused at the sender",
        {"MAIL": ("550-Access denied\r\n550 Invalid HELO name", "250 ok")},
        BOTH_DEFERRED,
        "set SMTP_HELO",
    ),
    Fault(
        "an answer of far too many lines",
        {"MAIL": ("250-x\r\n" * 20_000 + "250 ok", "250 ok")},
        BOTH_DEFERRED,
        "answers without end",
        connections=2,
    ),
    Fault(
        "a greeting of many lines",
        {"CONNECT": "220-x\r\n" * 20_000 + "220 ok"},
        BOTH_DEFERRED,
        "answers without end",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "sender refused for now",
        {"MAIL": ("451 4.7.1 try later", "250 ok")},
        BOTH_DEFERRED,
        "451 4.7.1 try later",
    ),
    Fault(
        "sender refused for good",
        {"MAIL": ("550 5.1.8 unknown sender", "250 ok")},
        (FAILED, FAILED),
        "550 5.1.8 unknown sender",
    ),
    Fault(
        "wants a login first",
        {"MAIL": ("530 5.7.57 Client not authenticated to send mail.", "250 ok")},
        BOTH_DEFERRED,
        "set LOGIN_MAIL and PASSWORD_MAIL",
    ),
    Fault(
        "a line of an answer that is too long",
        {"MAIL": ("250 " + "x" * 9000, "250 ok")},
        BOTH_DEFERRED,
        "Line too long",
        connections=2,
    ),
    Fault(
        "partial refusal for good",
        {"RCPT": ("250 ok", "550 5.1.1 no such user", "250 ok")},
        (SENT, FAILED),
        "550 5.1.1 no such user",
        taken=2,
    ),
    Fault(
        "partial refusal for now",
        {"RCPT": ("250 ok", "452 4.2.2 mailbox full", "250 ok")},
        (SENT, DEFERRED),
        "452 4.2.2 mailbox full",
        taken=2,
    ),
    Fault(
        "all recipients refused",
        {"RCPT": ("550 5.1.1 no such user", "450 4.2.1 busy", "250 ok")},
        (FAILED, DEFERRED),
        "450 4.2.1 busy",
    ),
    Fault(
        "421 at the second recipient",
        {"RCPT": ("250 ok", "421 4.7.0 shutting down", "250 ok")},
        BOTH_DEFERRED,
        "421 4.7.0 shutting down",
        connections=2,
    ),
    Fault(
        "refused for good, then 421",
        {"RCPT": ("550 5.1.1 no such user", "421 4.7.0 shutting down", "250 ok")},
        (FAILED, DEFERRED),
        "421 4.7.0 shutting down",
        connections=2,
    ),
    Fault(
        "drops at the second recipient",
        {"RCPT": ("250 ok", DROP, "250 ok")},
        BOTH_DEFERRED,
        "lost",
        connections=2,
    ),
    Fault(
        "DATA refused for now",
        {"DATA": ("451 4.3.0 disk full", "354 go on")},
        BOTH_DEFERRED,
        "451 4.3.0 disk full",
    ),
    Fault(
        "DATA refused for good",
        {"DATA": ("554 5.5.1 no valid recipients", "354 go on")},
        (FAILED, FAILED),
        "554 5.5.1",
    ),
    Fault(
        "DATA granted in a wrong way",
        {"DATA": ("250 ok", "354 go on")},
        BOTH_DEFERRED,
        "250 ok",
        connections=2,
    ),
    Fault(
        "message refused for good",
        {".": ("554 5.6.0 spam", "250 ok")},
        (FAILED, FAILED),
        "554 5.6.0 spam",
        taken=2,
    ),
    Fault(
        "message refused for now",
        {".": ("451 4.7.1 greylisted", "250 ok")},
        BOTH_DEFERRED,
        "451 4.7.1 greylisted",
        taken=2,
    ),
    Fault(
        "daily quota passed",
        {".": ("554 5.2.0 SubmissionQuotaExceededException", "250 ok")},
        BOTH_DEFERRED,
        "daily limit of recipients",
        taken=2,
    ),
    Fault(
        "421 after the final dot",
        {".": ("421 4.3.0 later", "250 ok")},
        BOTH_DEFERRED,
        "421 4.3.0 later",
        taken=2,
        connections=2,
    ),
    Fault(
        "lost after the final dot",
        {".": (DROP, "250 ok")},
        BOTH_DEFERRED,
        "it may have arrived",
        taken=2,
        connections=2,
        doubt=True,
    ),
    Fault(
        "silent after the final dot",
        {".": (SILENT, "250 ok")},
        BOTH_DEFERRED,
        "it may have arrived",
        taken=2,
        connections=2,
        doubt=True,
    ),
    Fault(
        "QUIT refused",
        {"QUIT": "451 4.3.0 not now"},
        BOTH_SENT,
        taken=2,
    ),
    Fault("QUIT dropped", {"QUIT": DROP}, BOTH_SENT, taken=2),
    Fault("QUIT refused for good", {"QUIT": "500 never"}, BOTH_SENT, taken=2),
    Fault("QUIT hangs", {"QUIT": SILENT}, BOTH_SENT, taken=2),
    Fault(
        "hangs up at the hello",
        {"EHLO": DROP},
        BOTH_DEFERRED,
        "lost",
        second=BOTH_DEFERRED,
        taken=0,
    ),
    Fault(
        "STARTTLS refused for now",
        {"EHLO": OFFER, "STARTTLS": "454 4.7.0 TLS not available"},
        BOTH_DEFERRED,
        "454 4.7.0 TLS not available",
        second=BOTH_DEFERRED,
        taken=0,
        settings={"smtp_security": "starttls"},
    ),
    Fault(
        "STARTTLS refused for good",
        {"EHLO": OFFER, "STARTTLS": "502 5.5.1 never heard of it"},
        BOTH_DEFERRED,
        "502 5.5.1 never heard of it",
        second=BOTH_DEFERRED,
        taken=0,
        settings={"smtp_security": "starttls"},
    ),
    Fault(
        "STARTTLS granted, then garbage",
        {"EHLO": OFFER, "STARTTLS": "220 go\r\n\x00\x01 garbage"},
        BOTH_DEFERRED,
        "no encrypted connection",
        second=BOTH_DEFERRED,
        taken=0,
        settings={"smtp_security": "starttls"},
    ),
    Fault(
        "login not possible for now",
        {"AUTH": "454 4.7.0 temporary authentication failure"},
        BOTH_DEFERRED,
        "454 4.7.0 temporary",
        second=BOTH_DEFERRED,
        taken=0,
        settings=LOGIN,
    ),
    Fault(
        "login refused",
        {"AUTH": "535 5.7.8 authentication failed"},
        BOTH_DEFERRED,
        "refused LOGIN_MAIL or PASSWORD_MAIL",
        second=BOTH_DEFERRED,
        taken=0,
        settings=LOGIN,
    ),
    Fault(
        "login unknown after all",
        {"AUTH": "504 5.5.4 unrecognized authentication type"},
        BOTH_DEFERRED,
        "504 5.5.4",
        second=BOTH_DEFERRED,
        taken=0,
        settings=LOGIN,
    ),
    Fault(
        "hangs up at the login",
        {"AUTH": DROP},
        BOTH_DEFERRED,
        "lost",
        second=BOTH_DEFERRED,
        taken=0,
        settings=LOGIN,
    ),
    Fault(
        "size refused at the sender",
        {"MAIL": ("552 5.3.4 message size exceeds fixed limit", "250 ok")},
        (FAILED, FAILED),
        "552 5.3.4",
    ),
    Fault(
        "silent at the sender",
        {"MAIL": (SILENT, "250 ok")},
        BOTH_DEFERRED,
        "no answer in time",
        connections=2,
    ),
    Fault(
        "silent at the second recipient",
        {"RCPT": ("250 ok", SILENT, "250 ok")},
        BOTH_DEFERRED,
        "no answer in time",
        connections=2,
    ),
    Fault(
        "all recipients refused for good",
        {"RCPT": ("550 5.1.1 unknown", "553 5.1.3 bad address", "250 ok")},
        (FAILED, FAILED),
        "553 5.1.3 bad address",
    ),
    Fault(
        "all recipients refused for now",
        {"RCPT": ("450 4.2.1 busy", "451 4.7.1 greylisted", "250 ok")},
        BOTH_DEFERRED,
        "451 4.7.1 greylisted",
    ),
    Fault(
        "silent at DATA",
        {"DATA": (SILENT, "354 go on")},
        BOTH_DEFERRED,
        "no answer in time",
        connections=2,
    ),
    Fault(
        "lost before the final dot",
        {"DATA": (CUT, "354 go on")},
        BOTH_DEFERRED,
        "may have arrived",
        connections=2,
    ),
    Fault(
        "an answer of many lines",
        {
            "RCPT": (
                "250-2.1.5\r\n250-still\r\n250 ok",
                "550-5.1.1 no\r\n550 user",
                "250 ok",
            )
        },
        (SENT, FAILED),
        "550 5.1.1 no user",
        taken=2,
    ),
    Fault(
        "control bytes in an answer",
        {"MAIL": ("550 5.1.8 \x00\x1b[31mred\x07\x85 \udcff", "250 ok")},
        (FAILED, FAILED),
        r"550 5.1.8 \x00red\x07\x85 \xff",
    ),
    Fault(
        "an answer without a code",
        {"MAIL": ("what?", "250 ok")},
        BOTH_DEFERRED,
        "is not a mail server",
        connections=2,
    ),
    Fault(
        "too large for the server",
        {"EHLO": "250-fake\r\n250 SIZE 10"},
        (FAILED, FAILED),
        "the server accepts 10 at most",
        second=(FAILED, FAILED),
        taken=0,
    ),
    Fault(
        "size without a limit",
        {"EHLO": "250-fake\r\n250 SIZE 0"},
        BOTH_SENT,
        taken=2,
    ),
    Fault(
        "size that is no number",
        {"EHLO": "250-fake\r\n250 SIZE \xb2" + "9" * 20},
        BOTH_SENT,
        taken=2,
    ),
    Fault(
        "EHLO unknown", {"EHLO": "502 what?", "HELO": "250 hello"}, BOTH_SENT, taken=2
    ),
    Fault(
        "drops an idle connection",
        {"MAIL": ("250 ok", DROP, "250 ok")},
        BOTH_SENT,
        taken=2,
        connections=2,
    ),
    Fault(
        "ends an idle connection with 421",
        {"MAIL": ("250 ok", "421 4.4.2 idle too long", "250 ok")},
        BOTH_SENT,
        taken=2,
        connections=2,
    ),
    Fault(
        "drops again after the new connection",
        {"MAIL": ("250 ok", DROP)},
        BOTH_SENT,
        second=BOTH_DEFERRED,
        connections=2,
    ),
    Fault(
        "RSET refused",
        {"RCPT": ("550 no", "550 no", "250 ok"), "RSET": "502 what?"},
        (FAILED, FAILED),
        connections=2,
    ),
)


@pytest.mark.portable("the table of answers is the same everywhere")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_answer_means_one_thing_for_each_recipient(
    fault: Fault,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A receipt says what happened to its recipient, and the next message can leave."""
    server = serve(fault.answers)
    transport = SmtpTransport(
        mail_settings(server, **fault.settings), step_timeout=0.5, data_timeout=0.5
    )
    first = transport.send(message)
    second = transport.send(message)
    transport.close()

    assert tuple(receipt.recipient for receipt in first) == message.recipients
    assert tuple(receipt.delivery for receipt in first) == fault.first
    assert fault.says in str(first[-1].detail or "")
    assert tuple(receipt.delivery for receipt in second) == fault.second
    assert len(server.messages) == fault.taken
    assert server.connections == fault.connections
    assert all(m == message.content for m in server.messages)


def _same(thing: _T, *_asked: object) -> _T:
    return thing


@pytest.mark.sampled(3)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_later_attempt_duplicates_only_where_nobody_can_know(
    *,
    fault: Fault,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
    make_run: Callable[..., Run],
    shielded: Path,
) -> None:
    """Once the fault is over each recipient has it once, twice after doubt, or never."""
    faulty, healthy = serve(fault.answers), serve()
    settings = (mail_settings(faulty, **fault.settings), mail_settings(healthy))
    with open_store(shielded, NOW) as store:
        store.end_run(make_run(), [message], NOW)
        for mail, minutes in zip(settings, (0, 5), strict=True):
            now = NOW + timedelta(minutes=minutes)
            transport = SmtpTransport(mail, step_timeout=0.5, data_timeout=0.5)
            outbox = Outbox(
                store=store,
                open_transport=partial(_same, transport),
                now=partial(_same, now),
            )
            outbox.drain(30)
        kept = store.messages.get(1)

    assert kept is not None
    assert [a.state for a in kept.recipients] == [
        "failed" if delivery is FAILED else "sent" for delivery in fault.first
    ]
    copies = Counter(r for to in (*faulty.copies, *healthy.copies) for r in to)
    assert [copies[recipient] for recipient in message.recipients] == [
        0 if delivery is FAILED else 1 + fault.doubt for delivery in fault.first
    ]
    assert {m for s in (faulty, healthy) for m in s.messages} <= {message.content}


REPLIES = st.sampled_from(
    [
        "220 hello",
        "250 ok",
        "250-fake\r\n250-SIZE 100000\r\n250 AUTH LOGIN PLAIN",
        "235 welcome",
        "334 VXNlcm5hbWU6",
        "354 go on",
        "421 bye",
        "451 later",
        "550 never",
        "250-one\r\n451 two",
        "999 what?",
        "-1",
        "",
        "\udcff\x00 garbage",
        DROP,
    ]
)
VERBS = ["CONNECT", "EHLO", "HELO", "AUTH", "MAIL", "RCPT", "DATA", ".", "RSET", "QUIT"]


@pytest.mark.fault(
    "delivery",
    "A mail server answers anything at all",
    'Nothing is raised, and "sent" means that the server said so.',
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    answers=st.dictionaries(
        st.sampled_from(VERBS), st.lists(REPLIES, min_size=1, max_size=4).map(tuple)
    ),
    password=st.sampled_from([None, "secret"]),
)
def test_no_server_can_confuse_a_receipt(
    *,
    answers: Mapping[str, Any],
    password: str | None,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Whatever is answered: nothing is raised, and "sent" means the server said so."""
    server = serve(answers)
    transport = SmtpTransport(
        mail_settings(server, login="robot", password=password),
        step_timeout=0.5,
        data_timeout=0.5,
    )
    for _ in range(2):
        accepted = server.accepted
        receipts = transport.send(message)
        assert tuple(receipt.recipient for receipt in receipts) == message.recipients
        sent = [receipt for receipt in receipts if receipt.delivery is SENT]
        assert bool(sent) == (server.accepted > accepted)
        assert all(receipt.detail for receipt in receipts if receipt not in sent)
    transport.close()
    server.stop()


def test_a_sent_message_is_sent_whatever_the_goodbye(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """QUIT is not waited for: a silent server costs a bounded moment at most."""
    server = serve({"QUIT": "<drop>"})
    transport = SmtpTransport(mail_settings(server))
    receipts = transport.send(message)
    transport.close()
    transport.close()
    assert {receipt.delivery for receipt in receipts} == {SENT}
    assert server.verbs()[-1] == "QUIT"


def test_addresses_a_server_cannot_take_fail_alone(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A recipient with accents or a line break fails; the others get the message."""
    server = serve()
    bad = ("é@example.com", "a@b.fr\r\nRCPT TO:<x@y.z>", "nobody", "a@b..fr")
    transport = SmtpTransport(mail_settings(server))
    receipts = transport.send(replace(message, recipients=("ann@bücher.example", *bad)))
    transport.close()
    assert [r.delivery for r in receipts] == [SENT, FAILED, FAILED, FAILED, FAILED]
    # Each Python writes the verb in its own way.
    said = [line.lower() for line in server.said]
    assert "rcpt to:<ann@xn--bcher-kva.example>" in said
    assert server.verbs().count("RCPT") == 1
