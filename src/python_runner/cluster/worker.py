"""What runs on a worker: one script for each of its threads."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from python_runner.cluster.task import Answer, Examined
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.environment import (
    child_environment,
    python_flags,
    script_environment,
)
from python_runner.execution.guard import GUARD_MARKER, Guard
from python_runner.execution.interpreter_version import ask_version
from python_runner.execution.interpreters import find_command
from python_runner.execution.process import run_command
from python_runner.execution.stop import StopRequest
from python_runner.facts import dataclass
from python_runner.files import is_file, is_folder, may_write_in, reading, remove
from python_runner.masking import Masker
from python_runner.model import Attempt, Outcome
from python_runner.secret_values import secret_values
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from python_runner.cluster.task import PythonCommand, Question, Task
    from python_runner.model import Command, Interpreter

#: Seconds between two looks at the leases, at most, and for a lock to get free.
_LOOK = 0.5
#: Seconds that a script of an expired lease has to end by itself.
_GRACE = 2.0
#: Seconds that the scheduler has to say whether a task was begun before.
_PATIENCE = 30.0


@dataclass(slots=True, kw_only=True)
class _Running:
    """A task that this worker runs.

    Attributes:
        owner: stands for the project of one coordinator.
        lease: seconds.
        heard: when a word of the coordinator came last, by the monotonic clock here.
        expired: when the lease was found to have ended; 0.0 while it has not.
    """

    owner: str
    lease: float
    heard: float
    stop: StopRequest
    expired: float = 0.0


class _Worker:
    """The tasks of this process, and their guard."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tasks: dict[str, _Running] = {}
        self._guard: Guard | None = None
        self._watching = False

    def begin(self, task: Task) -> tuple[StopRequest, str]:
        """Note that a task begins; return what stops it, and the mark of its processes.

        Raises:
            OSError: there is no guard, and none can be started.
        """
        with self._lock:
            if self._guard is None or not self._guard.lives:
                self._guard = Guard(task.lease)
            if not self._watching:
                self._watching = True
                Thread(target=self._watch, name="leases", daemon=True).start()
            stop = StopRequest()
            self._tasks[task.token] = _Running(
                owner=task.owner, lease=task.lease, heard=time.monotonic(), stop=stop
            )
            return stop, self._guard.mark

    def end(self, token: str) -> bool:
        """Note that a task has ended; say whether its lease had."""
        with self._lock:
            running = self._tasks.pop(token, None)
            return bool(running and running.expired)

    def renew(self, tokens: Collection[str]) -> list[str]:
        """Renew leases that have not ended; return the tasks that run here."""
        now = time.monotonic()
        for token, running in self._tasks.copy().items():
            # A word that was under way for longer than the lease comes too late.
            if token in tokens and now - running.heard <= running.lease:
                running.heard = now
        return [*self._tasks]

    def stop(self, tokens: Collection[str], owner: str, *, kill: bool) -> list[str]:
        """Stop tasks, by their names or their owner; return those that still run."""
        found = [
            (token, running)
            for token, running in self._tasks.copy().items()
            if token in tokens or (owner and running.owner == owner)
        ]
        for _token, running in found:
            running.stop.request(kill=kill)
        return [token for token, _running in found]

    def _watch(self) -> None:
        while True:
            now, pause = time.monotonic(), _LOOK
            for running in self._tasks.copy().values():
                pause = min(pause, running.lease / 4)
                if running.expired:
                    running.stop.request(kill=now - running.expired > _GRACE)
                elif now - running.heard > running.lease:
                    running.expired = now
                    running.stop.request()
            time.sleep(pause)


_worker = _Worker()


def package_version() -> str:
    """Return the version of this package on the worker."""
    return __version__


def hear_no_interrupt() -> None:
    """Let Ctrl-C in the terminal of a coordinator end none of its own workers."""
    with suppress(ValueError):
        # Not ignored: what the worker starts would inherit that.
        signal.signal(signal.SIGINT, lambda *_: None)


def renew(tokens: Collection[str]) -> list[str]:
    """Renew the leases of tasks; return the tasks that run on the worker."""
    return _worker.renew(tokens)


def stop_tasks(tokens: Collection[str], owner: str, kill: bool) -> list[str]:
    """Stop tasks by their names or their owner; return those that still run."""
    return _worker.stop(tokens, owner, kill=kill)


async def examine(question: Question) -> Examined:
    """Say whether this worker can run scripts of a project."""
    return await asyncio.to_thread(_examine, question)


def _examine(question: Question) -> Examined:
    for folder in (question.project, question.directory):
        if not is_folder(folder):
            template = N_("it does not see the folder {path}")
            return Examined(problem=Sentence.of(template, path=folder))
    environment = child_environment(os.environ, question.env, run_id="")
    try:
        _, interpreter = _interpreter(
            question.python_command, question.project, environment
        )
    except PythonRunnerError as error:
        # In the language of the worker: it is a text by now.
        return Examined(problem=Sentence.of("{error}", error=str(error)))
    return Examined(interpreter=interpreter)


def _interpreter(
    command: PythonCommand, project: str, environment: Mapping[str, str]
) -> tuple[tuple[str, ...], Interpreter]:
    """Return what starts scripts here, and what it says about itself.

    Raises:
        BadPythonInterpreter: it is not there.
    """
    found = find_command(command, Path(project), environ=environment)
    path = environment.get("PATH", "")
    return found, _identity(found, project, path)


@lru_cache(maxsize=64)
def _identity(command: tuple[str, ...], project: str, _path: str) -> Interpreter:
    program, *arguments = command
    environment = child_environment(os.environ, {}, run_id="")
    return ask_version(Path(program), Path(project), environment, arguments)


def run_task(task: Task) -> Answer:
    """Run an attempt to its end, unless it has been begun somewhere before.

    Whatever goes wrong is part of the answer.
    """
    from distributed import get_worker  # noqa: PLC0415 - an extra

    worker = get_worker()
    if not _is_first(worker, task.token):
        return Answer(worker=worker.address, attempt=None)
    started_at, output, expired = datetime.now().astimezone(), None, False
    try:
        stop, mark = _worker.begin(task)
        try:
            attempt, output = _run(task, stop, mark)
        finally:
            expired = _worker.end(task.token)
    except Exception as error:  # noqa: BLE001 - the coordinator says it
        attempt = _not_started(started_at, _why(error))
    return Answer(
        worker=worker.address, attempt=attempt, output=output, expired=expired
    )


def _is_first(worker: Any, token: str) -> bool:
    """Say whether no worker has begun a task before, and let none begin it later.

    The scheduler gives what a lost worker had to another one. Who gets the lock of a task
    is the first, for ever: the coordinator alone gives it back.
    """
    asked = worker.scheduler.multi_lock_acquire(
        locks=[token], id=claim_of(token, worker.address), timeout=_LOOK, num_locks=1
    )
    # The coordinator has it for a moment when it asks whether somebody has. Where nobody
    # knows, it is not run.
    with suppress(Exception):
        loop = worker.loop.asyncio_loop
        return bool(asyncio.run_coroutine_threadsafe(asked, loop).result(_PATIENCE))
    return False


def claim_of(token: str, address: str) -> str:
    """Return by which name the worker with an address holds the lock of a task."""
    return f"{token}/{address}"


def _why(error: Exception) -> Sentence:
    told = system_error(error) if isinstance(error, OSError) else str(error)
    template = N_("could not be started: {error}")
    return Sentence.of(template, error=told or type(error).__name__)


def _not_started(started_at: datetime, reason: Sentence) -> Attempt:
    return Attempt(
        outcome=Outcome.NOT_STARTED,
        exit_code=None,
        started_at=started_at,
        duration=0.0,
        reason=reason,
    )


def _run(task: Task, stop: StopRequest, mark: str) -> tuple[Attempt, bytes | None]:
    """Run a task; return its output as well where it is no file of the project."""
    given = {**task.command.env, GUARD_MARKER: mark}
    bare = child_environment(os.environ, given, run_id=task.command.run_id)
    started_at = datetime.now().astimezone()
    _, script, *arguments = task.command.argv
    if task.version != __version__:
        template = N_("this worker has version {version} of Python Runner")
        return _not_started(
            started_at, Sentence.of(template, version=__version__)
        ), None
    if not is_file(script):
        template = N_("script not found: {path}")
        return _not_started(started_at, Sentence.of(template, path=script)), None
    (program, *own), identity = _interpreter(
        task.python_command, task.command.project, bare
    )
    environment = script_environment(bare, identity)
    command = replace(
        task.command,
        argv=(program, script, *arguments),
        flags=(*own, *python_flags(identity)),
        env=environment,
        version=identity.version or "",
        masker=Masker(secret_values(os.environ, environment)),
    )
    wanted = Path(command.output)
    # The coordinator has made the folder. Where it is not seen, another disk has the
    # project, and what is written there nobody finds.
    if is_folder(wanted.parent) and may_write_in(wanted.parent):
        return run_command(command, stop), None
    return _run_apart(command, stop)


def _run_apart(command: Command, stop: StopRequest) -> tuple[Attempt, bytes | None]:
    """Run a command with its output in a file of this worker; return what that holds."""
    with tempfile.TemporaryDirectory(
        prefix="python-runner-", ignore_cleanup_errors=True
    ) as folder:
        attempt = run_command(
            replace(command, output=str(Path(folder, "output.log"))), stop
        )
        file = Path(attempt.output or Path(folder, "output.log"))
        try:
            with reading(file) as source:
                output = source.read()
        except OSError as error:
            template = N_("its output could not be kept: {error}")
            warning = Sentence.of(template, error=system_error(error))
            return replace(
                attempt, output=None, warnings=(*attempt.warnings, warning)
            ), None
        if attempt.output:
            remove(file)
    return replace(attempt, output=None), output
