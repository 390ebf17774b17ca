"""What one reader may take from the others: connections, time and the length of a request.

Each connection, each open file and each look at the records needs a descriptor, of which the
system grants a process so many (``ulimit -n``). Readers get what the server itself does not
need; whoever comes when nothing is left is told so.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import h11
from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from python_runner.facts import dataclass
from python_runner.texts.sentence import N_, translate


if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

#: Threads that answer requests, at most and at least: more would wait for the processor.
_THREADS, _FEW = 8, 2
#: Descriptors that the server needs itself, and for each thread: a look at the records takes
#: two, a file one.
_OWN, _EACH = 16, 3
#: Connections at most, and at least; those that are kept to say that there are no more;
#: those that are taken at once, before anybody can count them.
_MOST, _LEAST, _SPARE, AT_ONCE = 500, 4, 8, 4
#: Streams of events at most; some connections are left for the pages.
_STREAMS = 200
#: Descriptors where the system does not say how many there are.
_UNKNOWN = 1024
#: Seconds in which a request must be there, and an answer must have got a little further.
REQUEST_SECONDS, ANSWER_SECONDS = 10.0, 60.0
#: Bytes of an address, and of all headers together.
LONGEST_ADDRESS, LONGEST_HEADERS = 8 * 1024, 32 * 1024
#: Seconds after which who was refused may try again.
RETRY = "30"

if sys.platform == "win32":

    def _descriptors() -> int:
        """Return how many there may be: the system names no number."""
        return _UNKNOWN

else:
    import resource

    def _descriptors() -> int:
        """Return how many this process may have."""
        soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return _UNKNOWN if soft == resource.RLIM_INFINITY else soft


@dataclass(frozen=True, slots=True)
class Limits:
    """How many may read at the same time.

    Attributes:
        connections: that are answered; a few more are told that there are too many.
        streams: of events, which stay open as long as their page.
        threads: that answer.
    """

    connections: int
    streams: int
    threads: int

    @classmethod
    def of(cls, descriptors: int) -> Limits:
        """Return the limits for a process that may have so many descriptors."""
        threads = max(_FEW, min(_THREADS, descriptors // 16))
        taken = _OWN + _EACH * threads + _SPARE + 2 * AT_ONCE
        connections = max(_LEAST, min(_MOST, descriptors - taken))
        streams = min(_STREAMS, connections * 2 // 3)
        return cls(connections, streams, threads)

    @classmethod
    def of_process(cls) -> Limits:
        """Return the limits for this process."""
        return cls.of(_descriptors())


def refusal(scope: Scope) -> tuple[str, int] | None:
    """Return why a request is too large, and the status that says so; None: it is not."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
        return N_("This address is too long."), 414
    if (
        sum(len(name) + len(value) for name, value in scope["headers"])
        > LONGEST_HEADERS
    ):
        return N_("The headers of this request are too long."), 431
    return None


def busy() -> PlainTextResponse:
    """Return what is answered to one reader too many."""
    text = translate(N_("Too many pages are open; try again in a moment."))
    headers = {"retry-after": RETRY, "cache-control": "no-store"}
    return PlainTextResponse(f"{text}\n", 503, headers)


async def _answer_busy(scope: Scope, receive: Receive, send: Send) -> None:
    answer = busy()
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)


class _Deadline:
    """Does something after some seconds, unless it is lifted before."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        seconds: float,
        act: Callable[[], None],
    ) -> None:
        self._loop, self._seconds, self._act = loop, seconds, act
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Let the seconds begin, unless they have."""
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._act)

    def lift(self) -> None:
        """Let nothing happen."""
        if self._timer:
            self._timer.cancel()
        self._timer = None


class BoundedProtocol(H11Protocol):
    """A connection that has to make its requests, and to take its answers, in time."""

    limits = Limits.of(_UNKNOWN)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; one too many is told so as soon as it has asked."""
        super().connection_made(transport)
        self._request = _Deadline(self.loop, REQUEST_SECONDS, transport.abort)
        self._answer = _Deadline(self.loop, ANSWER_SECONDS, transport.abort)
        self._request.set()
        others = len(self.connections)
        if others > self.limits.connections + _SPARE:
            transport.abort()
        elif others > self.limits.connections:
            self.app = _answer_busy

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._request.lift()
        self._answer.lift()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; the next one, if any, has its own time."""
        super().data_received(data)
        if self.conn.their_state in {h11.IDLE, h11.SEND_BODY}:
            self._request.set()
        else:
            self._request.lift()

    def pause_writing(self) -> None:
        """Wait for a reader who does not take what is sent, but not for ever."""
        super().pause_writing()
        self._answer.set()

    def resume_writing(self) -> None:
        """Go on."""
        self._answer.lift()
        super().resume_writing()
