"""Checks mail addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.model import parse_mailbox
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What may be an address among other things.
_WORD = re.compile(r"[^\s<>()\[\]\":;,'|]+@[^\s<>()\[\]\":;,'|@]+")


def is_sender(sender: str) -> bool:
    """Say whether ``sender`` is an address, alone or as ``Name <address>``."""
    return parse_mailbox(sender) is not None


def address_problems(addresses: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the place of an entry (from 0) and what is wrong with it."""
    for place, address in enumerate(addresses):
        if parse_mailbox(address):
            continue
        message = _("{address} is not an email address")
        found = next(filter(parse_mailbox, _WORD.findall(address)), "")
        if re.search(r"[,;]", address):
            message = _("{address} contains several addresses: list them separately")
        elif found:
            message = _("{address} is not an email address: write {found}")
        yield place, message.format(address=repr(address), found=found)
