"""The process of an interpreter that waits for its script, on POSIX."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from python_runner.execution.hold_channel import HOLD_VARIABLE, Channel


assert sys.platform != "win32"  # noqa: S101 - tells the type checker which platform this is

from python_runner.execution.tree_posix import (  # noqa: E402 - has that type as well
    SUBREAPER,
    TASK_MARKER,
    ForkedProcess,
    new_task,
    task_path,
)


if TYPE_CHECKING:
    from python_runner.model import Command

#: Seconds that the kernel gets to end a process that was killed.
_REAPING = 1.0
#: Whether a server can fork processes that nobody can tell from others: it needs the
#: adoption of orphans, and a kernel that lets a process say what its command line is.
FORKS = sys.platform == "linux"


class HeldProcess:
    """A process that is not yet a script's; known to whoever looks for left processes.

    Attributes:
        task: the mark of its attempt.
        process: what :class:`~python_runner.execution.tree_posix.Tree` waits for.
    """

    def __init__(
        self, process: subprocess.Popen[bytes] | ForkedProcess, task: str
    ) -> None:
        """Take over a process that is counted already."""
        self.task = task
        self.process = process
        SUBREAPER.hold(process.pid)

    def go(self, channel: Channel, command: Command, output: int) -> None:
        """Let it run its script, with the descriptor ``output`` for its streams.

        Raises:
            OSError: it has ended.
        """
        _, script, *arguments = command.argv
        message: dict[str, Any] = {
            "argv": [script, *arguments],
            "line": list(command.command_line[1:]),
            "cwd": command.cwd,
            "numbers": [1, *command.inherit],
            "variable": [TASK_MARKER, task_path(command, self.task)],
        }
        channel.send(message, [output, *command.inherit])

    def kill(self) -> None:
        """Kill it and what it has started, and wait until it has ended."""
        pid = self.process.pid
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            else:
                # Forked, and still in the group of its server.
                os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + _REAPING
        while self.runs() and time.monotonic() < until:
            time.sleep(0.001)

    def runs(self) -> bool:
        """Say whether it has not ended."""
        with suppress(ChildProcessError):
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.process.pid, options) is None
        return False

    def end(self) -> None:
        """Kill it and what it has started; it is no script's and never will be."""
        self.kill()
        pid = self.process.pid
        until = time.monotonic() + _REAPING
        self.process.returncode = -signal.SIGKILL
        with suppress(ChildProcessError):
            while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.001)
        SUBREAPER.end(pid)


def start(command: Command, channel: Channel, *, forks: bool) -> HeldProcess:
    """Start an interpreter that holds before its script, or forks others.

    Raises:
        OSError: it cannot be started.
        ValueError: an argument or a variable cannot be passed to a program.
    """
    task = new_task()
    where = f"{channel.where} forks" if forks else channel.where
    variables = {TASK_MARKER: task_path(command, task), HOLD_VARIABLE: where}
    SUBREAPER.begin()
    try:
        # Of the same kind as the output: a regular file. What is printed is seen by it.
        with tempfile.TemporaryFile() as spool:
            process = subprocess.Popen(  # noqa: S603 - the scripts' interpreter
                command.command_line,
                cwd=command.cwd,
                env={**command.env, **variables},
                stdin=subprocess.DEVNULL,
                stdout=spool,
                stderr=spool,
                start_new_session=True,
                pass_fds=channel.inherited,
            )
    except BaseException:
        SUBREAPER.end()
        raise
    finally:
        channel.leave()
    return HeldProcess(process, task)


def request_fork(server: Channel, channel: Channel) -> None:
    """Ask a server for a process with this channel.

    Raises:
        OSError: the server has ended.
    """
    try:
        server.send("fork", channel.inherited)
    finally:
        channel.leave()


def adopt(answer: list[str]) -> HeldProcess | None:
    """Take over a process that a server has forked, by what it says of itself.

    None if it is not this process's child, whose end nobody would know.
    """
    pid, parent = map(int, answer[1:3])
    if parent != os.getpid():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        return None
    SUBREAPER.begin()
    return HeldProcess(ForkedProcess(pid), new_task())
