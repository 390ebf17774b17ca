"""Whatever becomes of the mail, the next project does not wait for it for long."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import python_runner
from python_runner import Runner
from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.delivery.circuit_breaker import CircuitBreaker
from python_runner.model import MailStatus, RunStatus
from python_runner.runner.delivery import drain_again, with_mail_status
from python_runner.runner.events import RunStarted, ScriptEnded, ScriptStarted
from python_runner.runner.project_run import run_project
from python_runner.runner.session import (
    DELIVERY_SECONDS,
    ignore,
    local_now,
    open_session,
)
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Message, Run
    from python_runner.runner.events import Event
    from python_runner.runner.session import Session
    from tests.support import MakeProject


DRIP, SILENT = "<drip>", "<silent>"
#: Seconds that mail may take before or after a run in these tests.
DEADLINE = 1.0
#: Seconds a busy machine may take for everything else between two scripts: many, yet far
#: fewer than a server that does not answer could cost, which is 30 for each step.
SLACK = 10.0
ANN = ["ann@example.org"]


@dataclass
class Delays:
    """Notes how long each script waited for mail: from the last end to its start.

    Attributes:
        seconds: one entry per script, the first one from the start of its run.
    """

    seconds: list[float] = field(default_factory=list)
    _last: float | None = None

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        now = time.monotonic()
        match event:
            case RunStarted() if self._last is None:
                self._last = now
            case ScriptStarted() if self._last is not None:
                self.seconds.append(now - self._last)
            case ScriptEnded():
                self._last = now
            case _:
                pass


def session_for(
    variables: dict[str, str],
    listener: Callable[[Event], None] = ignore,
    now: Callable[[], datetime] = local_now,
) -> Session:
    """Open a session with a short deadline."""
    settings = load_settings(environ=os.environ | variables)
    session = open_session(settings, listener=listener, now=now)
    return replace(session, delivery_seconds=DEADLINE)


def relay(port: int) -> dict[str, str]:
    """Return the environment of an office whose relay wants no login."""
    return {
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
    }


def run_all(folders: list[Path], session: Session) -> list[Run]:
    """Run projects one after the other, as the command does."""
    with session:
        runs = [run_project(load_project(folder), session) for folder in folders]
        return drain_again(runs, session)


TARPITS: Mapping[str, Mapping[str, str]] = {
    "drips its greeting": {"CONNECT": DRIP},
    "never greets": {"CONNECT": SILENT},
    "drips in the middle": {"RCPT": DRIP},
    "drips after the final dot": {".": DRIP},
}


@pytest.mark.fault(
    "delivery",
    "A mail server accepts and says nothing",
    "One deadline is waited for once, and all reports are kept.",
)
@pytest.mark.sampled(2)
@pytest.mark.parametrize("answers", TARPITS.values(), ids=TARPITS.keys())
def test_a_tarpit_costs_a_process_its_deadline_once(
    make_project: MakeProject, serve: Any, answers: Mapping[str, str]
) -> None:
    """Of several projects one waits, no longer than the deadline; all reports are kept."""
    server = serve(answers)
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "abcd"
    ]
    delays = Delays()

    runs = run_all(folders, session_for(relay(server.port), delays))

    assert [run.status for run in runs] == [RunStatus.SUCCESS] * 4
    assert [run.mail_status for run in runs] == [MailStatus.QUEUED] * 4
    assert len(delays.seconds) == 4
    assert max(delays.seconds) < DEADLINE + SLACK
    assert "had not accepted the email after 1 s" in str(runs[0].mail_reason)
    assert all(run.mail_reason for run in runs)
    # Two connections: the one that proved it, and one more when nobody waits.
    assert server.connections <= 2


@pytest.mark.fault(
    "delivery",
    "Nobody listens at the mail server",
    "The reports are queued, and each says why.",
)
def test_a_dead_server_delays_nobody(make_project: MakeProject, free_port: int) -> None:
    """Where nobody listens the reports are queued, and each says why."""
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "abcd"
    ]
    delays = Delays()

    runs = run_all(folders, session_for(relay(free_port), delays))

    assert [run.mail_status for run in runs] == [MailStatus.QUEUED] * 4
    assert max(delays.seconds) < SLACK
    reasons = [str(run.mail_reason) for run in runs]
    assert all(f"does not answer on port {free_port}" in reason for reason in reasons)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="fills a backlog as Linux has it")
def test_a_black_hole_costs_a_process_its_deadline_once(
    make_project: MakeProject,
) -> None:
    """A network that swallows every packet is no worse than a tarpit."""
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "abc"
    ]
    delays = Delays()
    with ExitStack() as stack:
        hole = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            # What does not fit into the backlog is not even refused.
            full = stack.enter_context(socket.socket())
            full.setblocking(False)
            full.connect_ex(hole.getsockname())

        runs = run_all(folders, session_for(relay(hole.getsockname()[1]), delays))

    assert [run.mail_status for run in runs] == [MailStatus.QUEUED] * 3
    assert max(delays.seconds) < DEADLINE + SLACK
    assert "had not accepted the email" in str(runs[0].mail_reason)


def test_no_project_waits_for_mail_twice(make_project: MakeProject, serve: Any) -> None:
    """What the last run could not send for lack of time is not begun by the next one."""
    server = serve({"MAIL": "451 4.7.1 not now"})
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "ab"
    ]
    connections = []

    def look(event: Event) -> None:
        if isinstance(event, ScriptStarted):
            connections.append(server.connections)

    with session_for(relay(server.port), look) as session:
        run_project(load_project(folders[0]), session)
        assert session.store
        session.store.messages.make_due(local_now())
        run_project(load_project(folders[1]), session)

    assert connections == [0, 1]
    assert server.connections == 2


def test_twenty_projects_do_not_wait_for_a_dead_server_twenty_times() -> None:
    """The real figures: what an office waits for mail in the worst night of all.

    The server is left alone for 5, 10, 20 ... minutes, so that in a night of eight hours
    it can cost its deadline seven times, whatever the number of projects.
    """
    moment, waited, projects = 0.0, 0.0, 0
    breaker = CircuitBreaker(lambda: moment)
    while moment < 8 * 3600:
        if not breaker.is_open:
            moment += DELIVERY_SECONDS
            waited += DELIVERY_SECONDS
            breaker.failure(None, certain=True)
        moment += 60.0
        projects += 1
    assert projects > 400
    assert waited <= 7 * DELIVERY_SECONDS


def test_the_library_in_a_loop_pays_once(
    make_project: MakeProject, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call of ``Runner.run`` is a session of its own; the server is the same."""
    server = serve({"CONNECT": "421 4.3.2 too busy"})
    for name, value in relay(server.port).items():
        monkeypatch.setenv(name, value)
    for name in "abcd":
        folder = make_project(name)
        (result,) = Runner(folder, ANN).run(["main.py"])
        assert result["success"]
    assert server.connections == 1


LOGIN = {
    "LOGIN_MAIL": "robot@example.org",
    "PASSWORD_MAIL": "canary-7391-pass",
    "SMTP_HOST": "127.0.0.1",
    "SMTP_SECURITY": "none",
}


@pytest.mark.parametrize(
    "answers",
    [{"AUTH": "535 5.7.8 no"}, {"CONNECT": "421 4.3.2 too busy"}],
    ids=["refused login", "busy"],
)
def test_configured_projects_in_a_loop_pay_once(
    make_project: MakeProject,
    serve: Any,
    monkeypatch: pytest.MonkeyPatch,
    answers: Mapping[str, str],
) -> None:
    """``run_project`` asks a server once, and tries no password again and again."""
    server = serve(answers)
    for name, value in (LOGIN | {"SMTP_PORT": str(server.port)}).items():
        monkeypatch.setenv(name, value)
    for name in "abcd":
        folder = make_project(name, recipients=ANN, email_strategy="all")
        assert python_runner.run_project(folder).mail == MailStatus.QUEUED
    assert server.connections == 1


def test_earlier_reports_leave_before_the_scripts_start(
    make_project: MakeProject, serve: Any, free_port: int
) -> None:
    """What an earlier run left is not kept waiting by a series that takes hours."""
    first = make_project("a", recipients=ANN, email_strategy="all")
    run_all([first], session_for(relay(free_port)))
    server = serve()
    seen = []

    def look(event: Event) -> None:
        if isinstance(event, ScriptStarted):
            seen.append(len(server.messages))

    later = local_now() + timedelta(minutes=6)
    session = session_for(relay(server.port), look, lambda: later)
    runs = run_all([make_project("b")], session)

    assert seen == [1]
    assert runs[0].duration < SLACK


def test_a_passing_trouble_does_not_keep_the_other_reports(
    make_project: MakeProject, serve: Any
) -> None:
    """When no project waits any more, what was kept back is tried once more."""
    server = serve({"CONNECT": ("421 4.3.2 too busy", "220 hello")})
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "abc"
    ]

    runs = run_all(folders, session_for(relay(server.port)))

    assert [run.mail_status for run in runs] == ["queued", "sent", "sent"]
    assert "too busy" in str(runs[0].mail_reason)
    assert len(server.messages) == 2


@pytest.mark.fault(
    "delivery",
    "A report cannot be queued because the disk is full",
    "It is sent at once, and says that records are missing.",
)
@pytest.mark.posix
@pytest.mark.parametrize("full_from", ["the start", "the middle"])
def test_a_full_disk_does_not_keep_a_report(
    small_disk: Path, make_project: MakeProject, serve: Any, full_from: str
) -> None:
    """What cannot be recorded is sent at once, and says that records are missing."""
    server = serve()
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "ab"
    ]
    home = {"PYTHON_RUNNER_HOME": str(small_disk / "home")}
    if full_from == "the start":
        fill(small_disk)
    session = session_for(relay(server.port) | home)
    fill(small_disk)

    runs = run_all(folders, session)

    assert [run.status for run in runs] == [RunStatus.SUCCESS] * 2
    assert [run.mail_status for run in runs] == [MailStatus.SENT] * 2
    assert all(run.warnings for run in runs)
    assert len(server.messages) == 2


@pytest.mark.posix
def test_a_full_disk_and_a_tarpit_delay_no_further(
    small_disk: Path, make_project: MakeProject, serve: Any
) -> None:
    """The last resort has the same deadline; a report lost so is said to be lost."""
    server = serve({"CONNECT": DRIP})
    folders = [
        make_project(name, recipients=ANN, email_strategy="all") for name in "abc"
    ]
    delays = Delays()
    home = {"PYTHON_RUNNER_HOME": str(small_disk / "home")}
    session = session_for(relay(server.port) | home, delays)
    fill(small_disk)

    runs = run_all(folders, session)

    assert [run.status for run in runs] == [RunStatus.SUCCESS] * 3
    assert [run.mail_status for run in runs] == [MailStatus.FAILED] * 3
    assert max(delays.seconds) < DEADLINE + SLACK
    assert "had not accepted the email" in str(runs[0].mail_reason)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / f"ballast-{time.monotonic_ns()}").open("wb", buffering=0) as file:
        block = b"x" * 65536
        while block:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]


def _untouched(_session: Session) -> None:
    """Leave a report as it was queued."""


def _claim(session: Session) -> None:
    assert session.store is not None
    session.store.messages.claim_due(session.now(), owner="other", lease_seconds=60)


def _open_breaker(session: Session) -> None:
    reason = Sentence.of("the relay is down")
    for way in session.outbox.mail_ways or ():
        session.outbox.endpoints[way.endpoint].breaker.failure(reason, certain=True)


def _close_records(session: Session) -> None:
    assert session.store is not None
    session.store.close()


@pytest.mark.parametrize(
    ("befall", "reason"),
    [
        (_untouched, "there was no time left to send it; a later run will"),
        (_claim, "another process is sending it"),
        (_open_breaker, "the relay is down"),
        (_close_records, "the records cannot be read: "),
    ],
)
def test_a_report_that_waits_always_says_why(
    make_run: Callable[..., Run],
    message: Message,
    befall: Callable[[Session], None],
    reason: str,
) -> None:
    """Also where no server has answered yet: the line of the run shows it."""
    with session_for(relay(9)) as session:
        assert session.store is not None
        run = make_run()
        session.store.end_run(run, [message], session.now())
        befall(session)
        told = with_mail_status(run, session)
    assert told.mail_status is MailStatus.QUEUED
    assert str(told.mail_reason).startswith(reason)
