"""Threads, and waits for them that a signal can interrupt, on Windows too."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, Generic, Self, TypeVar


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

_T = TypeVar("_T")
#: Seconds between two looks at what is done, so that Ctrl-C is heard on Windows too.
_PAUSE = 0.05
#: Seconds after which a wait of the main thread looks up. Windows runs no signal handler
#: while the main thread waits for a lock; POSIX interrupts the wait by itself.
WAKE_SECONDS = 0.2 if sys.platform == "win32" else None


def wait_for_all(futures: Iterable[Future[_T]]) -> None:
    """Return when all ``futures`` are done."""
    pending = set(futures)
    while pending:
        from concurrent.futures import wait  # noqa: PLC0415 - see Workers

        pending = wait(pending, WAKE_SECONDS).not_done


class Workers(Generic[_T]):
    """Threads that do one piece of work after the other.

    One is started when there is work and all others have some. A context, whose end
    waits for none of them: each ends with its work. Not an executor: one that gets no
    thread raises, and keeps what it was given for the next thread it gets.
    """

    def __init__(self, name: str) -> None:
        """Start none yet; ``name`` is that of each."""
        self._name = name
        self._waiting: SimpleQueue[tuple[Future[_T], Callable[[], _T]] | None]
        self._waiting = SimpleQueue()
        #: A worker counts as idle from its last work's end, and until it gets another.
        self._idle = Semaphore(0)
        self._threads = 0
        self._done: SimpleQueue[Future[_T]] = SimpleQueue()

    def __enter__(self) -> Self:
        """Return the workers."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Let each thread end when its work is done."""
        for _ in range(self._threads):
            self._waiting.put(None)

    def start(self, work: Callable[[], _T]) -> Future[_T]:
        """Let a thread do ``work`` at once; called by one thread.

        Raises:
            RuntimeError: the system allows no further thread; nothing is done.
            MemoryError: it has no memory for one; likewise.
        """
        # Brings logging with it, and most runs have one thread.
        from concurrent.futures import Future  # noqa: PLC0415

        future: Future[_T] = Future()
        if self._idle.acquire(blocking=False):
            self._waiting.put((future, work))
        else:
            # Before: an interruption in between would leave a thread without an end.
            self._threads += 1
            Thread(target=self._run, args=(future, work), name=self._name).start()
        return future

    def wait(self) -> list[Future[_T]]:
        """Return what has been done since the last call, at the latest when one is.

        May return an empty list on Windows, after :data:`WAKE_SECONDS`.
        """
        done = []
        with suppress(Empty):
            done.append(self._done.get(timeout=WAKE_SECONDS))
            while True:
                done.append(self._done.get_nowait())
        return done

    def _run(self, future: Future[_T], work: Callable[[], _T]) -> None:
        item: tuple[Future[_T], Callable[[], _T]] | None = future, work
        while item is not None:
            future, work = item
            # Whoever is told of the end may have work for this thread.
            future.add_done_callback(lambda _future: self._idle.release())
            future.add_done_callback(self._done.put)
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised where it is wanted
                future.set_exception(error)
            # What was done is not kept until there is more to do.
            del future, work, item
            item = self._waiting.get()


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


def do_within(
    jobs: Sequence[Callable[[], _T]], seconds: float, most: int, name: str
) -> dict[int, _T]:
    """Do ``jobs``, at most ``most`` at the same time; return what is done in time.

    What hangs is left alone: its thread ends with the process. Where the system allows no
    thread, the calling one does the jobs that it can begin in time.

    Args:
        jobs: none of them raises.
        seconds: how long all of them may take.
        most: how many at the same time.
        name: that of each thread.

    Returns:
        The results by the places of their jobs.
    """
    results: dict[int, _T] = {}
    waiting = deque(enumerate(jobs))
    end = time.monotonic() + seconds

    def work() -> None:
        # Each entry is taken by one thread: a deque's methods are atomic.
        while waiting and time.monotonic() < end:
            try:
                place, job = waiting.popleft()
            except IndexError:
                return
            results[place] = job()

    # Daemons: a process that is done waits for no server and no network drive.
    threads = []
    try:
        for _ in range(min(most, len(jobs))):
            thread = Thread(target=work, name=name, daemon=True)
            thread.start()
            threads.append(thread)
    except (RuntimeError, MemoryError):
        if not threads:
            work()
    while (left := end - time.monotonic()) > 0:
        running = next((t for t in threads if t.is_alive()), None)
        if running is None:
            break
        running.join(min(left, _PAUSE))
    return dict(results)
