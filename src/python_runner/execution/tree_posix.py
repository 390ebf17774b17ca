"""The process tree of a script on POSIX: session, marker, and on Linux a subreaper."""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from python_runner.execution.exit_reasons import ProcessExit, ProcessInfo


assert sys.platform != "win32"  # noqa: S101 - tells the type checker which platform this is

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psutil

    from python_runner.model import Command

#: Marks every process of one attempt. Runs may nest: the value is a path of attempts,
#: the outermost first.
TASK_MARKER = "PYTHON_RUNNER_TASK"

_PR_SET_CHILD_SUBREAPER = 36
#: Seconds that the kernel gets to end a script that was killed.
_REAPING = 1.0
#: Seconds between two looks at a script whose end is not told.
_LOOK = 0.05
#: How often to look again for processes that come and go all the time.
_MOST_SCANS = 20


class _Process(subprocess.Popen[bytes]):
    """A process that its tree knows even if an exception comes after the fork."""

    def __init__(self, tree: Tree, argv: Sequence[str], **options: Any) -> None:
        self.pid = 0
        tree.process = self
        super().__init__(argv, **options)


#: The last environment, and what a program gets of it: all scripts of a run share one.
_last_environment: tuple[Mapping[str, str], dict[bytes, bytes]] = ({}, {})


def _encoded(environment: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return variables as bytes; ``environment`` is not changed afterwards.

    Raises:
        ValueError: one of them cannot be written so.
    """
    global _last_environment  # noqa: PLW0603 - one answer is kept, whoever asks
    known, encoded = _last_environment
    if known is not environment:
        encoded = {os.fsencode(n): os.fsencode(v) for n, v in environment.items()}
        _last_environment = environment, encoded
    return encoded


class ForkedProcess:
    """A child of this process that it has not started itself.

    Attributes:
        returncode: as that of ``Popen``; set by whoever reaps it.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None


def new_task() -> str:
    """Return what marks one attempt, see :data:`TASK_MARKER`."""
    return os.urandom(8).hex()


def task_path(command: Command, task: str) -> str:
    """Return the value of :data:`TASK_MARKER` for the script of a command."""
    outer = command.env.get(TASK_MARKER)
    return f"{outer}/{task}" if outer else task


class StartedAhead(Protocol):
    """A process that was started ahead, and the mark of its attempt."""

    process: subprocess.Popen[bytes] | ForkedProcess
    task: str


class Held(Protocol):
    """An interpreter that waits for its script, see ``execution.warm``."""

    def begin(self, command: Command, output: int) -> StartedAhead | None:
        """Let it run its script; None if the script is to be started."""


class Tree:
    """A script with its descendants.

    The script leads a session of its own. Descendants are found by that session, by
    their parents, and by a marker in their environment; on Linux, those whose parents
    have ended are adopted, so that it is known when none is left.
    """

    def __init__(self, output: int, held: Held | None = None) -> None:
        """Prepare a tree whose script writes both streams to the descriptor ``output``.

        Raises:
            OSError: the descriptor cannot be examined.
        """
        self.process: subprocess.Popen[bytes] | ForkedProcess | None = None
        #: The script's number, which is that of its session; 0 until there is one.
        self._pid = 0
        #: When it began, in clock ticks since the system did; 0 where that is not known.
        self._born = 0
        self._output = output
        #: An interpreter that was started ahead for it, if there is one.
        self._held = held
        self._output_file = os.fstat(output)
        self._task = new_task()
        self._counted = False
        self._known: dict[int, psutil.Process] = {}
        #: Processes that are known to have ended.
        self._dead: set[int] = set()
        self._settled = True
        self._exit: ProcessExit | None = None
        #: What becomes readable when the script ends, once it was waited for.
        self._descriptor: int | None = None

    def start(self, command: Command) -> None:
        """Start the script; called in the thread that waits for its end.

        Raises:
            OSError: it cannot be started.
            ValueError: an argument or a variable cannot be passed to a program.
        """
        if self._held and (process := self._held.begin(command, self._output)):
            self.process, self._task = process.process, process.task
            self._counted = True
            self._pid = self.process.pid
            self._dead.add(self._pid)
            self._born = SUBREAPER.take(self._pid)
            return
        path = task_path(command, self._task)
        SUBREAPER.begin()
        self._counted = True
        try:
            self.process = _Process(
                self,
                command.command_line,
                cwd=command.cwd,
                env={**_encoded(command.env), os.fsencode(TASK_MARKER): path},
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
                pass_fds=command.inherit,
            )
        except BaseException:
            if self.process and _exists(self.process.pid):
                self._pid = self.process.pid
            raise
        self._pid = self.process.pid
        # The script itself stays a zombie for a while; that is no reason to scan again.
        self._dead.add(self._pid)
        self._born = SUBREAPER.add_script(self._pid)

    @property
    def started(self) -> bool:
        """Whether the script runs or has run."""
        return self._pid != 0

    def wait(self) -> None:
        """Block until the script itself has ended; called in a thread of its own."""
        if sys.platform == "linux":
            # Not reaped yet: its number, which names session and group, stays taken.
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        else:
            self._reap()

    def wait_for(self, seconds: float, signal: int | None = None) -> bool:
        """Wait for the end of the script, or for ``signal``, for up to ``seconds``.

        Called where :func:`can_wait` says so, by one thread.

        Returns:
            Whether the script has ended.
        """
        if seconds > 0:
            if self._descriptor is None:
                with suppress(OSError):
                    self._descriptor = os.pidfd_open(self._pid)
            if self._descriptor is None:
                if self._has_ended():
                    return True
                # No further file may be open: a look now and then does as well.
                seconds = min(seconds, _LOOK)
            poll = select.poll()
            for descriptor in filter(None, (self._descriptor, signal)):
                poll.register(descriptor, select.POLLIN)
            poll.poll(ceil(seconds * 1000))
        return self._has_ended()

    def _has_ended(self) -> bool:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            return os.waitid(os.P_PID, self._pid, options) is not None
        return True

    def reap_orphans(self) -> None:
        """Reap adopted descendants that have ended, as init would: there may be many."""
        if not (SUBREAPER.active and self.started):
            return
        SUBREAPER.reap()
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            while info := os.waitid(os.P_PGID, self._pid, options):
                if info.si_pid == self._pid:
                    return
                os.waitpid(info.si_pid, os.WNOHANG)

    def left_behind(self) -> tuple[ProcessInfo, ...]:
        """Return the descendants of a script that has ended."""
        SUBREAPER.mark_ending(self._pid)
        self._reap()
        if SUBREAPER.active and not self._left_any():
            return ()
        return self.members()

    def members(self) -> tuple[ProcessInfo, ...]:
        """Return every process of the tree that is alive."""
        for _ in range(_MOST_SCANS):
            settled = self._scan() and not self._known
            # A process that ends between two scans may have a child that neither saw.
            fled = tuple(self._known)
            alive = self._alive()
            if alive or settled:
                return alive
        # A process forks and ends faster than it can be looked at.
        return tuple(ProcessInfo(pid, "?") for pid in fled)

    def terminate(self) -> bool:
        """Send SIGTERM to every process of the tree; True: there is always such a way."""
        SUBREAPER.mark_ending(self._pid)
        # Those known now are found again when their parents are gone.
        self.members()
        self._signal(signal.SIGTERM)
        # A process that SIGSTOP has stopped handles nothing until it is continued.
        self._signal(signal.SIGCONT)
        return True

    def kill(self) -> None:
        """Kill every process of the tree, the youngest first."""
        try:
            self._scan(kill=True)
            self._signal(signal.SIGKILL)
            for _ in range(_MOST_SCANS):
                if not self._scan_children(kill=True):
                    break
        except Exception:
            if self._exit is None:
                # Needs no file: it works where the system refuses to scan.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._pid, signal.SIGKILL)
            raise

    def close(self) -> ProcessExit:
        """Reap the script, and return how it ended; the tree is not used afterwards."""
        until = time.monotonic() + _REAPING
        while self.started and self._exit is None and time.monotonic() < until:
            self._reap(os.WNOHANG)
            if self._exit is None:
                time.sleep(0.01)
        if self._descriptor is not None:
            os.close(self._descriptor)
        if self._counted:
            SUBREAPER.end(self._pid)
        return self._exit or ProcessExit()

    def _left_any(self) -> bool:
        """Say whether a script that was reaped left a process behind (Linux).

        It costs nothing to speak of, however many processes the machine has: whoever is
        left has an ancestor whose parent was the script, and this process adopted that.
        """
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False  # this process has no child at all
        try:
            os.killpg(self._pid, 0)
        except ProcessLookupError:
            pass  # the script's own group is empty
        except PermissionError:
            return True
        else:
            return True
        for _ in range(_MOST_SCANS):
            self._settled = True
            if any(self._look(pid, {}, kill=False) for pid in SUBREAPER.adopted()):
                return True
            # One that ended meanwhile may have a child, which was adopted since.
            if self._settled:
                return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to the processes known, each with its whole group.

        A group gets it at once, so that no fork inside of it is missed.
        """
        groups = set()
        for pid in self._known:
            with suppress(ProcessLookupError):
                groups.add(os.getpgid(pid))
        for group in groups - {os.getpgrp()}:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def _scan(self, *, kill: bool = False) -> bool:
        """Look for members of the tree among all processes; say whether all were seen.

        A process that ended during the scan may have had a child that the scan has not
        seen. With ``kill``, processes found by session, output or marker are killed as
        soon as they are found, before they fork again.
        """
        import psutil  # noqa: PLC0415 - not needed while scripts behave

        self._settled = True
        others: dict[int, tuple[int, psutil.Process]] = {}
        for pid in sorted(psutil.pids(), reverse=True):
            if not self._is_older(pid):
                self._look(pid, others, kill=kill)
        self._add_children(others)
        self._scan_children(kill=kill)
        return self._settled

    def _scan_children(self, *, kill: bool = False) -> bool:
        """Look for members among the adopted processes, the youngest first.

        A process that forks and ends all the time is adopted again and again.

        Returns:
            Whether one was found.
        """
        SUBREAPER.reap()
        return any(self._look(pid, {}, kill=kill) for pid in reversed(_main_children()))

    def _is_older(self, pid: int) -> bool:
        """Say whether a process began before the script, so that it is no descendant."""
        with suppress(OSError):
            return _ticks(pid) < self._born
        return False

    def _look(
        self, pid: int, others: dict[int, tuple[int, psutil.Process]], *, kill: bool
    ) -> bool:
        """Look at one process; say whether it is a member and alive."""
        import psutil  # noqa: PLC0415

        try:
            process = psutil.Process(pid)
            with process.oneshot():
                parent = process.ppid()
                if process.status() == psutil.STATUS_ZOMBIE:
                    raise psutil.ZombieProcess(pid)
            others[pid] = parent, process
            if self._belongs(process, parent):
                self._known[pid] = process
                if kill:
                    os.killpg(os.getpgid(pid), signal.SIGKILL)
                return True
        except (psutil.NoSuchProcess, ProcessLookupError):
            self._settled &= pid in self._dead
            self._dead.add(pid)
        except (psutil.Error, OSError):
            pass  # another user's
        return False

    def _add_children(self, others: Mapping[int, tuple[int, psutil.Process]]) -> None:
        """Add the descendants of the known processes."""
        size = -1
        while size != len(self._known):
            size = len(self._known)
            for pid, (parent, process) in others.items():
                if parent in self._known and pid not in self._known:
                    self._known[pid] = process

    def _alive(self) -> tuple[ProcessInfo, ...]:
        """Return the known processes that are alive, and forget the others."""
        import psutil  # noqa: PLC0415

        alive = []
        for pid, process in list(self._known.items()):
            try:
                if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                    alive.append(ProcessInfo(pid, process.name()))
                    continue
            except psutil.Error:
                pass
            self._forget(process)
        return tuple(alive)

    def _belongs(self, process: psutil.Process, parent: int) -> bool:
        if os.getsid(process.pid) == self._pid:
            return True
        if parent == os.getpid() and (
            self._writes_output(process.pid)
            or SUBREAPER.descends_from(process.pid, self._pid)
        ):
            return True
        marker = process.environ().get(TASK_MARKER, "")
        return self._task in marker.split("/")

    def _writes_output(self, pid: int) -> bool:
        """Say whether a process, which may have no marker, writes to the script's output."""
        if not stat.S_ISREG(self._output_file.st_mode):
            return False  # other processes use the null device as well
        for stream in (1, 2):
            with suppress(OSError):
                status = os.stat(f"/proc/{pid}/fd/{stream}")  # noqa: PTH116
                if os.path.samestat(status, self._output_file):
                    return True
        return False

    def _forget(self, process: psutil.Process) -> None:
        """Forget a descendant that has ended, and reap it if it was adopted."""
        del self._known[process.pid]
        if process.pid != self._pid and process.is_running():
            with suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)

    def _reap(self, options: int = 0) -> None:
        """Take the script's exit code and usage; with ``WNOHANG`` only if it has ended."""
        if self._exit is not None or self.process is None:
            return
        try:
            pid, status, usage = os.wait4(self._pid, options)
        except ChildProcessError:
            # The program around us ignores SIGCHLD: the kernel keeps nothing.
            self.process.returncode = 0
            self._exit = ProcessExit()
            return
        if pid == 0:
            return
        exit_code = os.waitstatus_to_exitcode(status)
        # Tells Popen that there is nothing left to wait for.
        self.process.returncode = exit_code
        unit = 1 if sys.platform == "darwin" else 1024
        self._exit = ProcessExit(
            exit_code, usage.ru_maxrss * unit, usage.ru_utime + usage.ru_stime
        )


class _Subreaper:
    """Makes this process the subreaper of orphaned descendants while scripts run (Linux).

    Attributes:
        active: whether it is.
        dedicated: whether it starts nothing but scripts, see :func:`become_subreaper`.
    """

    def __init__(self) -> None:
        self.active = False
        self.dedicated = False
        self._lock = threading.Lock()
        self._trees = 0
        #: When each script began, by its process number; and scripts being stopped.
        self._scripts: dict[int, int] = {}
        self._ending: set[int] = set()
        #: Interpreters that were started ahead and have no script yet.
        self._held: set[int] = set()

    def begin(self) -> None:
        with self._lock:
            self._trees += 1
            if self._trees == 1:
                self.active = _set_subreaper(1)

    def add_script(self, script: int) -> int:
        """Count a script that was started; return when it began, 0 if that is not known."""
        with self._lock, suppress(OSError):
            self._scripts[script] = _ticks(script)
            return self._scripts[script]
        return 0

    def hold(self, pid: int) -> None:
        """Count an interpreter that was started ahead; after :meth:`begin`."""
        with self._lock:
            self._held.add(pid)

    def take(self, pid: int) -> int:
        """Let a held interpreter be a script from now on; return when it began.

        What began before the script did is not the script's: for that its time is now.
        """
        with self._lock:
            self._held.discard(pid)
            self._scripts[pid] = 0
            with suppress(OSError, AttributeError):
                now = time.clock_gettime(time.CLOCK_BOOTTIME)  # type: ignore[attr-defined,unused-ignore]
                self._scripts[pid] = int(now * os.sysconf("SC_CLK_TCK"))
                return _ticks(pid)
        return 0

    def adopted(self) -> set[int]:
        """Return the processes that this one has adopted.

        The kernel's list may miss one while another ends: it is read twice.
        """
        children = {*_main_children(), *_main_children()}
        with self._lock:
            return children - self._scripts.keys() - self._held

    def mark_ending(self, script: int) -> None:
        self._ending.add(script)

    def end(self, script: int = 0) -> None:
        with self._lock:
            self._trees -= 1
            self._scripts.pop(script, None)
            self._held.discard(script)
            self._ending.discard(script)
            if self._trees == 0 and self.active:
                self.active = not _set_subreaper(0)

    def reap(self) -> None:
        """Reap adopted processes that have ended, as init would."""
        if not (self.active and self.dedicated):
            return
        with self._lock:
            # While a script is just being started, its process is not known yet.
            if self._all_known():
                for pid in set(_main_children()) - self._scripts.keys() - self._held:
                    with suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)

    def descends_from(self, pid: int, script: int) -> bool:
        """Say whether an adopted process without marker and session ends with a script.

        It does, unless another script that began before it still runs: it may
        descend from either, so it ends with the last of them.
        """
        if not (self.active and self.dedicated):
            return False
        with self._lock, suppress(OSError):
            known = (os.getsid(0), *self._scripts, *self._held)
            if self._all_known() and os.getsid(pid) not in known:
                born = _ticks(pid)
                there = {s for s, began in self._scripts.items() if began <= born}
                return script in there and there - self._ending <= {script}
        return False

    def _all_known(self) -> bool:
        """Say whether each process that was begun is known; called with the lock."""
        return len(self._scripts) + len(self._held) == self._trees


SUBREAPER = _Subreaper()


def become_subreaper() -> None:
    """Declare that this process starts nothing but scripts; called by the main thread.

    Every process it adopts then descends from a script, even without marker, session and
    output. SIGCHLD gets its default action: the program that started this one may ignore
    it, and exit codes would be lost.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    SUBREAPER.dedicated = True


@cache
def can_wait() -> bool:
    """Say whether a thread can wait for a script and something else at a time."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.close(os.pidfd_open(os.getpid()))
            return True
    return False


def _ticks(pid: int) -> int:
    """Return when a process began, in clock ticks since the system did.

    Raises:
        OSError: it has ended, or this is not Linux.
    """
    # Without a buffer the kernel is asked less.
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123
        return int((file.read(4096) or b"").rpartition(b")")[2].split()[19])


def _main_children() -> list[int]:
    """Return the children of the main thread, on Linux; nothing elsewhere.

    Whatever this process adopts is among them: it goes to the first thread that lives.
    What another thread has started is that thread's as long as it lives.
    """
    with suppress(OSError):
        me = os.getpid()
        # Read when each script ends: without a buffer the kernel is asked less.
        with open(f"/proc/self/task/{me}/children", "rb", buffering=0) as file:  # noqa: PTH123
            return list(map(int, file.readall().split()))
    return []


def _set_subreaper(value: int) -> bool:
    prctl = _prctl()
    return prctl is not None and prctl(_PR_SET_CHILD_SUBREAPER, value, 0, 0, 0) == 0


@cache
def _prctl() -> Any:
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415 - only Linux needs it

    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    return prctl


def _exists(pid: int | None) -> bool:
    """Say whether a child of this process is there, alive or not reaped yet."""
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, 0)
            return True
    return False
