"""What signals mean while scripts run.

Those that ask the runner to stop become a stop request, and work goes on to its end. A
program that ignores the ends of its children hears of them.
"""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import field
from typing import TYPE_CHECKING, Any, Self

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    STOP_SIGNALS = (signal.SIGINT, signal.SIGBREAK, signal.SIGTERM)
    #: Events of the console: its window is closed, the user logs off, Windows ends.
    _CLOSING = frozenset({2, 5, 6})
    _kernel32 = ctypes.WinDLL("kernel32")
    _ConsoleHandler = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)

    def _on_closing(act: Callable[[], None]) -> Callable[[], None]:
        """Have ``act`` called when the console closes; return what ends that.

        Python's own handler would only note the signal and return, and Windows ends
        the process as soon as its handlers have returned.
        """

        def handle(event: int) -> bool:
            if event not in _CLOSING:
                return False
            act()
            # In a thread of Windows' own: the others go on to the process's end, for
            # the few seconds that Windows grants.
            threading.Event().wait()
            return True

        handler = _ConsoleHandler(handle)
        _kernel32.SetConsoleCtrlHandler(handler, True)
        return lambda: _kernel32.SetConsoleCtrlHandler(handler, False)

    def _hear_children() -> Callable[[], None]:
        """Nothing to do: a handle tells how a process ended."""
        return lambda: None

else:
    STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def _on_closing(_act: Callable[[], None]) -> Callable[[], None]:
        """Nothing to do: the terminal's end is a signal (SIGHUP)."""
        return lambda: None

    def _hear_children() -> Callable[[], None]:
        """Give SIGCHLD its default action; return what ignores it again if it was.

        Where it is ignored the kernel forgets how a child ended.
        """
        if signal.getsignal(signal.SIGCHLD) is not signal.SIG_IGN:
            return lambda: None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

        def ignore() -> None:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)

        return ignore


@dataclass(slots=True)
class StopSignals:
    """Context in which a signal calls ``stop`` instead of ending the process.

    A signal that is ignored (``nohup``) stays so. Outside the main thread, where Python
    allows no handler, nothing changes.
    """

    stop: Callable[[], None]
    received: signal.Signals | None = None
    _previous: dict[signal.Signals, Any] = field(default_factory=dict)
    _end_watch: Callable[[], None] = lambda: None
    _end_hearing: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._on_signal)
            self._end_hearing = _hear_children()
            self._end_watch = _on_closing(
                lambda: self._on_signal(STOP_SIGNALS[1], None)
            )
        return self

    def __exit__(self, *_exc: object) -> None:
        """Put the previous handlers back."""
        self._end_watch()
        self._end_hearing()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.received = self.received or signal.Signals(number)
        self.stop()
