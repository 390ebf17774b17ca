"""Login and encryption: what leaves this machine, and what never does."""

from __future__ import annotations

import base64
import socket
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.settings import load_settings
from python_runner.delivery.transports import open_transport
from python_runner.delivery.transports.explain import smtp_error
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.model import Cause, Delivery, MailSettings
from tests.passwords import PASSWORDS, single_quoted


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from python_runner.model import Message, Receipt

PASSWORD = "càn4ry-Pass word"
#: No resolver asks the network for a name beyond 255 characters.
TOO_LONG = ".".join(["a" * 60] * 5)
LOGIN = "robot@example.com"


def _send(settings: MailSettings, *messages: Message) -> tuple[Receipt, ...]:
    transport = SmtpTransport(settings, step_timeout=5)
    try:
        return tuple(r for message in messages for r in transport.send(message))
    finally:
        transport.close()


def _forms(password: str) -> tuple[bytes, ...]:
    """Return the password as it may cross a wire."""
    plain = password.encode()
    forms = (plain, f"\0{LOGIN}\0{password}".encode())
    return (*forms, *(base64.b64encode(form) for form in forms))


class _Mailbox:
    """What a real server (aiosmtpd) received; its login takes one password."""

    def __init__(self) -> None:
        self.envelopes: list[Any] = []
        self.logins: list[tuple[str, bool]] = []
        self.password = PASSWORD

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        self.envelopes.append(envelope)
        return "250 queued"

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any
    ) -> Any:
        from aiosmtpd.smtp import AuthResult  # noqa: PLC0415

        right = (data.login, data.password) == (LOGIN.encode(), self.password.encode())
        self.logins.append((mechanism, right))
        return AuthResult(success=right, handled=False)


@contextmanager
def _real_server(context: Any, **options: Any) -> Iterator[tuple[_Mailbox, Any]]:
    controller = pytest.importorskip("aiosmtpd.controller")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    mailbox = _Mailbox()
    server = controller.Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=mailbox.authenticate,
        **options,
    )
    server.start()
    try:
        yield mailbox, server
    finally:
        server.stop()


@pytest.mark.parametrize("excluded", [(), ("PLAIN",)], ids=["PLAIN", "LOGIN"])
def test_a_real_server_receives_the_very_bytes(
    excluded: tuple[str, ...],
    authority: Any,
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Over STARTTLS and a login with accents, each message arrives once, unchanged."""
    options = {"auth_exclude_mechanism": excluded}
    with _real_server(authority.context(), **options) as (mailbox, server):
        settings = mail_settings(
            server,
            smtp_security="starttls",
            smtp_ca_file=authority.file,
            login=LOGIN,
            password=PASSWORD,
        )
        receipts = _send(settings, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert [e.content for e in mailbox.envelopes] == [message.content] * 2
    assert mailbox.envelopes[0].rcpt_tos == list(message.recipients)
    assert mailbox.logins == [("LOGIN" if excluded else "PLAIN", True)]
    parsed = message_from_bytes(mailbox.envelopes[0].content, policy=default)
    assert parsed["Subject"] == "test"


def test_passwords_of_an_env_file_log_in_as_they_are_written(
    authority: Any, tmp_path: Path, message: Message
) -> None:
    """A real login over STARTTLS, with whatever signs a generated password holds."""
    with _real_server(authority.context()) as (mailbox, server):
        for password in PASSWORDS:
            mailbox.password = password
            (tmp_path / ".env").write_text(
                f"LOGIN_MAIL={LOGIN}\nPASSWORD_MAIL={single_quoted(password)}\n"
                f"SMTP_HOST=localhost\nSMTP_PORT={server.port}\n"
                f"SMTP_CA_FILE='{authority.file}'\nMAIL_FROM=robot@example.org\n",
                encoding="utf-8",
            )
            settings = load_settings(environ={}, folder=tmp_path).mail
            receipts = _send(settings, message)
            assert {r.delivery for r in receipts} == {Delivery.SENT}, password
    assert [right for _mechanism, right in mailbox.logins] == [True] * len(PASSWORDS)


def test_a_refused_password_is_tried_once(
    authority: Any, mail_settings: Callable[..., MailSettings], message: Message
) -> None:
    """However many messages wait, one drain makes one failed login."""
    with _real_server(authority.context()) as (mailbox, server):
        settings = mail_settings(
            server,
            smtp_security="starttls",
            smtp_ca_file=authority.file,
            login=LOGIN,
            password="wrong",
        )
        receipts = _send(settings, message, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert mailbox.logins == [("PLAIN", False)]
    assert "LOGIN_MAIL" in str(receipts[0].detail)
    assert "535" in str(receipts[0].detail)


def test_a_server_that_repeats_the_password_is_not_quoted(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Receipts end in logs, records and mails: the password is in none of its forms."""
    forms = _forms(PASSWORD)
    echo = " ".join(form.decode() for form in forms if b"\0" not in form)
    server = serve({"AUTH": f"535 5.7.8 bad password {echo}"})
    settings = mail_settings(server, login=LOGIN, password=PASSWORD)
    (receipt, _) = _send(settings, message)
    detail = str(receipt.detail) + repr(receipt) + repr(settings)
    assert "bad password ***" in detail
    assert not any(form.decode() in detail for form in forms)


def test_implicit_tls_encrypts_from_the_first_byte(
    serve: Callable[..., Any],
    authority: Any,
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """With ``tls`` not even the greeting is readable on the way."""
    server = serve(tls=authority.context(), implicit=True)
    settings = mail_settings(
        server,
        smtp_security="tls",
        smtp_ca_file=authority.file,
        login=LOGIN,
        password=PASSWORD,
    )
    receipts = _send(settings, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert "AUTH" in server.verbs()
    assert server.raw == b""


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        ("unknown authority", "an authority this computer does not trust"),
        ("wrong name", "bears another name"),
        ("expired", "has expired"),
    ],
)
def test_a_wrong_certificate_never_sees_the_password(
    *,
    security: str,
    certificate: str,
    says: str,
    serve: Callable[..., Any],
    authority: Any,
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Whoever cannot prove who he is gets neither login nor mail."""
    server = serve(
        {"EHLO": "250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN"},
        tls=authority.impostor(certificate),
        implicit=security == "tls",
    )
    settings = mail_settings(
        server,
        smtp_security=security,
        smtp_ca_file=authority.file,
        login=LOGIN,
        password=PASSWORD,
    )
    receipts = _send(settings, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert says in str(receipts[0].detail)
    assert not {"AUTH", "MAIL", "RCPT", "DATA"} & set(server.verbs())
    assert server.connections == 1
    assert not any(form in server.raw for form in _forms(PASSWORD))


def test_stripped_starttls_ends_the_conversation(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A server that offers no STARTTLS gets neither login nor mail."""
    server = serve()
    settings = mail_settings(
        server, smtp_security="starttls", login=LOGIN, password=PASSWORD
    )
    (receipt, _) = _send(settings, message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "does not offer STARTTLS" in str(receipt.detail)
    assert server.verbs() == ["EHLO", "QUIT"]
    assert not any(form in server.raw for form in _forms(PASSWORD))


def test_words_before_the_handshake_do_not_count_after_it(
    serve: Callable[..., Any],
    authority: Any,
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """What somebody slips in behind the STARTTLS answer is not taken for the server's."""
    server = serve(
        {
            "EHLO": (
                "250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN",
                "250-fake\r\n250 AUTH LOGIN",
            ),
            "STARTTLS": "220 go\r\n250-evil\r\n250 AUTH PLAIN",
            "AUTH": "334 VXNlcm5hbWU6",
            base64.b64encode(LOGIN.encode()).decode().upper(): "334 UGFzc3dvcmQ6",
            base64.b64encode(PASSWORD.encode()).decode().upper(): "235 ok",
        },
        tls=authority.context(),
    )
    settings = mail_settings(
        server,
        smtp_security="starttls",
        smtp_ca_file=authority.file,
        login=LOGIN,
        password=PASSWORD,
    )
    receipts = _send(settings, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert "AUTH LOGIN" in server.said


def test_an_authority_that_is_no_certificate_is_told(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
    tmp_path: Path,
) -> None:
    """A broken ``SMTP_CA_FILE`` defers the mail and never falls back to less safety."""
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate", encoding="utf-8")
    server = serve({"EHLO": "250-fake\r\n250 STARTTLS"})
    settings = mail_settings(server, smtp_security="starttls", smtp_ca_file=file)
    (receipt, _) = _send(settings, message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "SMTP_CA_FILE" in str(receipt.detail)


@pytest.mark.parametrize(
    ("peer", "sent"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", False),
        ("::ffff:192.0.2.7", False),
        ("fe80::1%eth0", False),
    ],
)
def test_no_password_crosses_a_network_unencrypted(
    *,
    peer: str,
    sent: bool,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``none`` sends a password to this very machine only, whatever it is called."""
    # The one thing a test cannot have: a second machine. Its address stands in for it.
    monkeypatch.setattr(socket.socket, "getpeername", lambda _self: (peer, 25))
    server = serve()
    settings = mail_settings(server, login=LOGIN, password=PASSWORD)
    (receipt, _) = _send(settings, message)
    assert (receipt.delivery is Delivery.SENT) == sent
    assert any(form in server.raw for form in _forms(PASSWORD)) == sent
    assert sent or "SMTP_SECURITY=none" in str(receipt.detail)


@pytest.mark.parametrize("implicit", [True, False])
def test_a_server_of_the_other_kind_of_encryption_is_told(
    *,
    implicit: bool,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """The two ports 465 and 587 are often mixed up: the sentence names both."""
    server = serve({"CONNECT": "220 hello" if implicit else "<drop>"})
    settings = mail_settings(server, smtp_security="tls", login=LOGIN, password="x")
    (receipt, _) = _send(settings, message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "port 587 needs SMTP_SECURITY=starttls" in str(receipt.detail)


@pytest.mark.parametrize(
    ("changes", "offer"),
    [({"password": PASSWORD}, "PLAIN"), ({"login": LOGIN}, "PLAIN"), ({}, "")],
)
def test_without_login_and_password_there_is_no_login(
    changes: dict[str, str],
    offer: str,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """An office relay that wants no login gets none."""
    server = serve({"EHLO": f"250-fake\r\n250 AUTH {offer}"})
    receipts = _send(mail_settings(server, **changes), message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert "AUTH" not in server.verbs()


@pytest.mark.parametrize("offer", ["250 AUTH XOAUTH2", "250 HELP"])
def test_a_server_that_takes_no_password_gets_none(
    offer: str,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Where only a token logs in, the password stays here and the sentence says so."""
    server = serve({"EHLO": f"250-fake\r\n{offer}"})
    (receipt, _) = _send(mail_settings(server, login=LOGIN, password="x"), message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "accepts no password" in str(receipt.detail)
    assert "AUTH" not in server.verbs()


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "no longer accepts a password",
        ),
        (
            "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant. Visit aka.ms/..",
            "whole organisation",
        ),
        (
            "535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox. Visit aka.ms/..",
            "'Authenticated SMTP'",
        ),
        (
            "535 5.7.139 the request did not meet the criteria to be authenticated.",
            "security policy",
        ),
        ("535 5.7.3 Authentication unsuccessful", "refused LOGIN_MAIL"),
        (
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "no longer accepts passwords for SMTP at all",
        ),
        (
            "430 4.2.0 STOREDRV; mailbox logon failure; message context [..]",
            "Application SMTP.SendAsApp",
        ),
        (
            "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
            "too many programs",
        ),
        (
            "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
            "daily limit",
        ),
        ("554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException", "Send as"),
        (
            "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
            "Send as",
        ),
    ],
)
def test_known_answers_say_what_to_do(
    answer: str,
    part: str,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """An answer of Exchange Online defers the mail with a sentence in both languages."""
    code, _, text = answer.partition(" ")
    explanation = smtp_error(int(code), text).detail
    assert part in str(explanation)
    assert explanation.in_language("fr") != str(explanation)

    server = serve({"AUTH": answer})
    settings = mail_settings(server, login=LOGIN, password=PASSWORD)
    (receipt, _) = _send(settings, message)
    assert receipt.delivery is Delivery.DEFERRED
    assert part in str(receipt.detail)
    assert code in str(receipt.detail)


@pytest.mark.parametrize(
    ("answers", "about_size"),
    [
        ({"EHLO": "250-fake\r\n250 SIZE 10"}, True),
        ({"MAIL": "552 5.3.4 message size exceeds fixed maximum"}, True),
        ({".": "552 message too large"}, True),
        ({".": "554 5.2.3 message length exceeds administrative limit"}, True),
        ({"RCPT": "552 5.2.2 mailbox full"}, False),
        ({".": "554 5.6.0 spam"}, False),
    ],
)
def test_a_refusal_for_the_size_can_be_told_from_others(
    *,
    answers: dict[str, str],
    about_size: bool,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Who has a smaller mail to offer must know that it would be taken."""
    receipts = _send(mail_settings(serve(answers)), message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.FAILED}
    too_large = [receipt.cause is Cause.TOO_LARGE for receipt in receipts]
    assert too_large == [about_size] * 2


def test_unknown_answers_are_passed_on() -> None:
    """What nobody has explained yet is no reason to guess."""
    error = smtp_error(550, "5.1.1 no such user")
    assert error.cause is Cause.PERMANENT
    assert str(error.detail) == "the server answered: 550 5.1.1 no such user"


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (TOO_LONG, "not known to this network"),
        ("a..b", "not known to this network"),
        ("127.0.0.1", "does not answer on port"),
    ],
)
def test_an_unreachable_server_defers(
    host: str, says: str, message: Message, free_port: int
) -> None:
    """No name, no machine, no port: the mail waits, and the sentence says what to check."""
    settings = MailSettings(smtp_host=host, smtp_port=free_port)
    receipts = _send(settings, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert says in str(receipts[0].detail)


def test_a_computer_with_accents_can_greet(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers take ASCII names only: a computer called otherwise gives an address."""
    monkeypatch.setattr(socket, "gethostname", lambda: "PC-Éric")
    server = serve()
    assert _send(mail_settings(server), message)[0].delivery is Delivery.SENT
    assert server.said[0] == "ehlo [127.0.0.1]"


def test_transports_are_picked_by_name(
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """``MAIL_TRANSPORT=smtp`` is this one."""
    transport = open_transport(mail_settings(serve()))
    assert isinstance(transport, SmtpTransport)
    assert transport.send(message)[0].delivery is Delivery.SENT
    transport.close()
