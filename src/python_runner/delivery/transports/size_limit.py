"""Sends a smaller mail where the server refuses the whole one for its size."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

from python_runner.model import Cause, Delivery
from python_runner.report.mime import make_smaller
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import Message, Receipt

_T = TypeVar("_T")

_SENT_SMALLER = N_(
    "the email was too large for the server and was sent without part of its content:"
    " the whole output is on the computer that ran the scripts"
)


def shrink_to_fit(
    send: Callable[[_T, Message], tuple[Receipt, ...]],
) -> Callable[[_T, Message], tuple[Receipt, ...]]:
    """Let a transport's ``send`` send a smaller mail to those who cannot get the whole.

    A server may say beforehand what it takes, or refuse a mail it has read. Identity and
    date of the mail stay the same.
    """

    @wraps(send)
    def send_to_fit(transport: _T, message: Message) -> tuple[Receipt, ...]:
        receipts = {r.recipient: r for r in send(transport, message)}
        content = message.content
        while again := [
            name for name, r in receipts.items() if r.cause is Cause.TOO_LARGE
        ]:
            smaller = make_smaller(content)
            if smaller is None:
                break
            content = smaller
            part = replace(message, content=content, recipients=tuple(again))
            receipts |= {r.recipient: _noted(r) for r in send(transport, part)}
        return tuple(receipts[recipient] for recipient in message.recipients)

    return send_to_fit


def _noted(receipt: Receipt) -> Receipt:
    if receipt.delivery is Delivery.SENT:
        return replace(receipt, detail=Sentence.of(_SENT_SMALLER))
    return receipt
