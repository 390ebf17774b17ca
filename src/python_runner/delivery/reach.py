"""Whether the servers of channels and heartbeats can be found; nobody is told anything."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from python_runner.delivery.transports.explain import unreachable
from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.model import Project
    from python_runner.texts.sentence import Sentence

_HTTPS = 443


@dataclass(frozen=True, slots=True)
class Server:
    """A server that a project's configuration names.

    Attributes:
        key: of ``exec_config.json``.
        host: its name; the rest of the address may be secret.
    """

    key: str
    host: str


def servers_of(project: Project) -> Iterator[Server]:
    """Yield the servers of a project's heartbeat and channels, as far as they are known."""
    if project.heartbeat_url and (host := _host(project.heartbeat_url)):
        yield Server("heartbeat_url", host)
    for place, url in enumerate(project.channels):
        if host := _host_of_channel(url):
            yield Server(f"channels[{place}]", host)


def why_not_found(server: Server) -> Sentence | None:
    """Return why the name of a server cannot be looked up; None where it can.

    Behind a proxy it is the proxy that looks it up, and this computer often cannot.
    """
    if "https" in getproxies() and not proxy_bypass(server.host):
        return None
    try:
        socket.getaddrinfo(server.host, _HTTPS, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        return unreachable(error, server.host, _HTTPS, server.key).detail
    return None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _host_of_channel(url: str) -> str:
    """Return where a channel's service is asked; nothing where only it knows."""
    try:
        from apprise import Apprise  # noqa: PLC0415 - an extra
    except ImportError:
        return ""
    service = Apprise.instantiate(url)
    if service is None:
        return ""
    # A service of its own has one address for all; others are where the channel says.
    fixed = str(getattr(service, "notify_url", "") or "")
    if fixed.startswith(("http://", "https://")):
        return _host(fixed)
    if "host" not in service.template_tokens:
        # What stands where others have a host is a token.
        return ""
    return str(getattr(service, "smtp_host", "") or service.host or "")
