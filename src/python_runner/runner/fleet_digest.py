"""Finds what a digest tells of a fleet: of each project of each computer, and of these.

Each computer is judged by its own clock: the reader's time is put forward or back by as
much as that clock is wrong, and the order of the runs is the one in which they were written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta, timezone
from itertools import takewhile
from typing import TYPE_CHECKING

from python_runner.model import RunStatus, Streak
from python_runner.model.digest import (
    ComputerDigest,
    Digest,
    ProjectDigest,
    Silent,
    Standing,
)
from python_runner.model.fleet import CLOCK_IS_WRONG
from python_runner.runner.digest import has_recovered, standing_of
from python_runner.texts.sentence import N_, Sentence, counted
from python_runner.trends import MOST_STARTS, silence


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Run
    from python_runner.model.fleet import (
        FleetComputer,
        FleetProject,
        FleetReading,
        FleetRun,
        FleetRunning,
    )
    from python_runner.records.digests import Period

#: How much later than it is due a project may show that it has begun: schedulers start some
#: things a little later, and the way to the share takes its time.
_LATER = timedelta(minutes=10)
#: A computer that has not written, or a project that has not run, for so long is left out,
#: counted from when it was due.
_FORGOTTEN = timedelta(days=100)
_MOST_NAMES = 10

_UNREAD = counted(
    "{count} file of the fleet could not be read: {examples}",
    "{count} files of the fleet could not be read, for instance {examples}",
)
_NEWER = counted(
    "{count} file was written by a newer version of Python Runner; update this computer",
    "{count} files were written by a newer version of Python Runner; update this computer",
)
_LATE = N_("these were not read, because the folder answers too slowly: {names}")
_CUT = N_("these hold more files than are looked at: {names}")
_CUT_FLEET = N_("the fleet's folder itself")
_FORGOTTEN_ONES = counted(
    "{count} computer has not written for 100 days and is left out: {names}; delete its"
    " folder if it is gone for good",
    "{count} computers have not written for 100 days and are left out: {names}; delete"
    " their folders if they are gone for good",
)


def fleet_digest(reading: FleetReading, period: Period, computer: str) -> Digest:
    """Return the digest of a fleet.

    Args:
        reading: what its computers have written.
        period: the time that it is about, by the reader's clock.
        computer: the reader's.
    """
    known = _without_replaced(reading.computers)
    old = [c for c in known if reading.read_at - _known_until(c) > _FORGOTTEN]
    names = _names([c for c in known if c not in old])
    projects: list[ProjectDigest] = []
    computers = []
    for one in known:
        if one in old:
            continue
        own = [
            _project(one, names[one.id], project, period)
            for project in one.projects
            if period.until + one.ahead - _wanted_until(project) <= _FORGOTTEN
        ]
        projects += own
        computers.append(_computer(one, names[one.id], own, period.until))
    order = list(Standing)
    projects.sort(key=lambda p: (order.index(p.standing), p.title.casefold()))
    return Digest(
        since=period.since,
        until=period.until,
        computer=computer,
        projects=tuple(projects),
        notices=tuple(_notices(reading, old)),
        fleet=reading.folder,
        computers=tuple(computers),
        behind=reading.behind if reading.behind >= CLOCK_IS_WRONG else timedelta(),
    )


def _wanted_until(project: FleetProject) -> datetime:
    """Return when a project was heard of, or was to be: it may run once a year."""
    begun = project.last.run.started_at
    return max(begun, project.last.due or begun)


def _known_until(computer: FleetComputer) -> datetime:
    """Return when a computer was heard of, or was to be, by the reader's clock."""
    wanted = (_wanted_until(project) - computer.ahead for project in computer.projects)
    return max((computer.seen_at, *wanted))


def _without_replaced(computers: Sequence[FleetComputer]) -> list[FleetComputer]:
    """Return the computers without those that go on as others.

    A state folder that was made anew has another identity: the same name and account, with
    a project of the same folder, whose first run came after the last sign of the old one.
    """

    def goes_on(old: FleetComputer) -> bool:
        return any(
            other is not old
            and (other.name, other.account) == (old.name, old.account)
            and _folders(other) & _folders(old)
            and (first := min(_starts(other), default=None)) is not None
            and first - other.ahead > old.seen_at
            for other in computers
        )

    return [computer for computer in computers if not goes_on(computer)]


def _folders(computer: FleetComputer) -> set[Path]:
    return {project.last.run.path for project in computer.projects}


def _starts(computer: FleetComputer) -> list[datetime]:
    return [start for project in computer.projects for start in project.starts]


def _names(computers: Sequence[FleetComputer]) -> dict[str, str]:
    """Return what each computer is called, by its identity; no two are called the same."""
    alone = Counter(c.name.casefold() for c in computers)
    both = Counter((c.name.casefold(), c.account.casefold()) for c in computers)
    names = {}
    for one in computers:
        if alone[one.name.casefold()] == 1:
            names[one.id] = one.name
        elif one.account and both[one.name.casefold(), one.account.casefold()] == 1:
            names[one.id] = f"{one.name}, {one.account}"
        else:
            names[one.id] = f"{one.name}, {one.id[:4]}"
    return names


def _computer(
    one: FleetComputer, name: str, projects: Sequence[ProjectDigest], now: datetime
) -> ComputerDigest:
    silent = [(p.silent.expected_at, p) for p in projects if p.silent]
    silent.sort(key=lambda item: item[0])
    return ComputerDigest(
        name=name,
        account=one.account,
        folder=one.folder,
        version=one.version,
        seen_at=one.seen_at,
        # It wrote since: then it is the project that did not run.
        silent=tuple(p for _due, p in silent)
        if silent and one.seen_at < silent[0][0] <= now
        else (),
        ahead=one.ahead if one.clock_is_wrong else timedelta(),
        projects=len(projects),
        waiting=one.waiting,
    )


def _project(
    computer: FleetComputer, name: str, project: FleetProject, period: Period
) -> ProjectDigest:
    ahead = computer.ahead if computer.clock_is_wrong else timedelta()
    running = _running(computer, project)
    counting = [r for r in project.runs if r.run.status is not RunStatus.SKIPPED]
    last = (counting or list(project.runs))[0].run
    begin, end = period.since + ahead, period.until + ahead
    ended = [r.run for r in counting if _ended_in(r.run, begin)]
    streak = _streak(counting)
    facts = ProjectDigest(
        path=last.path,
        name=last.project,
        computer=name,
        runs=len(ended),
        failed=sum(run.status is not RunStatus.SUCCESS for run in ended),
        last=last,
        status=last.status,
        streak=streak,
        running_since=running.started_at - ahead if running else None,
        silent=None if running else _silent(project, end, ahead),
        due=project.last.due - ahead if project.last.due else None,
    )
    standing = standing_of(facts, begin)
    odd = next((run for run in ended if run.unusual_scripts), None)
    if standing is Standing.WELL and odd:
        standing = Standing.UNUSUAL
        facts = replace(facts, unusual=_on_time(odd, ahead))
    failure = next(
        (r.run for r in counting if r.run.status is not RunStatus.SUCCESS), None
    )
    if standing is Standing.WELL and failure and has_recovered(facts, failure, begin):
        standing = Standing.RECOVERED
        facts = replace(facts, failure=_on_time(failure, ahead))
    if streak and streak.since:
        facts = replace(
            facts, streak=Streak(count=streak.count, since=streak.since - ahead)
        )
    return replace(facts, last=_on_time(last, ahead), standing=standing)


def _on_time(run: Run, ahead: timedelta) -> Run:
    """Return a run with the time that a right clock would have shown."""
    return replace(run, started_at=run.started_at - ahead) if ahead else run


def _ended_in(run: Run, begin: datetime) -> bool:
    return run.started_at + timedelta(seconds=run.duration) >= begin


def _running(computer: FleetComputer, project: FleetProject) -> FleetRunning | None:
    """Return the run of a project that its computer had begun when it wrote last."""
    last = project.last.run
    return next(
        (
            r
            for r in computer.running
            if (r.project, r.path) == (last.project, last.path)
            and r.started_at > last.started_at
        ),
        None,
    )


def _streak(runs: Sequence[FleetRun]) -> Streak | None:
    """Return the newest runs in a row that succeeded, or did not."""
    if not runs:
        return None
    well = runs[0].run.status is RunStatus.SUCCESS
    alike = list(takewhile(lambda r: (r.run.status is RunStatus.SUCCESS) is well, runs))
    return Streak(count=len(alike), since=alike[-1].run.started_at)


def _silent(project: FleetProject, now: datetime, ahead: timedelta) -> Silent | None:
    """Say whether a project should have run; ``now`` is the time by its computer's clock."""
    last = project.last
    if last.schedule:
        if last.due is None or now < last.due + _LATER:
            return None
        return Silent(expected_at=last.due - ahead, schedule=last.schedule)
    zone = timezone(last.run.started_at.utcoffset() or timedelta())
    hours: dict[str, datetime] = {}
    # The time of day that people see there: it stays the same in summer and winter.
    for start in project.starts:
        local = start.replace(tzinfo=zone)
        hours.setdefault(f"{local:%Y-%m-%d %H}", local)
    found = silence(sorted(hours.values())[-MOST_STARTS:], now.astimezone(zone))
    if found is None:
        return None
    return Silent(
        expected_at=found.expected_at - ahead,
        weekdays=found.weekdays,
        every=found.every,
        runs=found.starts,
    )


def _notices(reading: FleetReading, old: Sequence[FleetComputer]) -> Iterator[Sentence]:
    """Yield what people must know about the fleet itself."""
    if reading.unread:
        examples = "; ".join(reading.examples)
        yield Sentence.about(_UNREAD, reading.unread, examples=examples)
    if reading.newer:
        yield Sentence.about(_NEWER, reading.newer)
    if reading.late:
        yield Sentence.of(_LATE, names=_listed(reading.late))
    if reading.cut:
        named = [name for name in reading.cut if name]
        names: object = _listed(named) if named else Sentence.of(_CUT_FLEET)
        yield Sentence.of(_CUT, names=names)
    if old:
        names = _listed([one.folder for one in old])
        yield Sentence.about(_FORGOTTEN_ONES, len(old), names=names)


def _listed(names: Sequence[str]) -> str:
    more = ["..."] if len(names) > _MOST_NAMES else []
    return ", ".join([*names[:_MOST_NAMES], *more])
