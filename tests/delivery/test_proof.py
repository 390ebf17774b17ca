"""150 reports, and a runner that is killed at every step of their way.

This file is also the runner that is killed: ``test_proof.py HOME PORT CA_FILE`` queues
the reports, then reads lines ``MINUTES STATEMENT MILLISECONDS``. For each it forks a
child that drains the outbox so many minutes later, prints the child's number, and its
end. The child dies before its ``STATEMENT``-th SQL statement, or after so many
milliseconds; 0 leaves that out.
"""

from __future__ import annotations

import itertools
import os
import queue
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.settings import load_settings
from python_runner.delivery.outbox import Outbox
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.model import MailSettings, MailStatus, Message, Run, RunStatus
from python_runner.records.messages import MessageState
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.runner.delivery import drain
from python_runner.runner.session import local_now, open_session
from tests.support import GENEROUS, with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPORTS = 150
RECIPIENTS = ("ann@example.org", "bob@example.org")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
EHLO = "250-fake\r\n250-STARTTLS\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN"
if sys.platform == "win32":
    KILL = signal.SIGTERM  # never used there
else:
    KILL = signal.SIGKILL
#: Every exchange of two messages over one connection; the second counts from its MAIL.
EXCHANGES = (
    *("CONNECT", "EHLO", "STARTTLS", "EHLO", "AUTH"),
    *("MAIL", "RCPT", "RCPT", "DATA", "."),
    *("MAIL", "RCPT", "RCPT", "DATA", "."),
)

MOMENTS = ("before", "after")


def queue_reports(home: Path) -> None:
    """Close runs, each with a report whose bytes nobody could make again."""
    with open_store(home, NOW) as store:
        for number in range(REPORTS):
            run = Run(
                run_id=f"{number:013x}",
                project="p",
                path=home,
                status=RunStatus.SUCCESS,
                started_at=NOW,
                duration=1.0,
            )
            head = f"Message-ID: <{run.run_id}@localhost>\r\nDate: fixed\r\n\r\n"
            message = Message(
                message_id=f"<{run.run_id}@localhost>",
                sender="robot@example.org",
                recipients=RECIPIENTS,
                subject="report",
                content=f"{head}.\r\n{os.urandom(8).hex()}\r\n".encode(),
            )
            store.end_run(run, [message], NOW)


def die_before_statement(number: int) -> None:
    """Let this process be killed before its ``number``-th SQL statement."""
    statements = itertools.count(1)
    connect = sqlite3.connect

    def count(_statement: str) -> None:
        if next(statements) == number:
            os.kill(os.getpid(), KILL)

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]


def deliver(home: Path, port: int, ca_file: Path, now: datetime) -> None:
    """Drain once, as every run does."""
    settings = MailSettings(
        smtp_host="localhost",
        smtp_port=port,
        smtp_ca_file=ca_file,
        login="robot",
        password="secret",
    )
    with open_store(home, now) as store:
        outbox = Outbox(
            store=store,
            open_transport=lambda _audience, _folder: SmtpTransport(settings),
            now=lambda: now,
        )
        outbox.drain(30)


def start_runners(home: Path, port: int, ca_file: Path) -> None:
    """Do as the first lines of this file say."""
    if sys.platform == "win32":
        raise NotImplementedError
    for line in sys.stdin:
        minutes, statement, milliseconds = map(int, line.split())
        child = os.fork()
        if child == 0:
            if statement:
                die_before_statement(statement)
            deliver(home, port, ca_file, NOW + timedelta(minutes=minutes))
            os._exit(0)
        print(child, flush=True)  # noqa: T201 - the parent reads it
        if milliseconds:
            time.sleep(milliseconds / 1000)
            os.kill(child, KILL)
        print(os.waitpid(child, 0)[1], flush=True)  # noqa: T201 - likewise


@dataclass
class Assassin:
    """Kills the runner at a chosen moment of its conversation with the server.

    Attributes:
        accepted: every message whose final dot was answered with 250.
    """

    accepted: list[bytes] = field(default_factory=list)
    pids: queue.Queue[int] = field(default_factory=queue.Queue)
    _moment: str = ""
    _exchange: int = -1
    _seen: int = -1

    def aim(self, moment: str = "", exchange: int = -1) -> None:
        """Choose: ``before`` or ``after`` the server's n-th answer, from 0."""
        self._moment, self._exchange, self._seen = moment, exchange, -1

    def watch(self, server: Any, moment: str, verb: str) -> None:
        """Look at one answer of the server."""
        if (moment, verb) == ("after", "."):
            self.accepted.append(server.messages[-1])
        self._seen += moment == "before"
        if (moment, self._seen) == (self._moment, self._exchange):
            assert verb == EXCHANGES[self._exchange]
            os.kill(self.pids.get(timeout=GENEROUS), KILL)
            # Whatever the dead one has said already is not answered any more.
            raise ConnectionAbortedError


@dataclass
class Nursery:
    """The process that starts the runners, and the clock of their records."""

    process: subprocess.Popen[str]
    assassin: Assassin
    minutes: int = 0

    def drain(self, *, statement: int = 0, milliseconds: int = 0) -> bool:
        """Let one runner drain; return whether it was killed."""
        assert self.process.stdin
        assert self.process.stdout
        # Long enough for the claim of a dead one to lapse.
        self.minutes += 3
        self.assassin.pids = queue.Queue()
        self.process.stdin.write(f"{self.minutes} {statement} {milliseconds}\n")
        self.process.stdin.flush()
        self.assassin.pids.put(int(self.process.stdout.readline()))
        return int(self.process.stdout.readline()) == KILL

    def drain_killed_at(self, moment: str, exchange: int) -> bool:
        """Let one runner drain that dies before or after an answer of the server."""
        self.assassin.aim(moment, exchange)
        try:
            return self.drain()
        finally:
            self.assassin.aim()


@pytest.fixture
def assassin() -> Assassin:
    """Return a watcher that has nobody to kill yet."""
    return Assassin()


@pytest.fixture
def server(serve: Callable[..., Any], authority: Any, assassin: Assassin) -> Any:
    """Return a server with STARTTLS and a login, watched by the assassin."""
    server = serve({"EHLO": EHLO}, tls=authority.context())
    server.watch = partial(assassin.watch, server)
    return server


@pytest.fixture
def nursery(
    server: Any, authority: Any, assassin: Assassin, memory_folder: Path
) -> Iterator[Nursery]:
    """Return the process that starts runners, with 150 reports in their outbox."""
    queue_reports(memory_folder)
    arguments = map(str, (__file__, memory_folder, server.port, authority.file))
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=with_tests_importable(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Nursery(process, assassin)


@pytest.mark.fault(
    "delivery",
    "The runner is killed at any step of a delivery",
    "The report arrives, unchanged.",
)
@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="forks a process per kill")
def test_no_kill_at_any_step_loses_or_changes_a_report(
    nursery: Nursery, assassin: Assassin, memory_folder: Path
) -> None:
    """Killed at each exchange, each statement and at random: every report arrives."""
    for exchange, moment in itertools.product(range(len(EXCHANGES)), MOMENTS):
        assert nursery.drain_killed_at(moment, exchange), (moment, exchange)
    # From opening the records to the second message, which the server has then taken.
    for statement in itertools.count(1):
        taken = len(assassin.accepted)
        assert nursery.drain(statement=statement)
        if len(assassin.accepted) == taken + 2:
            break
    chance = random.Random(20261124)  # noqa: S311 - no secret, a reproducible test
    killed = [nursery.drain(milliseconds=chance.randint(1, 120)) for _ in range(60)]
    assert sum(killed) > 5
    with open_store(memory_folder, NOW) as store:
        while store.messages.waiting():
            assert not nursery.drain()
        sent = store.messages.newest((MessageState.SENT,), limit=2 * REPORTS)

    assert len(sent) == REPORTS
    copies = Counter(assassin.accepted)
    assert copies.keys() == {queued.message.content for queued in sent}
    # It did happen between the server's 250 and our mark; the bytes were the same.
    assert max(copies.values()) > 1
    assert sum(copies.values()) < 2 * REPORTS
    with closing(sqlite3.connect(memory_folder / DATABASE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_every_run_of_a_killed_command_is_reported(
    make_project: Callable[..., Path],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    serve: Callable[..., Any],
) -> None:
    """The real command, killed through start, run and end: what it began is told of."""
    folder = make_project(recipients=list(RECIPIENTS), email_strategy="all")
    server = serve()
    relay = {
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_SECURITY": "none",
    }
    command = [sys.executable, "-m", "python_runner", "run", "-q", str(folder)]
    for tenths in range(2, 14):
        with subprocess.Popen(command, env=os.environ | relay) as runner:
            with suppress(subprocess.TimeoutExpired):
                runner.wait(tenths / 10)
            runner.kill()
    assert cli("run", folder, **relay).returncode == 0

    settings = load_settings(environ=os.environ | relay)
    hour = timedelta(hours=1)
    with open_session(settings, now=lambda: local_now() + hour) as session:
        drain(session)
        assert session.store
        runs = session.store.runs(limit=100)
        messages = session.store.messages
        contents = {
            found.message.content
            for run in runs
            for queued in messages.of_run(run.run_id)
            if (found := messages.get(queued.number))
        }
    assert runs
    assert {run.mail_status for run in runs} == {MailStatus.SENT}
    assert len(contents) == len(runs)
    assert set(server.messages) == contents


if __name__ == "__main__":
    start_runners(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
