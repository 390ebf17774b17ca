"""Checks the variables of Microsoft's sign-in, and knows the addresses of its clouds."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from python_runner.config.reading import LONGEST, why_no_file
from python_runner.files import expanded, is_file, read_regular
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Cloud(NamedTuple):
    """Addresses that belong together in one of Microsoft's clouds.

    Tokens for SMTP name Exchange Online by ``outlook``; what a user grants for it begins
    with ``delegated``.
    """

    graph: str
    outlook: str
    delegated: str


DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
_WORLDWIDE = Cloud(
    "https://graph.microsoft.com",
    "https://outlook.office365.com",
    "https://outlook.office.com",
)
_CLOUDS = {
    "https://login.microsoftonline.us": Cloud(
        "https://graph.microsoft.us",
        "https://outlook.office365.us",
        "https://outlook.office365.us",
    ),
    "https://login.partner.microsoftonline.cn": Cloud(
        "https://microsoftgraph.chinacloudapi.cn",
        "https://partner.outlook.cn",
        "https://partner.outlook.cn",
    ),
}


def cloud_of(authority: str) -> Cloud:
    """Return the cloud of ``authority``; an unknown one signs in for the worldwide."""
    return _CLOUDS.get(authority.lower(), _WORLDWIDE)


#: Domains of Microsoft's personal mailboxes: outlook.com, hotmail.fr, live.co.uk.
_PERSONAL = lazy_pattern(
    r"(?:.*@)?(?:(?:outlook|hotmail|live)\.(?:com|[a-z]{2}|com?\.[a-z]{2})"
    r"|msn\.com|windowslive\.com)"
)
#: The accounts that may sign in: of any organisation, or personal ones.
ORGANISATIONS, PERSONAL = "organizations", "consumers"


def tenant_of(login: str) -> str:
    """Return whose accounts an address belongs to, where no variable says so."""
    return PERSONAL if login and _PERSONAL.fullmatch(login.lower()) else ORGANISATIONS


def oauth_problems(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the name of each variable that is wrong, and what is wrong with it."""
    for name in ("OAUTH_AUTHORITY", "GRAPH_URL"):
        value = variables.get(name)
        if value and not _is_place(value):
            message = _(
                "expected https:// and the name of a server and nothing else, found"
                " {found}"
            )
            yield name, message.format(found=value)
    for name in ("OAUTH_TENANT_ID", "OAUTH_CLIENT_ID"):
        value = variables.get(name)
        if value and not re.fullmatch(r"[A-Za-z0-9._-]+", value):
            message = _("expected letters, digits, dots and hyphens, found {found}")
            yield name, message.format(found=value)
    if file := variables.get("OAUTH_CLIENT_CERTIFICATE"):
        for message in _certificate_problems(expanded(file)):
            yield "OAUTH_CLIENT_CERTIFICATE", message
        if variables.get("OAUTH_CLIENT_SECRET"):
            message = _("set this variable or OAUTH_CLIENT_SECRET, not both")
            yield "OAUTH_CLIENT_CERTIFICATE", message


def _is_place(url: str) -> bool:
    """Say whether a secret may be sent there: https, and a server's name alone."""
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and bool(parts.hostname)
        and parts.path in {"", "/"}
        and not (parts.query or parts.fragment or "@" in parts.netloc)
        and not re.search(r"\s", url)
    )


def _certificate_problems(file: Path) -> Iterator[str]:
    if not is_file(file):
        yield why_no_file(file)
        return
    try:
        data = read_regular(file, LONGEST)
    except OSError:
        data = b""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # What ``>`` of Windows PowerShell writes.
        message = _(
            "{path} is written in UTF-16: write it again with Set-Content -Encoding ascii"
        )
        yield message.format(path=file)
        return
    text = data.decode("utf-8", "replace")
    if "-----BEGIN ENCRYPTED PRIVATE KEY" in text:
        message = _("the private key in {path} must not be encrypted")
        yield message.format(path=file)
    elif not ("PRIVATE KEY-----" in text and "-----BEGIN CERTIFICATE-----" in text):
        message = _(
            "{path} must contain a certificate and its private key, both in PEM format"
        )
        yield message.format(path=file)
