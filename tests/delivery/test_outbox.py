from __future__ import annotations

import math
import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.delivery.endpoints import Endpoints
from python_runner.delivery.outbox import DrainReport, Outbox
from python_runner.delivery.transports import EXCHANGE_A_MINUTE, messages_a_minute
from python_runner.delivery.transports.memory import MemoryTransport
from python_runner.delivery.ways import Way
from python_runner.masking import Masker
from python_runner.model import (
    RECIPIENTS,
    Delivery,
    MailSettings,
    MailStatus,
    Message,
    Receipt,
    Run,
    RunStatus,
)
from python_runner.policy import DELIVERY_LIFE
from python_runner.records import database
from python_runner.records.messages import MessageState
from python_runner.records.store import DATABASE_NAME, Store, StoreError, open_store
from python_runner.texts.sentence import Sentence
from tests.support import GENEROUS, NOW


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from python_runner.delivery.transports import Transport

A, B = "a@example.org", "b@example.org"
PROJECT = Path("/srv/project_1")


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


def queue(store: Store, *run_ids: str, recipients: tuple[str, ...] = (A, B)) -> None:
    """Close runs and queue their reports."""
    for run_id in run_ids:
        run = Run(
            run_id=run_id,
            project="project_1",
            path=Path("/srv/project_1"),
            status=RunStatus.SUCCESS,
            started_at=NOW,
            duration=1.0,
        )
        message = Message(
            message_id=f"<{run_id}@localhost>",
            sender="runner@example.org",
            recipients=recipients,
            subject="a report",
            content=f"Date: fixed\r\n\r\n{run_id}\r\n".encode(),
        )
        store.end_run(run, [message], NOW)


def mail_of(store: Store, run_id: str) -> MailStatus:
    """Return what became of a run's report."""
    run = store.run(run_id)
    assert run is not None
    return run.mail_status


def outbox_of(
    store: Store | None,
    transport: Transport | Callable[[Path], Transport | None],
    *,
    now: datetime = NOW,
    endpoints: Endpoints | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Outbox:
    """Return an outbox that sends everything through ``transport`` at ``now``.

    ``transport`` may be a function of the project's folder.
    """
    return Outbox(
        store=store,
        open_transport=lambda _audience, folder: (
            transport(folder) if callable(transport) else transport
        ),
        now=lambda: now,
        stopping=stopping,
        endpoints=endpoints or Endpoints(),
        mail_ways=(way_of(transport, EXCHANGE_A_MINUTE),),
    )


def way_of(
    transport: Transport | Callable[[Path], Transport | None],
    a_minute: int | None = None,
) -> Way:
    """Return the one way by which mails leave through ``transport``."""
    return Way(
        name="smtp",
        endpoint=RECIPIENTS,
        open_transport=lambda _hand_over: (
            transport(Path()) if callable(transport) else transport
        ),
        a_minute=a_minute,
    )


def deliver(
    store: Store,
    transport: Transport | Callable[[Path], Transport | None],
    *,
    now: datetime = NOW,
    deadline_seconds: float = 30.0,
    endpoints: Endpoints | None = None,
    audience: str | None = None,
) -> DrainReport:
    """Drain what is due at ``now``: for everybody, or for ``audience`` alone."""
    endpoints = endpoints or Endpoints()
    if audience is not None:
        for other in {*store.messages.due_audiences(now)} - {audience}:
            endpoints[other].breaker.failure(None, certain=True)
    outbox = outbox_of(store, transport, now=now, endpoints=endpoints)
    return outbox.drain(deadline_seconds)


@dataclass
class FakeTime:
    """A clock that only sleeping moves."""

    seconds: float = 0.0
    naps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let that many pass."""
        self.naps.append(seconds)
        self.seconds += seconds


class Broken(MemoryTransport):
    """Raises, which no transport may."""

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Fail as a defect does."""
        super().send(message)
        raise RuntimeError("a defect")

    def close(self) -> None:
        """Fail again."""
        super().close()
        raise RuntimeError("another")


class Busy(MemoryTransport):
    """Asks for a wait some times, then takes everything."""

    def __init__(self, asked: float, times: int) -> None:
        super().__init__()
        self.asked = asked
        self.times = times

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Defer with a wait, or answer as usual."""
        receipts = super().send(message)
        if len(self.messages) > self.times:
            return receipts
        return tuple(
            replace(r, delivery=Delivery.DEFERRED, retry_after=self.asked)
            for r in receipts
        )


class Tarpit(MemoryTransport):
    """A server that does not answer before it is released, but for the first messages."""

    def __init__(self, *, takes: int = 0) -> None:
        super().__init__()
        self.takes = takes
        self.reached = threading.Event()
        self.released = threading.Event()

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Keep whoever calls waiting."""
        if len(self.messages) >= self.takes:
            self.reached.set()
            self.released.wait(GENEROUS)
        return super().send(message)

    def release(self) -> None:
        """Answer at last, and wait for what comes of it."""
        self.released.set()
        while not self.closed:
            time.sleep(0.01)


def down() -> MemoryTransport:
    """Return a server that takes nothing now."""
    return MemoryTransport({A: Delivery.DEFERRED, B: Delivery.DEFERRED})


def test_what_is_due_is_sent_over_one_connection(store: Store) -> None:
    """All messages leave in order, through one transport, which is closed then."""
    queue(store, "a", "b", "c")
    opened = []

    def open_transport(_folder: Path) -> MemoryTransport:
        opened.append(MemoryTransport())
        return opened[-1]

    report = deliver(store, open_transport)
    assert report == DrainReport(sent=3)
    (transport,) = opened
    assert transport.closed
    assert [m.message_id for m in transport.messages] == [
        "<a@localhost>",
        "<b@localhost>",
        "<c@localhost>",
    ]
    assert {run.mail_status for run in store.runs()} == {MailStatus.SENT}


def test_nothing_due_opens_nothing(store: Store) -> None:
    """Without a message there is no connection."""

    def never(_folder: Path) -> MemoryTransport:
        raise AssertionError

    report = deliver(store, never)
    assert report == DrainReport()


def test_a_deferred_message_leaves_later_unchanged(store: Store) -> None:
    """The retry goes to whoever waits, with the same bytes and identity."""
    queue(store, "a")
    shut = MemoryTransport({B: Delivery.DEFERRED})
    assert deliver(store, shut) == DrainReport(deferred=1, remaining=1)
    early = NOW + timedelta(minutes=4)
    assert deliver(store, MemoryTransport(), now=early) == DrainReport(remaining=1)
    again = MemoryTransport()
    later = NOW + timedelta(minutes=5)
    assert deliver(store, again, now=later) == DrainReport(sent=1)
    first, second = *shut.messages, *again.messages
    assert (first.recipients, second.recipients) == ((A, B), (B,))
    assert (first.content, first.message_id) == (second.content, second.message_id)


def test_a_server_that_is_down_is_known_by_two_messages(store: Store) -> None:
    """When nobody gets two messages in a row, the others are not tried."""
    queue(store, "a", "b", "c", "d")
    assert deliver(store, down()) == DrainReport(deferred=2, remaining=4)
    # The next drain begins with those that have not been tried.
    up = MemoryTransport()
    assert deliver(store, up) == DrainReport(sent=2, remaining=2)


def test_a_full_mailbox_is_no_dead_server(store: Store) -> None:
    """One message that nobody can get now does not hold the others back."""
    queue(store, "a", recipients=(B,))
    queue(store, "b", "c", recipients=(A,))
    full = MemoryTransport({B: Delivery.DEFERRED})
    assert deliver(store, full) == DrainReport(sent=2, deferred=1, remaining=1)


def test_a_server_that_is_down_is_left_alone_for_a_while(store: Store) -> None:
    """The drains of a process do not pay for one dead server again and again."""
    clock = FakeTime()
    endpoints = Endpoints(clock.monotonic, clock.sleep)
    tries = []
    for number in range(60):
        queue(store, f"{number:x}")
        tries.append(bool(deliver(store, down(), endpoints=endpoints).deferred))
        clock.seconds += 60.0
    # Two that prove it, then after 5, 10, 20 minutes; the next would be after 40.
    assert [place for place, tried in enumerate(tries) if tried] == [0, 1, 6, 16, 36]

    endpoints.reset()
    up = MemoryTransport()
    assert deliver(store, up, endpoints=endpoints).sent == EXCHANGE_A_MINUTE
    clock.seconds += 60.0
    assert deliver(store, down(), endpoints=endpoints).deferred == 2


def test_a_deadline_that_passes_opens_the_breaker(store: Store) -> None:
    """A tarpit costs a process its deadline once."""
    queue(store, "a", "b")
    endpoints = Endpoints()
    tarpit = Tarpit()
    assert (
        deliver(store, tarpit, deadline_seconds=0.3, endpoints=endpoints).deferred == 1
    )
    assert deliver(store, MemoryTransport(), endpoints=endpoints) == DrainReport(
        remaining=2
    )
    assert "had not accepted the email" in str(endpoints[RECIPIENTS].breaker.reason)
    endpoints.reset()
    assert deliver(store, MemoryTransport(), endpoints=endpoints) == DrainReport(
        sent=1, remaining=1
    )
    assert endpoints[RECIPIENTS].breaker.reason is None
    tarpit.release()


def test_a_slow_server_does_not_open_the_breaker(store: Store) -> None:
    """Who took a message and let the next one wait is asked again by the next run."""
    queue(store, "a", "b", "c")
    endpoints = Endpoints()
    slow = Tarpit(takes=1)
    report = deliver(store, slow, deadline_seconds=0.5, endpoints=endpoints)
    assert report == DrainReport(sent=1, deferred=1, remaining=2)
    assert deliver(store, MemoryTransport(), endpoints=endpoints).sent == 1
    slow.release()


def test_drains_of_one_process_take_turns(store: Store) -> None:
    """A second drain waits for the first, and for no longer than its own deadline."""
    queue(store, "a")
    endpoints, tarpit = Endpoints(), Tarpit()
    first = threading.Thread(target=lambda: deliver(store, tarpit, endpoints=endpoints))
    first.start()
    assert tarpit.reached.wait(GENEROUS)
    queue(store, "b")
    started = time.monotonic()
    report = deliver(
        store, MemoryTransport(), deadline_seconds=0.2, endpoints=endpoints
    )
    assert report == DrainReport(remaining=2)
    assert time.monotonic() - started < GENEROUS
    tarpit.release()
    first.join(GENEROUS)


def test_a_message_without_an_outbox_has_the_same_deadline() -> None:
    """What no records hold is tried once; a tarpit cannot keep its sender."""
    message = Message(
        message_id="<a@localhost>",
        sender="runner@example.org",
        recipients=(A, B),
        subject="a report",
        content=b"",
    )
    tarpit = Tarpit()
    started = time.monotonic()
    receipts = outbox_of(None, tarpit).send_now([message], PROJECT, 0.3)
    assert time.monotonic() - started < GENEROUS
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert "had not accepted the email" in str(receipts[0].detail)
    tarpit.release()

    up = MemoryTransport({B: Delivery.FAILED})
    receipts = outbox_of(None, up).send_now([message], PROJECT, 30)
    assert [r.delivery for r in receipts] == [Delivery.SENT, Delivery.FAILED]
    assert up.closed


def test_a_refused_message_does_not_stop_the_others(store: Store) -> None:
    """A permanent refusal is that message's own."""
    queue(store, "a", recipients=(B,))
    queue(store, "b", recipients=(A,))
    transport = MemoryTransport({B: Delivery.FAILED})
    assert deliver(store, transport) == DrainReport(sent=1, failed=1)


def test_a_message_is_given_up_in_the_end(store: Store) -> None:
    """After five days it is failed, and still there for people to see."""
    queue(store, "a")
    shut = down()
    moment = NOW
    while deliver(store, shut, now=moment).deferred:
        (message,) = store.messages.newest()
        moment = message.next_try_at
    # 5, 10, 20, 40, 80, 160 minutes, then every four hours until the fifth day is over.
    assert DELIVERY_LIFE <= moment - NOW < DELIVERY_LIFE + timedelta(hours=4)
    assert len(shut.messages) == 36
    assert deliver(store, MemoryTransport(), now=moment) == DrainReport()
    assert mail_of(store, "a") is MailStatus.FAILED
    assert [m.run_id for m in store.messages.unannounced()] == ["a"]


def test_a_defect_of_a_transport_is_a_deferral(store: Store) -> None:
    """Whatever a transport raises, the message waits and says why."""
    queue(store, "a", "b")
    broken = Broken()
    assert deliver(store, broken) == DrainReport(deferred=2, remaining=2)
    assert broken.closed
    (_, message) = store.messages.newest()
    assert "a defect" in str(message.recipients[0].detail)


@pytest.mark.parametrize("recorded", [True, False])
def test_what_a_defect_says_is_masked(
    store: Store, message: Message, *, recorded: bool
) -> None:
    """An exception may hold the password: it stays out of records and receipts."""
    outbox = Outbox(
        store=store,
        open_transport=lambda _audience, _folder: Broken(),
        now=lambda: NOW,
        masker=Masker(["a defect"]),
    )
    if recorded:
        queue(store, "a")
        outbox.drain(30)
        (queued,) = store.messages.newest()
        told = [addressee.detail for addressee in queued.recipients]
    else:
        receipts = outbox.send_now([message], PROJECT, 30)
        told = [receipt.detail for receipt in receipts]

    assert [str(detail) for detail in told] == [
        "internal error while sending: RuntimeError('***')"
    ] * len(told)
    assert told


def test_a_transport_that_cannot_be_opened_is_a_deferral(store: Store) -> None:
    """So is a transport that does not exist."""
    queue(store, "a")

    def nowhere(_folder: Path) -> MemoryTransport:
        raise KeyError("pigeon")

    report = deliver(store, nowhere)
    assert report == DrainReport(deferred=1, remaining=1)


def test_a_tarpit_delays_nobody(store: Store) -> None:
    """The drain ends at its deadline; what hung may still end well."""
    queue(store, "a", "b")
    tarpit = Tarpit()
    started = time.monotonic()
    left = DrainReport(deferred=1, remaining=2)
    assert deliver(store, tarpit, deadline_seconds=0.3) == left
    assert time.monotonic() - started < GENEROUS
    # Nobody else sends it meanwhile.
    assert deliver(store, MemoryTransport()) == DrainReport(sent=1, remaining=1)
    tarpit.released.set()
    while store.messages.waiting():
        time.sleep(0.01)
    assert len(tarpit.messages) == 1
    assert mail_of(store, "a") is MailStatus.SENT


def test_a_message_left_in_a_tarpit_is_sent_again(store: Store) -> None:
    """Minutes later the message leaves over another connection, the same as it was."""
    queue(store, "a")
    tarpit = Tarpit()
    left = DrainReport(deferred=1, remaining=1)
    assert deliver(store, tarpit, deadline_seconds=0.3) == left
    (waiting,) = store.messages.newest()
    assert "had not accepted the email" in str(waiting.recipients[0].detail)
    again = MemoryTransport()
    later = NOW + timedelta(minutes=5)
    assert deliver(store, again, now=later) == DrainReport(sent=1)
    tarpit.release()
    assert tarpit.messages == again.messages
    assert mail_of(store, "a") is MailStatus.SENT


def test_records_closed_under_a_hanging_delivery_harm_nobody(shielded: Path) -> None:
    """The process may end while a server does not answer."""
    tarpit = Tarpit()
    with open_store(shielded, NOW) as store:
        queue(store, "a")
        deliver(store, tarpit, deadline_seconds=0.3)
    tarpit.release()


def test_a_runner_that_stops_has_seconds_left(store: Store) -> None:
    """Asked to stop, the drain waits a little for the server, and no more."""
    queue(store, "a", "b")
    tarpit = Tarpit()
    started = time.monotonic()
    outbox = outbox_of(
        store,
        tarpit,
        endpoints=Endpoints(lambda: 10 * time.monotonic()),
        stopping=tarpit.reached.is_set,
    )
    report = outbox.drain(600)
    assert report == DrainReport(deferred=1, remaining=2)
    assert time.monotonic() - started < GENEROUS
    tarpit.release()
    assert len(tarpit.messages) == 1


def test_a_runner_that_stops_still_sends(store: Store) -> None:
    """A server that answers gets the report of the stopped run."""
    queue(store, "a")
    report = outbox_of(store, MemoryTransport(), stopping=lambda: True).drain(60)
    assert report == DrainReport(sent=1)


def test_no_more_than_thirty_messages_a_minute(store: Store) -> None:
    """The thirty-first waits until the first is a minute ago."""
    queue(store, *(f"{number:x}" for number in range(EXCHANGE_A_MINUTE + 2)))
    clock = FakeTime()
    report = deliver(
        store,
        MemoryTransport(),
        deadline_seconds=100,
        endpoints=Endpoints(clock.monotonic, clock.sleep),
    )
    assert report == DrainReport(sent=EXCHANGE_A_MINUTE + 2)
    assert clock.naps == [60.0]


def test_the_rate_limit_counts_messages_over_all_drains(store: Store) -> None:
    """Thirty projects in a minute wait for nothing; the next one does."""
    clock = FakeTime()
    endpoints = Endpoints(clock.monotonic, clock.sleep)
    for number in range(EXCHANGE_A_MINUTE):
        queue(store, f"{number:x}")
        assert deliver(store, MemoryTransport(), endpoints=endpoints).sent == 1
        assert deliver(store, MemoryTransport(), endpoints=endpoints).sent == 0
    assert clock.naps == []
    queue(store, "last")
    assert (
        deliver(store, MemoryTransport(), endpoints=endpoints, deadline_seconds=61).sent
        == 1
    )
    assert clock.naps == [60.0]


def test_the_rate_limit_does_not_outlast_the_deadline(store: Store) -> None:
    """What would have to wait too long is left for the next drain, at once."""
    queue(store, *(f"{number:x}" for number in range(EXCHANGE_A_MINUTE + 2)))
    clock = FakeTime()
    report = deliver(
        store,
        MemoryTransport(),
        deadline_seconds=59,
        endpoints=Endpoints(clock.monotonic, clock.sleep),
    )
    assert report == DrainReport(sent=EXCHANGE_A_MINUTE, remaining=2)
    assert clock.naps == []


def test_no_time_sends_nothing(store: Store) -> None:
    """A deadline that has passed already lets nothing out."""
    queue(store, "a")
    transport = MemoryTransport()
    assert deliver(store, transport, deadline_seconds=0) == DrainReport(remaining=1)
    assert transport.messages == []


def test_drains_at_the_same_time_send_everything_once(shielded: Path) -> None:
    """Two processes' drains share the messages; none leaves twice."""
    with open_store(shielded, NOW) as first, open_store(shielded, NOW) as second:
        queue(first, *(f"{number:x}" for number in range(20)))
        transports = [MemoryTransport() for _ in range(2)]
        reports = []
        threads = [
            threading.Thread(
                target=lambda s=store, t=transport: reports.append(deliver(s, t))
            )
            for store, transport in zip((first, second), transports, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(report.sent for report in reports) == 20
    sent = Counter(m.message_id for t in transports for m in t.messages)
    assert set(sent.values()) == {1}
    assert len(sent) == 20


@dataclass
class Slow(MemoryTransport):
    """Takes each message after some seconds of a clock that only it moves."""

    clock: FakeTime
    seconds: float

    def __post_init__(self) -> None:
        super().__init__()

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Let the seconds pass, and take the message."""
        self.clock.sleep(self.seconds)
        return super().send(message)


@pytest.mark.fault(
    "delivery",
    "Two hundred reports wait",
    "The run's own report leaves first; the others take 15 seconds at most before and after.",
)
@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.0, 4.0])
def test_the_own_report_leaves_first_and_the_others_take_their_time_only(
    store: Store, seconds: float
) -> None:
    """Two hundred that wait delay a run by their seconds, and not its own report."""
    queue(store, *(f"{number:x}" for number in range(200)), "own")
    clock = FakeTime()
    slow = Slow(clock, seconds)
    outbox = replace(
        outbox_of(store, slow, endpoints=Endpoints(clock.monotonic, clock.sleep)),
        mail_ways=(way_of(slow),),
    )
    report = outbox.drain(60, own=["own"], others_seconds=15)
    order = [message.message_id for message in slow.messages]
    assert order[:3] == ["<own@localhost>", "<0@localhost>", "<1@localhost>"]
    assert report.sent == (min(201, math.ceil(15 / seconds)) if seconds else 201)
    assert clock.seconds < 15 + seconds
    assert report.remaining == 201 - report.sent


def test_a_slow_own_report_has_more_time_than_those_that_wait(store: Store) -> None:
    """Once it is out, no time is left for the others."""
    queue(store, "old", "own")
    clock = FakeTime()
    slow = Slow(clock, 40)
    outbox = outbox_of(store, slow, endpoints=Endpoints(clock.monotonic, clock.sleep))
    assert outbox.drain(60, own=["own"], others_seconds=15) == DrainReport(
        sent=1, remaining=1
    )
    assert mail_of(store, "own") is MailStatus.SENT


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (MailSettings(), EXCHANGE_A_MINUTE),
        (MailSettings(smtp_host="SMTP-mail.Outlook.com"), EXCHANGE_A_MINUTE),
        (MailSettings(smtp_host="smtp.office365.us"), EXCHANGE_A_MINUTE),
        (MailSettings(smtp_host="smtp.partner.outlook.cn"), EXCHANGE_A_MINUTE),
        (MailSettings(transport="graph", smtp_host="x"), EXCHANGE_A_MINUTE),
        (MailSettings(transport="smtp-oauth2", smtp_host="x"), EXCHANGE_A_MINUTE),
        (MailSettings(smtp_host="relay.example.org"), None),
        (MailSettings(smtp_host="smtp.gmail.com"), None),
        (MailSettings(smtp_host="myoutlook.com"), None),
        (MailSettings(smtp_host="outlook.com.example.org"), None),
        (MailSettings(transport="file"), None),
    ],
)
def test_only_some_services_limit_the_rate(
    settings: MailSettings, limit: int | None
) -> None:
    """An office relay takes what comes."""
    assert messages_a_minute(settings) == limit


def test_a_relay_without_a_limit_takes_all_at_once(store: Store) -> None:
    """Nobody waits for a minute that no service asks for."""
    queue(store, *(f"{number:x}" for number in range(EXCHANGE_A_MINUTE * 2)))
    clock = FakeTime()
    outbox = replace(
        outbox_of(
            store, MemoryTransport(), endpoints=Endpoints(clock.monotonic, clock.sleep)
        ),
        mail_ways=(way_of(MemoryTransport()),),
    )
    assert outbox.drain(15).sent == EXCHANGE_A_MINUTE * 2
    assert clock.naps == []


def test_records_that_fail_are_the_callers_matter(shielded: Path) -> None:
    """A StoreError reaches whoever asked for the drain."""
    store = open_store(shielded, NOW)
    store.close()
    with pytest.raises(StoreError):
        deliver(store, MemoryTransport())


def _busy_drain(store: Store, busy: Busy, clock: FakeTime) -> DrainReport:
    return deliver(
        store,
        busy,
        deadline_seconds=60,
        endpoints=Endpoints(clock.monotonic, clock.sleep),
    )


def test_a_wait_the_server_asks_for_is_kept_within_the_deadline(store: Store) -> None:
    """Who is asked to come back in twenty seconds does, while there is time."""
    queue(store, "a", "b")
    clock = FakeTime()
    assert _busy_drain(store, Busy(20, 1), clock) == DrainReport(sent=2)
    assert clock.naps == [20]


def test_a_wait_is_kept_once_a_message(store: Store) -> None:
    """A server that always asks for one more second does not keep a drain busy."""
    queue(store, "a", "b")
    clock = FakeTime()
    busy = Busy(1, 99)
    assert _busy_drain(store, busy, clock) == DrainReport(deferred=1, remaining=2)
    assert len(busy.messages) == 2


@pytest.mark.parametrize(("asked", "minutes"), [(61, 5), (900, 15), (10**9, 24 * 60)])
def test_a_longer_wait_is_kept_by_a_later_drain(
    store: Store, asked: float, minutes: int
) -> None:
    """Beyond the deadline nobody waits: the message is due when the server is ready."""
    queue(store, "a")
    clock = FakeTime()
    busy = Busy(asked, 1)
    assert _busy_drain(store, busy, clock) == DrainReport(deferred=1, remaining=1)
    assert clock.naps == []
    (queued,) = store.messages.newest()
    assert queued.next_try_at == NOW + timedelta(minutes=minutes)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the write lock of the records, as another program does."""
    connect = partial(sqlite3.connect, isolation_level=None, check_same_thread=False)
    with closing(connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_records_locked_for_seconds_are_waited_for(
    store: Store, shielded: Path
) -> None:
    """A backup or another runner that writes for a while costs time, not reports."""
    queue(store, "a", "b")
    transport = MemoryTransport()
    with locked(shielded / DATABASE_NAME):
        thread = threading.Thread(target=lambda: deliver(store, transport))
        thread.start()
        time.sleep(2)
        assert transport.messages == []
    thread.join(GENEROUS)
    assert len(transport.messages) == 2
    assert store.messages.waiting() == 0


def test_records_locked_too_long_send_the_same_message_again(
    shielded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark that cannot be written costs a duplicate, which is the same to the byte."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)

    class Locks(MemoryTransport):
        """Takes the message, and something else takes the records."""

        def __init__(self, stack: ExitStack) -> None:
            super().__init__()
            self.stack = stack

        def send(self, message: Message) -> tuple[Receipt, ...]:
            """Send, then let somebody lock the records."""
            receipts = super().send(message)
            self.stack.enter_context(locked(shielded / DATABASE_NAME))
            return receipts

    with open_store(shielded, NOW) as store:
        queue(store, "a")
        with ExitStack() as stack:
            first = Locks(stack)
            with pytest.raises(StoreError, match="locked by another program"):
                deliver(store, first)
        second = MemoryTransport()
        assert deliver(store, second) == DrainReport(remaining=1)
        later = NOW + timedelta(minutes=2)
        assert deliver(store, second, now=later) == DrainReport(sent=1)
    assert first.messages == second.messages


@pytest.mark.parametrize("seed", range(5))
def test_a_clock_that_jumps_loses_and_doubles_nothing(store: Store, seed: int) -> None:
    """Forth or back by hours or days: each report is sent once, within the same days."""
    chance = random.Random(seed)  # noqa: S311 - no secret, a reproducible test
    queue(store, *(f"{number:x}" for number in range(10)))
    moment, sent = NOW, []
    for _ in range(200):
        broken = {A: Delivery.DEFERRED, B: Delivery.DEFERRED}
        up = chance.random() < 0.3
        transport = MemoryTransport({} if up else broken)
        deliver(store, transport, now=moment)
        if up:
            sent += [message.message_id for message in transport.messages]
        jump = timedelta(hours=chance.choice((-30, -2, -1, 1, 2, 30)))
        moment = min(
            max(moment + jump, NOW - timedelta(days=4)), NOW + timedelta(days=4)
        )
    assert sorted(sent) == sorted(f"<{number:x}@localhost>" for number in range(10))
    assert store.messages.waiting() == 0


# Channels: audiences beside the recipients of mails.

SLACK, HOOK = "channel 11111111", "channel 22222222"


def queue_for(store: Store, run_id: str, *audiences: str, path: Path = PROJECT) -> None:
    """Close a run and queue its report for each audience; RECIPIENTS is the mail."""
    run = Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=RunStatus.SUCCESS,
        started_at=NOW,
        duration=1.0,
    )
    messages = [
        Message(
            message_id=f"<{run_id}.{audience}@localhost>",
            sender="runner@example.org",
            recipients=(A,) if audience == RECIPIENTS else (f"the {audience}",),
            subject="a report",
            content=b"Date: fixed\r\n\r\ntext\r\n",
            audience=audience,
        )
        for audience in audiences
    ]
    store.end_run(run, messages, NOW)


#: Drains what is for SLACK.
tell = partial(deliver, audience=SLACK)


def states(store: Store) -> dict[str, str]:
    """Return the state of each audience's only message."""
    return {
        queued.message.audience: queued.state.value
        for queued in store.messages.newest(tuple(MessageState))
    }


def test_each_audience_is_drained_by_itself(store: Store) -> None:
    """One audience's drain leaves the others' messages alone, sent or not."""
    queue_for(store, "a", RECIPIENTS, SLACK, HOOK)
    assert store.messages.due_audiences(NOW) == [RECIPIENTS, SLACK, HOOK]
    mail = MemoryTransport({A: Delivery.DEFERRED})
    slack = MemoryTransport()

    assert deliver(store, mail, audience=RECIPIENTS) == DrainReport(
        deferred=1, remaining=3
    )
    assert tell(store, slack) == DrainReport(sent=1, remaining=2)

    assert states(store) == {RECIPIENTS: "queued", SLACK: "sent", HOOK: "queued"}
    assert store.messages.due_audiences(NOW) == [HOOK]
    assert slack.closed
    assert [m.audience for m in slack.messages] == [SLACK]
    (run,) = store.runs()
    assert run.mail_status is MailStatus.QUEUED


def test_a_channel_that_is_configured_no_more_waits(store: Store) -> None:
    """It is deferred with a sentence; the same channel of another project is told."""
    gone, there = Path("/srv/gone"), Path("/srv/there")
    for run_id in "abc":
        queue_for(store, run_id, SLACK, path=gone)
    queue_for(store, "d", SLACK, path=there)
    slack, endpoints = MemoryTransport(), Endpoints()

    report = tell(
        store, lambda folder: slack if folder == there else None, endpoints=endpoints
    )

    assert report == DrainReport(sent=1, deferred=3, remaining=3)
    assert not endpoints[SLACK].breaker.is_open
    waiting = store.messages.newest()[0]
    detail = str(waiting.recipients[0].detail)
    assert str(gone) in detail
    assert f"python-runner mail drop {waiting.number}" in detail


def test_a_project_opens_its_channel_once(store: Store) -> None:
    """One transport a project, each closed at the end."""
    for run_id, path in ("a", "x"), ("b", "y"), ("c", "x"):
        queue_for(store, run_id, SLACK, path=Path("/srv", path))
    opened: dict[Path, MemoryTransport] = {}

    def open_channel(folder: Path) -> MemoryTransport:
        assert folder not in opened
        opened[folder] = MemoryTransport()
        return opened[folder]

    report = tell(store, open_channel)

    assert report == DrainReport(sent=3)
    assert [len(transport.messages) for transport in opened.values()] == [2, 1]
    assert all(transport.closed for transport in opened.values())


def test_a_channel_that_cannot_be_opened_is_a_deferral(store: Store) -> None:
    """So is one whose configuration cannot be read."""
    queue_for(store, "a", SLACK)

    def broken(_folder: Path) -> MemoryTransport:
        raise OSError("no such share")

    report = tell(store, broken)

    assert report == DrainReport(deferred=1, remaining=1)
    assert "no such share" in str(store.messages.newest()[0].recipients[0].detail)


def test_a_channel_that_is_too_slow_is_named(store: Store) -> None:
    """The sentence speaks of a channel, not of a mail server."""
    queue_for(store, "a", SLACK)
    tarpit = Tarpit()

    assert tell(store, tarpit, deadline_seconds=0.3) == DrainReport(
        deferred=1, remaining=1
    )

    detail = str(store.messages.newest()[0].recipients[0].detail)
    assert detail.startswith("the channel had not accepted the report after")
    tarpit.released.set()
    while not tarpit.closed:
        time.sleep(0.01)


def test_a_channel_is_given_up_by_itself(store: Store) -> None:
    """After five days the channel's message is failed; the mail was sent long ago."""
    queue_for(store, "a", RECIPIENTS, SLACK)
    up = MemoryTransport()
    sent = deliver(store, up, audience=RECIPIENTS)
    assert sent == DrainReport(sent=1, remaining=1)
    down = MemoryTransport({f"the {SLACK}": Delivery.DEFERRED})
    moment = NOW
    while not tell(store, down, now=moment).failed:
        (waiting,) = store.messages.newest()
        moment = waiting.next_try_at

    assert moment - NOW >= DELIVERY_LIFE
    (run,) = store.runs()
    assert run.mail_status is MailStatus.FAILED
    assert [m.message.audience for m in store.messages.unannounced()] == [SLACK]


def test_without_records_there_is_nothing_to_drain() -> None:
    """What no records hold is sent at once, or never."""
    assert outbox_of(None, MemoryTransport()).drain(30.0) == DrainReport()


def test_an_outbox_knows_how_long_it_has_been_idle(store: Store) -> None:
    """For ever, before the first drain; then since the last one ended."""
    clock = [100.0]
    endpoints = Endpoints(monotonic=lambda: clock[0])
    outbox = outbox_of(store, MemoryTransport(), endpoints=endpoints)
    assert outbox.idle_seconds == math.inf

    queue(store, "a")
    outbox.drain(30.0)
    clock[0] += 7.0

    assert outbox.idle_seconds == 7.0


def test_why_nothing_leaves_is_known_of_each_audience(store: Store) -> None:
    """Of mails it is what the server of their way has said; of a channel, its own."""
    endpoints = Endpoints()
    outbox = outbox_of(store, MemoryTransport(), endpoints=endpoints)
    away = replace(way_of(MemoryTransport()), name="relay", endpoint="relay")
    by_relay = replace(outbox, mail_ways=(away,))
    alone = replace(outbox, mail_ways=None)
    names = (RECIPIENTS, SLACK)
    assert {box.why_closed(name) for box in (outbox, by_relay) for name in names} == {
        None
    }

    for name in (RECIPIENTS, SLACK, "relay"):
        reason = Sentence.of("{name} is shut", name=name)
        endpoints[name].breaker.failure(reason, certain=True)

    assert [
        [str(box.why_closed(name)) for name in names]
        for box in (outbox, by_relay, alone)
    ] == [
        [f"{RECIPIENTS} is shut", f"{SLACK} is shut"],
        ["relay is shut", f"{SLACK} is shut"],
        [f"{RECIPIENTS} is shut", f"{SLACK} is shut"],
    ]


def test_mails_that_have_no_way_wait_and_channels_leave(
    store: Store, message: Message
) -> None:
    """Variables are missing: what needs none of them leaves meanwhile."""
    queue_for(store, "a", RECIPIENTS, SLACK)
    slack = MemoryTransport()
    outbox = replace(outbox_of(store, slack), mail_ways=())

    assert outbox.drain(30.0) == DrainReport(sent=1, remaining=1)
    assert [m.audience for m in slack.messages] == [SLACK]
    receipts = outbox.send_now([message], PROJECT, 30.0)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert "no email can be sent" in str(receipts[0].detail)


def test_mails_and_channels_leave_by_their_own_transports(store: Store) -> None:
    """At the same time, in one drain; what was given up is named by its number."""
    queue_for(store, "a", RECIPIENTS, SLACK, HOOK)
    mail, others = (
        MemoryTransport(),
        {SLACK: MemoryTransport(), HOOK: MemoryTransport()},
    )
    others[HOOK] = MemoryTransport({f"the {HOOK}": Delivery.FAILED})
    outbox = replace(
        outbox_of(store, mail),
        open_transport=lambda audience, _folder: others[audience],
    )

    report = outbox.drain(30.0)

    assert report == DrainReport(sent=2, failed=1)
    assert [m.audience for m in mail.messages] == [RECIPIENTS]
    assert [m.audience for m in others[SLACK].messages] == [SLACK]
    (failed,) = store.messages.newest((MessageState.FAILED,))
    assert report.given_up == (failed.number,)


def test_a_message_that_no_records_hold_waits_for_its_turn_in_vain(
    message: Message,
) -> None:
    """Another delivery takes longer: it is told as what came too late."""
    endpoints = Endpoints()
    transport = MemoryTransport()
    outbox = outbox_of(None, transport, endpoints=endpoints)
    with endpoints[RECIPIENTS].lock:
        receipts = outbox.send_now([message], PROJECT, 0.05)

    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert len(receipts) == len(message.recipients)
    assert transport.messages == []
