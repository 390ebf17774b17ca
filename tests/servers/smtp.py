"""A mail server that misbehaves as it is told."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping


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
