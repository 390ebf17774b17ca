"""Bounds on what a server says: when its answer must have ended, and how long it may be.

A time-out of a socket counts from one byte to the next: whoever sends a byte a second, or
the same line for ever, never meets it.
"""

from __future__ import annotations

import io
import math
import time
from contextlib import suppress
from functools import partial
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from _typeshed import WriteableBuffer


class EndlessAnswer(OSError):
    """A server says more than it may."""


class BoundedReader(io.RawIOBase):
    """Reads from a socket until a moment, and a number of bytes at most.

    The time-out of the socket is changed with each read.
    """

    def __init__(
        self,
        sock: socket.socket,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        pause: float = math.inf,
    ) -> None:
        """Take a socket, a clock, and the seconds that a server may say nothing."""
        self._sock = sock
        self._pause = pause
        # Keeps a socket alive that its owner closes before the answer is read.
        self._raw = sock.makefile("rb", buffering=0)
        self._monotonic = monotonic
        self._end, self._left = 0.0, 0

    def allow(self, seconds: float, size: int) -> None:
        """Let the server say ``size`` bytes more, for so long from now on."""
        self._end = self._monotonic() + seconds
        self._left = size

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        """Read what there is.

        Raises:
            TimeoutError: the time is over.
            EndlessAnswer: the server has said all that it may.
        """
        seconds = self._end - self._monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        if self._left <= 0:
            raise EndlessAnswer("the answer does not end")
        with suppress(OSError):
            # One that is closed already is read to its end all the same.
            self._sock.settimeout(min(seconds, self._pause))
        count = self._raw.readinto(memoryview(buffer)[: self._left])
        self._left -= count or 0
        return count

    def close(self) -> None:
        """Let the socket go."""
        self._raw.close()
        super().close()


def bounded_file(sock: socket.socket, seconds: float, size: int) -> io.BufferedReader:
    """Return a file that reads one answer of a server.

    The time-out that the socket has ends a silence before that.
    """
    pause = sock.gettimeout()
    reader = BoundedReader(sock, pause=math.inf if pause is None else pause)
    reader.allow(seconds, size)
    return io.BufferedReader(reader)


def bounded_response(seconds: float, size: int) -> type[HTTPResponse]:
    """Return what an HTTP connection makes a response with, as its ``response_class``.

    The whole answer may take so many seconds and bytes, its headers and what comes
    before them included.
    """

    class Answer(HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
            super().__init__(_Opened(sock, seconds, size), *args, **options)  # type: ignore[arg-type]

    return Answer


class _Opened:
    """A socket of which only the reading end is wanted."""

    def __init__(self, sock: socket.socket, seconds: float, size: int) -> None:
        self._open = partial(bounded_file, sock, seconds, size)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return self._open()
