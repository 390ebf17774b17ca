"""Which entries of the system's schedulers start Python Runner."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from python_runner.files import real_folder
from python_runner.scheduling.entries import SchedulerError, SchedulerName


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.scheduling.entries import Entry, Job, Scheduler
    from python_runner.texts.sentence import Sentence


def scheduler_named(name: SchedulerName, logon: str | None = None) -> Scheduler:
    """Return a scheduler, whether it is here or not.

    Args:
        name: which one.
        logon: see :class:`~python_runner.scheduling.task_scheduler.TaskScheduler`.
    """
    if name is SchedulerName.CRON:
        from python_runner.scheduling.cron import Cron  # noqa: PLC0415 - one is enough

        return Cron()
    if name is SchedulerName.SYSTEMD:
        from python_runner.scheduling.systemd import Systemd  # noqa: PLC0415

        return Systemd()
    from python_runner.scheduling.task_scheduler import TaskScheduler  # noqa: PLC0415

    return TaskScheduler(logon)


def schedulers(logon: str | None = None) -> tuple[Scheduler, ...]:
    """Return the schedulers that this platform may have, the usual one first."""
    names: tuple[SchedulerName, ...] = (SchedulerName.SYSTEMD, SchedulerName.CRON)
    if sys.platform == "win32":
        names = (SchedulerName.TASK_SCHEDULER,)
    elif sys.platform == "darwin":
        names = (SchedulerName.CRON,)
    return tuple(scheduler_named(name, logon) for name in names)


def installed_entries(
    project: Path | None = None, problems: list[Sentence] | None = None
) -> tuple[Entry, ...]:
    """Return the entries that start Python Runner, of all schedulers that are here.

    Also those that a person has made (``Entry.own``), as far as they can be read.

    Args:
        project: a folder; None: the entries of all projects, and those of none.
        problems: gets a sentence for each scheduler that did not answer; without it such
            a scheduler has no entries.
    """
    found: list[Entry] = []
    for scheduler in schedulers():
        if scheduler.unavailable() is not None:
            reason = scheduler.unreachable()
            if reason is not None and problems is not None:
                problems.append(reason)
            continue
        try:
            found += scheduler.entries()
        except SchedulerError as error:
            if problems is not None:
                problems.append(error.reason)
    if project is None:
        return tuple(found)
    return tuple(entry for entry in found if is_about(entry.job, project))


def is_about(job: Job, project: Path) -> bool:
    """Say whether a job runs a project, however its path is written."""
    return job.project is not None and same_folder(job.project, project)


def same_folder(one: Path, other: Path) -> bool:
    """Say whether two paths lead to one folder."""
    return os.path.normcase(one) == os.path.normcase(other) or (
        real_folder(one) == real_folder(other)
    )
