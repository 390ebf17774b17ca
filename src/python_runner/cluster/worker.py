"""What runs on a worker: one script for each of its threads."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from python_runner.cluster.plain_success import plain_event
from python_runner.cluster.task import Answer, Examined
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.boot_clock import boot_seconds
from python_runner.execution.environment import (
    child_environment,
    python_flags,
    script_environment,
)
from python_runner.execution.guard import GUARD_MARKER, Guard
from python_runner.execution.interpreter_version import ask_version
from python_runner.execution.interpreters import find_command
from python_runner.execution.process import run_command
from python_runner.execution.stop import StopRequest, Wake
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

#: Seconds between two looks at the leases, at most.
_LOOK = 0.5
#: Seconds that a script of an expired lease has to end by itself.
_GRACE = 2.0
#: Seconds after which a worker asks again whether it may begin.
_ASKING = 2.0


@dataclass(slots=True, kw_only=True)
class _Running:
    """A task that this worker has.

    Attributes:
        token: of the task.
        owner: stands for the project of one coordinator.
        offer: stands for this time that the task has come here.
        lease: seconds.
        asked: when the coordinator was asked whether it may begin, each time.
        heard: before the coordinator sent its last word; 0.0 until it may begin.
        refused: whether it may not.
        expired: when the lease was found to have ended; 0.0 while it has not.
    """

    token: str
    owner: str
    lease: float
    stop: StopRequest
    offer: str = field(default_factory=lambda: os.urandom(8).hex())
    asked: list[float] = field(default_factory=list)
    wake: Wake = field(default_factory=Wake)
    heard: float = 0.0
    refused: bool = False
    expired: float = 0.0

    @property
    def may_begin(self) -> bool:
        """Whether it may: what the coordinator said was not under way for too long."""
        return self.heard > 0 and boot_seconds() - self.heard <= self.lease

    def decide(self, turn: int, *, may: bool) -> None:
        """Take what the coordinator says to an offer.

        Its lease begins when it was asked: the word came later, by whichever clock.
        """
        if may and 0 <= turn < len(self.asked):
            self.heard = max(self.heard, self.asked[turn])
        self.refused = self.refused or not may
        self.wake.give()


class _Worker:
    """The tasks of this process, and their guard."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tasks: dict[str, _Running] = {}
        self._guard: Guard | None = None
        self._watching = False

    def take(self, task: Task) -> _Running:
        """Note that a task has come; it may not begin yet."""
        running = _Running(
            token=task.token, owner=task.owner, lease=task.lease, stop=StopRequest()
        )
        running.stop.subscribe(running.wake.give)
        self._tasks[running.offer] = running
        return running

    def guard_mark(self, silence: float) -> str:
        """Return the mark of what the guard ends, with a guard that is there.

        Raises:
            OSError: none can be started.
        """
        with self._lock:
            if self._guard is None or not self._guard.lives:
                self._guard = Guard(silence)
            if not self._watching:
                self._watching = True
                Thread(target=self._watch, name="leases", daemon=True).start()
            return self._guard.mark

    def leave(self, running: _Running) -> bool:
        """Note that a task has ended; say whether its lease had."""
        self._tasks.pop(running.offer, None)
        return bool(running.expired)

    def decide(self, offer: str, turn: int, *, may: bool) -> None:
        """Take what the coordinator says to an offer."""
        if running := self._tasks.get(offer):
            running.decide(turn, may=may)

    def renew(self, tokens: Collection[str]) -> list[str]:
        """Renew leases that have not ended; return which of the tasks run here."""
        now, found = boot_seconds(), []
        for running in self._tasks.copy().values():
            if running.token not in tokens or not running.heard:
                continue
            found.append(running.token)
            # A word that was under way for longer than the lease comes too late.
            if now - running.heard <= running.lease:
                running.heard = now
        return found

    def stop(self, tokens: Collection[str], owner: str, *, kill: bool) -> list[str]:
        """Stop tasks, by their names or their owner; return those that are still here."""
        found = [
            running
            for running in self._tasks.copy().values()
            if running.token in tokens or (owner and running.owner == owner)
        ]
        for running in found:
            running.stop.request(kill=kill)
        return [running.token for running in found]

    def _watch(self) -> None:
        while True:
            now, pause = boot_seconds(), _LOOK
            for running in self._tasks.copy().values():
                pause = min(pause, running.lease / 4)
                if not running.heard:
                    continue
                # Where the computer slept meanwhile, somebody may go on elsewhere.
                late = now - running.heard - running.lease > _GRACE
                if running.expired:
                    running.stop.request(kill=late)
                elif now - running.heard > running.lease:
                    running.expired = now
                    running.stop.request(kill=late)
            time.sleep(pause)


_worker = _Worker()


def package_version() -> str:
    """Return the version of this package on the worker."""
    return __version__


def hear_no_signal() -> None:
    """Let what stops a coordinator end none of its own workers: it stops their scripts.

    A terminal sends Ctrl-C to all processes, and ``timeout``, systemd or Airflow SIGTERM.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):
            # Not ignored: what the worker starts would inherit that.
            signal.signal(number, lambda *_: None)


def decide(offer: str, turn: int, may: bool) -> None:
    """Take what a coordinator says to an offer of this worker."""
    _worker.decide(offer, turn, may=may)


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
    """Run an attempt to its end, if the coordinator lets this worker.

    Whatever goes wrong is part of the answer.
    """
    from distributed import get_worker  # noqa: PLC0415 - an extra

    started_at, running = datetime.now().astimezone(), _worker.take(task)
    attempt, output, expired = None, None, False
    try:
        asking = _Asking(get_worker(), task, running)
        asking.ask()
        # What can be done before anything may begin is done while the answer comes.
        ready = _prepared(task, _worker.guard_mark(task.lease))
        if isinstance(ready, Sentence):
            attempt = _not_started(started_at, ready)
        elif asking.may_begin():
            attempt, output = _run(ready, running.stop)
    except Exception as error:  # noqa: BLE001 - the coordinator says it
        attempt = _not_started(started_at, _why(error))
    finally:
        expired = _worker.leave(running)
    answer = Answer(
        offer=running.offer, attempt=attempt, output=output, expired=expired
    )
    # Where it does not arrive the answer does.
    with suppress(Exception):
        if event := plain_event(task.token, answer):
            get_worker().log_event(task.topic, event)
    return answer


@dataclass(slots=True)
class _Asking:
    """Asks the coordinator of a task whether this worker may begin it.

    Dask gives what a lost worker had to another one, and a task may lie in a queue longer
    than anybody waits for it. The coordinator alone knows; where it says nothing, nothing
    begins.
    """

    worker: Any
    task: Task
    running: _Running

    def ask(self) -> None:
        """Ask, once more perhaps."""
        running = self.running
        offer = {
            "token": self.task.token,
            "worker": self.worker.address,
            "offer": running.offer,
            "turn": len(running.asked),
        }
        running.asked.append(boot_seconds())
        self.worker.log_event(self.task.topic, offer)

    def may_begin(self) -> bool:
        """Wait for the answer; say whether it is yes, and not too old."""
        running = self.running
        until = running.asked[0] + self.task.lease
        while not (running.heard or running.refused or running.stop.requested):
            now = boot_seconds()
            if now > until:
                return False
            if now - running.asked[-1] > _ASKING:
                self.ask()
            running.wake.nap(_LOOK)
        return running.may_begin and not running.refused


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


def _prepared(task: Task, mark: str) -> Command | Sentence:
    """Return the command of a task as it is started here, or why it cannot be.

    Raises:
        PythonRunnerError: the interpreter is not there.
    """
    given = {**task.command.env, GUARD_MARKER: mark}
    bare = child_environment(os.environ, given, run_id=task.command.run_id)
    _, script, *arguments = task.command.argv
    if task.version != __version__:
        template = N_("this worker has version {version} of Python Runner")
        return Sentence.of(template, version=__version__)
    if not is_file(script):
        return Sentence.of(N_("script not found: {path}"), path=script)
    (program, *own), identity = _interpreter(
        task.python_command, task.command.project, bare
    )
    environment = script_environment(bare, identity)
    return replace(
        task.command,
        argv=(program, script, *arguments),
        flags=(*own, *python_flags(identity)),
        env=environment,
        version=identity.version or "",
        masker=Masker(secret_values(os.environ, environment)),
    )


def _run(command: Command, stop: StopRequest) -> tuple[Attempt, bytes | None]:
    """Run a command; return its output as well where it is no file of the project."""
    wanted = Path(command.output)
    # The coordinator has made the folder. Where it is not seen, another disk has the
    # project, and what is written there nobody finds.
    if is_folder(wanted.parent) and may_write_in(wanted.parent):
        attempt = run_command(command, stop)
        # Its file could not be written after all: it is in one of this computer.
        return (
            _brought(attempt, Path(attempt.output))
            if attempt.output
            else (attempt, None)
        )
    return _run_apart(command, stop)


def _run_apart(command: Command, stop: StopRequest) -> tuple[Attempt, bytes | None]:
    """Run a command with its output in a file of this worker; return what that holds."""
    with tempfile.TemporaryDirectory(
        prefix="python-runner-", ignore_cleanup_errors=True
    ) as folder:
        attempt = run_command(
            replace(command, output=str(Path(folder, "output.log"))), stop
        )
        return _brought(attempt, Path(attempt.output or Path(folder, "output.log")))


def _brought(attempt: Attempt, file: Path) -> tuple[Attempt, bytes | None]:
    """Return an attempt and its output, whose file is not left here."""
    attempt = replace(attempt, output=None)
    try:
        with reading(file) as source:
            output = source.read()
    except OSError as error:
        template = N_("its output could not be kept: {error}")
        warning = Sentence.of(template, error=system_error(error))
        return replace(attempt, warnings=(*attempt.warnings, warning)), None
    with suppress(OSError):
        remove(file)
    return attempt, output
