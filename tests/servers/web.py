"""A web server that misbehaves as it is told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.smtp import DROP, SILENT


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class WebRequest:
    """What a web server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that hang up, or that do not trust its certificate."""

    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """Say nothing."""


@dataclass
class WebServer:
    """A web server that answers as it is told and keeps what it was asked.

    Attributes:
        answers: status per path without its query; a tuple gives the first, second, ...
            time's, its last one all later times'. What is not named gets 200. ``DROP``
            hangs up, ``SILENT`` says nothing until the server stops; a text is a status
            and the place to go to.
        body: what every answer says.
        tls: context for https.
        on_request: called for each request, before it is answered.
        requests: what was asked, in order.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b"OK"
    tls: ssl.SSLContext | None = None
    on_request: Callable[[WebRequest], object] = lambda _request: None
    requests: list[WebRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._stop = threading.Event()
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self._stop.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def paths(self) -> list[str]:
        """Return the paths asked for, without their queries."""
        return [request.path.partition("?")[0] for request in self.requests]

    def _answer(self, path: str) -> Any:
        answers = self.answers.get(path, 200)
        count = self._counts.get(path, 0)
        self._counts[path] = count + 1
        if isinstance(answers, tuple):
            return answers[min(count, len(answers) - 1)]
        return answers

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 20

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                request = WebRequest(
                    method=self.command,
                    path=self.path,
                    headers=dict(self.headers),
                    body=self.rfile.read(length).decode(),
                )
                server.requests.append(request)
                server.on_request(request)
                answer = server._answer(self.path.partition("?")[0])
                if answer == SILENT:
                    server._stop.wait(600)
                if answer in {DROP, SILENT}:
                    self.close_connection = True
                    return
                status, _, place = str(answer).partition(" ")
                self.send_response(int(status))
                if place:
                    self.send_header("Location", place)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_args: object) -> None:
                pass

        return Handler


@pytest.fixture
def serve_web() -> Iterator[Callable[..., WebServer]]:
    """Return a function that starts a scriptable web server."""
    servers: list[WebServer] = []

    def start(answers: Mapping[str, Any] | None = None, **options: Any) -> WebServer:
        servers.append(WebServer(answers or {}, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
