"""A runner that is killed at any SQL statement loses nothing it was told is safe.

This file is also the runner that is killed. ``test_store_crash.py HOME N`` records one
run in ``HOME`` and dies before its ``N``-th statement; ``test_store_crash.py HOME every``
does so for every ``N`` that there is, each in a folder of its own, and prints how many
there are; ``test_store_crash.py HOME tend`` does it with records of the first version that
are upgraded, settled, thinned and copied; ``test_store_crash.py HOME 3,14,15`` records
three runs that die so, in turn.

What the runner was told to be on disk is written to ``HOME/acknowledged``, one line each;
what the mail server took is in ``HOME/server``: Message-ID and a hash of the bytes.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.outbox import Outbox
from python_runner.model import (
    Attempt,
    Delivery,
    Interpreter,
    MailStatus,
    Message,
    OpenRun,
    OpenScript,
    Outcome,
    Receipt,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records.schema import MIGRATIONS
from python_runner.records.store import DATABASE_NAME, Store, open_store
from tests.support import GENEROUS, with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PROJECT = Path("/srv/project_1")
if sys.platform == "win32":
    KILL = signal.SIGTERM  # terminates at once there
else:
    KILL = signal.SIGKILL


def message_of(run: Run) -> Message:
    """Return the report of ``run``: the bytes depend on the moment, on purpose."""
    return Message(
        message_id=f"<{run.run_id}@localhost>",
        sender="runner@example.org",
        recipients=("a@example.org", "b@example.org"),
        subject=run.status.value,
        content=f"{run.run_id} {os.urandom(4).hex()}".encode(),
    )


class DiskServer:
    """A mail server whose mailbox survives the process."""

    def __init__(self, home: Path) -> None:
        self._mailbox = home / "server"

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Take the message for every recipient."""
        digest = hashlib.sha256(message.content).hexdigest()
        append(self._mailbox, f"{message.message_id} {digest}")
        return tuple(
            Receipt(recipient=recipient, delivery=Delivery.SENT)
            for recipient in message.recipients
        )

    def close(self) -> None:
        """There is no connection."""


def append(path: Path, line: str) -> None:
    """Write a line that no kill can take back."""
    with path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def lines(path: Path) -> list[str]:
    """Return what :func:`append` wrote."""
    return path.read_text("utf-8").splitlines() if path.exists() else []


def settle(store: Store, now: datetime) -> None:
    """Do what every run does first: close and report what died."""
    for run in store.interrupt_runs(PROJECT, now):
        store.end_run(run, [message_of(run)], now)


def open_run(run_id: str, started_at: datetime) -> OpenRun:
    """Return a run of three scripts before its first one."""
    return OpenRun(
        run_id=run_id,
        project=PROJECT.name,
        path=PROJECT,
        started_at=started_at,
        scripts=tuple(
            OpenScript(script=script, number=number)
            for number, script in enumerate(("a.py", "b.py", "c.py"), 1)
        ),
    )


def record_run(home: Path, run_id: str, now: datetime) -> None:
    """Record a run of three scripts, one with two attempts, and report it."""

    def acknowledge(fact: str) -> None:
        append(home / "acknowledged", fact)

    with open_store(home, now) as store:
        settle(store, now)
        store.begin_run(open_run(run_id, now))
        acknowledge(f"{run_id} begun")
        results = []
        for number, outcomes in enumerate(("s", "fs", "ff"), 1):
            attempts = []
            for letter in outcomes:
                store.begin_attempt(run_id, number, now)
                attempts.append(attempt(letter, now))
                store.end_attempt(run_id, number, attempts[-1])
                acknowledge(f"{run_id} attempt {number}")
            result = ScriptResult(
                script=f"{'abc'[number - 1]}.py",
                run_id=run_id,
                number=number,
                outcome=attempts[-1].outcome,
                started_at=now,
                attempts=tuple(attempts),
            )
            results.append(result)
            store.end_script(result)
            acknowledge(f"{run_id} ended {number} {result.outcome}")
        run = Run(
            run_id=run_id,
            project=PROJECT.name,
            path=PROJECT,
            status=RunStatus.FAILURE,
            started_at=now,
            duration=1.0,
            scripts=tuple(results),
        )
        store.end_run(run, [message_of(run)], now)
        acknowledge(f"{run_id} finished")
        outbox = Outbox(
            store=store,
            open_transport=lambda _audience, _folder: DiskServer(home),
            now=lambda: now,
        )
        outbox.drain(30)


def attempt(letter: str, now: datetime) -> Attempt:
    """Return a success for ``s``, else a failure."""
    if letter == "s":
        return Attempt(
            outcome=Outcome.SUCCESS, exit_code=0, started_at=now, duration=1.0
        )
    return Attempt(
        outcome=Outcome.FAILURE,
        exit_code=1,
        started_at=now,
        duration=1.0,
        traceback=Traceback(text="Traceback ...\nKeyError: 'x'", exception="KeyError"),
    )


def kill_before_statement(number: int) -> None:
    """Let this process die before its ``number``-th statement, on any connection."""
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    statements = itertools.count(1)

    def count(_statement: str) -> None:
        if next(statements) == number:
            os.kill(os.getpid(), KILL)

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


OLD, NEW, OPEN, LAST = ("0" * 13, "1" * 13, "2" * 13, "3" * 13)
PYTHON = Interpreter(path="/py", version="3.11.9", base="/py", stamp="1:2")


def write_first_version(home: Path) -> None:
    """Write records as the first version did: an old run, a new one, an open one."""
    with closing(
        sqlite3.connect(home / DATABASE_NAME, isolation_level=None)
    ) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO project VALUES (1, ?)", (str(PROJECT),))
        for number, name in enumerate(("a.py", "b.py", "c.py"), 1):
            connection.execute("INSERT INTO script VALUES (?, 1, ?)", (number, name))
        for key, (run_id, status, days) in enumerate(
            [(OLD, "success", 40), (NEW, "failure", 1), (OPEN, None, 0)], 1
        ):
            began = int((NOW - timedelta(days=days)).timestamp() * 1_000_000)
            connection.execute(
                """
                INSERT INTO run (id, run_id, project, name, status, started_at,
                    duration) VALUES (?, ?, 1, 'project_1', ?, ?, 1)
                """,
                (key, run_id, status, began),
            )
            states = (
                ("success", "running", "planned") if days == 0 else ("failure",) * 3
            )
            for number, state in enumerate(states, 1):
                connection.execute(
                    "INSERT INTO result VALUES (?, ?, ?, ?, ?, 1, NULL, NULL)",
                    (key, number, number, state, began),
                )


def tend(home: Path) -> None:
    """Upgrade the records, settle what was open, forget what is old, make a copy."""

    def acknowledge(fact: str) -> None:
        append(home / "acknowledged", fact)

    with open_store(home, NOW) as store:
        settle(store, NOW)
        acknowledge("settled")
        store.begin_run(open_run(LAST, NOW), PYTHON)
        acknowledge("begun")
        store.delete_old_runs(NOW - timedelta(days=30), NOW)
        acknowledge("thinned")
        store.backup(home / "copy")
        acknowledge("copied")


def check_tended(home: Path) -> None:
    """Compare with what was promised; what is not promised happened whole or not at all."""
    known = lines(home / "acknowledged")
    with open_store(home, NOW) as store:
        assert store.notice is None
        settle(store, NOW)
        runs = {run.run_id: run for run in store.runs()}
        queued = [queued.message.message_id for queued in store.messages.newest()]
        remembered = store.interpreter(PYTHON.path)
    assert {NEW, OPEN} <= runs.keys() <= {OLD, NEW, OPEN, LAST}
    assert [r.outcome for r in runs[OPEN].scripts] == [
        *("success", "interrupted", "skipped")
    ]
    assert all(len(run.scripts) == 3 for run in runs.values())
    assert queued == [f"<{key}@localhost>" for key in (LAST, OPEN) if key in runs]
    assert LAST in runs or "begun" not in known
    assert remembered == (PYTHON if LAST in runs else None)
    assert OLD not in runs or "thinned" not in known
    check_sound(home / DATABASE_NAME)
    assert (home / "copy").exists() or "copied" not in known
    if (home / "copy").exists():
        check_sound(home / "copy")
        with Store(home / "copy") as copy:
            assert {run.run_id for run in copy.runs()} == {NEW, OPEN}
            assert [run.run_id for run in copy.open_runs()] == [LAST]


def check_sound(path: Path) -> None:
    """Let SQLite itself say whether a file is sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def record_one(home: Path) -> None:
    """Record the one run of ``HOME``."""
    record_run(home, "0" * 13, NOW)


def die_everywhere(
    folder: Path, act: Callable[[Path], None], prepare: Callable[[Path], object]
) -> int:
    """Do ``act`` per statement, each killed one statement later; return how many.

    Args:
        folder: gets a folder for each.
        act: what is done in a folder.
        prepare: makes what it finds there.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    for number in itertools.count(1):
        home = folder / str(number)
        home.mkdir()
        prepare(home)
        # One interpreter for all: a start per statement would take minutes.
        child = os.fork()
        if child == 0:
            kill_before_statement(number)
            act(home)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return number
    raise AssertionError


def die_at_random(home: Path, points: list[int]) -> None:
    """LogLine one run after another in ``home``, each killed at its point."""
    if sys.platform == "win32":
        raise NotImplementedError
    for place, point in enumerate(points):
        child = os.fork()
        if child == 0:
            kill_before_statement(point)
            record_run(home, f"{place:013x}", NOW + timedelta(hours=place))
            os._exit(0)
        os.waitpid(child, 0)


def play(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run this file as the runner that is killed."""
    return subprocess.run(
        [sys.executable, __file__, *map(str, arguments)],
        env=with_tests_importable(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=5 * GENEROUS,
        check=False,
    )


def come_back(home: Path) -> None:
    """Do what the next run does, leases lapsed: settle, deliver; then check all."""
    later = NOW + timedelta(days=1)
    with open_store(home, later) as store:
        assert store.notice is None
        settle(store, later)
        outbox = Outbox(
            store=store,
            open_transport=lambda _audience, _folder: DiskServer(home),
            now=lambda: later,
        )
        outbox.drain(30)
        assert store.interrupt_runs(PROJECT, later) == []
        check_records(store, lines(home / "acknowledged"))
    check_mailbox(home)
    check_sound(home / DATABASE_NAME)


def check_records(store: Store, acknowledged: list[str]) -> None:
    """Compare the records with everything the killed runners were promised."""
    for line in acknowledged:
        run_id, fact, *details = line.split()
        run = store.run(run_id)
        assert run is not None, line
        assert len(run.scripts) == 3
        if fact == "attempt":
            assert run.scripts[int(details[0]) - 1].attempts
        elif fact == "ended":
            result = run.scripts[int(details[0]) - 1]
            assert result.outcome == details[1]
            assert len(result.attempts) == (1 if details[0] == "1" else 2)
        elif fact == "finished":
            assert run.status is RunStatus.FAILURE
        assert run.status in {RunStatus.FAILURE, RunStatus.INTERRUPTED}
        assert run.mail_status is MailStatus.SENT


def check_mailbox(home: Path) -> None:
    """Every report arrived; one that came twice was the same to the byte."""
    versions = defaultdict(set)
    for line in lines(home / "server"):
        message_id, digest = line.split()
        versions[message_id].add(digest)
    begun = {f"<{x.split()[0]}@localhost>" for x in lines(home / "acknowledged")}
    assert begun <= versions.keys()
    assert all(len(digests) == 1 for digests in versions.values())


@pytest.mark.fault(
    "runner",
    "The runner is killed before any statement to the database",
    "What was acknowledged is there.",
)
@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="forks a process per statement")
def test_a_kill_before_any_statement_loses_nothing(memory_folder: Path) -> None:
    """Whatever was acknowledged is there after a kill -9 at every statement."""
    points = int(play(memory_folder, "every").stdout)
    assert points > 100
    for point in range(1, points + 1):
        come_back(memory_folder / str(point))


@pytest.mark.fault(
    "records",
    "A kill while records are upgraded, thinned or copied",
    "It happened whole or not at all.",
)
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="forks a process per statement")
def test_a_kill_while_records_are_tended_loses_nothing(memory_folder: Path) -> None:
    """Upgrading, settling, thinning and copying happen whole or not at all."""
    done = play(memory_folder, "tend")
    assert done.returncode == 0, done.stderr
    points = int(done.stdout)
    assert points > 60
    for point in range(1, points + 1):
        check_tended(memory_folder / str(point))


@pytest.mark.parametrize("point", [3, 40, 80, 120, 160])
def test_a_killed_process_loses_nothing(tmp_path: Path, point: int) -> None:
    """The same holds for whole processes, on every platform."""
    assert play(tmp_path, point).returncode != 0
    come_back(tmp_path)


@pytest.mark.fault(
    "delivery",
    "150 runs are killed at random",
    "Every report arrives.",
)
@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="forks a process per run")
def test_no_report_is_lost_over_many_kills(memory_folder: Path) -> None:
    """Of 150 runs in one state folder, killed at random, every report arrives."""
    chance = random.Random(20261124)  # noqa: S311 - no secret, a reproducible test
    points = [chance.randint(20, 400) for _ in range(150)]
    assert play(memory_folder, ",".join(map(str, points))).returncode == 0
    come_back(memory_folder)


if __name__ == "__main__":
    where, when = Path(sys.argv[1]), sys.argv[2]
    if when == "every":
        print(die_everywhere(where, record_one, lambda _: None))  # noqa: T201 - the parent reads it
    elif when == "tend":
        print(die_everywhere(where, tend, write_first_version))  # noqa: T201 - likewise
    elif "," in when:
        die_at_random(where, [int(point) for point in when.split(",")])
    else:
        kill_before_statement(int(when))
        record_one(where)
