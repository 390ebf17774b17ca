"""A mailbox: one mail address, and the name that people see beside it."""

from __future__ import annotations

import re

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.texts.characters import CONTROLS, INVISIBLE, REORDERING, SURROGATES


#: A name before the @ that is not ASCII needs an extension that few servers have; one that
#: is quoted exists on paper only. Dots stand between letters (RFC 5321, 4.1.2).
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = lazy_pattern(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_DOMAIN = lazy_pattern(rf"{_LABEL}(?:\.{_LABEL})*")
#: Characters that a server must take: before the @, and in all (RFC 5321, 4.5.3.1).
_LONGEST_LOCAL, _LONGEST = 64, 254
#: What people copy along with an address, and nobody sees.
_BLANKS = " \t\xa0"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\""
_NAMED = lazy_pattern(
    rf"({_QUOTED}|[^<>]*?)[{_BLANKS}]*<[{_BLANKS}]*([^<>]*?)[{_BLANKS}]*>"
)
#: Neither ends of lines nor what turns the letters of a name round.
_FORBIDDEN = lazy_pattern(rf"[{CONTROLS}{REORDERING}{SURROGATES}{INVISIBLE}]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address, with the name of whoever reads or sends there.

    Attributes:
        address: as it was written; letters of any language may stand behind its @.
        ascii: the same as mail servers take it.
        name: as people read it, without quotes; empty where there is none.
    """

    address: str
    ascii: str
    name: str = ""


def parse_mailbox(text: str) -> Mailbox | None:
    """Return what ``address`` or ``Name <address>`` means; None if it is neither.

    A name may hold anything that can be shown, with and without quotes: commas, brackets,
    an ``@``. Several addresses are no mailbox, also where one of them looks like a name.
    """
    text, name = text.strip(_BLANKS), ""
    if named := _NAMED.fullmatch(text):
        found = _name(named[1])
        if found is None:
            return None
        name, text = found, named[2]
    encoded = _ascii(text)
    return Mailbox(text, encoded, name) if encoded else None


def _name(written: str) -> str | None:
    """Return a name without its quotes, or None if it cannot be one."""
    if re.fullmatch(_QUOTED, written):
        written = re.sub(r"\\(.)", r"\1", written[1:-1])
    else:
        several = re.split(r"[,;]", written)
        if written.count('"') % 2 or (len(several) > 1 and any(map(_ascii, several))):
            return None
    return None if _FORBIDDEN.search(written) else " ".join(written.split())


def _ascii(address: str) -> str:
    """Return one mail address as any server takes it; empty if it is none."""
    local, _, domain = address.strip(_BLANKS).rpartition("@")
    # Mail programs would decode the latter, and what comes out is no address any more.
    if not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL or "=?" in local:
        return ""
    try:
        # Letters of any language are fine there, under another name.
        encoded = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""
    # What has no width vanishes on the way to the other name.
    if not (re.fullmatch(r"[\w.-]+", domain) and _DOMAIN.fullmatch(encoded)):
        return ""
    whole = f"{local}@{encoded}"
    return whole if len(whole) <= _LONGEST else ""
