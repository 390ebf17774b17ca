"""The mail server that follows from the address of the mailbox."""

from __future__ import annotations

import re

import pytest

from python_runner.config.providers import (
    _DOMAINS,
    _FAMILIES,
    _ROWS,
    described,
    is_microsoft,
    provider_of,
)
from python_runner.model import MailSettings


pytestmark = pytest.mark.pure

#: Addresses people write, and the server that each of them chooses.
SERVERS = {
    "ann@outlook.com": "smtp-mail.outlook.com",
    "ann@outlook.fr": "smtp-mail.outlook.com",
    "ann@hotmail.fr": "smtp-mail.outlook.com",
    "ann@hotmail.co.uk": "smtp-mail.outlook.com",
    "ann@live.com.au": "smtp-mail.outlook.com",
    "ann@msn.com": "smtp-mail.outlook.com",
    "ann@gmail.com": "smtp.gmail.com",
    "Ann@GMail.COM": "smtp.gmail.com",
    "ann@googlemail.com": "smtp.gmail.com",
    "ann@yahoo.fr": "smtp.mail.yahoo.com",
    "ann@yahoo.co.uk": "smtp.mail.yahoo.com",
    "ann@ymail.com": "smtp.mail.yahoo.com",
    "ann@icloud.com": "smtp.mail.me.com",
    "ann@me.com": "smtp.mail.me.com",
    "ann@mac.com": "smtp.mail.me.com",
    "ann@orange.fr": "smtp.orange.fr",
    "ann@wanadoo.fr": "smtp.orange.fr",
    "ann@free.fr": "smtp.free.fr",
    "ann@sfr.fr": "smtp.sfr.fr",
    "ann@neuf.fr": "smtp.sfr.fr",
    "ann@numericable.fr": "smtp.numericable.fr",
    "ann@laposte.net": "smtp.laposte.net",
    "ann@bbox.fr": "smtp.bbox.fr",
    "ann@ovh.net": "ssl0.ovh.net",
    "ann@ionos.fr": "smtp.ionos.fr",
    "ann@gandi.net": "mail.gandi.net",
    "ann@ik.me": "mail.infomaniak.com",
    "ann@gmx.net": "mail.gmx.net",
    "ann@gmx.fr": "mail.gmx.com",
    "ann@web.de": "smtp.web.de",
    "ann@t-online.de": "securesmtp.t-online.de",
    "ann@zoho.com": "smtp.zoho.com",
    "ann@zohomail.eu": "smtp.zoho.eu",
    "ann@fastmail.com": "smtp.fastmail.com",
    "ann@proton.me": "127.0.0.1",
    "ann@mailo.com": "smtp.mailo.com",
    "ann@aol.com": "smtp.aol.com",
    "ann@yandex.ru": "smtp.yandex.com",
    "Ann Example <ann@orange.fr>": "smtp.orange.fr",
    "ann@orange.fr.": "smtp.orange.fr",
}


@pytest.mark.parametrize(("address", "host"), SERVERS.items())
def test_a_known_domain_chooses_its_server(address: str, host: str) -> None:
    """Whatever the case of its letters, alone or with a name."""
    provider = provider_of(address)
    assert provider is not None
    assert provider.host == host


@pytest.mark.parametrize(
    "address",
    [
        None,
        "",
        "ann",
        "gmail.com",
        "ann@contoso.com",
        "ann@contoso.onmicrosoft.com",
        # Anybody may have these.
        "ann@gmail.com.example.org",
        "ann@office.orange.fr",
        "ann@notgmail.com",
        "ann@hotmail.example.org",
        "ann@hotmail.museum",
        "ann@outlook",
        "ann@café.fr",
        "ann@" + "x" * 80 + ".fr",
        "ann@..fr",
        "ann@\udcff.fr",
    ],
)
def test_any_other_address_chooses_none(address: str | None) -> None:
    """A domain below a provider's, or one that looks like it, is somebody else's."""
    assert provider_of(address) is None


def test_a_login_that_is_no_address_leaves_it_to_the_sender() -> None:
    """Some providers know a mailbox by the part before the @ alone."""
    provider = provider_of("ann", "Ann <ann@free.fr>")
    assert provider is not None
    assert provider.name == "Free"


@pytest.mark.parametrize("key", _ROWS)
def test_each_provider_is_whole(key: str) -> None:
    """Each has domains, a server, and says in both languages what it wants, and where."""
    domains = [
        *_DOMAINS.get(key, "").split(),
        *(f for f, k in _FAMILIES.items() if k == key),
    ]
    assert domains
    domain = domains[0] if "." in domains[0] else f"{domains[0]}.com"
    provider = provider_of(f"ann@{domain}")
    assert provider is not None
    name, host, port, _wants, page = _ROWS[key]
    assert (provider.name, provider.host, provider.port) == (name, host, port)
    assert provider.security == {465: "tls"}.get(port, "starttls")
    assert re.fullmatch(r"https://\S+", page)
    english, french = (provider.wants.in_language(lang) for lang in ("en", "fr"))
    assert english != french
    assert {name in text and page in text for text in (english, french)} == {True}


def test_no_domain_has_two_providers() -> None:
    """There are at least 25 providers, and each domain belongs to one."""
    domains = [domain for text in _DOMAINS.values() for domain in text.split()]
    assert len(domains) == len(set(domains))
    assert _DOMAINS.keys() | set(_FAMILIES.values()) == _ROWS.keys()
    assert len({row[0] for row in _ROWS.values()}) >= 25


def test_only_microsoft_takes_its_tokens() -> None:
    """The token of an application of Microsoft's goes to no other provider."""
    found = {p.name for a in SERVERS if (p := provider_of(a)) and is_microsoft(p)}
    assert found == {"Outlook.com"}


def test_what_was_chosen_is_told() -> None:
    """With the server, its port and what the provider wants; nothing where none was."""
    provider = provider_of("ann@gmail.com")
    way = MailSettings(provider=provider, smtp_host="smtp.gmail.com", smtp_port=465)
    told = str(described(way))
    assert "smtp.gmail.com, port 465" in told
    assert "app password" in told
    assert described(MailSettings()) is None
