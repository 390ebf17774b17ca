"""Compresses what is answered, for those who say that they understand it.

The middleware of Starlette would compress the same page again for everybody who has it open,
in the thread that answers all of them.
"""

from __future__ import annotations

import gzip


#: Bytes from which on it is worth while, and how hard it is tried, 1 to 9.
_LEAST, _LEVEL = 1000, 5


def compressed(content: bytes) -> bytes:
    """Return a content in the format of gzip; nothing where it is too short."""
    return gzip.compress(content, _LEVEL, mtime=0) if len(content) >= _LEAST else b""


def is_accepted(header: str) -> bool:
    """Say whether the header ``Accept-Encoding`` wants gzip."""
    for part in header.split(",")[:20]:
        name, _, weight = part.partition(";")
        if name.strip().lower() == "gzip":
            return weight.replace(" ", "").rstrip("0") not in {"q=", "q=0."}
    return False
