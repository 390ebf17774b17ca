"""The ways a report may leave by, as the environment and the projects say now.

No address of a channel is in the records: it is found again, by what stands for it, in
the configuration of the project whose report waits.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from python_runner.channels import channel_audience
from python_runner.config.project import configured_channels
from python_runner.config.settings import can_mail
from python_runner.delivery.circuit_breaker import CircuitBreaker
from python_runner.delivery.outbox import DrainReport, drain
from python_runner.delivery.transports import open_channel, open_transport
from python_runner.model import RECIPIENTS
from python_runner.waiting import wait_for_all


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.delivery.transports import Transport
    from python_runner.masking import Masker
    from python_runner.model import MailSettings
    from python_runner.records.store import Store

_T = TypeVar("_T")
#: Ways served at the same time.
_MOST_AT_ONCE = 8


@dataclass(slots=True)
class Ways:
    """What one process knows of its ways out, by audience: the mails' and each channel's."""

    known: defaultdict[str, CircuitBreaker] = field(
        default_factory=lambda: defaultdict(CircuitBreaker)
    )

    @property
    def mail(self) -> CircuitBreaker:
        """The way of the mails."""
        return self.known[RECIPIENTS]

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last drain ended, whichever way."""
        return self.mail.monotonic() - max(
            way.used_at for way in (self.mail, *self.known.copy().values())
        )

    def wake(self) -> None:
        """Let the next drains try, whatever the last ones met."""
        for way in self.known.copy().values():
            way.wake()

    def drain(
        self,
        store: Store,
        settings: MailSettings,
        defaults: Mapping[str, Any],
        *,
        now: Callable[[], datetime],
        deadline_seconds: float,
        stopping: Callable[[], bool],
        masker: Masker | None = None,
    ) -> DrainReport:
        """Send what is due, every way at the same time: none has to wait for another.

        Mails stay where they are while their transport lacks variables.

        Args:
            store: where the messages are.
            settings: how mails leave.
            defaults: optional keys that hold where a project is silent.
            now: the clock of the records.
            deadline_seconds: longest time until this method returns.
            stopping: whether the runner is asked to stop; only seconds are left then.
            masker: takes secrets out of what servers and libraries say.

        Raises:
            StoreError: the records cannot be read or written.
        """
        monotonic = self.mail.monotonic
        end = monotonic() + deadline_seconds

        def serve(audience: str) -> DrainReport:
            mails = audience == RECIPIENTS
            return drain(
                store,
                (lambda _folder: open_transport(settings))
                if mails
                else partial(_configured_way, audience, defaults),
                audience=audience,
                now=now,
                # Some may have waited for their turn.
                deadline_seconds=max(0.0, end - monotonic()),
                way=self.known[audience],
                stopping=stopping,
                masker=masker,
            )

        reports = run_concurrently(
            [
                partial(serve, audience)
                for audience in store.messages.due_audiences(now())
                if audience != RECIPIENTS or can_mail(settings)
            ]
        )
        return DrainReport(
            sent=sum(report.sent for report in reports),
            deferred=sum(report.deferred for report in reports),
            failed=sum(report.failed for report in reports),
            remaining=store.messages.waiting(),
            given_up=tuple(n for report in reports for n in report.given_up),
        )


def run_concurrently(jobs: Sequence[Callable[[], _T]]) -> list[_T]:
    """Do all ``jobs`` at the same time, or nearly; return their results in order."""
    if len(jobs) <= 1:
        return [job() for job in jobs]
    with ThreadPoolExecutor(min(len(jobs), _MOST_AT_ONCE), "way") as executor:
        futures = [executor.submit(job) for job in jobs]
        wait_for_all(futures)
    return [future.result() for future in futures]


def named(audience: str, urls: Iterable[str]) -> str | None:
    """Return the channel among ``urls`` that ``audience`` stands for, if it is there."""
    return next((url for url in urls if channel_audience(url) == audience), None)


def _configured_way(
    audience: str, defaults: Mapping[str, Any], folder: Path
) -> Transport | None:
    url = named(audience, configured_channels(folder, defaults))
    return open_channel(url) if url else None
