"""Files that another program has open: a virus scanner, Excel, a backup."""

from __future__ import annotations

import ctypes
import os
import stat
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner import files
from python_runner.execution.capture import open_capture
from python_runner.records.error_details import keep_details
from python_runner.records.locks import FileLock, Holder
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine
from python_runner.records.outputs import delete_old_outputs, output_folder
from python_runner.records.store import DATABASE_NAME, StoreError, open_store
from python_runner.runner.session import local_now
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.windows,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
]

_GENERIC_READ = 0x80000000
_OPEN_EXISTING = 3
#: What the other program allows meanwhile: nothing, or to read.
SHARES = {"nothing": 0, "read": 1}

if sys.platform == "win32":
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.CreateFileW.restype = wintypes.HANDLE
    _kernel32.CreateFileW.argtypes = (
        wintypes.LPCWSTR,
        wintypes.DWORD,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        wintypes.DWORD,
        wintypes.HANDLE,
    )
    _kernel32.CloseHandle.argtypes = (wintypes.HANDLE,)

    @contextmanager
    def held(path: Path, share: str, seconds: float | None) -> Iterator[None]:
        """Have a file open for so many seconds; None: as long as the block."""
        handle = _kernel32.CreateFileW(
            str(path), _GENERIC_READ, SHARES[share], None, _OPEN_EXISTING, 0, None
        )
        assert handle != wintypes.HANDLE(-1).value, ctypes.get_last_error()
        closing = threading.Timer(seconds or 3600, _kernel32.CloseHandle, [handle])
        closing.start()
        try:
            yield
        finally:
            if seconds is None:
                closing.cancel()
                _kernel32.CloseHandle(handle)
            closing.join()

else:

    @contextmanager
    def held(path: Path, share: str, seconds: float | None) -> Iterator[None]:
        """Do nothing elsewhere."""
        raise NotImplementedError((path, share, seconds))
        yield


def log_of(folder: Path) -> LogFile:
    """Return a log whose file bears the name that the table holds."""
    return LogFile(folder, "file", backup_count=1, rotation_days=1)


def a_line() -> LogLine:
    """Return a line of a log."""
    return LogLine(
        time=local_now(),
        level="INFO",
        host="h",
        run_id="1" * 13,
        minutes=0.0,
        script="a.py",
        status="success",
    )


def write_log(path: Path) -> None:
    """Add a line to the log."""
    log_of(path.parent).write(a_line())


def archive(path: Path) -> None:
    """Set the log aside."""
    log = log_of(path.parent)
    log.write(a_line())
    if warning := log.rotate(local_now() + timedelta(days=2)):
        raise OSError(str(warning))
    assert not path.exists()


def capture(path: Path) -> None:
    """Take the output of an attempt."""
    captured = open_capture(path, 1000, 0.0)
    os.write(captured.descriptor, b"text\n")
    captured.close()
    if captured.elsewhere:
        raise OSError(*map(str, captured.warnings))
    assert path.read_bytes().endswith(b"text\n")


def replace(path: Path) -> None:
    """Write a page, a backup or a mail in the place of the one before."""
    with files.replacing(path) as new:
        new.write(b"new")


def keep_records(path: Path) -> None:
    """Open the records; they lie in a folder of their own."""
    try:
        open_store(path.parent, local_now()).close()
    except StoreError as error:
        raise OSError(str(error)) from error


def lock(path: Path) -> None:
    """Take the lock of a project."""
    holder = Holder(pid=os.getpid(), host="h", run_id="", started_at=local_now())
    with FileLock(path) as taken:
        assert taken.acquire(holder, wait=False)


def details(path: Path) -> None:
    """Keep the details of an error."""
    keep_details(path.parent.parent, "text", local_now())


#: What is done with a file, and which one that is, in the folder of the test.
USES: dict[str, tuple[Callable[[Path], None], Callable[[Path], Path]]] = {
    "log": (write_log, lambda folder: folder / "file"),
    "output": (capture, lambda folder: folder / "output.log"),
    "page": (replace, lambda folder: folder / "page.html"),
    "deleted": (files.remove, lambda folder: folder / "old.log"),
    "records": (keep_records, lambda folder: folder / DATABASE_NAME),
    "lock": (lock, lambda folder: folder / "locks" / "p.lock"),
    "errors": (
        details,
        lambda folder: folder.parent / "errors" / f"{local_now():%Y-%m-%d}.txt",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for the files."""
    (tmp_path / "p").mkdir()
    return tmp_path / "p"


def made(name: str, folder: Path) -> tuple[Callable[[Path], None], Path]:
    """Make the file of a use; return the use and the file."""
    use, place = USES[name]
    path = place(folder)
    if name == "records":
        keep_records(path)
    else:
        files.make_folder(path.parent)
        path.write_bytes(b"" if name in {"lock", "errors"} else b"x\n")
    return use, path


@pytest.mark.parametrize("seconds", [0.05, 1.0])
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", USES)
def test_a_file_that_is_held_for_a_moment_is_waited_for(
    folder: Path, name: str, share: str, seconds: float
) -> None:
    """Nothing is lost, and nothing is told."""
    use, path = made(name, folder)
    with held(path, share, seconds):
        use(path)
    assert name != "log" or path.read_bytes().endswith(b"a.py - success\n")


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", USES)
def test_a_file_that_stays_held_is_told_as_held(
    folder: Path, name: str, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded in time, in the system's own words; afterwards all goes on as before."""
    monkeypatch.setattr(files, "_PATIENCE", (0.01, 0.01))
    use, path = made(name, folder)
    begin = time.monotonic()
    with held(path, share, None), pytest.raises(OSError, match=r".") as caught:
        use(path)
    assert time.monotonic() - begin < GENEROUS
    assert "Permission denied" not in str(caught.value)
    use(path)


def test_a_log_that_is_held_at_its_rotation_goes_on(folder: Path) -> None:
    """It is set aside a moment later, or by the next run."""
    write_log(folder / "file")
    with held(folder / "file", "nothing", 1.0):
        archive(folder / "file")
    assert len(list(folder.iterdir())) == 1


def test_what_is_read_only_is_deleted_all_the_same(folder: Path) -> None:
    """Archives, outputs and their folders: the attribute protects nothing on POSIX."""
    now = local_now()
    for day in (1, 2, 3):
        old = folder / f"file.2024-11-0{day}_09-25"
        old.write_bytes(b"x\n")
        old.chmod(stat.S_IREAD)
    outputs = output_folder(folder, "1" * 13, now - timedelta(days=90))
    outputs.mkdir(parents=True)
    (outputs / "01_a.py.log").touch()
    (outputs / "01_a.py.log").chmod(stat.S_IREAD)

    refused: list[OSError] = []
    log_of(folder).rotate(now)
    assert delete_old_outputs(folder, 30, now, stays=refused.append) == 1
    assert refused == []

    assert [path.name for path in folder.glob("file.*")] == ["file.2024-11-03_09-25"]
