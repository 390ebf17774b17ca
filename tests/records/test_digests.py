"""What a digest asks the records, and that it is mailed once."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.worlds import NOW, fill
from python_runner.model import (
    Delivery,
    Message,
    Outcome,
    Receipt,
    Run,
    RunStatus,
    ScriptResult,
)
from python_runner.records.digests import Period, Undelivered
from python_runner.records.messages import MessageState
from python_runner.records.schema import MIGRATIONS
from python_runner.records.store import DATABASE_NAME, Store, open_store
from tests.records.test_growth import work
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.portable("SQLite does the same work everywhere")

P, Q = Path("/srv/p"), Path("/srv/q")
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
PERIOD = Period(NOW - DAY, NOW)
SAME = timedelta(minutes=10)


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


def keep(
    store: Store,
    path: Path,
    ago: timedelta,
    status: RunStatus = RunStatus.SUCCESS,
    *scripts: tuple[str, Outcome, float],
    reports: tuple[Message, ...] = (),
) -> None:
    """Record a run that began so long ago."""
    run_id = f"{abs(hash((path, ago, status))):013x}"[-13:]
    results = tuple(
        ScriptResult(
            script=name,
            run_id=run_id,
            number=number,
            outcome=outcome,
            started_at=NOW - ago,
            duration=seconds,
        )
        for number, (name, outcome, seconds) in enumerate(scripts, 1)
    )
    run = Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=status,
        started_at=NOW - ago,
        duration=1.0,
        scripts=results,
    )
    store.end_run(run, reports, NOW - ago)


def a_message(name: str) -> Message:
    """Return a message that is told from others by its name."""
    return Message(
        message_id=f"<{name}@example.org>",
        sender="robot@example.org",
        recipients=("ann@example.org",),
        subject=name,
        content=b"Subject: x\r\n\r\ntext\r\n",
    )


def queue(
    store: Store, name: str, period: Period, *paths: Path, again: bool = False
) -> bool:
    """Queue one digest of projects."""
    digests = [(paths[0], a_message(name))]
    again_after = None if again else SAME
    return store.digests.queue(digests, paths, period, again_after=again_after)


def test_runs_are_counted_by_when_they_began(store: Store) -> None:
    """From the first moment on, without the last; those of other projects apart."""
    for ago, status in (
        (DAY + MINUTE, RunStatus.FAILURE),
        (DAY, RunStatus.SUCCESS),
        (2 * MINUTE, RunStatus.SUCCESS),
        (MINUTE, RunStatus.FAILURE),
        (timedelta(), RunStatus.FAILURE),
    ):
        keep(store, P, ago, status)
    keep(store, Q, MINUTE, RunStatus.SKIPPED)

    assert store.digests.counts([P, Q, Path("/srv/new")], PERIOD) == {
        P: {RunStatus.SUCCESS: 2, RunStatus.FAILURE: 1},
        Q: {RunStatus.SKIPPED: 1},
        Path("/srv/new"): {},
    }


def test_scripts_are_summed_up(store: Store) -> None:
    """How often each ran and failed, and how long its successes took."""
    good, bad, off = Outcome.SUCCESS, Outcome.FAILURE, Outcome.SKIPPED
    keep(store, P, DAY / 2, RunStatus.SUCCESS, ("a.py", good, 2.0), ("b.py", good, 1.0))
    keep(store, P, DAY / 3, RunStatus.FAILURE, ("a.py", bad, 9.0), ("b.py", off, 0.0))
    keep(store, P, DAY / 4, RunStatus.SUCCESS, ("a.py", good, 4.0), ("b.py", good, 1.0))
    keep(store, P, 2 * DAY, RunStatus.FAILURE, ("a.py", bad, 99.0))
    keep(store, Q, DAY / 4, RunStatus.FAILURE, ("a.py", bad, 1.0))

    found = store.digests.scripts([P, Q], PERIOD)

    assert [
        (s.path, s.script, s.runs, s.failed, s.usual, s.longest) for s in found
    ] == [
        (P, "a.py", 3, 1, 3.0, 9.0),
        (Q, "a.py", 1, 1, None, 1.0),
        (P, "b.py", 2, 0, 1.0, 1.0),
    ]
    assert [s.script for s in store.digests.scripts([Q], PERIOD)] == ["a.py"]


def test_starts_are_told_one_an_hour(store: Store) -> None:
    """Also of runs that were skipped; not those that a wrong clock puts tomorrow."""
    for minutes in (5, 6, 7, 130, 200):
        keep(store, P, timedelta(minutes=minutes))
    keep(store, P, 5 * DAY, RunStatus.SKIPPED)
    keep(store, P, -DAY)
    keep(store, Q, MINUTE)

    found = store.digests.starts(P, NOW, 10)

    assert found == sorted(found, reverse=True)
    assert found[0] == NOW - timedelta(minutes=5)
    assert found[-1] == NOW - 5 * DAY
    assert len({moment.timestamp() // 3600 for moment in found}) == len(found)
    assert store.digests.starts(P, NOW, 2) == found[:2]
    assert store.digests.starts(Path("/srv/new"), NOW, 10) == []


def test_what_waits_is_counted_by_project(store: Store) -> None:
    """Digests by themselves; what was given up until a later report has told of it."""
    keep(store, P, 3 * DAY, RunStatus.FAILURE, reports=(a_message("old"),))
    keep(store, P, MINUTE, RunStatus.FAILURE, reports=(a_message("new"),))
    queue(store, "digest", PERIOD, P, Q)
    waiting = {P: Undelivered(2, 0), None: Undelivered(1, 0)}
    assert store.digests.undelivered([P, Q], NOW - DAY) == waiting
    assert store.digests.undelivered([Q], NOW - DAY) == {None: Undelivered(1, 0)}
    assert store.messages.waiting() == 3
    assert store.messages.waiting(P) == 2

    refused = Receipt(recipient="ann@example.org", delivery=Delivery.FAILED)
    for _ in range(3):
        claimed = store.messages.claim_due(NOW, owner="me", lease_seconds=60)
        assert claimed
        store.messages.record_receipts(
            claimed.number, [refused], owner="me", next_try_at=None
        )
    given_up = {P: Undelivered(0, 2), None: Undelivered(0, 1)}
    assert store.digests.undelivered([P, Q], NOW - DAY) == given_up
    keep(store, Q, MINUTE, reports=())
    numbers = [message.number for message in store.messages.unannounced()]
    run = Run(
        run_id="f" * 13,
        project="q",
        path=Q,
        status=RunStatus.SUCCESS,
        started_at=NOW,
        duration=1.0,
    )
    store.end_run(run, [a_message("announces")], NOW, announces=numbers)
    # That of three days ago has been told; the others are of the digest's time.
    assert store.digests.undelivered([P], NOW - DAY) == {
        P: Undelivered(0, 1),
        None: Undelivered(0, 1),
    }


def test_a_digest_is_queued_once(store: Store) -> None:
    """Twice in ten minutes is the same one, unless another project or time is asked for."""
    assert queue(store, "first", PERIOD, P, Q)
    later = Period(NOW - DAY, NOW + MINUTE)
    assert not queue(store, "again", later, P, Q)
    assert not queue(store, "one of them", later, Q)
    # A clock that was set back a little.
    assert not queue(store, "before", Period(NOW - DAY, NOW - MINUTE), P)
    assert queue(store, "with a new project", later, P, Path("/srv/new"))
    assert queue(store, "of a week", Period(NOW - 7 * DAY, NOW, "7d"), P, Q)
    assert queue(store, "asked for", later, P, Q, again=True)
    assert queue(store, "the next", Period(NOW, NOW + SAME + MINUTE), P, Q)
    # A clock that was wrong by far keeps no digest back.
    assert queue(store, "last year", Period(NOW - 366 * DAY, NOW - 365 * DAY), P, Q)

    sent = store.messages.newest(tuple(MessageState))
    assert [message.message.subject for message in reversed(sent)] == [
        "first",
        "with a new project",
        "of a week",
        "asked for",
        "the next",
        "last year",
    ]
    assert {(m.run_id, m.project) for m in sent} == {("", "")}
    assert {m.path for m in sent} == {P}


def test_the_last_digest_is_remembered_by_project_and_kind(store: Store) -> None:
    """A week's digest does not shift the time of the daily ones."""
    assert store.digests.last([P, Q], "") == {}
    queue(store, "daily", PERIOD, P)
    queue(store, "weekly", Period(NOW - 7 * DAY, NOW, "7d"), P, Q)

    assert store.digests.last([P, Q], "") == {P: (NOW - DAY, NOW)}
    assert store.digests.last([P, Q], "7d") == dict.fromkeys(
        [P, Q], (NOW - 7 * DAY, NOW)
    )


def test_two_at_the_same_time_queue_one(store: Store, shielded: Path) -> None:
    """Both have found that none was sent; the transaction decides."""
    queued: list[bool] = []
    ready = threading.Barrier(4)

    def go(number: int) -> None:
        with open_store(shielded, NOW) as own:
            ready.wait(GENEROUS)
            queued.append(queue(own, f"digest {number}", PERIOD, P, Q))

    threads = [threading.Thread(target=go, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(queued) == [False, False, False, True]
    assert len(store.messages.newest()) == 1


def test_nothing_is_remembered_of_what_could_not_be_queued(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages and memory are one transaction."""

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.messages), "put", fail)
        with pytest.raises(Exception, match="disk I/O error"):
            queue(store, "lost", PERIOD, P)

    assert store.digests.last([P], "") == {}
    assert store.messages.newest() == []
    assert queue(store, "kept", PERIOD, P)


def test_old_digests_are_forgotten_once_they_are_delivered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their contents first; what waits stays whole."""
    monkeypatch.setattr("python_runner.records.digests._CONTENTS", 2)
    monkeypatch.setattr("python_runner.records.digests._REMEMBERED", 4)
    for number in range(8):
        queue(store, f"{number}", Period(NOW, NOW + number * DAY), P)
        if number == 1:
            continue
        claimed = store.messages.get(store.messages.newest()[0].number)
        assert claimed
        claimed = store.messages.claim_due(
            NOW + number * DAY, owner="me", lease_seconds=0
        )
        while claimed and claimed.message.subject != f"{number}":
            claimed = store.messages.claim_due(
                NOW + number * DAY, owner="me", lease_seconds=60
            )
        assert claimed
        store.messages.record_receipts(
            claimed.number,
            [Receipt(recipient="ann@example.org", delivery=Delivery.SENT)],
            owner="me",
            next_try_at=None,
        )

    found = store.messages.newest(tuple(MessageState))
    assert {m.message.subject: m.has_content for m in found} == {
        "7": True,
        "6": True,
        "5": False,
        "4": False,
        "1": True,
    }


def test_a_run_and_its_reports_know_nothing_of_digests(store: Store) -> None:
    """``history`` stays as it is, and what a run's report became."""
    keep(store, P, MINUTE, RunStatus.FAILURE, reports=(a_message("report"),))
    before = store.runs()
    queue(store, "digest", PERIOD, P)

    assert store.runs() == before
    assert store.projects() == [P]
    (report,) = store.messages.of_run(before[0].run_id)
    assert report.message.subject == "report"


def test_messages_survive_the_change_of_their_table() -> None:
    """The messages of earlier versions keep their numbers, states and recipients."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.create_function("path_key", 1, str)
        connection.execute("PRAGMA foreign_keys = ON")
        before = next(
            n for n, m in enumerate(MIGRATIONS) if any("digested" in s for s in m)
        )
        for migration in MIGRATIONS[:before]:
            for statement in migration:
                connection.execute(statement)
        connection.executescript(
            """
            INSERT INTO project (id, path) VALUES (1, '/srv/p');
            INSERT INTO run (id, run_id, project, name, status, started_at, duration)
            VALUES (5, 'a', 1, 'p', 'failure', 1, 1.0), (6, 'b', 1, 'p', 'failure', 2, 1.0);
            INSERT INTO message (id, run, audience, message_id, sender, subject,
                queued_at, next_try_at, state, content, unanswered, announced_by)
            VALUES (7, 5, 'recipients', '<a>', 's', 'one', 1, 2, 'sent', x'41', NULL, 9),
                (9, 6, 'recipients', '<b>', 's', 'two', 3, 4, 'queued', x'42', 'smtp', NULL);
            INSERT INTO recipient (message, address, state)
            VALUES (9, 'z@x', 'pending'), (7, 'b@x', 'sent'), (9, 'a@x', 'failed');
            """
        )

        def ask(statement: str) -> list[tuple[object, ...]]:
            return connection.execute(statement).fetchall()

        asked = (
            """
            SELECT id, run, audience, message_id, sender, subject, queued_at, attempts,
                state, next_try_at, owner, leased_until, announced_by, unanswered, content
            FROM message ORDER BY id
            """,
            "SELECT message, address, state, detail FROM recipient ORDER BY rowid",
            """
            SELECT name FROM sqlite_master
            WHERE tbl_name = 'message' AND sql IS NOT NULL ORDER BY name
            """,
        )
        then = [ask(statement) for statement in asked]
        for statement in MIGRATIONS[before]:
            connection.execute(statement)

        assert [ask(statement) for statement in asked] == then
        assert ask("PRAGMA foreign_key_check") == []
        # What hung together still does.
        connection.execute("DELETE FROM run WHERE id = 6")
        assert ask("SELECT id FROM message") == [(7,)]
        assert ask("SELECT message FROM recipient") == [(7,)]


#: Steps of SQLite's machine, in tens, that a question about 100,000 runs may take.
QUESTIONS: dict[str, tuple[Callable[..., object], int]] = {
    "counts": (lambda s, *, paths: s.digests.counts(paths, PERIOD), 5_000),
    "scripts": (lambda s, *, paths: s.digests.scripts(paths, PERIOD), 40_000),
    "starts": (lambda s, *, paths: s.digests.starts(paths[0], NOW, 1000), 40_000),
    "undelivered": (lambda s, *, paths: s.digests.undelivered(paths, NOW - DAY), 1_000),
    "state": (lambda s, *, paths: s.project_state(paths[0]), 5_000),
    "failure": (
        lambda s, *, paths: s.runs(projects=[paths[0]], failed=True, limit=1),
        100,
    ),
}


@pytest.mark.slow
def test_records_of_years_are_not_read_through(tmp_path: Path) -> None:
    """Of 100,000 runs a digest reads a day's, and a bounded number of the newest ones."""
    open_store(tmp_path, NOW).close()
    fill(tmp_path / DATABASE_NAME, 100_000)
    with open_store(tmp_path, NOW) as store:
        paths = store.projects()
        steps = {
            name: work(store, partial(ask, paths=paths))
            for name, (ask, _limit) in QUESTIONS.items()
        }
        counts = store.digests.counts(paths, PERIOD)

    assert sum(sum(found.values()) for found in counts.values()) < 1_000
    assert {name: n for name, n in steps.items() if n > QUESTIONS[name][1]} == {}
