"""Times one process with everything it starts, and leaves none of it behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Seconds that a server gets to end when it is asked to.
_GRACE = 10.0
_KILL = 9
#: Seconds between two looks at whether a server has done its work.
_LOOK = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A process to be timed.

    Attributes:
        command: the program and its arguments.
        environ: variables beside those of this process.
        before: commands to run first, which are not timed.
        server: whether it goes on when the work is done; it is ended then.
    """

    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[Sequence[str]] = ()
    server: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one process used.

    Attributes:
        seconds: of the wall clock; of a server until the work was done.
        cpu: seconds of processor time, those of the scripts included.
        peak: MiB of the largest process.
        code: its exit code; negative: the signal that ended it.
        timed_out: whether it was ended because it took too long.
    """

    seconds: float
    cpu: float
    peak: float
    code: int
    timed_out: bool = False


def run(
    start: Start, folder: Path, limit: float, done: Callable[[], bool] | None = None
) -> Sample:
    """Run a process to its end, a server until ``done``; return what it used.

    Args:
        start: what to run.
        folder: its current folder; ``out`` in it takes what it prints.
        limit: seconds after which it is ended, with all it has started.
        done: says whether a server has done its work.

    Raises:
        OSError: it cannot be started.
        subprocess.SubprocessError: what comes first has failed.
    """
    if sys.platform == "win32":
        raise NotImplementedError("benchmarks need POSIX")
    environ = os.environ | dict(start.environ)
    with (folder / "out").open("wb") as out:
        for command in start.before:
            subprocess.run(
                command,
                cwd=folder,
                env=environ,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                check=True,
                timeout=limit,
            )
        began = time.perf_counter()
        child = subprocess.Popen(
            start.command,
            cwd=folder,
            env=environ,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        ended_at = None
        with ExitStack() as timers:
            # Whatever ends this, what it has started, or left behind, ends as well.
            timers.callback(_end, child.pid, _KILL)
            late = timers.enter_context(_ended_after(child.pid, limit))
            if start.server and done is not None:
                while not done() and _lives(child.pid):
                    time.sleep(_LOOK)
                ended_at = time.perf_counter()
                _end(child.pid, signal.SIGTERM)
                timers.enter_context(_ended_after(child.pid, _GRACE))
            _, status, usage = os.wait4(child.pid, 0)
        ended_at = ended_at or time.perf_counter()
        child.returncode = os.waitstatus_to_exitcode(status)
    kib = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Sample(
        seconds=ended_at - began,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=kib / 1024,
        code=child.returncode,
        timed_out=late.is_set(),
    )


@contextmanager
def _ended_after(group: int, limit: float) -> Iterator[threading.Event]:
    """Kill a process group after so many seconds; the event tells that it was."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _end(group, _KILL)

    timer = threading.Timer(limit, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _lives(process: int) -> bool:
    """Say whether a child has not ended yet; its exit code stays to be waited for."""
    if sys.platform == "win32":
        raise NotImplementedError("benchmarks need POSIX")
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _end(group: int, number: int) -> None:
    if sys.platform == "win32":
        raise NotImplementedError("benchmarks need POSIX")
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
