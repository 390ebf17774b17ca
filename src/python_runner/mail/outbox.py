"""Gets reports out, in the order they are due, without ever keeping a project waiting.

Each message is claimed, sent outside any transaction, and marked after. A crash between
the server's answer and the mark sends it again: same bytes, same ``Message-ID``, same
date, which is what lets mail servers recognise a duplicate.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from python_runner.mail.mime import without_attachment
from python_runner.masking import Masker
from python_runner.model import Delivery, Receipt
from python_runner.policy import next_try
from python_runner.records.messages import MessageState
from python_runner.records.store import StoreError
from python_runner.texts import N_, Text


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from python_runner.mail.transports import Transport
    from python_runner.model import Message
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store

#: Messages per minute: the limit of a mailbox in Exchange Online.
MESSAGES_A_MINUTE = 30
#: Seconds a claim outlives the deadline of its drain: after that its owner is dead.
_LEASE_MARGIN = 60.0
#: Seconds a delivery still gets once the runner is asked to stop.
_LAST_SECONDS = 3.0
#: Seconds between two looks at whether that is so.
_SLICE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What one drain did, in messages.

    Attributes:
        sent: delivered to everybody.
        deferred: tried, and queued again.
        failed: given up, for one recipient at least.
        remaining: still in the outbox, due or not.
    """

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    remaining: int = 0


def drain(
    store: Store,
    open_transport: Callable[[], Transport],
    *,
    now: Callable[[], datetime],
    deadline_seconds: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    stopping: Callable[[], bool] = lambda: False,
    masker: Masker | None = None,
) -> DrainReport:
    """Send what is due, over one connection, until all is tried or time is up.

    A delivery that hangs (a tarpit, a name server that is silent) is left behind in its
    thread when time is up: it may still end well and be marked; if the process ends
    before, the claim lapses and the message is sent again.

    Args:
        store: where the messages are.
        open_transport: makes the way out; called when the first message is due.
        now: the clock of the records.
        deadline_seconds: longest time until this function returns.
        monotonic: the clock of deadline and pace, in seconds.
        sleep: waits that many seconds.
        stopping: whether the runner is asked to stop; only seconds are left then.
        masker: takes secrets out of what servers and libraries say.

    Raises:
        StoreError: the records cannot be read or written. Nothing that a transport
            does is ever raised: it becomes a deferral.
    """
    work = _Drain(
        store=store,
        open_transport=open_transport,
        now=now,
        pace=_Pace(MESSAGES_A_MINUTE, 60.0, monotonic, sleep),
        deadline=monotonic() + deadline_seconds,
        lease_seconds=deadline_seconds + _LEASE_MARGIN,
        masker=masker or Masker(),
    )
    # A daemon: a process that is done must not wait for a server that is not.
    thread = threading.Thread(target=work.run, name="outbox", daemon=True)
    thread.start()
    hurried = False
    while thread.is_alive() and (moment := monotonic()) < work.deadline:
        if stopping() and not hurried:
            hurried = True
            work.deadline = min(work.deadline, moment + _LAST_SECONDS)
        thread.join(_SLICE)
    return work.report()


class _Pace:
    """Lets ``count`` acts through in any window of ``seconds``."""

    def __init__(
        self,
        count: int,
        seconds: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._acts: deque[float] = deque(maxlen=count)

    def wait(self, deadline: float) -> bool:
        """Wait for a place and take it; False, at once, if it comes too late."""
        moment = self._monotonic()
        if len(self._acts) == self._acts.maxlen:
            place = self._acts[0] + self._seconds
            if place > moment:
                if place >= deadline:
                    return False
                self._sleep(place - moment)
                moment = place
        if moment >= deadline:
            return False
        self._acts.append(moment)
        return True

    def pause(self, seconds: float, deadline: float) -> bool:
        """Wait ``seconds``; False, at once, if they end too late."""
        if self._monotonic() + seconds >= deadline:
            return False
        self._sleep(seconds)
        return True


@dataclass(slots=True, kw_only=True)
class _Drain:
    """One drain, from its first claim to its last mark, in a thread of its own."""

    store: Store
    open_transport: Callable[[], Transport]
    now: Callable[[], datetime]
    pace: _Pace
    deadline: float
    lease_seconds: float
    masker: Masker
    owner: str = field(default_factory=lambda: f"{os.getpid()}-{os.urandom(4).hex()}")
    transport: Transport | None = None
    counts: Counter[MessageState] = field(default_factory=Counter)
    error: Exception | None = None

    def run(self) -> None:
        """Deliver; what goes wrong with the records is kept for the caller."""
        try:
            self._deliver_due()
        except Exception as error:  # noqa: BLE001 - raised again where drain() waits
            self.error = error
        finally:
            if self.transport is not None:
                with suppress(Exception):
                    self.transport.close()

    def report(self) -> DrainReport:
        """Return what has been done so far.

        Raises:
            StoreError: the records cannot be read or written.
        """
        if self.error is not None:
            raise self.error
        return DrainReport(
            sent=self.counts[MessageState.SENT],
            deferred=self.counts[MessageState.QUEUED],
            failed=self.counts[MessageState.FAILED],
            remaining=self.store.mail.waiting(),
        )

    def _deliver_due(self) -> None:
        while self.pace.wait(self.deadline) and (claim := self._claim()):
            receipts = tuple(map(self._masked, self._send_politely(claim.message)))
            state = self._mark(claim, receipts)
            self.counts[state] += 1
            if all(receipt.delivery is Delivery.DEFERRED for receipt in receipts):
                # Nobody got anything: the way out is closed, for the others too.
                return

    def _claim(self) -> QueuedMessage | None:
        return self.store.mail.claim_due(
            self.now(), owner=self.owner, lease_seconds=self.lease_seconds
        )

    def _send_politely(self, message: Message) -> tuple[Receipt, ...]:
        """Send; wait and try once more if the server asks for that and time allows."""
        receipts = self._send(message)
        asked = _asked_wait(receipts)
        if (
            asked
            and all(receipt.delivery is Delivery.DEFERRED for receipt in receipts)
            and self.pace.pause(asked, self.deadline)
            and self.pace.wait(self.deadline)
        ):
            return self._send(message)
        return receipts

    def _send(self, message: Message) -> tuple[Receipt, ...]:
        try:
            if self.transport is None:
                self.transport = self.open_transport()
            return self.transport.send(message)
        except Exception as error:  # noqa: BLE001 - mail never changes a run
            detail = Text(
                N_("the transport broke down: {error}"), {"error": repr(error)}
            )
            return tuple(
                Receipt(recipient=recipient, delivery=Delivery.DEFERRED, detail=detail)
                for recipient in message.recipients
            )

    def _masked(self, receipt: Receipt) -> Receipt:
        detail = receipt.detail and self.masker.sentence(receipt.detail)
        return replace(receipt, detail=detail)

    def _mark(
        self, claim: QueuedMessage, receipts: tuple[Receipt, ...]
    ) -> MessageState:
        state = self.store.mail.record_receipts(
            claim.number,
            receipts,
            owner=self.owner,
            next_try_at=next_try(
                claim.queued_at,
                claim.attempts + 1,
                self.now(),
                asked=_asked_wait(receipts),
            ),
        )
        if state is MessageState.SENT:
            self._slim(claim)
        return state

    def _slim(self, claim: QueuedMessage) -> None:
        """Keep what was said, not what was attached: the outputs have files of their own."""
        if kept := without_attachment(claim.message.content):
            # It is sent all the same, and only takes more room.
            with suppress(StoreError):
                self.store.mail.replace_sent(claim.number, kept)


def _asked_wait(receipts: tuple[Receipt, ...]) -> float:
    """Return the seconds the server asks to be left alone; 0 if it does not."""
    return max((receipt.retry_after or 0.0 for receipt in receipts), default=0.0)
