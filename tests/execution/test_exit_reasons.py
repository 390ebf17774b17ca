from __future__ import annotations

import errno
import os
import re
import signal
import sys

import pytest

from python_runner.execution.exit_reasons import (
    ProcessInfo,
    ending_of,
    exit_reason,
    left_behind,
    may_pass,
    not_stopped,
    shown_exit_code,
    start_failure,
    stop_reason,
    timeout_reason,
    unread,
    watch_failure,
)
from python_runner.tracebacks.endings import Beside, Cause, Ending


#: Number and name of what Windows ends a process with (ntstatus.h), and of what
#: programs hand on as their own (winerror.h).
STATUS_CODES = """
40000015 STATUS_FATAL_APP_EXIT
40010004 DBG_TERMINATE_PROCESS
40010005 DBG_CONTROL_C
40010008 DBG_CONTROL_BREAK
80000001 STATUS_GUARD_PAGE_VIOLATION
80000002 STATUS_DATATYPE_MISALIGNMENT
80000003 STATUS_BREAKPOINT
80000004 STATUS_SINGLE_STEP
C0000001 STATUS_UNSUCCESSFUL
C0000005 STATUS_ACCESS_VIOLATION
C0000006 STATUS_IN_PAGE_ERROR
C0000008 STATUS_INVALID_HANDLE
C000000D STATUS_INVALID_PARAMETER
C0000017 STATUS_NO_MEMORY
C0000018 STATUS_CONFLICTING_ADDRESSES
C000001D STATUS_ILLEGAL_INSTRUCTION
C0000022 STATUS_ACCESS_DENIED
C0000025 STATUS_NONCONTINUABLE_EXCEPTION
C0000026 STATUS_INVALID_DISPOSITION
C000007B STATUS_INVALID_IMAGE_FORMAT
C000008C STATUS_ARRAY_BOUNDS_EXCEEDED
C000008D STATUS_FLOAT_DENORMAL_OPERAND
C000008E STATUS_FLOAT_DIVIDE_BY_ZERO
C000008F STATUS_FLOAT_INEXACT_RESULT
C0000090 STATUS_FLOAT_INVALID_OPERATION
C0000091 STATUS_FLOAT_OVERFLOW
C0000092 STATUS_FLOAT_STACK_CHECK
C0000093 STATUS_FLOAT_UNDERFLOW
C0000094 STATUS_INTEGER_DIVIDE_BY_ZERO
C0000095 STATUS_INTEGER_OVERFLOW
C0000096 STATUS_PRIVILEGED_INSTRUCTION
C000009A STATUS_INSUFFICIENT_RESOURCES
C00000FD STATUS_STACK_OVERFLOW
C000012D STATUS_COMMITMENT_LIMIT
C000012F STATUS_INVALID_IMAGE_NOT_MZ
C0000135 STATUS_DLL_NOT_FOUND
C0000138 STATUS_ORDINAL_NOT_FOUND
C0000139 STATUS_ENTRYPOINT_NOT_FOUND
C000013A STATUS_CONTROL_C_EXIT
C0000142 STATUS_DLL_INIT_FAILED
C0000144 STATUS_UNHANDLED_EXCEPTION
C000014B STATUS_PIPE_BROKEN
C0000194 STATUS_POSSIBLE_DEADLOCK
C0000221 STATUS_IMAGE_CHECKSUM_MISMATCH
C000026B STATUS_DLL_INIT_FAILED_LOGOFF
C00002B4 STATUS_FLOAT_MULTIPLE_FAULTS
C00002B5 STATUS_FLOAT_MULTIPLE_TRAPS
C0000361 STATUS_ACCESS_DISABLED_BY_POLICY_DEFAULT
C0000374 STATUS_HEAP_CORRUPTION
C0000409 STATUS_STACK_BUFFER_OVERRUN
C0000417 STATUS_INVALID_CRUNTIME_PARAMETER
C000041D STATUS_FATAL_USER_CALLBACK_EXCEPTION
C0000420 STATUS_ASSERTION_FAILURE
C0000428 STATUS_INVALID_IMAGE_HASH
C0000602 STATUS_FAIL_FAST_EXCEPTION
C0000604 STATUS_DYNAMIC_CODE_BLOCKED
C0000906 STATUS_VIRUS_INFECTED
C0000907 STATUS_VIRUS_DELETED
E0434352 .NET exception
E06D7363 C++ exception
"""
RESULTS = """
80004001 E_NOTIMPL
80004002 E_NOINTERFACE
80004003 E_POINTER
80004004 E_ABORT
80004005 E_FAIL
8000FFFF E_UNEXPECTED
80010105 RPC_E_SERVERFAULT
80010108 RPC_E_DISCONNECTED
8001010A RPC_E_SERVERCALL_RETRYLATER
80020009 DISP_E_EXCEPTION
80040154 REGDB_E_CLASSNOTREG
80070002 ERROR_FILE_NOT_FOUND
80070003 ERROR_PATH_NOT_FOUND
80070005 E_ACCESSDENIED
80070006 E_HANDLE
8007000E E_OUTOFMEMORY
80070020 ERROR_SHARING_VIOLATION
80070035 ERROR_BAD_NETPATH
80070057 E_INVALIDARG
80070070 ERROR_DISK_FULL
800704C7 ERROR_CANCELLED
8007052E ERROR_LOGON_FAILURE
800706BA RPC_S_SERVER_UNAVAILABLE
800706BE RPC_S_CALL_FAILED
"""
ENDED = "ended by Ctrl-C, a sign-out or a debugger"
REFUSED = "refused by Windows or a virus scanner"
posix = pytest.mark.posix
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.mark.parametrize(
    ("exit_code", "expected"),
    [
        (None, "its exit code is unknown"),
        (3, "exit code 3"),
        (0, "exit code 0"),
        (255, "exit code 255"),
        (1, "exit code 1"),
        (9009, "exit code 9009 (Windows did not find the program)"),
        (0x3FFFFFFF, "exit code 1073741823"),
        (0x40000000, "exit code 1073741824"),
        (0x80000003, "crashed (0x80000003, STATUS_BREAKPOINT)"),
        (0xC0000420, "crashed (0xC0000420, STATUS_ASSERTION_FAILURE)"),
        (0xE06D7363, "crashed (0xE06D7363, C++ exception)"),
        (0x40010004, f"{ENDED}: 0x40010004 (DBG_TERMINATE_PROCESS)"),
        (0xC0000005, "crashed (0xC0000005, STATUS_ACCESS_VIOLATION)"),
        (0xC000001D, "crashed (0xC000001D, STATUS_ILLEGAL_INSTRUCTION)"),
        (0xC0000094, "crashed (0xC0000094, STATUS_INTEGER_DIVIDE_BY_ZERO)"),
        (0xC00000FD, "crashed (0xC00000FD, STATUS_STACK_OVERFLOW)"),
        (0xC0000135, "crashed (0xC0000135, STATUS_DLL_NOT_FOUND)"),
        (0xC000013A, f"{ENDED}: 0xC000013A (STATUS_CONTROL_C_EXIT)"),
        (0xC0000142, "crashed (0xC0000142, STATUS_DLL_INIT_FAILED)"),
        (0xC0000374, "crashed (0xC0000374, STATUS_HEAP_CORRUPTION)"),
        (0xC0000409, "crashed (0xC0000409, STATUS_STACK_BUFFER_OVERRUN)"),
        (0xC0FFEE00, "crashed (0xC0FFEE00)"),
        (0x40010005, f"{ENDED}: 0x40010005 (DBG_CONTROL_C)"),
        (0xC000007B, "crashed (0xC000007B, STATUS_INVALID_IMAGE_FORMAT)"),
        (0xC0000090, "crashed (0xC0000090, STATUS_FLOAT_INVALID_OPERATION)"),
        (0xC0000091, "crashed (0xC0000091, STATUS_FLOAT_OVERFLOW)"),
        (0xC0000092, "crashed (0xC0000092, STATUS_FLOAT_STACK_CHECK)"),
        (0xC0000093, "crashed (0xC0000093, STATUS_FLOAT_UNDERFLOW)"),
        (0xC000041D, "crashed (0xC000041D, STATUS_FATAL_USER_CALLBACK_EXCEPTION)"),
        # What was not let run has not crashed.
        (0xC0000022, f"{REFUSED}: 0xC0000022 (STATUS_ACCESS_DENIED)"),
        (0xC0000906, f"{REFUSED}: 0xC0000906 (STATUS_VIRUS_INFECTED)"),
    ],
)
def test_exit_code(exit_code: int | None, expected: str) -> None:
    """An exit code is told in the platform's own terms."""
    assert str(exit_reason(exit_code)) == expected


@pytest.mark.parametrize(
    ("exit_code", "expected"),
    [
        (0xFFFFFFFF, "exit code -1"),  # sys.exit(-1)
        (0xFFFFFFFB, "exit code -5"),
        (0xFFFF0000, "exit code -65536"),
        (0xD0000000, "exit code -805306368"),
        # What COM answered, as an exit code.
        (0x80070005, "exit code -2147024891 (0x80070005, E_ACCESSDENIED)"),
        (0x80004005, "exit code -2147467259 (0x80004005, E_FAIL)"),
        (0x800A03EC, "exit code -2146827284 (0x800A03EC)"),  # Excel's own
        (0x7FFFFFFF, "exit code 2147483647"),
    ],
)
def test_a_number_of_the_script_itself_is_no_crash(
    exit_code: int, expected: str
) -> None:
    """A script on Windows may end with any 32 bits, and means them with a sign."""
    assert str(exit_reason(exit_code)) == expected


@pytest.mark.parametrize(
    ("exit_code", "ending"),
    [
        (None, Ending.EXCEPTION),
        (1, Ending.EXCEPTION),
        (2, Ending.CODE),
        (255, Ending.CODE),
        (0xFFFFFFFF, Ending.CODE),
        (0x80070005, Ending.CODE),
        (0xC0000005, Ending.CRASH),
        (0xC0FFEE00, Ending.CRASH),
        (0xC000013A, Ending.SIGNAL),
        (0x40010004, Ending.SIGNAL),
        (0x40010005, Ending.SIGNAL),
        pytest.param(-11, Ending.CRASH, marks=[posix, posix_only]),
        pytest.param(-6, Ending.CRASH, marks=[posix, posix_only]),
        pytest.param(-2, Ending.SIGNAL, marks=[posix, posix_only]),
        pytest.param(-9, Ending.SIGNAL, marks=[posix, posix_only]),
    ],
)
def test_what_an_output_can_explain(exit_code: int | None, ending: Ending) -> None:
    """An exception has ended a script only where Python's own exit code says so."""
    assert ending_of(exit_code) is ending


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        (Beside.LOGGED, "logged before: KeyError: 1 (exit code 2)"),
        (Beside.BACKGROUND, "exit code 2; in the background: KeyError: 1"),
        (Beside.LAST_LINE, "last line: KeyError: 1 (exit code 2)"),
        (None, "exit code 2"),
    ],
)
def test_what_stands_beside_an_exit_code(beside: Beside | None, expected: str) -> None:
    """What the output tells of another exit code is told as what it is."""
    assert str(exit_reason(2, Cause(None, beside, "KeyError: 1"))) == expected


@posix
@posix_only
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (9, "killed by signal 9 (SIGKILL): by another process, or because memory"),
        (11, "crashed (signal 11, SIGSEGV)"),
        (15, "killed by signal 15 (SIGTERM)"),
        *(
            (
                getattr(signal, name, 0),
                f"crashed (signal {getattr(signal, name, 0):d}, {name})",
            )
            for name in ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS")
        ),
        (45, "killed by signal 45"),
    ],
)
def test_signal(number: int, expected: str) -> None:
    """A signal is told with its name, and with what it usually means."""
    assert str(exit_reason(-number)).startswith(expected)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.5, "0.5 s"),
        (45, "45 s"),
        (90, "90 s"),
        (1800, "30 min"),
        (7200, "2 h"),
    ],
)
def test_timeout(seconds: float, expected: str) -> None:
    """A time-out is told in the largest unit that fits."""
    assert str(timeout_reason(seconds)) == f"timed out after {expected}"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(errno.ENOENT, "x", "/gone"), "/gone does not exist"),
        (PermissionError(errno.EACCES, "x", "/f"), "no permission to run /f"),
        (PermissionError(errno.EPERM, "x", "/f"), "no permission to run /f"),
        (PermissionError(errno.EACCES, "x"), "no permission to run python"),
        (RuntimeError(), "could not be started: RuntimeError"),
        (NotADirectoryError(errno.ENOTDIR, "x", "/f"), "/f is not a folder"),
        (OSError(errno.ENOEXEC, "x", "/f"), "/f is not a program for this system"),
        (OSError(errno.E2BIG, "x"), "its arguments and variables are too long"),
        (OSError(errno.ENOENT, "x", os.curdir), "needs to run is missing"),
        (BlockingIOError(errno.EAGAIN, "busy now"), "could not be started: busy now"),
        (ValueError("embedded null byte"), "could not be started: embedded null byte"),
    ],
)
def test_start_failure(error: OSError | ValueError, expected: str) -> None:
    """What the system says at the start becomes a sentence."""
    assert expected in str(start_failure(error, "python", "/folder"))


def test_windows_command_line_too_long() -> None:
    """Windows' answer to a long command line is not taken for a missing file."""
    error = FileNotFoundError(errno.ENOENT, "x", "python", 206)
    if sys.platform != "win32":
        vars(error)["winerror"] = 206
    assert "too long" in str(start_failure(error, "python", "/folder"))


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/nowhere/at/all", "/nowhere/at/all does not exist"),
        (os.curdir, f"its folder {os.curdir} cannot be entered"),
    ],
)
def test_windows_cannot_enter_the_folder(folder: str, expected: str) -> None:
    """Windows names no file then, and the interpreter is not to blame."""
    error = NotADirectoryError(errno.ENOTDIR, "x", None, 267)
    if sys.platform != "win32":
        vars(error)["winerror"] = 267
    assert expected in str(start_failure(error, "python", folder))


def test_members() -> None:
    """Processes are named with number and name."""
    member = ProcessInfo(1234, "sleep")
    assert [str(text) for text in left_behind((member,))] == [
        "the script left process 1234 (sleep) running; it was stopped"
    ]
    assert str(not_stopped(member)) == "process 1234 (sleep) could not be stopped"


def test_a_crowd_is_counted() -> None:
    """A fork bomb must not fill a mail: ten are named, the others counted."""
    texts = left_behind(tuple(ProcessInfo(pid, "sleep") for pid in range(1000, 1500)))
    assert len(texts) == 11
    assert str(texts[9]).startswith("the script left process 1009 (")
    assert (
        str(texts[10])
        == "the script left 490 more processes running; they were stopped"
    )


def test_one_more_than_are_named() -> None:
    """Ten are all named; of eleven one is counted."""
    members = tuple(ProcessInfo(pid, "sleep") for pid in range(11))
    assert len(left_behind(members[:10])) == 10
    assert str(left_behind(members)[-1]).startswith("the script left 1 more process ")


def test_windows_names_its_codes() -> None:
    """Each of its numbers has the name that the headers of Windows give it."""
    for row in STATUS_CODES.split("\n")[1:-1]:
        code, name = row.split(" ", 1)
        assert f"0x{code}" in str(exit_reason(int(code, 16)))
        assert re.search(rf"[ (]{re.escape(name)}\)", str(exit_reason(int(code, 16))))
    for row in RESULTS.split("\n")[1:-1]:
        code, name = row.split(" ", 1)
        assert f"(0x{code}, {name})" in str(shown_exit_code(int(code, 16)))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.ENOENT, "x"), False),
        (OSError(errno.EACCES, "x"), False),
        (OSError(errno.EMFILE, "x"), True),
        (OSError(errno.EAGAIN, "x"), True),
        (RuntimeError("can't start new thread"), True),
        (MemoryError(), True),
        (ValueError("embedded null byte"), False),
    ],
)
def test_what_a_further_attempt_may_mend(error: BaseException, *, passes: bool) -> None:
    """A system that lacks something recovers; what is missing or wrong stays so."""
    assert may_pass(error) is passes


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("bad line"), "bad line"), (MemoryError(), "MemoryError")],
)
def test_output_that_cannot_be_searched_is_told(
    error: BaseException, said: str
) -> None:
    """An error without words is told by its type."""
    told = f"its output could not be searched for errors: {said}"
    assert str(unread(error)) == told


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EIO, "input/output error"), "input/output error"),
        (OSError(), "OSError"),
        (RuntimeError("no more threads"), "no more threads"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_watch_failure(error: BaseException, expected: str) -> None:
    """An error of the runner is told by its words, one without words by its type."""
    told = f"stopped because it could not be watched: {expected}"
    assert str(watch_failure(error)) == told


def test_stop() -> None:
    """A stop is the runner's, not the script's."""
    assert str(stop_reason()) == "stopped together with its run"
