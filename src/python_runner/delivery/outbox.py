"""The outbox gets reports out, in the order they are due, within a deadline.

Each message is claimed, sent outside any transaction, and marked after. A crash between
the server's answer and the mark sends it again: same bytes, same ``Message-ID``, same
date, which is what lets mail servers recognise a duplicate.

The recipients of mails are one audience and each channel is another: all are served at
the same time, and none waits for another's server.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from python_runner.delivery.connections import Connections, deferred
from python_runner.delivery.deadline import Deadline
from python_runner.delivery.endpoints import Endpoints
from python_runner.delivery.sending import Drain, no_thread
from python_runner.delivery.ways import Dispatch, Gate, OpenWay
from python_runner.facts import dataclass
from python_runner.masking import Masker
from python_runner.model import RECIPIENTS
from python_runner.records.messages import MessageState
from python_runner.texts.sentence import N_, Sentence
from python_runner.waiting import do_all


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.delivery.transports import Transport
    from python_runner.delivery.ways import Way
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
        mail_ways: the ways by which mails leave, in their order. There is none while
            mails cannot leave, because variables are missing or wrong: they stay queued
            then. None: they leave by what ``open_transport`` returns.
    """

    store: Store | None
    open_transport: Callable[[str, Path], Transport | None]
    now: Callable[[], datetime]
    masker: Masker = field(default_factory=Masker)
    stopping: Callable[[], bool] = lambda: False
    endpoints: Endpoints = field(default_factory=Endpoints)
    mail_ways: Sequence[Way] | None = None

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last drain ended."""
        return self.endpoints.monotonic() - self.endpoints.used_at

    def why_closed(self, audience: str) -> Sentence | None:
        """Return why nothing leaves for an audience now, where a server has said so."""
        return next(
            (
                r
                for name in self._names(audience)
                if (r := self.endpoints[name].breaker.reason)
            ),
            None,
        )

    def _names(self, audience: str) -> Iterable[str]:
        if audience != RECIPIENTS or self.mail_ways is None:
            return (audience,)
        return (way.endpoint for way in self.mail_ways)

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
            if audience != RECIPIENTS or self.mail_ways != ()
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

    def _open_ways(self, audience: str) -> tuple[OpenWay, ...]:
        if audience == RECIPIENTS and self.mail_ways is not None:
            return tuple(map(self._open_way, self.mail_ways))
        connections = self._connections(partial(self.open_transport, audience))
        return (OpenWay(endpoint=self.endpoints[audience], connections=connections),)

    def _open_way(self, way: Way) -> OpenWay:
        gate = Gate()
        return OpenWay(
            name=way.name,
            local=way.local,
            endpoint=self.endpoints.get(way.endpoint, way.a_minute),
            connections=self._connections(
                lambda _folder: way.open_transport(gate.begin)
            ),
            gate=gate,
        )

    def _connections(self, opener: Callable[[Path], Transport | None]) -> Connections:
        return Connections(opener, self.masker, self.endpoints.monotonic)

    def _drain_audience(
        self, audience: str, end: float, drain_of: Callable[..., Drain]
    ) -> Drain | None:
        """Send what is due for one audience; None if nothing could be tried."""
        deadline = Deadline(self.endpoints.monotonic, end)
        ways = self._open_ways(audience)
        # One delivery at a time for all ways: that of the first one stands for it.
        lock = ways[0].endpoint.lock
        if all(way.is_closed for way in ways) or not lock.acquire(
            timeout=deadline.left
        ):
            return None
        try:
            drain = drain_of(audience=audience, ways=ways, deadline=deadline)
            drain.run(self.stopping)
            return drain
        finally:
            self.endpoints.used_at = self.endpoints.monotonic()
            lock.release()

    def _send_one(
        self, message: Message, folder: Path, deadline: Deadline
    ) -> tuple[Receipt, ...]:
        ways = self._open_ways(message.audience)
        if not ways:
            return deferred(message, Sentence.of(N_("no email can be sent")))
        dispatch = Dispatch(ways=ways, deadline=deadline, note=lambda *_: None)
        answers: list[tuple[Receipt, ...]] = []

        def send() -> None:
            with ExitStack() as stack:
                for way in ways:
                    stack.callback(way.close)
                receipts = dispatch.send(message, folder, again=True).receipts
                if receipts is None:
                    detail = Sentence.of(N_("the channel did not accept the report"))
                    receipts = deferred(message, detail)
                answers.append(receipts)

        lock = ways[0].endpoint.lock
        if lock.acquire(timeout=deadline.left):
            try:
                deadline.run(send, self.stopping)
            except RuntimeError as error:
                return deferred(message, no_thread(error))
            finally:
                lock.release()
        way = dispatch.current or ways[0]
        return answers[0] if answers else way.connections.timed_out(message)
