"""What one process knows of the way its mails leave: its pace, and whether it is open."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from python_runner.policy import delivery_wait


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.texts.sentence import Sentence

#: Messages per minute: the limit of a mailbox in Exchange Online.
MESSAGES_A_MINUTE = 30
#: Messages in a row that reach nobody: one has a full mailbox, two a closed door.
_CLOSED_DOOR = 2


class CircuitBreaker:
    """What the drains of one process share: they take turns, keep pace, and learn.

    Once the door has proved closed the next drains do not knock for a while, so that
    twenty projects do not wait for a dead server twenty times, nor lock an account with
    twenty refused logins. The rest is as long as a message's: five minutes, doubling.

    Attributes:
        monotonic: the clock of deadlines, pace and rest, in seconds.
        turn: held by the one drain that is under way.
        pace: lets so many messages through a minute.
        reason: why the last delivery reached nobody, or None.
        used_at: when the last drain ended, by ``monotonic``.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Begin with a door that is taken to be open.

        Args:
            monotonic: the clock, in seconds.
            sleep: waits that many seconds.
        """
        self.monotonic = monotonic
        self.turn = threading.Lock()
        self.pace = RateLimiter(MESSAGES_A_MINUTE, 60.0, monotonic, sleep)
        self.reason: Sentence | None = None
        self.used_at = -math.inf
        self._failures = 0
        self._rests_until = -math.inf

    @property
    def rests(self) -> bool:
        """Whether it is too early to knock again."""
        return self.monotonic() < self._rests_until

    def wake(self) -> None:
        """Let the next drain try, whatever the last ones met."""
        self._rests_until = -math.inf

    def worked(self) -> None:
        """Take note that a message reached somebody, or was refused for good."""
        self._failures = 0
        self.reason = None
        self.wake()

    def failed(self, reason: Sentence | None, *, sure: bool = False) -> None:
        """Take note that a message reached nobody; ``sure``: nor will any other."""
        self._failures = max(self._failures + 1, _CLOSED_DOOR if sure else 0)
        self.reason = reason
        if self._failures >= _CLOSED_DOOR:
            wait = delivery_wait(self._failures + 1 - _CLOSED_DOOR)
            self._rests_until = self.monotonic() + wait.total_seconds()


class RateLimiter:
    """Lets ``count`` acts through in any window of ``seconds``."""

    def __init__(
        self,
        count: int,
        seconds: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._acts: deque[float] = deque(maxlen=count)

    def wait(self, deadline: float) -> bool:
        """Wait for a place; False, at once, if it comes too late."""
        moment = self._monotonic()
        if len(self._acts) == self._acts.maxlen:
            place = self._acts[0] + self._seconds
            if place > moment:
                if place >= deadline:
                    return False
                self._sleep(place - moment)
                moment = place
        return moment < deadline

    def take(self) -> None:
        """Take the place."""
        self._acts.append(self._monotonic())

    def pause(self, seconds: float, deadline: float) -> bool:
        """Wait ``seconds``; False, at once, if they end too late."""
        if self._monotonic() + seconds >= deadline:
            return False
        self._sleep(seconds)
        return True
