"""The request to stop, as one object that all parts of a run share."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from python_runner.waiting import WAKE_SECONDS


if TYPE_CHECKING:
    from collections.abc import Callable


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
        """Whether a stop has been requested."""
        return self._requested

    def request(self) -> None:
        """Request the stop: call every subscriber, and so wake every waiting thread."""
        self._requested = True
        for callback in self._callbacks.copy().values():
            callback()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called on request; at once if there already was one.

        It may be called more than once, and inside a signal handler: it should do no
        more than wake a thread.

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
    """Sleep until ``wake`` gets an item, at most ``seconds`` or :data:`WAKE_SECONDS`.

    Returns:
        Whether it got one.
    """
    longest = seconds if WAKE_SECONDS is None else min(seconds, WAKE_SECONDS)
    try:
        wake.get(timeout=None if longest == float("inf") else longest)
    except Empty:
        return False
    return True
