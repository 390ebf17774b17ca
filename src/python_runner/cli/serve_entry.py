"""Lets the system start the dashboard with the session of the account, and again if it fails."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.cli import wording
from python_runner.cli.schedule_changes import carry_out
from python_runner.cli.streams import say, show
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS
from python_runner.files import (
    PRIVATE_FILE_MODE,
    current_folder,
    private_folder,
    put,
    read_regular,
    remove,
)
from python_runner.scheduling.entries import Purpose, SchedulerError
from python_runner.scheduling.installed import (
    installed_entries,
    same_folder,
    schedulers,
)
from python_runner.scheduling.plan import Plan, Wish, plan_for
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.cli.schedule_changes import How
    from python_runner.scheduling.entries import Entry, Job, Scheduler
    from python_runner.texts.sentence import Sentence

#: The file of the state folder that holds the token of an installed dashboard: no unit and no
#: task does, because others may read these.
_TOKEN_FILE = "dashboard-token"  # noqa: S105 - the name of a file
_LONGEST_TOKEN = 1000


def install(job: Job, token: str, home: Path, how: How) -> int:
    """Let the system start the dashboard; return the exit code.

    Args:
        job: the dashboard.
        token: what the service cannot find anywhere else; empty: nothing.
        home: the state folder.
        how: whether to ask, and whether to do it.

    Raises:
        PythonRunnerError: no scheduler of this system can do it.
    """
    scheduler = _scheduler_for(job)
    try:
        entries = [e for e in scheduler.entries() if e.job.purpose is Purpose.SERVE]
    except SchedulerError as error:
        raise PythonRunnerError(wording.say(error.reason)) from error
    plan = plan_for(Wish(jobs=(job,)), entries, scheduler, same_folder)
    before = kept_token(home)
    if token and not how.dry_run:
        # Before the service starts, which reads it.
        _keep_token(home, token)
    code = carry_out(plan, scheduler, how)
    if code != EXIT_SUCCESS and token and not before:
        remove(home / _TOKEN_FILE)
    return code


def uninstall(home: Path, how: How) -> int:
    """Take the dashboard of the working folder from the system; return the exit code."""
    problems: list[Sentence] = []
    found = installed_entries(problems=problems)
    own = [e for e in found if e.own and e.job.purpose is Purpose.SERVE]
    here = [entry for entry in own if _is_here(entry)]
    for problem in problems:
        say(wording.say(problem), err=True)
    if not here:
        show(_("There is nothing to remove: no dashboard of this folder is installed."))
        for entry in own:
            show(
                _("One is installed for {folder}; remove it from there."),
                folder=entry.job.folder,
            )
        return EXIT_FAILURE if problems else EXIT_SUCCESS
    scheduler = next(s for s in schedulers() if s.name is here[0].scheduler)
    code = carry_out(Plan(remove=tuple(here)), scheduler, how)
    if code == EXIT_SUCCESS and not how.dry_run and len(here) == len(own):
        with suppress(OSError):
            remove(home / _TOKEN_FILE)
    return code


def kept_token(home: Path) -> str:
    """Return the token of an installed dashboard; empty where there is none."""
    try:
        data = read_regular(home / _TOKEN_FILE, _LONGEST_TOKEN)
    except OSError:
        return ""
    return data.decode("utf-8", "replace").strip()


def _keep_token(home: Path, token: str) -> None:
    try:
        private_folder(home)
        put(home / _TOKEN_FILE, f"{token}\n".encode(), PRIVATE_FILE_MODE)
    except OSError as error:
        message = _("{path} cannot be written: {error}")
        raise PythonRunnerError(
            message.format(path=home / _TOKEN_FILE, error=system_error(error))
        ) from error


def _scheduler_for(job: Job) -> Scheduler:
    """Return the scheduler that can start it.

    Raises:
        PythonRunnerError: there is none; it says why, of each.
    """
    reasons = []
    for scheduler in schedulers():
        reason = scheduler.unavailable() or scheduler.problem(job)
        if reason is None:
            return scheduler
        reasons.append(wording.say(reason))
    raise PythonRunnerError("; ".join(reasons))


def _is_here(entry: Entry) -> bool:
    folder = entry.job.folder
    return folder is not None and same_folder(folder, current_folder())
