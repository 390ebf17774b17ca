"""Gets reports out, in the order they are due, without ever keeping a project waiting.

Each message is claimed, sent outside any transaction, and marked after. A crash between
the server's answer and the mark sends it again: same bytes, same ``Message-ID``, same
date, which is what lets mail servers recognise a duplicate.

Mails and each channel are audiences of their own: none has to wait for another's way.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.delivery.circuit_breaker import CircuitBreaker
from python_runner.masking import Masker
from python_runner.model import RECIPIENTS, Delivery, Receipt
from python_runner.policy import next_try
from python_runner.records.messages import MessageState
from python_runner.records.store import StoreError
from python_runner.report.mime import without_attachment
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from python_runner.delivery.transports import Transport
    from python_runner.model import Message
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store

#: Seconds a claim outlives the deadline of its drain: after that its owner is dead.
_LEASE_MARGIN = 60.0
#: Seconds a delivery still gets once the runner is asked to stop.
_LAST_SECONDS = 3.0
#: Seconds between two looks at whether that is so.
_SLICE = 0.1
#: The folder of mails: one transport serves every project.
ANYWHERE = Path()


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


def drain(
    store: Store,
    open_way: Callable[[Path], Transport | None],
    *,
    audience: str = RECIPIENTS,
    now: Callable[[], datetime],
    deadline_seconds: float,
    way: CircuitBreaker | None = None,
    stopping: Callable[[], bool] = lambda: False,
    masker: Masker | None = None,
) -> DrainReport:
    """Send what is due for one audience until time is up: mails over one connection.

    A delivery that hangs (a tarpit, a name server that is silent) is left behind in its
    thread when time is up, and counts as deferred: it may still end well and be marked.

    Args:
        store: where the messages are.
        open_way: makes the way out; called when the first message is due. A channel's
            is called with the folder of each project, whose configuration names it, and
            returns None where that does not hold it any more.
        audience: the recipients of mails, or what stands for a channel.
        now: the clock of the records.
        deadline_seconds: longest time until this function returns.
        way: what earlier drains of this process have learnt; None: nothing.
        stopping: whether the runner is asked to stop; only seconds are left then.
        masker: takes secrets out of what servers and libraries say.

    Raises:
        StoreError: the records cannot be read or written. Nothing that a transport
            does is ever raised: it becomes a deferral.
    """
    way = way or CircuitBreaker()
    deadline = way.monotonic() + deadline_seconds
    if way.rests or not way.turn.acquire(timeout=deadline_seconds):
        return DrainReport(remaining=store.messages.waiting())
    try:
        work = _Drain(
            store=store,
            audience=audience,
            open_way=open_way,
            now=now,
            way=way,
            deadline=deadline,
            lease_seconds=deadline_seconds + _LEASE_MARGIN,
            masker=masker or Masker(),
        )
        _wait_for(work, stopping)
        return work.report()
    finally:
        way.used_at = way.monotonic()
        way.turn.release()


def send_once(
    message: Message,
    open_transport: Callable[[], Transport],
    *,
    deadline_seconds: float,
    way: CircuitBreaker | None = None,
    stopping: Callable[[], bool] = lambda: False,
    masker: Masker | None = None,
) -> tuple[Receipt, ...]:
    """Send a message that no records hold, now or never, as patiently as a drain.

    Args:
        message: what to send.
        open_transport: makes the way out.
        deadline_seconds: longest time until this function returns.
        way: as for :func:`drain`; this is tried even while it rests.
        stopping: likewise.
        masker: likewise.

    Returns:
        One receipt per recipient; ``deferred`` means that nobody tries it again.
    """
    way = way or CircuitBreaker()
    started = way.monotonic()
    work = _Single(
        message=message,
        open_way=lambda _folder: open_transport(),
        way=way,
        deadline=started + deadline_seconds,
        since=started,
        masker=masker or Masker(),
    )
    if not way.turn.acquire(timeout=deadline_seconds):
        work.let_go()
        return work.receipts
    try:
        _wait_for(work, stopping)
        return work.receipts
    finally:
        way.turn.release()


def _wait_for(work: _Delivery, stopping: Callable[[], bool]) -> None:
    """Let ``work`` run in a thread of its own, until its deadline."""
    # A daemon: a process that is done must not wait for a server that is not.
    thread = threading.Thread(target=work.run, name="outbox", daemon=True)
    monotonic = work.way.monotonic
    thread.start()
    hurried = False
    while thread.is_alive() and (moment := monotonic()) < work.deadline:
        if stopping() and not hurried:
            hurried = True
            work.deadline = min(work.deadline, moment + _LAST_SECONDS)
        thread.join(_SLICE)
    if thread.is_alive():
        work.let_go()


@dataclass(slots=True, kw_only=True)
class _Delivery:
    """What goes on in a thread that nobody waits for longer than its deadline.

    Attributes:
        open_way: makes the way out for what tells of the project in a folder.
        transports: those that are open: one for all mails, or a project's to a channel.
    """

    open_way: Callable[[Path], Transport | None]
    way: CircuitBreaker
    deadline: float
    masker: Masker
    transports: dict[Path, Transport] = field(default_factory=dict)
    #: When the message under way was begun, by the clock of ``way``.
    since: float = 0.0

    def run(self) -> None:
        """Deliver, then say goodbye."""
        try:
            self.deliver()
        finally:
            for transport in self.transports.values():
                with suppress(Exception):
                    transport.close()

    def deliver(self) -> None:
        """Do the work; raises nothing."""
        raise NotImplementedError

    def let_go(self) -> None:
        """Account for what is under way; it goes on alone."""
        raise NotImplementedError

    def send(
        self, message: Message, folder: Path = ANYWHERE
    ) -> tuple[Receipt, ...] | None:
        """Send one message; whatever a transport raises is a deferral.

        Returns:
            The receipts; None where the project in ``folder`` knows no way any more.
        """
        self.since = self.way.monotonic()
        try:
            if folder not in self.transports and (way := self.open_way(folder)):
                self.transports[folder] = way
            if folder not in self.transports:
                return None
            receipts = self.transports[folder].send(message)
        except Exception as error:  # noqa: BLE001 - mail never changes a run
            detail = Sentence.of(
                N_("the transport broke down: {error}"), error=repr(error)
            )
            receipts = _deferred(message, detail)
        return tuple(map(self._masked, receipts))

    def _masked(self, receipt: Receipt) -> Receipt:
        detail = receipt.detail and self.masker.sentence(receipt.detail)
        return replace(receipt, detail=detail)

    def too_slow(self, message: Message) -> Sentence:
        """Return why ``message``, which is under way, is not waited for any longer."""
        template = N_("the channel had not taken the report after {seconds} s")
        if message.audience == RECIPIENTS:
            template = N_("the mail server had not taken the mail after {seconds} s")
        return Sentence.of(template, seconds=round(self.way.monotonic() - self.since))


@dataclass(slots=True, kw_only=True)
class _Drain(_Delivery):
    """One drain, from its first claim to its last mark."""

    store: Store
    audience: str
    now: Callable[[], datetime]
    lease_seconds: float
    owner: str = field(default_factory=lambda: f"{os.getpid()}-{os.urandom(4).hex()}")
    counts: Counter[MessageState] = field(default_factory=Counter)
    given_up: list[int] = field(default_factory=list)
    error: Exception | None = None
    #: The message under way; None once it is marked, by whoever came first.
    claim: QueuedMessage | None = None
    marking: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self) -> None:
        """Send what is due; what goes wrong with the records is kept for the caller."""
        try:
            while (
                not self.way.rests
                and self.way.pace.wait(self.deadline)
                and (claim := self._take())
            ):
                self.way.pace.take()
                mails = self.audience == RECIPIENTS
                folder = ANYWHERE if mails else claim.path
                self._conclude(claim, self._send_politely(claim.message, folder))
        except Exception as error:  # noqa: BLE001 - raised again where drain() waits
            self.error = error

    def let_go(self) -> None:
        """Count the message under way as deferred."""
        with self.marking:
            if self.claim is not None:
                detail = self.too_slow(self.claim.message)
                # A server that took others before is slow, and not out of reach.
                self.way.failed(detail, sure=not self.counts[MessageState.SENT])
                self._mark(self.claim, _deferred(self.claim.message, detail))

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
            remaining=self.store.messages.waiting(),
            given_up=tuple(self.given_up),
        )

    def _take(self) -> QueuedMessage | None:
        self.claim = self.store.messages.claim_due(
            self.now(),
            owner=self.owner,
            lease_seconds=self.lease_seconds,
            audience=self.audience,
        )
        return self.claim

    def _conclude(
        self, claim: QueuedMessage, receipts: tuple[Receipt, ...] | None
    ) -> None:
        with self.marking:
            if receipts is None:
                # No fault of the way: another project may well have it.
                receipts = _deferred(claim.message, _not_there(claim))
            elif not _reached_nobody(receipts):
                self.way.worked()
            elif self.claim is None:
                # It was let go of, and that has been marked.
                return
            else:
                # Who asks to be left alone means it for every message.
                sure = receipts[-1].barred or _asked_wait(receipts) > 0
                self.way.failed(receipts[-1].detail, sure=sure)
            self._mark(claim, receipts)

    def _send_politely(
        self, message: Message, folder: Path
    ) -> tuple[Receipt, ...] | None:
        """Send; wait and try once more if the server asks for that and time allows."""
        receipts = self.send(message, folder)
        asked = _asked_wait(receipts or ())
        if (
            asked
            and _reached_nobody(receipts or ())
            and self.way.pace.pause(asked, self.deadline)
            and self.way.pace.wait(self.deadline)
        ):
            self.way.pace.take()
            return self.send(message, folder)
        return receipts

    def _mark(self, claim: QueuedMessage, receipts: tuple[Receipt, ...]) -> None:
        self.claim = None
        state = self.store.messages.record_receipts(
            claim.number,
            map(self._masked, receipts),
            owner=self.owner,
            next_try_at=next_try(
                claim.queued_at,
                claim.attempts + 1,
                self.now(),
                asked=_asked_wait(receipts),
            ),
        )
        self.counts[state] += 1
        if state is MessageState.FAILED:
            self.given_up.append(claim.number)
        elif state is MessageState.SENT:
            self._slim(claim)

    def _slim(self, claim: QueuedMessage) -> None:
        """Keep what was said, not what was attached: the outputs have files of their own."""
        if kept := without_attachment(claim.message.content):
            # It is sent all the same, and only takes more room.
            with suppress(StoreError):
                self.store.messages.replace_sent(claim.number, kept)


@dataclass(slots=True, kw_only=True)
class _Single(_Delivery):
    """One message that is in no outbox."""

    message: Message
    receipts: tuple[Receipt, ...] = ()

    def deliver(self) -> None:
        """Send the message."""
        receipts = self.send(self.message)
        if receipts and not self.receipts:
            self.receipts = receipts

    def let_go(self) -> None:
        """Nobody waits for the answer any more."""
        if not self.receipts:
            self.receipts = _deferred(self.message, self.too_slow(self.message))


def _deferred(message: Message, detail: Sentence) -> tuple[Receipt, ...]:
    return tuple(
        Receipt(recipient=recipient, delivery=Delivery.DEFERRED, detail=detail)
        for recipient in message.recipients
    )


def _not_there(claim: QueuedMessage) -> Sentence:
    return Sentence.of(
        N_(
            "the configuration of {project} does not hold this channel any more; put it"
            " back, or give the report up: python-runner mail drop {number}"
        ),
        project=str(claim.path),
        number=claim.number,
    )


def _reached_nobody(receipts: tuple[Receipt, ...]) -> bool:
    return all(receipt.delivery is Delivery.DEFERRED for receipt in receipts)


def _asked_wait(receipts: tuple[Receipt, ...]) -> float:
    """Return the seconds the server asks to be left alone; 0 if it does not."""
    return max((receipt.retry_after or 0.0 for receipt in receipts), default=0.0)
