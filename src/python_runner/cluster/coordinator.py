"""Runs attempts on the workers of a cluster, and knows what became of each."""

from __future__ import annotations

import os
import time
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Self

from python_runner.cluster import worker
from python_runner.cluster.connection import Connection
from python_runner.cluster.paths import PathMap
from python_runner.cluster.task import Answer, Examined, Question, Task
from python_runner.computer import host_name
from python_runner.exceptions import BadPythonInterpreter, PythonRunnerError
from python_runner.execution.capture import Readable, put_away
from python_runner.execution.exit_reasons import stop_reason
from python_runner.execution.stop import Wake
from python_runner.facts import dataclass
from python_runner.files import appending
from python_runner.model import Attempt, Outcome
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import system_error
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from python_runner.execution.stop import StopRequest
    from python_runner.model import Command, Interpreter, Project, Script
    from python_runner.model.cluster import ClusterPlace

#: Seconds that a worker runs a script without a word of its coordinator.
LEASE = 30.0
#: Seconds after the end of a lease in which a script has ended surely.
_ENDING = 5.0
#: Seconds that workers have to answer what is asked before a run.
_EXAMINING = 30.0
_LOOK = 0.5


@dataclass(slots=True, kw_only=True)
class _Pending:
    """An attempt that the cluster has.

    Attributes:
        began: when it was handed over; all times are of the monotonic clock here.
        heard: when a worker last said that it runs it, or nobody did so far.
        renewed: when its lease may have been renewed last.
        running: whether a worker has said so.
        lost: whether nothing was heard of it for too long.
        never: whether no worker has begun it, and none will.
    """

    began: float
    heard: float
    renewed: float
    wake: Wake = field(default_factory=Wake)
    running: bool = False
    lost: bool = False
    never: bool = False

    def is_kept_back(self, connection: Connection, token: str) -> bool:
        """Say whether no worker has begun it, and let none begin it from now on."""
        if not self.never and not self.running:
            with suppress(Exception):
                self.never = connection.claim(token)
        return self.never


class Cluster:
    """The workers of a cluster, as an executor of single attempts.

    It connects when it is needed first, and may be used from any thread.
    """

    def __init__(self, place: ClusterPlace, home: Path, lease: float = LEASE) -> None:
        """Take where it is; ``home`` is the state folder, and so whose locks hold."""
        self._place = place
        self._paths = PathMap(place.paths)
        self._home = home
        self._lease = lease
        #: After this time a script whose lease is not renewed has ended.
        self._surely = lease + min(_ENDING, lease)
        self._lock = Lock()
        self._connection: Connection | None = None
        self._pending: dict[str, _Pending] = {}
        self._closed = Event()

    def __enter__(self) -> Self:
        """Return the cluster; leaving it closes the connection."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection, and end the worker processes of this computer."""
        self._closed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def is_private(self) -> bool:
        """Whether nobody else can read what is sent to it."""
        return self._place.is_private

    def examine(self, project: Project, env: Mapping[str, str]) -> Interpreter:
        """Ask every worker whether it can run a project's scripts.

        Args:
            project: what is to be run.
            env: what it gives its scripts.

        Returns:
            The interpreter of the first worker.

        Raises:
            PythonRunnerError: the cluster cannot be reached, or a worker cannot run them,
                or none offers what a script must have; all of it is named.
        """
        connection = self.connect()
        problems = list(self._version_problems(connection))
        found: list[Interpreter] = []
        if not problems:
            there = self._paths.there
            question = Question(
                project=there(str(project.path)),
                directory=there(str(project.directory)),
                python_command=self._command_there(project.python_command),
                env=env,
            )
            answers = connection.ask_all(worker.examine, question, seconds=_EXAMINING)
            for address, answer in answers.items():
                if isinstance(answer, Examined) and answer.interpreter:
                    found.append(answer.interpreter)
                else:
                    problems.append(_named(address, _problem(answer)))
            problems.extend(_missing_resources(project.scripts, connection.offers()))
        if problems:
            message = _("the cluster {address} cannot run it: {problems}")
            raise BadPythonInterpreter(
                message.format(
                    address=self._place.address, problems="; ".join(problems)
                )
            )
        return found[0]

    def end_earlier(self, project: Project) -> None:
        """End what an earlier coordinator of a project has left on the workers.

        Called while the project's lock is held: who held it before is dead.
        """
        owner, connection = self._owner(project), self.connect()
        until = time.monotonic() + self._surely
        while time.monotonic() < until:
            answers = connection.ask_all(
                worker.stop_tasks, (), owner, True, seconds=self._lease
            )
            if not any(answer for answer in answers.values() if _is_list(answer)):
                return
            time.sleep(_LOOK)

    def run(
        self, project: Project, script: Script, command: Command, stop: StopRequest
    ) -> Attempt:
        """Run one attempt on some worker, to its end.

        Whatever the script, the worker or the cluster does is part of the result. Where
        nobody knows how it ended, it is ``interrupted``, and it has ended by then.

        Args:
            project: whose script it is.
            script: what it needs of a worker.
            command: with the paths of this computer, and the variables that the project
                gives; its masker knows what must not stay in the output.
            stop: ends the script when requested.
        """
        task = self._task(project, command)
        now = time.monotonic()
        pending = _Pending(began=now, heard=now, renewed=now)
        try:
            connection = self.connect()
            self._pending[task.token] = pending
            future = connection.submit(worker.run_task, task, script.resources)
        except Exception as error:  # noqa: BLE001 - it becomes the result
            self._pending.pop(task.token, None)
            return _unstarted(_reason_of(error), transient=True)
        future.add_done_callback(lambda _future: pending.wake.give())
        unsubscribe = stop.subscribe(pending.wake.give)
        try:
            answer = self._wait(connection, task, pending, future, stop)
        finally:
            unsubscribe()
            self._pending.pop(task.token, None)
        if answer is None:
            future.cancel()
            return self._unanswered(connection, task, pending, future, stop)
        return self._finished(answer, command, pending)

    def _wait(
        self,
        connection: Connection,
        task: Task,
        pending: _Pending,
        future: Future[Answer],
        stop: StopRequest,
    ) -> Answer | None:
        """Return the answer; None where there is none, or where it was never begun."""
        told = 0
        while not future.done() and not pending.lost:
            wanted = 2 if stop.urgent else int(stop.requested)
            if wanted > told:
                told = wanted
                if pending.is_kept_back(connection, task.token):
                    return None
                self._stop(connection, task.token, kill=stop.urgent)
            pending.wake.nap(_LOOK)
        if not future.done():
            return None
        try:
            answer = future.result()
        except (Exception, CancelledError):  # noqa: BLE001 - whatever the cluster says
            return None
        connection.release(worker.claim_of(task.token, answer.worker))
        return answer if answer.attempt else None

    def _stop(self, connection: Connection, token: str, *, kill: bool) -> None:
        def ask() -> None:
            with suppress(Exception):
                connection.ask_all(
                    worker.stop_tasks, (token,), "", kill, seconds=self._lease
                )

        # Who waits for its end goes on listening.
        Thread(target=ask, name="stop", daemon=True).start()

    def _unanswered(
        self,
        connection: Connection,
        task: Task,
        pending: _Pending,
        future: Future[Answer],
        stop: StopRequest,
    ) -> Attempt:
        """Return what came of a task without an answer; it has ended then.

        Either no worker has begun it, and none will, or it was begun, and nobody knows
        how it ended: its lease ends, and the script with it.
        """
        if pending.is_kept_back(connection, task.token):
            connection.release(task.token)
            if stop.requested:
                return replace(
                    _unstarted(stop_reason()), outcome=Outcome.STOPPED, transient=False
                )
            # A worker that came later, without this package for instance.
            with suppress(CancelledError, TimeoutError):
                if error := future.exception(timeout=0):
                    return _unstarted(_reason_of(error))
            template = N_("could not be started: the cluster has no worker any more")
            return _unstarted(Sentence.of(template), transient=True)
        self._stop(connection, task.token, kill=True)
        until = pending.renewed + self._surely
        while (left := until - time.monotonic()) > 0 and not stop.urgent:
            pending.wake.nap(min(left, _LOOK))
        template = N_("the contact with the worker was lost while the script ran")
        seconds = time.monotonic() - pending.began
        return Attempt(
            outcome=Outcome.INTERRUPTED,
            exit_code=None,
            started_at=datetime.now().astimezone() - timedelta(seconds=seconds),
            duration=seconds,
            reason=Sentence.of(template),
        )

    def _finished(self, answer: Answer, command: Command, pending: _Pending) -> Attempt:
        """Return the attempt of an answer, by the clock and the secrets of this side."""
        attempt = answer.attempt
        if attempt is None:
            raise TypeError(answer)
        seconds = min(attempt.duration, time.monotonic() - pending.began)
        started_at = datetime.now().astimezone() - timedelta(seconds=seconds)
        attempt = replace(attempt, started_at=started_at)
        if answer.expired and attempt.outcome is Outcome.STOPPED:
            template = N_(
                "the worker stopped it: it had heard nothing of the runner for {time}"
            )
            reason = Sentence.of(template, time=f"{self._lease:g} s")
            attempt = replace(attempt, outcome=Outcome.INTERRUPTED, reason=reason)
        warning = _keep_output(answer.output, command)
        if warning:
            attempt = replace(attempt, warnings=(*attempt.warnings, warning))
        return command.masker.fact(attempt)

    def _task(self, project: Project, command: Command) -> Task:
        there = self._paths.there
        program, script, *arguments = command.argv
        return Task(
            token=os.urandom(12).hex(),
            owner=self._owner(project),
            command=replace(
                command,
                argv=(program, there(script), *arguments),
                flags=(),
                cwd=there(command.cwd),
                output=there(command.output),
                project=there(command.project),
                spare="",
                inherit=(),
                version="",
                masker=type(command.masker)(),
            ),
            python_command=self._command_there(project.python_command),
            lease=self._lease,
            version=__version__,
        )

    def _command_there(
        self, command: str | tuple[str, ...] | None
    ) -> str | tuple[str, ...] | None:
        if isinstance(command, tuple):
            return (self._paths.there(command[0]), *command[1:])
        return None if command is None else self._paths.there(command)

    def _owner(self, project: Project) -> str:
        return f"{host_name()}:{self._home}:{project.path}"

    def connect(self) -> Connection:
        """Return the connection; a lost one is made anew.

        Raises:
            PythonRunnerError: nobody answers.
        """
        with self._lock:
            if self._connection is not None and not self._connection.is_open:
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = Connection(self._place)
                Thread(
                    target=self._renew_leases,
                    args=(self._connection,),
                    name="leases",
                    daemon=True,
                ).start()
            return self._connection

    def _renew_leases(self, connection: Connection) -> None:
        """Renew the leases of what runs, as long as the connection is used."""
        pause = min(2.0, self._lease / 5)
        manned = time.monotonic()
        while not self._closed.wait(pause) and connection is self._connection:
            pending = self._pending.copy()
            if not pending:
                manned = time.monotonic()
                continue
            begin = time.monotonic()
            for one in pending.values():
                one.renewed = begin
            answers: dict[str, Any] = {}
            with suppress(Exception):
                answers = connection.ask_all(
                    worker.renew, [*pending], seconds=min(5.0, self._lease / 2)
                )
            now = time.monotonic()
            manned = now if answers else manned
            heard = {t for a in answers.values() if _is_list(a) for t in a}
            for token, one in pending.items():
                if token in heard:
                    one.running, one.heard = True, now
                elif not one.running and now - one.heard > self._lease:
                    # It waits in the scheduler, or its worker was lost as it began.
                    one.heard = now
                    with suppress(Exception):
                        one.running = connection.has_begun(token)
                since = one.heard if one.running else manned
                if now - since > self._surely:
                    one.lost = True
                    one.wake.give()

    @staticmethod
    def _version_problems(connection: Connection) -> list[str]:
        answers = connection.ask_all(worker.package_version, seconds=_EXAMINING)
        problems = []
        for address, answer in answers.items():
            if answer == __version__:
                continue
            problem = _problem(answer)
            if isinstance(answer, Exception) and not isinstance(answer, TimeoutError):
                message = _("it lacks this version of Python Runner: {error}")
                problem = message.format(error=problem)
            if isinstance(answer, str):
                message = _("it has version {theirs} of Python Runner, not {ours}")
                problem = message.format(theirs=answer, ours=__version__)
            problems.append(_named(address, problem))
        return problems


def _is_list(answer: object) -> bool:
    return isinstance(answer, (list, tuple))


def _named(address: str, problem: str) -> str:
    return _("{name}: {value}").format(name=address, value=problem)


def _problem(answer: Any) -> str:
    """Return why a worker cannot run scripts, in the user's language."""
    if isinstance(answer, Examined) and answer.problem:
        return answer.problem.in_language(system_language())
    if isinstance(answer, TimeoutError):
        return _("it does not answer")
    return str(answer) or type(answer).__name__


def _missing_resources(
    scripts: tuple[Script, ...], offers: list[Mapping[str, float]]
) -> list[str]:
    problems = []
    for script in scripts:
        needed = script.resources
        if not any(
            all(offer.get(name, 0) >= amount for name, amount in needed.items())
            for offer in offers
        ):
            message = _("{script} needs {resources}, which no worker offers")
            shown = ", ".join(f"{name}={amount:g}" for name, amount in needed.items())
            problems.append(message.format(script=script.name, resources=shown))
    return problems


def _reason_of(error: BaseException) -> Sentence:
    if isinstance(error, PythonRunnerError):
        return Sentence.of("{error}", error=str(error))
    template = N_("could not be started: {error}")
    return Sentence.of(template, error=str(error) or type(error).__name__)


def _unstarted(reason: Sentence, *, transient: bool = False) -> Attempt:
    return Attempt(
        outcome=Outcome.NOT_STARTED,
        exit_code=None,
        started_at=datetime.now().astimezone(),
        duration=0.0,
        reason=reason,
        transient=transient,
    )


def _keep_output(output: bytes | None, command: Command) -> Sentence | None:
    """Put the output of an attempt where it is wanted, without secrets of this side.

    Returns:
        What went wrong, or None.
    """
    readable, file = Readable(command.masker), Path(command.output)
    try:
        if output is None:
            if file.exists():
                put_away(file, readable)
        else:
            with appending(file) as target:
                target.writelines(readable.text().blocks([output]))
    except OSError as error:
        template = N_("its output could not be kept: {error}")
        if output is None:
            template = N_("secrets may be left in its output: {error}")
        return Sentence.of(template, error=system_error(error))
    return None
