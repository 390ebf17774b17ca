"""Login with a token: what is sent, and what never leaks."""

from __future__ import annotations

import base64
import socket
import time
from collections import defaultdict
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports import open_transport, user_answers
from python_runner.delivery.transports.explain import smtp_error
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.delivery.transports.tokens import ApplicationTokens
from python_runner.model import Delivery
from tests.servers.identity import sign_in
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from python_runner.model import MailSettings, Message, Receipt

LOGIN = "robot@example.com"
EHLO = "250-fake\r\n250 AUTH LOGIN XOAUTH2"
STARTTLS = "250-fake\r\n250-STARTTLS\r\n250 AUTH LOGIN XOAUTH2"
#: What servers say against a token: base64 of JSON, behind 334.
COMPLAINT = base64.b64encode(b'{"status":"401","schemes":"bearer"}').decode()


def _send(settings: MailSettings, *messages: Message) -> tuple[Receipt, ...]:
    tokens = ApplicationTokens(settings, step_timeout=5)
    with closing(SmtpTransport(settings, step_timeout=5, tokens=tokens)) as transport:
        return tuple(r for message in messages for r in transport.send(message))


def _logins(server: Any) -> list[str]:
    """Return what was said in each login, decoded."""
    blobs = [line.split()[2] for line in server.said if line.startswith("AUTH")]
    return [base64.b64decode(blob).decode() for blob in blobs]


class _Mailbox:
    """What a real server (aiosmtpd) received; its login takes tokens of the cloud."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.contents: list[bytes] = []
        self.logins: list[bool] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any
    ) -> str:
        self.contents.append(envelope.content)
        return "250 queued"

    async def auth_XOAUTH2(  # noqa: N802 - aiosmtpd's name
        self, server: Any, args: list[str]
    ) -> Any:
        from aiosmtpd.smtp import AuthResult  # noqa: PLC0415

        user, token, _, end = base64.b64decode(args[1]).decode().split("\1")
        bearer = token.removeprefix("auth=Bearer ")
        scope = f"{self.cloud.url}/SMTP.Send"
        known = bearer in self.cloud.tokens or self.cloud.identity.holder(bearer, scope)
        right = user == f"user={LOGIN}" and bool(known) and not end
        self.logins.append(right)
        if right:
            return AuthResult(success=True, auth_data=user)
        challenge = '{"status":"400","schemes":"Bearer"}'
        await server.challenge_auth(challenge)
        return AuthResult(success=False, handled=False)


@contextmanager
def _real_server(cloud: Any, context: Any) -> Iterator[tuple[_Mailbox, Any]]:
    controller = pytest.importorskip("aiosmtpd.controller")
    smtp = pytest.importorskip("aiosmtpd.smtp")

    class Server(smtp.SMTP):  # type: ignore[misc, name-defined]
        """Takes the lines that RFC 4954 demands of who offers AUTH."""

        line_length_limit = 12288
        command_size_limits: Any = defaultdict(lambda: 12288)  # noqa: RUF012 - its way

    class Controller(controller.Controller):  # type: ignore[misc, name-defined]
        def factory(self) -> Any:
            return Server(self.handler, **self.SMTP_kwargs)

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    mailbox = _Mailbox(cloud)
    server = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
    )
    server.start()
    try:
        yield mailbox, server
    finally:
        server.stop()


def test_a_real_server_receives_the_very_bytes(
    cloud: Any,
    authority: Any,
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Over STARTTLS, with one token and one login, each message arrives unchanged."""
    with _real_server(cloud, authority.context()) as (mailbox, server):
        receipts = _send(
            token_settings(server, smtp_security="starttls"), message, message
        )
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert mailbox.contents == [message.content] * 2
    assert mailbox.logins == [True]
    assert list(cloud.tokens.values()) == ["https://outlook.office365.com/.default"]


def test_a_real_server_takes_a_user_who_signed_in(
    cloud: Any,
    authority: Any,
    message: Message,
    tmp_path: Path,
) -> None:
    """In the user's own name; a token of before that it refuses is renewed."""
    with _real_server(cloud, authority.context()) as (mailbox, server):
        mail = cloud.user_settings(
            tmp_path / "sign-in",
            transport="smtp-oauth2",
            smtp_ca_file=authority.file,
            smtp_host="localhost",
            smtp_port=server.port,
        )
        sign_in(mail, cloud)
        with closing(open_transport(mail)) as transport:
            receipts = transport.send(message)
        cloud.identity.access_tokens.clear()
        with closing(open_transport(mail)) as transport:
            receipts += transport.send(message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert mailbox.logins == [True, False, True]
    assert cloud.identity.renewals == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5.7.3 Authentication unsuccessful", "python-runner mail login --status"),
        (
            "5.7.60 SMTP; not permitted: SendAsDenied",
            "'Send as' on that mailbox to the",
        ),
    ],
)
def test_a_refused_user_is_told_what_a_user_can_do(text: str, said: str) -> None:
    """No word of an application's rights, which are an administrator's to give."""
    error = smtp_error(535, text, token=True, table=user_answers.SMTP)
    assert error.cause.delivery is Delivery.DEFERRED
    assert said in str(error.detail)
    assert text.rpartition(" ")[2] in str(error.detail)


def test_a_real_server_refuses_a_foreign_mailbox(
    cloud: Any,
    authority: Any,
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """The challenge is answered with an empty line, and the refusal tells what it said."""
    with _real_server(cloud, authority.context()) as (mailbox, server):
        mail = token_settings(
            server, smtp_security="starttls", login="other@example.com"
        )
        receipts = _send(mail, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert mailbox.logins == [False]
    detail = str(receipts[0].detail)
    assert "Application SMTP.SendAsApp" in detail
    assert '535 5.7.8 Authentication credentials invalid {"status":"400"' in detail


@pytest.mark.parametrize(
    "answers",
    [
        {"AUTH": "535 5.7.3 Authentication unsuccessful"},
        {
            "AUTH": f"334 {COMPLAINT}",
            "": "535 5.7.3 Authentication unsuccessful",
        },
    ],
    ids=["at once", "after a challenge"],
)
def test_a_refused_token_is_tried_once(
    answers: dict[str, str],
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """However many messages wait, one round makes one login, and no word of a password."""
    server = serve({"EHLO": EHLO} | answers)
    receipts = _send(token_settings(server), message, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    detail = receipts[0].detail
    assert detail is not None
    assert "refused the token" in str(detail)
    assert "PASSWORD_MAIL" not in str(detail) + detail.in_language("fr")
    assert ('{"status":"401"' in str(detail)) == ("" in answers)
    (said,) = _logins(server)
    assert said == f"user={LOGIN}\1auth=Bearer {next(iter(cloud.tokens))}\1\1"
    assert server.verbs().count("") == ("" in answers)


def test_a_challenge_that_is_no_base64_is_passed_on(
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Whatever a server says against a token, nothing breaks."""
    server = serve({"EHLO": EHLO, "AUTH": "334 no, never", "": "535 5.7.8 no"})
    (receipt, _) = _send(token_settings(server), message)
    assert "535 5.7.8 no no, never" in str(receipt.detail)


def test_a_new_connection_mid_queue_logs_in_with_the_same_token(
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A server that hangs up between two mails costs a login, not a token."""
    server = serve({"EHLO": EHLO, "MAIL": ("250 ok", "421 4.4.2 idle", "250 ok")})
    receipts = _send(token_settings(server), message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert server.connections == 2
    assert len(_logins(server)) == 2
    assert cloud.counted()["token"] == 1


@pytest.mark.parametrize("again", ["235 ok", "535 5.7.3 Authentication unsuccessful"])
def test_a_token_that_has_ended_mid_queue_is_renewed_once(
    again: str,
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A token that was good and is refused is replaced by one new token, and that by none."""
    server = serve(
        {
            "EHLO": EHLO,
            "AUTH": ("235 ok", "535 5.7.3 Authentication unsuccessful", again),
            "MAIL": ("250 ok", "421 4.4.2 idle", "250 ok"),
        }
    )
    receipts = _send(token_settings(server), message, message, message)
    good = again.startswith("235")
    later = Delivery.SENT if good else Delivery.DEFERRED
    assert [r.delivery for r in receipts] == [Delivery.SENT] * 2 + [later] * 4
    assert len(_logins(server)) == 3
    assert _logins(server)[1] != _logins(server)[2]
    assert cloud.counted()["token"] == 2


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        ("unknown authority", "an authority this computer does not trust"),
        ("wrong name", "bears another name"),
        ("expired", "has expired"),
    ],
)
def test_a_wrong_certificate_never_sees_the_token(
    *,
    security: str,
    certificate: str,
    says: str,
    serve: Callable[..., Any],
    authority: Any,
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Whoever cannot prove who he is gets neither login nor mail."""
    server = serve(
        {"EHLO": STARTTLS},
        tls=authority.impostor(certificate),
        implicit=security == "tls",
    )
    receipts = _send(token_settings(server, smtp_security=security), message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert says in str(receipts[0].detail)
    assert not {"AUTH", "MAIL", "RCPT", "DATA"} & set(server.verbs())
    assert server.connections == 1
    assert b"XOAUTH2" not in server.raw


def test_stripped_starttls_ends_the_conversation(
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A server that offers no STARTTLS gets neither login nor mail."""
    server = serve({"EHLO": EHLO})
    (receipt, _) = _send(token_settings(server, smtp_security="starttls"), message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "does not offer STARTTLS" in str(receipt.detail)
    assert server.verbs() == ["EHLO", "QUIT"]


def test_no_token_crosses_a_network_unencrypted(
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``none`` sends a token to this very machine only, whatever it is called."""
    # The one thing a test cannot have: a second machine. Its address stands in for it.
    monkeypatch.setattr(socket.socket, "getpeername", lambda _self: ("192.0.2.7", 25))
    server = serve({"EHLO": EHLO})
    (receipt, _) = _send(token_settings(server), message)
    assert "SMTP_SECURITY=none" in str(receipt.detail)
    assert "AUTH" not in server.verbs()


def test_a_server_that_takes_no_token_gets_none(
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Where only passwords log in, the token stays here and the sentence says so."""
    server = serve({"EHLO": "250-fake\r\n250 AUTH PLAIN LOGIN"})
    (receipt, _) = _send(token_settings(server, password="left over"), message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "accepts no token" in str(receipt.detail)
    assert "PLAIN LOGIN" in str(receipt.detail)
    assert "AUTH" not in server.verbs()


def test_a_server_that_repeats_the_token_is_not_quoted(
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """Receipts end in logs, records and mails: the token is in none of its forms."""
    server = serve({"EHLO": EHLO})
    make = server._answer  # noqa: SLF001 - the double learns to repeat what it heard

    def echo(client: Any, verb: str) -> bool:
        if verb == "AUTH":
            token = next(iter(cloud.tokens))
            blob = server.said[-1].split()[2]
            server.answers = {**server.answers, "AUTH": f"535 5.7.3 {token} {blob}"}
        return bool(make(client, verb))

    server._answer = echo  # noqa: SLF001 - likewise
    (receipt, _) = _send(token_settings(server), message)
    assert "535 5.7.3 *** ***" in str(receipt.detail)


def test_no_token_no_login(
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A provider that refuses is asked once a round, and the sentence is the provider's."""
    cloud.token_replies = [cloud.aadsts(7000222)] * 9
    server = serve({"EHLO": EHLO})
    receipts = _send(token_settings(server), message, message, message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert "OAUTH_CLIENT_SECRET has expired" in str(receipts[0].detail)
    assert cloud.counted()["token"] == 1
    assert server.connections == 0


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ("535 5.7.3 Authentication unsuccessful", "SMTP.SendAsApp"),
        (
            "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant. Visit ..",
            "whole organisation",
        ),
        (
            "535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox. Visit ..",
            "'Authenticated SMTP'",
        ),
        (
            "535 5.7.139 the request did not meet the criteria to be authenticated.",
            "security policy",
        ),
    ],
)
def test_known_answers_fit_a_token(
    answer: str,
    part: str,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """What Exchange Online answers to a token is explained, without a password in it."""
    server = serve({"EHLO": EHLO, "AUTH": answer})
    (receipt, _) = _send(token_settings(server), message)
    assert receipt.delivery is Delivery.DEFERRED
    assert part in str(receipt.detail)
    assert "PASSWORD_MAIL" not in str(receipt.detail)


@pytest.mark.parametrize("step", ["AUTH", "MAIL", "."])
def test_a_mailbox_that_may_not_be_opened_surfaces(
    step: str,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A 4xx that is a fault of the configuration says so, at whichever step it comes."""
    answer = "430 4.2.0 STOREDRV; mailbox logon failure; message context [..]"
    server = serve({"EHLO": EHLO, step: answer})
    (receipt, _) = _send(token_settings(server), message)
    assert receipt.delivery is Delivery.DEFERRED
    assert "Application SMTP.SendAsApp" in str(receipt.detail)


def test_a_password_is_still_called_one() -> None:
    """The same code means the password where a password was sent."""
    errors = [smtp_error(535, "5.7.3 no", token=token) for token in (False, True)]
    words = [str(error.detail) for error in errors]
    assert ["PASSWORD_MAIL" in text for text in words] == [True, False]


def test_silence_has_an_end(
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """A provider that says nothing holds neither this mail nor the next one up."""
    cloud.token_replies = [cloud.reply(silent=True)] * 9
    mail = token_settings(serve({"EHLO": EHLO}))
    start = time.monotonic()
    with closing(
        SmtpTransport(mail, tokens=ApplicationTokens(mail, step_timeout=0.5))
    ) as smtp:
        for _ in range(3):
            assert smtp.send(message)[0].delivery is Delivery.DEFERRED
    assert time.monotonic() - start < GENEROUS


def test_transports_are_picked_by_name(
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
    message: Message,
) -> None:
    """``MAIL_TRANSPORT=smtp-oauth2`` is this one."""
    with closing(open_transport(token_settings(serve({"EHLO": EHLO})))) as transport:
        assert isinstance(transport, SmtpTransport)
        assert transport.send(message)[0].delivery is Delivery.SENT
