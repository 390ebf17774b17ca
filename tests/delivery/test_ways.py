"""More than one way to send: which one takes a message, and what is said of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.delivery.endpoints import Endpoints
from python_runner.delivery.outbox import DrainReport, Outbox
from python_runner.delivery.transports import always
from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.delivery.ways import HandOver, Way
from python_runner.model import (
    Cause,
    MailSettings,
    Message,
    Run,
    RunStatus,
    Settings,
)
from python_runner.records.messages import MessageState
from python_runner.records.store import Store, open_store
from python_runner.report.compose import compose
from python_runner.report.mime import plain_text
from python_runner.report.render import Report
from python_runner.runner.outbox import make_outbox
from python_runner.texts.sentence import Sentence
from tests.servers.smtp import DEFAULTS, DROP
from tests.support import GENEROUS, NOW


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from python_runner.model import Receipt
    from python_runner.records.messages import QueuedMessage
    from tests.support import Serve

A, B = "a@example.org", "b@example.org"
LATER = NOW + timedelta(hours=5)


@dataclass
class Server:
    """A transport whose answers are given; it keeps what it was handed.

    Attributes:
        answers: the cause by which each message is refused, one after the other; None is
            success. The last one stays.
        retry_after: seconds that a refusal asks for.
        hang: what it waits for before it asks whether the message may leave.
        hang_after: what it waits for once it has left.
    """

    answers: list[Cause | None] = field(default_factory=lambda: [None])
    retry_after: float | None = None
    hang: threading.Event | None = None
    hang_after: threading.Event | None = None
    taken: list[Message] = field(default_factory=list)
    tries: int = 0
    hand_over: Callable[[], None] = always

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Answer as told."""
        self.tries += 1
        cause = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if self.hang:
            self.hang.wait(GENEROUS)
        try:
            if cause is None or cause.may_have_arrived:
                self.hand_over()
                self.taken.append(message)
        except DeliveryError as kept_back:
            return receipts_for(message.recipients, kept_back)
        if self.hang_after:
            self.hang_after.wait(GENEROUS)
        if cause is None:
            return receipts_for(message.recipients, None)
        detail = Sentence.of("refused as {cause}", cause=cause.value)
        error = DeliveryError(cause, detail, retry_after=self.retry_after)
        return receipts_for(message.recipients, error)

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


@dataclass
class Office:
    """Records, and the servers by which their messages leave, by the names of the ways."""

    store: Store
    endpoints: Endpoints = field(default_factory=Endpoints)

    def queue(self, *run_ids: str, language: str = "en", html: str = "") -> None:
        """Close runs and queue their reports for two recipients."""
        for run_id in run_ids:
            run = Run(
                run_id=run_id,
                project="project_1",
                path=self.store_path,
                status=RunStatus.SUCCESS,
                started_at=NOW,
                duration=1.0,
            )
            report = Report("a report", "all went well\n", html, language=language)
            message = compose(
                report,
                run_id=run_id,
                sender="robot@example.org",
                recipients=[A, B],
                date=NOW,
            )
            self.store.end_run(run, [message], NOW)

    @property
    def store_path(self) -> Path:
        """Return the folder of the project."""
        return Path("/srv/project_1")

    def drain(
        self, now: datetime = NOW, seconds: float = 30.0, **servers: Server
    ) -> DrainReport:
        """Send what is due at ``now`` by these ways, in this order."""
        return self.outbox(now, **servers).drain(seconds)

    def outbox(self, now: datetime = NOW, **servers: Server) -> Outbox:
        """Return the outbox whose ways these are."""

        def opened(server: Server) -> Callable[[Callable[[], None]], Server]:
            def open_(hand_over: Callable[[], None]) -> Server:
                server.hand_over = hand_over
                return server

            return open_

        return Outbox(
            store=self.store,
            open_transport=lambda _audience, _folder: None,
            now=lambda: now,
            endpoints=self.endpoints,
            mail_ways=tuple(
                Way(
                    name=name,
                    endpoint=name,
                    open_transport=opened(server),
                    local=name == "file",
                )
                for name, server in servers.items()
            ),
        )

    def message(self, run_id: str) -> QueuedMessage:
        """Return the report of a run."""
        (queued,) = self.store.messages.of_run(run_id)
        return queued

    def details(self, run_id: str) -> set[str]:
        """Return what is said of its recipients."""
        return {str(r.detail) for r in self.message(run_id).recipients}


@pytest.fixture
def office(store: Store) -> Office:
    """Return an office with new records."""
    return Office(store)


CLOSED = [cause for cause in Cause if cause.closes_way and not cause.may_have_arrived]


@pytest.mark.fault(
    "delivery",
    "A way to send is closed",
    "The next one of the list sends the report, which says so.",
)
@pytest.mark.parametrize("cause", CLOSED)
def test_the_next_way_takes_over_from_a_closed_one(
    office: Office, cause: Cause
) -> None:
    """Whatever closes the first way, the message leaves by the second, and says so."""
    office.queue("1")
    graph, smtp = Server([cause]), Server()
    assert office.drain(graph=graph, smtp=smtp) == DrainReport(sent=1)
    assert (graph.tries, smtp.tries) == (1, 1)
    expected = f"by smtp, because graph is unavailable (refused as {cause.value})"
    assert office.details("1") == {expected}
    sent = plain_text(smtp.taken[0].content)
    assert sent.startswith("all went well")
    assert sent.endswith(f"This report was sent {expected}.")
    queued = office.store.messages.get(office.message("1").number)
    assert queued is not None
    # Identity and date are those of the message that was queued.
    for header in (b"Message-ID: ", b"Date: ", b"Subject: "):
        lines = [
            [line for line in content.splitlines() if line.startswith(header)]
            for content in (queued.message.content, smtp.taken[0].content)
        ]
        assert lines[0] == lines[1] != []


@pytest.mark.parametrize(
    "cause",
    [c for c in Cause if not c.closes_way and not c.may_have_arrived],
)
def test_one_refused_message_closes_no_way(office: Office, cause: Cause) -> None:
    """What is said of one message is no reason to send it otherwise."""
    office.queue("1")
    graph, smtp = Server([cause]), Server()
    report = office.drain(graph=graph, smtp=smtp)
    assert report.sent == 0
    assert smtp.tries == 0
    assert report.deferred + report.failed == 1


def test_a_way_that_is_throttled_is_closed(office: Office) -> None:
    """A server that asks for a wait lets the others work, and is waited for by nobody."""
    office.queue("1", "2")
    graph = Server([Cause.TRANSIENT], retry_after=100.0)
    smtp = Server()
    begun = time.monotonic()
    assert office.drain(graph=graph, smtp=smtp).sent == 2
    assert graph.tries == 1
    assert time.monotonic() - begun < GENEROUS


def test_the_first_way_is_tried_again_later(office: Office) -> None:
    """A closed way is left alone for a while, and is the first one again after that."""
    office.queue("1")
    graph, smtp = Server([Cause.UNAVAILABLE, None]), Server()
    office.drain(graph=graph, smtp=smtp)
    office.queue("2")
    office.drain(graph=graph, smtp=smtp)
    assert (graph.tries, smtp.tries) == (1, 2)
    office.endpoints.reset()
    office.queue("3")
    office.drain(graph=graph, smtp=smtp)
    assert (graph.tries, smtp.tries) == (2, 2)
    assert office.details("3") == {"None"}
    assert plain_text(graph.taken[0].content) == "all went well"


def test_each_way_has_its_own_circuit_breaker(office: Office) -> None:
    """The second way, closed for ever, keeps nobody from the third, nor the first one."""
    office.queue("1", "2", "3")
    graph, smtp = Server([Cause.UNAVAILABLE]), Server([Cause.CLOSED])
    file = Server()
    assert office.drain(graph=graph, smtp=smtp, file=file).sent == 3
    assert [way.tries for way in (graph, smtp, file)] == [1, 2, 3]
    assert "graph is unavailable" in str(office.details("3"))
    assert "smtp is unavailable" in str(office.details("3"))


def test_all_ways_closed(office: Office) -> None:
    """The message waits, each way is named with its reason, and nothing is lost."""
    office.queue("1")
    graph, smtp = Server([Cause.UNAVAILABLE]), Server([Cause.CLOSED])
    report = office.drain(graph=graph, smtp=smtp)
    assert (report.sent, report.deferred, report.remaining) == (0, 1, 1)
    (detail,) = office.details("1")
    assert "graph is unavailable (refused as unavailable)" in detail
    assert "smtp is unavailable (refused as closed)" in detail
    graph.answers = [None]
    office.endpoints.reset()
    assert office.drain(LATER, graph=graph, smtp=smtp).sent == 1


@pytest.mark.fault(
    "delivery",
    "One of several ways to send loses its answer",
    "No other way sends the report again.",
)
@pytest.mark.parametrize("cause", [c for c in Cause if c.may_have_arrived])
def test_a_lost_answer_ties_a_message_to_its_way(office: Office, cause: Cause) -> None:
    """What may have arrived is sent again by the same way alone, however long that takes."""
    office.queue("1")
    graph, smtp = Server([cause, Cause.UNAVAILABLE, None]), Server()
    office.drain(graph=graph, smtp=smtp)
    assert office.message("1").unanswered == "graph"
    office.endpoints.reset()
    office.drain(LATER, graph=graph, smtp=smtp)
    assert (graph.tries, smtp.tries) == (2, 0)
    assert office.message("1").unanswered == "graph"
    assert "graph" in str(office.details("1"))
    # Others do not wait for it.
    office.queue("2")
    office.drain(LATER, graph=graph, smtp=smtp)
    assert smtp.tries == 1
    office.endpoints.reset()
    office.drain(LATER + timedelta(hours=5), graph=graph, smtp=smtp)
    assert office.message("1").state is MessageState.SENT
    assert office.message("1").unanswered is None
    first, again = graph.taken
    assert first == again


def test_a_way_that_is_not_configured_any_more_ties_nothing(office: Office) -> None:
    """Its answer will never come: the message leaves, with the same identity."""
    office.queue("1")
    office.drain(graph=Server([Cause.NO_ANSWER]), smtp=Server())
    office.endpoints.reset()
    smtp = Server()
    assert office.drain(LATER, smtp=smtp).sent == 1
    assert smtp.taken[0].message_id == office.message("1").message.message_id


def test_ways_in_another_order(office: Office) -> None:
    """What waits follows the list as it is now; what may have arrived stays with its way."""
    office.queue("1", "2")
    graph, smtp = Server([Cause.NO_ANSWER]), Server([Cause.UNAVAILABLE])
    office.drain(graph=graph, smtp=smtp)
    assert [office.message(r).unanswered for r in "12"] == ["graph", None]
    office.endpoints.reset()
    graph.answers, smtp.answers = [None], [None]
    office.drain(LATER, smtp=smtp, graph=graph)
    assert [m.message_id[1:2] for m in smtp.taken] == ["2"]
    assert [m.message_id[1:2] for m in graph.taken] == ["1", "1"]


@pytest.mark.fault(
    "delivery",
    "One of several ways to send hangs",
    "The next one sends the report, and the first one cannot any more.",
)
def test_a_way_that_hangs_is_left_for_the_next(office: Office) -> None:
    """One that hangs before it has the message never gets it: another way has taken over."""
    office.queue("1", "2")
    end = threading.Event()
    graph, smtp = Server(hang=end), Server()
    report = office.drain(seconds=2.0, graph=graph, smtp=smtp)
    assert report.sent == 2
    assert len(smtp.taken) == 2
    assert "graph is unavailable" in str(office.details("1"))
    end.set()
    time.sleep(0.2)
    assert graph.taken == []


def test_a_way_that_hangs_with_the_message_keeps_it(office: Office) -> None:
    """Once it was handed over, no other way sends it: not now, not later."""
    office.queue("1")
    end = threading.Event()
    graph, smtp = Server(hang_after=end), Server()
    try:
        assert office.drain(seconds=1.0, graph=graph, smtp=smtp).deferred == 1
        assert office.message("1").unanswered == "graph"
        office.drain(LATER, seconds=1.0, graph=Server([Cause.CLOSED]), smtp=smtp)
        assert smtp.tries == 0
    finally:
        end.set()


def test_a_crash_after_the_hand_over_ties_the_message_too(office: Office) -> None:
    """What was written down before the message left is found by the next process."""
    office.queue("1")
    messages = office.store.messages
    claimed = messages.claim_due(NOW, owner="dead", lease_seconds=60)
    assert claimed is not None
    assert messages.hand_over(claimed.number, "graph", owner="dead")
    graph, smtp = Server([Cause.UNAVAILABLE]), Server()
    office.drain(NOW + timedelta(minutes=2), graph=graph, smtp=smtp)
    assert smtp.tries == 0
    assert office.message("1").unanswered == "graph"


def test_a_claim_that_was_taken_over_hands_nothing_over(office: Office) -> None:
    """Who is taken for dead may not send what another process has claimed since."""
    office.queue("1")
    messages = office.store.messages
    messages.claim_due(NOW, owner="slow", lease_seconds=60)
    claimed = messages.claim_due(LATER, owner="next", lease_seconds=60)
    assert claimed is not None
    assert not messages.hand_over(claimed.number, "graph", owner="slow")
    assert messages.drop(claimed.number)
    assert not messages.hand_over(claimed.number, "graph", owner="next")


def test_partly_refused_is_not_closed(office: Office) -> None:
    """Where one recipient was reached, the way is open: the other one waits for it."""
    office.queue("1")

    class Partly(Server):
        def send(self, message: Message) -> tuple[Receipt, ...]:
            first, *others = message.recipients
            error = DeliveryError(Cause.CLOSED, Sentence.of("later"))
            return (*receipts_for([first], None), *receipts_for(others, error))

    smtp = Server()
    office.drain(graph=Partly(), smtp=smtp)
    assert smtp.tries == 0
    assert [r.state for r in office.message("1").recipients] == ["sent", "pending"]


def test_where_no_records_are_kept_the_ways_follow_each_other_too(
    office: Office,
) -> None:
    """The last resort uses every way, whatever is known of its server."""
    office.queue("1")
    (queued,) = office.store.messages.newest()
    graph, smtp = Server([Cause.UNAVAILABLE]), Server()
    outbox = office.outbox(graph=graph, smtp=smtp)
    office.endpoints["smtp"].breaker.failure(None, certain=True)
    receipts = outbox.send_now([queued.message], queued.path, 30.0)
    assert {str(r.delivery) for r in receipts} == {"sent"}
    assert "by smtp" in str(receipts[0].detail)


def test_a_hand_over_happens_or_is_cancelled_but_not_both() -> None:
    """Whoever asks first decides."""
    first = HandOver()
    first.begin()
    assert not first.cancel()
    first.begin()
    second = HandOver()
    assert second.cancel()
    with pytest.raises(DeliveryError):
        second.begin()
    assert not second.done


def test_the_line_is_in_the_language_of_the_mail(office: Office) -> None:
    """Text and page end with it; what a server said cannot break the page."""
    office.queue("1", language="fr", html="<html><body><p>bien</p></body></html>")

    class Rude(Server):
        def send(self, message: Message) -> tuple[Receipt, ...]:
            detail = Sentence.of("<script>é\nx</script>")
            error = DeliveryError(Cause.UNAVAILABLE, detail)
            return receipts_for(message.recipients, error)

    smtp = Server()
    office.drain(graph=Rude(), smtp=smtp)
    (mail,) = smtp.taken
    text = plain_text(mail.content)
    assert "Ce rapport a été envoyé par smtp" in text
    assert text.splitlines()[-1].endswith("</script>).")
    assert b"<script>" not in mail.content.partition(b"text/html")[2]


def test_real_transports_follow_each_other(
    office: Office, serve: Serve, mail_settings: Serve, tmp_path: Path
) -> None:
    """A server that loses its answer keeps its message; one that refuses logins does not."""
    mails = tmp_path / "mails"
    file = MailSettings(transport="file", mail_dir=mails)

    def drain(now: datetime, **answers: str) -> DrainReport:
        server = serve({"EHLO": DEFAULTS["EHLO"], **answers})
        first = mail_settings(server, login="robot@example.org", password="pw")
        settings = Settings(
            home=tmp_path, mail=replace(first, others=(file,)), environ={}
        )
        outbox = make_outbox(
            office.store, settings, {}, now=lambda: now, stopping=lambda: False
        )
        return outbox.drain(30.0)

    office.queue("1")
    assert drain(NOW, **{".": DROP}).deferred == 1
    assert office.message("1").unanswered == "smtp"
    assert drain(LATER, AUTH="535 5.7.8 no").deferred == 1
    assert not mails.exists()
    office.queue("2")
    assert drain(LATER, AUTH="535 5.7.8 no").sent == 1
    assert len([*mails.iterdir()]) == 1
    assert "by file, because smtp is unavailable" in str(office.details("2"))
    assert drain(LATER + timedelta(hours=9)).sent == 1
    assert office.message("1").state is MessageState.SENT
    assert len([*mails.iterdir()]) == 1
