"""How long somebody waits for a delivery, which may go on after that in its thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds a delivery still gets once the runner is asked to stop.
_LAST_SECONDS = 3.0
#: Seconds between two looks at whether that is so.
_SLICE = 0.1


@dataclass(slots=True)
class Deadline:
    """The moment until which somebody waits for a delivery.

    Attributes:
        monotonic: the clock, in seconds.
        end: the moment by that clock; earlier once the runner is asked to stop.
    """

    monotonic: Callable[[], float]
    end: float

    @property
    def left(self) -> float:
        """Seconds until then; 0 afterwards."""
        return max(0.0, self.end - self.monotonic())

    def run(self, work: Callable[[], None], stopping: Callable[[], bool]) -> bool:
        """Do ``work``, which raises nothing, in a thread; return whether it ended.

        Once the runner is asked to stop, only seconds are left.

        Raises:
            RuntimeError: the system allows no further thread; nothing is done.
        """
        # A daemon: a process that is done must not wait for a server that is not.
        thread = threading.Thread(target=work, name="outbox", daemon=True)
        thread.start()
        stopped = False
        while thread.is_alive() and (moment := self.monotonic()) < self.end:
            if stopping() and not stopped:
                stopped = True
                self.end = min(self.end, moment + _LAST_SECONDS)
            thread.join(_SLICE)
        return not thread.is_alive()
