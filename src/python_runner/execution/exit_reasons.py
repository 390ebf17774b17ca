"""Says in sentences how a script ended, or why it could not be started or watched."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING

from python_runner.execution.interpreter_version import NOT_FOUND
from python_runner.facts import dataclass
from python_runner.files import exists
from python_runner.texts.sentence import N_, Sentence, counted
from python_runner.texts.system_errors import system_error
from python_runner.tracebacks.endings import Beside, Ending


if TYPE_CHECKING:
    from python_runner.tracebacks.endings import Cause


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process of a script's tree.

    Attributes:
        name: its program or, where people are told of it, its command line.
    """

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


#: Exit codes of Windows with which it ends programs (ntstatus.h, and those of runtimes).
_STATUS_CODES = {
    0x40000015: "STATUS_FATAL_APP_EXIT",
    0x40010004: "DBG_TERMINATE_PROCESS",
    0x40010005: "DBG_CONTROL_C",
    0x40010008: "DBG_CONTROL_BREAK",
    0x80000001: "STATUS_GUARD_PAGE_VIOLATION",
    0x80000002: "STATUS_DATATYPE_MISALIGNMENT",
    0x80000003: "STATUS_BREAKPOINT",
    0x80000004: "STATUS_SINGLE_STEP",
    0xC0000001: "STATUS_UNSUCCESSFUL",
    0xC0000005: "STATUS_ACCESS_VIOLATION",
    0xC0000006: "STATUS_IN_PAGE_ERROR",
    0xC0000008: "STATUS_INVALID_HANDLE",
    0xC000000D: "STATUS_INVALID_PARAMETER",
    0xC0000017: "STATUS_NO_MEMORY",
    0xC0000018: "STATUS_CONFLICTING_ADDRESSES",
    0xC000001D: "STATUS_ILLEGAL_INSTRUCTION",
    0xC0000022: "STATUS_ACCESS_DENIED",
    0xC0000025: "STATUS_NONCONTINUABLE_EXCEPTION",
    0xC0000026: "STATUS_INVALID_DISPOSITION",
    0xC000007B: "STATUS_INVALID_IMAGE_FORMAT",
    0xC000008C: "STATUS_ARRAY_BOUNDS_EXCEEDED",
    0xC000008D: "STATUS_FLOAT_DENORMAL_OPERAND",
    0xC000008E: "STATUS_FLOAT_DIVIDE_BY_ZERO",
    0xC000008F: "STATUS_FLOAT_INEXACT_RESULT",
    0xC0000090: "STATUS_FLOAT_INVALID_OPERATION",
    0xC0000091: "STATUS_FLOAT_OVERFLOW",
    0xC0000092: "STATUS_FLOAT_STACK_CHECK",
    0xC0000093: "STATUS_FLOAT_UNDERFLOW",
    0xC0000094: "STATUS_INTEGER_DIVIDE_BY_ZERO",
    0xC0000095: "STATUS_INTEGER_OVERFLOW",
    0xC0000096: "STATUS_PRIVILEGED_INSTRUCTION",
    0xC000009A: "STATUS_INSUFFICIENT_RESOURCES",
    0xC00000FD: "STATUS_STACK_OVERFLOW",
    0xC000012D: "STATUS_COMMITMENT_LIMIT",
    0xC000012F: "STATUS_INVALID_IMAGE_NOT_MZ",
    0xC0000135: "STATUS_DLL_NOT_FOUND",
    0xC0000138: "STATUS_ORDINAL_NOT_FOUND",
    0xC0000139: "STATUS_ENTRYPOINT_NOT_FOUND",
    0xC000013A: "STATUS_CONTROL_C_EXIT",
    0xC0000142: "STATUS_DLL_INIT_FAILED",
    0xC0000144: "STATUS_UNHANDLED_EXCEPTION",
    0xC000014B: "STATUS_PIPE_BROKEN",
    0xC0000194: "STATUS_POSSIBLE_DEADLOCK",
    0xC0000221: "STATUS_IMAGE_CHECKSUM_MISMATCH",
    0xC000026B: "STATUS_DLL_INIT_FAILED_LOGOFF",
    0xC00002B4: "STATUS_FLOAT_MULTIPLE_FAULTS",
    0xC00002B5: "STATUS_FLOAT_MULTIPLE_TRAPS",
    0xC0000361: "STATUS_ACCESS_DISABLED_BY_POLICY_DEFAULT",
    0xC0000374: "STATUS_HEAP_CORRUPTION",
    0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
    0xC0000417: "STATUS_INVALID_CRUNTIME_PARAMETER",
    0xC000041D: "STATUS_FATAL_USER_CALLBACK_EXCEPTION",
    0xC0000420: "STATUS_ASSERTION_FAILURE",
    0xC0000428: "STATUS_INVALID_IMAGE_HASH",
    0xC0000602: "STATUS_FAIL_FAST_EXCEPTION",
    0xC0000604: "STATUS_DYNAMIC_CODE_BLOCKED",
    0xC0000906: "STATUS_VIRUS_INFECTED",
    0xC0000907: "STATUS_VIRUS_DELETED",
    0xE0434352: ".NET exception",
    0xE06D7363: "C++ exception",
}
#: Results of COM and of Windows that scripts hand on as their exit code (winerror.h).
_RESULTS = {
    0x80004001: "E_NOTIMPL",
    0x80004002: "E_NOINTERFACE",
    0x80004003: "E_POINTER",
    0x80004004: "E_ABORT",
    0x80004005: "E_FAIL",
    0x8000FFFF: "E_UNEXPECTED",
    0x80010105: "RPC_E_SERVERFAULT",
    0x80010108: "RPC_E_DISCONNECTED",
    0x8001010A: "RPC_E_SERVERCALL_RETRYLATER",
    0x80020009: "DISP_E_EXCEPTION",
    0x80040154: "REGDB_E_CLASSNOTREG",
    0x80070002: "ERROR_FILE_NOT_FOUND",
    0x80070003: "ERROR_PATH_NOT_FOUND",
    0x80070005: "E_ACCESSDENIED",
    0x80070006: "E_HANDLE",
    0x8007000E: "E_OUTOFMEMORY",
    0x80070020: "ERROR_SHARING_VIOLATION",
    0x80070035: "ERROR_BAD_NETPATH",
    0x80070057: "E_INVALIDARG",
    0x80070070: "ERROR_DISK_FULL",
    0x800704C7: "ERROR_CANCELLED",
    0x8007052E: "ERROR_LOGON_FAILURE",
    0x800706BA: "RPC_S_SERVER_UNAVAILABLE",
    0x800706BE: "RPC_S_CALL_FAILED",
}
#: Of them, what somebody else does to a program: a debugger, Ctrl-C, a logoff.
_ENDED_CODES = frozenset({0x40010004, 0x40010005, 0x40010008, 0xC000013A, 0xC000026B})
#: And what Windows, a policy or a virus scanner does not let it do.
_REFUSED_CODES = frozenset(
    {0xC0000022, 0xC0000361, 0xC0000428, 0xC0000604, 0xC0000906, 0xC0000907}
)
_CRASHES = frozenset({"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGSYS"})
#: Windows has exit codes of 32 bits without a sign; Python's own are at most 31.
_FIRST_NEGATIVE = 0x80000000
#: NTSTATUS: an error, of the system itself.
_ERRORS = range(0xC0000000, 0xD0000000)
#: HRESULT: a failure. What comes later is a small negative number.
_FAILURES = range(0x80000000, 0x90000000)
#: Python's exit code after an exception and after ``sys.exit`` with a text.
_UNCAUGHT = 1

#: Most processes left behind that are named one by one.
_MOST_NAMED = 10

#: Each has a value of its own, by which a report knows what it shows.
_BESIDE = {
    Beside.LOGGED: N_("logged before: {logged} (exit code {code})"),
    Beside.BACKGROUND: N_("exit code {code}; in the background: {background}"),
    Beside.LAST_LINE: N_("last line: {line} (exit code {code})"),
}

_START_FAILURES = {
    errno.EACCES: N_("could not be started: no permission to run {file}"),
    errno.EPERM: N_("could not be started: no permission to run {file}"),
    errno.ENOENT: N_("could not be started: {file} does not exist"),
    errno.ENOTDIR: N_("could not be started: {file} is not a folder"),
    errno.ENOEXEC: N_("could not be started: {file} is not a program for this system"),
    errno.E2BIG: N_("could not be started: its arguments and variables are too long"),
}
#: What another attempt meets as well.
_LASTING = frozenset({*_START_FAILURES, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL})
#: ERROR_FILENAME_EXCED_RANGE: what Windows says for a command line that is too long.
_WINDOWS_TOO_LONG = 206
#: ERROR_DIRECTORY: it cannot enter the working directory, and names no file.
_WINDOWS_NO_FOLDER = 267


def ending_of(exit_code: int | None) -> Ending:
    """Return what an exit code lets the output of a script explain."""
    if exit_code is None or exit_code == _UNCAUGHT:
        return Ending.EXCEPTION
    if exit_code in _ENDED_CODES:
        return Ending.SIGNAL
    if exit_code in _STATUS_CODES or exit_code in _ERRORS:
        return Ending.CRASH
    if exit_code > 0:
        return Ending.CODE
    return Ending.CRASH if _signal_name(-exit_code) in _CRASHES else Ending.SIGNAL


def exit_reason(exit_code: int | None, cause: Cause | None = None) -> Sentence:
    """Say why a script with this exit code did not succeed.

    Args:
        exit_code: as the platform gives it.
        cause: what its output tells; what it has only beside the end is said as well.
    """
    if exit_code is None:
        return Sentence.of(N_("its exit code is unknown"))
    if exit_code < 0:
        return _signal_reason(-exit_code)
    if name := _STATUS_CODES.get(exit_code):
        template = N_("crashed ({code}, {name})")
        if exit_code in _ENDED_CODES:
            template = N_("ended by Ctrl-C, a sign-out or a debugger: {code} ({name})")
        elif exit_code in _REFUSED_CODES:
            template = N_("refused by Windows or a virus scanner: {code} ({name})")
        return Sentence.of(template, code=_hexadecimal(exit_code), name=name)
    if exit_code in _ERRORS:
        return Sentence.of(N_("crashed ({code})"), code=_hexadecimal(exit_code))
    code: object = shown_exit_code(exit_code)
    if exit_code == NOT_FOUND:
        code = Sentence.of(N_("{code} (Windows did not find the program)"), code=code)
    if cause and cause.beside:
        beside = cause.beside
        return Sentence(_BESIDE[beside], {"code": code, beside.value: cause.told})
    return Sentence.of(N_("exit code {code}"), code=code)


def shown_exit_code(exit_code: int) -> int | str:
    """Return an exit code as a script knows it, with its sign: ``3``, ``-1``.

    What Windows and COM have a name for is named:
    ``-2147024891 (0x80070005, E_ACCESSDENIED)``.
    """
    if exit_code < _FIRST_NEGATIVE:
        return exit_code
    code = exit_code - 2 * _FIRST_NEGATIVE
    if exit_code not in _FAILURES:
        return code
    name = _RESULTS.get(exit_code)
    named = f"{_hexadecimal(exit_code)}, {name}" if name else _hexadecimal(exit_code)
    return f"{code} ({named})"


def _hexadecimal(exit_code: int) -> str:
    return f"0x{exit_code:08X}"


def _signal_reason(number: int) -> Sentence:
    name = _signal_name(number)
    if name is None:
        return Sentence.of(N_("killed by signal {number}"), number=number)
    template = N_("killed by signal {number} ({name})")
    if name in _CRASHES:
        template = N_("crashed (signal {number}, {name})")
    elif name == "SIGKILL":
        # Not the runner: time-outs and stops have reasons of their own.
        template = N_(
            "killed by signal {number} ({name}): by another process, or because"
            " memory ran out"
        )
    return Sentence.of(template, number=number, name=name)


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None


def timeout_reason(seconds: float) -> Sentence:
    """Say that a script took too long."""
    return Sentence.of(N_("timed out after {limit}"), limit=_span(seconds))


def stop_reason() -> Sentence:
    """Say that a script ended because the runner did."""
    return Sentence.of(N_("stopped together with its run"))


def _span(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:.15g} s"


def start_failure(error: BaseException, program: str, folder: str = "") -> Sentence:
    """Say why ``program`` could not be started in ``folder``.

    A ``ValueError`` is an argument or a variable that no program can receive; a
    ``RuntimeError`` a system that allows no further thread.
    """
    if not isinstance(error, OSError):
        told = str(error) or type(error).__name__
        return Sentence.of(N_("could not be started: {error}"), error=told)
    number, file = error.errno, os.fsdecode(error.filename or program)
    windows = getattr(error, "winerror", None)
    if windows == _WINDOWS_TOO_LONG:
        number = errno.E2BIG
    template = _START_FAILURES.get(number or 0, N_("could not be started: {error}"))
    if windows == _WINDOWS_NO_FOLDER:
        file = folder
        template = N_("could not be started: its folder {file} cannot be entered")
        if not exists(folder):
            template = _START_FAILURES[errno.ENOENT]
    elif number == errno.ENOENT and exists(file):
        template = N_(
            "could not be started: something that {file} needs to run is missing"
        )
    return Sentence.of(template, file=file, error=system_error(error))


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
    told: object = str(error) or type(error).__name__
    if isinstance(error, OSError):
        told = system_error(error) if str(error) else told
    return Sentence.of(
        N_("stopped because it could not be watched: {error}"), error=told
    )


def unread(error: BaseException) -> Sentence:
    """Say that nothing can be told of what a script wrote."""
    return Sentence.of(
        N_("its output could not be searched for errors: {error}"),
        error=str(error) or type(error).__name__,
    )


def left_behind(members: tuple[ProcessInfo, ...]) -> tuple[Sentence, ...]:
    """Say that a script left processes behind; the first ones are named."""
    one = N_("the script left process {pid} ({name}) running; it was stopped")
    several = counted(
        "the script left {count} more process running; it was stopped",
        "the script left {count} more processes running; they were stopped",
    )
    named = [Sentence.of(one, pid=m.pid, name=m.name) for m in members[:_MOST_NAMED]]
    if more := len(members) - len(named):
        named.append(Sentence.about(several, more))
    return tuple(named)


def not_stopped(member: ProcessInfo) -> Sentence:
    """Say that even a kill did not end a process."""
    template = N_("process {pid} ({name}) could not be stopped")
    return Sentence.of(template, pid=member.pid, name=member.name)
