"""How this computer greets a mail server, and what a refusal of that means."""

from __future__ import annotations

import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.settings import load_settings
from python_runner.delivery.transports.explain import smtp_error
from python_runner.delivery.transports.greeting import greeting_name
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.model import Delivery


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import MailSettings, Message


@pytest.mark.parametrize(
    ("computer", "address", "name"),
    [
        ("vm.example.org", "10.0.0.7", "vm.example.org"),
        ("VM-1.Example.ORG", "::1", "VM-1.Example.ORG"),
        ("LAPTOP-BS85JNP7", "192.168.1.7", "[192.168.1.7]"),
        ("vm", "2001:db8::7", "[IPv6:2001:db8::7]"),
        ("vm", "fe80::1%eth0", "[IPv6:fe80::1]"),
        ("vm", "::ffff:192.168.1.7", "[192.168.1.7]"),
        ("", "127.0.0.1", "[127.0.0.1]"),
        ("poste-de-zoé.example.org", "127.0.0.1", "[127.0.0.1]"),
        ("my_pc.example.org", "127.0.0.1", "[127.0.0.1]"),
        ("-a.example.org", "127.0.0.1", "[127.0.0.1]"),
        ("a.example.org.", "127.0.0.1", "[127.0.0.1]"),
        ("a..org", "127.0.0.1", "[127.0.0.1]"),
        ("10.1.2.3", "127.0.0.1", "[127.0.0.1]"),
        ("a b.org", "127.0.0.1", "[127.0.0.1]"),
        (f"{'a' * 60}." * 5 + "org", "127.0.0.1", "[127.0.0.1]"),
    ],
)
def test_a_name_without_a_dot_is_no_greeting(
    computer: str, address: str, name: str
) -> None:
    """Servers take a full name, or the address in brackets."""
    assert greeting_name(computer, address) == name


@pytest.mark.parametrize("helo", [None, "relay.example.org", "[192.0.2.1]"])
def test_the_greeting_is_the_configured_one_where_there_is_one(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
    helo: str | None,
) -> None:
    """SMTP_HELO wins; else the server sees a full name or the connection's address."""
    server = serve()
    settings = mail_settings(server, smtp_helo=helo)
    with closing(SmtpTransport(settings)) as transport:
        transport.send(message)
    greeting = server.said[0].split()[1]
    own = socket.gethostname()
    assert greeting == helo or (not helo and greeting in {own, "[127.0.0.1]"})
    assert "." in greeting


#: Answers of Postfix, Exim, sendmail, Exchange and others to a greeting they do not like.
REFUSALS = (
    "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
    "501 5.5.2 <vm>: Helo command rejected: Invalid name",
    "450 4.7.1 <vm>: Helo command rejected: Host not found",
    "554 5.7.1 <vm>: Helo command rejected: Access denied",
    "501 Syntactically invalid HELO argument(s)",
    "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)",
    "550 HELO should be a FQDN or address literal",
    "553 sorry, your EHLO name is not allowed",
    "501 5.5.4 Invalid domain name",
    "501 5.0.0 Invalid domain name",
    "554 5.7.1\nHELO/EHLO name is forged",
    "504 need fully-qualified domain name",
)


@pytest.mark.fault(
    "delivery",
    "A mail server refuses the computer's name",
    "The report waits, and the sentence names `SMTP_HELO`.",
)
@pytest.mark.parametrize("answer", REFUSALS)
def test_a_refused_greeting_is_deferred_and_explained(answer: str) -> None:
    """Whichever step it answers, nobody is told to check the recipient's address."""
    code, _, text = answer.partition(" ")
    error = smtp_error(int(code), text, refused="check the address ({answer})")
    assert error.cause.delivery is Delivery.DEFERRED
    assert "SMTP_HELO" in str(error.detail)


@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.1 <hello@example.org>: no such user",
        "503 5.5.1 Error: send HELO/EHLO first",
        "504 5.5.2 <ann>: Recipient address rejected: need fully-qualified address",
        "550 5.1.1 <ehlotte@example.org> unknown",
    ],
)
def test_other_refusals_are_not_taken_for_that(answer: str) -> None:
    """A refused recipient stays one."""
    code, _, text = answer.partition(" ")
    error = smtp_error(int(code), text, refused="check the address ({answer})")
    assert error.cause.delivery is Delivery.FAILED
    assert str(error.detail) == f"check the address ({answer})"


@pytest.mark.parametrize(
    "answer",
    [
        "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen",
    ],
)
def test_a_refused_computer_is_not_a_refused_recipient(answer: str) -> None:
    """Servers wait with it until a recipient is named."""
    code, _, text = answer.partition(" ")
    error = smtp_error(int(code), text, refused="check the address ({answer})")
    assert error.cause.delivery is Delivery.DEFERRED
    assert re.search("this computer's address", str(error.detail))


@pytest.mark.parametrize(
    "helo", ["a b", "vm\r\nMAIL FROM:<x@y>", "é.fr", "[1.2.3.4", "."]
)
def test_a_greeting_is_one_word(helo: str) -> None:
    """What no server takes, or what would be another command, is refused."""
    problems = load_settings(environ={"SMTP_HELO": helo}).mail.problems
    assert [problem.key for problem in problems] == ["SMTP_HELO"]
