"""Makes an outbox that finds its transports in the environment and the projects.

The records hold no address of a channel: it is looked up, by its digest, in the
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
    endpoint_name,
    messages_a_minute,
    open_channel,
    open_transport,
)
from python_runner.masking import Masker
from python_runner.model import RECIPIENTS


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
        open_transport=partial(_open_transport, settings.mail, defaults),
        now=now,
        masker=Masker(settings.secrets),
        stopping=stopping,
        endpoints=endpoints or Endpoints(),
        mail_endpoint=endpoint_name(settings.mail) if can_mail(settings.mail) else None,
        mails_a_minute=messages_a_minute(settings.mail),
    )


def _open_transport(
    settings: MailSettings, defaults: Mapping[str, Any], audience: str, folder: Path
) -> Transport | None:
    """Return the mails' transport, or that of the channel the project in folder names."""
    if audience == RECIPIENTS:
        return open_transport(settings)
    for url in configured_channels(folder, defaults):
        if channel_audience(url) == audience:
            return open_channel(url)
    return None
