"""``python-runner schedule``: hands projects to the scheduler of the system."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.app import COMMANDS
from python_runner.cli.known_runs import active_run
from python_runner.cli.lookup import configured_project, open_records
from python_runner.cli.schedule_view import rows_of
from python_runner.cli.streams import say, show, show_document, stderr
from python_runner.cli.tables import Cell, Column, print_table
from python_runner.cli.targets import env_file_option, find_targets, projects_argument
from python_runner.config.project import load_project
from python_runner.config.settings import can_mail, load_settings
from python_runner.config.workspace import load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder, expanded, is_folder
from python_runner.installation import scheduled_command
from python_runner.runner.context import schedule_terms
from python_runner.scheduling.catch_up import outlook_of
from python_runner.scheduling.entries import Purpose, SchedulerError, SchedulerName
from python_runner.scheduling.fields import displaced_times
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
from python_runner.scheduling.systemd import lingers
from python_runner.scheduling.task_scheduler import TaskScheduler
from python_runner.scheduling.task_xml import LOGON_TYPES
from python_runner.scheduling.words import in_words
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

#: Variables of this shell that a run needs: they say where the records are.
_CARRIED = ("PYTHON_RUNNER_HOME", "XDG_STATE_HOME")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How the user wants a change."""

    yes: bool
    dry_run: bool


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
    place = _place(env_file)
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
            definition=_brief(entry),
        )
    if not wish.jobs and plan.is_empty:
        if code == EXIT_SUCCESS:
            show(_("There is nothing to install: no project has the key `schedule`."))
        return code
    done = _carry_out(plan, scheduler, _How(yes=yes, dry_run=dry_run))
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
    return _carry_out(plan, scheduler, _How(yes=yes, dry_run=dry_run))


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


def _place(env_file: Path | None) -> Place:
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


def _carry_out(plan: Plan, scheduler: Scheduler, how: _How) -> int:
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


def _refusal(how: _How, scheduler: Scheduler, jobs: Iterable[Job]) -> int:
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
        _show_indented(_brief(entry))
    if not plan.is_empty:
        show(_("By hand:"))
        here = [entry for entry in plan.remove if entry.scheduler is scheduler.name]
        for line in scheduler.instructions((*plan.install, *plan.change), here):
            _show_indented(line)


def _show_indented(text: str) -> None:
    for line in text.rstrip("\n").split("\n"):
        say("  {line}", line=line, whole=True)


def _brief(entry: Entry) -> str:
    """Return what names an entry to people: its line, or what it is called."""
    return entry.definition if entry.scheduler is SchedulerName.CRON else entry.name


def _show_needs(scheduler: Scheduler, jobs: Sequence[Job]) -> None:
    """Say what the scheduler needs so that projects run while nobody is logged on."""
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


def _title(job: Job) -> str:
    if job.project is not None:
        return job.project.name
    if job.purpose is Purpose.FLUSH:
        return _("reports that wait")
    if job.purpose is Purpose.DIGEST:
        return _("digest")
    return " ".join(job.command)


def _words(job: Job) -> str:
    return wording.say(in_words(job.expression or ""))
