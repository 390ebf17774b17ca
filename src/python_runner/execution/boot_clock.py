"""Seconds since this computer was started, also those in which it slept.

``time.monotonic`` stands still meanwhile on Linux and macOS, and so would every promise
that is bounded by it: a lease of 30 seconds lasts all night on a computer that sleeps.
"""

from __future__ import annotations

import sys
import time


if sys.platform == "win32":
    import ctypes

    _tick_count = ctypes.WinDLL("kernel32").GetTickCount64
    _tick_count.argtypes = ()
    _tick_count.restype = ctypes.c_uint64

    def boot_seconds() -> float:
        """Return the seconds; those of two computers cannot be compared."""
        return float(_tick_count()) / 1000

else:
    #: On macOS it is CLOCK_MONOTONIC that goes on; Python's own function asks another.
    _CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def boot_seconds() -> float:
        """Return the seconds; those of two computers cannot be compared."""
        return time.clock_gettime(_CLOCK)
