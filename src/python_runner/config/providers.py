"""Providers of mailboxes, by the domain of an address: their server, and what they want.

Servers and ports were compared with Mozilla's list of providers (Thunderbird's
autoconfiguration) in November 2026, those it lacks with other public lists. The page of
each row is the provider's own about mail programs: its source, and shown to people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Provider, parse_mailbox
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from python_runner.model import MailSettings

_ORDINARY = N_(
    "{provider} accepts the whole address and the password of the mailbox ({page})"
)
_APP_PASSWORD = N_(
    "{provider} accepts no account password from programs: create an app password in the"
    " security settings of the account, where two-step verification must be on as a"
    " rule, and set PASSWORD_MAIL to it ({page})"
)
_MAIL_PASSWORD = N_(
    "{provider} has a password of its own for mail programs: create it in the settings"
    " of the mailbox and set PASSWORD_MAIL to it ({page})"
)
_SWITCH = N_(
    "{provider} accepts email from programs once access for mail programs (IMAP, POP,"
    " SMTP) is switched on in the settings of the mailbox; with two-step verification it"
    " requires an app password ({page})"
)
_LOCAL_PART = N_(
    "{provider} accepts the password of the mailbox, and may know the mailbox by the part"
    " before the @ alone: if it refuses the address, set LOGIN_MAIL to that part and"
    " MAIL_FROM to the address ({page})"
)
_MICROSOFT = N_(
    "{provider} accepts no password from programs any more, app passwords included: set"
    " MAIL_TRANSPORT=smtp-oauth2 and OAUTH_CLIENT_ID, then sign in once with"
    " python-runner mail login ({page})"
)
_BRIDGE = N_(
    "{provider} is reached through Proton Bridge, which must be active on this computer:"
    " set PASSWORD_MAIL to the password that the bridge shows and SMTP_CA_FILE to the"
    " certificate that it exports ({page})"
)

#: Rows of a name, a server, a port, what it wants and its page. Port 587 begins with
#: STARTTLS, 465 with TLS, as everywhere (RFC 8314).
_ROWS: dict[str, tuple[str, str, int, str, str]] = {
    "microsoft": (
        *("Outlook.com", "smtp-mail.outlook.com", 587, _MICROSOFT),
        "https://support.microsoft.com/office/d088b986-291d-42b8-9564-9c414e2aa040",
    ),
    "gmail": (
        *("Gmail", "smtp.gmail.com", 465, _APP_PASSWORD),
        "https://support.google.com/accounts/answer/185833",
    ),
    "yahoo": (
        *("Yahoo Mail", "smtp.mail.yahoo.com", 465, _APP_PASSWORD),
        "https://help.yahoo.com/kb/SLN4075.html",
    ),
    "aol": (
        *("AOL Mail", "smtp.aol.com", 465, _APP_PASSWORD),
        "https://help.aol.com/articles/create-and-manage-app-password",
    ),
    "icloud": (
        *("iCloud Mail", "smtp.mail.me.com", 587, _APP_PASSWORD),
        "https://support.apple.com/102525",
    ),
    "orange": (
        *("Orange", "smtp.orange.fr", 465, _SWITCH),
        "https://assistance.orange.fr",
    ),
    "free": (
        *("Free", "smtp.free.fr", 465, _LOCAL_PART),
        "https://assistance.free.fr/articles/609",
    ),
    "sfr": (
        *("SFR", "smtp.sfr.fr", 465, _ORDINARY),
        "https://assistance.sfr.fr",
    ),
    "numericable": (
        *("Numericable", "smtp.numericable.fr", 587, _ORDINARY),
        "https://assistance.sfr.fr",
    ),
    "laposte": (
        *("La Poste", "smtp.laposte.net", 465, _SWITCH),
        "https://aide.laposte.net",
    ),
    "bouygues": (
        *("Bouygues Telecom", "smtp.bbox.fr", 465, _ORDINARY),
        "https://www.assistance.bouyguestelecom.fr",
    ),
    "ovh": (
        *("OVHcloud", "ssl0.ovh.net", 465, _ORDINARY),
        "https://help.ovhcloud.com",
    ),
    "ionos-fr": (
        *("IONOS", "smtp.ionos.fr", 465, _ORDINARY),
        "https://www.ionos.fr/assistance/email/",
    ),
    "ionos-de": (
        *("IONOS", "smtp.ionos.de", 465, _ORDINARY),
        "https://www.ionos.de/hilfe/e-mail/",
    ),
    "ionos-com": (
        *("IONOS", "smtp.ionos.com", 465, _ORDINARY),
        "https://www.ionos.com/help/email/",
    ),
    "gandi": (
        *("Gandi", "mail.gandi.net", 465, _ORDINARY),
        "https://docs.gandi.net/en/gandimail/",
    ),
    "infomaniak": (
        *("Infomaniak", "mail.infomaniak.com", 465, _MAIL_PASSWORD),
        "https://www.infomaniak.com/en/support/faq/2023",
    ),
    "mailo": (
        *("Mailo", "smtp.mailo.com", 465, _SWITCH),
        "https://www.mailo.com/mailo/en/help/",
    ),
    "gmx-net": (
        *("GMX", "mail.gmx.net", 465, _SWITCH),
        "https://hilfe.gmx.net/pop-imap/einschalten.html",
    ),
    "gmx-com": (
        *("GMX", "mail.gmx.com", 465, _SWITCH),
        "https://support.gmx.com/pop-imap/toggle.html",
    ),
    "web.de": (
        *("WEB.DE", "smtp.web.de", 587, _SWITCH),
        "https://hilfe.web.de/pop-imap/einschalten.html",
    ),
    "t-online": (
        *("T-Online", "securesmtp.t-online.de", 465, _MAIL_PASSWORD),
        "https://www.telekom.de/hilfe/apps-dienste/e-mail/programme/passwort-verwalten",
    ),
    "freenet": (
        *("freenet", "mx.freenet.de", 465, _SWITCH),
        "https://www.freenet.de",
    ),
    "posteo": (
        *("Posteo", "posteo.de", 465, _ORDINARY),
        "https://posteo.de/en/help",
    ),
    "mailbox.org": (
        *("mailbox.org", "smtp.mailbox.org", 465, _ORDINARY),
        "https://kb.mailbox.org",
    ),
    "mail.com": (
        *("mail.com", "smtp.mail.com", 465, _SWITCH),
        "https://support.mail.com/pop-imap/",
    ),
    "zoho-com": (
        *("Zoho Mail", "smtp.zoho.com", 465, _SWITCH),
        "https://www.zoho.com/mail/help/zoho-smtp.html",
    ),
    "zoho-eu": (
        *("Zoho Mail", "smtp.zoho.eu", 465, _SWITCH),
        "https://www.zoho.com/mail/help/zoho-smtp.html",
    ),
    "fastmail": (
        *("Fastmail", "smtp.fastmail.com", 465, _APP_PASSWORD),
        "https://www.fastmail.help/hc/en-us/articles/360058752854",
    ),
    "proton": (
        *("Proton Mail", "127.0.0.1", 1025, _BRIDGE),
        "https://proton.me/mail/bridge",
    ),
    "yandex": (
        *("Yandex Mail", "smtp.yandex.com", 465, _APP_PASSWORD),
        "https://yandex.com/support/mail/mail-clients/others.html",
    ),
    "mail.ru": (
        *("Mail.ru", "smtp.mail.ru", 465, _APP_PASSWORD),
        "https://help.mail.ru/mail/security/protection/external",
    ),
    "proximus": (
        *("Proximus", "relay.proximus.be", 587, _ORDINARY),
        "https://www.proximus.be/support",
    ),
    "bluewin": (
        *("Swisscom Bluewin", "smtpauths.bluewin.ch", 465, _ORDINARY),
        "https://www.swisscom.ch/help/email",
    ),
    "libero": (
        *("Libero", "smtp.libero.it", 465, _SWITCH),
        "https://aiuto.libero.it",
    ),
    "seznam": (
        *("Seznam", "smtp.seznam.cz", 465, _SWITCH),
        "https://napoveda.seznam.cz/cz/email/imap-pop3-smtp/",
    ),
    "comcast": (
        *("Xfinity", "smtp.comcast.net", 465, _SWITCH),
        "https://www.xfinity.com/support/articles/third-party-email-access",
    ),
    "bt": (
        *("BT Email", "mail.btinternet.com", 465, _ORDINARY),
        "https://www.bt.com/help/email",
    ),
}
#: Which domains are whose.
_DOMAINS = {
    "microsoft": "msn.com windowslive.com passport.com",
    "gmail": "gmail.com googlemail.com",
    "yahoo": "ymail.com rocketmail.com myyahoo.com",
    "aol": "aim.com netscape.net verizon.net",
    "icloud": "icloud.com me.com mac.com",
    "orange": "orange.fr wanadoo.fr",
    "free": "free.fr aliceadsl.fr libertysurf.fr infonie.fr online.fr",
    "sfr": "sfr.fr neuf.fr club-internet.fr cegetel.net 9online.fr 9business.fr",
    "numericable": "numericable.fr noos.fr",
    "laposte": "laposte.net",
    "bouygues": "bbox.fr",
    "ovh": "ovh.net ovh.fr ovh.com",
    "ionos-fr": "ionos.fr 1and1.fr",
    "ionos-de": "ionos.de 1und1.de online.de onlinehome.de",
    "ionos-com": "ionos.com 1and1.com",
    "gandi": "gandi.net",
    "infomaniak": "infomaniak.com ik.me ikmail.com etik.com",
    "mailo": "mailo.com net-c.com net-c.fr netcourrier.com netc.fr netc.eu",
    "gmx-net": "gmx.net gmx.de gmx.at gmx.ch gmx.eu gmx.biz gmx.org gmx.info",
    "web.de": "web.de email.de",
    "t-online": "t-online.de magenta.de",
    "freenet": "freenet.de",
    "posteo": "posteo.de posteo.net posteo.at posteo.ch posteo.eu posteo.org",
    "mailbox.org": "mailbox.org",
    "mail.com": "mail.com email.com usa.com post.com europe.com",
    "zoho-com": "zoho.com zohomail.com",
    "zoho-eu": "zoho.eu zohomail.eu",
    "fastmail": "fastmail.com fastmail.fm fastmail.fr fastmail.de fastmail.co.uk",
    "proton": "proton.me protonmail.com protonmail.ch pm.me",
    "yandex": "yandex.com yandex.ru yandex.by yandex.kz ya.ru",
    "mail.ru": "mail.ru inbox.ru list.ru bk.ru",
    "proximus": "proximus.be skynet.be belgacom.net",
    "bluewin": "bluewin.ch bluemail.ch",
    "libero": "libero.it iol.it blu.it inwind.it",
    "seznam": "seznam.cz email.cz post.cz",
    "comcast": "comcast.net",
    "bt": "btinternet.com btopenworld.com talk21.com",
}
_BY_DOMAIN = {
    domain: key for key, domains in _DOMAINS.items() for domain in domains.split()
}
#: Names that a provider has in many countries: hotmail.fr, yahoo.co.uk, gmx.com.
_FAMILIES = {
    "hotmail": "microsoft",
    "outlook": "microsoft",
    "live": "microsoft",
    "yahoo": "yahoo",
    "aol": "aol",
    "gmx": "gmx-com",
}
_NATIONAL = lazy_pattern(r"([a-z]+)\.(?:com|(?:com?\.)?[a-z]{2}|com\.[a-z]{2})")


def provider_of(*addresses: str | None) -> Provider | None:
    """Return the provider that the first address with a domain belongs to, or None.

    A domain below a provider's is another one: it may be anybody's.
    """
    domain = next(filter(None, map(_domain, addresses)), "")
    key = _BY_DOMAIN.get(domain)
    if key is None and domain and (national := _NATIONAL.fullmatch(domain)):
        key = _FAMILIES.get(national[1])
    return _provider(key) if key else None


def is_microsoft(provider: Provider) -> bool:
    """Say whether a token of Microsoft logs in there."""
    return provider.host == _ROWS["microsoft"][1]


def described(way: MailSettings) -> Sentence | None:
    """Return which server the address of the mailbox chose, and what it wants, or None."""
    if way.provider is None:
        return None
    return Sentence.of(
        N_("the address chose {host}, port {port}: {wants}"),
        host=way.smtp_host,
        port=way.smtp_port,
        wants=way.provider.wants,
    )


def _provider(key: str) -> Provider:
    name, host, port, wants, page = _ROWS[key]
    return Provider(
        name=name,
        host=host,
        port=port,
        security="tls" if port == 465 else "starttls",  # noqa: PLR2004 - RFC 8314
        wants=Sentence.of(wants, provider=name, page=page),
    )


def _domain(address: str | None) -> str:
    """Return the domain of an address as DNS has it, in lower case; empty if none."""
    if not address:
        return ""
    mailbox = parse_mailbox(address)
    text = mailbox.address if mailbox else address
    domain = text.rpartition("@")[2] if "@" in text else ""
    try:
        return domain.strip().rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
