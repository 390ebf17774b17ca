"""What the project relies on in Windows itself, shown without the project.

When one of these fails, the platform is not what the code was written for: look here
before looking at the code.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from ast import literal_eval
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import wait_until


if sys.platform != "win32":
    pytest.skip("facts about Windows", allow_module_level=True)

import msvcrt
from ctypes import wintypes


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.windows

#: Seconds after which something that should have happened never will.
PATIENCE = 30.0
FAR_BYTE = 0x7FFF_0000

PARENT = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
Path("pids.new").write_text(f"{__import__('os').getpid()} {child.pid}")
Path("pids.new").replace("pids.txt")
time.sleep(300)
"""


def wait_for(path: Path) -> str:
    """Return what a child has written to ``path``, once it has."""
    wait_until(path.exists)
    return path.read_text(encoding="utf-8")


class KillOnCloseJob:
    """The least of a Job Object: ``close`` kills whoever is in it."""

    def __init__(self) -> None:
        self._api = ctypes.WinDLL("kernel32", use_last_error=True)
        self._api.CreateJobObjectW.restype = wintypes.HANDLE
        self._api.OpenProcess.restype = wintypes.HANDLE
        self._job = wintypes.HANDLE(self._api.CreateJobObjectW(None, None))
        # JOBOBJECT_EXTENDED_LIMIT_INFORMATION is 144 bytes on 64 bits, its flags at 16.
        limits = bytearray(144)
        limits[16:20] = (0x2000).to_bytes(4, "little")
        kind = 9  # JobObjectExtendedLimitInformation
        buffer = ctypes.create_string_buffer(bytes(limits), len(limits))
        assert self._api.SetInformationJobObject(self._job, kind, buffer, len(limits))

    def add(self, pid: int) -> None:
        """Put a process in."""
        access = 0x0101  # PROCESS_SET_QUOTA, PROCESS_TERMINATE
        process = wintypes.HANDLE(self._api.OpenProcess(access, 0, pid))
        assert self._api.AssignProcessToJobObject(self._job, process)
        self._api.CloseHandle(process)

    def close(self) -> None:
        """Give up the only handle of the job."""
        self._api.CloseHandle(self._job)


@pytest.mark.parametrize("redirected", [False, True], ids=["python", "venv"])
def test_a_closed_job_leaves_nobody(
    tmp_path: Path, venv_python: Path, *, redirected: bool
) -> None:
    """A job takes grandchildren too, also those behind a venv's redirector."""
    base = str(getattr(sys, "_base_executable", sys.executable))
    interpreter = str(venv_python) if redirected else base
    gate = "import sys; sys.stdin.read(1);"
    with closing(KillOnCloseJob()) as job:
        process = subprocess.Popen(
            [interpreter, "-c", f"{gate} exec({PARENT!r})"],
            cwd=tmp_path,
            stdin=subprocess.PIPE,
        )
        job.add(process.pid)
        assert process.stdin
        process.stdin.write(b"g")
        process.stdin.close()
        tree = [psutil.Process(int(p)) for p in wait_for(tmp_path / "pids.txt").split()]
        assert all(member.is_running() for member in tree)

    process.wait(PATIENCE)
    _, alive = psutil.wait_procs(tree, timeout=PATIENCE)
    assert not alive


@pytest.mark.parametrize("change", ["rename", "replace", "delete"])
def test_an_open_file_can_neither_move_nor_go(tmp_path: Path, change: str) -> None:
    """While anybody has a file open, it keeps its name: rotation must expect that."""
    path, other = tmp_path / "a.log", tmp_path / "a.log.2024-11-28_09-25"
    path.write_text("kept", encoding="utf-8")
    acts: dict[str, Callable[[], object]] = {
        "rename": partial(path.rename, other),
        "replace": partial(path.replace, other),
        "delete": path.unlink,
    }
    act = acts[change]

    with path.open(encoding="utf-8"), pytest.raises(PermissionError) as refused:
        act()

    assert refused.value.winerror in {5, 32}
    assert path.read_text(encoding="utf-8") == "kept"
    act()
    assert not path.exists()


LOCKER = f"""
import msvcrt, os, sys, time
from pathlib import Path
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_BINARY)
os.lseek(descriptor, {FAR_BYTE}, os.SEEK_SET)
msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
Path("pid.new").write_text(str(os.getpid()))
Path("pid.new").replace("pid.txt")
time.sleep(300)
"""


def is_free(path: Path) -> bool:
    """Try to lock the far byte of ``path``, and give it back."""
    descriptor = os.open(path, os.O_RDWR | os.O_BINARY)
    try:
        os.lseek(descriptor, FAR_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, FAR_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_a_lock_behind_the_content_excludes_but_hides_nothing(tmp_path: Path) -> None:
    """Others can read and write, not lock; and the lock dies with its holder."""
    path = tmp_path / "project.lock"
    path.write_text("who holds it", encoding="utf-8")
    assert is_free(path)
    process = subprocess.Popen([sys.executable, "-c", LOCKER, path], cwd=tmp_path)
    holder = psutil.Process(int(wait_for(tmp_path / "pid.txt")))

    assert not is_free(path)
    assert path.read_text(encoding="utf-8") == "who holds it"
    assert path.stat().st_size == len("who holds it")
    with path.open("a", encoding="utf-8") as file:
        file.write(", and more")
    holder.kill()
    process.wait(PATIENCE)

    assert is_free(path)
    assert path.read_text(encoding="utf-8") == "who holds it, and more"


def test_the_python_of_a_venv_is_a_redirector(venv_python: Path) -> None:
    """``.venv/Scripts/python.exe`` starts the interpreter as a child of its own.

    So a script has at least two processes, and killing the first alone is not enough.
    """
    code = "import os, sys; print(os.getpid(), os.getppid(), ascii(sys.prefix))"
    with subprocess.Popen(
        [venv_python, "-c", code], stdout=subprocess.PIPE, encoding="ascii"
    ) as process:
        told, _ = process.communicate(timeout=PATIENCE)

    pid, parent, prefix = told.split(maxsplit=2)
    assert process.returncode == 0
    assert int(pid) != process.pid == int(parent)
    assert Path(literal_eval(prefix)).samefile(venv_python.parents[1])


@pytest.mark.parametrize("name", ["python.exe", "python"])
def test_a_program_starts_with_and_without_exe(venv_python: Path, name: str) -> None:
    """``.venv/Scripts/python``, as the original's users write it, is found as well."""
    done = subprocess.run([venv_python.with_name(name), "-c", ""], check=False)

    assert done.returncode == 0


def test_a_script_without_console_and_input_reads_an_end(tmp_path: Path) -> None:
    """As under the Task Scheduler: no console, the null device as standard input."""
    output = tmp_path / "out.txt"
    with output.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            creationflags=subprocess.CREATE_NO_WINDOW,
            timeout=PATIENCE,
            check=False,
        )

    assert done.returncode == 0
    assert output.read_text(encoding="utf-8").strip() == "''"


def test_output_in_a_file_takes_every_character_when_told(tmp_path: Path) -> None:
    """Redirected output has the system's code page unless PYTHONIOENCODING says else."""
    output = tmp_path / "out.txt"
    with output.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", r"print('\u00e9t\u00e9 \u2705')"],
            env=os.environ | {"PYTHONIOENCODING": "utf-8:backslashreplace"},
            stdout=file,
            timeout=PATIENCE,
            check=False,
        )

    assert done.returncode == 0
    assert output.read_text(encoding="utf-8") == "été ✅\n"


def test_an_exit_code_is_an_unsigned_number() -> None:
    """What crashes in C ends with an NTSTATUS: large, never negative."""
    code = "import ctypes; ctypes.windll.kernel32.ExitProcess(0xC0000005)"
    done = subprocess.run([sys.executable, "-c", code], check=False)

    assert done.returncode == 0xC0000005


POLITE = """
import signal, sys, time
def leave(*_):
    print("asked to end", flush=True)
    sys.exit(7)
signal.signal(signal.SIGBREAK, leave)
print("ready", flush=True)
for _ in range(600):
    time.sleep(0.05)
"""


@pytest.mark.not_wine
def test_ctrl_break_asks_one_group_to_end() -> None:
    """A script in a process group of its own can be asked; the runner hears nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", POLITE],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.CTRL_BREAK_EVENT)
        told, _ = process.communicate(timeout=PATIENCE)

    assert told == "asked to end\n"
    assert process.returncode == 7
