"""A process that ends scripts whose own runner cannot: it was killed, or it is held.

A runner that others start and stop, a worker of a cluster, may be killed at any moment,
and what it has started would run on with nobody who waits for it. Its guard is told now
and then that it lives. Once it is told nothing, it ends every process that bears the mark
of that runner.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from threading import Event, Thread
from typing import IO

from python_runner.execution.boot_clock import boot_seconds
from python_runner.execution.orphans import end_marked


#: Marks every process that a guarded runner starts.
GUARD_MARKER = "PYTHON_RUNNER_GUARD"
#: Seconds between two looks at the clock: a wait lasts longer where the computer sleeps.
_LOOK = 1.0
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0


class Guard:
    """The guard of this process."""

    def __init__(self, silence: float) -> None:
        """Start it.

        Args:
            silence: seconds without a word after which it ends all scripts.

        Raises:
            OSError: it cannot be started.
        """
        self.mark = os.urandom(8).hex()
        command = [sys.executable, "-m", __name__, self.mark, f"{silence:g}"]
        # Not of our terminal: Ctrl-C there must not end it before what it guards.
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=_FLAGS,
        )
        self._stream = self._process.stdin
        Thread(target=self._tell, args=(silence / 4,), daemon=True).start()

    @property
    def lives(self) -> bool:
        """Whether it is there."""
        return self._process.poll() is None

    def _tell(self, pause: float) -> None:
        """Tell it that this process lives, as long as it does."""
        with suppress(OSError, ValueError):
            while self._stream is not None:
                self._stream.write(b".")
                self._stream.flush()
                time.sleep(pause)


def watch(stream: IO[bytes], mark: str, silence: float) -> None:
    """End what bears ``mark`` whenever nothing was heard for ``silence`` seconds.

    Returns after the end of ``stream``.
    """
    heard, ended = Event(), Event()

    def listen() -> None:
        with suppress(OSError):
            while stream.read(1):
                heard.set()
        ended.set()
        heard.set()

    Thread(target=listen, daemon=True).start()
    last = boot_seconds()
    while not ended.is_set():
        heard.clear()
        if heard.wait(min(silence, _LOOK)):
            last = boot_seconds()
        elif boot_seconds() - last > silence:
            end_marked(GUARD_MARKER, mark)
    end_marked(GUARD_MARKER, mark)


if __name__ == "__main__":
    watch(sys.stdin.buffer, sys.argv[1], float(sys.argv[2]))
