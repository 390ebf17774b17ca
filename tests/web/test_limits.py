"""What a reader cannot take from the others: on real sockets, of a real server."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome
from python_runner.web import limits, live
from python_runner.web.limits import LONGEST_ADDRESS, Limits
from tests.support import keep
from tests.web.browser import served


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.asking import Dashboard

pytestmark = [pytest.mark.posix, pytest.mark.together]

DESCRIPTORS = 64


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    port: int
    process: subprocess.Popen[bytes] | None = None

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port), 60)

    def ask(self, address: str = "/help", method: str = "GET") -> tuple[int, bytes]:
        """Return the status of an answer, and its content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.request(method, address)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def send(self, text: str) -> bytes:
        """Return what is answered to a request as it is written."""
        with self.connect() as connection:
            connection.sendall(text.encode())
            return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """Return what comes until the other side ends."""
    got = b""
    try:
        while block := connection.recv(65536):
            got += block
    except ConnectionResetError:
        pass
    return got


@pytest.fixture
def server(dashboard: Dashboard) -> Iterator[Server]:
    """Return a server in this process."""
    path = dashboard.project("x")
    with dashboard.store() as store:
        keep(store, "a" * 13, path, Outcome.SUCCESS)
    with served(dashboard.site) as address:
        yield Server(int(address.rpartition(":")[2]))


@contextmanager
def command(home: Path, *, descriptors: int | None = None) -> Iterator[Server]:
    """Return the command as a process, which may have so many descriptors."""
    home.mkdir(exist_ok=True)
    bound = f"ulimit -n {descriptors} && " if descriptors else ""
    words = [sys.executable, "-m", "python_runner", "serve", "--port", "0"]
    environ = {"PYTHON_RUNNER_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        ["sh", "-c", f'{bound}exec "$@"', "sh", *words],
        cwd=home,
        env=os.environ | environ | {"LANGUAGE": "en"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        try:
            assert process.stdout
            line = process.stdout.readline().decode()
            yield Server(int(line.strip().rpartition(":")[2]), process)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [
        (0, (4, 2, 2)),
        (64, (20, 13, 4)),
        (256, (200, 133, 8)),
        (1024, (500, 200, 8)),
        (10**6, (500, 200, 8)),
    ],
)
def test_readers_get_what_the_server_does_not_need(
    descriptors: int, expected: tuple[int, int, int]
) -> None:
    """So that there is always one more for the records, for files and for a refusal."""
    assert Limits.of(descriptors) == Limits(*expected)


@pytest.mark.fault(
    "machine",
    "The dashboard has few descriptors (ulimit -n), and many readers",
    "Some are told that too many pages are open; the others are answered.",
)
def test_with_few_descriptors_some_readers_are_refused_and_nothing_breaks(
    tmp_path: Path,
) -> None:
    """Neither streams nor connections that say nothing take all of them."""
    allowed = Limits.of(DESCRIPTORS)
    with (
        command(tmp_path / "home", descriptors=DESCRIPTORS) as server,
        ExitStack() as end,
    ):
        streams = []
        for _ in range(allowed.streams):
            stream = end.enter_context(server.connect())
            stream.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert b" 200 " in stream.recv(100)
            streams.append(stream)
        status, text = server.ask("/events")
        assert (status, b"Too many pages are open" in text) == (503, True)
        # The pages go on.
        assert server.ask("/")[0] == 200
        silent = [end.enter_context(server.connect()) for _ in range(100)]
        statuses = set()
        for one in silent:
            try:
                one.sendall(b"GET /help HTTP/1.1\r\nhost: localhost\r\n\r\n")
                statuses.add(one.recv(100).partition(b" ")[2][:3])
            except OSError:
                statuses.add(b"")
        assert statuses <= {b"200", b"503", b""}
        assert b"503" in statuses
        for one in (*silent, *streams):
            one.close()
        # Whoever comes later is answered as ever.
        later = {server.ask()[0] for _ in range(20)}
        assert later - {503} == {200}
        assert server.process
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 130
        assert server.process.stdout
        assert b"Traceback" not in server.process.stdout.read()


@pytest.mark.fault(
    "machine",
    "A reader of the dashboard makes no whole request",
    "The connection is cut off after ten seconds; others are answered meanwhile.",
)
def test_who_makes_no_whole_request_is_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether nothing comes, or a little now and then; also after a good request."""
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 1.0)
    with server.connect() as silent, server.connect() as slow, server.connect() as late:
        slow.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx")
        late.sendall(b"GET /status.txt HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert late.recv(10) == b"HTTP/1.1 2"
        late.sendall(b"GET /status.txt HTTP/1.1\r\n")
        for one in (silent, slow):
            assert rest_of(one) == b""
        assert b"OK" in rest_of(late)
    with server.connect() as body:
        body.sendall(b"GET /status.txt HTTP/1.1\r\nhost: localhost\r\n")
        body.sendall(b"content-length: 1000000\r\n\r\nx")
        assert b"HTTP/1.1 200" in rest_of(body)


def test_who_keeps_a_stream_open_is_not_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request has been made; the signs of life go on."""
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(live, "ALIVE", 0.5)
    with server.connect() as stream:
        stream.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        got = b""
        while b"alive" not in got:
            block = stream.recv(1000)
            assert block
            got += block


@pytest.mark.fault(
    "machine",
    "A request to the dashboard is too long",
    "It is refused; the next one is answered.",
)
def test_what_is_too_long_is_refused(server: Server) -> None:
    """An address, a header, or many of them; each ends that request alone."""
    assert server.ask("/help?q=" + "x" * (LONGEST_ADDRESS // 2))[0] == 200
    status, text = server.ask("/help?q=" + "x" * LONGEST_ADDRESS)
    assert (status, text) == (414, b"This address is too long.\n")
    start = "GET /help HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
    for more in ("x: " + "y" * 40_000 + "\r\n", "x: y\r\n" * 30_000):
        answer = server.send(f"{start}{more}\r\n")
        assert not answer or re.match(rb"HTTP/1.1 4(00|31) ", answer)
    # Without an end nothing is waited for.
    assert b"200 OK" not in server.send("GET /" + "x" * 300_000)
    assert server.ask()[0] == 200


PAGES = ("/", "/wall", "/status.txt", "/help", "/errors", "/search", "/mail", "/events")


def test_every_page_answers_a_head_and_has_one_address(server: Server) -> None:
    """The head is that of the page; with a slash behind it, it is no page."""
    _, page = server.ask("/")
    links = set(re.findall(rb'href="(/[pr]/[^"?#]+)"', page))
    assert links
    for address in (*PAGES, *(link.decode() for link in links)):
        assert server.ask(address, "HEAD") == (200, b"")
        if address != "/":
            assert server.ask(f"{address}/")[0] == 404


@pytest.mark.parametrize(
    "line",
    [
        "POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
        "DELETE /help HTTP/1.1\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\n\r\n",
        "TRACE / HTTP/1.0\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\n\r\n",
        "PRI * HTTP/1.1\r\n\r\n",
        "get / HTTP/1.1\r\n\r\n",
    ],
)
def test_no_other_method_is_answered(server: Server, line: str) -> None:
    """As it comes from a socket; nothing stays open."""
    first, rest = line.split("\r\n", 1)
    answer = server.send(f"{first}\r\nhost: localhost\r\nconnection: close\r\n{rest}")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"allow: GET, HEAD" in answer


@pytest.mark.parametrize(
    "text",
    [
        "\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "GET http://evil.example/ HTTP/1.0\r\nhost: evil.example\r\n\r\n",
    ],
)
def test_what_is_no_request_ends_its_connection_alone(
    server: Server, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is; the next reader is answered."""
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 1.0)
    assert b" 200 " not in server.send(text)[:20]
    assert server.ask()[0] == 200


@pytest.mark.fault(
    "runner",
    "Ctrl-C while fifty pages of the dashboard are open",
    "It ends at once, and the pages are told so.",
)
def test_it_ends_at_once_beside_open_streams(tmp_path: Path) -> None:
    """Fifty pages that are open hold nothing up: each of them is told by the end."""
    with command(tmp_path / "home") as server, ExitStack() as end:
        streams = [end.enter_context(server.connect()) for _ in range(50)]
        for stream in streams:
            stream.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        for stream in streams:
            assert b" 200 " in stream.recv(100)
        assert server.process
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 130
        for stream in streams:
            assert rest_of(stream).endswith(b"0\r\n\r\n")
