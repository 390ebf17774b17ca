"""Checks channels and heartbeat: addresses with tokens, which no message quotes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from python_runner.channels import channel_audience
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from apprise import Apprise


def channel_problems(urls: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the place of a channel (from 0) and what is wrong with it.

    Apprise alone knows how the addresses of its services are written; it is imported
    only when there is one to judge.
    """
    if not urls:
        return
    try:
        from apprise import Apprise  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        message = _(
            "channels need Apprise, which is not installed:"
            ' pip install "python-series-runner[notify]"'
        )
        yield 0, message
        return
    seen: set[str] = set()
    for place, url in enumerate(urls):
        if not _usable(url, Apprise):
            message = _(
                "is no address that Apprise can use: it is unknown or incomplete,"
                " or its service needs a further package"
            )
            yield place, message
        elif channel_audience(url) in seen:
            yield place, _("is given more than once")
        seen.add(channel_audience(url))


def _usable(url: str, apprise: type[Apprise]) -> bool:
    try:
        return apprise.instantiate(url) is not None
    except Exception:  # noqa: BLE001 - a plug-in's own; it may quote the address
        return False


def heartbeat_problem(url: str) -> str | None:
    """Return what is wrong with the address of a heartbeat, or None."""
    # urlsplit() silently drops line breaks and tabs, and what is sent must be ASCII.
    if re.search(r"[^!-~]", url):
        return _("holds a space, or a letter or sign that no address may hold")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname
        _port = parts.port
    except ValueError:
        usable = False
    return None if usable else _("expected an address that begins with https://")
