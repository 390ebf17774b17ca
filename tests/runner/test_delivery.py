"""What keeps reports from people, and the reports of runs whose runner died."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner import Runner, run_project
from python_runner.config.settings import load_settings
from python_runner.delivery.outbox import Outbox
from python_runner.delivery.transports.memory import MemoryTransport
from python_runner.model import RECIPIENTS, Delivery, Message, OpenRun, OpenScript
from python_runner.records.messages import MessageState, QueuedMessage, Recipient
from python_runner.records.store import open_store
from python_runner.runner.delivery import why_undelivered
from python_runner.runner.project_run import run_configured
from python_runner.runner.session import local_now, open_session
from python_runner.texts.sentence import Sentence
from tests.support import NOW, MakeProject, allow_threads, mails


if TYPE_CHECKING:
    from collections.abc import Callable

ANN, BOB = ["ann@example.org"], ["bob@example.org"]
DEAD = "d" * 13


@pytest.fixture(autouse=True)
def _in_folder(in_folder: Path) -> None:
    """Keep the files of the developer's own folder out."""


def die(home: Path, folder: Path) -> None:
    """Record a run of main.py whose runner was killed an hour ago."""
    run = OpenRun(
        run_id=DEAD,
        project=folder.name,
        path=folder,
        started_at=local_now() - timedelta(hours=1),
        scripts=(OpenScript(script="main.py", number=1),),
    )
    with open_store(home, local_now()) as store:
        store.begin_run(run, None)


def by_the_command_with_no_mail(folder: Path) -> None:
    """``run --no-mail --only main.py``."""
    with open_session(load_settings(), reports_enabled=False) as session:
        run_configured(folder, session, defaults={}, only=["main.py"])


def by_a_resumption_with_no_mail(folder: Path) -> None:
    """``run --no-mail --resume``."""
    run_project(folder, resume=True, mail=False)


def by_the_library_with_no_mail(folder: Path) -> None:
    """``run_project(mail=False)``."""
    run_project(folder, mail=False)


def by_a_runner_without_strategy(folder: Path) -> None:
    """``Runner.run(email_strategy="none")``."""
    Runner(folder, BOB).run(["main.py"], email_strategy="none")


def by_a_runner_without_recipients(folder: Path) -> None:
    """``Runner`` with nobody to tell."""
    Runner(folder, []).run(["main.py"], email_strategy="none")


@pytest.mark.parametrize(
    "silenced",
    [
        by_the_command_with_no_mail,
        by_a_resumption_with_no_mail,
        by_the_library_with_no_mail,
        by_a_runner_without_strategy,
        by_a_runner_without_recipients,
    ],
)
def test_a_run_without_report_swallows_no_dead_run_s(
    make_project: MakeProject,
    mail_dir: Path,
    shielded: Path,
    silenced: Callable[[Path], None],
) -> None:
    """It closes the dead run, queues the report for whom the project names."""
    folder = make_project(recipients=ANN, email_strategy="failure_only")
    die(shielded, folder)

    silenced(folder)

    with open_store(shielded, local_now()) as store:
        assert store.open_runs() == []
        (queued,) = store.messages.newest(tuple(MessageState))
    assert queued.run_id == DEAD
    assert [a.address for a in queued.recipients] == ANN

    run_project(folder)

    (mail,) = mails(mail_dir)
    assert "interrupted" in mail["Subject"]


def test_no_mail_sends_nothing_now(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """Neither its own report nor the dead run's leaves."""
    folder = make_project(recipients=ANN, email_strategy="all")
    die(shielded, folder)
    run_project(folder, mail=False)
    assert mails(mail_dir) == []


def test_the_dead_run_is_reported_to_whom_the_project_names(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """The next run is reported to those it names itself."""
    folder = make_project(recipients=ANN, email_strategy="all")
    die(shielded, folder)
    Runner(folder, BOB).run(["main.py"])
    told = {mail["To"]: mail["Subject"] for mail in mails(mail_dir)}
    assert set(told) == {*ANN, *BOB}
    assert "interrupted" in told[ANN[0]]


def test_without_a_configuration_the_run_decides(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """Where there is no file, who is told is what the caller says."""
    folder = make_project()
    (folder / "exec_config.json").unlink()
    die(shielded, folder)
    Runner(folder, BOB).run(["main.py"])
    assert [mail["To"] for mail in mails(mail_dir)] == BOB * 2


def waiting(number: int, audience: str, answer: str | None) -> QueuedMessage:
    """Return a message that nobody has got, and why."""
    address = ANN[0] if audience == RECIPIENTS else audience
    detail = Sentence.of("{answer}", answer=answer) if answer else None
    return QueuedMessage(
        number=number,
        run_id=DEAD,
        project="project_1",
        path=Path("project_1"),
        message=message(audience),
        has_content=True,
        recipients=(Recipient(address=address, state="pending", detail=detail),),
        state=MessageState.QUEUED,
        queued_at=NOW,
        attempts=1,
        next_try_at=NOW,
    )


def message(audience: str) -> Message:
    """Return a message."""
    return Message(
        message_id="<1@example.org>",
        sender="robot@example.org",
        recipients=tuple(ANN),
        subject="subject",
        content=b"",
        audience=audience,
    )


@pytest.mark.parametrize(
    ("answer", "expected"), [("535 no", "535 no"), (None, "slack: slow")]
)
def test_the_mail_s_reason_comes_first(answer: str | None, expected: str) -> None:
    """In whichever order the messages were queued; a channel's where the mail has none."""
    messages = [
        waiting(1, RECIPIENTS, answer),
        waiting(2, "slack", "slow"),
        waiting(3, "teams", None),
    ]
    for order in permutations(messages):
        assert str(why_undelivered(order)) == expected


@pytest.mark.parametrize("count", [1, 2])
def test_what_no_records_hold_is_deferred_without_a_thread(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """A receipt for each message, and the reason; nothing is raised."""
    transport: Any = MemoryTransport()
    outbox = Outbox(
        store=None, open_transport=lambda _audience, _folder: transport, now=local_now
    )
    allow_threads(monkeypatch, 0)
    receipts = outbox.send_now([message(RECIPIENTS)] * count, Path(), 5.0)
    assert [receipt.delivery for receipt in receipts] == [Delivery.DEFERRED] * count
    assert all("can't start new thread" in str(r.detail) for r in receipts)
