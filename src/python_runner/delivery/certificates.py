"""From when until when a certificate is valid, read from its own bytes.

The standard library tells it of a server's certificate only, and the library that knows
all certificates is an extra's.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from datetime import UTC, datetime

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


#: Tags of DER (X.690) that lead to the dates (RFC 5280, 4.1).
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
#: From here on two digits are a year of the last century (RFC 5280, 4.1.2.5.1).
_CENTURY = 50
#: Fields between the version of a certificate and its dates: serial, algorithm, issuer.
_BEFORE_DATES = 3
#: The first byte of a length that is no length itself but says how long that is.
_LONG = 0x80
_PEM = lazy_pattern(
    r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate is valid; both aware."""

    begins_at: datetime
    ends_at: datetime


def validity_of(pem: str) -> Validity:
    """Return when the first certificate of a text is valid.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("no certificate in it")
    try:
        return validity_of_der(b64decode(found[1]))
    except (binascii.Error, IndexError, OverflowError) as error:
        raise ValueError(f"its certificate cannot be read: {error}") from error


def validity_of_der(der: bytes) -> Validity:
    """Return when a certificate in its binary form is valid.

    Raises:
        ValueError: it is none.
        IndexError: it is cut.
    """
    content = _inside(_inside(der))
    if content[0] == _VERSION:
        _version, content = _next(content)
    for _ in range(_BEFORE_DATES):
        _field, content = _next(content)
    begin, rest = _next(_inside(content))
    end, _rest = _next(rest)
    return Validity(_moment(begin), _moment(end))


def _next(data: bytes) -> tuple[bytes, bytes]:
    """Return the first element, its tag and length included, and what follows it."""
    length, start = data[1], 2
    if length >= _LONG:
        start += length - _LONG
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("it is cut")
    return data[:end], data[end:]


def _content(element: bytes) -> bytes:
    """Return an element without its tag and length."""
    skipped = element[1] - _LONG if element[1] >= _LONG else 0
    return element[2 + skipped :]


def _inside(data: bytes) -> bytes:
    """Return the content of the sequence that ``data`` begins with."""
    element, _rest = _next(data)
    if element[0] != _SEQUENCE:
        raise ValueError("it is no certificate")
    return _content(element)


def _moment(element: bytes) -> datetime:
    text = _content(element).decode("ascii")
    if element[0] == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY else "20") + text
    elif element[0] != _GENERALIZED_TIME:
        raise ValueError("its dates are none")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
