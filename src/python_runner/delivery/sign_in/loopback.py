"""Receives the answer with which the browser comes back from Microsoft, on this computer.

Other programs and other pages can knock as well: an answer counts only with the state that
was given to the browser, once, and at the address that was named. No page shows anything
of what was sent.
"""

from __future__ import annotations

import hmac
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit

from python_runner.texts.sentence import N_, Sentence


#: Connections served at the same time; a browser makes a few.
_MOST = 16
#: Seconds a connection may be silent.
_SILENCE = 10.0
#: Bytes of an answer; Microsoft's has some 2,000.
_LONGEST = 65_536
#: Fields of an answer that are passed on.
_FIELDS = (
    "code",
    "state",
    "error",
    "error_description",
    "client_info",
    "session_state",
)
_SEPARATE = 100

_TITLE = N_("Sign-in to Outlook")
_RECEIVED = N_(
    "The answer has arrived. Go back to the window in which you started the sign-in: it"
    " says whether all went well. You can close this page."
)
_REFUSED = N_(
    "The sign-in was not completed. The window in which you started it says why. You can"
    " close this page."
)
_FOREIGN = N_(
    "This answer does not belong to the sign-in that is under way, and was ignored. Start"
    " the sign-in again if nothing else happens."
)
_AGAIN = N_("This answer was received already. You can close this page.")
_NOTHING = N_("There is nothing here. Python Runner waits for a sign-in to end.")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto;
  padding: 0 1.5rem; }}
h1 {{ font-size: 1.4rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
</body>
</html>
"""


class Loopback:
    """A server on this computer alone, on a free port, as long as a sign-in lasts.

    Attributes:
        answer: the fields of the one answer that counts, once it is there.
        address: where it listens: host and port.
        uri: the address to which the browser is to come back.
    """

    def __init__(self, language: str) -> None:
        """Begin to listen; the pages are in ``language``.

        Raises:
            OSError: this computer lets nobody listen.
        """
        self.answer: Future[dict[str, str]] = Future()
        self._state = ""
        self._language = language
        self._taking = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        self.address = self._server.server_address
        port = self.address[1]
        # What Microsoft's registration takes with any port; numbers it does not.
        self.uri = f"http://localhost:{port}"
        self._hosts = {f"localhost:{port}", f"127.0.0.1:{port}"}
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(0.1,),
            name="sign-in",
            daemon=True,
        )
        self._thread.start()

    def expect(self, state: str) -> None:
        """Take the answer with this state from now on."""
        self._state = state

    def close(self) -> None:
        """Listen no longer; a page that is being shown is finished."""
        self._server.shutdown()
        self._server.server_close()

    def respond(self, host: str, path: str, fields: dict[str, str]) -> tuple[int, str]:
        """Take what was sent; return the status of HTTP and the page's text."""
        if host.lower() not in self._hosts:
            # Another site's name that leads to this computer.
            return 403, _NOTHING
        if path not in {"", "/"}:
            return 404, _NOTHING
        if not fields.keys() & {"code", "error"}:
            return 400, _NOTHING
        given = fields.get("state", "").encode("utf-8", "replace")
        if not self._state or not hmac.compare_digest(given, self._state.encode()):
            return 400, _FOREIGN
        with self._taking:
            if self.answer.done():
                return 409, _AGAIN
            self.answer.set_result(fields)
        return 200, _RECEIVED if "code" in fields else _REFUSED

    def page(self, text: str) -> bytes:
        """Return a page that says one thing."""
        title, said = (
            escape(Sentence.of(part).in_language(self._language))
            for part in (_TITLE, text)
        )
        page = _PAGE.format(language=self._language, title=title, text=said)
        return page.encode()


class _Server(ThreadingMixIn, HTTPServer):
    """Serves so many connections at the same time, and drops what is beyond."""

    daemon_threads = True
    block_on_close = False
    # On Windows the same port could be taken by another program beside us.
    allow_reuse_address = sys.platform != "win32"
    request_queue_size = _MOST

    def __init__(self, address: tuple[str, int], loopback: Loopback) -> None:
        self.loopback = loopback
        self._places = threading.BoundedSemaphore(_MOST)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking a name server for this computer's name."""
        if sys.platform == "win32":
            import socket  # noqa: PLC0415 - only its constants, only there

            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super(HTTPServer, self).server_bind()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, where there is room for one."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # The system allows no further thread.
            self._places.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, then give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, *_args: object) -> None:
        """Say nothing: whoever knocks may hang up."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENCE
    server: _Server
    server_version = "PythonRunner"
    sys_version = ""

    def do_GET(self) -> None:
        """Take an answer in the address, or say that there is nothing."""
        self._respond(urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Take an answer in the body, where no history keeps it."""
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() else 0
        if not 0 < size <= _LONGEST:
            self._respond("")
            return
        with suppress(OSError):
            body = self.rfile.read(size)
            self._respond(body.decode("ascii", "replace"))

    def _respond(self, query: str) -> None:
        loopback = self.server.loopback
        try:
            found = parse_qs(query, max_num_fields=_SEPARATE)
            path = urlsplit(self.path).path
        except ValueError:
            found, path = {}, "/"
        fields = {name: found[name][0] for name in _FIELDS if name in found}
        host = self.headers.get("Host", "")
        status, text = loopback.respond(host, path, fields)
        page = loopback.page(text)
        with suppress(OSError):
            self.send_response(status)
            for name, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(page))),
                ("Cache-Control", "no-store"),
                ("Referrer-Policy", "no-referrer"),
                ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", _POLICY),
                ("Connection", "close"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page)

    def log_message(self, *_args: object) -> None:
        """Say nothing: an address may hold a code."""
