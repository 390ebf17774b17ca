"""Says in sentences how a script ended, or why it could not be started or watched."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass

from python_runner.files import exists
from python_runner.texts.sentence import N_, Sentence


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process of a script's tree."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True)
class ProcessExit:
    """How a script's process ended.

    Attributes:
        exit_code: as the platform gives it (negative: a signal); None if unknown.
        peak_memory: bytes; None if unknown.
        cpu_seconds: processor time of the script and its children; None if unknown.
    """

    exit_code: int | None = None
    peak_memory: int | None = None
    cpu_seconds: float | None = None


#: Exit codes of Windows that people meet (ntstatus.h).
_NTSTATUS = {
    0x40010004: "DBG_TERMINATE_PROCESS",
    0xC0000005: "STATUS_ACCESS_VIOLATION",
    0xC000001D: "STATUS_ILLEGAL_INSTRUCTION",
    0xC0000094: "STATUS_INTEGER_DIVIDE_BY_ZERO",
    0xC00000FD: "STATUS_STACK_OVERFLOW",
    0xC0000135: "STATUS_DLL_NOT_FOUND",
    0xC000013A: "STATUS_CONTROL_C_EXIT",
    0xC0000142: "STATUS_DLL_INIT_FAILED",
    0xC0000374: "STATUS_HEAP_CORRUPTION",
    0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
}
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS"})
#: From here on, exit codes are NTSTATUS values; POSIX ends at 255.
_FIRST_NTSTATUS = 0x40000000

#: Most processes left behind that are named one by one.
_MOST_NAMED = 10

_START_FAILURES = {
    errno.EACCES: N_("could not be started: no permission to run {file}"),
    errno.EPERM: N_("could not be started: no permission to run {file}"),
    errno.ENOENT: N_("could not be started: {file} does not exist"),
    errno.ENOTDIR: N_("could not be started: {file} is not a folder"),
    errno.ENOEXEC: N_("could not be started: {file} is not a program of this system"),
    errno.E2BIG: N_("could not be started: its arguments and variables are too long"),
}
#: What another attempt meets as well.
_LASTING = frozenset({*_START_FAILURES, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL})
#: ERROR_FILENAME_EXCED_RANGE: what Windows says for a command line that is too long.
_WINDOWS_TOO_LONG = 206


def exit_reason(exit_code: int | None) -> Sentence:
    """Say why a script with this exit code did not succeed."""
    if exit_code is None:
        return Sentence.of(N_("its exit code is unknown"))
    if exit_code < 0:
        return _signal_reason(-exit_code)
    if exit_code >= _FIRST_NTSTATUS:
        return _ntstatus_reason(exit_code)
    return Sentence.of(N_("exit code {code}"), code=exit_code)


def _signal_reason(number: int) -> Sentence:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return Sentence.of(N_("killed by signal {number}"), number=number)
    template = N_("killed by signal {number} ({name})")
    if name in _CRASHES:
        template = N_("crashed: signal {number} ({name})")
    elif name == "SIGKILL":
        # Not the runner: time-outs and stops have reasons of their own.
        template = N_(
            "killed by signal {number} ({name}): "
            "by somebody else, or because memory ran out"
        )
    return Sentence.of(template, number=number, name=name)


def _ntstatus_reason(exit_code: int) -> Sentence:
    code = f"0x{exit_code:08X}"
    if name := _NTSTATUS.get(exit_code):
        return Sentence.of(N_("crashed: {code} ({name})"), code=code, name=name)
    return Sentence.of(N_("crashed: {code}"), code=code)


def timeout_reason(seconds: float) -> Sentence:
    """Say that a script took too long."""
    return Sentence.of(N_("timed out after {limit}"), limit=_span(seconds))


def stop_reason() -> Sentence:
    """Say that a script ended because the runner did."""
    return Sentence.of(N_("stopped together with the runner"))


def _span(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def start_failure(error: BaseException, program: str) -> Sentence:
    """Say why ``program`` could not be started.

    A ``ValueError`` is an argument or a variable that no program can receive; a
    ``RuntimeError`` a system that allows no further thread.
    """
    if not isinstance(error, OSError):
        told = str(error) or type(error).__name__
        return Sentence.of(N_("could not be started: {error}"), error=told)
    number = error.errno
    if getattr(error, "winerror", None) == _WINDOWS_TOO_LONG:
        number = errno.E2BIG
    file = os.fsdecode(error.filename or program)
    template = _START_FAILURES.get(number or 0, N_("could not be started: {error}"))
    if number == errno.ENOENT and exists(file):
        template = N_(
            "could not be started: what {file} itself needs to run is missing"
        )
    return Sentence.of(template, file=file, error=error.strerror or str(error))


def may_pass(error: BaseException) -> bool:
    """Say whether what kept a script from being started may be gone at the next try.

    What is missing, forbidden, too long or no program stays so; a system without a free
    descriptor, process, thread or byte of memory recovers, and so does a share.
    """
    if isinstance(error, OSError):
        winerror = getattr(error, "winerror", None)
        return error.errno not in _LASTING and winerror != _WINDOWS_TOO_LONG
    return isinstance(error, (RuntimeError, MemoryError))


def watch_failure(error: BaseException) -> Sentence:
    """Say why a script that ran was stopped by an error of the runner."""
    told = error.strerror if isinstance(error, OSError) else str(error)
    return Sentence.of(
        N_("stopped because it could not be watched: {error}"),
        error=told or type(error).__name__,
    )


def unread(error: BaseException) -> Sentence:
    """Say that nothing can be told of what a script wrote."""
    return Sentence.of(
        N_("its output could not be searched for errors: {error}"),
        error=str(error) or type(error).__name__,
    )


def left_behind(members: tuple[ProcessInfo, ...]) -> tuple[Sentence, ...]:
    """Say that a script left processes behind; the first ones are named."""
    one = N_("process {pid} ({name}) was left behind and was stopped")
    several = N_("{count} more processes were left behind and were stopped")
    named = [Sentence.of(one, pid=m.pid, name=m.name) for m in members[:_MOST_NAMED]]
    if more := len(members) - len(named):
        named.append(Sentence.of(several, count=more))
    return tuple(named)


def not_stopped(member: ProcessInfo) -> Sentence:
    """Say that even a kill did not end a process."""
    template = N_("process {pid} ({name}) could not be stopped")
    return Sentence.of(template, pid=member.pid, name=member.name)
