"""Servers to send mail to: a real one, and one that misbehaves as it is told."""

from __future__ import annotations

import base64
import datetime as dt
import json
import socket
import ssl
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

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
        self._heard = b""
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
        while b"\n" not in self._heard and (data := client.recv(65536)):
            self._heard += data
            if not encrypted:
                self.raw += data
        line, end, self._heard = self._heard.partition(b"\n")
        return line + end

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

    def impostor(self, fault: str) -> ssl.SSLContext:
        """Return a context that proves nothing, for the reason that ``fault`` names."""
        if fault == "expired":
            return self.expired()
        if fault == "wrong name":
            return self.context("mail.example.com")
        assert fault == "unknown authority"
        return replace(self, ca=type(self.ca)()).context()


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


@dataclass(frozen=True)
class Reply:
    """An answer of the fake cloud that is not the usual one.

    Attributes:
        status: of HTTP; 0 for none: the server hangs up, or stays silent.
        document: the body, as JSON, or as it is when it is a text.
        headers: further ones.
        silent: nothing is answered until the client gives up.
        early: answered before the body is read, and then hung up.
    """

    status: int = 0
    document: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    early: bool = False


def aadsts(number: int, status: int = 401, error: str = "invalid_client") -> Reply:
    """Return a refusal in the form of Microsoft Entra's."""
    description = f"AADSTS{number}: Something is wrong. Trace ID: 1-2-3 Timestamp: now"
    document = {
        "error": error,
        "error_description": description,
        "error_codes": [number],
    }
    return Reply(status, document)


def graph_error(status: int, code: str, **headers: str) -> Reply:
    """Return a refusal in the form of Microsoft Graph's."""
    document = {"error": {"code": code, "message": "Something is wrong."}}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, document, names)


class FakeCloud:
    """Microsoft's identity provider and Graph, for one tenant, over real HTTPS.

    Attributes:
        secret: what the application must prove itself with.
        key: public key of its certificate, for signed assertions.
        lifetime: seconds a token is good for, as it says.
        token_replies: given instead of a token, one each, first one first.
        graph_replies: given instead of 202, likewise.
        discovery: given instead of the addresses, every time, unless None.
        tokens: every token given, with the scope it is for.
        revoked: tokens that Graph takes no more.
        asked: method and path of every request.
        mails: what was handed over to Graph, decoded, with the mailbox it is from.
        connections: how many there were.
    """

    reply = Reply
    aadsts = staticmethod(aadsts)
    graph_error = staticmethod(graph_error)
    TENANT = "contoso.example"
    CLIENT = "11111111-2222-3333-4444-555555555555"

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.secret = "s3cr~t-càn4ry"
        self.key: Any = None
        self.lifetime = 3600
        self.token_replies: list[Reply] = []
        self.graph_replies: list[Reply] = []
        self.discovery: Reply | None = None
        self.tokens: dict[str, str] = {}
        self.revoked: set[str] = set()
        self.asked: list[str] = []
        self.mails: list[tuple[str, bytes]] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._server = _CloudServer(self, tls)
        self.port: int = self._server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close everything; whoever waits in silence is let go."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def counted(self) -> Counter[str]:
        """Return how often each path was asked for, by its last part."""
        return Counter(path.rpartition("/")[2] for path in self.asked)

    def settings(self, **changes: Any) -> MailSettings:
        """Return settings of an application that is known here."""
        values: dict[str, Any] = {
            "transport": "graph",
            "login": "robot@example.com",
            "sender": "robot@example.com",
            "oauth_tenant": self.TENANT,
            "oauth_client": self.CLIENT,
            "oauth_secret": self.secret,
            "oauth_authority": self.url,
            "graph_url": self.url,
        }
        return MailSettings(**(values | changes))

    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        """Return what is answered to one request."""
        parts = path.strip("/").split("/")
        if parts[-1] == "openid-configuration":
            return self.discovery or self._addresses(parts[0])
        if parts[-1] == "token":
            return self._token(parts[0], parse_qs(body.decode()), headers)
        if parts[-1] == "sendMail":
            return self._mail(unquote(parts[-2]), headers, body)
        return Reply(404, "<html>nothing here</html>")

    def _addresses(self, tenant: str) -> Reply:
        if tenant != self.TENANT:
            return aadsts(90002, 400, "invalid_tenant")
        place = f"{self.url}/{tenant}"
        addresses = {
            "issuer": f"{place}/v2.0",
            "authorization_endpoint": f"{place}/oauth2/v2.0/authorize",
            "token_endpoint": f"{place}/oauth2/v2.0/token",
        }
        return Reply(200, addresses)

    def _token(self, tenant: str, form: dict[str, list[str]], headers: Any) -> Reply:
        if self.token_replies:
            return self.token_replies.pop(0)
        if form["client_id"] != [self.CLIENT]:
            return aadsts(700016, 400, "unauthorized_client")
        if "client_assertion" in form:
            if not self._signed(form["client_assertion"][0], tenant):
                return aadsts(700027)
        elif form.get("client_secret") != [self.secret]:
            return aadsts(7000215)
        assert form["grant_type"] == ["client_credentials"], headers
        token = f"token-{len(self.tokens)}." + "x" * 1500
        self.tokens[token] = form["scope"][0]
        document = {
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "access_token": token,
        }
        return Reply(200, document)

    def _signed(self, assertion: str, tenant: str) -> bool:
        jwt = pytest.importorskip("jwt")
        audience = f"{self.url}/{tenant}/oauth2/v2.0/token"
        try:
            jwt.decode(assertion, self.key, algorithms=["PS256"], audience=audience)
        except jwt.InvalidTokenError:
            return False
        return True

    def _mail(self, mailbox: str, headers: Any, body: bytes) -> Reply:
        kind, _, token = headers["Authorization"].partition(" ")
        scope = self.tokens.get(token)
        if kind != "Bearer" or token in self.revoked or scope is None:
            return graph_error(401, "InvalidAuthenticationToken")
        if scope != f"{self.url}/.default":
            return graph_error(401, "InvalidAuthenticationToken")
        if self.graph_replies:
            return self.graph_replies.pop(0)
        assert headers["Content-Type"] == "text/plain"
        self.mails.append((mailbox, base64.b64decode(body, validate=True)))
        return Reply(202, "")


class _CloudServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, cloud: FakeCloud, tls: ssl.SSLContext) -> None:
        self.cloud = cloud
        self._tls = tls
        super().__init__(("127.0.0.1", 0), _CloudHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Encrypt in the connection's own thread, so that nobody waits for a client."""
        self.cloud.connections += 1
        request.settimeout(10)
        with suppress(OSError), self._tls.wrap_socket(request, server_side=True) as s:
            _CloudHandler(s, client_address, self)


class _CloudHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _CloudServer

    def do_GET(self) -> None:
        """Answer."""
        self._do()

    def do_POST(self) -> None:
        """Answer."""
        self._do()

    def _do(self) -> None:
        cloud = self.server.cloud
        cloud.asked.append(self.path)
        early = cloud.graph_replies and cloud.graph_replies[0].early
        if early and self.path.endswith("sendMail"):
            reply = cloud.graph_replies.pop(0)
            self.close_connection = True
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = cloud.answer(self.path, self.headers, body)
        if reply.silent:
            cloud.stopping.wait(10)
        if not reply.status:
            self.close_connection = True
            return
        text = reply.document
        data = (text if isinstance(text, str) else json.dumps(text)).encode()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def start_cloud() -> Iterator[Callable[[ssl.SSLContext], FakeCloud]]:
    """Return a function that starts a fake cloud with a certificate of one's choice."""
    clouds: list[FakeCloud] = []

    def start(tls: ssl.SSLContext) -> FakeCloud:
        clouds.append(FakeCloud(tls))
        return clouds[-1]

    yield start
    for cloud in clouds:
        cloud.stop()


@pytest.fixture
def cloud(
    start_cloud: Callable[[ssl.SSLContext], FakeCloud], authority: Authority
) -> FakeCloud:
    """Return Microsoft's identity provider and Graph, as far as mail needs them."""
    return start_cloud(authority.context())


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
