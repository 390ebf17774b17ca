"""The types, values and plain functions that many tests share.

Fixtures are in ``conftest.py`` and ``builders.py``, servers in ``servers/``.
"""

from __future__ import annotations

import email
import email.policy
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import settings

from python_runner.model import Outcome, Run, RunStatus, ScriptResult
from python_runner.records.store import Store, open_store


if TYPE_CHECKING:
    import pytest

# What the fixtures of these names return: make_project, cli, serve_web, make_result,
# make_run.
MakeProject = Callable[..., Path]
Cli = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., Any]
MakeResult = Callable[..., ScriptResult]
MakeRun = Callable[..., Run]

#: Whether only the quick profile is wanted: on each change, by ``.ci/run``.
QUICK = bool(os.environ.get("CI")) and os.environ.get("PYTHON_RUNNER_LONG") != "1"

#: Seconds within which whatever is bounded ends, however busy the machine is; silent servers
#: are silent for longer.
GENEROUS = 60.0

_MEMORY = Path("/dev/shm").absolute()  # noqa: S108 - what is made in it is private
#: Where folders lie in memory; None where there is no such place. A kill needs no sync to
#: count, and a test that writes thousands of times waits for each on a disk.
MEMORY = _MEMORY if os.access(_MEMORY, os.W_OK) else None

#: The real command.
COMMAND = (sys.executable, "-m", "python_runner")

#: Any moment, always the same.
NOW = datetime(2026, 11, 23, 9, 51, 58, tzinfo=UTC)
#: When the tests began: for what a command compares with its own clock.
TODAY = datetime.now(UTC)

# Sources of scripts: one that succeeds, one that fails, and a series of three.
GOOD = "print('fine')"
BAD = "def load():\n    raise KeyError('montant')\n\nload()\n"
SERIES = {"first.py": GOOD, "bad.py": BAD, "last.py": GOOD}


def with_tests_importable() -> dict[str, str]:
    """Return the environment for a test file that is run as a program of its own."""
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}


def examples(usual: int) -> settings:
    """Return Hypothesis' settings for a test that usually takes so many examples."""
    return settings(max_examples=max(1, usual * settings().max_examples // 100))


def wait_until(condition: Callable[[], object], seconds: float = GENEROUS) -> None:
    """Wait until ``condition`` returns something true; fail after ``seconds``.

    The limit is for what never comes, however slow the machine is.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{condition} was never true"
        time.sleep(0.02)


def allow_threads(
    patch: pytest.MonkeyPatch, allowed: int, *, refused: float = float("inf")
) -> None:
    """Let so many threads be started, then refuse some, as a system does that is full."""
    begin, count = threading.Thread.start, itertools.count()

    def begin_if_allowed(thread: threading.Thread) -> None:
        if allowed <= next(count) < allowed + refused:
            raise RuntimeError("can't start new thread")
        begin(thread)

    patch.setattr(threading.Thread, "start", begin_if_allowed)


def mails(folder: Path) -> list[email.message.EmailMessage]:
    """Return the mails dropped into a folder, in the order of their runs."""
    found = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(folder.glob("*.eml"), key=lambda p: p.stat().st_mtime_ns)
    ]
    return sorted(found, key=lambda mail: mail["Date"].datetime)


@contextmanager
def started(
    folder: Path, *arguments: object, command: Sequence[str] = COMMAND
) -> Iterator[subprocess.Popen[str]]:
    """Start the real command; it is gone when the block is left."""
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def keep(
    store: Store,
    run_id: str,
    path: Path,
    *outcomes: Outcome,
    ago: timedelta = timedelta(),
    duration: float = 1.0,
) -> None:
    """Record a run of the scripts 1.py, 2.py, ... that ended so, before ``TODAY``."""
    began = TODAY - ago
    results = tuple(
        ScriptResult(
            script=f"{number}.py",
            run_id=run_id,
            number=number,
            outcome=outcome,
            started_at=began,
            duration=duration,
        )
        for number, outcome in enumerate(outcomes, 1)
    )
    success = all(result.succeeded for result in results)
    run = Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=RunStatus.SUCCESS if success else RunStatus.FAILURE,
        started_at=began,
        duration=duration * len(results),
        scripts=results,
    )
    store.end_run(run, [], TODAY)


def last_run_id() -> str:
    """Return the id of the newest run: the one that is open, else the last ended."""
    with open_store(Path(os.environ["PYTHON_RUNNER_HOME"]), TODAY) as store:
        active = store.open_runs()
        return active[0].run_id if active else store.runs(limit=1)[0].run_id


if sys.platform != "win32":

    def make_special(path: Path, kind: str) -> None:
        """Put something that is no regular file in the place of one."""
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as server:
                # The name of a socket is short: it is made in the folder itself.
                before = Path.cwd()
                os.chdir(path.parent)
                try:
                    server.bind(path.name)
                finally:
                    os.chdir(before)
        elif kind == "folder":
            path.mkdir()
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            raise ValueError(kind)
