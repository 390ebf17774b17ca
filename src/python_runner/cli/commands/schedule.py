"""``python-runner schedule``: hands projects to the scheduler of the system."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.app import COMMANDS
from python_runner.cli.known_runs import active_run
from python_runner.cli.lookup import configured_project, open_records
from python_runner.cli.schedule_changes import How, brief, carry_out, place_of
from python_runner.cli.schedule_view import rows_of
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.tables import Cell, Column, print_table
from python_runner.cli.targets import env_file_option, find_targets, projects_argument
from python_runner.config.project import load_project
from python_runner.config.settings import can_mail, load_settings
from python_runner.config.workspace import load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS, EXIT_USAGE
from python_runner.files import absolute, current_folder, is_folder
from python_runner.runner.context import schedule_terms
from python_runner.scheduling.catch_up import outlook_of
from python_runner.scheduling.entries import SchedulerName
from python_runner.scheduling.installed import (
    installed_entries,
    is_about,
    same_folder,
    scheduler_named,
    schedulers,
)
from python_runner.scheduling.jobs import (
    Place,
    digest_job,
    flush_job,
    may_report,
    run_job,
)
from python_runner.scheduling.plan import Wish, folder_key, plan_for
from python_runner.scheduling.task_scheduler import TaskScheduler
from python_runner.scheduling.task_xml import LOGON_TYPES
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import TypeVar

    from python_runner.cli.schedule_view import Row
    from python_runner.config.workspace import Workspace
    from python_runner.model import MailSettings, Project, Settings
    from python_runner.scheduling.entries import Entry, Job, Scheduler
    from python_runner.scheduling.plan import Plan
    from python_runner.scheduling.slots import Missed
    from python_runner.texts.sentence import Sentence

    _F = TypeVar("_F", bound=Callable[..., Any])

#: Variables without which no mail leaves; an entry never holds them.
_MAIL = ("LOGIN_MAIL", "PASSWORD_MAIL", "MAIL_TRANSPORT", "MAIL_FROM", "SMTP_HOST")


@click.group(
    help=_(
        "Let the scheduler of the system run projects when their key `schedule` says:"
        " cron, systemd or the Task Scheduler."
    )
)
def command() -> None:
    """Group the commands about schedules."""


def _change_options(function: _F) -> _F:
    for option in (
        env_file_option,
        click.option(
            "--dry-run", is_flag=True, help=_("Show what would change; change nothing.")
        ),
        click.option("--yes", "-y", is_flag=True, help=_("Change it without asking.")),
        click.option(
            "--to",
            type=click.Choice([name.value for name in SchedulerName]),
            help=_(
                "The scheduler; default: the Task Scheduler on Windows, systemd where a"
                " manager of the user runs, else cron."
            ),
        ),
        projects_argument,
    ):
        function = option(function)
    return function


@command.command(
    "install",
    short_help=_("Install the entries of projects."),
    help=_(
        "Give each PROJECT an entry in the scheduler of the system, at the times of its"
        " key `schedule`; without one, the projects of python-runner.toml. Entries that"
        " send waiting reports and the digest come with the first project. It may be"
        " repeated: only what differs is changed."
    ),
)
@_change_options
@click.option(
    "--logon",
    type=click.Choice(sorted(LOGON_TYPES)),
    help=_(
        "Windows: how the account is there. `password`: Windows asks for it and stores"
        " it; `s4u`: without password and network folders; `interactive`: only while you"
        " are logged on. Default: as the task is, else `password`."
    ),
)
def install(
    projects: tuple[Path, ...],
    *,
    to: str | None,
    yes: bool,
    dry_run: bool,
    logon: str | None,
    env_file: Path | None,
) -> int:
    """Install the entries of projects; 2 where one cannot be installed."""
    targets, settings = find_targets(projects), load_settings(env_file)
    scheduler = _chosen(to, logon)
    place = place_of(env_file)
    wish, code = _wish(targets, scheduler, place, settings.mail)
    plan = _planned(wish, scheduler)
    if plan is None:
        return EXIT_FAILURE
    _warn_of_shell(settings, env_file)
    for entry in plan.others:
        say(
            _("{name} is run by an entry made by hand as well: {definition}"),
            err=True,
            colour="yellow",
            name=entry.job.project.name if entry.job.project else "",
            definition=brief(entry),
        )
    if not wish.jobs and plan.is_empty:
        if code == EXIT_SUCCESS:
            show(_("There is nothing to install: no project has the key `schedule`."))
        return code
    done = carry_out(plan, scheduler, How(yes=yes, dry_run=dry_run))
    if done == EXIT_SUCCESS and not dry_run:
        _note_schedules(targets.projects, settings)
    return max(code, done)


def _note_schedules(folders: Iterable[Path], settings: Settings) -> None:
    """Note that the schedules are known from now on: what is due later can be missed."""
    now = datetime.now().astimezone()
    # Without records nothing is known of runs either; the entries are installed.
    with suppress(PythonRunnerError), open_records(settings) as store:
        for project in filter(None, map(configured_project, folders)):
            store.keep_schedule(project.path, schedule_terms(project), now)


@command.command(
    "remove",
    short_help=_("Remove the entries of projects."),
    help=_(
        "Take the entries of each PROJECT out of the schedulers of the system; without"
        " one, of the projects of python-runner.toml. Entries that others have made are"
        " left alone."
    ),
)
@_change_options
def remove(
    projects: tuple[Path, ...],
    *,
    to: str | None,
    yes: bool,
    dry_run: bool,
    env_file: Path | None,
) -> int:
    """Remove the entries of projects, and what served them with the last one."""
    targets = find_targets(projects)
    load_settings(env_file)
    scheduler = _chosen(to, None)
    wish = Wish(without=targets.projects)
    plan = _planned(wish, scheduler, only=SchedulerName(to) if to else None)
    if plan is None:
        return EXIT_FAILURE
    if plan.is_empty:
        show(_("There is nothing to remove: no entry is installed."))
        return EXIT_SUCCESS
    return carry_out(plan, scheduler, How(yes=yes, dry_run=dry_run))


@command.command(
    "show",
    short_help=_("Show the entries and what is due."),
    help=_(
        "Show which entries run each PROJECT, when it is due next, and what is not as"
        " the key `schedule` says; without one, all entries and the projects of"
        " python-runner.toml."
    ),
)
@projects_argument
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def show_entries(
    projects: tuple[Path, ...], *, as_json: bool, env_file: Path | None
) -> int:
    """Print the entries that start Python Runner."""
    settings = load_settings(env_file)
    problems: list[Sentence] = []
    entries = installed_entries(problems=problems)
    folders = tuple(map(absolute, projects))
    if folders:
        entries = tuple(_about(entries, folders))
    else:
        workspace = load_workspace(current_folder())
        folders = workspace.projects if workspace else ()
    rows = list(rows_of(entries, map(absolute, folders)))
    now = datetime.now().astimezone()
    missed = _missed(rows, settings, now)
    for problem in problems:
        say(wording.say(problem), err=True, colour="yellow")
    if as_json:
        documents = [row.to_document(now, missed.get(row.folder)) for row in rows]
        show_document({"entries": documents})
    elif not rows:
        show(_("Nothing is installed; `python-runner schedule install` does it."))
    else:
        columns = (
            Column(_("project"), name=True),
            Column(_("when")),
            Column(_("due")),
            Column(_("missed"), numbers=True, optional=True),
            Column(_("scheduler")),
            Column(_("notes"), remark=True, optional=True),
        )
        print_table(
            columns,
            [
                (
                    Cell(row.name),
                    Cell(row.when or "-"),
                    _due(row.next_due(now), now),
                    Cell(wording.missed_count(missed.get(row.folder)), "yellow"),
                    Cell(row.entry.scheduler.value if row.entry else "-"),
                    Cell("; ".join(map(wording.say, row.notes)), "yellow"),
                )
                for row in rows
            ],
        )
    return EXIT_FAILURE if problems else EXIT_SUCCESS


def _missed(
    rows: Sequence[Row], settings: Settings, now: datetime
) -> dict[Path | None, Missed]:
    """Return what each project has missed since its last run; nothing of those that run."""
    found: dict[Path | None, Missed] = {}
    projects = {row.folder: row.project for row in rows if row.project}
    try:
        with open_records(settings) as store:
            for folder, project in projects.items():
                seen = outlook_of(project, store, now)
                running = active_run(store, settings.home, project.path)
                if seen and seen.missed and not running:
                    found[folder] = seen.missed
    except PythonRunnerError as error:
        # The entries are there all the same.
        say(str(error), err=True, colour="yellow")
    return found


def _due(due: datetime | None, now: datetime) -> Cell:
    if due is None:
        return Cell("-")
    whole, short = wording.due_forms(due, now)
    return Cell(whole, shorter=(short,))


def _about(entries: Sequence[Entry], folders: Sequence[Path]) -> Iterator[Entry]:
    """Yield the entries of projects, and those that serve their working folders."""
    own = [e for e in entries if any(is_about(e.job, folder) for folder in folders)]
    places = {folder_key(entry.job) for entry in own if entry.job.folder}
    yield from own
    for entry in entries:
        if entry.job.project is None and folder_key(entry.job) in places:
            yield entry


def _chosen(to: str | None, logon: str | None) -> Scheduler:
    """Return the scheduler that is wanted, or the usual one.

    Raises:
        PythonRunnerError: it is not here.
    """
    candidates = schedulers(logon)
    if to is not None:
        candidates = (scheduler_named(SchedulerName(to), logon),)
    reasons = []
    for scheduler in candidates:
        reason = scheduler.unavailable()
        if reason is None:
            return scheduler
        reasons.append(wording.say(reason))
    raise PythonRunnerError("; ".join(reasons))


def _wish(
    targets: Workspace, scheduler: Scheduler, place: Place, mail: MailSettings
) -> tuple[Wish, int]:
    """Return what is wanted of the projects, and the exit code of what cannot be had."""
    jobs: list[Job] = []
    without: list[Path] = []
    due: list[Project] = []
    code = EXIT_SUCCESS
    for folder in targets.projects:
        try:
            project = load_project(folder, defaults=targets.defaults)
        except PythonRunnerError as error:
            say(str(error), err=True)
            code = EXIT_USAGE
            continue
        job = run_job(project, place)
        if job is None:
            without.append(folder)
            say(
                _("{name} has no key `schedule`: {folder}"),
                name=project.name,
                folder=folder,
            )
            continue
        if problem := scheduler.problem(job):
            line = wording.joined(project.name, wording.say(problem))
            say("{line}", err=True, line=line)
            code = EXIT_USAGE
            continue
        jobs.append(job)
        due.append(project)
    jobs += _services(due, place, mail)
    return Wish(jobs=tuple(jobs), without=tuple(without)), code


def _services(
    projects: Iterable[Project], place: Place, mail: MailSettings
) -> Iterator[Job]:
    """Yield what serves projects: what sends waiting reports, and the digest."""
    projects = tuple(projects)
    if any(may_report(project) for project in projects):
        yield flush_job(place)
    reached = any(project.channels for project in projects) or (
        can_mail(mail) and any(project.recipients for project in projects)
    )
    if "digest" in COMMANDS and reached:
        yield digest_job(place)


def _planned(
    wish: Wish, scheduler: Scheduler, only: SchedulerName | None = None
) -> Plan | None:
    """Return what is to be done; None where a scheduler did not answer, which is told."""
    problems: list[Sentence] = []
    entries = installed_entries(problems=problems)
    for problem in problems:
        say(wording.say(problem), err=True)
    if problems:
        return None
    if isinstance(scheduler, TaskScheduler):
        # It looks at its own tasks for how their account is there.
        scheduler.entries()
    if only:
        entries = tuple(entry for entry in entries if entry.scheduler is only)
    plan = plan_for(wish, entries, scheduler, same_folder)
    for entry in entries:
        folder = entry.job.project
        if entry.own and entry not in plan.remove and folder and not is_folder(folder):
            say(
                _(
                    "an entry runs {folder}, which does not exist any more;"
                    " `python-runner schedule remove` with this path removes it"
                ),
                err=True,
                colour="yellow",
                folder=folder,
            )
    return plan


def _warn_of_shell(settings: Settings, env_file: Path | None) -> None:
    """Say which variables of this shell the scheduler will not know."""
    if sys.platform == "win32":
        # There variables usually belong to the account.
        return
    known = load_settings(env_file, environ={}).environ
    names = [name for name in _MAIL if os.environ.get(name) and name not in known]
    if names:
        say(
            _(
                "the scheduler does not know what only this shell sets: write {names}"
                " into {file}"
            ),
            err=True,
            colour="yellow",
            names=", ".join(names),
            file=settings.env_file or current_folder() / ".env",
        )
