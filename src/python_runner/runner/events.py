"""Events of a run, for its listeners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Attempt, Project, Run, Script, ScriptResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run of a project began; its scripts come next."""

    run_id: str
    project: Project


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStarted:
    """An attempt of a script began; ``attempt`` counts from 1."""

    run_id: str
    project: Project
    script: Script
    number: int
    attempt: int
    output: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt of a script did not succeed; the next one begins in ``wait`` seconds.

    The last attempt of a script is told by :class:`ScriptEnded` alone.
    """

    run_id: str
    project: Project
    script: Script
    number: int
    attempt: int
    result: Attempt
    wait: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopping:
    """Somebody asked elsewhere that this run stop, or, where ``urgent``, be killed."""

    run_id: str
    project: Project
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnded:
    """A script ended, or will not be started."""

    project: Project
    result: ScriptResult


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run ended and its report is sent, queued or not due."""

    project: Project
    run: Run


#: The events of a run, in the order in which a listener gets them.
Event = RunStarted | ScriptStarted | AttemptEnded | RunStopping | ScriptEnded | RunEnded
