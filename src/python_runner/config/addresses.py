"""Checks mail addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.texts.characters import CONTROLS, REORDERING, SURROGATES
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: One address and nothing else. The header parser would take ``a@b.fr; c@d.fr`` and keep
#: the first silently, so separators, spaces, quotes and brackets are refused outright.
#: A name before the @ that is not ASCII needs an extension that few servers have.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
#: What shows beside a sender's address: a name that can neither end its header nor turn
#: its letters round.
_NAMED = re.compile(rf"\"?[^<>\"\\{CONTROLS}{REORDERING}{SURROGATES}]*\"?\s*<([^<>]*)>")


def is_address(address: str) -> bool:
    """Say whether ``address`` is one mail address that any server takes."""
    local, _, domain = address.rpartition("@")
    # The header parser would decode the latter, and what comes out is no name any more.
    if not _LOCAL.fullmatch(local) or "=?" in local:
        return False
    try:
        # Letters of any language are fine there, under another name.
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    # What has no width vanishes on the way to the other name.
    return bool(re.fullmatch(r"[\w.-]+", domain) and _DOMAIN.fullmatch(ascii_domain))


def is_sender(sender: str) -> bool:
    """Say whether ``sender`` is an address, alone or as ``Name <address>``."""
    named = _NAMED.fullmatch(sender)
    return is_address(named[1] if named else sender)


def address_problems(addresses: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the place of an entry (from 0) and what is wrong with it."""
    for place, address in enumerate(addresses):
        if is_address(address):
            continue
        message = _("{address} is not a mail address")
        if re.search(r"[,;]", address):
            message = _("{address} holds several addresses: make each an entry")
        yield place, message.format(address=repr(address))
