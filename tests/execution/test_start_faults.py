"""An exception between the start of a script and its being watched leaves no script."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import threading
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
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

SLEEPS = "import time; time.sleep(600)"
ERRORS = {
    "ctrl-c": KeyboardInterrupt(),
    "descriptors": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "memory": MemoryError(),
}
#: Files whose calls fail. What a failing call in the standard library does is its own.
OURS: tuple[str, ...] = (os.path.dirname(process.__file__),)  # noqa: PTH120
if sys.platform != "win32":
    # On Windows the standard library has the only handle until it has made its object.
    OURS += (subprocess.__file__,)

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
        if self.raised:
            sys.setprofile(None)
            return
        if event == "c_return" and arg.__name__ in {"fork_exec", "CreateProcess"}:
            self._armed = True
        if event == "call" and frame.f_code is stop.Wake.nap.__code__:
            self._looks += 1
            if self._looks > 1:
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
                # Nobody may mind: then the script goes on, and has to be stopped.
                threading.Timer(0.5, self.request.request).start()
                raise self._error


def run_id_of(folder: Path) -> str:
    """Return the run id of a test by its folder: no two tests share one."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:13]


@pytest.fixture
def left(tmp_path: Path) -> Callable[[], list[psutil.Process]]:
    """Return a function that finds this test's processes, zombies among them."""
    before = psutil.Process().children(recursive=True)

    def find() -> list[psutil.Process]:
        found = []
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                # A zombie shows no environment.
                zombie = child.status() == psutil.STATUS_ZOMBIE and child not in before
                if zombie or child.environ().get(RUN_MARKER) == run_id_of(tmp_path):
                    found.append(child)
        return found

    return find


@pytest.fixture
def command(
    tmp_path: Path, left: Callable[[], list[psutil.Process]]
) -> Iterator[Command]:
    """Return a command that sleeps; check that no process of it is left."""
    run_id = run_id_of(tmp_path)
    yield Command(
        argv=(sys.executable, "-c", SLEEPS),
        cwd=str(tmp_path),
        env=child_environment(os.environ, {}, run_id=run_id),
        output=str(tmp_path / "output.log"),
        output_limit=1_000_000,
        timeout=200.0,
        grace=0.0,
        project=str(tmp_path),
        run_id=run_id,
    )
    assert left() == []


@pytest.mark.fault(
    "machine",
    "Any call fails right after a script has started",
    "The script is ended before anybody hears of the failure.",
)
@pytest.mark.sampled(1)
@posix_only
@pytest.mark.posix
@pytest.mark.slow
@pytest.mark.parametrize("name", ERRORS)
def test_any_call_after_the_start_may_fail(
    command: Command, left: Callable[[], list[psutil.Process]], name: str
) -> None:
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
                # Nobody minds a look at the output that fails. On Windows a script is
                # suspended until it is in its job: then it has not run at all.
                ways = {Outcome.FAILURE, Outcome.STOPPED}
                if sys.platform == "win32":
                    ways.add(Outcome.NOT_STARTED)
                assert attempt.outcome in ways
                if attempt.outcome is Outcome.FAILURE:
                    told = str(attempt.reason)
                    assert told.startswith("stopped because it could not be watched: ")
        raised = failing.raised
        assert left() == [], number
    assert number > (10 if sys.platform == "win32" else 20)


@pytest.mark.fault(
    "machine",
    "The system gives no further thread",
    "The script is not started, and its result says why.",
)
def test_no_thread_means_not_started(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system allows no further thread, no process is made."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    attempt = run_command(command)

    assert attempt.outcome is Outcome.NOT_STARTED
    assert str(attempt.reason) == "could not be started: can't start new thread"
    assert attempt.exit_code is None
    assert attempt.warnings == ()


def test_no_tree_means_not_started(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the tree cannot be prepared, no process is made."""

    def refuse(*_: object) -> None:
        raise ERRORS["descriptors"]

    monkeypatch.setattr(process, "Tree", refuse)

    attempt = run_command(command)

    assert attempt.outcome is Outcome.NOT_STARTED
    assert str(attempt.reason).endswith(os.strerror(errno.EMFILE))


@posix_only
@pytest.mark.posix
def test_a_system_that_refuses_everything_from_the_start_on(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script is stopped and reaped although no process can be looked for."""

    def refuse(*_: object) -> None:
        raise ERRORS["descriptors"]

    monkeypatch.setattr("python_runner.execution.process.Tree.wait", refuse)
    monkeypatch.setattr(psutil, "pids", refuse)

    attempt = run_command(command)

    assert attempt.outcome is Outcome.FAILURE
    assert str(attempt.reason).endswith(f"watched: {os.strerror(errno.EMFILE)}")
