"""The rate limiter: no more messages a minute than a mailbox may send."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE = 60.0


class RateLimiter:
    """Lets so many messages through in any minute; None is no limit.

    Deadlines are moments by its clock, ``monotonic``, in seconds.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        a_minute: int | None = None,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._a_minute = a_minute
        #: When those of the last minute left, as far as they count.
        self._sent: deque[float] = deque(maxlen=a_minute or 0)

    def wait(self, deadline: float) -> bool:
        """Wait until a message may leave; False, at once, if that is too late."""
        moment = self._monotonic()
        if self._sent and len(self._sent) == self._a_minute:
            free = self._sent[0] + _MINUTE
            if free > moment:
                if free >= deadline:
                    return False
                self._sleep(free - moment)
                moment = free
        return moment < deadline

    def count(self) -> None:
        """Count a message that leaves now."""
        self._sent.append(self._monotonic())

    def pause(self, seconds: float, deadline: float) -> bool:
        """Wait as long as a server asks; False, at once, if that is too late."""
        if self._monotonic() + seconds >= deadline:
            return False
        self._sleep(seconds)
        return True
