"""The wish that everything ends, as one object that all parts of a run share."""

from __future__ import annotations

import sys
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

#: Longest uninterrupted wait in seconds. Windows runs no signal handler while the main
#: thread waits for a lock, so it has to wake up now and then; POSIX wakes it by itself.
LONGEST_WAIT = 0.2 if sys.platform == "win32" else float("inf")


class StopRequest:
    """A flag that is raised once, from any thread or from a signal handler.

    There is no lock in here on purpose: a signal handler may run in the very thread
    that holds it. Single operations on a dictionary are atomic, and so are those of
    :class:`~queue.SimpleQueue`, which is made for this.
    """

    def __init__(self) -> None:
        self._requested = False
        self._callbacks: dict[object, Callable[[], None]] = {}

    @property
    def requested(self) -> bool:
        """Whether the end has been asked for."""
        return self._requested

    def request(self) -> None:
        """Ask for the end: wake everybody who waits and call every subscriber."""
        self._requested = True
        for callback in self._callbacks.copy().values():
            callback()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called on request; at once if there already was one.

        It may be called more than once, and inside a signal handler: it should do no
        more than wake somebody.

        Returns:
            A function that ends the subscription.
        """
        key = object()
        self._callbacks[key] = callback
        if self._requested:
            callback()

        def unsubscribe() -> None:
            self._callbacks.pop(key, None)

        return unsubscribe

    def wait(self, timeout: float | None) -> bool:
        """Wait for the request for up to ``timeout`` seconds, or for ever.

        Returns:
            Whether it has come.
        """
        end = float("inf") if timeout is None else monotonic() + timeout
        wake: SimpleQueue[None] = SimpleQueue()
        unsubscribe = self.subscribe(lambda: wake.put(None))
        try:
            while not self._requested and (left := end - monotonic()) > 0:
                nap(wake, left)
        finally:
            unsubscribe()
        return self._requested


def nap(wake: SimpleQueue[None], seconds: float) -> bool:
    """Sleep until ``wake`` is fed, for ``seconds`` or :data:`LONGEST_WAIT` at most.

    Returns:
        Whether it was fed.
    """
    longest = min(seconds, LONGEST_WAIT)
    try:
        wake.get(timeout=None if longest == float("inf") else longest)
    except Empty:
        return False
    return True
