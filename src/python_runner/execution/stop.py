"""The request to stop, as one object that all parts of a run share."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from threading import TIMEOUT_MAX, Lock
from time import monotonic
from typing import TYPE_CHECKING

from python_runner.waiting import WAKE_SECONDS


if TYPE_CHECKING:
    from collections.abc import Callable


#: Seconds in which a repeated request is the same wish: a terminal that closes, or a
#: service manager, sends several signals at once.
_SAME_WISH = 0.2


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32")
    _kernel32.CreateEventW.argtypes = (
        wintypes.LPVOID,
        wintypes.BOOL,
        wintypes.BOOL,
        wintypes.LPCWSTR,
    )
    _kernel32.CreateEventW.restype = wintypes.HANDLE
    _kernel32.SetEvent.argtypes = (wintypes.HANDLE,)
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)

    def _new_signal() -> int | None:
        # Stays set once it was.
        return _kernel32.CreateEventW(None, True, False, None) or None

    def _give(signal: int) -> None:
        _kernel32.SetEvent(signal)

    def _close(signal: int) -> None:
        _kernel32.CloseHandle(signal)

elif sys.platform == "linux":

    def _new_signal() -> int | None:
        with suppress(OSError):
            return os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return None

    def _give(signal: int) -> None:
        with suppress(OSError):
            os.eventfd_write(signal, 1)

    def _close(signal: int) -> None:
        os.close(signal)

else:

    def _new_signal() -> int | None:
        return None

    def _give(_signal: int) -> None:
        """Do nothing: there is none."""

    def _close(_signal: int) -> None:
        """Do nothing."""


class StopRequest:
    """A flag that is raised once, from any thread or from a signal handler.

    Who asks once more does not want to wait: what runs is killed at once.

    There is no lock in here on purpose: a signal handler may run in the very thread
    that holds it. Single operations on a dictionary are atomic.

    Attributes:
        signal: the number of what a thread can wait for beside a process: readable
            (Linux) or set (Windows) from the request on. None where there is none.
    """

    def __init__(self) -> None:
        self._requested = False
        self._urgent = False
        self._since = 0.0
        self._callbacks: dict[object, Callable[[], None]] = {}
        self.signal = _new_signal()

    def __del__(self) -> None:
        """Close the signal: nobody is left to request anything."""
        if self.signal is not None:
            _close(self.signal)

    @property
    def requested(self) -> bool:
        """Whether a stop has been requested."""
        return self._requested

    @property
    def urgent(self) -> bool:
        """Whether it has been requested once more: nobody gets time to end."""
        return self._urgent

    def request(self, *, kill: bool = False) -> None:
        """Request the stop: call every subscriber, and so wake every waiting thread.

        With ``kill`` it is urgent the first time.
        """
        again = self._requested and monotonic() - self._since > _SAME_WISH
        self._urgent = self._urgent or kill or again
        if not self._requested:
            self._since = monotonic()
        self._requested = True
        if self.signal is not None:
            _give(self.signal)
        for callback in self._callbacks.copy().values():
            callback()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called on request; at once if there already was one.

        It may be called more than once, and inside a signal handler: it should do no
        more than wake a thread.

        Returns:
            A function that ends the subscription.
        """
        key = object()
        self._callbacks[key] = callback
        if self._requested:
            callback()

        def unsubscribe() -> None:
            self._callbacks.pop(key, None)

        return unsubscribe

    def wait(self, timeout: float | None) -> bool:
        """Wait for the request for up to ``timeout`` seconds, or for ever.

        Returns:
            Whether it has come.
        """
        end = float("inf") if timeout is None else monotonic() + timeout
        wake = Wake()
        unsubscribe = self.subscribe(wake.give)
        try:
            while not self._requested and (left := end - monotonic()) > 0:
                wake.nap(left)
        finally:
            unsubscribe()
        return self._requested


class Wake:
    """Wakes a thread that naps; a signal handler may do it, in that very thread.

    A lock whose release is the wake. Not the time-out of a queue's ``get``: in CPython 3.11
    to 3.13 one that passes before the first look at the queue waits for ever.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def give(self) -> None:
        """End the nap of now, or else the next one."""
        # Who has been woken already is woken once.
        with suppress(RuntimeError):
            self._lock.release()

    def nap(self, seconds: float) -> bool:
        """Sleep until it is given, at most ``seconds`` or :data:`WAKE_SECONDS`.

        Returns:
            Whether it was.
        """
        longest = seconds if WAKE_SECONDS is None else min(seconds, WAKE_SECONDS)
        return self._lock.acquire(timeout=min(max(longest, 0.0), TIMEOUT_MAX))
