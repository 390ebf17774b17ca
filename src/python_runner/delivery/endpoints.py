"""What a process knows of the servers that take its messages."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.delivery.circuit_breaker import CircuitBreaker
from python_runner.delivery.rate_limiter import RateLimiter
from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is known of one server; one delivery at a time holds its lock."""

    breaker: CircuitBreaker
    limiter: RateLimiter
    lock: threading.Lock = field(default_factory=threading.Lock)


class Endpoints:
    """The endpoints of a process, each made when it is first asked for by its name.

    Sessions that follow each other in one process share an object of this class: what
    one has learnt of a dead server need not be learnt again by the next.

    Attributes:
        monotonic: the clock of deadlines, breakers and limiters, in seconds.
        used_at: when the last drain ended, by ``monotonic``.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.monotonic = monotonic
        self.used_at = -math.inf
        self._sleep = sleep
        self._known: dict[str, Endpoint] = {}

    def __getitem__(self, name: str) -> Endpoint:
        """Return the endpoint of that name, which takes any number of messages a minute."""
        return self.get(name)

    def get(self, name: str, a_minute: int | None = None) -> Endpoint:
        """Return the endpoint of that name; a name holds no password.

        ``a_minute`` are the messages that it takes in any minute, None: any number. What
        was said when it was first asked for holds.
        """
        # One step, so that threads which ask at the same time get the same object.
        return self._known.setdefault(
            name,
            Endpoint(
                CircuitBreaker(self.monotonic),
                RateLimiter(self.monotonic, self._sleep, a_minute),
            ),
        )

    def reset(self) -> None:
        """Close all breakers: the next drain tries every server."""
        for endpoint in list(self._known.values()):
            endpoint.breaker.reset()
