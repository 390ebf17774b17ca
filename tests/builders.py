"""Fixtures that build what many tests need: messages, results, runs, settings."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import (
    Attempt,
    MailSettings,
    Message,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from tests.support import NOW, MakeResult, MakeRun


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from python_runner.texts.sentence import Sentence
    from tests.servers.authority import Authority
    from tests.servers.cloud import FakeCloud


@pytest.fixture
def mail_settings() -> Callable[..., MailSettings]:
    """Return a function that makes settings for a server on this machine."""

    def make(server: Any, **changes: Any) -> MailSettings:
        values: dict[str, Any] = {
            "smtp_host": "localhost",
            "smtp_port": server.port,
            "smtp_security": "none",
            "sender": "robot@example.com",
        }
        return MailSettings(**(values | changes))

    return make


@pytest.fixture
def token_settings(cloud: FakeCloud, authority: Authority) -> Callable[..., Any]:
    """Return a function that makes settings for a login with a token of the cloud."""

    def make(server: Any, **changes: Any) -> MailSettings:
        values = {
            "transport": "smtp-oauth2",
            "smtp_host": "localhost",
            "smtp_port": server.port,
            "smtp_security": "none",
            "smtp_ca_file": authority.file,
        }
        return cloud.settings(**(values | changes))

    return make


@pytest.fixture
def message() -> Message:
    """Return a message for two, with lines that a careless client breaks."""
    return Message(
        message_id="<39be3d37aed64.python-runner@example.com>",
        sender="robot@example.com",
        recipients=("ann@example.com", "bob@example.com"),
        subject="test",
        content=b"To: ann@example.com, bob@example.com\r\nSubject: test\r\n\r\nfirst\r\n.\r\n..two dots\r\nlast\r\n",
    )


@pytest.fixture
def free_port() -> Iterator[int]:
    """Yield a port nobody listens on, nor can: it is taken until the test ends."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


TRACEBACK = Traceback(
    text=(
        "Traceback (most recent call last):\n"
        '  File "/p/import.py", line 12, in load\n'
        '    total += row["montant"]\n'
        "KeyError: 'montant'"
    ),
    exception="KeyError: 'montant'",
    file="import.py",
    line=12,
    function="load",
)


@pytest.fixture
def make_result() -> MakeResult:
    """Return a function that makes the result of one script."""

    def make(
        script: str = "main.py",
        outcome: Outcome = Outcome.SUCCESS,
        *,
        number: int = 1,
        attempts: int = 1,
        duration: float = 8.43,
        traceback: Traceback | None = None,
        warnings: tuple[Sentence, ...] = (),
        **changes: Any,
    ) -> ScriptResult:
        if outcome is Outcome.FAILURE and traceback is None:
            traceback = TRACEBACK
        attempt = Attempt(
            outcome=outcome,
            exit_code=0 if outcome.succeeded else 1,
            started_at=NOW,
            duration=duration,
            traceback=traceback,
            warnings=warnings,
        )
        never = outcome in {Outcome.SKIPPED, Outcome.NOT_STARTED}
        return ScriptResult(
            script=script,
            run_id="39be3d37aed64",
            number=number,
            outcome=outcome,
            started_at=NOW,
            duration=duration,
            attempts=() if never else (attempt,) * attempts,
            **changes,
        )

    return make


@pytest.fixture
def make_run() -> MakeRun:
    """Return a function that makes a run of some results."""

    def make(*scripts: ScriptResult, **changes: Any) -> Run:
        good = all(script.succeeded for script in scripts)
        values: dict[str, Any] = {
            "run_id": "39be3d37aed64",
            "project": "project_1",
            "path": Path("projects", "project_1"),
            "status": RunStatus.SUCCESS if good else RunStatus.FAILURE,
            "started_at": NOW,
            "duration": 133.2,
            "scripts": scripts,
        }
        return Run(**(values | changes))

    return make


@pytest.fixture
def now() -> dt.datetime:
    """Return the moment of everything made here."""
    return NOW
