"""Servers to send mail to: a real one, and one that misbehaves as it is told."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import trustme

    from python_runner.texts import Text

#: The server hangs up instead of answering.
DROP = "<drop>"
#: The server says nothing until the client gives up.
SILENT = "<silent>"
#: The server answers for ever, one byte after the other: no time-out of a step ends that.
DRIP = "<drip>"
#: For ``354``: the server goes away while the message comes in.
CUT = "354 <cut>"
#: A word that must never leave this machine unencrypted, nor show anywhere.
PASSWORD = "càn4ry-Pass word"
DEFAULTS = {
    "CONNECT": "220 fake ESMTP",
    "EHLO": "250-fake\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 queued as 42",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}
STARTTLS_EHLO = DEFAULTS["EHLO"].replace("250-SIZE", "250-STARTTLS\r\n250-SIZE")


@dataclass
class FakeServer:
    """An SMTP server that answers by a table, in a thread of its own.

    Attributes:
        answers: reply per command; a tuple gives the first, second, ... time's, its last
            one all later times'. ``CONNECT`` is the greeting, ``.`` the end of a message.
        tls: context for STARTTLS, or for the whole connection with ``implicit``.
        said: every command line received, decrypted.
        raw: every byte received on a connection that is not (yet) encrypted.
        messages: what came between DATA and the final dot, unstuffed.
        connections: how many there were.
        accepted: messages whose final dot was answered with 250.
        copies: per message that it has, or may have, taken: for whom.
        watch: told of each answer, by its command, when it is due and when it is given.
    """

    answers: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    said: list[str] = field(default_factory=list)
    raw: bytes = b""
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    accepted: int = 0
    copies: list[tuple[str, ...]] = field(default_factory=list)
    watch: Callable[[str, str], object] = lambda _moment, _verb: None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._counts: dict[str, int] = {}
        self._named: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close everything; the thread ends with its client."""
        self._stop.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        self._thread.join(5)
        self._listener.close()

    def verbs(self) -> list[str]:
        """Return the commands received, without what follows them."""
        return [line.split(maxsplit=1)[0].upper() if line else "" for line in self.said]

    def _serve(self) -> None:
        while not self._stop.is_set():
            client, _ = self._listener.accept()
            if self._stop.is_set():
                client.close()
                return
            self.connections += 1
            with suppress(OSError):
                self._converse(client)

    def _converse(self, client: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(client)
            client.settimeout(5)
            encrypted = False
            if self.implicit and self.tls:
                client = stack.enter_context(self._wrap(client))
                encrypted = True
            if not self._answer(client, "CONNECT"):
                return
            while line := self._line(client, encrypted):
                text = line.decode("latin-1").rstrip("\r\n")
                self.said.append(text)
                verb = text.split(maxsplit=1)[0].upper() if text else ""
                if not self._answer(client, verb):
                    return
                self._note(verb, text)
                if verb == "STARTTLS" and self.tls:
                    client = stack.enter_context(self._wrap(client))
                    encrypted = True
                if verb == "DATA" and not self._receive(client):
                    return

    def _note(self, verb: str, text: str) -> None:
        """Remember for whom the message to come is."""
        if verb == "MAIL":
            self._named = []
        if verb == "RCPT" and self._last.startswith("25"):
            self._named.append(text.partition("<")[2].rstrip(">"))

    def _wrap(self, client: socket.socket) -> ssl.SSLSocket:
        assert self.tls is not None
        return self.tls.wrap_socket(client, server_side=True)

    def _line(self, client: socket.socket, encrypted: bool) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            if not (byte := client.recv(1)):
                break
            line += byte
        if not encrypted:
            self.raw += line
        return line

    def _receive(self, client: socket.socket) -> bool:
        """Take a message in, if DATA was granted, and answer its final dot."""
        if not self._last.startswith("354"):
            return True
        if self._last == CUT:
            self._line(client, encrypted=True)
            return False
        message = b""
        while (line := self._line(client, encrypted=True)) != b".\r\n":
            if not line:
                return False
            message += line.removeprefix(b".")
        self.messages.append(message)
        goes_on = self._answer(client, ".")
        if not self._last.startswith(("4", "5")):
            self.copies.append(tuple(self._named))
        return goes_on

    def _answer(self, client: socket.socket, verb: str) -> bool:
        replies = self.answers.get(verb, DEFAULTS.get(verb, "500 what?"))
        count = self._counts.get(verb, 0)
        self._counts[verb] = count + 1
        if not isinstance(replies, str):
            replies = replies[min(count, len(replies) - 1)]
        self._last = replies
        self.watch("before", verb)
        self.accepted += verb == "." and replies.rpartition("\n")[2].startswith("250 ")
        if replies == DROP:
            return False
        if replies == SILENT:
            client.recv(1000)
            return False
        while replies == DRIP and not self._stop.wait(0.05):
            client.sendall(b"2")
        client.sendall(replies.encode("utf-8", "surrogateescape") + b"\r\n")
        self.watch("after", verb)
        return not (verb == "QUIT" or replies.startswith("421"))


@pytest.fixture
def serve() -> Iterator[Callable[..., FakeServer]]:
    """Return a function that starts a scriptable server."""
    servers: list[FakeServer] = []

    def start(answers: Mapping[str, Any] | None = None, **options: Any) -> FakeServer:
        servers.append(FakeServer(answers or {}, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


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
                    server._stop.wait(60)
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


@dataclass(frozen=True)
class Authority:
    """A certificate authority and the file its certificate is in."""

    ca: trustme.CA
    file: Path

    def context(self, name: str = "localhost", **options: Any) -> ssl.SSLContext:
        """Return what a server for ``name`` encrypts with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(name, **options).configure_cert(context)
        return context

    def expired(self) -> ssl.SSLContext:
        """Return a context whose certificate ended yesterday."""
        now = dt.datetime.now(dt.UTC)
        return self.context(
            not_before=now - dt.timedelta(days=9),
            not_after=now - dt.timedelta(days=1),
        )


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a certificate authority that nobody but its user trusts."""
    module = pytest.importorskip(
        "trustme", reason="its compiled part does not load", exc_type=ImportError
    )
    ca = module.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


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
def message() -> Message:
    """Return a message for two, with lines that a careless client breaks."""
    return Message(
        message_id="<39be3d37aed64.python-runner@example.com>",
        sender="robot@example.com",
        recipients=("ann@example.com", "bob@example.com"),
        subject="test",
        content=b"Subject: test\r\n\r\nfirst\r\n.\r\n..two dots\r\nlast\r\n",
    )


@pytest.fixture
def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


NOW = dt.datetime(2026, 11, 23, 9, 51, 58, tzinfo=dt.UTC)
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
def make_result() -> Callable[..., ScriptResult]:
    """Return a function that makes the result of one script."""

    def make(
        script: str = "main.py",
        outcome: Outcome = Outcome.SUCCESS,
        *,
        number: int = 1,
        attempts: int = 1,
        duration: float = 8.43,
        traceback: Traceback | None = None,
        warnings: tuple[Text, ...] = (),
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
def make_run() -> Callable[..., Run]:
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
