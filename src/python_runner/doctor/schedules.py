"""What is found out about schedules: what the system starts, and what is to be started."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from python_runner.config.workspace import load_workspace
from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding
from python_runner.due_times import times_after
from python_runner.exceptions import PythonRunnerError
from python_runner.scheduling.entries import Purpose, SchedulerName
from python_runner.scheduling.fields import same_times
from python_runner.scheduling.installed import (
    installed_entries,
    is_about,
    same_folder,
)
from python_runner.scheduling.systemd import lingers
from python_runner.scheduling.words import in_words
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from python_runner.model import Project
    from python_runner.scheduling.entries import Entry

_WHERE = {
    SchedulerName.CRON: "cron",
    SchedulerName.SYSTEMD: "systemd",
    SchedulerName.TASK_SCHEDULER: N_("the Task Scheduler"),
}


def look_at_schedules(projects: Iterable[Project], now: datetime) -> Iterator[Finding]:
    """Yield whether the system starts projects when their keys say so."""
    problems: list[Sentence] = []
    entries = installed_entries(problems=problems)
    for reason in problems:
        subject = Sentence.of(N_("schedules"))
        yield Finding.of(kinds.FAILED, subject=subject, error=reason)
    me = getpass.getuser()
    own: list[Entry] = []
    for project in projects:
        theirs = [entry for entry in entries if starts(entry, project)]
        own += theirs
        yield from judge_schedule(project, theirs, me, now)
    timers = [one for one in own if one.scheduler is SchedulerName.SYSTEMD]
    if any(one.enabled for one in timers) and lingers() is False:
        yield Finding.of(kinds.LINGER, user=me)


def starts(entry: Entry, project: Project) -> bool:
    """Say whether an entry starts a project, by its name or with all of its folder."""
    job = entry.job
    if job.purpose is not Purpose.RUN:
        return False
    if job.project is not None or job.folder is None:
        return is_about(job, project.path)
    try:
        workspace = load_workspace(job.folder)
    except PythonRunnerError:
        return False
    listed = workspace.projects if workspace else ()
    return any(same_folder(folder, project.path) for folder in listed)


def judge_schedule(
    project: Project, entries: Sequence[Entry], me: str, now: datetime
) -> Iterator[Finding]:
    """Yield what is to be said of the entries that start a project.

    Args:
        project: its key ``schedule`` says when it is due.
        entries: all that start it.
        me: this account.
        now: aware.
    """
    folder, schedule = project.path, project.schedule
    if schedule is None:
        for entry in entries:
            # What a person has made needs no key.
            if entry.own and entry.job.project is not None:
                installed = _words(entry.job.expression)
                yield Finding.of(
                    kinds.SCHEDULE_LEFT,
                    folder,
                    where=_where(entry),
                    installed=installed,
                    folder=str(folder),
                )
        return
    values: dict[str, object] = {
        "schedule": _words(schedule),
        "folder": str(folder),
    }
    enabled = [entry for entry in entries if entry.enabled]
    if not enabled:
        kind = kinds.SCHEDULE_DISABLED if entries else kinds.SCHEDULE_MISSING
        place = _where(entries[0]) if entries else None
        yield Finding.of(kind, folder, **values, where=place)
    for entry in enabled:
        where, expression = _where(entry), entry.job.expression
        installed = _words(expression)
        if expression and not same_times(expression, schedule):
            yield Finding.of(
                kinds.SCHEDULE_DIFFERS,
                folder,
                **values,
                where=where,
                installed=installed,
            )
        else:
            moment = next(times_after(schedule, now), None) if expression else None
            told = moment.strftime("%Y-%m-%d %H:%M") if moment else "-"
            yield Finding.of(
                kinds.SCHEDULE_INSTALLED,
                folder,
                where=where,
                installed=installed,
                next=told,
            )
        if entry.account and _account(entry.account) != _account(me):
            account = entry.account
            yield Finding.of(
                kinds.SCHEDULE_ACCOUNT, folder, where=where, account=account, me=me
            )


def _where(entry: Entry) -> Sentence:
    return Sentence.of(_WHERE[entry.scheduler])


def _words(expression: str | None) -> Sentence:
    """Return when an expression is due, in words."""
    if expression is None:
        return Sentence.of(N_("at times that cannot be told here"))
    return in_words(expression)


def _account(name: str) -> str:
    """Return an account without the domain or the computer that Windows puts before it."""
    return name.replace("/", "\\").rpartition("\\")[2].casefold()
