"""Many computers that tell each other how their runs went, by files in one folder."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from python_runner.model.run import Run

#: From here on it is told that a clock is wrong: a share may round times, and a computer
#: that has just been started may not have set its clock yet.
CLOCK_IS_WRONG = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFolder:
    """Where the computers of a fleet write, as ``python-runner.toml`` says it.

    Attributes:
        folder: usually on a share; nobody makes it.
        details: whether tracebacks are written as well.
        keep_days: age in days after which a computer deletes its own files; None keeps
            them.
    """

    folder: Path
    details: bool = False
    keep_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRun:
    """A run of another computer, as far as its file tells.

    Attributes:
        number: its place among the runs of its computer; two may have the same.
        run: without attempts' outputs; its folder is a path of that computer. Moments are
            those of that computer's clock.
        written_at: by that computer's clock.
        schedule: the cron expression of its project, or None.
        due: when its project is due next, by that computer's clock and calendar; None
            without a schedule.
        scripts: how many scripts the run had; the file may leave some out.
    """

    number: int
    run: Run
    written_at: datetime
    schedule: str | None = None
    due: datetime | None = None
    scripts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRunning:
    """A run that another computer had begun when it wrote last."""

    project: str
    path: Path
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetProject:
    """A project of another computer.

    Attributes:
        runs: the newest first, in the order in which they were written; as many as were
            read, one at least.
        starts: of more runs, the newest first, in the clock and the zone of that
            computer.
    """

    runs: tuple[FleetRun, ...]
    starts: tuple[datetime, ...] = ()

    @property
    def last(self) -> FleetRun:
        """The newest run."""
        return self.runs[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetComputer:
    """A computer of the fleet, or one account of it, as its folder tells.

    Attributes:
        id: stays the same whatever the computer is called.
        folder: the name of its folder.
        version: of Python Runner there.
        seen_at: when it wrote last, by the clock of the share.
        ahead: by how much its clock is ahead of that of the share; negative: behind.
        waiting: how many results waited there when it wrote last.
        running: the runs that had begun by then.
        projects: by name.
    """

    id: str
    folder: str
    name: str
    account: str
    version: str
    seen_at: datetime
    ahead: timedelta = timedelta()
    waiting: int = 0
    running: tuple[FleetRunning, ...] = ()
    projects: tuple[FleetProject, ...] = ()

    @property
    def clock_is_wrong(self) -> bool:
        """Whether its clock or that of the share should be set."""
        return abs(self.ahead) >= CLOCK_IS_WRONG


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReading:
    """What could be read of a fleet.

    Attributes:
        read_at: by the clock of the computer that has read.
        computers: by name.
        unread: how many files could not be read.
        examples: some of them, with the reason, for people.
        newer: how many files a newer version of Python Runner has written.
        late: folders of computers that were not read in time.
        cut: folders that hold more than was looked at; empty text: the fleet's own.
    """

    folder: Path
    read_at: datetime
    computers: tuple[FleetComputer, ...] = ()
    unread: int = 0
    examples: tuple[str, ...] = ()
    newer: int = 0
    late: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    @property
    def behind(self) -> timedelta:
        """By how much the reader's clock is behind that of the share at least.

        One file alone proves nothing where there are others: anybody may set its time.
        """
        newest = sorted((c.seen_at for c in self.computers), reverse=True)[:2]
        return max(newest[-1] - self.read_at, timedelta()) if newest else timedelta()
