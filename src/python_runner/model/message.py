"""A message that brings a report, and the answer for each recipient."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING


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
        subject: shown in lists.
        content: the whole message (RFC 5322), lines ended by CR LF.
        audience: decides how it is delivered: ``RECIPIENTS``, or the digest by which the
            channel is found in the project's configuration.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer for one recipient.

    Attributes:
        recipient: who it is about.
        delivery: what became of the message.
        detail: the server's or the transport's words.
        retry_after: seconds the server asks to be left alone, or None.
        barred: whether nothing at all can leave now, whoever it is for.
    """

    recipient: str
    delivery: Delivery
    detail: Sentence | None = None
    retry_after: float | None = None
    barred: bool = False
