"""The rate limiter: no more messages a minute than a mailbox may send."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

#: Messages per minute: the limit of a mailbox in Exchange Online.
MESSAGES_A_MINUTE = 30
_MINUTE = 60.0


class RateLimiter:
    """Lets :data:`MESSAGES_A_MINUTE` messages through in any minute.

    Deadlines are moments by its clock, ``monotonic``, in seconds.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._sent: deque[float] = deque(maxlen=MESSAGES_A_MINUTE)

    def wait(self, deadline: float) -> bool:
        """Wait until a message may leave; False, at once, if that is too late."""
        moment = self._monotonic()
        if len(self._sent) == MESSAGES_A_MINUTE:
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
