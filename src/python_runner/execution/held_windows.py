"""The process of an interpreter that waits for its script, on Windows."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.execution.hold_channel import HOLD_VARIABLE, Channel


assert sys.platform == "win32"  # noqa: S101 - tells the type checker which platform this is

import _winapi  # noqa: E402 - cannot be imported elsewhere
import msvcrt  # noqa: E402

from python_runner.execution.tree_windows import (  # noqa: E402
    create_job,
    end_job,
    kill_job,
    start_in,
)


if TYPE_CHECKING:
    from python_runner.model import Command

_PROCESS_DUP_HANDLE = 0x0040
#: Seconds that the system gets to end a process that was killed.
_ENDING = 1.0
#: Windows has no fork.
FORKS = False


class HeldProcess:
    """A process that is not yet a script's, in the job of that script.

    Attributes:
        process: what :class:`~python_runner.execution.tree_windows.Tree` waits for.
    """

    def __init__(self, process: subprocess.Popen[bytes], job: int) -> None:
        """Take over a process that runs in ``job``."""
        self.process = process
        self.job = job
        #: The interpreter itself: that of a virtual environment is started by another.
        self.interpreter = process.pid

    def go(self, channel: Channel, command: Command, output: int) -> None:
        """Let it run its script, with the descriptor ``output`` for its streams.

        Raises:
            OSError: it has ended.
        """
        target = _winapi.OpenProcess(_PROCESS_DUP_HANDLE, False, self.interpreter)
        try:
            handle = _winapi.DuplicateHandle(
                _winapi.GetCurrentProcess(),
                msvcrt.get_osfhandle(output),
                target,
                0,
                False,
                _winapi.DUPLICATE_SAME_ACCESS,
            )
        finally:
            _winapi.CloseHandle(target)
        message = {"handle": handle, "cwd": command.cwd, "numbers": [1]}
        channel.send(message)

    def end(self) -> None:
        """Kill it and what it has started; it is no script's and never will be."""
        self.kill()
        end_job(self.job)

    def kill(self) -> None:
        """Kill it and what it has started, and wait until it has ended."""
        kill_job(self.job)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_ENDING)


def start(command: Command, channel: Channel, *, forks: bool) -> HeldProcess:
    """Start an interpreter that holds before its script, or forks others.

    Raises:
        OSError: it cannot be started.
        ValueError: an argument or a variable cannot be passed to a program.
    """
    assert not forks  # noqa: S101 - Windows has no fork
    startup = subprocess.STARTUPINFO()
    startup.lpAttributeList = {"handle_list": channel.inherited}
    job = create_job()
    try:
        with tempfile.TemporaryFile() as spool:
            process = start_in(
                job,
                command,
                {**command.env, HOLD_VARIABLE: channel.where},
                spool.fileno(),
                startup,
            )
    except BaseException:
        end_job(job)
        raise
    finally:
        channel.leave()
    return HeldProcess(process, job)


def request_fork(_server: Channel, channel: Channel) -> None:
    """Say that there is no fork.

    Raises:
        OSError: always.
    """
    channel.leave()
    raise OSError


def adopt(_answer: list[str]) -> HeldProcess | None:
    """Return None: nothing is forked."""
    return None
