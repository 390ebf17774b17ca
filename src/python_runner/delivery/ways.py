"""The ways by which an audience's messages leave: when one is closed, the next takes over.

A way is closed when it can take no message: no network, no trust, a refused login, a
limit that is reached. That one message or one address is refused closes nothing.

A message whose answer was lost may have arrived: only the way that was given it may send
it again, so that nobody gets it twice by different ways.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from python_runner.delivery.connections import deferred
from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.facts import dataclass
from python_runner.model import Cause, Delivery
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from python_runner.delivery.connections import Connections
    from python_runner.delivery.deadline import Deadline
    from python_runner.delivery.endpoints import Endpoint
    from python_runner.delivery.transports import Transport
    from python_runner.model import Message, Receipt

#: Seconds that are kept for the ways after one that hangs: a server needs them, what is on
#: this computer does not. No more than half of the time is kept.
_RESERVE = 20.0
_LOCAL_RESERVE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to send mails, as configured.

    Attributes:
        name: its entry of ``MAIL_TRANSPORT``.
        endpoint: the name of its server; it holds no password.
        open_transport: returns its transport; takes what the transport calls before it hands a
            message over.
        a_minute: how many mails its server takes in any minute; None: any number.
        local: whether it needs this computer alone.
    """

    name: str
    endpoint: str
    open_transport: Callable[[Callable[[], None]], Transport | None]
    a_minute: int | None = None
    local: bool = False


class HandOver:
    """Says once whether a message may be given to a server, whoever asks first.

    Attributes:
        done: whether it was: from then on it may arrive.
    """

    def __init__(self, record: Callable[[], bool] = lambda: True) -> None:
        """Take what writes down that the message leaves; False keeps it back."""
        self.done = False
        self._cancelled = False
        self._record = record
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Let the message leave.

        Raises:
            DeliveryError: another way has taken it over meanwhile.
        """
        with self._lock:
            if self._cancelled or not (self.done or self._record()):
                detail = Sentence.of(N_("another way has taken over the report"))
                raise DeliveryError(Cause.TRANSIENT, detail)
            self.done = True

    def cancel(self) -> bool:
        """Keep the message back from now on; False if it has left already."""
        with self._lock:
            self._cancelled = not self.done
            return self._cancelled


class Gate:
    """What a transport asks before each message: the hand-over of the present one."""

    def __init__(self) -> None:
        self.hand_over = HandOver()

    def begin(self) -> None:
        """Let the present message leave; raises as :meth:`HandOver.begin`."""
        self.hand_over.begin()


@dataclass(slots=True, kw_only=True)
class OpenWay:
    """One way, for the time of one drain.

    Attributes:
        name: its entry of ``MAIL_TRANSPORT``; empty for a channel.
        gate: what its transport asks before each message.
        abandoned: whether a delivery hangs in it.
    """

    endpoint: Endpoint
    connections: Connections
    name: str = ""
    local: bool = False
    gate: Gate = field(default_factory=Gate)
    abandoned: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether it is not tried for now."""
        return self.abandoned or self.endpoint.breaker.is_open

    def close(self) -> None:
        """Close its transports; one in which a delivery hangs is left alone."""
        if not self.abandoned:
            self.connections.close()

    @property
    def why_closed(self) -> Sentence:
        """Why it takes nothing for now."""
        return self.endpoint.breaker.reason or Sentence.of(N_("no answer in time"))


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a message.

    Attributes:
        receipts: None where there was no transport for it.
        unanswered: the way that may have delivered it; nobody knows.
    """

    receipts: tuple[Receipt, ...] | None
    unanswered: str | None = None


@dataclass(slots=True, kw_only=True)
class Dispatch:
    """Sends messages, each by the first way that takes it.

    Attributes:
        ways: in their order; one at least.
        deadline: when nobody waits any more.
        note: told of every answer of a way.
        current: the way that is being tried.
    """

    ways: Sequence[OpenWay]
    deadline: Deadline
    note: Callable[[OpenWay, Sequence[Receipt]], None]
    current: OpenWay | None = None

    def send(
        self,
        message: Message,
        folder: Path,
        *,
        unanswered: str | None = None,
        record: Callable[[str], bool] = lambda _way: True,
        again: bool = False,
    ) -> Answered:
        """Send one message of the project in ``folder``.

        Args:
            message: what is sent.
            folder: decides about the transport of a channel.
            unanswered: the way that may have delivered it already; the others are left
                out, unless it is not configured any more.
            record: writes down that the way of that name is given the message; False
                keeps it back.
            again: whether ways that are closed are tried all the same.
        """
        tied = [way for way in self.ways if way.name == unanswered]
        ways = tied or self.ways
        only = tied and len(self.ways) > 1
        closed: list[tuple[str, Sentence]] = []
        for number, way in enumerate(ways):
            if way.abandoned or (way.is_closed and not again):
                closed.append((way.name, way.why_closed))
                continue
            after = [other for other in ways[number + 1 :] if not other.is_closed]
            if closed and not way.endpoint.limiter.wait(self.deadline.end):
                reason = N_("there was no time left to send it; a later run will")
                closed.append((way.name, Sentence.of(reason)))
                continue
            self.current = way
            way.gate.hand_over = HandOver(partial(record, way.name))
            noted = with_note(message, way.name, closed)
            receipts = self._try(way, noted, folder, after)
            if receipts is None:
                return Answered(None, unanswered)
            self.note(way, receipts)
            if len(self.ways) == 1 or not is_closed_by(receipts):
                maybe = way.name if may_have_arrived(receipts) else None
                if tied and reached_nobody(receipts):
                    # What it answers now says nothing about the first time.
                    maybe = unanswered
                return Answered(sent_otherwise(receipts, way.name, closed), maybe)
            closed.append((way.name, receipts[-1].detail or way.why_closed))
        if only:
            return Answered(waits_for(message, *closed[0]), unanswered)
        return Answered(kept_back(message, closed))

    def _try(
        self, way: OpenWay, message: Message, folder: Path, after: Sequence[OpenWay]
    ) -> tuple[Receipt, ...] | None:
        """Send by one way; wait and send again if its server asks for that, and none is after."""
        limiter, end = way.endpoint.limiter, self.deadline.end
        limiter.count()
        receipts = self._send(way, message, folder, after)
        wait = retry_after(receipts or ())
        if (
            wait
            and not after
            and reached_nobody(receipts or ())
            and limiter.pause(wait, end)
            and limiter.wait(end)
        ):
            limiter.count()
            receipts = self._send(way, message, folder, after)
        if receipts is None or not way.gate.hand_over.done:
            return receipts
        return tuple(
            replace(receipt, cause=Cause.ANSWER_LOST)
            if receipt.cause is Cause.INTERNAL
            else receipt
            for receipt in receipts
        )

    def _send(
        self, way: OpenWay, message: Message, folder: Path, after: Sequence[OpenWay]
    ) -> tuple[Receipt, ...] | None:
        """Send by one way; one that hangs before it hands over is left for those after it."""
        if not after:
            return way.connections.send(message, folder)
        answers: list[tuple[Receipt, ...] | None] = []
        ended = threading.Event()

        def work() -> None:
            answers.append(way.connections.send(message, folder))
            ended.set()

        monotonic, seconds = self.deadline.monotonic, patience(self.deadline, after)
        patient = replace(self.deadline, end=monotonic() + seconds)
        try:
            if patient.run(work, lambda: False):
                return answers[0]
        except RuntimeError:
            return way.connections.send(message, folder)
        if way.gate.hand_over.cancel():
            way.abandoned = True
            receipts = way.connections.timed_out(message)
            return tuple(replace(r, cause=Cause.UNAVAILABLE) for r in receipts)
        ended.wait()
        return answers[0]


def reached_nobody(receipts: Sequence[Receipt]) -> bool:
    """Say whether every recipient still waits."""
    return all(receipt.delivery is Delivery.DEFERRED for receipt in receipts)


def retry_after(receipts: Sequence[Receipt]) -> float:
    """Return the seconds the server asks to be left alone; 0 if it does not."""
    return max((receipt.retry_after or 0.0 for receipt in receipts), default=0.0)


def may_have_arrived(receipts: Sequence[Receipt]) -> bool:
    """Say whether somebody may have got the message whose answer was lost."""
    return any(r.cause is not None and r.cause.may_have_arrived for r in receipts)


def is_closed_by(receipts: Sequence[Receipt]) -> bool:
    """Say whether the next way may take over: this one took no message, for no fault of it."""
    return (
        reached_nobody(receipts)
        and not may_have_arrived(receipts)
        and (
            retry_after(receipts) > 0
            or any(r.cause is not None and r.cause.closes_way for r in receipts)
        )
    )


def note_answer(way: OpenWay, receipts: Sequence[Receipt]) -> None:
    """Let the circuit breaker of ``way`` know what its server answered."""
    breaker = way.endpoint.breaker
    if not reached_nobody(receipts):
        breaker.success()
        return
    last = receipts[-1]
    stops_all = last.cause is not None and last.cause.stops_all
    # A server that asks for a wait means every message.
    breaker.failure(last.detail, certain=stops_all or retry_after(receipts) > 0)


def patience(deadline: Deadline, after: Sequence[OpenWay]) -> float:
    """Return the seconds that a way may hang before one of those ``after`` it takes over."""
    reserve = _LOCAL_RESERVE if all(w.local for w in after) else _RESERVE
    return deadline.left - min(reserve, deadline.left / 2)


def closed_sentence(closed: Sequence[tuple[str, Sentence]]) -> Sentence:
    """Return which ways are closed, and why; at least one is."""
    (name, reason), *others = closed
    sentence = Sentence.of(
        N_("{way} is unavailable ({reason})"), way=name, reason=reason
    )
    if not others:
        return sentence
    return Sentence.of(
        N_("{one}; {other}"), one=sentence, other=closed_sentence(others)
    )


def sent_otherwise(
    receipts: tuple[Receipt, ...], way: str, closed: Sequence[tuple[str, Sentence]]
) -> tuple[Receipt, ...]:
    """Return receipts that say by which way a message came, and why not by another."""
    if not closed:
        return receipts
    reasons = closed_sentence(closed)
    why = Sentence.of(N_("by {way}, because {closed}"), way=way, closed=reasons)

    def noted(receipt: Receipt) -> Receipt:
        if receipt.delivery is not Delivery.SENT:
            return receipt
        if receipt.detail is None:
            return replace(receipt, detail=why)
        # Who looks for the file that a report became finds it here as well.
        other = receipt.detail
        file = {"file": other.values["file"]} if "file" in other.values else {}
        file["closed"] = reasons
        both = Sentence.of(N_("{one}; {other}"), one=why, other=other, **file)
        return replace(receipt, detail=both)

    return tuple(map(noted, receipts))


def kept_back(
    message: Message, closed: Sequence[tuple[str, Sentence]]
) -> tuple[Receipt, ...]:
    """Return the receipts of a message while all of its ways are closed."""
    return receipts_for(
        message.recipients, DeliveryError(Cause.UNAVAILABLE, closed_sentence(closed))
    )


def waits_for(
    message: Message, way: str, reason: Sentence | None
) -> tuple[Receipt, ...]:
    """Return the receipts of a message that only one way may send, while it is closed."""
    detail = Sentence.of(
        N_(
            "the email may have been delivered by {way}, so no other way may send it"
            " again ({reason})"
        ),
        way=way,
        reason=reason or Sentence.of(N_("no answer in time")),
    )
    return deferred(message, detail)


def with_note(
    message: Message, way: str, closed: Sequence[tuple[str, Sentence]]
) -> Message:
    """Return ``message`` with a line that says by which way it came, and why.

    Identity and date stay. A message that cannot be read stays as it is.
    """
    if not closed:
        return message
    # Imported here because a run that sends nothing needs no MIME.
    from python_runner.report.mime import with_line  # noqa: PLC0415

    line = Sentence.of(
        N_("This report was sent by {way}, because {closed}."),
        way=way,
        closed=closed_sentence(closed),
    )
    with suppress(Exception):
        return replace(message, content=with_line(message.content, line))
    return message
