"""A run in one process whose n-th system call fails.

Started by ``test_system_calls.py`` with one JSON document as its argument::

    python tests/instruments/failing_calls.py '{"scenario": "library", "project": ...,
        "first": 17, "errno": 5, "onwards": false, "answer": "answer.json"}'

It writes to ``answer``: the sites of all counted calls (each as
``function:call``, the function being the innermost one of the product), what the run
told, and the traceback of whatever left it.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import runpy
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    from python_runner import Runner

#: Functions of ``os`` that ask the system for something that can be refused.
CALLS = [
    "access",
    "chmod",
    "chdir",
    "dup",
    "fstat",
    "fsync",
    "ftruncate",
    "getcwd",
    "link",
    "listdir",
    "lseek",
    "lstat",
    "mkdir",
    "open",
    "pipe",
    "read",
    "readlink",
    "remove",
    "rename",
    "replace",
    "rmdir",
    "scandir",
    "stat",
    "statvfs",
    "symlink",
    "truncate",
    "unlink",
    "utime",
    "write",
]
#: Standard modules between the product and the system whose own calls do not count:
#: what they read from a child is no matter of disks, and an import is not the run's.
_NOT_THROUGH = ("subprocess.py", "importlib", "linecache.py")

if os.name == "nt":
    import msvcrt
else:
    import fcntl


class Failing:
    """Counts the product's system calls, and fails some of them.

    Args:
        first: number of the call that fails, from 0; None: none does.
        code: what the system answers then, a number of ``errno`` or of Windows.
        onwards: whether all later calls fail as well.
    """

    def __init__(self, first: int | None, code: int, *, onwards: bool) -> None:
        self.sites: list[str] = []
        self.failed: list[str] = []
        self.armed = False
        self._first = first
        self._code = code
        self._onwards = onwards
        self._lock = threading.Lock()

    def interpose(self) -> None:
        """Stand between the product and the system, from now on."""
        for name in CALLS:
            if hasattr(os, name):
                self._replace(os, name)
        opened = self._wrapped("open", io.open)
        io.open = builtins.open = self._with_failing_writes(opened)
        refused = RuntimeError("can't start new thread")
        self._replace(threading, "_start_new_thread", "thread", refused)
        self._replace(subprocess.Popen, "_execute_child", "Popen")
        no_file = sqlite3.OperationalError("unable to open database file")
        self._replace(sqlite3, "connect", "sqlite3.connect", no_file)
        if os.name == "nt":
            self._replace(msvcrt, "locking", "lock")
        else:
            self._replace(fcntl, "flock", "lock")
            self._replace(fcntl, "lockf", "lock")

    def _replace(
        self, owner: Any, name: str, told: str = "", error: Exception | None = None
    ) -> None:
        setattr(owner, name, self._wrapped(told or name, getattr(owner, name), error))

    def _wrapped(
        self, name: str, call: Callable[..., Any], error: Exception | None = None
    ) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self.armed and self._fails(name):
                if name == "access":
                    # It answers; it raises nothing.
                    return False
                named = args and isinstance(args[0], (str, os.PathLike))
                raise error or self._error(os.fspath(args[0]) if named else None)
            return call(*args, **kwargs)

        return wrapper

    def _with_failing_writes(self, opened: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            file = opened(*args, **kwargs)
            with contextlib.suppress(AttributeError):
                if file.writable():
                    file.write = self._wrapped("write", file.write)
            return file

        return wrapper

    def _error(self, path: Any) -> OSError:
        if os.name == "nt":
            # A WinError is the fourth argument; Python finds the errno itself.
            return OSError(0, "the instrument", path, self._code)
        return OSError(self._code, os.strerror(self._code), path)

    def _fails(self, name: str) -> bool:
        frame = sys._getframe(2)  # noqa: SLF001 - the caller's stack
        if name == "Popen" and frame.f_back is not None:
            # Its caller is subprocess itself.
            frame = frame.f_back
        site = product_site(frame)
        if site is None:
            return False
        with self._lock:
            number = len(self.sites)
            self.sites.append(f"{site}:{name}")
            fails = self._first is not None and (
                number >= self._first if self._onwards else number == self._first
            )
            if fails:
                self.failed.append(self.sites[-1])
        return fails


def product_site(frame: FrameType | None) -> str | None:
    """Return the innermost function of the product on a stack, if one asks."""
    while frame is not None:
        file = frame.f_code.co_filename
        if f"{os.sep}python_runner{os.sep}" in file:
            # A comprehension is a function of its own before Python 3.12.
            return frame.f_code.co_qualname.partition(".<locals>")[0]
        if any(part in file for part in _NOT_THROUGH):
            return None
        frame = frame.f_back
    return None


def run_library(runner: Runner) -> Sequence[Mapping[str, Any]]:
    """Run a series as a program of the user's does."""
    return runner.run(
        ["a.py", "b.py", "c.py"], sys.executable, "all", include_traceback=True
    )


def run_command(*arguments: object) -> tuple[Any, str, str]:
    """Run the command in this process; return its exit code and what it printed."""
    data = io.BytesIO(), io.BytesIO()
    out, err = (
        io.TextIOWrapper(one, encoding="utf-8", write_through=True) for one in data
    )
    before, sys.argv = sys.argv, ["python-runner", *map(str, arguments)]
    code: Any = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_module("python_runner", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = before
    texts = [one.getvalue().decode(errors="replace") for one in data]
    return code, texts[0], texts[1]


def main(document: str) -> None:
    """Run one scenario with one failure, and write down what came of it."""
    point = json.loads(document)
    project = Path(point["project"])
    failing = Failing(point["first"], point["errno"], onwards=point["onwards"])
    answer: dict[str, Any] = {
        "exception": None,
        "exit_code": None,
        "refused": None,
        "told": None,
    }
    # Modules are there before calls are counted: reading them is not the run's.
    for name in ("history", "run"):
        run_command(name, "--help")
    from python_runner import PythonRunnerError, Runner  # noqa: PLC0415

    runner = Runner(project, ["someone@example.com"])
    write, replace = io.open, shutil.move
    failing.interpose()
    failing.armed = True
    try:
        if point["scenario"] == "library":
            answer["told"] = {"scripts": run_library(runner)}
        else:
            code, out, err = run_command("run", "--json", project)
            answer |= {"exit_code": code, "stdout": out, "stderr": err}
            with contextlib.suppress(ValueError):
                answer["told"] = json.loads(out)["runs"][0]
    except PythonRunnerError as error:
        answer["refused"] = str(error)
    except BaseException:  # noqa: BLE001 - whatever leaves the run is the finding
        answer["exception"] = traceback.format_exc()
    failing.armed = False
    answer |= {"sites": failing.sites, "failed": failing.failed}
    answer["threads"] = [t.name for t in threading.enumerate() if not t.daemon][1:]
    answer["history"] = run_command("history", "--json", project)[1]
    target = Path(point["answer"])
    with write(target.with_suffix(".new"), "w", encoding="utf-8") as file:
        json.dump(answer, file)
    replace(target.with_suffix(".new"), target)


if __name__ == "__main__":
    tempfile.tempdir = tempfile.gettempdir()
    main(sys.argv[1])
