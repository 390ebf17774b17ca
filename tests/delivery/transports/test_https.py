"""HTTPS: who is believed, what goes through a proxy, and what never leaves."""

from __future__ import annotations

import base64
import socket
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.graph import GraphTransport
from python_runner.delivery.transports.https import HttpsClient
from python_runner.delivery.transports.tokens import ApplicationTokens
from python_runner.model import Delivery, MailSettings
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from python_runner.model import Message

TOO_LONG = ".".join(["a" * 60] * 5)


def _detail(settings: MailSettings) -> str:
    tokens = ApplicationTokens(settings, step_timeout=2)
    with closing(tokens), pytest.raises(DeliveryError) as caught:
        tokens.get()
    assert caught.value.cause.delivery is Delivery.DEFERRED
    french = caught.value.detail.in_language("fr")
    assert french != str(caught.value.detail)
    return str(caught.value.detail)


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        ("unknown authority", "an authority this computer does not trust"),
        ("wrong name", "set OAUTH_AUTHORITY to the name in the certificate"),
        ("expired", "has expired"),
    ],
)
def test_an_impostor_never_sees_the_secret(
    certificate: str, says: str, start_cloud: Any, authority: Any
) -> None:
    """An identity provider that cannot prove who it is is not asked anything."""
    cloud = start_cloud(authority.impostor(certificate))
    assert says in _detail(cloud.settings(smtp_ca_file=authority.file))
    assert cloud.connections == 1
    assert cloud.asked == []


@pytest.mark.parametrize("certificate", ["unknown authority", "wrong name", "expired"])
def test_an_impostor_of_graph_never_sees_the_token(
    certificate: str, cloud: Any, start_cloud: Any, authority: Any, message: Message
) -> None:
    """The token is right, whoever poses as Graph gets neither it nor the mail."""
    impostor = start_cloud(authority.impostor(certificate))
    settings = cloud.settings(smtp_ca_file=authority.file, graph_url=impostor.url)
    with closing(GraphTransport(settings, step_timeout=2)) as graph:
        receipts = [*graph.send(message), *graph.send(message)]
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert "no secret was sent" in str(receipts[0].detail)
    assert impostor.connections == 1
    assert impostor.asked == []


def test_a_server_without_encryption_never_sees_the_secret(
    serve: Callable[..., Any],
) -> None:
    """Who speaks no TLS is not spoken to."""
    server = serve()
    settings = MailSettings(
        transport="graph",
        oauth_tenant="t",
        oauth_client="c",
        oauth_secret="canary",
        oauth_authority=f"https://localhost:{server.port}",
    )
    assert "no encrypted connection to localhost" in _detail(settings)
    assert b"canary" not in server.raw


def test_an_address_without_encryption_is_not_called(
    cloud: Any, authority: Any, serve: Callable[..., Any]
) -> None:
    """Even the provider itself cannot send the secret to an open address."""
    server = serve()
    place = f"http://localhost:{server.port}/{cloud.TENANT}/token"
    addresses = {"authorization_endpoint": place, "token_endpoint": place}
    cloud.discovery = cloud.reply(200, addresses)
    detail = _detail(cloud.settings(smtp_ca_file=authority.file))
    assert "consist of an https url" in detail
    assert server.connections == 0


def test_a_redirect_is_not_followed(
    cloud: Any, authority: Any, start_cloud: Any
) -> None:
    """Whoever answers "elsewhere" does not get the secret sent there."""
    other = start_cloud(authority.context())
    place = {"Location": f"{other.url}/token"}
    cloud.token_replies = [cloud.reply(307, "", place)]
    assert "307" in _detail(cloud.settings(smtp_ca_file=authority.file))
    assert other.connections == 0


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (TOO_LONG, "not known to this network"),
        ("127.0.0.1", "whether a proxy is needed (HTTPS_PROXY)"),
    ],
)
def test_an_unreachable_server_is_told(host: str, says: str, free_port: int) -> None:
    """No name, no machine, no port: the sentence says what to check."""
    settings = MailSettings(
        transport="graph",
        oauth_tenant="t",
        oauth_client="c",
        oauth_secret="s",
        oauth_authority=f"https://{host}:{free_port}",
    )
    detail = _detail(settings)
    assert says in detail
    assert "OAUTH_AUTHORITY" in detail


def test_a_broken_authority_file_is_told(cloud: Any, tmp_path: Path) -> None:
    """``SMTP_CA_FILE`` holds for HTTPS too, and never falls back to less safety."""
    file = tmp_path / "ca.pem"
    file.write_text("not a certificate", encoding="utf-8")
    assert "SMTP_CA_FILE" in _detail(cloud.settings(smtp_ca_file=file))
    assert cloud.connections == 0


@pytest.mark.parametrize("silent", ["greeting", "answer"])
def test_a_silent_provider_is_left_in_time(
    silent: str, cloud: Any, authority: Any, serve: Callable[..., Any]
) -> None:
    """Every request has an end, also before it is encrypted."""
    settings = cloud.settings(smtp_ca_file=authority.file)
    if silent == "greeting":
        server = serve({"CONNECT": "<silent>"})
        place = f"https://localhost:{server.port}"
        settings = cloud.settings(oauth_authority=place)
    else:
        cloud.token_replies = [cloud.reply(silent=True)]
    start = time.monotonic()
    _detail(settings)
    assert time.monotonic() - start < GENEROUS


class _Proxy:
    """A proxy of an office: it lets CONNECT through to whoever has its password."""

    def __init__(self, login: str | None) -> None:
        self.login = login
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(
                    target=self._relay, args=(client,), daemon=True
                ).start()

    def _relay(self, client: socket.socket) -> None:
        client.settimeout(GENEROUS)
        with client, suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            self.heard.append(head)
            if self.login and self.login.encode() not in head:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port)), 10) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client))
                back.start()
                _pump(client, server)
                back.join(GENEROUS)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Callable[..., _Proxy]]:
    """Return a function that starts a proxy, with or without a password."""
    proxies: list[_Proxy] = []

    def start(login: str | None = None) -> _Proxy:
        proxies.append(_Proxy(login))
        return proxies[-1]

    yield start
    for one in proxies:
        one.stop()


@pytest.mark.parametrize("address", ["http://{}", "{}", "http://ann:p%40ss@{}"])
def test_an_offices_proxy_is_used(
    *,
    address: str,
    proxy: Callable[..., _Proxy],
    cloud: Any,
    authority: Any,
    message: Message,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy of the system carries both ways, and sees nothing of what they say."""
    login = base64.b64encode(b"ann:p@ss").decode() if "@" in address else None
    office = proxy(login)
    place = address.format(f"127.0.0.1:{office.port}")
    monkeypatch.setenv("HTTPS_PROXY", place)
    settings = cloud.settings(smtp_ca_file=authority.file)
    with closing(GraphTransport(settings, step_timeout=5)) as graph:
        receipts = graph.send(message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert [head.split()[1] for head in office.heard] == [
        f"localhost:{cloud.port}".encode()
    ] * 2


def test_a_proxy_that_refuses_is_told(
    proxy: Callable[..., _Proxy],
    cloud: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy that wants a password is named as one, and so is one that is away."""
    office = proxy("secret")
    monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{office.port}")
    refused = _detail(cloud.settings())
    monkeypatch.setenv("HTTPS_PROXY", f"http://{TOO_LONG}:3128")
    away = _detail(cloud.settings())
    assert f"127.0.0.1 does not answer on port {office.port}" in refused
    assert "407 Proxy Authentication Required" in refused
    assert TOO_LONG in away
    assert "check HTTPS_PROXY" in away


def test_an_address_of_a_proxy_that_is_none_is_told(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in ``HTTPS_PROXY`` is named, without the password that may be in it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:canary")
    detail = _detail(cloud.settings())
    assert "check HTTPS_PROXY" in detail
    assert "canary" not in detail


def test_what_is_near_needs_no_proxy(
    proxy: Callable[..., _Proxy],
    cloud: Any,
    authority: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``NO_PROXY`` is respected."""
    office = proxy()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{office.port}")
    monkeypatch.setenv("NO_PROXY", "localhost")
    settings = cloud.settings(smtp_ca_file=authority.file)
    with closing(ApplicationTokens(settings)) as tokens:
        tokens.get()
    assert office.heard == []


def test_one_connection_serves_one_place(
    cloud: Any, start_cloud: Any, authority: Any
) -> None:
    """Requests to one server share a connection; another server gets its own."""
    other = start_cloud(authority.context())
    client = HttpsClient(authority.file, "GRAPH_URL", step_timeout=5, data_timeout=5)
    with closing(client):
        for place in (cloud, cloud, other, cloud):
            answer = client.request("GET", f"{place.url}/nothing?x=1", headers={})
            assert answer.status_code == 404
    assert (cloud.connections, other.connections) == (2, 1)
    assert cloud.asked == ["/nothing?x=1"] * 3
