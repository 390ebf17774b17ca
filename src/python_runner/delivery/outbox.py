"""The outbox gets reports out, in the order they are due, within a deadline.

Each message is claimed, sent outside any transaction, and marked after. A crash between
the server's answer and the mark sends it again: same bytes, same ``Message-ID``, same
date, which is what lets mail servers recognise a duplicate.

The recipients of mails are one audience and each channel is another: all are served at
the same time, and none waits for another's server.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from python_runner.delivery.endpoints import Endpoints
from python_runner.delivery.sending import (
    Connections,
    Deadline,
    Drain,
    deferred,
    no_thread,
)
from python_runner.facts import dataclass
from python_runner.masking import Masker
from python_runner.model import RECIPIENTS
from python_runner.records.messages import MessageState
from python_runner.texts.sentence import N_, Sentence
from python_runner.waiting import do_all


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.delivery.endpoints import Endpoint
    from python_runner.delivery.transports import Transport
    from python_runner.model import Message, Receipt
    from python_runner.records.store import Store

#: Audiences served at the same time.
_MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What one drain did, in messages.

    Attributes:
        sent: delivered to everybody.
        deferred: tried, and queued again.
        failed: given up, for one recipient at least.
        remaining: still in the outbox, due or not.
        given_up: the numbers of those that failed.
    """

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    remaining: int = 0
    given_up: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Delivers the queued messages of a store, and those that no store can keep.

    Attributes:
        store: where the messages are queued; None where no records are kept.
        open_transport: returns the transport for an audience and a project's folder;
            None where the project's configuration does not name the channel any more.
        now: the clock of the records.
        masker: takes secrets out of what servers and libraries say.
        stopping: whether the runner is asked to stop; only seconds are left then.
        endpoints: what is known of the servers.
        mail_endpoint: the name of the mails' endpoint; None while mails cannot leave,
            because their transport lacks variables. They stay queued then.
        mails_a_minute: how many mails that endpoint takes in any minute; None: any
            number.
    """

    store: Store | None
    open_transport: Callable[[str, Path], Transport | None]
    now: Callable[[], datetime]
    masker: Masker = field(default_factory=Masker)
    stopping: Callable[[], bool] = lambda: False
    endpoints: Endpoints = field(default_factory=Endpoints)
    mail_endpoint: str | None = RECIPIENTS
    mails_a_minute: int | None = None

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last drain ended."""
        return self.endpoints.monotonic() - self.endpoints.used_at

    def endpoint(self, audience: str) -> Endpoint:
        """Return what is known of the server that takes an audience's messages."""
        if audience != RECIPIENTS:
            return self.endpoints[audience]
        return self.endpoints.get(self.mail_endpoint or "", self.mails_a_minute)

    def drain(
        self,
        deadline_seconds: float,
        *,
        own: Collection[str] = (),
        others_seconds: float = math.inf,
    ) -> DrainReport:
        """Send what is due, to all audiences at the same time; return in time.

        The reports of the runs ``own`` leave first. Those of other runs follow, the
        oldest first, as long as no more than ``others_seconds`` have passed in all.

        Raises:
            StoreError: the records cannot be read or written. Nothing that a transport
                does is ever raised: it becomes a deferral.
        """
        if self.store is None:
            return DrainReport()
        start = self.endpoints.monotonic()
        drain_of = partial(
            Drain,
            queue=self.store.messages,
            now=self.now,
            own=own,
            others_end=start + others_seconds,
        )
        jobs = [
            partial(self._drain_audience, audience, start + deadline_seconds, drain_of)
            for audience in self.store.messages.due_audiences(self.now())
            if audience != RECIPIENTS or self.mail_endpoint
        ]
        drains = do_all(jobs, _MOST_AT_ONCE, "outbox")
        counts = [drain.counts for drain in drains if drain]
        return DrainReport(
            sent=sum(count[MessageState.SENT] for count in counts),
            deferred=sum(count[MessageState.QUEUED] for count in counts),
            failed=sum(count[MessageState.FAILED] for count in counts),
            remaining=self.store.messages.waiting(),
            given_up=tuple(n for drain in drains if drain for n in drain.given_up),
        )

    def send_now(
        self, messages: Sequence[Message], folder: Path, deadline_seconds: float
    ) -> tuple[Receipt, ...]:
        """Send messages that no records hold, now or never, all at the same time.

        Each is tried even while its breaker is open. Return one receipt per message and
        recipient, in time; ``deferred`` means that nobody tries it again.
        """
        deadline = self._deadline(deadline_seconds)
        jobs = [partial(self._send_one, m, folder, deadline) for m in messages]
        answers = do_all(jobs, _MOST_AT_ONCE, "outbox")
        return tuple(receipt for receipts in answers for receipt in receipts)

    def _deadline(self, seconds: float) -> Deadline:
        monotonic = self.endpoints.monotonic
        return Deadline(monotonic, monotonic() + seconds)

    def _connections(self, audience: str) -> Connections:
        return Connections(
            partial(self.open_transport, audience),
            self.masker,
            self.endpoints.monotonic,
        )

    def _drain_audience(
        self, audience: str, end: float, drain_of: Callable[..., Drain]
    ) -> Drain | None:
        """Send what is due for one audience; None if nothing could be tried."""
        deadline = Deadline(self.endpoints.monotonic, end)
        endpoint = self.endpoint(audience)
        if endpoint.breaker.is_open or not endpoint.lock.acquire(timeout=deadline.left):
            return None
        try:
            drain = drain_of(
                audience=audience,
                endpoint=endpoint,
                connections=self._connections(audience),
                deadline=deadline,
            )
            drain.run(self.stopping)
            return drain
        finally:
            self.endpoints.used_at = self.endpoints.monotonic()
            endpoint.lock.release()

    def _send_one(
        self, message: Message, folder: Path, deadline: Deadline
    ) -> tuple[Receipt, ...]:
        lock = self.endpoint(message.audience).lock
        connections = self._connections(message.audience)
        answers: list[tuple[Receipt, ...]] = []

        def send() -> None:
            with closing(connections):
                receipts = connections.send(message, folder)
                if receipts is None:
                    detail = Sentence.of(N_("the channel did not accept the report"))
                    receipts = deferred(message, detail)
                answers.append(receipts)

        if lock.acquire(timeout=deadline.left):
            try:
                deadline.run(send, self.stopping)
            except RuntimeError as error:
                return deferred(message, no_thread(error))
            finally:
                lock.release()
        return answers[0] if answers else connections.timed_out(message)
