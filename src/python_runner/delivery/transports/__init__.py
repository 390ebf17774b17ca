"""Transports: how a message leaves this machine, one method each.

A transport never raises because of a delivery: servers, networks and disks answer with
receipts, one per recipient, whose sentence says what to do.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from python_runner.installation import extra_command
from python_runner.model import TOKEN_TRANSPORTS
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import MailSettings, Message, Receipt

#: Where a mailbox of Exchange Online or of Outlook sends, in any of Microsoft's clouds, and
#: how many messages a minute it may (Exchange Online limits, "Message rate limit").
_EXCHANGE = lazy_pattern(
    r"(?:^|\.|-mail\.)(?:office365|outlook|outlook\.office)\.[a-z]+\.?$", re.IGNORECASE
)
EXCHANGE_A_MINUTE = 30
#: Transports that need this computer alone.
LOCAL = ("file", "eventlog")


class Transport(Protocol):
    """Delivers messages, over one connection as long as that lasts."""

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Try to deliver ``message`` and return one receipt per recipient, in order."""

    def close(self) -> None:
        """Close whatever is open; may be called more than once."""


def always() -> None:
    """Let every message be handed over."""


def open_transport(
    settings: MailSettings, hand_over: Callable[[], None] = always
) -> Transport:
    """Return the transport that ``settings`` name; nothing is connected yet.

    A transport lives for one drain: what keeps it from working (no network, a refused
    password) is found out once and answers every later message of the drain.

    Args:
        settings: one way to send; those that may take over do not count.
        hand_over: called right before a server gets a whole message: from then on it may
            arrive. A :class:`DeliveryError` that it raises keeps the message back.

    Raises:
        KeyError: there is no transport of that name.
    """
    # Imported on first use: a drop folder needs no TLS.
    name = settings.transport
    if name in {"smtp", "smtp-oauth2"}:
        from python_runner.delivery.transports.smtp import SmtpTransport  # noqa: PLC0415

        if name == "smtp":
            return SmtpTransport(settings, hand_over=hand_over)
        from python_runner.delivery.transports.tokens import open_tokens  # noqa: PLC0415

        tokens = open_tokens(settings)
        return SmtpTransport(settings, tokens=tokens, hand_over=hand_over)
    if name == "graph":
        from python_runner.delivery.transports.graph import GraphTransport  # noqa: PLC0415

        return GraphTransport(settings, hand_over=hand_over)
    if name == "file":
        from python_runner.delivery.transports.file import FileTransport  # noqa: PLC0415

        return FileTransport(settings.mail_dir)
    if name == "eventlog":
        from python_runner.delivery.transports.eventlog import EventLogTransport  # noqa: PLC0415

        return EventLogTransport()
    if name == "memory":
        from python_runner.delivery.transports.memory import MemoryTransport  # noqa: PLC0415

        return MemoryTransport()
    raise KeyError(name)


def endpoint_name(settings: MailSettings) -> str:
    """Return where mails go, and as whom; the name holds no password."""
    place = f"{settings.smtp_host}:{settings.smtp_port} {settings.smtp_security}"
    if settings.transport == "graph":
        place = settings.graph_url
    elif settings.transport == "file":
        place = str(settings.mail_dir)
    elif settings.transport == "eventlog":
        place = "this computer"
    return f"{settings.transport} {settings.login or settings.sender} {place}"


def messages_a_minute(settings: MailSettings) -> int | None:
    """Return how many messages a minute the service takes from a mailbox; None: any number."""
    tokens = settings.transport in TOKEN_TRANSPORTS
    exchange = settings.transport == "smtp" and _EXCHANGE.search(settings.smtp_host)
    return EXCHANGE_A_MINUTE if tokens or exchange else None


def missing_extra(settings: MailSettings) -> Sentence | None:
    """Return what to install for the way that ``settings`` name first, or None."""
    needed = ("msal", "msal_extensions") if settings.as_user else ("msal",)
    missing = [name for name in needed if not find_spec(name)]
    if settings.transport not in TOKEN_TRANSPORTS or not missing:
        return None
    return Sentence.of(
        N_(
            "MAIL_TRANSPORT={transport} needs the package {package}, which is not"
            " installed: {command}"
        ),
        transport=settings.transport,
        package=missing[0].replace("_", "-"),
        command=extra_command("outlook"),
    )


def open_channel(url: str) -> Transport:
    """Return the transport of a channel; nothing is imported or connected yet."""
    from python_runner.delivery.transports import channel  # noqa: PLC0415 - seldom used

    return channel.ChannelTransport(url)
