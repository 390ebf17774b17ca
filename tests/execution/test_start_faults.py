"""An exception between the start of a script and its being watched leaves no script."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import psutil
import pytest

from python_runner.execution import process, stop
from python_runner.execution.environment import RUN_MARKER, child_environment
from python_runner.execution.process import run_command
from python_runner.execution.stop import StopRequest
from python_runner.model import Command, Outcome


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

SLEEPS = "import time; time.sleep(60)"
ERRORS = {
    "ctrl-c": KeyboardInterrupt(),
    "descriptors": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "disk": OSError(errno.EIO, os.strerror(errno.EIO)),
    "thread": RuntimeError("can't start new thread"),
    "memory": MemoryError(),
}
#: Files whose calls fail. What a failing call in the standard library does is its own.
OURS = (os.path.dirname(process.__file__), subprocess.__file__)  # noqa: PTH120

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


class FailingCall:
    """Raises ``error`` in the ``number``-th call after the script's process exists.

    Calls are counted in all threads, until the script has been watched for a moment;
    then it is asked to end.

    Attributes:
        raised: whether there were so many calls.
        request: what ends the script where nothing was raised, or nobody minded.
    """

    def __init__(self, number: int, error: BaseException) -> None:
        self.raised = False
        self.request = StopRequest()
        self._left = number
        self._error = error
        self._armed = False
        self._looks = 0

    def __enter__(self) -> Self:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_return" and arg.__name__ in {"fork_exec", "CreateProcess"}:
            self._armed = True
        if event == "call" and frame.f_code is stop.nap.__code__:
            self._looks += 1
            if self._looks > 2:
                self._armed = False
                self.request.request()
        caller = frame.f_back if event == "call" else frame
        if (
            self._armed
            and event in {"call", "c_call"}
            # Leaving a lock cannot fail.
            and getattr(arg, "__name__", "") not in {"__exit__", "release"}
            and caller is not None
            and caller.f_code.co_filename.startswith(OURS)
        ):
            self._left -= 1
            if self._left == 0:
                self._armed = False
                self.raised = True
                raise self._error


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Return a command that sleeps; check that no process of it is left."""
    run_id = uuid.uuid4().hex[:13]
    yield Command(
        argv=(sys.executable, "-c", SLEEPS),
        cwd=str(tmp_path),
        env=child_environment(os.environ, {}, run_id=run_id),
        output=str(tmp_path / "output.log"),
        output_limit=1_000_000,
        timeout=60.0,
        grace=0.0,
        project=str(tmp_path),
        run_id=run_id,
    )
    assert left_of(run_id) == []


def left_of(run_id: str) -> list[psutil.Process]:
    """Return this process's children of a run, and zombies, which show no run."""
    left = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            zombie = child.status() == psutil.STATUS_ZOMBIE
            if zombie or child.environ().get(RUN_MARKER) == run_id:
                left.append(child)
    return left


@pytest.mark.parametrize("name", ERRORS)
def test_any_call_after_the_start_may_fail(command: Command, name: str) -> None:
    """Whichever call fails, the script has ended before anybody hears of it."""
    number = 0
    raised = True
    while raised:
        number += 1
        with FailingCall(number, ERRORS[name]) as failing:
            try:
                attempt = run_command(command, failing.request)
            except KeyboardInterrupt:
                assert name == "ctrl-c"
            else:
                # Nobody minds a look at the output that fails.
                assert attempt.outcome in {Outcome.FAILURE, Outcome.STOPPED}
                if attempt.outcome is Outcome.FAILURE:
                    told = str(attempt.reason)
                    assert told.startswith("stopped because it could not be watched: ")
        raised = failing.raised
        assert left_of(command.run_id) == [], number
    assert number > 20
