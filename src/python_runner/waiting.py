"""Threads, and waits for them that a signal can interrupt, on Windows too."""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, wait
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_T = TypeVar("_T")
#: Seconds after which a wait of the main thread looks up. Windows runs no signal handler
#: while the main thread waits for a lock; POSIX interrupts the wait by itself.
WAKE_SECONDS = 0.2 if sys.platform == "win32" else None


def wait_for_any(futures: Iterable[Future[_T]]) -> set[Future[_T]]:
    """Return the futures that are done, at the latest when the first one is.

    May return an empty set on Windows, after :data:`WAKE_SECONDS`.
    """
    return wait(futures, WAKE_SECONDS, return_when=FIRST_COMPLETED).done


def wait_for_all(futures: Iterable[Future[_T]]) -> None:
    """Return when all ``futures`` are done."""
    pending = set(futures)
    while pending:
        pending = wait(pending, WAKE_SECONDS, return_when=ALL_COMPLETED).not_done


# Not an executor: one that gets no thread raises, and keeps what it was given for the
# next thread it gets.


def start(work: Callable[[], _T], name: str) -> Future[_T]:
    """Do ``work`` in a thread of its own.

    Raises:
        RuntimeError: the system allows no further thread; nothing is done.
        MemoryError: it has no memory for one; likewise.
    """
    future: Future[_T] = Future()
    Thread(target=_complete, args=(future, work), name=name).start()
    return future


def do_all(jobs: Sequence[Callable[[], _T]], most: int, name: str) -> list[_T]:
    """Do all ``jobs``, at most ``most`` at the same time; return their results in order.

    Where the system allows fewer threads, the calling one takes part. What a job raises
    is raised when all are done.
    """
    futures: list[Future[_T]] = [Future() for _ in jobs]
    waiting = deque(zip(futures, jobs, strict=True))

    def work() -> None:
        # Each entry is taken by one thread: a deque's methods are atomic.
        with suppress(IndexError):
            while True:
                _complete(*waiting.popleft())

    try:
        for _ in range(min(most, len(jobs))):
            start(work, name)
    except (RuntimeError, MemoryError):
        work()
    wait_for_all(futures)
    return [future.result() for future in futures]


def _complete(future: Future[_T], work: Callable[[], _T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised where the result is wanted
        future.set_exception(error)
