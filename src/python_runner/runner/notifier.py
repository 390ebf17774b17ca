"""Calls a listener with the events of runs, so that it neither breaks nor holds up one."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.runner.events import Event

#: Seconds that runs wait for a listener that does not return.
PATIENCE = 2.0
#: Seconds after which a waiting thread looks up, so that Windows can run signal handlers.
_PAUSE = 0.1
#: Seconds that the listener's thread waits for a further event before it ends.
_IDLE = 1.0


class Notifier:
    """A listener, called with one event after the other in a thread of its own.

    A run waits until the listener has taken its event. Once one call has taken
    :data:`PATIENCE` seconds nobody waits any more, until that call has returned. What the
    listener raises is ignored, ``SystemExit`` too: a run that has begun is always ended.
    """

    def __init__(self, listener: Callable[[Event], None]) -> None:
        self._listener = listener
        #: What has not been taken yet; the listener is busy with the first.
        self._events: deque[Event] = deque()
        #: Whether somebody calls the listener, or waits to.
        self._working = False
        self._given = self._taken = 0
        #: When the listener began with the first event, by a monotonic clock.
        self._since = 0.0
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        """Give the listener an event; may be called from any thread."""
        with self._changed:
            if not self._events:
                self._since = time.monotonic()
            self._events.append(event)
            self._given += 1
            number, begins = self._given, not self._working
            self._working = True
            self._changed.notify_all()
        if begins:
            self._begin()
        with self._changed:
            while self._taken < number and time.monotonic() < self._since + PATIENCE:
                self._changed.wait(_PAUSE)

    def _begin(self) -> None:
        try:
            # A listener that never returns must not keep the process from ending.
            threading.Thread(
                target=self._work, args=(_IDLE,), name="listener", daemon=True
            ).start()
        except (RuntimeError, MemoryError):
            self._work(0)

    def _work(self, idle: float) -> None:
        """Call the listener until no event has come for ``idle`` seconds."""
        while True:
            with suppress(BaseException):
                self._listener(self._events[0])
            with self._changed:
                self._events.popleft()
                self._taken += 1
                self._since = time.monotonic()
                self._changed.notify_all()
                if not self._changed.wait_for(lambda: self._events, idle):
                    self._working = False
                    return
