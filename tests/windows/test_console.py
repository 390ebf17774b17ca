from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import GENEROUS


pytestmark = [
    pytest.mark.windows,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
]

CLOSED = """
import ctypes, os, threading
from python_runner.execution.stop import StopRequest
from python_runner.runner.signals import StopSignals
stop = StopRequest()
with StopSignals(stop.request) as signals:
    # What Windows runs, in a thread of its own, when somebody closes the console.
    close = ctypes.WinDLL("kernelbase").CtrlRoutine
    thread = threading.Thread(target=close, args=(2,), daemon=True)
    thread.start()
    print(stop.wait(10), signals.received.name, flush=True)
    thread.join(1)
    print(thread.is_alive(), flush=True)
    os._exit(0)
"""


def test_a_closed_console_leaves_time_to_end() -> None:
    """Everybody is told to stop, and Windows waits instead of ending us at once."""
    done = subprocess.run(
        [sys.executable, "-c", CLOSED],
        capture_output=True,
        encoding="utf-8",
        timeout=GENEROUS,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True SIGBREAK", "True"]
