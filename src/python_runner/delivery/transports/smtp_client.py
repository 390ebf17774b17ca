"""smtplib's client, with bounds on each reply, on each step and on the whole dialogue."""

from __future__ import annotations

import io
import math
import smtplib
import time
from typing import TYPE_CHECKING

from python_runner.delivery.transports.bounded import BoundedReader


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: Bytes of a reply; the longest ones, what a server offers, have some hundreds.
_REPLY_BYTES = 65_536


class SmtpClient(smtplib.SMTP):
    """A client whose socket is set from outside, as ``sock``.

    Attributes:
        step_timeout: seconds to send a command, and for the whole reply to it.
    """

    def __init__(
        self, step_timeout: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        # smtplib would ask the DNS for this computer's name.
        super().__init__(local_hostname="localhost", timeout=step_timeout)
        self.step_timeout = step_timeout
        self._monotonic = monotonic
        self._end = math.inf
        self._reader: BoundedReader | None = None

    @property
    def seconds_left(self) -> float:
        """Seconds that the next step may take.

        Raises:
            TimeoutError: none is left.
        """
        seconds = min(self.step_timeout, self._end - self._monotonic())
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds

    def allow(self, seconds: float) -> None:
        """Let what follows take so many seconds in all."""
        self._end = self._monotonic() + seconds

    def send(self, s: Any) -> None:
        """Send a command or a message."""
        if self.sock is not None:
            self.sock.settimeout(self.seconds_left)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """Read one reply; what is too long or too late closes the connection."""
        if self.file is None and self.sock is not None:
            self._reader = BoundedReader(self.sock, self._monotonic)
            self.file = io.BufferedReader(self._reader)
        if self._reader is not None:
            self._reader.allow(self.seconds_left, _REPLY_BYTES)
        return super().getreply()
