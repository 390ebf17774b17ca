"""The event log of this computer as a transport."""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from python_runner.delivery.transports.eventlog import (
    LONGEST_ENTRY,
    EventLogTransport,
    entry,
    lines,
)
from python_runner.model import Cause, Delivery
from python_runner.report.compose import compose
from python_runner.report.render import Report
from tests.support import GENEROUS, NOW


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from python_runner.model import Message


@pytest.fixture
def message() -> Message:
    """Return a report in two lines."""
    report = Report("[p] failed: a.py", "a.py failed\n\nCause: no ink\n", "")
    return compose(
        report,
        run_id="1",
        sender="r@e.org",
        recipients=["a@e.org", "b@e.org"],
        date=NOW,
    )


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where a daemon may listen; the path of a socket must be short."""
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture
def daemon(place: Path) -> Iterator[socket.socket]:
    """Return the socket of a daemon that takes datagrams."""
    if sys.platform == "win32":
        pytest.skip("Windows has no syslog")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(place))
        listener.settimeout(GENEROUS)
        yield listener


def test_syslog_gets_a_report_line_by_line(
    daemon: socket.socket, place: Path, message: Message
) -> None:
    """The first line is the subject, with the identity of the message."""
    receipts = EventLogTransport((place,)).send(message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert len(receipts) == 2
    got = [daemon.recv(4096).decode() for _ in range(3)]
    assert all(line.startswith("<13>python-runner[") for line in got)
    assert [line.partition("]: ")[2] for line in got] == [
        f"[p] failed: a.py {message.message_id}",
        "a.py failed",
        "Cause: no ink",
    ]


def test_a_daemon_may_listen_for_connections(place: Path, message: Message) -> None:
    """A record ends with a NUL there."""
    if sys.platform == "win32":
        pytest.skip("Windows has no syslog")
    got = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(place))
        listener.listen()
        listener.settimeout(GENEROUS)

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                while block := client.recv(4096):
                    got.append(block)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        receipts = EventLogTransport((place,)).send(message)
        thread.join(GENEROUS)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert b"".join(got).count(b"\0") == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no syslog")
def test_where_no_daemon_listens_the_report_waits(
    place: Path, message: Message
) -> None:
    """It is told why, and the next way may take over."""
    (receipt, _) = EventLogTransport((place,)).send(message)
    assert receipt.delivery is Delivery.DEFERRED
    assert receipt.cause is Cause.CLOSED
    assert "event log" in str(receipt.detail)
    assert receipt.detail is not None
    assert receipt.detail.in_language("fr") != str(receipt.detail)


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "🖨" * 50_000, "\0\x1b[31m\udcff\n" * 9]
)
def test_a_long_or_odd_text_fits(text: str) -> None:
    """An entry of Windows is bounded in units of UTF-16, a report's lines in number."""
    whole = entry("[p] failed", text)
    assert len(whole.encode("utf-16-le")) <= 2 * LONGEST_ENTRY
    assert whole.startswith("[p] failed\n\n")
    assert "\0" not in whole
    told = lines("[p] failed", "\n".join([text] * 500), "<1@h>")
    assert len(told) <= 101
    assert all("\n" not in line and len(line) < 400 for line in told)
    assert all(line.encode() for line in told)
