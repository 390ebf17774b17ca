"""Mail addresses, one by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.texts import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: One address and nothing else. The header parser would take ``a@b.fr; c@d.fr`` and keep
#: the first silently, so separators, spaces and brackets are refused outright.
_ADDRESS = re.compile(
    r"[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f]+@"
    r"[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f.]+(\.[^\s@,;:<>()\[\]\"\\\x00-\x1f\x7f.]+)*"
)


def address_problems(addresses: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the place of an entry (from 0) and what is wrong with it."""
    for place, address in enumerate(addresses):
        if _ADDRESS.fullmatch(address):
            continue
        if re.search(r"[,;]", address):
            yield (
                place,
                _("{address} holds several addresses: make each an entry").format(
                    address=repr(address)
                ),
            )
        else:
            yield (
                place,
                _("{address} is not a mail address").format(address=repr(address)),
            )
