"""TLS contexts: which authorities an encrypted connection trusts."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from python_runner.delivery.transports.answers import UNUSABLE_AUTHORITY
from python_runner.delivery.transports.explain import quoted, unavailable


if TYPE_CHECKING:
    from pathlib import Path


def tls_context(file: Path | None, *, and_system: bool = False) -> ssl.SSLContext:
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
        raise unavailable(
            UNUSABLE_AUTHORITY, file=str(file), error=quoted(error)
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
