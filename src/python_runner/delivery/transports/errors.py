"""The error of a delivery's step, and the receipts made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Delivery, Receipt


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.model import Cause
    from python_runner.texts.sentence import Sentence


class DeliveryError(Exception):
    """A step of a delivery did not succeed.

    Attributes:
        cause: what kind of failure it is.
        detail: why, and what to do.
        retry_after: seconds the server asks to be left alone, or None.
    """

    def __init__(
        self, cause: Cause, detail: Sentence, *, retry_after: float | None = None
    ) -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.detail = detail
        self.retry_after = retry_after


def receipt(recipient: str, error: DeliveryError | None) -> Receipt:
    """Return the answer for one recipient; None is success."""
    if error is None:
        return Receipt(recipient=recipient, delivery=Delivery.SENT)
    return Receipt(
        recipient=recipient,
        delivery=error.cause.delivery,
        detail=error.detail,
        cause=error.cause,
        retry_after=error.retry_after,
    )


def receipts_for(
    recipients: Iterable[str], error: DeliveryError | None
) -> tuple[Receipt, ...]:
    """Return the same answer for all."""
    return tuple(receipt(recipient, error) for recipient in recipients)
