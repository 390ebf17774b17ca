from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from python_runner.delivery.transports import open_transport
from python_runner.delivery.transports.memory import MemoryTransport
from python_runner.model import Delivery, MailSettings, Message
from python_runner.report.compose import compose
from python_runner.report.render import Report


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATE = dt.datetime(2026, 11, 23, 9, 51, 58, tzinfo=dt.UTC)


@pytest.fixture
def composed() -> Message:
    """Return a message with a date."""
    return compose(
        Report("subject", "text\n", "<p>text</p>"),
        run_id="39be3d37aed64",
        sender="robot@example.com",
        recipients=("ann@example.com", "bob@example.com"),
        date=DATE,
    )


@pytest.mark.parametrize("name", ["smtp", "file", "memory"])
def test_every_transport_answers_for_every_recipient(
    name: str,
    composed: Message,
    serve: Callable[..., object],
    mail_settings: Callable[..., MailSettings],
    tmp_path: Path,
) -> None:
    """One receipt per recipient, in order; close may be called twice."""
    settings = mail_settings(serve(), transport=name, mail_dir=tmp_path / "mail")
    transport = open_transport(settings)
    for _ in range(2):
        receipts = transport.send(composed)
        assert [r.recipient for r in receipts] == list(composed.recipients)
        assert {r.delivery for r in receipts} == {Delivery.SENT}
    transport.close()
    transport.close()


def test_a_message_becomes_one_file_named_after_it(
    composed: Message, tmp_path: Path
) -> None:
    """The folder is made; the file holds the very bytes; a repetition replaces it."""
    folder = tmp_path / "new" / "mail"
    transport = open_transport(MailSettings(transport="file", mail_dir=folder))
    transport.send(composed)
    transport.send(composed)
    (file,) = folder.iterdir()
    assert (
        file.name == "2026-11-23_09-51-58_39be3d37aed64.python-runner@example.com.eml"
    )
    assert file.read_bytes() == composed.content


@pytest.mark.parametrize("date", ["", "Date: yesterday\r\n"])
def test_a_message_id_never_leaves_the_folder(
    date: str, composed: Message, tmp_path: Path
) -> None:
    """Separators and other oddities of an identity do not reach the file system."""
    odd = replace(
        composed,
        message_id="<../../etc/pass:wd\\*?>",
        content=f"{date}Subject: x\r\n\r\n".encode(),
    )
    transport = open_transport(MailSettings(transport="file", mail_dir=tmp_path / "m"))
    transport.send(odd)
    (file,) = (tmp_path / "m").iterdir()
    assert file.name.startswith("undated_.._.._etc_pass_wd")
    assert file.suffix == ".eml"


def test_a_folder_that_takes_no_file_defers(composed: Message, tmp_path: Path) -> None:
    """A mail that cannot be written waits, with a sentence that names the folder."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    transport = open_transport(MailSettings(transport="file", mail_dir=blocked))
    receipts = transport.send(composed)
    assert {r.delivery for r in receipts} == {Delivery.DEFERRED}
    assert "MAIL_DIR" in str(receipts[0].detail)
    assert str(blocked) in str(receipts[0].detail)


def test_a_refused_rename_leaves_no_half_file(
    composed: Message, tmp_path: Path
) -> None:
    """When the last step fails the folder holds neither the mail nor a part of it."""
    transport = open_transport(MailSettings(transport="file", mail_dir=tmp_path / "m"))
    transport.send(composed)
    (file,) = (tmp_path / "m").iterdir()
    file.unlink()
    (file / "occupied").mkdir(parents=True)
    receipts = transport.send(composed)
    assert receipts[0].delivery is Delivery.DEFERRED
    assert list((tmp_path / "m").iterdir()) == [file]


def test_without_a_folder_the_mail_waits(composed: Message) -> None:
    """A missing ``MAIL_DIR`` is a receipt, not raised."""
    receipts = open_transport(MailSettings(transport="file")).send(composed)
    assert {r.delivery for r in receipts} == {Delivery.DEFERRED}


def test_memory_keeps_messages_and_answers_as_told(composed: Message) -> None:
    """Whoever tests his own reports reads them from a list."""
    transport = MemoryTransport({"bob@example.com": Delivery.FAILED})
    receipts = transport.send(composed)
    assert transport.messages == [composed]
    assert [r.delivery for r in receipts] == [Delivery.SENT, Delivery.FAILED]
    assert not transport.closed
    transport.close()
    assert transport.closed


def test_an_unknown_transport_is_refused() -> None:
    """A name nobody knows never falls back to another transport."""
    with pytest.raises(KeyError):
        open_transport(MailSettings(transport="pigeon"))
