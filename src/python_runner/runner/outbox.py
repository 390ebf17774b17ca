"""Makes an outbox that finds its transports in the environment and the projects.

The records hold no address of a channel: it is looked up, by its hash, in the
configuration of the project whose report waits.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from python_runner.channels import channel_audience
from python_runner.config.project import configured_channels
from python_runner.config.settings import can_mail
from python_runner.delivery.endpoints import Endpoints
from python_runner.delivery.outbox import Outbox
from python_runner.delivery.transports import (
    LOCAL,
    endpoint_name,
    messages_a_minute,
    open_channel,
    open_transport,
)
from python_runner.delivery.ways import Way
from python_runner.masking import Masker


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.delivery.transports import Transport
    from python_runner.model import MailSettings, Settings
    from python_runner.records.store import Store


def make_outbox(
    store: Store | None,
    settings: Settings,
    defaults: Mapping[str, Any],
    *,
    now: Callable[[], datetime],
    stopping: Callable[[], bool],
    endpoints: Endpoints | None = None,
) -> Outbox:
    """Return the outbox of a store, or one without a queue where none is kept.

    ``defaults`` are optional keys that hold where a project is silent; ``stopping``
    says whether the runner is asked to stop; ``endpoints`` is what this process knows
    of the servers, None: nothing yet.
    """
    return Outbox(
        store=store,
        open_transport=partial(_open_channel, defaults),
        now=now,
        masker=Masker(settings.secrets),
        stopping=stopping,
        endpoints=endpoints or Endpoints(),
        mail_ways=_ways(settings.mail) if can_mail(settings.mail) else (),
    )


def _ways(mail: MailSettings) -> tuple[Way, ...]:
    """Return the ways by which mails leave, in their order."""
    return tuple(
        Way(
            name=way.transport,
            endpoint=endpoint_name(way),
            open_transport=partial(open_transport, way),
            a_minute=messages_a_minute(way),
            local=way.transport in LOCAL,
        )
        for way in mail.ways
    )


def _open_channel(
    defaults: Mapping[str, Any], audience: str, folder: Path
) -> Transport | None:
    """Return the transport of the channel that the project in ``folder`` names."""
    for url in configured_channels(folder, defaults):
        if channel_audience(url) == audience:
            return open_channel(url)
    return None
