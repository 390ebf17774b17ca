from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Delivery,
    MailStatus,
    Message,
    Receipt,
    Run,
    RunStatus,
)
from python_runner.policy import INCIDENT, next_try
from python_runner.records.messages import MessageState
from python_runner.records.store import Store, open_store
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator

A, B = "a@example.org", "b@example.org"
PROJECT = Path("/srv/project_1")


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


def queue(
    store: Store,
    run_id: str,
    now: datetime = NOW,
    announces: tuple[int, ...] = (),
    *,
    status: RunStatus = RunStatus.SUCCESS,
    path: Path = PROJECT,
) -> None:
    """Close a run and queue its report to A and B."""
    run = Run(
        run_id=run_id,
        project="project_1",
        path=path,
        status=status,
        started_at=now,
        duration=1.0,
    )
    message = Message(
        message_id=f"<{run_id}@localhost>",
        sender="runner@example.org",
        recipients=(A, B),
        subject=f"report of {run_id}",
        content=f"Subject: report\r\n\r\n{run_id} \x00 é\r\n".encode(),
    )
    store.end_run(run, [message], now, announces=announces)


def mail_of(store: Store, run_id: str) -> MailStatus:
    """Return what became of a run's report."""
    run = store.run(run_id)
    assert run is not None
    return run.mail_status


def claim(store: Store, now: datetime = NOW, owner: str = "me") -> int | None:
    """Claim for a minute; return the message's number."""
    claimed = store.messages.claim_due(now, owner=owner, lease_seconds=60)
    return claimed.number if claimed else None


def answer(
    store: Store,
    number: int,
    *deliveries: Delivery,
    owner: str = "me",
    again: datetime | None = None,
) -> MessageState:
    """Record the answers for A, then B."""
    receipts = [
        Receipt(
            recipient=recipient, delivery=delivery, detail=Sentence.of("the answer")
        )
        for recipient, delivery in zip((A, B), deliveries, strict=False)
    ]
    return store.messages.record_receipts(
        number, receipts, owner=owner, next_try_at=again
    )


def states(store: Store, number: int) -> list[str]:
    """Return where the message is for A and for B."""
    message = store.messages.get(number)
    assert message is not None
    return [recipient.state for recipient in message.recipients]


def test_only_what_was_sent_can_be_replaced(store: Store) -> None:
    """What somebody still waits for stays as it was queued."""
    queue(store, "a")
    number = claim(store)
    assert number is not None

    def content() -> bytes:
        message = store.messages.get(number or 0)
        assert message is not None
        return message.message.content

    before = content()
    store.messages.replace_sent(number, b"less")
    assert content() == before
    answer(store, number, Delivery.SENT, Delivery.SENT)
    store.messages.replace_sent(number, b"less")
    assert content() == b"less"


def incident(store: Store, before: str = "next", latest: int = 9) -> list[str]:
    """Return the runs whose mails make the incident before a run."""
    mails = store.messages.incident(PROJECT, INCIDENT, before=before, latest=latest)
    assert all(mail.message_id.startswith("<") for mail in mails)
    return [mail.subject.removeprefix("report of ") for mail in mails]


def history(store: Store, *statuses: RunStatus) -> None:
    """Close reported runs, called by their place; each clock is behind the one before."""
    for hour, status in enumerate(statuses):
        queue(store, f"{hour}", NOW - timedelta(hours=hour), status=status)


GOOD, BAD = RunStatus.SUCCESS, RunStatus.FAILURE


@pytest.mark.parametrize(
    ("statuses", "runs"),
    [
        ((), []),
        ((GOOD,), []),
        ((BAD,), ["0"]),
        ((BAD, GOOD), []),
        ((BAD, GOOD, BAD, BAD), ["2", "3"]),
        (
            (
                GOOD,
                RunStatus.NOT_STARTED,
                RunStatus.SKIPPED,
                RunStatus.STOPPED,
                RunStatus.INTERRUPTED,
            ),
            ["1", "3", "4"],
        ),
        ((BAD, RunStatus.SKIPPED), ["0"]),
    ],
)
def test_an_incident_is_what_did_not_succeed_since_the_last_success(
    store: Store, statuses: tuple[RunStatus, ...], runs: list[str]
) -> None:
    """Skipped runs neither belong to it nor end it."""
    history(store, *statuses)
    assert incident(store) == runs


def test_an_incident_keeps_its_first_mail_and_the_latest(store: Store) -> None:
    """However long it lasts, few of its mails are read back, in their order."""
    history(store, *[BAD] * 30)
    assert incident(store, latest=2) == ["0", "28", "29"]
    assert incident(store, latest=1) == ["0", "29"]
    assert incident(store, "1", latest=2) == ["0"]


def test_an_incident_is_of_one_project_and_of_the_time_before(store: Store) -> None:
    """Other projects and later runs do not count; runs without a mail end it too."""
    history(store, BAD, BAD, BAD)
    queue(store, "other", NOW, status=BAD, path=Path("/srv/other"))
    assert incident(store, "2") == ["0", "1"]
    run = store.run("2")
    assert run is not None
    unreported = replace(run, run_id="3", status=GOOD)
    unreported = replace(unreported, started_at=NOW + timedelta(hours=3))
    store.end_run(unreported, [], NOW)
    assert incident(store) == []
    assert incident(store, "3") == ["0", "1", "2"]


def test_a_claimed_message_is_as_it_was_queued(store: Store) -> None:
    """Bytes, identity, envelope and subject come back unchanged."""
    queue(store, "a")
    claimed = store.messages.claim_due(NOW, owner="me", lease_seconds=60)
    assert claimed is not None
    assert claimed.message == Message(
        message_id="<a@localhost>",
        sender="runner@example.org",
        recipients=(A, B),
        subject="report of a",
        content="Subject: report\r\n\r\na \x00 é\r\n".encode(),
    )
    assert (claimed.run_id, claimed.attempts, claimed.queued_at) == ("a", 0, NOW)


def test_a_message_is_claimed_once(store: Store, shielded: Path) -> None:
    """Nobody else gets a claimed message, in this process or another."""
    queue(store, "a")
    queue(store, "b")
    with open_store(shielded, NOW) as other:
        assert claim(store) == 1
        assert claim(other, owner="other") == 2
        assert claim(store) is None
        assert claim(other, owner="other") is None


def test_the_oldest_that_is_due_comes_first(store: Store) -> None:
    """Messages leave in the order of their runs, and none before it is due."""
    queue(store, "first", NOW + timedelta(seconds=90))
    queue(store, "second", NOW + timedelta(minutes=1))
    assert claim(store) is None
    assert claim(store, NOW + timedelta(minutes=1)) == 2
    queue(store, "third", NOW + timedelta(minutes=1))
    later = NOW + timedelta(seconds=90)
    assert [claim(store, later), claim(store, later)] == [1, 3]


def test_the_messages_of_some_runs_can_be_claimed_alone(store: Store) -> None:
    """Whoever waits for the report of a run gets that one first."""
    for run_id in ("a", "b", "c"):
        queue(store, run_id)
    own = store.messages.claim_due(
        NOW, owner="me", lease_seconds=60, run_ids=["c", "none"]
    )
    assert own is not None
    assert own.run_id == "c"
    assert own.is_claimed(NOW)
    assert not own.is_claimed(NOW + timedelta(seconds=60))
    again = store.messages.claim_due(NOW, owner="me", lease_seconds=60, run_ids=["c"])
    assert again is None
    assert claim(store) == 1


def test_the_claim_of_a_dead_owner_lapses(store: Store) -> None:
    """A message whose sender died is sent by somebody else, after the lease."""
    queue(store, "a")
    assert claim(store, owner="dead") == 1
    assert claim(store, NOW + timedelta(seconds=59)) is None
    assert claim(store, NOW + timedelta(seconds=60)) == 1


def test_clocks_that_differ_a_little_do_not_share_a_claim(store: Store) -> None:
    """A drain whose clock was read earlier does not take a fresh lease for wrong."""
    queue(store, "a")
    assert claim(store, NOW + timedelta(seconds=2)) == 1
    assert claim(store, NOW, owner="other") is None


def test_a_clock_that_was_wrong_holds_nothing_back(store: Store) -> None:
    """A lease or a wait that ends in a year was meant otherwise: the message is due."""
    wrong = NOW + timedelta(days=365)
    queue(store, "a", wrong)
    assert claim(store, wrong, owner="dead") == 1
    assert claim(store, NOW) == 1


def test_a_delivered_message_is_done(store: Store) -> None:
    """Sent to everybody is sent, and the run says so."""
    queue(store, "a")
    assert mail_of(store, "a") is MailStatus.QUEUED
    assert claim(store) == 1
    assert answer(store, 1, Delivery.SENT, Delivery.SENT) is MessageState.SENT
    assert claim(store, NOW + timedelta(days=1)) is None
    assert mail_of(store, "a") is MailStatus.SENT


def test_only_those_who_wait_are_tried_again(store: Store) -> None:
    """A retry goes to the deferred recipients; the others have it, or never will."""
    queue(store, "a")
    assert claim(store) == 1
    again = NOW + timedelta(minutes=5)
    state = answer(store, 1, Delivery.SENT, Delivery.DEFERRED, again=again)
    assert state is MessageState.QUEUED
    assert claim(store) is None
    claimed = store.messages.claim_due(again, owner="me", lease_seconds=60)
    assert claimed is not None
    assert claimed.message.recipients == (B,)
    assert claimed.attempts == 1
    assert [(a.state, str(a.detail)) for a in claimed.recipients] == [
        ("sent", "the answer"),
        ("pending", "the answer"),
    ]


def test_one_refusal_for_ever_makes_the_message_failed(store: Store) -> None:
    """A report that one recipient never gets is not a success."""
    queue(store, "a")
    assert claim(store) == 1
    again = NOW + timedelta(minutes=5)
    state = answer(store, 1, Delivery.SENT, Delivery.FAILED, again=again)
    assert state is MessageState.FAILED
    assert states(store, 1) == ["sent", "failed"]
    assert mail_of(store, "a") is MailStatus.FAILED


def test_giving_up_keeps_what_was_delivered(store: Store) -> None:
    """Without a next try those who wait will never get it; the message stays."""
    queue(store, "a")
    assert claim(store) == 1
    state = answer(store, 1, Delivery.SENT, Delivery.DEFERRED, again=None)
    assert state is MessageState.FAILED
    assert states(store, 1) == ["sent", "failed"]
    assert [m.number for m in store.messages.newest()] == [1]


def test_a_recipient_without_an_answer_waits(store: Store) -> None:
    """A transport that forgets somebody does not make him lose the report."""
    queue(store, "a")
    assert claim(store) == 1
    again = NOW + timedelta(minutes=5)
    assert answer(store, 1, Delivery.SENT, again=again) is MessageState.QUEUED
    assert states(store, 1) == ["sent", "pending"]


def test_a_late_answer_cannot_undo_a_delivery(store: Store) -> None:
    """Whoever lost the claim may add what he knows, and takes nobody's claim away."""
    queue(store, "a")
    assert claim(store, owner="slow") == 1
    later = NOW + timedelta(minutes=2)
    assert claim(store, later, owner="quick") == 1
    answer(store, 1, Delivery.SENT, Delivery.DEFERRED, owner="slow", again=NOW)
    assert claim(store, later) is None
    assert answer(store, 1, Delivery.SENT, Delivery.SENT, owner="quick") == "sent"
    late = answer(store, 1, Delivery.DEFERRED, Delivery.FAILED, owner="slow")
    assert late is MessageState.SENT
    assert states(store, 1) == ["sent", "sent"]


def test_a_dropped_message_stays_dropped(store: Store) -> None:
    """What a person gave up is not sent, still listed, and not given up twice."""
    queue(store, "a")
    assert claim(store) == 1
    assert store.messages.drop(1)
    again = NOW + timedelta(minutes=5)
    state = answer(store, 1, Delivery.DEFERRED, Delivery.SENT, again=again)
    assert state is MessageState.DROPPED
    assert claim(store, again) is None
    assert not store.messages.drop(1)
    assert not store.messages.drop(7)
    assert store.messages.newest() == []
    assert [m.number for m in store.messages.newest(tuple(MessageState))] == [1]
    assert mail_of(store, "a") is MailStatus.FAILED


def test_messages_are_listed_newest_first(store: Store) -> None:
    """The undelivered ones, unless other states are asked for; one alone by number."""
    for run_id in "abc":
        queue(store, run_id)
    assert claim(store) == 1
    answer(store, 1, Delivery.SENT, Delivery.SENT)
    assert [m.run_id for m in store.messages.newest()] == ["c", "b"]
    assert [m.run_id for m in store.messages.newest(limit=1)] == ["c"]
    assert [m.run_id for m in store.messages.newest([MessageState.SENT])] == ["a"]
    assert store.messages.waiting() == 2
    assert store.messages.get(7) is None


def test_a_flush_makes_everything_due(store: Store) -> None:
    """A person who mended the way out does not wait for the back-off."""
    for run_id in "ab":
        queue(store, run_id)
    assert claim(store) == 1
    answer(store, 1, Delivery.DEFERRED, again=NOW + timedelta(hours=4))
    assert claim(store) == 2
    answer(store, 2, Delivery.SENT, Delivery.FAILED)
    assert store.messages.make_due(NOW) == 1
    assert claim(store) == 1
    answer(store, 1, Delivery.SENT, Delivery.SENT)
    assert store.messages.make_due(NOW, given_up=True) == 1
    claimed = store.messages.claim_due(NOW, owner="me", lease_seconds=60)
    assert claimed is not None
    assert (claimed.run_id, claimed.message.recipients) == ("b", (B,))


def test_given_up_messages_are_told_of_until_somebody_hears(store: Store) -> None:
    """A report that tells of a lost one counts, unless it is lost itself."""
    queue(store, "a")
    assert claim(store) == 1
    answer(store, 1, Delivery.FAILED, Delivery.FAILED)
    assert [m.number for m in store.messages.unannounced()] == [1]
    queue(store, "b", announces=(1,))
    assert store.messages.unannounced() == []
    assert claim(store) == 2
    answer(store, 2, Delivery.FAILED, Delivery.FAILED)
    assert [m.number for m in store.messages.unannounced()] == [2, 1]
    queue(store, "c", announces=(2, 1))
    assert claim(store) == 3
    answer(store, 3, Delivery.SENT, Delivery.SENT)
    assert store.messages.unannounced() == []


def test_undelivered_mail_keeps_its_run(store: Store) -> None:
    """Thinning takes delivered and dropped reports with their runs, no others."""
    for run_id in "abcd":
        queue(store, run_id)
    assert claim(store) == 1
    answer(store, 1, Delivery.SENT, Delivery.SENT)
    assert claim(store) == 2
    answer(store, 2, Delivery.FAILED, Delivery.SENT)
    store.messages.drop(3)
    later = NOW + timedelta(days=1)
    assert store.delete_old_runs(later, later) == 2
    assert [m.run_id for m in store.messages.newest(tuple(MessageState))] == ["d", "b"]


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 5), (2, 10), (3, 20), (6, 160), (7, 240), (8, 240), (5000, 240)],
)
def test_waits_double_up_to_four_hours(attempts: int, minutes: int) -> None:
    """The first retry comes after five minutes, none later than after four hours."""
    assert next_try(NOW, attempts, NOW) == NOW + timedelta(minutes=minutes)


def test_a_message_is_given_up_after_five_days() -> None:
    """It is tried for five days, by the clock."""
    end = NOW + timedelta(days=5)
    assert next_try(NOW, 30, end - timedelta(seconds=1)) is not None
    assert next_try(NOW, 30, end) is None


def content_of(store: Store, number: int) -> bytes:
    """Return what the records hold of a message's bytes."""
    message = store.messages.get(number)
    assert message is not None
    assert message.has_content == bool(message.message.content)
    return message.message.content


@pytest.mark.parametrize(
    ("state", "stays"),
    [
        (MessageState.QUEUED, True),
        (MessageState.FAILED, True),
        (MessageState.DROPPED, True),
        (MessageState.SENT, False),
    ],
)
def test_only_a_sent_message_loses_its_content(
    store: Store, state: MessageState, stays: bool
) -> None:
    """What somebody may lack stays whole, whatever its age."""
    queue(store, "a")
    if state is not MessageState.QUEUED:
        number = claim(store)
        assert number
        failed = state in {MessageState.FAILED, MessageState.DROPPED}
        last = Delivery.FAILED if failed else Delivery.SENT
        answer(store, number, Delivery.SENT, last)
    if state is MessageState.DROPPED:
        assert store.messages.drop(1)
    queue(store, "b", NOW + timedelta(days=40))

    old, now = NOW + timedelta(days=10), NOW + timedelta(days=40)
    assert store.messages.remove_contents(old, now) == (not stays)
    assert store.messages.remove_contents(old, now) == 0

    assert bool(content_of(store, 1)) == stays
    message = store.messages.get(1)
    assert message is not None
    assert message.state is state
    assert message.message.subject == "report of a"
    assert message.message.message_id == "<a@localhost>"
    assert [recipient.address for recipient in message.recipients] == [A, B]


def test_a_message_without_content_still_begins_the_thread(store: Store) -> None:
    """Later mails of an incident refer to it by what stays."""
    queue(store, "a", status=RunStatus.FAILURE)
    number = claim(store)
    assert number
    answer(store, number, Delivery.SENT, Delivery.SENT)
    assert incident(store) == ["a"]
    store.messages.remove_contents(NOW + timedelta(seconds=1), NOW + timedelta(days=1))
    assert content_of(store, number) == b""
    assert incident(store) == ["a"]
    assert mail_of(store, "a") is MailStatus.SENT


def sent(store: Store, days: int) -> None:
    """Send a report of a run so many days after the first."""
    now = NOW + timedelta(days=days)
    queue(store, f"{days:x}", now)
    number = claim(store, now)
    assert number
    answer(store, number, Delivery.SENT, Delivery.SENT)


def test_contents_go_in_steps_from_the_oldest_on(store: Store) -> None:
    """One look removes so many at most; the next ones go on where it stopped."""
    for days in range(6):
        sent(store, days)
    old, now = NOW + timedelta(days=4), NOW + timedelta(days=5)

    assert store.messages.remove_contents(old, now, limit=3) == 3
    assert [bool(content_of(store, n)) for n in range(1, 7)] == [False] * 3 + [True] * 3
    assert store.messages.remove_contents(old, now) == 1
    assert [bool(content_of(store, n)) for n in (4, 5, 6)] == [False, True, True]


def test_a_wrong_clock_removes_no_content(store: Store) -> None:
    """A run recorded behind one that is not old is not old, whatever its date says."""
    for days in (20, 0):
        sent(store, days)
    old, now = NOW + timedelta(days=10), NOW + timedelta(days=21)

    assert store.messages.remove_contents(old, now) == 0
    # Nor where no run was recorded for years: today's date may be wrong.
    later = NOW + timedelta(days=2000)
    assert store.messages.remove_contents(later - timedelta(days=30), later) == 0


def test_what_lists_messages_reads_no_contents(store: Store) -> None:
    """There may be thousands of them, of some hundred kilobytes each."""
    queue(store, "a")
    number = claim(store)
    assert number
    answer(store, number, Delivery.FAILED, Delivery.FAILED)

    listed = [
        *store.messages.unannounced(),
        *store.messages.of_run("a"),
    ]

    assert [message.message.content for message in listed] == [b""] * 2
    assert all(message.has_content for message in listed)
