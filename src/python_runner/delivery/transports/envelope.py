"""Addresses as mail servers take them."""

from __future__ import annotations

import re

from python_runner.delivery.transports.answers import NO_ADDRESS
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import quoted
from python_runner.model import Cause
from python_runner.texts.sentence import Sentence


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
        detail = Sentence.of(NO_ADDRESS, address=quoted(address))
        raise DeliveryError(Cause.PERMANENT, detail)
    return encoded
