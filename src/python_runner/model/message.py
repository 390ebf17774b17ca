"""A message that brings a report, and the answer for each recipient."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from python_runner.texts.sentence import Sentence

#: The audience of a mail: the recipients of the project. Each channel has its own.
RECIPIENTS = "recipients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A report, ready to be delivered: its bytes, identity and date never change.

    Attributes:
        message_id: the ``Message-ID``, with its angle brackets.
        sender: address of the envelope.
        recipients: addresses of the envelope; for a channel its label.
        content: the whole message (RFC 5322), lines ended by CR LF.
        audience: decides how it is delivered: ``RECIPIENTS``, or the hash by which
            the channel is found in the project's configuration.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    content: bytes = field(repr=False)
    audience: str = RECIPIENTS


class Delivery(StrEnum):
    """What became of a message for one recipient."""

    SENT = "sent"
    #: Not now; worth another attempt.
    DEFERRED = "deferred"
    #: Never.
    FAILED = "failed"


class Cause(StrEnum):
    """What kind of failure kept a message from somebody; what comes next follows from it."""

    #: Not now: worth another attempt, perhaps once somebody has acted.
    TRANSIENT = "transient"
    #: Never: another attempt would be refused as well.
    PERMANENT = "permanent"
    #: Never as it is: a smaller message may be taken.
    TOO_LARGE = "too_large"
    #: The connection broke off; another one may work.
    CONNECTION_LOST = "connection_lost"
    #: The connection broke off after the whole message: it may have arrived.
    ANSWER_LOST = "answer_lost"
    #: The service has the message and does not answer: it may have arrived, and nothing
    #: else is sent for now.
    NO_ANSWER = "no_answer"
    #: Nothing is taken now, whatever the message: the account may not send, its limit is
    #: reached, a folder cannot be written to.
    CLOSED = "closed"
    #: A mistake of ours, before the message was handed over.
    INTERNAL = "internal"
    #: No message can leave now: no network, no trust, no login, no permission.
    UNAVAILABLE = "unavailable"

    @property
    def delivery(self) -> Delivery:
        """What this makes of a message: failed or deferred."""
        never = self in {Cause.PERMANENT, Cause.TOO_LARGE}
        return Delivery.FAILED if never else Delivery.DEFERRED

    @property
    def stops_all(self) -> bool:
        """Whether no other message can leave now, whoever it is for."""
        return self in {Cause.NO_ANSWER, Cause.UNAVAILABLE}

    @property
    def may_have_arrived(self) -> bool:
        """Whether the message was handed over, and nobody knows what became of it."""
        return self in {Cause.ANSWER_LOST, Cause.NO_ANSWER}

    @property
    def closes_way(self) -> bool:
        """Whether another way may take over the message: this one has not got it."""
        return self in {
            Cause.UNAVAILABLE,
            Cause.CONNECTION_LOST,
            Cause.CLOSED,
            Cause.INTERNAL,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer for one recipient.

    Attributes:
        detail: what the server or the transport says.
        cause: why it was not sent; None where it was.
        retry_after: seconds the server asks to be left alone, or None.
    """

    recipient: str
    delivery: Delivery
    detail: Sentence | None = None
    cause: Cause | None = None
    retry_after: float | None = None
