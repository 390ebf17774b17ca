"""Bounds on the answers that Apprise's services read: they read them whole.

Neither Apprise nor the libraries below it have a place for such a bound: each service opens
its own connections. They all read from what ``socket.makefile`` returns, however. So that
is replaced, when this module is imported, by one that bounds the answers in a thread that asks for it, and in no
other.
"""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import requests

from python_runner.delivery.transports.bounded import EndlessAnswer, bounded_file


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Bytes of one answer, as it comes and once it is unpacked.
_ANSWER_BYTES = 4_000_000

#: The moment by the clock ``time.monotonic`` when all answers must have come.
_end: ContextVar[float | None] = ContextVar("end of a channel's answers", default=None)
_makefile = socket.socket.makefile
_iter_content = requests.Response.iter_content


@contextmanager
def bounded_answers(seconds: float) -> Iterator[None]:
    """Bound what servers say to this thread: all answers in time, each in size."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def _bounded_makefile(
    sock: socket.socket, mode: str = "r", buffering: int | None = None, **options: Any
) -> Any:
    end = _end.get()
    # As http.client and smtplib ask for it.
    if end is None or (mode, buffering) != ("rb", None):
        return _makefile(sock, mode, buffering, **options)  # type: ignore[call-overload]
    return bounded_file(sock, end - time.monotonic(), _ANSWER_BYTES)


def _bounded_content(
    response: requests.Response, *args: Any, **options: Any
) -> Iterator[Any]:
    chunks = _iter_content(response, *args, **options)
    return chunks if _end.get() is None else _bounded_chunks(chunks)


def _bounded_chunks(chunks: Iterable[Any]) -> Iterator[Any]:
    left = _ANSWER_BYTES
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise EndlessAnswer("the answer does not end")
        yield chunk


_replaced: tuple[tuple[Any, str, Any], ...] = (
    (socket.socket, "makefile", _bounded_makefile),
    (requests.Response, "iter_content", _bounded_content),
)
for _owner, _name, _function in _replaced:
    setattr(_owner, _name, _function)
