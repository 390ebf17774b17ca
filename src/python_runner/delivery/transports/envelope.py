"""Addresses as mail servers take them."""

from __future__ import annotations

import re

from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.smtp_answers import no_address
from python_runner.model import Delivery


def ascii_address(address: str) -> str:
    """Return an address as a server takes it: ASCII, its domain encoded.

    Raises:
        DeliveryError: there is no such form.
    """
    local, at, domain = address.rpartition("@")
    try:
        encoded = local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        encoded = ""
    if not re.fullmatch(r"[!-~]+@[!-~]+", encoded):
        raise DeliveryError(Delivery.FAILED, no_address(address))
    return encoded
