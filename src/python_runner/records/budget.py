"""How long a search may last, and how much it may read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


class Budget:
    """What is left of the time and of the bytes of one search."""

    def __init__(
        self, seconds: float, size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin now.

        Args:
            seconds: that it may last.
            size: bytes that it may read.
            clock: tells the time, in seconds.
        """
        self._clock = clock
        self._end = clock() + seconds
        self.left = size

    def spend(self, size: int) -> None:
        """Note that so many bytes were read."""
        self.left -= size

    @property
    def is_spent(self) -> bool:
        """Whether no more may be read."""
        return self.left <= 0 or self._clock() >= self._end
