"""Which entries change for what is wanted; decisions only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.scheduling.entries import Purpose


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from python_runner.scheduling.entries import Entry, Job, Scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        install: jobs without an entry.
        change: jobs whose entries are not what they should be.
        same: jobs whose entries stay as they are.
        remove: entries of ours that go: of projects that are no longer due, those that
            another one replaces, and those that served them.
        others: entries that others have made and that run one of the projects as well.
    """

    install: tuple[Job, ...] = ()
    change: tuple[Job, ...] = ()
    same: tuple[Job, ...] = ()
    remove: tuple[Entry, ...] = ()
    others: tuple[Entry, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.install or self.change or self.remove)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants of some projects.

    Attributes:
        jobs: what is to be installed, of projects and of what serves them.
        without: folders of projects that are to have no entry.
    """

    jobs: tuple[Job, ...] = ()
    without: tuple[Path, ...] = ()


def plan_for(
    wish: Wish,
    entries: Sequence[Entry],
    scheduler: Scheduler,
    same_folder: Callable[[Path, Path], bool],
) -> Plan:
    """Return what is to be done for a wish.

    Args:
        wish: what is wanted.
        entries: those of all schedulers.
        scheduler: the one that is to have the jobs.
        same_folder: says whether two paths lead to one folder.
    """
    own = [entry for entry in entries if entry.own]
    install: list[Job] = []
    change: list[Job] = []
    same: list[Job] = []
    remove: list[Entry] = []
    replaced: list[Entry] = []
    for job in wish.jobs:
        found = [entry for entry in own if _is_of(entry.job, job, same_folder)]
        here = [entry for entry in found if _is_here(entry, job, scheduler)]
        remove += [entry for entry in found if entry not in here]
        replaced += found
        if any(entry.enabled and scheduler.is_same(entry, job) for entry in here):
            same.append(job)
        else:
            (change if found else install).append(job)
    remove += [
        entry
        for entry in own
        if entry not in remove
        and (about := entry.job.project) is not None
        and any(same_folder(about, folder) for folder in wish.without)
    ]
    remove += _without_projects(own, remove, replaced, wish.jobs)
    return Plan(
        install=tuple(install),
        change=tuple(change),
        same=tuple(same),
        remove=tuple(remove),
        others=tuple(_others(entries, wish.jobs, same_folder)),
    )


def _is_of(one: Job, other: Job, same_folder: Callable[[Path, Path], bool]) -> bool:
    """Say whether two jobs are for the same: one takes the place of the other."""
    if one.purpose is not other.purpose:
        return False
    if one.project is None or other.project is None:
        return one.project is other.project and folder_key(one) == folder_key(other)
    return same_folder(one.project, other.project)


def _is_here(entry: Entry, job: Job, scheduler: Scheduler) -> bool:
    """Say whether installing a job writes over an entry."""
    return entry.scheduler is scheduler.name and entry.name == scheduler.name_of(job)


def _without_projects(
    own: Iterable[Entry],
    removed: Sequence[Entry],
    replaced: Sequence[Entry],
    jobs: Iterable[Job],
) -> list[Entry]:
    """Return what served the projects of a folder none of which has an entry any more."""
    gone = [*removed, *replaced]
    left = [entry.job for entry in own if entry not in gone]
    served = {folder_key(job) for job in (*left, *jobs) if job.purpose is Purpose.RUN}
    wanted = {(job.purpose, folder_key(job)) for job in jobs}
    return [
        entry
        for entry in own
        if entry not in removed
        and entry.job.purpose in {Purpose.FLUSH, Purpose.DIGEST}
        and folder_key(entry.job) not in served
        and (entry.job.purpose, folder_key(entry.job)) not in wanted
    ]


def folder_key(job: Job) -> str:
    """Return what tells the working folder of a job from others."""
    return os.path.normcase(job.folder or "")


def _others(
    entries: Iterable[Entry],
    jobs: Iterable[Job],
    same_folder: Callable[[Path, Path], bool],
) -> list[Entry]:
    wanted = [job.project for job in jobs if job.project is not None]
    return [
        entry
        for entry in entries
        if not entry.own
        and entry.enabled
        and entry.job.purpose is Purpose.RUN
        and (about := entry.job.project) is not None
        and any(same_folder(about, project) for project in wanted)
    ]
