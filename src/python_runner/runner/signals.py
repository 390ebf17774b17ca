"""Signals that ask the runner to stop become a stop request; work goes on to its end."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

if sys.platform == "win32":
    # Closing the console window arrives as SIGBREAK too.
    STOP_SIGNALS = (signal.SIGINT, signal.SIGBREAK, signal.SIGTERM)
else:
    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class StopSignals:
    """Context in which a signal calls ``stop`` instead of ending the process.

    A signal that is ignored (``nohup``) stays so. Outside the main thread, where Python
    allows no handler, nothing changes.
    """

    stop: Callable[[], None]
    received: signal.Signals | None = None
    _previous: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_exc: object) -> None:
        """Put the previous handlers back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)
        self.stop()
