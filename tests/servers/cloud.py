"""A fake of Microsoft's identity provider and of Graph, over HTTPS."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

import pytest

from python_runner.model import (
    MailSettings,
)
from tests.servers.identity import FakeIdentity


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.servers.authority import Authority


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


def _fields(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


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
        #: Where users sign in.
        self.identity = FakeIdentity(self.CLIENT)
        #: Mailboxes from which the user may send as well.
        self.shared: set[str] = set()
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

    def user_settings(self, folder: Path, **changes: Any) -> MailSettings:
        """Return settings of a user who signs in here; ``folder`` keeps the sign-in."""
        values: dict[str, Any] = {
            "oauth_secret": None,
            "oauth_tenant": "organizations",
            "smtp_scope": f"{self.url}/SMTP.Send",
            "sign_in_folder": folder,
        }
        return self.settings(**(values | changes))

    def answer(self, path: str, headers: Any, body: bytes) -> Reply:
        """Return what is answered to one request."""
        path, _, query = path.partition("?")
        parts = path.strip("/").split("/")
        if parts[-1] == "authorize":
            return Reply(200, self.identity.page(parts[0], _fields(query)))
        if parts[-1] == "devicecode":
            return Reply(*self.identity.device(parts[0], _fields(body.decode())))
        if parts[-1] == "openid-configuration":
            return self.discovery or self._addresses(parts[0])
        if parts[-1] == "token":
            return self._token(parts[0], parse_qs(body.decode()))
        if parts[-1] == "sendMail":
            return self._mail(unquote(parts[-2]), headers, body)
        return Reply(404, "<html>nothing here</html>")

    def _addresses(self, tenant: str) -> Reply:
        if tenant not in {self.TENANT, "organizations", "consumers", "common"}:
            return aadsts(90002, 400, "invalid_tenant")
        place = f"{self.url}/{tenant}"
        addresses = {
            "issuer": f"{place}/v2.0",
            "authorization_endpoint": f"{place}/oauth2/v2.0/authorize",
            "token_endpoint": f"{place}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{place}/oauth2/v2.0/devicecode",
        }
        return Reply(200, addresses)

    def _token(self, tenant: str, form: dict[str, list[str]]) -> Reply:
        if self.token_replies:
            return self.token_replies.pop(0)
        if form["grant_type"] != ["client_credentials"]:
            fields = {name: values[0] for name, values in form.items()}
            return Reply(*self.identity.token(fields))
        if form["client_id"] != [self.CLIENT]:
            return aadsts(700016, 400, "unauthorized_client")
        if "client_assertion" in form:
            if not self._signed(form["client_assertion"][0], tenant):
                return aadsts(700027)
        elif form.get("client_secret") != [self.secret]:
            return aadsts(7000215)
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
        if token in self.identity.access_tokens:
            allowed = self._allowed(mailbox, token)
            if isinstance(allowed, Reply):
                return allowed
            mailbox, scope = allowed, f"{self.url}/.default"
        if kind != "Bearer" or token in self.revoked or scope is None:
            return graph_error(401, "InvalidAuthenticationToken")
        if scope != f"{self.url}/.default":
            return graph_error(401, "InvalidAuthenticationToken")
        if self.graph_replies:
            return self.graph_replies.pop(0)
        assert headers["Content-Type"] == "text/plain"
        self.mails.append((mailbox, base64.b64decode(body, validate=True)))
        return Reply(202, "")

    def _allowed(self, mailbox: str, token: str) -> str | Reply:
        """Return the mailbox from which a user sends, or the refusal."""
        account = self.identity.holder(token, f"{self.url}/Mail.Send")
        if account is None:
            return graph_error(401, "InvalidAuthenticationToken")
        if mailbox == "me":
            return account
        granted = self.identity.holder(token, f"{self.url}/Mail.Send.Shared")
        if not granted or mailbox not in self.shared:
            return graph_error(403, "ErrorAccessDenied")
        return mailbox


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
