"""Shows, asks about and does a change of what the system's scheduler starts."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from python_runner.cli import wording
from python_runner.cli.streams import say, show, stderr
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder, expanded
from python_runner.installation import scheduled_command
from python_runner.scheduling.entries import Purpose, SchedulerError, SchedulerName
from python_runner.scheduling.fields import displaced_times
from python_runner.scheduling.installed import scheduler_named
from python_runner.scheduling.jobs import Place
from python_runner.scheduling.systemd import lingers
from python_runner.scheduling.task_scheduler import TaskScheduler
from python_runner.scheduling.words import in_words
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from python_runner.scheduling.entries import Entry, Job, Scheduler
    from python_runner.scheduling.plan import Plan

#: Variables of this shell that a run needs: they say where the records are.
_CARRIED = ("PYTHON_RUNNER_HOME", "XDG_STATE_HOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How the user wants a change."""

    yes: bool
    dry_run: bool


def place_of(env_file: Path | None) -> Place:
    """Return from where the scheduler is to start this program, and how."""
    variables = {name: os.environ[name] for name in _CARRIED if os.environ.get(name)}
    if "PYTHON_RUNNER_HOME" in variables:
        home = str(expanded(variables["PYTHON_RUNNER_HOME"]))
        # It alone decides then.
        variables = {"PYTHON_RUNNER_HOME": home}
    return Place(
        command=scheduled_command(),
        folder=current_folder(),
        env_file=absolute(env_file) if env_file else None,
        variables=variables,
    )


def carry_out(plan: Plan, scheduler: Scheduler, how: How) -> int:
    """Show a plan, ask, and do it."""
    _show_plan(plan, scheduler)
    if plan.is_empty:
        return EXIT_SUCCESS
    changed = (*plan.install, *plan.change)
    if changed:
        _show_needs(scheduler, changed)
    if how.dry_run:
        show(_("Nothing was changed (--dry-run)."))
        return EXIT_SUCCESS
    if code := _refusal(how, scheduler, changed):
        return code
    try:
        here = [e for e in plan.remove if e.scheduler is scheduler.name]
        scheduler.change(changed, here)
        # Afterwards: where that was refused, the project still has its old entry.
        _remove_elsewhere(plan, scheduler)
    except SchedulerError as error:
        say(wording.say(error.reason), err=True)
        return EXIT_FAILURE
    for job in changed:
        show(_("{name}: installed"), colour="green", name=_title(job))
    for entry in plan.remove:
        show(_("{name}: removed"), colour="green", name=_title(entry.job))
    return EXIT_SUCCESS


def _refusal(how: How, scheduler: Scheduler, jobs: Iterable[Job]) -> int:
    """Ask whether to go on; return the exit code where not, else 0."""
    asks = sys.stdin is not None and sys.stdin.isatty() and stderr().isatty()
    if not asks and not how.yes:
        say(_("Nothing was changed; --yes changes it without asking."), err=True)
        return EXIT_USAGE
    if not asks and _wants_password(scheduler, jobs):
        say(
            _(
                "Windows would ask for the password of the account, and there is no"
                " terminal: choose `--logon s4u` or `--logon interactive`"
            ),
            err=True,
        )
        return EXIT_USAGE
    if not how.yes and not click.confirm(
        _("Change this?"), prompt_suffix=" ", err=True
    ):
        say(_("Nothing was changed."), err=True)
        return EXIT_FAILURE
    return EXIT_SUCCESS


def _wants_password(scheduler: Scheduler, jobs: Iterable[Job]) -> bool:
    return isinstance(scheduler, TaskScheduler) and any(
        scheduler.logon_of(job) == "password" for job in jobs
    )


def _remove_elsewhere(plan: Plan, scheduler: Scheduler) -> None:
    for name in SchedulerName:
        there = [entry for entry in plan.remove if entry.scheduler is name]
        if there and name is not scheduler.name:
            scheduler_named(name).change((), there)


def _show_plan(plan: Plan, scheduler: Scheduler) -> None:
    for job in plan.same:
        show(
            _("{name}: {words}: already installed, unchanged"),
            name=_title(job),
            words=_words(job),
        )
    for jobs, template in (
        (plan.install, _("{name}: {words}: to be installed ({scheduler})")),
        (plan.change, _("{name}: {words}: to be changed ({scheduler})")),
    ):
        for job in jobs:
            show(
                template,
                colour="bold",
                name=_title(job),
                words=_words(job),
                scheduler=scheduler.name.value,
            )
            _show_indented(scheduler.definition(job))
    for entry in plan.remove:
        show(
            _("{name}: to be removed ({scheduler})"),
            colour="bold",
            name=_title(entry.job),
            scheduler=entry.scheduler.value,
        )
        _show_indented(brief(entry))
    if not plan.is_empty:
        show(_("By hand:"))
        here = [entry for entry in plan.remove if entry.scheduler is scheduler.name]
        for line in scheduler.instructions((*plan.install, *plan.change), here):
            _show_indented(line)


def _show_indented(text: str) -> None:
    for line in text.rstrip("\n").split("\n"):
        say("  {line}", line=line, whole=True)


def brief(entry: Entry) -> str:
    """Return what names an entry to people: its line, or what it is called."""
    return entry.definition if entry.scheduler is SchedulerName.CRON else entry.name


def _show_needs(scheduler: Scheduler, jobs: Sequence[Job]) -> None:
    """Say what the scheduler needs so that projects run while nobody is logged on."""
    if any(job.purpose is Purpose.SERVE for job in jobs):
        _show_session(scheduler)
        return
    if scheduler.name is SchedulerName.SYSTEMD and not lingers():
        show(
            _(
                "These timers run only while you are logged on. `loginctl enable-linger`"
                " lets them run at any time; it is not changed here."
            )
        )
    if scheduler.name is not SchedulerName.CRON:
        now = datetime.now().astimezone()
        for job in jobs:
            for due in islice(displaced_times(job.expression or "", now), 1):
                show(
                    _(
                        "{name}: on {day} the clock changes, and it may not run: that"
                        " day does not have its time. Choose another time."
                    ),
                    name=_title(job),
                    day=wording.formats().minute(due).partition(" ")[0],
                )
    if isinstance(scheduler, TaskScheduler):
        for logon in sorted({scheduler.logon_of(job) for job in jobs}):
            show(_LOGON_NEEDS[logon]())


def _show_session(scheduler: Scheduler) -> None:
    """Say when the dashboard runs: with the session of the account."""
    if scheduler.name is SchedulerName.SYSTEMD and lingers():
        show(
            _("It runs from the start of the computer, also while nobody is logged on.")
        )
    elif scheduler.name is SchedulerName.SYSTEMD:
        show(
            _(
                "It runs only while you are logged on. `loginctl enable-linger` lets it"
                " run at any time; it is not changed here."
            )
        )
    else:
        show(_("It runs while you are logged on."))


_LOGON_NEEDS: dict[str, Callable[[], str]] = {
    "password": lambda: _(
        "Windows asks for the password of the account and stores it: the tasks run"
        " whether you are logged on or not, and reach network folders. If the password"
        " changes, install them again with `--logon password`."
    ),
    "s4u": lambda: _(
        "No password is stored: the tasks run whether you are logged on or not, but"
        " reach no network folder and no encrypted file. Windows may require a prompt"
        " of an administrator."
    ),
    "interactive": lambda: _("The tasks run only while you are logged on."),
}


def _title(job: Job) -> str:
    if job.project is not None:
        return job.project.name
    if job.purpose is Purpose.FLUSH:
        return _("reports that wait")
    if job.purpose is Purpose.DIGEST:
        return _("digest")
    if job.purpose is Purpose.SERVE:
        return _("dashboard")
    return " ".join(job.command)


def _words(job: Job) -> str:
    if job.purpose is Purpose.SERVE:
        return _("all the time")
    return wording.say(in_words(job.expression or ""))
