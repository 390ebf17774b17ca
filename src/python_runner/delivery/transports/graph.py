"""Delivery by Microsoft Graph: one request a mail, no SMTP and no password.

Graph takes the whole message and reads the recipients in it, so that a mail is taken for
all of them or for none. It answers that it has taken a mail, not that it has arrived.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from typing import TYPE_CHECKING
from urllib.parse import quote

from python_runner.delivery.transports import always, answers, user_answers
from python_runner.delivery.transports.answers import NO_ANSWER_BEFORE, OUTCOME_UNKNOWN
from python_runner.delivery.transports.envelope import ascii_address
from python_runner.delivery.transports.errors import DeliveryError, receipt
from python_runner.delivery.transports.explain import graph_error, unavailable
from python_runner.delivery.transports.https import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    HttpsClient,
)
from python_runner.delivery.transports.size_limit import shrink_to_fit
from python_runner.delivery.transports.tokens import open_tokens
from python_runner.masking import Masker
from python_runner.model import Cause
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from python_runner.delivery.transports.explain import Answer
    from python_runner.delivery.transports.tokens import Tokens
    from python_runner.model import MailSettings, Message, Receipt

_ACCEPTED = 202
_UNAUTHORIZED = 401
_ADDRESSEES = lazy_pattern(rb"(?im)^(?:to|cc|bcc):.*\r\n(?:[ \t].*\r\n)*")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class GraphTransport:
    """Hands messages over one after the other, over one connection.

    What stops every mail (no network, no token, no permission) is found out once and
    answers every later message of this object.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        step_timeout: float = CONNECT_SECONDS,
        data_timeout: float = ANSWER_SECONDS,
        now: Callable[[], datetime] = _utc_now,
        tokens: Tokens | None = None,
        hand_over: Callable[[], None] = always,
    ) -> None:
        """Take the settings; nothing is connected.

        Connecting, and a token, may take ``step_timeout`` seconds, and a message
        ``data_timeout``. Giving up too early makes duplicates: it may have been
        accepted. A date in an answer is compared with ``now``. ``tokens`` are closed with
        the transport; None: those of the settings. ``hand_over`` is called before each
        message, as for :func:`open_transport`.
        """
        self._hand_over = hand_over
        self._mailbox, place = _sending_mailbox(settings)
        self._url = f"{settings.graph_url}/v1.0/{place}/sendMail"
        self._tokens = tokens or open_tokens(settings, step_timeout=step_timeout)
        self._client = HttpsClient(
            settings.smtp_ca_file,
            "GRAPH_URL",
            step_timeout=step_timeout,
            data_timeout=data_timeout,
        )
        self._now = now
        self._unavailable: DeliveryError | None = None

    @shrink_to_fit
    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Try to deliver ``message`` and return one receipt per recipient, in order."""
        reached: dict[str, str] = {}
        outcome: dict[str, DeliveryError | None] = {}
        for recipient in message.recipients:
            try:
                reached[recipient] = ascii_address(recipient)
            except DeliveryError as error:
                outcome[recipient] = error
        if reached:
            content = addressed(message.content, reached.values())
            outcome |= dict.fromkeys(reached, self._try(content))
        return tuple(receipt(r, outcome[r]) for r in message.recipients)

    def close(self) -> None:
        """Close the connection; another message would make a new one."""
        self._client.close()
        self._tokens.close()

    def authorize(self) -> None:
        """Get a token, unless there is one.

        Raises:
            DeliveryError: there is none.
        """
        self._tokens.get()

    def submit(self, content: bytes) -> str:
        """Hand a message over and return the service's answer.

        A token that was good before and is refused now is renewed, once.

        Raises:
            DeliveryError: it was not taken, or that is not known.
        """
        answer = self._ask(content)
        if answer.status_code == _UNAUTHORIZED and self._tokens.proven:
            self._tokens.forget()
            answer = self._ask(content)
        if answer.status_code != _ACCEPTED:
            table = user_answers.GRAPH if self._tokens.as_user else answers.GRAPH
            raise graph_error(answer, self._mailbox, self._now(), table)
        self._tokens.proven = True
        return f"{answer.status_code} {answer.text}".strip()

    def _try(self, content: bytes) -> DeliveryError | None:
        """Submit a message; None when it was taken."""
        if self._unavailable is not None:
            return self._unavailable
        try:
            self.submit(content)
        except DeliveryError as error:
            if error.cause is Cause.NO_ANSWER:
                self._unavailable = unavailable(NO_ANSWER_BEFORE)
            elif error.cause.stops_all:
                self._unavailable = DeliveryError(error.cause, error.detail)
            return error
        return None

    def _ask(self, content: bytes) -> Answer:
        token = self._tokens.get()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}
        answer = self._client.request(
            "POST",
            self._url,
            headers=headers,
            body=b64encode(content),
            if_lost=Sentence.of(OUTCOME_UNKNOWN),
            hand_over=self._hand_over,
        )
        return replace(answer, text=Masker([token]).text(answer.text))


def _sending_mailbox(settings: MailSettings) -> tuple[str, str]:
    """Return the mailbox that sends, and its place below the address of Graph."""
    mailbox = settings.login or ""
    if settings.as_user:
        # Imported here: what is kept of a sign-in needs more than an application does.
        from python_runner.delivery.sign_in.facts import shared_mailbox  # noqa: PLC0415

        shared = shared_mailbox(settings)
        if shared is None:
            return mailbox, "me"
        mailbox = shared
    return mailbox, f"users/{quote(mailbox, safe='@')}"


def addressed(content: bytes, recipients: Collection[str]) -> bytes:
    """Return a message whose header names exactly ``recipients`` (ASCII).

    As a rule it does already, and is unchanged. Where others have got the message by
    another transport, they must not get it again.
    """
    header, end, body = content.partition(b"\r\n\r\n")
    if {address.lower() for address in recipients} == _named(header):
        return content
    others = _ADDRESSEES.sub(b"", header + b"\r\n").removesuffix(b"\r\n")
    to = ",\r\n ".join(recipients).encode("ascii")
    return b"To: " + to + b"\r\n" + others + end + body


def _named(header: bytes) -> set[str]:
    """Return the addresses a header names, in lower case."""
    fields = message_from_bytes(header, policy=SMTP)
    named = (f for name in ("to", "cc", "bcc") for f in fields.get_all(name, []))
    return {address.addr_spec.lower() for f in named for address in f.addresses}
