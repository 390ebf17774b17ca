"""Delivery by SMTP, with an answer for each recipient."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.delivery.transports import always
from python_runner.delivery.transports.errors import (
    DeliveryError,
    receipt,
    receipts_for,
)
from python_runner.delivery.transports.size_limit import shrink_to_fit
from python_runner.delivery.transports.smtp_connection import (
    DATA_SECONDS,
    STEP_SECONDS,
    SmtpConnection,
)
from python_runner.model import Cause


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.delivery.transports.tokens import Tokens
    from python_runner.model import MailSettings, Message, Receipt
    from python_runner.texts.sentence import Sentence


class SmtpTransport:
    """Sends messages one after the other over one connection.

    The connection is made for the first message. If the server hangs up between two
    messages there is one new connection. If there is none (no network, wrong
    certificate, refused login) it is not tried again for the life of this object:
    repeated logins lock accounts.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        step_timeout: float = STEP_SECONDS,
        data_timeout: float = DATA_SECONDS,
        tokens: Tokens | None = None,
        hand_over: Callable[[], None] = always,
    ) -> None:
        """Take the settings; nothing is connected.

        Args:
            settings: where to, and as whom.
            step_timeout: seconds to connect, and for each answer.
            data_timeout: seconds the server may take to accept a message.
            tokens: what to log in with; None for the password of ``settings``.
            hand_over: called before each message, as for :func:`open_transport`.
        """
        self._settings = settings
        self._hand_over = hand_over
        self._timeouts = {"step_timeout": step_timeout, "data_timeout": data_timeout}
        self._tokens = tokens
        self._connection: SmtpConnection | None = None
        #: Why there is no connection, once that is known.
        self._unavailable: Sentence | None = None

    @shrink_to_fit
    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Try to deliver ``message`` and return one receipt per recipient, in order."""
        try:
            connection = self._begin_message(message)
        except DeliveryError as error:
            return receipts_for(message.recipients, error)
        refused = self._name_recipients(connection, message.recipients)
        if accepted := [r for r in message.recipients if r not in refused]:
            try:
                self._hand_over()
                connection.data(message.content)
            except DeliveryError as error:
                refused |= dict.fromkeys(accepted, error)
                self._recover(connection)
        return tuple(receipt(r, refused.get(r)) for r in message.recipients)

    def close(self) -> None:
        """Close the connection; another message would make a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._tokens is not None:
            self._tokens.close()

    def _begin_message(self, message: Message) -> SmtpConnection:
        """Return a connection that has taken the sender, an old or a new one."""
        reused = self._connection is not None
        connection = self._connected()
        try:
            connection.mail(message.sender, len(message.content))
        except DeliveryError:
            lost = not connection.is_open
            self._recover(connection)
            if reused and lost:
                # The server dropped an idle connection; nothing was sent on it yet.
                return self._begin_message(message)
            raise
        return connection

    def _connected(self) -> SmtpConnection:
        if self._unavailable is not None:
            raise DeliveryError(Cause.UNAVAILABLE, self._unavailable)
        if self._connection is None:
            connection = SmtpConnection(
                self._settings, tokens=self._tokens, **self._timeouts
            )
            try:
                if self._tokens is not None:
                    # It may be slow, and no server waits for us yet.
                    self._tokens.get()
                connection.connect()
                connection.secure()
                connection.log_in()
            except DeliveryError as error:
                connection.close()
                # No message was begun yet: what was refused, even for good, is the login.
                self._unavailable = error.detail
                raise DeliveryError(Cause.UNAVAILABLE, error.detail) from error
            self._connection = connection
        return self._connection

    def _name_recipients(
        self, connection: SmtpConnection, recipients: tuple[str, ...]
    ) -> dict[str, DeliveryError]:
        """Name each recipient and return those who were refused.

        When the connection is lost, nobody gets the message: all are refused, those
        included who had been accepted before.
        """
        refused: dict[str, DeliveryError] = {}
        for recipient in recipients:
            try:
                connection.rcpt(recipient)
            except DeliveryError as error:
                refused[recipient] = error
                if not connection.is_open:
                    refused = {r: refused.get(r, error) for r in recipients}
                    break
        if refused.keys() == set(recipients):
            self._recover(connection)
        return refused

    def _recover(self, connection: SmtpConnection) -> None:
        """Leave a connection that can carry the next message, or none."""
        with suppress(DeliveryError):
            if connection.is_open:
                connection.reset()
                return
        connection.drop()
        self._connection = None
