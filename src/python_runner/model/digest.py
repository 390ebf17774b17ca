"""What a digest tells: how all projects did since the last one."""

from __future__ import annotations

from dataclasses import field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model.history import Streak
    from python_runner.model.project import Project
    from python_runner.model.run import HeldBy, Run, RunStatus
    from python_runner.texts.sentence import Sentence


class Standing(StrEnum):
    """How a project does; what people look at first comes first."""

    FAILED = "failed"
    #: It failed before the digest's time as well.
    STILL_FAILING = "still_failing"
    #: It succeeded, and a success in the digest's time was unusual.
    UNUSUAL = "unusual"
    #: It did not run, although it was due by its schedule or its rhythm.
    SILENT = "silent"
    #: Its folder is gone, or its configuration is wrong.
    BROKEN = "broken"
    RECOVERED = "recovered"
    NEVER_RAN = "never_ran"
    WELL = "well"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Why a project should have run.

    Attributes:
        expected_at: when, or about when.
        schedule: its cron expression; None where its rhythm tells.
        weekdays: the days of the week on which it runs (0 is Monday); empty where the gap
            between its runs tells more.
        every: the usual gap in seconds.
        runs: how many runs the rhythm was learnt from.
    """

    expected_at: datetime
    schedule: str | None = None
    weekdays: frozenset[int] = frozenset()
    every: float = 0.0
    runs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectDigest:
    """How one project did. Its texts hold no secrets.

    Attributes:
        computer: the other computer that runs it; empty for this one.
        due: when it is due next, where another computer has told that.
        runs: how many ended in the digest's time, but for those that were
            skipped.
        failed: how many of them did not succeed.
        last: the run that ended last, or None.
        status: how it ended; interrupted also where the records do not know yet.
        streak: the runs in a row up to it that did not succeed, or did.
        failure: the last run that did not succeed, where the project recovered.
        unusual: the last run with an unusual success, where the project succeeds.
        silent: why it should have run; None where it did, or nobody knows.
        running_since: when the active run began, or None.
        problem: what is wrong with its folder or its configuration, or None.
        listed: whether it was named, or listed in ``python-runner.toml``; the records
            alone may know a project that nobody wants any more.
        waiting: how many of its reports wait for delivery.
        given_up: how many have been given up lately.
        held: how many of its runs were not reported, by what held them back.
        help: the owner's words about its failure, or about that of the first script
            that failed; empty for none.
        configuration: None where it cannot be read.
    """

    path: Path
    name: str
    runs: int = 0
    failed: int = 0
    last: Run | None = None
    status: RunStatus | None = None
    streak: Streak | None = None
    failure: Run | None = None
    unusual: Run | None = None
    standing: Standing = Standing.WELL
    silent: Silent | None = None
    running_since: datetime | None = None
    problem: str | None = None
    listed: bool = True
    waiting: int = 0
    given_up: int = 0
    held: Mapping[HeldBy, int] = field(default_factory=dict)
    help: str = ""
    configuration: Project | None = field(default=None, repr=False)
    computer: str = ""
    due: datetime | None = None

    @property
    def title(self) -> str:
        """What it is called, with its computer where that is another one."""
        return f"{self.name} ({self.computer})" if self.computer else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputerDigest:
    """How another computer does, as a digest of a fleet tells it.

    Attributes:
        name: as people tell it from the others.
        folder: the name of its folder in the fleet.
        seen_at: when it wrote last.
        silent: the projects that did not run, where it has not written since the first of
            them was due, or since before; in the order in which they were due.
        ahead: by how much its clock is wrong; 0: by so little that it does not matter.
        projects: how many it runs.
        waiting: how many results waited there when it wrote last.
    """

    name: str
    account: str
    folder: str
    version: str
    seen_at: datetime
    silent: tuple[ProjectDigest, ...] = ()
    ahead: timedelta = timedelta()
    projects: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTotals:
    """What one script did in the digest's time.

    Attributes:
        failed: how many of its results are no success.
        usual: seconds that its successes took on average; None without one.
        longest: seconds that the longest one took.
    """

    path: Path
    project: str
    script: str
    runs: int
    failed: int
    usual: float | None
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """How all projects did.

    Attributes:
        since, until: the time that it is about.
        projects: in the order of :class:`Standing`, then of their names.
        scripts: what each script did, where the time is long enough for totals.
        notices: what keeps mail from leaving, now or soon.
        waiting: how many digests wait for delivery.
        given_up: how many digests have been given up lately.
        fleet: the folder of the fleet that it is about; None: of this computer alone.
        computers: of a fleet, by name.
        unread: whether it was to be of a fleet whose folder cannot be read; it is of this
            computer alone then.
        behind: by how much the clock of this computer is behind that of the fleet's folder
            at least; 0: by so little that it does not matter.
    """

    since: datetime
    until: datetime
    computer: str
    projects: tuple[ProjectDigest, ...] = ()
    scripts: tuple[ScriptTotals, ...] = ()
    notices: tuple[Sentence, ...] = ()
    waiting: int = 0
    given_up: int = 0
    fleet: Path | None = None
    unread: bool = False
    computers: tuple[ComputerDigest, ...] = ()
    behind: timedelta = timedelta()

    def about(self, folders: Collection[Path]) -> Digest:
        """Return what those are told who read about some projects.

        Whom a project without a readable configuration concerns, nobody knows: all are
        told of it. A fleet concerns everybody.
        """
        if self.fleet is not None:
            return self
        return replace(
            self,
            projects=tuple(
                project
                for project in self.projects
                if project.path in folders
                or (project.listed and project.configuration is None)
            ),
            scripts=tuple(s for s in self.scripts if s.path in folders),
        )

    @property
    def silent_computers(self) -> tuple[ComputerDigest, ...]:
        """The computers that have gone silent."""
        return tuple(computer for computer in self.computers if computer.silent)

    def is_of_silent_computer(self, project: ProjectDigest) -> bool:
        """Say whether a project did not run because its computer gives no sign."""
        return any(project in computer.silent for computer in self.computers)

    def count(self, *standings: Standing) -> int:
        """Return how many projects do so."""
        return sum(project.standing in standings for project in self.projects)

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(project.runs for project in self.projects)

    @property
    def reports_waiting(self) -> int:
        """How many reports and digests wait for delivery."""
        return self.waiting + sum(project.waiting for project in self.projects)

    @property
    def reports_given_up(self) -> int:
        """How many reports and digests have been given up lately."""
        return self.given_up + sum(project.given_up for project in self.projects)
