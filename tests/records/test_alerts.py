"""What people know of a project's failures, as runs and messages tell it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import (
    RECIPIENTS,
    AlertMemory,
    Attempt,
    Cause,
    Delivery,
    Held,
    HeldBy,
    MailStatus,
    Message,
    Outcome,
    Receipt,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records.store import DATABASE_NAME, Store, open_store
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.portable("what the records say is the same everywhere")

PROJECT, OTHER = Path("/srv/project_1"), Path("/srv/project_2")
SUCCESS, FAILURE = RunStatus.SUCCESS, RunStatus.FAILURE
CHANNEL = "0123abcd"
KEY_ERROR = Traceback(
    text="x", exception="KeyError: 1", file="a.py", line=1, function="f"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(tmp_path, NOW) as store:
        yield store


class Clock:
    """Numbers the runs of a test, a minute apart."""

    count = 0

    @classmethod
    def next(cls) -> int:
        """Return the next number."""
        cls.count += 1
        return cls.count


def held(by: HeldBy = HeldBy.REMIND) -> Held:
    """Return why a report is held back."""
    return Held(by=by, reason=Sentence.of("known"), until=NOW + timedelta(days=1))


def end(
    store: Store,
    status: RunStatus = FAILURE,
    audiences: tuple[str, ...] = (),
    *,
    path: Path = PROJECT,
    **changes: Any,
) -> str:
    """Record a run of one script with reports for these audiences; return its id."""
    number = Clock.next()
    run_id, began = f"{number:013x}", NOW + timedelta(minutes=number)
    good = status is SUCCESS
    attempt = Attempt(
        outcome=Outcome.SUCCESS if good else Outcome.FAILURE,
        exit_code=int(not good),
        started_at=began,
        duration=1.0,
        traceback=None if good else KEY_ERROR,
    )
    result = ScriptResult(
        script="a.py",
        run_id=run_id,
        number=1,
        outcome=attempt.outcome,
        started_at=began,
        duration=1.0,
        attempts=(attempt,),
    )
    values: dict[str, Any] = {
        "status": status,
        "scripts": (result,),
        "started_at": began,
        "duration": 1.0,
    }
    run = Run(run_id=run_id, project=path.name, path=path, **(values | changes))
    reports = [
        Message(
            message_id=f"<{run_id}.{audience}@localhost>",
            sender="r@example.org",
            recipients=("ann@example.org", "bob@example.org"),
            subject="s",
            content=b"x",
            audience=audience,
        )
        for audience in audiences
    ]
    assert store.end_run(run, reports, began)
    return run_id


def answer(store: Store, audience: str, *deliveries: Delivery) -> None:
    """Answer for the recipients of the message that waits longest, and give up."""
    now = NOW + timedelta(days=1)
    queued = store.messages.claim_due(
        now, owner="me", lease_seconds=9, audience=audience
    )
    assert queued is not None
    receipts = [
        Receipt(
            recipient=recipient,
            delivery=delivery,
            cause=None if delivery is Delivery.SENT else Cause.PERMANENT,
        )
        for recipient, delivery in zip(
            queued.message.recipients, deliveries, strict=True
        )
    ]
    store.messages.record_receipts(
        queued.number, receipts, owner="me", next_try_at=None
    )


def memory(store: Store, path: Path = PROJECT) -> AlertMemory:
    """Return what a run that ends now would go by."""
    return store.alert_memory(path, "f" * 13, errors=True)


SENT, FAILED = Delivery.SENT, Delivery.FAILED


@pytest.mark.parametrize(
    ("mail", "channel", "told"),
    [
        # Who has it, or will have it, is told.
        (None, None, 0),
        ("queued", None, 1),
        ((SENT, SENT), None, 1),
        ((SENT, FAILED), None, 1),
        # What was given up or dropped tells nobody.
        ((FAILED, FAILED), None, 0),
        ("dropped", None, 0),
        # The mail counts where there is one, else the channels.
        ((FAILED, FAILED), (SENT, SENT), 0),
        ((SENT, SENT), (FAILED, FAILED), 1),
        (None, (SENT, SENT), 1),
        (None, (FAILED, FAILED), 0),
        (None, "queued", 1),
    ],
)
def test_who_is_told(store: Store, mail: Any, channel: Any, told: int) -> None:
    """A report tells what reached somebody, or still waits to."""
    fates = {RECIPIENTS: mail, CHANNEL: channel}
    run_id = end(store, FAILURE, tuple(a for a, fate in fates.items() if fate))
    for audience, fate in fates.items():
        if isinstance(fate, tuple):
            answer(store, audience, *fate)
        elif fate == "dropped":
            (queued,) = store.messages.of_run(run_id)
            assert store.messages.drop(queued.number)

    found = memory(store)
    assert (found.failures, len(found.told)) == (1, told)
    # A run without a report may be one that was read from the log.
    assert found.untold == (0 if told or not (mail or channel) else 1)


def test_what_was_told_without_records_is_told(store: Store) -> None:
    """A report that left at once has no message in the records."""
    end(store, mail_status=MailStatus.SENT)
    assert len(memory(store).told) == 1
    end(store, mail_status=MailStatus.FAILED)
    assert len(memory(store).told) == 1


def test_the_errors_are_those_that_a_run_has(store: Store) -> None:
    """What the records give back compares with what a run knows of itself."""
    from python_runner.model.alert import errors_of_run  # noqa: PLC0415

    run_id = end(store, FAILURE, (RECIPIENTS,))
    run = store.run(run_id)
    assert run is not None
    assert [failure.errors for failure in memory(store).told] == [errors_of_run(run)]
    error = Sentence.of("{n} scripts were not there", n=3)
    end(store, RunStatus.NOT_STARTED, (RECIPIENTS,), error=error, scripts=())
    assert memory(store).told[0].errors == {("", "0 scripts were not there")}
    bare = store.alert_memory(PROJECT, "f" * 13, errors=False)
    assert [failure.errors for failure in bare.told] == [frozenset(), frozenset()]


@pytest.mark.parametrize(
    ("between", "changes", "failures"),
    [
        (SUCCESS, {}, 0),
        # Neither ends a row nor is part of it.
        (RunStatus.SKIPPED, {}, 1),
        (SUCCESS, {"part": True}, 1),
        (SUCCESS, {"held": held(HeldBy.UNWANTED)}, 1),
        (FAILURE, {"held": held(HeldBy.UNWANTED)}, 1),
        # Part of it, however it came to be none.
        (FAILURE, {}, 2),
        (FAILURE, {"held": held()}, 2),
        (FAILURE, {"part": True}, 2),
        (RunStatus.STOPPED, {}, 2),
        (RunStatus.INTERRUPTED, {}, 2),
        (RunStatus.NOT_STARTED, {}, 2),
    ],
)
def test_what_makes_a_row_of_failures(
    store: Store, between: RunStatus, changes: dict[str, Any], failures: int
) -> None:
    """A success of the whole series ends it, unless nobody was to be told."""
    end(store, FAILURE, (RECIPIENTS,))
    end(store, FAILURE, path=OTHER)
    end(store, between, **changes)

    found = memory(store)

    assert (found.failures, len(found.told)) == (failures, bool(failures))
    assert (found.since is None) is (failures == 0)
    assert memory(store, OTHER).failures == 1
    assert memory(store, Path("/srv/moved")) == AlertMemory()


def test_new_records_know_nothing(store: Store, tmp_path: Path) -> None:
    """Where the old ones were damaged and set aside, people are told once more."""
    end(store, FAILURE, (RECIPIENTS,))
    with open_store(tmp_path / "new", NOW) as another:
        assert memory(another) == AlertMemory()


def test_of_two_runs_that_end_at_once_the_second_is_decided_anew(store: Store) -> None:
    """Nothing is written where people know something else than when it was decided."""
    known = memory(store)
    first = end(store, FAILURE, (RECIPIENTS,))
    facts = store.run(first)
    assert facts is not None
    other = Run(
        run_id="e" * 13,
        project=facts.project,
        path=PROJECT,
        status=FAILURE,
        started_at=NOW,
        duration=1.0,
    )

    assert not store.end_run(other, (), NOW, memory=known)
    assert store.run(other.run_id) is None
    assert store.end_run(
        other, (), NOW, memory=store.alert_memory(PROJECT, other.run_id, errors=True)
    )
    # The run itself is no part of what it goes by, however often it is written.
    again = store.alert_memory(PROJECT, other.run_id, errors=True)
    assert again.failures == 1


def test_why_it_is_held_back_is_kept(store: Store) -> None:
    """With the words and the time, in the run and in the list."""
    run_id = end(store, held=held())
    run = store.run(run_id)
    assert run is not None
    assert run.held == held()
    assert (run.mail_status, str(run.mail_reason)) == (MailStatus.NONE, "known")
    assert [found.run_id for found in store.held_back()] == [run_id]


def test_what_is_settled_is_listed_only_when_asked_for(store: Store) -> None:
    """A later report or a success has told of it; what nobody wanted is never listed."""
    first = end(store, held=held(HeldBy.MAIL_AFTER))
    end(store, held=held(HeldBy.UNWANTED))
    assert [run.run_id for run in store.held_back()] == [first]
    end(store, FAILURE, (RECIPIENTS,))
    assert store.held_back() == []
    second = end(store, held=held())
    elsewhere = end(store, held=held(), path=OTHER)
    assert [run.run_id for run in store.held_back()] == [elsewhere, second]
    assert [run.run_id for run in store.held_back(limit=1)] == [elsewhere]
    end(store, SUCCESS, part=True)
    end(store, SUCCESS, held=held(HeldBy.UNWANTED))
    assert len(store.held_back()) == 2
    end(store, SUCCESS)
    assert [run.run_id for run in store.held_back()] == [elsewhere]
    everything = [run.run_id for run in store.held_back(everything=True)]
    assert everything == [elsewhere, second, first]


def test_retention_keeps_a_failure_that_waits_for_others(store: Store) -> None:
    """Whoever runs monthly reaches the third failure in a row all the same."""
    waits = end(store, held=held(HeldBy.MAIL_AFTER))
    end(store, held=held(HeldBy.UNWANTED))
    later = NOW + timedelta(days=90)
    end(store, RunStatus.SKIPPED, started_at=later)

    store.delete_old_runs(later, later)

    assert store.run(waits) is not None
    assert memory(store).failures == 1
    end(store, FAILURE, (RECIPIENTS,), started_at=later)
    store.delete_old_runs(later, later)
    assert store.run(waits) is None


@pytest.mark.parametrize(
    ("after", "stay"),
    [
        # It still fails: who was told of it is told when it ends.
        ([], 1),
        ([{"held": held()}], 2),
        ([{"held": held(HeldBy.UNWANTED)}], 2),
        ([{"status": RunStatus.SKIPPED}], 1),
        ([{"status": SUCCESS, "part": True}], 2),
        ([{"mail_status": MailStatus.SENT}], 1),
        ([{"status": SUCCESS}], 1),
    ],
)
def test_retention_keeps_what_tells_how_a_project_does(
    after: list[dict[str, Any]], stay: int, store: Store
) -> None:
    """A project whose runs are all old has run, and its failure was told; for a year."""
    end(store, FAILURE, mail_status=MailStatus.SENT)
    for run in after:
        end(store, **run)
    known = memory(store).told
    # What runs elsewhere shows what time it is.
    for days in range(0, 90, 5):
        later = NOW + timedelta(days=days)
        end(store, SUCCESS, path=OTHER, started_at=later)

    store.delete_old_runs(later, later)

    assert len(store.runs(projects=[PROJECT])) == stay
    assert store.project_state(PROJECT).last is not None
    assert memory(store).told[:1] == known[:1]
    for days in range(90, 600, 5):
        later = NOW + timedelta(days=days)
        end(store, SUCCESS, path=OTHER, started_at=later)
    store.delete_old_runs(later, later)
    assert store.runs(projects=[PROJECT]) == []


def test_damaged_columns_hold_nothing_back(store: Store, tmp_path: Path) -> None:
    """A word that is none means that nothing is known of it."""
    run_id = end(store, held=held())
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection, connection:
        connection.execute("UPDATE run SET held = 'x'")
    run = store.run(run_id)
    assert run is not None
    assert run.held is None
