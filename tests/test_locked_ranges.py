"""Parts of files that another program has locked (on Windows it keeps all others out)."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from python_runner import files
from python_runner.config.env_file import read_env
from python_runner.config.reading import read_text
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.capture import Readable, put_away
from python_runner.masking import Masker
from python_runner.records.error_details import keep_details
from python_runner.records.locks import FileLock, Holder
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine
from python_runner.records.log_reader import LogPlace, read_log, read_since
from python_runner.records.output_reader import OutputReader
from python_runner.records.outputs import read_ends, read_tail
from python_runner.records.store import DATABASE_NAME, open_store
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCKER = """
import msvcrt, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_BINARY)
msvcrt.locking(file, msvcrt.LK_LOCK, 2**31 - 1)
print("locked", flush=True)
sys.stdin.readline()
"""
#: How another program's lock is told: by the words for EBUSY, or by those of Windows.
TOLD = r"(?i)busy|occupé|lock|verrouill"


def log_of(path: Path) -> LogFile:
    """Return the log whose file this is."""
    return LogFile(path.parent, path.name, backup_count=1, rotation_days=1)


def write_log(path: Path) -> None:
    """Add a line to the log, which ends its last one first."""
    log_of(path).write(
        LogLine(
            time=NOW,
            level="INFO",
            host="h",
            run_id="1" * 13,
            minutes=0.0,
            script="a.py",
            status="success",
        )
    )
    assert b"\n" in path.read_bytes()


def rotate(path: Path) -> None:
    """Look whether the log is old enough to be set aside."""
    if warning := log_of(path).rotate(NOW):
        raise OSError(str(warning))


def read_database(path: Path) -> None:
    """Open the records and look for runs."""
    store = open_store(path.parent, NOW)
    try:
        store.runs(limit=1)
    finally:
        store.close()


def lock(path: Path) -> None:
    """Take the lock of a project, which nobody has."""
    holder = Holder(pid=os.getpid(), host="h", run_id="", started_at=NOW)
    with FileLock(path) as taken:
        assert taken.acquire(holder, wait=False)
        assert FileLock(path).holder() == holder


#: What reads a file of ours or of the user, and what must be in the file before.
USES: dict[str, tuple[Callable[[Path], object], bytes]] = {
    "log": (write_log, b"no end"),
    "rotation": (rotate, b"line\n"),
    "history": (lambda path: list(read_log(path.parent, path.name)), b"line\n"),
    "past": (lambda path: read_since(path.parent, path.name, LogPlace()), b"line\n"),
    "config": (read_text, b"{}"),
    "env": (lambda path: read_env(path, {}), b"A=1\n"),
    "output": (lambda path: OutputReader(path, Masker()).read(), b"text\n"),
    "tail": (lambda path: read_tail(path, 100), b"text\n"),
    "ends": (lambda path: read_ends(path, 100), b"text\n"),
    "killed": (lambda path: put_away(path, Readable()), b"\xff\n"),
    "errors": (lambda path: keep_details(path.parent.parent, "text", NOW), b"text\n"),
    "records": (read_database, b""),
    "lock": (lock, b""),
}
PLACES = {"records": DATABASE_NAME, "errors": f"errors/{NOW:%Y-%m-%d}.txt"}


@pytest.fixture(params=USES)
def use(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[Callable[[Path], object], Path]:
    """Return something that reads a file, and the file."""
    name = request.param
    path = tmp_path / "p" / PLACES.get(name, "file")
    path.parent.mkdir(parents=True)
    act, content = USES[name]
    if content:
        path.write_bytes(content)
    else:
        # It is made by its first use.
        act(path)
    return act, path


@contextmanager
def refusing(
    monkeypatch: pytest.MonkeyPatch, path: Path, times: float
) -> Iterator[None]:
    """Let reading and writing a file be refused, as often as said.

    The system is asked and answers as for a part that another program has locked. What
    SQLite reads by itself is not affected.
    """
    wanted, left = path.stat(), [times]

    def refused() -> OSError:
        if sys.platform != "win32":
            return OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        # As the C runtime does, which makes one error of many.
        ctypes.CDLL("ucrtbase")._set_doserrno(33)  # noqa: SLF001 - its name
        return PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        for name in ("read", "write"):
            real = getattr(os, name)

            def act(descriptor: int, data: Any, real: Any = real) -> Any:
                if left[0] and os.path.samestat(os.fstat(descriptor), wanted):
                    left[0] -= 1
                    raise refused()
                return real(descriptor, data)

            patch.setattr(os, name, act)
        yield


@pytest.mark.fault(
    "files",
    "Another program has locked a part of a log, a configuration, the records or a lock",
    "It is waited for, 2.5 seconds; a part that stays locked is told in the system's words.",
)
@pytest.mark.parametrize("times", [1, 3])
def test_a_part_that_is_locked_for_a_moment_is_waited_for(
    use: tuple[Callable[[Path], object], Path],
    monkeypatch: pytest.MonkeyPatch,
    times: int,
) -> None:
    """Whatever reads it, nothing is lost and nothing is told."""
    act, path = use
    monkeypatch.setattr(files, "_PATIENCE", (0.0,) * 3)
    with refusing(monkeypatch, path, times):
        act(path)


def test_a_part_that_stays_locked_is_told(
    use: tuple[Callable[[Path], object], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the system says; afterwards all goes on as before."""
    act, path = use
    monkeypatch.setattr(files, "_PATIENCE", (0.0,) * 3)
    with refusing(monkeypatch, path, float("inf")):
        check_told(act, path)
    act(path)


def check_told(act: Callable[[Path], object], path: Path) -> None:
    """Do it; who cannot says why."""
    if act is lock or (act is read_database and sys.platform != "win32"):
        # The lock holds all the same, and SQLite reads by itself.
        return
    with pytest.raises((OSError, PythonRunnerError), match=TOLD):
        act(path)


if sys.platform == "win32":

    @contextmanager
    def locked(path: Path) -> Iterator[Callable[[], None]]:
        """Let another program lock all of a file; yield what ends that."""
        with subprocess.Popen(
            [sys.executable, "-c", LOCKER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as locker:
            assert locker.stdout is not None
            assert locker.stdin is not None
            assert locker.stdout.readline().startswith(b"locked")
            try:
                yield locker.stdin.close
            finally:
                locker.stdin.close()

    # wine lets everybody read what is locked.
    @pytest.mark.windows
    @pytest.mark.not_wine
    def test_what_another_program_locks_is_waited_for_then_told(
        use: tuple[Callable[[Path], object], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A real program, which holds it for ever at first, then for a moment."""
        act, path = use
        with monkeypatch.context() as patch:
            patch.setattr(files, "_PATIENCE", (0.01, 0.01))
            with locked(path), pytest.raises((OSError, PythonRunnerError), match=TOLD):
                act(path)
        with locked(path) as release:
            threading.Timer(0.3, release).start()
            act(path)
