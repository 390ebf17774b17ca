"""The circuit breaker: a server that is down is left alone for a while."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from python_runner.policy import delivery_wait


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.texts.sentence import Sentence

#: Messages in a row that reach nobody before the breaker opens: one message may only
#: have met a full mailbox.
_FAILURES_TO_OPEN = 2


class CircuitBreaker:
    """Opens after repeated failures; while it is open, nothing is tried.

    So twenty projects do not wait for a dead server twenty times, nor lock an account
    with twenty refused logins. It stays open as long as a message waits for its next
    try: five minutes, doubling.

    Attributes:
        reason: why the last delivery reached nobody, or None.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.reason: Sentence | None = None
        self._monotonic = monotonic
        self._failures = 0
        self._open_until = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether it is too early for another try."""
        return self._monotonic() < self._open_until

    def reset(self) -> None:
        """Close; the next failure opens it again if those before did."""
        self._open_until = -math.inf

    def success(self) -> None:
        """Record that the server took a message, or refused it for good."""
        self._failures = 0
        self.reason = None
        self.reset()

    def failure(self, reason: Sentence | None, *, certain: bool = False) -> None:
        """Record that a message reached nobody; open at once if that is ``certain``."""
        self._failures = max(self._failures + 1, _FAILURES_TO_OPEN if certain else 0)
        self.reason = reason
        if self._failures >= _FAILURES_TO_OPEN:
            wait = delivery_wait(self._failures + 1 - _FAILURES_TO_OPEN)
            self._open_until = self._monotonic() + wait.total_seconds()
