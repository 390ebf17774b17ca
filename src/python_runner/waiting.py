"""Threads, and waits for them that a signal can interrupt, on Windows too."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

_T = TypeVar("_T")
#: Seconds after which a wait of the main thread looks up. Windows runs no signal handler
#: while the main thread waits for a lock; POSIX interrupts the wait by itself.
WAKE_SECONDS = 0.2 if sys.platform == "win32" else None


def wait_for_any(futures: Iterable[Future[_T]]) -> set[Future[_T]]:
    """Return the futures that are done, at the latest when the first one is.

    May return an empty set on Windows, after :data:`WAKE_SECONDS`.
    """
    from concurrent.futures import FIRST_COMPLETED, wait  # noqa: PLC0415 - see start()

    return wait(futures, WAKE_SECONDS, return_when=FIRST_COMPLETED).done


def wait_for_all(futures: Iterable[Future[_T]]) -> None:
    """Return when all ``futures`` are done."""
    pending = set(futures)
    while pending:
        from concurrent.futures import wait  # noqa: PLC0415 - see start()

        pending = wait(pending, WAKE_SECONDS).not_done


# Not an executor: one that gets no thread raises, and keeps what it was given for the
# next thread it gets.


def start(work: Callable[[], _T], name: str) -> Future[_T]:
    """Do ``work`` in a thread of its own.

    Raises:
        RuntimeError: the system allows no further thread; nothing is done.
        MemoryError: it has no memory for one; likewise.
    """
    # Brings logging with it, and most runs have one thread.
    from concurrent.futures import Future  # noqa: PLC0415

    future: Future[_T] = Future()

    def complete() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is wanted
            future.set_exception(error)

    Thread(target=complete, name=name).start()
    return future


def do_all(jobs: Sequence[Callable[[], _T]], most: int, name: str) -> list[_T]:
    """Do all ``jobs``, at most ``most`` at the same time; return their results in order.

    Where the system allows fewer threads, the calling one takes part. What a job raises
    is raised when all are done: of several errors the first job's.
    """
    results: dict[int, _T] = {}
    errors: dict[int, BaseException] = {}
    waiting = deque(enumerate(jobs))
    threads: list[Thread] = []

    def work() -> None:
        # Each entry is taken by one thread: a deque's methods are atomic.
        while waiting:
            with suppress(IndexError):
                do(*waiting.popleft())

    def do(place: int, job: Callable[[], _T]) -> None:
        try:
            results[place] = job()
        except BaseException as error:  # noqa: BLE001 - raised when all are done
            errors[place] = error

    try:
        for _ in range(min(most, len(jobs))):
            thread = Thread(target=work, name=name)
            thread.start()
            threads.append(thread)
    except (RuntimeError, MemoryError):
        work()
    for thread in threads:
        while thread.is_alive():
            thread.join(WAKE_SECONDS)
    for place in sorted(errors):
        raise errors[place]
    return [results[place] for place in range(len(jobs))]
