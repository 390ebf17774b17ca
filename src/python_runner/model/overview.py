"""What pages show of the runs without reading all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.run import Outcome


if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from python_runner.model.history import RunHead, Streak
    from python_runner.model.run import MailStatus, RunStatus
    from python_runner.texts.sentence import Sentence

#: How scripts end that may not have begun.
_WITHOUT_OUTPUT = frozenset(
    {Outcome.SKIPPED, Outcome.NOT_STARTED, Outcome.STOPPED, Outcome.INTERRUPTED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedScript:
    """The first script of a run that did not succeed.

    Attributes:
        number: its place in the series, from 1.
        exception: type and message of what ended it; None where there is none.
        reason: why it did not succeed, where a sentence says so.
        file: of the last frame inside the project; likewise ``line``, ``function``.
        error: the key of its error in the records; None where that is not its own:
            stopped, interrupted.
        printed: whether there is, or was, an output of it.
    """

    number: int
    script: str
    outcome: Outcome
    exception: str | None = None
    reason: Sentence | None = None
    file: str | None = None
    line: int | None = None
    function: str | None = None
    error: str | None = None
    printed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run in one line.

    Attributes:
        key: its place among all runs, in the order in which they were recorded.
        number: of its project in the records.
        project: name of the project.
        path: the project's folder.
        status: None where it has not ended.
        duration: seconds; 0 where it has not ended.
        scripts: how many it has.
        failed: how many of them did not succeed.
        error: why it did not take place, or None.
        failure: its first script that did not succeed, or None.
    """

    key: int
    run_id: str
    number: int
    project: str
    path: Path
    status: RunStatus | None
    started_at: datetime
    duration: float
    scripts: int
    failed: int
    error: Sentence | None
    mail: MailStatus
    failure: FailedScript | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a run had beside its scripts; None where that is not known.

    Attributes:
        warnings: what went wrong beside them.
        held: why it was not reported though its project wants reports.
        variables: names of its scripts' variables; empty where they are not known.
    """

    warnings: tuple[Sentence, ...] = ()
    interpreter: str | None = None
    interpreter_version: str | None = None
    computer: str | None = None
    held: Sentence | None = None
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRun:
    """One of a project's last runs.

    Attributes:
        key: its place among all runs.
        duration: seconds.
        scripts: how many it had.
    """

    key: int
    status: RunStatus
    duration: float
    scripts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSummary:
    """How a project does; runs that were skipped do not count.

    Attributes:
        number: of the project in the records.
        last: the run that ended last.
        succeeded: the last one that succeeded, or None.
        streak: the runs in a row up to the last one that succeeded like it, or did not.
        recent: the last runs, newest first.
        good: runs of the last 30 days that succeeded; ``bad`` those that did not.
    """

    number: int
    project: str
    path: Path
    last: RunLine
    succeeded: RunHead | None
    streak: Streak
    recent: tuple[RecentRun, ...]
    good: int
    bad: int

    @property
    def ends(self) -> list[tuple[RunStatus, float]]:
        """How its last runs ended and how long they took, the last one first."""
        return [(run.status, run.duration) for run in self.recent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is that has not ended.

    Attributes:
        number: of its project in the records.
        done: how many scripts have ended; ``failed`` of them did not succeed.
        running: names of scripts that run, the first few.
        runner: process id of its runner; 0 if unknown.
        runner_start: distinguishes that from a later process with its id.
    """

    key: int
    run_id: str
    number: int
    project: str
    path: Path
    started_at: datetime
    scripts: int
    done: int
    failed: int
    running: tuple[str, ...]
    runner: int
    runner_start: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """How many runs of a project began on a day and succeeded, or did not.

    Attributes:
        day: as ``2026-11-23``, by the calendar of the computer that recorded them.
    """

    day: str
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """How a script ended in a run: ``number`` is its place in the series there."""

    run: int
    number: int
    outcome: Outcome
    duration: float

    @property
    def printed(self) -> bool:
        """Whether there is, or was, an output of it: what began has one."""
        return self.outcome not in _WITHOUT_OUTPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """A script and its results in some runs, newest first; it may be missing in some."""

    script: str
    number: int
    cells: tuple[MatrixCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPlace:
    """An error of one script.

    Attributes:
        number: of its project in the records.
        path: the project's folder.
        count: in how many runs.
        first: when the first of these began; likewise ``last``.
        last_run: id of the last one, and the script's ``place`` there.
        printed: whether there is, or was, an output of that.
        is_open: whether the script has not succeeded since.
    """

    number: int
    project: str
    path: Path
    script: str
    count: int
    first: datetime
    last: datetime
    last_run: str
    place: int
    printed: bool
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """An error, in all scripts that ended with it.

    Attributes:
        error: its key in the records.
        key: the place of the last run with it among all runs.
        sample: how it looked there.
        places: the scripts, the one that met it last first; the first few.
        count: in how many runs; likewise ``first`` and ``last``.
        is_open: whether one of the scripts has not succeeded since.
    """

    error: str
    key: int
    sample: FailedScript
    places: tuple[ErrorPlace, ...]
    count: int
    first: datetime
    last: datetime
    is_open: bool
