"""Delivery by SMTP, with an answer for each recipient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError, everyone, receipt
from python_runner.delivery.transports.size_limit import shrink_to_fit
from python_runner.delivery.transports.smtp_connection import SmtpConnection
from python_runner.model import Delivery


if TYPE_CHECKING:
    from python_runner.delivery.transports.tokens import Tokens
    from python_runner.model import MailSettings, Message, Receipt
    from python_runner.texts.sentence import Sentence


class SmtpTransport:
    """Sends messages one after the other over one connection.

    The connection is made for the first message. If the server hangs up between two
    messages there is one new connection. If the way there is barred (no network, wrong
    certificate, refused login) it is not tried again for the life of this object:
    repeated logins lock accounts.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        step_timeout: float = 30.0,
        data_timeout: float = 300.0,
        tokens: Tokens | None = None,
    ) -> None:
        """Take the settings; nothing is connected.

        Args:
            settings: where to, and as whom.
            tokens: what to log in with; None for the password of ``settings``.
            step_timeout: seconds to connect, and for each answer.
            data_timeout: seconds the server may take to accept a message.
        """
        self._settings = settings
        self._timeouts = {"step_timeout": step_timeout, "data_timeout": data_timeout}
        self._tokens = tokens
        self._dialogue: SmtpConnection | None = None
        self._barred: Sentence | None = None

    @shrink_to_fit
    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Try to deliver ``message`` and return one receipt per recipient, in order."""
        try:
            dialogue = self._open_message(message)
        except DeliveryError as refusal:
            barred = self._barred is not None
            return everyone(message.recipients, refusal, barred=barred)
        refused = self._name_recipients(dialogue, message.recipients)
        if accepted := [r for r in message.recipients if r not in refused]:
            try:
                dialogue.data(message.content)
            except DeliveryError as refusal:
                refused |= dict.fromkeys(accepted, refusal)
                self._recover(dialogue, refusal)
        return tuple(receipt(r, refused.get(r)) for r in message.recipients)

    def close(self) -> None:
        """Say goodbye; another message would make a new connection."""
        if self._dialogue is not None:
            self._dialogue.close()
            self._dialogue = None
        if self._tokens is not None:
            self._tokens.close()

    def _open_message(self, message: Message) -> SmtpConnection:
        """Return a dialogue that has taken the sender, over an old connection or a new."""
        reused = self._dialogue is not None
        dialogue = self._connected()
        try:
            dialogue.mail(message.sender, len(message.content))
        except DeliveryError as refusal:
            self._recover(dialogue, refusal)
            if reused and refusal.lost:
                # The server dropped an idle connection; nothing was said on it yet.
                return self._open_message(message)
            raise
        return dialogue

    def _connected(self) -> SmtpConnection:
        if self._barred is not None:
            raise DeliveryError(Delivery.DEFERRED, self._barred)
        if self._dialogue is None:
            dialogue = SmtpConnection(
                self._settings, tokens=self._tokens, **self._timeouts
            )
            try:
                if self._tokens is not None:
                    # It may take its time, while nobody waits at the other end.
                    self._tokens.get()
                dialogue.connect()
                dialogue.secure()
                dialogue.log_in()
            except DeliveryError as refusal:
                self._barred = refusal.detail
                dialogue.close()
                # Nothing was said about the message yet: "never" only means the way.
                raise DeliveryError(Delivery.DEFERRED, refusal.detail) from refusal
            self._dialogue = dialogue
        return self._dialogue

    def _name_recipients(
        self, dialogue: SmtpConnection, recipients: tuple[str, ...]
    ) -> dict[str, DeliveryError]:
        """Name each recipient and return those who were refused.

        When the connection is lost on the way nobody gets the message, those included
        who had been accepted before.
        """
        refused: dict[str, DeliveryError] = {}
        for recipient in recipients:
            try:
                dialogue.rcpt(recipient)
            except DeliveryError as refusal:
                refused[recipient] = refusal
                if refusal.lost:
                    refused = {r: refused.get(r, refusal) for r in recipients}
                    break
        if refused.keys() == set(recipients):
            self._recover(dialogue, refused[recipients[-1]])
        return refused

    def _recover(self, dialogue: SmtpConnection, refusal: DeliveryError) -> None:
        """Leave a connection that can carry the next message, or none."""
        try:
            if not refusal.lost:
                dialogue.reset()
                return
        except DeliveryError:
            pass
        dialogue.hang_up()
        self._dialogue = None
