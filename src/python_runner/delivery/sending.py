"""Sends messages in a thread that nobody waits for longer than a deadline.

A delivery that hangs (a tarpit, a name server that is silent) goes on in its thread
after the deadline and counts as deferred; if it still succeeds, that is recorded.
"""

from __future__ import annotations

import math
import os
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from python_runner.delivery.connections import deferred
from python_runner.delivery.ways import (
    Dispatch,
    note_answer,
    reached_nobody,
    retry_after,
)
from python_runner.facts import dataclass
from python_runner.policy import next_try
from python_runner.records.messages import MessageState
from python_runner.records.store import StoreError
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from python_runner.delivery.deadline import Deadline
    from python_runner.delivery.ways import Answered, OpenWay
    from python_runner.model import Receipt
    from python_runner.records.message_queue import MessageQueue
    from python_runner.records.messages import QueuedMessage

#: Seconds a claim outlives the deadline of its drain: after that its owner is dead.
_LEASE_MARGIN = 60.0


@dataclass(slots=True, kw_only=True)
class Drain:
    """Claims one audience's due messages, sends them and marks them, one by one.

    Attributes:
        now: the clock of the records.
        ways: by which they leave, in their order.
        deadline: when the caller stops waiting.
        own: the runs whose messages leave first.
        others_end: the moment, by the deadline's clock, until which the messages of other
            runs may take the caller's time.
        counts: messages by the state they are in now.
        given_up: the numbers of the messages that were given up.
    """

    queue: MessageQueue
    audience: str
    now: Callable[[], datetime]
    ways: Sequence[OpenWay]
    deadline: Deadline
    own: Collection[str] = ()
    others_end: float = math.inf
    counts: Counter[MessageState] = field(default_factory=Counter)
    given_up: list[int] = field(default_factory=list)
    _owner: str = field(default_factory=lambda: f"{os.getpid()}-{os.urandom(4).hex()}")
    _error: Exception | None = None
    #: The message that is being sent; None once either thread has marked it.
    _claimed: QueuedMessage | None = None
    _marking: threading.Lock = field(default_factory=threading.Lock)
    _dispatch: Dispatch = field(init=False)

    def __post_init__(self) -> None:
        self._dispatch = Dispatch(
            ways=self.ways, deadline=self.deadline, note=self._note
        )

    def run(self, stopping: Callable[[], bool]) -> None:
        """Send what is due until the deadline; less once the runner is asked to stop.

        Raises:
            StoreError: the records cannot be read or written.
        """
        try:
            if not self.deadline.run(self._send_all, stopping):
                self._abandon()
        except RuntimeError as error:
            self._defer_all(no_thread(error))
        if self._error is not None:
            raise self._error

    def _send_all(self) -> None:
        try:
            with ExitStack() as stack:
                for way in self.ways:
                    stack.callback(way.close)
                # A run has one message for each audience.
                for _ in self.own:
                    if not self._send_next(self.own):
                        break
                self.deadline.end = min(self.deadline.end, self.others_end)
                while self._send_next():
                    pass
        except Exception as error:  # noqa: BLE001 - run() raises it
            self._error = error

    def _send_next(self, run_ids: Collection[str] = ()) -> bool:
        """Send the next message that is due; False if there is none, or no time for it."""
        way = next((way for way in self.ways if not way.is_closed), None)
        if (
            way is None
            or not way.endpoint.limiter.wait(self.deadline.end)
            or (claimed := self._claim(run_ids)) is None
        ):
            return False
        self._conclude(claimed, self._send(claimed))
        return True

    def _claim(self, run_ids: Collection[str] = ()) -> QueuedMessage | None:
        self._claimed = self.queue.claim_due(
            self.now(),
            owner=self._owner,
            lease_seconds=self.deadline.left + _LEASE_MARGIN,
            audience=self.audience,
            run_ids=run_ids,
        )
        return self._claimed

    def _send(self, claimed: QueuedMessage) -> Answered:
        several = len(self.ways) > 1
        return self._dispatch.send(
            claimed.message,
            claimed.path,
            unanswered=claimed.unanswered,
            record=partial(self._hand_over, claimed) if several else lambda _way: True,
        )

    def _hand_over(self, claimed: QueuedMessage, way: str) -> bool:
        """Write down which way is given a message; False if it is not this drain's any more.

        A crash from here on leaves it to that way alone.
        """
        with suppress(StoreError):
            return self.queue.hand_over(claimed.number, way, owner=self._owner)
        return True

    def _note(self, way: OpenWay, receipts: Sequence[Receipt]) -> None:
        with self._marking:
            # A message that was abandoned has been counted.
            if self._claimed is not None or not reached_nobody(receipts):
                note_answer(way, receipts)

    def _conclude(self, claimed: QueuedMessage, answered: Answered) -> None:
        with self._marking:
            receipts = answered.receipts
            if receipts is None:
                # Not the server's failure: another project may still name the channel.
                receipts = deferred(claimed.message, _not_configured(claimed))
            elif self._claimed is None and reached_nobody(receipts):
                # It was abandoned, and that has been marked.
                return
            self._mark(claimed, receipts, answered.unanswered)

    def _abandon(self) -> None:
        """Count the message that is being sent as deferred."""
        with self._marking:
            if (claimed := self._claimed) is not None:
                way = self._dispatch.current or self.ways[0]
                receipts = way.connections.timed_out(claimed.message)
                # A server that took other messages is slow, and not out of reach.
                certain = not self.counts[MessageState.SENT]
                way.endpoint.breaker.failure(receipts[-1].detail, certain=certain)
                given = way.name if way.gate.hand_over.done else claimed.unanswered
                self._mark(claimed, receipts, given)

    def _defer_all(self, reason: Sentence) -> None:
        """Count what is due as deferred: nothing can be sent now, by no fault of a server."""
        while self.deadline.left and (claimed := self._claim()):
            self._mark(claimed, deferred(claimed.message, reason), claimed.unanswered)

    def _mark(
        self,
        claimed: QueuedMessage,
        receipts: tuple[Receipt, ...],
        unanswered: str | None,
    ) -> None:
        self._claimed = None
        state = self.queue.record_receipts(
            claimed.number,
            receipts,
            owner=self._owner,
            unanswered=unanswered or None,
            next_try_at=next_try(
                claimed.queued_at,
                claimed.attempts + 1,
                self.now(),
                asked=retry_after(receipts),
            ),
        )
        self.counts[state] += 1
        if state is MessageState.FAILED:
            self.given_up.append(claimed.number)
        elif state is MessageState.SENT:
            self._drop_attachment(claimed)

    def _drop_attachment(self, claimed: QueuedMessage) -> None:
        """Keep a sent message's texts alone: the outputs have files of their own."""
        # Imported here because a run that sends nothing needs no MIME.
        from python_runner.report.mime import without_attachment  # noqa: PLC0415

        if kept := without_attachment(claimed.message.content):
            # If it stays, it only takes more room.
            with suppress(StoreError):
                self.queue.replace_sent(claimed.number, kept)


def no_thread(error: RuntimeError) -> Sentence:
    """Return why nothing is sent while the system allows no further thread."""
    template = N_("the report could not be sent now: {error}")
    return Sentence.of(template, error=str(error))


def _not_configured(claimed: QueuedMessage) -> Sentence:
    return Sentence.of(
        N_(
            "the configuration of {project} no longer contains this channel; put it"
            " back, or drop the report: python-runner mail drop {number}"
        ),
        project=str(claimed.path),
        number=claimed.number,
    )
