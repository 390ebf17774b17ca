"""Sends a test message step by step, and says which step fails and why."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from python_runner.delivery.transports import open_channel
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.file import FileTransport
from python_runner.delivery.transports.smtp_connection import SmtpConnection
from python_runner.report.compose import compose, compose_for_channel
from python_runner.report.render import Report
from python_runner.report.view import LINE
from python_runner.texts.sanitize import clean, one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from python_runner.delivery.transports.graph import GraphTransport
    from python_runner.delivery.transports.tokens import Tokens
    from python_runner.model import MailSettings, Message, Receipt

_TEST_MAIL = (
    N_("Python Runner: test mail"),
    N_(
        "This is a test of Python Runner on {host}. Reports will arrive like this mail."
    ),
)
_TEST_CHANNEL_MESSAGE = (
    N_("Python Runner: test"),
    N_("This is a test of Python Runner on {host}. Reports will arrive like this."),
)

#: Seconds a server may take to accept the test mail.
_DATA_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a test.

    Attributes:
        name: ``DNS``, ``TCP``, ``TLS``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, with
            ``TOKEN`` before them where a token logs in; ``TOKEN`` and ``GRAPH`` for
            Microsoft Graph; ``FILE`` for a drop folder.
        ok: whether it went well; the last step is the first that did not.
        detail: what was found, or what is wrong and what to do.
    """

    name: str
    ok: bool
    detail: Sentence


def probe(
    settings: MailSettings,
    recipient: str,
    *,
    now: datetime,
    language: str = "en",
    step_timeout: float = 30.0,
) -> Iterator[Step]:
    """Send a test mail to ``recipient`` and yield each step as it is done.

    Args:
        settings: how mail leaves this machine.
        recipient: who gets the test mail.
        now: aware; date and identity of the mail.
        language: of the mail; the steps travel as :class:`Sentence`.
        step_timeout: seconds each step may take.
    """
    message = _test_message(settings, recipient, now, language)
    if settings.transport == "file":
        yield _write(FileTransport(settings.mail_dir), message)
        return
    test = (_graph_test if settings.transport == "graph" else _smtp_test)(
        settings, message, step_timeout
    )
    try:
        for name, step in test.steps():
            yield Step(name, ok=True, detail=step())
    except DeliveryError as error:
        yield Step(name, ok=False, detail=error.detail)
    finally:
        test.close()


class _Test(Protocol):
    """The steps of one message; each goes on where the last ended, and says what it found."""

    def steps(self) -> tuple[tuple[str, Callable[[], Sentence]], ...]:
        """Return the steps with their names, in order."""

    def close(self) -> None:
        """Close every connection."""


def _smtp_test(settings: MailSettings, message: Message, timeout: float) -> _Test:
    tokens = None
    if settings.transport == "smtp-oauth2":
        from python_runner.delivery.transports.tokens import Tokens  # noqa: PLC0415

        tokens = Tokens(settings, step_timeout=timeout)
    connection = SmtpConnection(
        settings, tokens=tokens, step_timeout=timeout, data_timeout=_DATA_TIMEOUT
    )
    return _SmtpTest(settings, message, connection, tokens)


def _graph_test(settings: MailSettings, message: Message, timeout: float) -> _Test:
    from python_runner.delivery.transports.graph import GraphTransport  # noqa: PLC0415

    transport = GraphTransport(
        settings, step_timeout=timeout, data_timeout=max(timeout, _DATA_TIMEOUT)
    )
    return _GraphTest(settings, message, transport)


def probe_channel(url: str, *, now: datetime, language: str = "en") -> Receipt:
    """Send a test message to a channel and return its answer.

    Args:
        url: the channel, as Apprise writes it.
        now: aware; date and identity of the message.
        language: of the message.
    """
    message = compose_for_channel(
        _test_report(language, _TEST_CHANNEL_MESSAGE),
        url=url,
        status=None,
        run_id=_test_id(now),
        date=now,
    )
    channel = open_channel(url)
    try:
        (receipt,) = channel.send(message)
    finally:
        channel.close()
    return receipt


@dataclass(frozen=True, slots=True)
class _GraphTest:
    settings: MailSettings
    message: Message
    transport: GraphTransport

    def steps(self) -> tuple[tuple[str, Callable[[], Sentence]], ...]:
        return (("TOKEN", self._token), ("GRAPH", self._submit))

    def close(self) -> None:
        self.transport.close()

    def _token(self) -> Sentence:
        self.transport.authorize()
        return _has_token(self.settings)

    def _submit(self) -> Sentence:
        answer = self.transport.submit(self.message.content)
        return Sentence.of(
            N_("Microsoft Graph has taken the mail: {answer}"),
            answer=one_line(answer, LINE),
        )


def _has_token(settings: MailSettings) -> Sentence:
    return Sentence.of(
        N_("{authority} gave the application {client} a token"),
        authority=settings.oauth_authority,
        client=settings.oauth_client,
    )


@dataclass(frozen=True, slots=True)
class _SmtpTest:
    settings: MailSettings
    message: Message
    connection: SmtpConnection
    tokens: Tokens | None

    def steps(self) -> tuple[tuple[str, Callable[[], Sentence]], ...]:
        return (
            *([("TOKEN", partial(self._token, self.tokens))] if self.tokens else []),
            ("DNS", self._resolve),
            ("TCP", self._connect),
            ("TLS", self._secure),
            ("AUTH", self._log_in),
            ("MAIL", self._mail),
            ("RCPT", self._rcpt),
            ("DATA", self._data),
        )

    def close(self) -> None:
        self.connection.close()
        if self.tokens:
            self.tokens.close()

    def _resolve(self) -> Sentence:
        return Sentence.of(
            N_("{host} is {addresses}"),
            host=self.settings.smtp_host,
            addresses=self.connection.resolve(),
        )

    def _connect(self) -> Sentence:
        self.connection.connect()
        return Sentence.of(
            N_("{host} answers on port {port}"),
            host=self.settings.smtp_host,
            port=self.settings.smtp_port,
        )

    def _secure(self) -> Sentence:
        self.connection.secure()
        if version := self.connection.encryption():
            return Sentence.of(
                N_("encrypted with {version}, and the certificate is right"),
                version=version,
            )
        return Sentence.of(N_("not encrypted (SMTP_SECURITY=none)"))

    def _token(self, tokens: Tokens) -> Sentence:
        tokens.get()
        return _has_token(self.settings)

    def _log_in(self) -> Sentence:
        if self.connection.log_in():
            return Sentence.of(N_("logged in as {login}"), login=self.settings.login)
        return Sentence.of(N_("no password is set: sending without a login"))

    def _mail(self) -> Sentence:
        self.connection.mail(self.message.sender, len(self.message.content))
        return Sentence.of(
            N_("the sender {sender} is accepted"), sender=self.message.sender
        )

    def _rcpt(self) -> Sentence:
        (recipient,) = self.message.recipients
        self.connection.rcpt(recipient)
        return Sentence.of(
            N_("the recipient {recipient} is accepted"), recipient=recipient
        )

    def _data(self) -> Sentence:
        answer = self.connection.data(self.message.content)
        return Sentence.of(
            N_("the server has taken the mail: {answer}"), answer=one_line(answer, LINE)
        )


def _write(folder: FileTransport, message: Message) -> Step:
    try:
        file = folder.write(message)
    except OSError as error:
        return Step("FILE", ok=False, detail=folder.problem(error))
    return Step(
        "FILE", ok=True, detail=Sentence.of(N_("written: {file}"), file=str(file))
    )


def _test_message(
    settings: MailSettings, recipient: str, now: datetime, language: str
) -> Message:
    return compose(
        _test_report(language, _TEST_MAIL),
        run_id=_test_id(now),
        sender=settings.sender or settings.login or recipient,
        recipients=(recipient,),
        date=now,
    )


def _test_id(now: datetime) -> str:
    return f"test-{now.timestamp():.6f}"


def _test_report(language: str, words: tuple[str, str]) -> Report:
    subject, text = (
        Sentence.of(part, host=socket.gethostname()).in_language(language)
        for part in words
    )
    return Report(subject, f"{clean(text)}\n", "")
