"""Checks channels and heartbeat: addresses with tokens, which no message quotes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from python_runner.channels import channel_audience, channel_label
from python_runner.installation import extra_command
from python_runner.secret_values import secrets_inside
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from apprise import Apprise


#: What Healthchecks puts into the path of an address: a UUID, or the key of a project.
_IDENTITY = re.compile(
    r"/(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[\w-]*[0-9])[\w-]{22})(?:/|$)",
    re.IGNORECASE,
)


def judges_channels() -> bool:
    """Say whether Apprise is installed: it alone knows the addresses of its services."""
    try:
        import apprise  # noqa: F401, PLC0415 - an extra, and slow to import
    except ImportError:
        return False
    return True


def channel_problems(urls: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the place of a channel (from 0) and what is wrong with it.

    Apprise is imported only when there is one to judge.
    """
    if not urls:
        return
    if not judges_channels():
        message = _("channels need Apprise, which is not installed: {command}")
        yield 0, message.format(command=extra_command("notify"))
        return
    from apprise import Apprise  # noqa: PLC0415 - an extra, and slow to import

    seen: set[str] = set()
    for place, url in enumerate(urls):
        if _service(url, Apprise) is None:
            message = _(
                "is not an address that Apprise can use: it is unknown or incomplete,"
                " or its service needs another package"
            )
            yield place, message
        elif channel_audience(url) in seen:
            yield place, _("is given more than once")
        seen.add(channel_audience(url))


def address_warnings(
    channels: Sequence[str], heartbeat: str | None
) -> Iterator[Sentence]:
    """Yield which of these addresses, all of them usable, others may read on the way."""
    if heartbeat and _is_open_login(heartbeat):
        template = N_(
            "heartbeat_url: its password or token and the reports are sent without"
            " encryption; use an address that begins with https://"
        )
        yield Sentence.of(template)
    for place, url in enumerate(channels):
        if warning := _channel_warning(url, f"channels[{place}]"):
            yield warning


def _is_open_login(url: str) -> bool:
    """Say whether a password or a token would leave by plain HTTP."""
    if not url.lower().startswith("http://"):
        return False
    parts = urlsplit(url)
    # Whoever reads the identity of a check on the way can report success in its place.
    is_identity = bool(_IDENTITY.search(parts.path))
    return "@" in parts.netloc or is_identity or any(secrets_inside("", url))


def _channel_warning(url: str, key: str) -> Sentence | None:
    from apprise import Apprise  # noqa: PLC0415 - an extra, and slow to import

    service = _service(url, Apprise)
    if service is None:
        return None
    # Some services change what their class says when they are made.
    plain, secure = (
        (known,) if isinstance(known, str) else tuple(known or ())
        for known in (type(service).protocol, type(service).secure_protocol)
    )
    is_plain = bool(secure) and _scheme(url) in plain and not service.secure
    if is_plain and _holds_secrets(service, url):
        template = N_(
            "{key}, {label}: its password or token and the reports are sent without"
            " encryption; use an address that begins with {secure}://"
        )
    elif not is_plain and not service.verify_certificate:
        template = N_(
            "{key}, {label}: verify=no lets any server pass for this one and receive"
            " the reports"
        )
    else:
        return None
    values = {"key": key, "label": channel_label(url), "secure": "".join(secure[:1])}
    return Sentence.of(template, **values)


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _holds_secrets(service: Any, url: str) -> bool:
    # What Apprise hides when it shows an address; it shows the headers that a user adds.
    hidden = service.url(privacy=True) != service.url(privacy=False)
    return hidden or bool(re.search(r"[?&]\+", url)) or any(secrets_inside("", url))


def _service(url: str, apprise: type[Apprise]) -> Any:
    """Return the service behind an address, or None where there is none."""
    try:
        return apprise.instantiate(url)
    except Exception:  # noqa: BLE001 - a plug-in's own; it may quote the address
        return None


def heartbeat_problem(url: str) -> str | None:
    """Return what is wrong with the address of a heartbeat, or None."""
    # urlsplit() silently drops line breaks and tabs, and what is sent must be ASCII.
    if re.search(r"[^!-~]", url):
        return _("contains a space or a character not allowed in an address")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname
        _port = parts.port
    except ValueError:
        usable = False
    return None if usable else _("expected an address that begins with https://")
