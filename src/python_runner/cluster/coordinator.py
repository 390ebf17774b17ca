"""Runs attempts on the workers of a cluster, and knows what became of each."""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Self

from python_runner.cluster import worker
from python_runner.cluster.connection import connected
from python_runner.cluster.paths import PathMap
from python_runner.cluster.pending import ENDING, Pending
from python_runner.cluster.plain_success import plain_answer
from python_runner.cluster.soundness import (
    sound_answer,
    sound_examined,
    sound_offer,
    sound_tokens,
)
from python_runner.cluster.stoppable import Stopped, unless_stopped
from python_runner.cluster.task import Examined, Question, Task
from python_runner.cluster.unreachable import lost_contact, odd_answer
from python_runner.computer import host_name
from python_runner.exceptions import BadPythonInterpreter, PythonRunnerError
from python_runner.execution.boot_clock import boot_seconds
from python_runner.execution.capture import Readable, put_away
from python_runner.execution.exit_reasons import stop_reason
from python_runner.execution.stop import StopRequest
from python_runner.files import appending
from python_runner.model import Attempt, Outcome
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import system_error
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from python_runner.cluster.connection import Connection
    from python_runner.cluster.task import Answer, Offer
    from python_runner.model import Command, Interpreter, Project, Script
    from python_runner.model.cluster import ClusterPlace

#: Seconds that a worker runs a script without a word of its coordinator.
LEASE = 30.0
#: Seconds after its last word in which whatever a worker runs has surely ended.
ENDED_AFTER = LEASE + ENDING
#: Seconds that workers have to answer what is asked before a run.
_EXAMINING = 30.0
_LOOK = 0.5
#: Most characters of what a worker says in its own words.
_SHOWN = 500


class Cluster:
    """The workers of a cluster, as an executor of single attempts.

    It connects when it is needed first, and may be used from any thread.
    """

    def __init__(
        self,
        place: ClusterPlace,
        home: Path,
        lease: float = LEASE,
        stop: StopRequest | None = None,
    ) -> None:
        """Take where it is.

        Args:
            place: where, and what folders are called there.
            home: the state folder, and so whose locks hold.
            lease: seconds that a worker runs a script without a word from here.
            stop: ends the waits for the cluster before scripts run.
        """
        self._place = place
        self._paths = PathMap(place.paths)
        self._home = home
        self._lease = lease
        self._stopping = stop or StopRequest()
        #: Of the events by which workers ask. The scheduler keeps the last ones of each
        #: topic for ever, so all coordinators with these records share one.
        self._topic = f"python-runner {host_name()} {home}"
        #: What the names of this coordinator's tasks begin with.
        self._name = f"{os.urandom(8).hex()}-"
        self._lock = Lock()
        self._connection: Connection | None = None
        self._pending: dict[str, Pending] = {}
        self._closed = Event()
        #: Projects with scripts whose end was not waited for.
        self._left: set[Path] = set()

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

    @property
    def shared_address(self) -> str:
        """Its address; empty where its workers end with this process."""
        return "" if self._place.local_workers else self._place.address

    def has_left(self, project: Project) -> bool:
        """Say whether the end of a script of the project was not waited for."""
        return project.path in self._left

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
            answers = self._ask_all(connection, worker.examine, question)
            for address, answer in answers.items():
                examined = sound_examined(answer)
                if examined and examined.interpreter:
                    found.append(examined.interpreter)
                else:
                    problems.append(_named(address, _problem(examined or answer)))
            problems.extend(
                _missing_resources(project.scripts, connection.offers(_EXAMINING))
            )
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

        Called while the project's lock is held: who held it before is dead. A worker that
        gives no answer that makes sense is waited for until its leases have ended.
        """
        owner, connection = self._owner(project), self.connect()
        until = boot_seconds() + 2 * self._lease
        while boot_seconds() < until and not self._stopping.requested:
            answers = self._ask_all(
                connection, worker.stop_tasks, (), owner, True, seconds=self._lease / 2
            )
            if all(sound_tokens(answer, ()) == set() for answer in answers.values()):
                return
            self._stopping.wait(_LOOK)

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
        now = boot_seconds()
        needs = script.resources
        pending = Pending(
            lease=self._lease, began=now, heard=now, sent=now, needs=needs
        )
        try:
            connection = self.connect()
            self._pending[task.token] = pending
            future = connection.submit(worker.run_task, task, needs)
        except Stopped:
            return _stopped()
        except Exception as error:  # noqa: BLE001 - it becomes the result
            self._pending.pop(task.token, None)
            return _unstarted(_reason_of(error), transient=True)
        future.add_done_callback(lambda _future: pending.wake.give())
        unsubscribe = stop.subscribe(pending.wake.give)
        try:
            told = self._wait(connection, task.token, pending, future, stop)
        finally:
            unsubscribe()
            self._pending.pop(task.token, None)
        answer = sound_answer(told, command.output_limit)
        if answer and answer.attempt and _is_told(answer, pending):
            return self._finished(answer, command, pending)
        future.cancel()
        odd = told is not None and answer is None
        refused = (
            answer is not None and answer.attempt is None and pending.is_of(answer)
        )
        if (pending.withdraw() or refused) and not odd:
            return _never_begun(future, stop, needs)
        self._stop(connection, task.token, pending, kill=True)
        name = pending.granted.worker if pending.granted else ""
        why = lost_contact(name, scheduler_there=connection.is_open)
        attempt = _lost(pending, stop, odd_answer() if odd else why)
        if boot_seconds() < pending.end_by():
            self._left.add(project.path)
        return attempt

    def _wait(
        self,
        connection: Connection,
        token: str,
        pending: Pending,
        future: Future[Any],
        stop: StopRequest,
    ) -> object:
        """Return whatever comes back; None where nothing does, or where none began it."""
        told = 0
        while (
            not (future.done() or pending.lost or pending.answer) and connection.is_open
        ):
            wanted = 2 if stop.urgent else int(stop.requested)
            if wanted > told:
                told = wanted
                if pending.withdraw():
                    return None
                self._stop(connection, token, pending, kill=stop.urgent)
            pending.wake.nap(_LOOK)
        if pending.answer:
            return pending.answer
        if not future.done():
            return None
        # It may have been cancelled; or there is an answer that cannot be read.
        with suppress(Exception, CancelledError):
            return future.result()
        return None

    def _stop(
        self, connection: Connection, token: str, pending: Pending, *, kill: bool
    ) -> None:
        def ask() -> None:
            with suppress(Exception):
                if offer := pending.granted:
                    question = {offer.worker: ((token,), "", kill)}
                    connection.ask(worker.stop_tasks, question, self._lease)

        # Who waits for its end goes on listening.
        Thread(target=ask, name="stop", daemon=True).start()

    def _finished(self, answer: Answer, command: Command, pending: Pending) -> Attempt:
        """Return the attempt of an answer, by the clock and the secrets of this side."""
        attempt = answer.attempt
        if attempt is None:
            raise TypeError(answer)
        seconds = min(attempt.duration, boot_seconds() - pending.began)
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
            token=f"{self._name}{os.urandom(8).hex()}",
            owner=self._owner(project),
            topic=self._topic,
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
                self._connection = connected(self._place, self._stopping)
                self._connection.hear(
                    self._topic, partial(self._hear, self._connection)
                )
                Thread(
                    target=self._renew_leases,
                    args=(self._connection,),
                    name="leases",
                    daemon=True,
                ).start()
            return self._connection

    def _hear(self, connection: Connection, message: object) -> None:
        """Take what workers say by events: they ask, or have ended a task."""
        if offer := sound_offer(message):
            self._decide(connection, offer)
        elif ended := plain_answer(message):
            token, answer = ended
            if pending := self._pending.get(token):
                pending.end(answer)

    def _decide(self, connection: Connection, offer: Offer) -> None:
        """Say to a worker whether it may begin a task."""
        if not offer.token.startswith(self._name):
            return
        pending = self._pending.get(offer.token)
        may = pending is not None and pending.decide(offer, boot_seconds())
        connection.tell(offer.worker, worker.decide, offer.offer, offer.turn, may)

    def _ask_all(
        self,
        connection: Connection,
        function: Callable[..., Any],
        *arguments: Any,
        seconds: float = _EXAMINING,
    ) -> dict[str, Any]:
        """Let every worker call a function; return the results by address.

        Raises:
            Stopped: the stop was requested meanwhile.
            Exception: the scheduler does not answer.
        """

        def ask() -> dict[str, Any]:
            workers = connection.workers(seconds)
            return connection.ask(function, dict.fromkeys(workers, arguments), seconds)

        return unless_stopped(ask, self._stopping)

    def _renew_leases(self, connection: Connection) -> None:
        """Renew the leases of what runs, as long as the connection is used."""
        pause = min(2.0, self._lease / 5)
        while not self._closed.wait(pause) and connection is self._connection:
            # Whatever goes wrong: the next words are as important.
            with suppress(Exception):
                self._renew(connection)

    def _renew(self, connection: Connection) -> None:
        pending, seconds = self._pending.copy(), min(5.0, self._lease / 2)
        if not pending:
            return
        offers: list[Mapping[str, float]] = []
        if any(one.granted is None for one in pending.values()):
            with suppress(Exception):
                offers = connection.offers(seconds)
        now, due = boot_seconds(), defaultdict[str, list[str]](list)
        for token, one in pending.items():
            if one.granted is None:
                there = any(_has(offer, one.needs) for offer in offers)
                one.heard = now if there else one.heard
            elif one.is_renewable(now):
                one.sent = now
                due[one.granted.worker].append(token)
            one.look(now)

        questions = {address: (tokens,) for address, tokens in due.items()}
        answers = connection.ask(worker.renew, questions, seconds)
        now = boot_seconds()
        for address, answer in answers.items():
            for token in sound_tokens(answer, due[address]) or ():
                pending[token].heard = now

    def _version_problems(self, connection: Connection) -> list[str]:
        answers = self._ask_all(connection, worker.package_version)
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


def _is_told(answer: Answer, pending: Pending) -> bool:
    """Say whether an answer tells the end of an attempt: who began it was let."""
    if pending.is_of(answer):
        return True
    attempt = answer.attempt
    unstarted = attempt is not None and attempt.outcome is Outcome.NOT_STARTED
    return unstarted and pending.withdraw()


def _lost(pending: Pending, stop: StopRequest, reason: Sentence) -> Attempt:
    """Return what came of a script of which nobody knows how it ended.

    Its lease ends, and the script with it.
    """
    while (left := pending.end_by() - boot_seconds()) > 0 and not stop.urgent:
        pending.wake.nap(min(left, _LOOK))
    seconds = boot_seconds() - pending.began
    return Attempt(
        outcome=Outcome.INTERRUPTED,
        exit_code=None,
        started_at=datetime.now().astimezone() - timedelta(seconds=seconds),
        duration=seconds,
        reason=reason,
    )


def _never_begun(
    future: Future[Any], stop: StopRequest, needs: Mapping[str, float]
) -> Attempt:
    """Return what came of a task that no worker has begun, and that none will."""
    if stop.requested:
        return _stopped()
    # A worker that came later, without this package for instance.
    with suppress(CancelledError, TimeoutError):
        if error := future.exception(timeout=0):
            return _unstarted(_reason_of(error))
    if needs:
        template = N_(
            "could not be started: no worker offers {resources} any more, which it needs"
        )
        return _unstarted(
            Sentence.of(template, resources=_shown(needs)), transient=True
        )
    template = N_("could not be started: the cluster has no worker any more")
    return _unstarted(Sentence.of(template), transient=True)


def _stopped() -> Attempt:
    return replace(_unstarted(stop_reason()), outcome=Outcome.STOPPED)


def _named(address: str, problem: str) -> str:
    return _("{name}: {value}").format(name=address, value=problem)


def _problem(answer: Any) -> str:
    """Return why a worker cannot run scripts, in the user's language."""
    if isinstance(answer, Examined) and answer.problem:
        return answer.problem.in_language(system_language())
    if isinstance(answer, TimeoutError):
        return _("it does not answer")
    if isinstance(answer, (Exception, str)):
        return str(answer)[:_SHOWN] or type(answer).__name__
    return _("its answer makes no sense")


def _missing_resources(
    scripts: tuple[Script, ...], offers: list[Mapping[str, float]]
) -> list[str]:
    problems = []
    for script in scripts:
        needed = script.resources
        if not any(_has(offer, needed) for offer in offers):
            message = _("{script} needs {resources}, which no worker offers")
            problems.append(
                message.format(script=script.name, resources=_shown(needed))
            )
    return problems


def _has(offer: Mapping[str, float], needs: Mapping[str, float]) -> bool:
    return all(offer.get(name, 0) >= amount for name, amount in needs.items())


def _shown(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={amount:g}" for name, amount in resources.items())


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
