"""What crosses between a coordinator and the workers; all of it can be pickled."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Attempt, Command, Interpreter
    from python_runner.texts.sentence import Sentence

#: An interpreter as a project names it.
PythonCommand = str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt of one script, as a worker gets it: every path is the worker's.

    Attributes:
        token: stands for this attempt alone.
        owner: stands for the project of one coordinator.
        topic: of the events that the coordinator hears.
        command: without an interpreter, a masker and descriptors; its environment is what
            the project gives, and what else there is comes from the worker.
        python_command: the interpreter as configured.
        lease: seconds without a word of the coordinator after which it is stopped.
        version: of this package.
    """

    token: str
    owner: str
    topic: str
    command: Command
    python_command: PythonCommand
    lease: float
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A worker asks whether it may begin a task.

    Attributes:
        worker: its address.
        offer: stands for this one time that the worker has got the task.
        turn: how often it has asked before.
    """

    token: str
    worker: str
    offer: str
    turn: int

    def is_from(self, other: Offer) -> bool:
        """Say whether both are of the same worker, the same time it got the task."""
        return (self.worker, self.offer) == (other.worker, other.offer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a task.

    Attributes:
        offer: that of the worker.
        attempt: None where it was not begun: the coordinator did not let it.
        output: what it printed, where the worker could not write it to its file.
        expired: whether it was stopped because nothing was heard of the coordinator.
    """

    offer: str
    attempt: Attempt | None
    output: bytes | None = field(default=None, repr=False)
    expired: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a worker is asked before anything runs.

    Attributes:
        project: its folder, as the worker calls it.
        directory: the scripts' current folder, likewise.
        python_command: the interpreter as configured.
        env: what the project gives its scripts.
    """

    project: str
    directory: str
    python_command: PythonCommand
    env: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a worker found.

    Attributes:
        interpreter: None where there is none.
        problem: why it cannot run scripts of the project, or None.
    """

    interpreter: Interpreter | None = None
    problem: Sentence | None = None
