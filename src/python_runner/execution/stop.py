"""The request to stop, as one object that all parts of a run share."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from python_runner.waiting import WAKE_SECONDS


if TYPE_CHECKING:
    from collections.abc import Callable


#: Seconds in which a repeated request is the same wish: a terminal that closes, or a
#: service manager, sends several signals at once.
_SAME_WISH = 0.2


class StopRequest:
    """A flag that is raised once, from any thread or from a signal handler.

    Who asks once more does not want to wait: what runs is killed at once.

    There is no lock in here on purpose: a signal handler may run in the very thread
    that holds it. Single operations on a dictionary are atomic, and so are those of
    :class:`~queue.SimpleQueue`, which is made for this.
    """

    def __init__(self) -> None:
        self._requested = False
        self._urgent = False
        self._since = 0.0
        self._callbacks: dict[object, Callable[[], None]] = {}

    @property
    def requested(self) -> bool:
        """Whether a stop has been requested."""
        return self._requested

    @property
    def urgent(self) -> bool:
        """Whether it has been requested once more: nobody gets time to end."""
        return self._urgent

    def request(self, *, kill: bool = False) -> None:
        """Request the stop: call every subscriber, and so wake every waiting thread.

        With ``kill`` it is urgent the first time.
        """
        again = self._requested and monotonic() - self._since > _SAME_WISH
        self._urgent = self._urgent or kill or again
        if not self._requested:
            self._since = monotonic()
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
