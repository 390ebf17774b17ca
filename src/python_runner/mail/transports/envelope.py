"""Addresses as mail servers take them."""

from __future__ import annotations

import re

from python_runner.mail.transports.answers import no_address
from python_runner.mail.transports.refusal import Refusal
from python_runner.model import Delivery


def ascii_address(address: str) -> str:
    """Return an address as a server takes it: ASCII, its domain encoded.

    Raises:
        Refusal: there is no such form.
    """
    local, at, domain = address.rpartition("@")
    try:
        encoded = local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        encoded = ""
    if not re.fullmatch(r"[!-~]+@[!-~]+", encoded):
        raise Refusal(Delivery.FAILED, no_address(address))
    return encoded
