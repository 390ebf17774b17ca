"""All audiences at the same time: a dead or silent server holds up nobody else."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.channels import (
    channel_audience,
    channel_label,
)
from python_runner.delivery.outbox import DrainReport, Outbox
from python_runner.model import (
    RECIPIENTS,
    MailSettings,
    Message,
    Run,
    RunStatus,
    Settings,
)
from python_runner.records.messages import MessageState
from python_runner.records.store import open_store
from python_runner.runner.outbox import make_outbox
from python_runner.runner.session import local_now
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from python_runner.records.store import Store

SILENT = "<silent>"


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, local_now()) as store:
        yield store


@pytest.fixture
def queue(store: Store, tmp_path: Path) -> Callable[..., None]:
    """Return a function that closes a run with a mail and notes for channels."""

    def put(run_id: str, *urls: str, mail: bool = True) -> None:
        folder = tmp_path / "project_1"
        folder.mkdir(exist_ok=True)
        config = json.dumps({"channels": urls})
        (folder / "exec_config.json").write_text(config, encoding="utf-8")
        audiences = [(channel_audience(url), channel_label(url)) for url in urls]
        if mail:
            audiences.insert(0, (RECIPIENTS, "ann@example.org"))
        messages = [
            Message(
                message_id=f"<{run_id}.{audience.replace(' ', '-')}@localhost>",
                sender="robot@example.org",
                recipients=(address,),
                subject="a report",
                content=b"Subject: a report\r\n\r\ntext\r\n",
                audience=audience,
            )
            for audience, address in audiences
        ]
        run = Run(
            run_id=run_id,
            project="project_1",
            path=folder,
            status=RunStatus.SUCCESS,
            started_at=local_now(),
            duration=1.0,
        )
        store.end_run(run, messages, local_now())

    return put


@pytest.fixture
def outbox(store: Store, tmp_path: Path) -> Callable[[MailSettings], Outbox]:
    """Return a function that makes the outbox of an environment."""

    def make(mail: MailSettings) -> Outbox:
        settings = Settings(home=tmp_path / "home", mail=mail, environ={})
        return make_outbox(store, settings, {}, now=local_now, stopping=lambda: False)

    return make


def states(store: Store) -> dict[str, MessageState]:
    """Return the state of each audience's only message."""
    messages = store.messages.newest(tuple(MessageState))
    return {queued.message.audience: queued.state for queued in messages}


def test_a_silent_mail_server_holds_up_no_channel(
    *,
    store: Store,
    queue: Any,
    outbox: Any,
    serve: Any,
    serve_web: Any,
    mail_settings: Any,
) -> None:
    """The channel is told while the mail waits for a greeting that never comes."""
    web = serve_web()
    queue("a", url := f"json://127.0.0.1:{web.port}/x")
    settings = mail_settings(serve({"CONNECT": SILENT}))

    report = outbox(settings).drain(5)

    assert report == DrainReport(sent=1, deferred=1, remaining=1)
    assert states(store)[channel_audience(url)] is MessageState.SENT


@pytest.mark.fault(
    "delivery",
    "A channel does not answer",
    "Mail and the other channels leave at once.",
)
def test_a_silent_channel_holds_up_nobody_else(
    store: Store, queue: Any, outbox: Any, serve_web: Any, tmp_path: Path
) -> None:
    """The mail and the other channel leave at once; the drain ends at its deadline."""
    web = serve_web({"/silent": SILENT})
    silent, alive = (f"json://127.0.0.1:{web.port}/{p}" for p in ("silent", "alive"))
    queue("a", silent, alive)
    settings = MailSettings(transport="file", mail_dir=tmp_path / "mails")
    started = time.monotonic()

    report = outbox(settings).drain(5)

    assert time.monotonic() - started < GENEROUS
    assert report == DrainReport(sent=2, deferred=1, remaining=1)
    assert states(store)[channel_audience(silent)] is MessageState.QUEUED
    assert len(list((tmp_path / "mails").iterdir())) == 1


def test_without_mail_variables_channels_are_told(
    store: Store, queue: Any, outbox: Any, serve_web: Any
) -> None:
    """Mails that cannot leave are not even tried: no attempt is counted."""
    web = serve_web()
    queue("a", f"json://127.0.0.1:{web.port}/x")

    assert outbox(MailSettings()).drain(30) == DrainReport(sent=1, remaining=1)

    (mail,) = store.messages.newest()
    assert (mail.message.audience, mail.attempts) == (RECIPIENTS, 0)


def test_many_channels_are_all_told(queue: Any, outbox: Any, serve_web: Any) -> None:
    """More of them than are served at the same time."""
    web = serve_web()
    queue("a", *(f"json://127.0.0.1:{web.port}/{n}" for n in range(12)), mail=False)

    assert outbox(MailSettings()).drain(30) == DrainReport(sent=12)

    assert sorted(web.paths()) == sorted(f"/{n}" for n in range(12))


def test_a_channel_that_is_down_lets_the_others_work(
    queue: Any, outbox: Any, serve_web: Any
) -> None:
    """Twice refused, it is left alone for a while, and no other channel is."""
    web = serve_web({"/shut": 500})
    shut, alive = (f"json://127.0.0.1:{web.port}/{p}" for p in ("shut", "alive"))
    box = outbox(MailSettings())
    for run_id in "abc":
        queue(run_id, shut, alive, mail=False)

    first = box.drain(30)
    queue("d", shut, alive, mail=False)
    second = box.drain(30)

    assert first == DrainReport(sent=3, deferred=2, remaining=3)
    assert second == DrainReport(sent=1, remaining=4)
    assert web.paths().count("/shut") == 2
    assert web.paths().count("/alive") == 4
    box.endpoints.reset()
    assert not box.endpoints[channel_audience(shut)].breaker.is_open
    assert box.idle_seconds < 30
