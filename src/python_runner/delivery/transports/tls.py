"""Whom to trust when a connection is encrypted."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.smtp_answers import unusable_authority
from python_runner.model import Delivery


if TYPE_CHECKING:
    from pathlib import Path


def trusting(file: Path | None, *, and_system: bool = False) -> ssl.SSLContext:
    """Return a context that verifies certificate and name, with TLS 1.2 at least.

    Args:
        file: certificates of the authorities to trust; None for the system's, which on
            Windows include those an office adds for its own inspection.
        and_system: trust the system's besides those of ``file``.

    Raises:
        DeliveryError: ``file`` cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=None if and_system else file)
        if file and and_system:
            context.load_verify_locations(cafile=file)
    except OSError as error:
        raise DeliveryError(
            Delivery.DEFERRED, unusable_authority(error, file)
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
