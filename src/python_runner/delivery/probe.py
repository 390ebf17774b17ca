"""Sends a test message step by step, and says which step fails and why.

Or goes as far as the login, and sends nothing.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from python_runner.delivery.deadline import Deadline
from python_runner.delivery.transports import open_channel
from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.delivery.transports.eventlog import EventLogTransport
from python_runner.delivery.transports.file import FileTransport
from python_runner.delivery.transports.smtp_connection import SmtpConnection
from python_runner.facts import dataclass
from python_runner.model import Cause
from python_runner.report.compose import compose, compose_for_channel
from python_runner.report.render import Report, render_notice
from python_runner.report.summary import LINE
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from datetime import datetime

    from python_runner.delivery.certificates import Validity
    from python_runner.delivery.transports.graph import GraphTransport
    from python_runner.delivery.transports.tokens import Tokens
    from python_runner.model import MailSettings, Message, Receipt

    #: Each goes on where the last one ended, and says what it found.
    _NamedStep = tuple[str, Callable[[], Sentence | "Found"]]
    _NamedSteps = Generator[_NamedStep]

_TEST_SUBJECT = N_("Python Runner: test email ({host})")
_TEST_TITLE = N_("Test email")
_TEST_TEXT = N_("Reports of Python Runner will arrive like this email.")
_TEST_CHANNEL_SUBJECT = N_("Python Runner: test")
_TEST_CHANNEL_TEXT = N_(
    "This is a test of Python Runner on {host}. Reports will arrive like this."
)

_T = TypeVar("_T")
#: Seconds that a whole test may take, the name servers included.
_WHOLE_SECONDS = 100.0
#: Seconds that a test as far as the login may take.
_LOGIN_SECONDS = 45.0
#: Seconds a server may take to accept the test mail.
_DATA_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a test.

    Attributes:
        name: ``DNS``, ``TCP``, ``TLS``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, with
            ``TOKEN`` before them where a token logs in; ``TOKEN`` and ``GRAPH`` for
            Microsoft Graph; ``FILE`` for a drop folder; ``LOG`` for the event log.
        ok: whether it went well; the last step is the first that did not.
        detail: what was found, or what is wrong and what to do.
        validity: when the server's certificate is valid, where the step has seen it.
        server_time: what the server said a moment ago that the time is, aware; or None.
    """

    name: str
    ok: bool
    detail: Sentence
    validity: Validity | None = None
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a step found, with facts; see :class:`Step`."""

    detail: Sentence
    validity: Validity | None = None
    server_time: datetime | None = None


def probe(
    settings: MailSettings,
    recipient: str,
    *,
    now: datetime,
    language: str = "en",
    step_timeout: float = 30.0,
    whole_seconds: float = _WHOLE_SECONDS,
) -> Iterator[Step]:
    """Send a test mail to ``recipient`` by one way and yield each step as it is done.

    ``now`` is aware, and gives the mail its date and identity. Each step may take
    ``step_timeout`` seconds, and all of them ``whole_seconds``. The mail is in ``language``; the steps can be translated.
    """
    message = _test_message(settings, recipient, now, language)
    if settings.transport == "file":
        yield _write(FileTransport(settings.mail_dir), message)
        return
    if settings.transport == "eventlog":
        yield _write_log(EventLogTransport(), message)
        return
    steps = _graph_steps if settings.transport == "graph" else _smtp_steps
    yield from _walked(steps(settings, message, step_timeout), whole_seconds)


def probe_login(
    settings: MailSettings,
    *,
    step_timeout: float = 15.0,
    whole_seconds: float = _LOGIN_SECONDS,
) -> Iterator[Step]:
    """Go one way as far as the login, send nothing, and yield each step as it is done.

    The seconds are those of :func:`probe`. The event log has no step: only a report
    shows whether it takes one.
    """
    if settings.transport == "file":
        yield _look(FileTransport(settings.mail_dir))
    elif settings.transport != "eventlog":
        steps = _graph_login if settings.transport == "graph" else _smtp_login_only
        yield from _walked(steps(settings, step_timeout), whole_seconds)


def _walked(steps: _NamedSteps, whole_seconds: float) -> Iterator[Step]:
    """Yield what each step found; the first that fails is the last."""
    deadline = _deadline(whole_seconds)
    with closing(steps) as named_steps:
        for name, step in named_steps:
            try:
                found = _in_time(step, deadline)
                if isinstance(found, Sentence):
                    found = Found(found)
                yield Step(
                    name,
                    ok=True,
                    detail=found.detail,
                    validity=found.validity,
                    server_time=found.server_time,
                )
            except DeliveryError as error:
                yield Step(name, ok=False, detail=error.detail)
                return
            except TimeoutError as error:
                yield Step(name, ok=False, detail=_no_answer(whole_seconds))
                with suppress(TimeoutError):
                    named_steps.throw(error)
                return


def probe_channel(url: str, *, now: datetime, language: str = "en") -> Receipt:
    """Send a test message, dated ``now`` (aware), to a channel; return its answer."""
    message = compose_for_channel(
        _channel_report(language),
        url=url,
        status=None,
        run_id=_test_id(now),
        date=now,
    )
    with closing(open_channel(url)) as channel:
        try:
            (receipt,) = _in_time(
                lambda: channel.send(message), _deadline(_WHOLE_SECONDS)
            )
        except TimeoutError:
            error = DeliveryError(Cause.TRANSIENT, _no_answer(_WHOLE_SECONDS))
            (receipt,) = receipts_for(message.recipients, error)
    return receipt


def _deadline(seconds: float) -> Deadline:
    return Deadline(time.monotonic, time.monotonic() + seconds)


def _in_time(step: Callable[[], _T], deadline: Deadline) -> _T:
    """Return what ``step`` returns.

    Raises:
        TimeoutError: it has not ended in time; its thread is left alone.
    """
    future: Future[_T] = Future()

    def work() -> None:
        try:
            future.set_result(step())
        except BaseException as error:  # noqa: BLE001 - raised where the result is wanted
            future.set_exception(error)

    if not deadline.run(work, lambda: False):
        raise TimeoutError
    return future.result()


def _no_answer(seconds: float) -> Sentence:
    template = N_("the test was stopped after {seconds} s: the server takes too long")
    return Sentence.of(template, seconds=round(seconds))


def _graph_steps(
    settings: MailSettings, message: Message, timeout: float
) -> _NamedSteps:
    def submit() -> Sentence:
        answer = one_line(transport.submit(message.content), LINE)
        return Sentence.of(
            N_("Microsoft Graph accepted the email: {answer}"), answer=answer
        )

    with closing(_graph_transport(settings, timeout)) as transport:
        yield "TOKEN", partial(_after, transport.authorize, _token_given(settings))
        yield "GRAPH", submit


def _graph_login(settings: MailSettings, timeout: float) -> _NamedSteps:
    """Get a token, and reach the server that would take the mail."""
    from python_runner.delivery.transports.https import HttpsClient  # noqa: PLC0415

    def reach() -> Found:
        # Whatever it answers to nobody: it is there, and proves who it is.
        answer = client.request("GET", f"{settings.graph_url}/v1.0/", headers={})
        detail = Sentence.of(N_("{host} answers"), host=settings.graph_url)
        return Found(detail, server_time=_date_of(answer.headers.get("date", "")))

    with closing(_graph_transport(settings, timeout)) as transport:
        yield "TOKEN", partial(_after, transport.authorize, _token_given(settings))
    client = HttpsClient(
        settings.smtp_ca_file, "GRAPH_URL", step_timeout=timeout, data_timeout=timeout
    )
    with closing(client):
        yield "GRAPH", reach


def _graph_transport(settings: MailSettings, timeout: float) -> GraphTransport:
    from python_runner.delivery.transports.graph import GraphTransport  # noqa: PLC0415

    return GraphTransport(
        settings,
        step_timeout=timeout,
        data_timeout=max(timeout, _DATA_TIMEOUT),
        tokens=_new_tokens(settings, timeout),
    )


def _date_of(header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _smtp_steps(
    settings: MailSettings, message: Message, timeout: float
) -> _NamedSteps:
    with ExitStack() as stack:
        connection = yield from _smtp_login(settings, timeout, stack)
        sender, (to,) = message.sender, message.recipients
        accepted = Sentence.of(N_("the sender {sender} is accepted"), sender=sender)
        size = len(message.content)
        yield "MAIL", partial(_after, partial(connection.mail, sender, size), accepted)
        known = Sentence.of(N_("the recipient {recipient} is accepted"), recipient=to)
        yield "RCPT", partial(_after, partial(connection.rcpt, to), known)
        yield "DATA", partial(_hand_over, connection, message)


def _smtp_login_only(settings: MailSettings, timeout: float) -> _NamedSteps:
    with ExitStack() as stack:
        yield from _smtp_login(settings, timeout, stack)


def _smtp_login(
    settings: MailSettings, timeout: float, stack: ExitStack
) -> Generator[_NamedStep, None, SmtpConnection]:
    """Yield the steps as far as the login; return the connection, which ``stack`` closes."""
    tokens = None
    if settings.transport == "smtp-oauth2":
        tokens = stack.enter_context(closing(_new_tokens(settings, timeout)))
        yield "TOKEN", partial(_after, tokens.get, _token_given(settings))
    connection = SmtpConnection(
        settings, tokens=tokens, step_timeout=timeout, data_timeout=_DATA_TIMEOUT
    )
    stack.push(partial(_leave, connection))
    yield "DNS", partial(_resolve, connection, settings.smtp_host)
    yield "TCP", partial(_connect, connection, settings)
    yield "TLS", partial(_secure, connection)
    yield "AUTH", partial(_log_in, connection, settings.login)
    return connection


def _leave(
    connection: SmtpConnection, kind: type[BaseException] | None, *_error: object
) -> None:
    """Close a connection; one that a thread still waits for is cut off."""
    if kind is not None and issubclass(kind, TimeoutError):
        connection.drop()
    else:
        connection.close()


def _after(step: Callable[[], object], found: Sentence) -> Sentence:
    """Do a step that finds nothing out by itself; return what its success means."""
    step()
    return found


def _new_tokens(settings: MailSettings, timeout: float) -> Tokens:
    """Return tokens that are asked for now: what a run needs tomorrow is tested."""
    from python_runner.delivery.transports.tokens import open_tokens  # noqa: PLC0415

    return open_tokens(settings, step_timeout=timeout, renewed=True)


def _token_given(settings: MailSettings) -> Sentence:
    if settings.as_user:
        template = N_("{authority} renewed the sign-in of {login}")
        return Sentence.of(
            template, authority=settings.oauth_authority, login=settings.login
        )
    return Sentence.of(
        N_("{authority} issued a token to the application {client}"),
        authority=settings.oauth_authority,
        client=settings.oauth_client,
    )


def _resolve(connection: SmtpConnection, host: str) -> Sentence:
    addresses = connection.resolve()
    return Sentence.of(N_("{host} is {addresses}"), host=host, addresses=addresses)


def _connect(connection: SmtpConnection, settings: MailSettings) -> Found:
    connection.connect()
    template = N_("{host} answers on port {port}")
    detail = Sentence.of(template, host=settings.smtp_host, port=settings.smtp_port)
    return Found(detail, server_time=connection.server_time())


def _secure(connection: SmtpConnection) -> Found:
    connection.secure()
    if version := connection.encryption():
        template = N_("encrypted with {version}, certificate valid")
        detail = Sentence.of(template, version=version)
        return Found(detail, validity=connection.validity())
    return Found(Sentence.of(N_("not encrypted (SMTP_SECURITY=none)")))


def _log_in(connection: SmtpConnection, login: str | None) -> Sentence:
    if connection.log_in():
        return Sentence.of(N_("authenticated as {login}"), login=login)
    return Sentence.of(N_("no password is set: sending without authentication"))


def _hand_over(connection: SmtpConnection, message: Message) -> Sentence:
    answer = one_line(connection.data(message.content), LINE)
    return Sentence.of(N_("the server accepted the email: {answer}"), answer=answer)


def _write(folder: FileTransport, message: Message) -> Step:
    try:
        file = folder.write(message)
    except OSError as error:
        return Step("FILE", ok=False, detail=folder.problem(error))
    detail = Sentence.of(N_("written: {file}"), file=str(file))
    return Step("FILE", ok=True, detail=detail)


def _look(transport: FileTransport) -> Step:
    """Say whether mails can be written into a folder, and leave nothing in it."""
    try:
        folder = transport.require_folder()
    except OSError as error:
        return Step("FILE", ok=False, detail=transport.problem(error))
    template = N_("emails can be written to {folder}")
    return Step("FILE", ok=True, detail=Sentence.of(template, folder=str(folder)))


def _write_log(log: EventLogTransport, message: Message) -> Step:
    try:
        log.write(message)
    except OSError as error:
        return Step("LOG", ok=False, detail=log.problem(error))
    detail = N_("written to the event log of this computer")
    return Step("LOG", ok=True, detail=Sentence.of(detail))


def _test_message(
    settings: MailSettings, recipient: str, now: datetime, language: str
) -> Message:
    host, formats = socket.gethostname(), Formats(language)
    subject = Sentence.of(_TEST_SUBJECT, host=host).in_language(language)
    report = render_notice(
        formats.gettext(_TEST_TITLE),
        formats.gettext(_TEST_TEXT),
        subject=subject,
        moment=now,
        host=host,
        language=language,
    )
    return compose(
        report,
        run_id=_test_id(now),
        sender=settings.sender or settings.login or recipient,
        recipients=(recipient,),
        date=now,
    )


def _test_id(now: datetime) -> str:
    return f"test-{now.timestamp():.6f}"


def _channel_report(language: str) -> Report:
    subject, text = (
        Sentence.of(part, host=socket.gethostname()).in_language(language)
        for part in (_TEST_CHANNEL_SUBJECT, _TEST_CHANNEL_TEXT)
    )
    return Report(subject, f"{clean(text)}\n", "")
