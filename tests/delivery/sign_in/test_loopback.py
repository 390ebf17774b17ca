"""What comes back from the browser, and what else knocks meanwhile."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from python_runner.delivery.sign_in.loopback import Loopback
from tests.servers.identity import knock


if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = "state-of-this-sign-in"
CODE = "c0de-c\u00e0n4ry".encode().hex()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    """Return a server that waits for one answer."""
    with closing(Loopback("en")) as found:
        found.expect(STATE)
        yield found


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_answer_counts_once(loopback: Loopback, method: str) -> None:
    """In the body or in the address; the page shows nothing of it."""
    fields = {"code": CODE, "state": STATE, "session_state": "1-2-3", "x": "y"}
    status, page = knock(loopback.uri, fields, method=method)
    assert status == 200
    assert "You can close this page" in page
    assert loopback.answer.result(0) == {
        "code": CODE,
        "state": STATE,
        "session_state": "1-2-3",
    }
    assert knock(loopback.uri, {"code": "2", "state": STATE})[0] == 409
    assert loopback.answer.result(0)["code"] == CODE


@pytest.mark.parametrize(
    ("fields", "options", "status"),
    [
        ({"code": CODE, "state": "another"}, {}, 400),
        ({"code": CODE, "state": ""}, {}, 400),
        ({"code": CODE, "state": STATE + "x"}, {}, 400),
        ({"code": CODE, "state": "\u00e9\u00e9"}, {}, 400),
        ({"code": CODE}, {}, 400),
        ({"error": "access_denied"}, {}, 400),
        ({"error": "access_denied", "state": "another"}, {}, 400),
        ({"state": STATE}, {}, 400),
        ({}, {}, 400),
        ({"code": CODE, "state": STATE}, {"path": "/other"}, 404),
        (
            {"code": CODE, "state": STATE},
            {"path": "/favicon.ico", "method": "GET"},
            404,
        ),
        ({"code": CODE, "state": STATE}, {"path": "//localhost/"}, 404),
        ({"code": CODE, "state": STATE}, {"Host": "evil.example"}, 403),
        ({"code": CODE, "state": STATE}, {"Host": "localhost"}, 403),
        ({str(number): "x" for number in range(2000)}, {}, 400),
        ({"code": "x" * 70_000, "state": STATE}, {}, 400),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_no_answer_is_not_taken(
    method: str,
    *,
    fields: dict[str, str],
    options: dict[str, str],
    status: int,
    loopback: Loopback,
) -> None:
    """The sign-in goes on waiting, and no page shows what was sent."""
    found, page = knock(loopback.uri, fields, **({"method": method} | options))
    assert found in {status, 414}
    assert CODE not in page
    assert not loopback.answer.done()
    assert knock(loopback.uri, {"code": CODE, "state": STATE})[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + b"\x00" * 600,
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nshort",
        b"GET /" + b"x" * 70_000,
        b"GET http://[:: HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_request_harms_nothing(
    sent: bytes, loopback: Loopback, capfd: pytest.CaptureFixture[str]
) -> None:
    """TLS to a port without it, a request that never ends: nothing is printed."""
    port = urlsplit(loopback.uri).port or 0
    with socket.create_connection(("127.0.0.1", port), 5) as knocking:
        knocking.sendall(sent)
    assert knock(loopback.uri, {"code": CODE, "state": STATE})[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_flood_keeps_no_browser_out(loopback: Loopback) -> None:
    """Connections that say nothing are bounded; when they go, the answer arrives."""
    port = urlsplit(loopback.uri).port or 0
    threads = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(100)]
    assert threading.active_count() < threads + 30
    for knocking in silent:
        knocking.close()
    for _ in range(100):
        try:
            status, _ = knock(loopback.uri, {"code": CODE, "state": STATE})
        except (OSError, http.client.HTTPException):
            continue
        assert status == 200
        return
    pytest.fail("no place became free")


def test_only_this_computer_can_knock(loopback: Loopback) -> None:
    """It listens at the address that no network reaches."""
    assert loopback.address[0] == "127.0.0.1"
    assert loopback.uri == f"http://localhost:{loopback.address[1]}"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_page_is_in_the_language_of_the_user(language: str) -> None:
    """With its name for a screen reader, no script, and nothing that is fetched."""
    with closing(Loopback(language)) as loopback:
        loopback.expect(STATE)
        _, page = knock(loopback.uri, {"error": "access_denied", "state": STATE})
    assert f'<html lang="{language}">' in page
    assert ("Identification" in page) is (language == "fr")
    assert "<script" not in page
    assert "http" not in page


def test_no_page_is_kept_or_framed(loopback: Loopback) -> None:
    """By no proxy, no history and no other page."""
    port = urlsplit(loopback.uri).port or 0
    connection = http.client.HTTPConnection("localhost", port, timeout=5)
    connection.request("GET", "/")
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    connection.close()
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "Python/" not in headers["server"]
