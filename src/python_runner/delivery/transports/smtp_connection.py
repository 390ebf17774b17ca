"""One SMTP connection, one method per step; the caller decides what an error means."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeVar

from python_runner.delivery.certificates import Validity
from python_runner.delivery.transports import answers, user_answers
from python_runner.delivery.transports.envelope import ascii_address
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import (
    broken,
    connection_lost,
    insecure,
    is_endless,
    quoted,
    smtp_error,
    unavailable,
    unreachable,
)
from python_runner.delivery.transports.greeting import greeting_name
from python_runner.delivery.transports.smtp_auth import (
    login_secrets,
    login_steps,
    token_complaint,
    token_login,
)
from python_runner.delivery.transports.smtp_client import SmtpClient
from python_runner.delivery.transports.tls import tls_context
from python_runner.masking import Masker
from python_runner.model import Cause
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from python_runner.delivery.transports.tokens import Tokens
    from python_runner.model import MailSettings

#: Seconds to connect, and for each answer.
STEP_SECONDS = 30.0
#: Seconds the server may take to accept a message: filters and archives are slow.
DATA_SECONDS = 300.0
#: Seconds from the connection to the end of the login, and from a message's sender to its
#: last recipient: each answer may come in time, and the whole for ever.
_OPENING_SECONDS = 120.0
_ENVELOPE_SECONDS = 300.0
#: Seconds the server may take to answer QUIT, on which nothing depends.
_QUIT_SECONDS = 5.0
_CLOSING = 421
#: A date as mails have it.
_DATE = lazy_pattern(
    r"\b[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
)
_CHALLENGE = 334
_T = TypeVar("_T")


class SmtpConnection:
    """One connection to a server; its methods are called in their order, step by step.

    Every step raises :class:`DeliveryError` when it does not succeed.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        step_timeout: float,
        data_timeout: float,
        tokens: Tokens | None = None,
    ) -> None:
        """Prepare; nothing is connected.

        Args:
            settings: where to, and as whom.
            tokens: what to log in with; None for the password of ``settings``.
            step_timeout: seconds any step but the last may take.
            data_timeout: seconds the server may take to accept a message. Giving up too
                early makes duplicates: it may have been accepted.
        """
        self._settings = settings
        self._host, self._port = settings.smtp_host, settings.smtp_port
        self._masker = Masker(login_secrets(settings.login, settings.password))
        self._step_timeout = step_timeout
        self._data_timeout = data_timeout
        self._tokens = tokens
        self._smtp = SmtpClient(step_timeout)
        self._greeting = ""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection still."""
        return self._smtp.sock is not None

    def resolve(self) -> str:
        """Look the server's name up and return its addresses, for people."""
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:
            raise unreachable(error, self._host, self._port) from error
        return ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))

    def connect(self) -> None:
        """Connect; without implicit TLS also wait for the server's greeting."""
        self._smtp.allow(_OPENING_SECONDS)
        try:
            sock = socket.create_connection(
                (self._host, self._port), self._step_timeout
            )
        except (OSError, ValueError) as error:
            raise unreachable(error, self._host, self._port) from error
        self._smtp.sock = sock
        self._smtp.local_hostname = self._settings.smtp_helo or greeting_name(
            socket.gethostname(), str(sock.getsockname()[0])
        )
        if self._settings.smtp_security != "tls":
            self._greet()

    def secure(self) -> None:
        """Encrypt the connection as configured, and learn what the server offers."""
        if self._settings.smtp_security == "tls":
            self._wrap()
            self._greet()
        self._hello()
        if self._settings.smtp_security == "starttls":
            if not self._smtp.has_extn("starttls"):
                raise unavailable(answers.NO_STARTTLS, host=self._host)
            self._expect(220, lambda: self._smtp.docmd("STARTTLS"))
            self._wrap()
            self._hello()

    def encryption(self) -> str | None:
        """Return the version of TLS in use, or None."""
        sock = self._smtp.sock
        return sock.version() if isinstance(sock, ssl.SSLSocket) else None

    def validity(self) -> Validity | None:
        """Return when the server's certificate is valid; None without encryption."""
        sock = self._smtp.sock
        known = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
        if not known:
            return None
        begins_at, ends_at = (
            datetime.fromtimestamp(ssl.cert_time_to_seconds(str(known[name])), UTC)
            for name in ("notBefore", "notAfter")
        )
        return Validity(begins_at, ends_at)

    def server_time(self) -> datetime | None:
        """Return the time that the greeting names, as Exchange's does; else None."""
        found = _DATE.search(self._greeting)
        try:
            return parsedate_to_datetime(found[0]) if found else None
        except ValueError:
            return None

    def log_in(self) -> bool:
        """Log in and return True; without password and tokens there is no login.

        A password is tried once; a token too, unless it had been good before.
        """
        login, password = self._settings.login, self._settings.password
        if not login or not (password or self._tokens):
            return False
        if self._settings.smtp_security == "none" and not self._is_loopback():
            raise unavailable(answers.UNENCRYPTED_LOGIN)
        offered = self._smtp.esmtp_features.get("auth", "").upper().split()
        if self._tokens:
            self._log_in_with_token(self._tokens, login, offered)
            return True
        steps = login_steps(login, password or "", offered)
        if not steps:
            raise self._no_login(answers.NO_PASSWORD_LOGIN, offered)
        try:
            for command, code in steps:
                self._expect(code, partial(self._smtp.docmd, command))
        except DeliveryError as error:
            raise self._with_wants(error) from error
        return True

    def _with_wants(self, error: DeliveryError) -> DeliveryError:
        """Return a refused login with what the provider of the mailbox wants."""
        provider = self._settings.provider
        if provider is None or error.cause is Cause.CONNECTION_LOST:
            return error
        detail = Sentence.of(
            N_("{refusal}. {wants}"), refusal=error.detail, wants=provider.wants
        )
        return DeliveryError(error.cause, detail)

    def _log_in_with_token(
        self, tokens: Tokens, login: str, offered: Collection[str]
    ) -> None:
        if "XOAUTH2" not in offered:
            raise self._no_login(answers.NO_TOKEN_LOGIN, offered)
        try:
            self._send_token(tokens, login)
        except DeliveryError:
            if not (self.is_open and tokens.proven):
                raise
            tokens.forget()
            self._send_token(tokens, login)

    def _send_token(self, tokens: Tokens, login: str) -> None:
        token = tokens.get()
        response = token_login(login, token)
        self._masker = Masker((response, token))
        self._expect(235, lambda: self._xoauth2(response))
        tokens.proven = True

    def _no_login(self, template: str, offered: Collection[str]) -> DeliveryError:
        offer = quoted(" ".join(offered)) or Sentence.of(N_("none"))
        return unavailable(template, host=self._host, offered=offer)

    def _xoauth2(self, response: str) -> tuple[int, bytes]:
        """Send the token; return the answer, with what a challenge says against it."""
        code, answer = self._smtp.docmd(f"AUTH XOAUTH2 {response}")
        if code != _CHALLENGE:
            return code, answer
        complaint = token_complaint(answer.decode("latin-1"))
        # The server refuses after an empty line.
        code, answer = self._smtp.docmd("")
        return code, answer + b" " + complaint.encode()

    def mail(self, sender: str, size: int) -> None:
        """Begin a message of ``size`` bytes from ``sender``."""
        self._smtp.allow(_ENVELOPE_SECONDS)
        limit = self._smtp.esmtp_features.get("size", "")
        if re.fullmatch(r"[0-9]{1,18}", limit) and 0 < int(limit) < size:
            detail = Sentence.about(answers.OVER_LIMIT, size, limit=int(limit))
            raise DeliveryError(Cause.TOO_LARGE, detail)
        options = [f"size={size}"] if self._smtp.has_extn("size") else []
        address = ascii_address(sender)
        self._expect(
            250, lambda: self._smtp.mail(address, options), answers.REFUSED_SENDER
        )

    def rcpt(self, recipient: str) -> None:
        """Name one recipient."""
        address = ascii_address(recipient)
        codes = {250, 251, 252}
        self._expect(codes, lambda: self._smtp.rcpt(address), answers.REFUSED_RECIPIENT)

    def data(self, content: bytes) -> str:
        """Hand the message over; return the server's answer, its queue id as a rule."""
        self._expect(354, lambda: self._smtp.docmd("DATA"))
        self._smtp.allow(2 * self._data_timeout)
        self._smtp.step_timeout = self._data_timeout
        stuffed = re.sub(rb"(?m)^\.", b"..", content)
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            self._guard(lambda: self._smtp.send(stuffed + end))
            return self._accepted()
        finally:
            self._smtp.step_timeout = self._step_timeout

    def reset(self) -> None:
        """Give up the message that was begun; the connection stays."""
        self._smtp.allow(self._step_timeout)
        self._expect(250, self._smtp.rset)

    def close(self) -> None:
        """Send QUIT and close the connection, whatever is answered."""
        with suppress(OSError, smtplib.SMTPException):
            if self.is_open:
                self._smtp.allow(_QUIT_SECONDS)
                self._smtp.docmd("QUIT")
        self.drop()

    def drop(self) -> None:
        """Close the connection without QUIT; a thread that reads from it ends."""
        with suppress(OSError, ValueError):
            if self._smtp.sock is not None:
                self._smtp.sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._smtp.close()

    def _greet(self) -> None:
        try:
            self._greeting = self._expect(220, self._smtp.getreply)
        except DeliveryError as error:
            if error.cause is not Cause.CONNECTION_LOST or is_endless(error.__cause__):
                raise
            raise unavailable(
                answers.NO_GREETING,
                host=self._host,
                port=self._port,
                error=broken(error.__cause__),
            ) from error

    def _hello(self) -> None:
        code, answer = self._guard(self._smtp.ehlo)
        if 500 <= code < 600:  # noqa: PLR2004 - RFC 5321: no extensions, or the name is refused
            code, answer = self._guard(self._smtp.helo)
        self._judge(code, answer, set(range(200, 300)), answers.REFUSED_GREETING)

    def _wrap(self) -> None:
        """Encrypt, against the name in the settings; what was offered before is forgotten."""
        smtp = self._smtp
        context = tls_context(self._settings.smtp_ca_file)
        try:
            self._sock.settimeout(smtp.seconds_left)
            smtp.sock = context.wrap_socket(self._sock, server_hostname=self._host)
        except OSError as error:
            self.drop()
            raise insecure(error, self._host, self._port) from error
        smtp.file = None
        smtp.ehlo_resp = smtp.helo_resp = None
        smtp.esmtp_features = {}
        smtp.does_esmtp = False

    def _is_loopback(self) -> bool:
        host = str(self._sock.getpeername()[0]).partition("%")[0]
        peer = ip_address(host)
        return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback

    def _accepted(self) -> str:
        """Wait for the answer to the whole message."""
        try:
            return self._expect(250, self._smtp.getreply)
        except DeliveryError as error:
            if error.cause is not Cause.CONNECTION_LOST:
                raise
            detail = Sentence.of(answers.OUTCOME_UNKNOWN)
            raise DeliveryError(Cause.ANSWER_LOST, detail) from error

    @property
    def _sock(self) -> socket.socket:
        assert self._smtp.sock is not None  # noqa: S101 - connect() comes first
        return self._smtp.sock

    def _expect(
        self,
        wanted: int | set[int],
        command: Callable[[], tuple[int, bytes]],
        refused: str | None = None,
    ) -> str:
        """Run one exchange and return the answer's text if its code is wanted."""
        codes = {wanted} if isinstance(wanted, int) else wanted
        return self._judge(*self._guard(command), codes, refused)

    def _judge(
        self, code: int, answer: bytes, wanted: set[int], refused: str | None
    ) -> str:
        """Return an answer's text if its code is wanted."""
        text = self._masked(answer)
        if code in wanted:
            return text
        # 421 closes the connection; anything that is no refusal makes it useless.
        if code == _CLOSING or not 400 <= code < 600:  # noqa: PLR2004 - RFC 5321
            self.drop()
        if code < 0:
            detail = Sentence.of(
                answers.NO_MAIL_SERVER, host=self._host, port=self._port
            )
            raise DeliveryError(Cause.TRANSIENT, detail)
        raise self._error(code, text, refused)

    def _guard(self, exchange: Callable[[], _T]) -> _T:
        """Run one exchange; what smtplib and the network raise is a lost connection."""
        try:
            return exchange()
        except smtplib.SMTPResponseException as error:
            self.drop()
            detail = self._error(error.smtp_code, self._masked(error.smtp_error)).detail
            raise DeliveryError(Cause.CONNECTION_LOST, detail) from error
        except OSError as error:  # SMTPException is one
            self.drop()
            detail = connection_lost(error, self._host)
            raise DeliveryError(Cause.CONNECTION_LOST, detail) from error

    def _error(self, code: int, text: str, refused: str | None = None) -> DeliveryError:
        tokens = self._tokens
        return smtp_error(
            code,
            text,
            token=tokens is not None,
            refused=refused,
            table=user_answers.SMTP if tokens and tokens.as_user else None,
        )

    def _masked(self, answer: bytes | str) -> str:
        """Return an answer as text; a server that repeats a secret is not quoted."""
        # smtplib has both: bytes from the server, a text of its own where it gave up.
        if isinstance(answer, bytes):
            answer = answer.decode("utf-8", "backslashreplace")
        return self._masker.text(answer)
