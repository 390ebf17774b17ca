"""What a step on the way out raises when it does not succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Delivery, Receipt


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.texts.sentence import Sentence


class DeliveryError(Exception):
    """A step did not succeed.

    Attributes:
        delivery: deferred or failed.
        detail: why, and what to do.
        lost: whether the connection is gone.
        answered: whether the server said it, and did not just vanish.
        retry_after: seconds the server asks to be left alone, or None.
    """

    def __init__(
        self,
        delivery: Delivery,
        detail: Sentence,
        *,
        lost: bool = False,
        answered: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(delivery, detail)
        self.delivery = delivery
        self.detail = detail
        self.lost = lost
        self.answered = answered
        self.retry_after = retry_after


def receipt(
    recipient: str, refusal: DeliveryError | None, *, barred: bool = False
) -> Receipt:
    """Return the answer for one recipient; None is success."""
    if refusal is None:
        return Receipt(recipient=recipient, delivery=Delivery.SENT)
    return Receipt(
        recipient=recipient,
        delivery=refusal.delivery,
        detail=refusal.detail,
        retry_after=refusal.retry_after,
        barred=barred,
    )


def everyone(
    recipients: Iterable[str], refusal: DeliveryError | None, *, barred: bool = False
) -> tuple[Receipt, ...]:
    """Return the same answer for all."""
    return tuple(receipt(recipient, refusal, barred=barred) for recipient in recipients)
