"""What a server says is bounded in time and size, whatever library reads it."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

import pytest

from python_runner.channels import channel_label
from python_runner.delivery.transports import open_channel
from python_runner.delivery.transports.bounded import (
    BoundedReader,
    EndlessAnswer,
    bounded_response,
)
from python_runner.delivery.transports.smtp_client import SmtpClient
from python_runner.model import Delivery
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from python_runner.model import Message


@pytest.fixture
def endless() -> Iterator[Callable[..., int]]:
    """Return a function that starts a server; it says a beginning, then a line for ever."""
    listeners: list[socket.socket] = []
    stopping = threading.Event()

    def talk(client: socket.socket, first: bytes, line: bytes, pause: float) -> None:
        with suppress(OSError), closing(client):
            client.settimeout(0.2)
            with suppress(TimeoutError):
                # A client of mail waits for the server.
                client.recv(65536)
            client.settimeout(GENEROUS)
            client.sendall(first)
            while not stopping.wait(pause):
                client.sendall(line)

    def accept(listener: socket.socket, *said: object) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=talk, args=(client, *said), daemon=True).start()

    def start(first: bytes, line: bytes, pause: float = 0.0) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        args = (listener, first, line, pause)
        threading.Thread(target=accept, args=args, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    stopping.set()
    for listener in listeners:
        listener.close()


OK = b"HTTP/1.1 200 OK\r\n"
#: How an answer of HTTP begins, and what follows for ever.
ANSWERS = {
    "status": (b"", b"H" * 4096),
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "header": (OK, b"X: " + b"y" * 4096),
    "headers": (OK, b"X: y\r\n" * 1000),
    "body": (OK + b"\r\n", b"z" * 65536),
    "chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        b"10\r\n" + b"z" * 16 + b"\r\n",
    ),
    "trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
        b"X: y\r\n" * 1000,
    ),
}


def read(connection: HTTPConnection) -> bytes:
    """Return the body of an answer."""
    return connection.getresponse().read()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_answer_of_http_goes_on_for_ever(
    endless: Callable[..., int], answer: tuple[bytes, bytes]
) -> None:
    """Whichever part of it does not end."""
    connection = HTTPConnection("127.0.0.1", endless(*answer), timeout=20)
    connection.response_class = bounded_response(20, 200_000)
    with closing(connection):
        connection.request("GET", "/")
        with pytest.raises((OSError, HTTPException)):
            read(connection)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_no_answer_of_http_takes_longer_than_it_may(
    endless: Callable[..., int], answer: tuple[bytes, bytes]
) -> None:
    """A byte now and then does not prolong it."""
    first, line = answer
    port = endless(first, line[:30], 0.05)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.response_class = bounded_response(0.3, 1_000_000)
    start = time.monotonic()
    with closing(connection):
        connection.request("GET", "/")
        with pytest.raises((OSError, HTTPException)):
            read(connection)
    assert time.monotonic() - start < GENEROUS


@pytest.mark.fault(
    "delivery",
    "A mail server's reply does not end",
    "It is left after 64 KB, or when its time is over.",
)
@pytest.mark.parametrize(
    ("line", "pause"), [(b"250-x\r\n" * 1000, 0.0), (b"2", 0.05), (b"250-x\r\n", 0.05)]
)
def test_no_reply_of_a_mail_server_goes_on_for_ever(
    endless: Callable[..., int], line: bytes, pause: float
) -> None:
    """Neither lines without end nor a byte now and then keep the client."""
    client = SmtpClient(20.0)
    client.sock = socket.create_connection(("127.0.0.1", endless(b"", line, pause)))
    client.allow(0.5 if pause else 20.0)
    client.sock.sendall(b"hello\r\n")
    start = time.monotonic()
    with closing(client), pytest.raises(OSError):  # noqa: PT011 - whatever smtplib says
        client.getreply()
    assert time.monotonic() - start < GENEROUS


def test_a_reader_takes_no_byte_more_than_it_may() -> None:
    """Each answer has a room of its own."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x" * 100)
        reader = BoundedReader(ours)
        for size in (10, 30):
            reader.allow(5, size)
            assert sum(iter(lambda: _read(reader), 0)) == size
        reader.allow(0, 10)
        with pytest.raises(TimeoutError):
            reader.read(1)
        reader.close()


def _read(reader: BoundedReader) -> int:
    try:
        return len(reader.read(7) or b"")
    except EndlessAnswer:
        return 0


BOMB = gzip.compress(bytes(200_000_000), 1)


@pytest.mark.fault(
    "delivery",
    "A channel's answer does not end",
    "The report is deferred, with a sentence.",
)
@pytest.mark.parametrize("scheme", ["json", "xml", "form", "mailto"])
@pytest.mark.parametrize(
    ("first", "line"),
    [
        (OK + b"\r\n", b"z" * 65536),
        (OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB, b""),
        (b"220-x\r\n", b"220-x\r\n" * 1000),
    ],
    ids=["body", "bomb", "smtp"],
)
def test_no_service_of_apprise_reads_for_ever(
    endless: Callable[..., int],
    message: Message,
    scheme: str,
    first: bytes,
    line: bytes,
) -> None:
    """HTTP or mail, packed or not: the report is deferred, with a sentence."""
    pytest.importorskip("apprise")
    port = endless(first, line, 0.0 if line else 0.05)
    url = f"{scheme}://127.0.0.1:{port}/hook"
    if scheme == "mailto":
        url = f"mailto://u:p@127.0.0.1:{port}?smtp=127.0.0.1&from=a@b.fr&to=c@d.fr&mode=insecure"
    label = channel_label(url)
    with closing(open_channel(url)) as channel:
        [receipt] = channel.send(replace(message, recipients=(label,)))
    assert receipt.delivery is Delivery.DEFERRED
    assert "did not accept the report" in str(receipt.detail)


def test_other_threads_read_what_they_like(message: Message) -> None:
    """The bound holds for channels alone: a program that uses the package is left alone."""
    requests = pytest.importorskip("requests")
    with closing(open_channel("json://127.0.0.1:9/")) as channel:
        channel.send(replace(message, recipients=("x",)))
    size = 6_000_000
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(OK + b"Content-Length: %d\r\n\r\n" % size + bytes(size))

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        session = requests.Session()
        session.trust_env = False
        assert len(session.get(url, timeout=GENEROUS).content) == size
        thread.join()
