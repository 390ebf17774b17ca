"""The process tree of a script on Windows: a Job Object.

The script is created suspended, put into its job, and only then runs: no descendant can
be outside. The job ends with its last handle, so that scripts never outlive the runner.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

from python_runner.execution.exit_reasons import ProcessExit, ProcessInfo


assert sys.platform == "win32"  # noqa: S101 - tells the type checker which platform this is

from ctypes import wintypes  # noqa: E402 - cannot be imported elsewhere


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from python_runner.model import Command

_CREATE_SUSPENDED = 0x00000004
_PROCESS_TERMINATE = 0x0001
_PROCESS_SET_QUOTA = 0x0100
_PROCESS_SUSPEND_RESUME = 0x0800
_PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
_SYNCHRONIZE = 0x00100000
_WAIT_TIMEOUT = 0x102
_LONGEST_PATH = 32_768
_LIMIT_KILL_ON_JOB_CLOSE = 0x00002000
#: JOBOBJECTINFOCLASS.
_BASIC_ACCOUNTING = 1
_PROCESS_ID_LIST = 3
_EXTENDED_LIMITS = 9
_MOST_MEMBERS = 4096
_TICKS_PER_SECOND = 10_000_000
#: Exit code of processes that are killed; taskkill uses it too.
_KILLED = 1
#: Windows' own helper of every console, which ends by itself.
_CONSOLE_HOST = "conhost.exe"


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class _Accounting(ctypes.Structure):
    _fields_ = (
        ("TotalUserTime", ctypes.c_int64),
        ("TotalKernelTime", ctypes.c_int64),
        ("ThisPeriodTotalUserTime", ctypes.c_int64),
        ("ThisPeriodTotalKernelTime", ctypes.c_int64),
        ("TotalPageFaultCount", wintypes.DWORD),
        ("TotalProcesses", wintypes.DWORD),
        ("ActiveProcesses", wintypes.DWORD),
        ("TotalTerminatedProcesses", wintypes.DWORD),
    )


class _ProcessIds(ctypes.Structure):
    _fields_ = (
        ("NumberOfAssignedProcesses", wintypes.DWORD),
        ("NumberOfProcessIdsInList", wintypes.DWORD),
        ("ProcessIdList", ctypes.c_size_t * _MOST_MEMBERS),
    )


_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_ntdll = ctypes.WinDLL("ntdll")
_kernel32.CreateJobObjectW.argtypes = (wintypes.LPVOID, wintypes.LPCWSTR)
_kernel32.CreateJobObjectW.restype = wintypes.HANDLE
_kernel32.SetInformationJobObject.argtypes = (
    wintypes.HANDLE,
    ctypes.c_int,
    wintypes.LPVOID,
    wintypes.DWORD,
)
_kernel32.QueryInformationJobObject.argtypes = (
    wintypes.HANDLE,
    ctypes.c_int,
    wintypes.LPVOID,
    wintypes.DWORD,
    wintypes.LPVOID,
)
_kernel32.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
_kernel32.TerminateJobObject.argtypes = (wintypes.HANDLE, wintypes.UINT)
_kernel32.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
_kernel32.OpenProcess.restype = wintypes.HANDLE
_kernel32.WaitForSingleObject.argtypes = (wintypes.HANDLE, wintypes.DWORD)
_kernel32.WaitForMultipleObjects.argtypes = (
    wintypes.DWORD,
    ctypes.POINTER(wintypes.HANDLE),
    wintypes.BOOL,
    wintypes.DWORD,
)
_kernel32.QueryFullProcessImageNameW.argtypes = (
    wintypes.HANDLE,
    wintypes.DWORD,
    wintypes.LPWSTR,
    wintypes.LPVOID,
)
_kernel32.GenerateConsoleCtrlEvent.argtypes = (wintypes.DWORD, wintypes.DWORD)
_kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)
_ntdll.NtResumeProcess.argtypes = (wintypes.HANDLE,)
_ntdll.NtResumeProcess.restype = wintypes.LONG


class _Process(subprocess.Popen[bytes]):
    """A process that its caller knows even if an exception comes after its creation."""

    def __init__(
        self, made: list[_Process], argv: Sequence[str], **options: Any
    ) -> None:
        self.pid = 0
        made.append(self)
        super().__init__(argv, **options)


class StartedAhead(Protocol):
    """A process that was started ahead, and its job."""

    process: subprocess.Popen[bytes]
    job: int


class Held(Protocol):
    """An interpreter that waits for its script, see ``execution.warm``."""

    def begin(self, command: Command, output: int) -> StartedAhead | None:
        """Let it run its script; None if the script is to be started."""


class Tree:
    """A script with its descendants, all in one job."""

    def __init__(self, output: int, held: Held | None = None) -> None:
        """Make the job of a script that writes both streams to the descriptor ``output``.

        Raises:
            OSError: there is no such job.
        """
        self.process: subprocess.Popen[bytes] | None = None
        self.started = False
        self._output = output
        #: An interpreter that was started ahead for it, if there is one.
        self._held = held
        self._job = create_job()

    def start(self, command: Command) -> None:
        """Start the script; called in the thread that waits for its end.

        An interpreter that was started ahead brings the job that it is in.

        Raises:
            OSError: it cannot be started.
            ValueError: an argument or a variable cannot be passed to a program.
        """
        if self._held and (process := self._held.begin(command, self._output)):
            _kernel32.CloseHandle(self._job)
            self.process, self._job = process.process, process.job
        else:
            self.process = start_in(self._job, command, command.env, self._output)
        self.started = True

    def wait(self) -> None:
        """Block until the script itself has ended; called in a thread of its own."""
        assert self.process is not None  # noqa: S101 - called after start()
        self.process.wait()

    def wait_for(self, seconds: float, signal: int | None = None) -> bool:
        """Wait for the end of the script, or for ``signal``, for up to ``seconds``.

        Returns:
            Whether the script has ended.
        """
        assert self.process is not None  # noqa: S101 - called after start()
        if seconds > 0 and self.process.poll() is None:
            handles = [int(self.process._handle)]  # type: ignore[attr-defined]  # noqa: SLF001
            if signal is not None:
                handles.append(signal)
            array = (wintypes.HANDLE * len(handles))(*handles)
            _kernel32.WaitForMultipleObjects(
                len(handles), array, False, ceil(seconds * 1000)
            )
        return self.process.poll() is not None

    def reap_orphans(self) -> None:
        """Do nothing: Windows has no zombies."""

    def left_behind(self) -> tuple[ProcessInfo, ...]:
        """Return the descendants of a script that has ended."""
        return self.members()

    def members(self) -> tuple[ProcessInfo, ...]:
        """Return every process of the tree that is alive."""
        ids = _ProcessIds()
        with suppress(OSError):
            _query(self._job, _PROCESS_ID_LIST, ids)
        pids = ids.ProcessIdList[: ids.NumberOfProcessIdsInList]
        names = {pid: name for pid in pids if (name := _name(pid))}
        return tuple(
            ProcessInfo(pid, name)
            for pid, name in names.items()
            if name != _CONSOLE_HOST
        )

    def terminate(self) -> bool:
        """Send CTRL_BREAK to every process of the tree.

        Returns:
            Whether it was sent: it needs a console.
        """
        # Not os.kill(): where CTRL_BREAK fails, that function kills the process.
        group = self.process.pid if self.process else 0
        return bool(
            group
            and _has_console()
            and _kernel32.GenerateConsoleCtrlEvent(signal.CTRL_BREAK_EVENT, group)
        )

    def kill(self) -> None:
        """Kill every process of the tree."""
        kill_job(self._job)

    def close(self) -> ProcessExit:
        """Close the job, which ends what is left of it; return how the script ended."""
        exit_code = self.process.poll() if self.started and self.process else None
        ending = ProcessExit(exit_code, *_usage(self._job))
        _kernel32.CloseHandle(self._job)
        return ending


def can_wait() -> bool:
    """Say whether a thread can wait for a script and something else at a time."""
    return True


def become_subreaper() -> None:
    """Do nothing: a job knows its processes."""


def _has_console() -> bool:
    return bool(_kernel32.GetConsoleCP())


def start_in(
    job: int,
    command: Command,
    env: Mapping[str, str],
    output: int,
    startup: subprocess.STARTUPINFO | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command inside of a job.

    Args:
        job: see :func:`create_job`.
        command: says what is started, and where.
        env: its environment.
        output: the descriptor that both streams write to.
        startup: names further handles that it inherits.

    Raises:
        OSError: it cannot be started.
        ValueError: an argument or a variable cannot be passed to a program.
    """
    # CTRL_BREAK reaches only processes of the runner's console. Where there is none,
    # a script must not open a window of its own.
    console = 0 if _has_console() else subprocess.CREATE_NO_WINDOW
    group = subprocess.CREATE_NEW_PROCESS_GROUP
    made: list[_Process] = []
    try:
        process = _Process(
            made,
            command.command_line,
            cwd=command.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            startupinfo=startup,
            creationflags=_CREATE_SUSPENDED | group | console,
        )
        _release_into(job, process.pid)
    except BaseException:
        # Suspended, perhaps not yet in its job: it would stay for ever.
        if made and made[0].pid:
            made[0].kill()
            made[0].wait()
        raise
    return process


def kill_job(job: int) -> None:
    """Kill every process of a job."""
    _kernel32.TerminateJobObject(job, _KILLED)


def end_job(job: int) -> None:
    """Kill every process of a job, and close it."""
    kill_job(job)
    _kernel32.CloseHandle(job)


def create_job() -> int:
    """Create a job that ends with its last handle, which is not inherited.

    Raises:
        OSError: there is no such job.
    """
    job = _kernel32.CreateJobObjectW(None, None)
    if not job:
        raise ctypes.WinError(ctypes.get_last_error())
    limits = _ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = _LIMIT_KILL_ON_JOB_CLOSE
    size = ctypes.sizeof(limits)
    if not _kernel32.SetInformationJobObject(
        job, _EXTENDED_LIMITS, ctypes.byref(limits), size
    ):
        error = ctypes.get_last_error()
        _kernel32.CloseHandle(job)
        raise ctypes.WinError(error)
    return int(job)


def _release_into(job: int, pid: int) -> None:
    """Put a suspended process into a job and let it run."""
    access = _PROCESS_SET_QUOTA | _PROCESS_TERMINATE | _PROCESS_SUSPEND_RESUME
    process = _kernel32.OpenProcess(access, 0, pid)
    if not process:
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        if not _kernel32.AssignProcessToJobObject(job, process):
            raise ctypes.WinError(ctypes.get_last_error())
        if status := _ntdll.NtResumeProcess(process):
            raise ctypes.WinError(_ntdll.RtlNtStatusToDosError(status))
    finally:
        _kernel32.CloseHandle(process)


def _query(job: int, kind: int, answer: ctypes.Structure) -> None:
    size = ctypes.sizeof(answer)
    if not _kernel32.QueryInformationJobObject(
        job, kind, ctypes.byref(answer), size, None
    ):
        raise ctypes.WinError(ctypes.get_last_error())


def _usage(job: int) -> tuple[int | None, float | None]:
    """Return a job's peak memory in bytes and its processor time in seconds."""
    limits, times = _ExtendedLimits(), _Accounting()
    try:
        _query(job, _EXTENDED_LIMITS, limits)
        _query(job, _BASIC_ACCOUNTING, times)
    except OSError:
        return None, None
    seconds = (times.TotalUserTime + times.TotalKernelTime) / _TICKS_PER_SECOND
    return limits.PeakJobMemoryUsed or None, seconds


def _name(pid: int) -> str | None:
    """Return the file name of a process's program, None if the process has ended."""
    access = _PROCESS_QUERY_LIMITED_INFORMATION | _SYNCHRONIZE
    process = _kernel32.OpenProcess(access, 0, pid)
    if not process:
        return None
    try:
        if _kernel32.WaitForSingleObject(process, 0) != _WAIT_TIMEOUT:
            return None
        path = ctypes.create_unicode_buffer(_LONGEST_PATH)
        size = wintypes.DWORD(_LONGEST_PATH)
        _kernel32.QueryFullProcessImageNameW(process, 0, path, ctypes.byref(size))
        return path.value.rpartition("\\")[2] or "?"
    finally:
        _kernel32.CloseHandle(process)
