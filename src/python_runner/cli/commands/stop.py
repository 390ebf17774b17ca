"""``python-runner stop``: asks the active run of a project to stop, and says what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from python_runner.cli import wording
from python_runner.cli.errors import writing
from python_runner.cli.known_runs import KnownRun, known
from python_runner.cli.lookup import open_records
from python_runner.cli.streams import say
from python_runner.cli.targets import active_project_argument, env_file_option
from python_runner.cli.wording import labelled
from python_runner.config.project import why_no_folder
from python_runner.config.settings import load_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.orphans import foreign_account
from python_runner.exit_codes import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_SUCCESS
from python_runner.files import absolute, is_folder
from python_runner.records.locks import project_lock
from python_runner.records.stop_file import (
    StopWish,
    forget_wish,
    read_wish,
    stop_file,
    write_wish,
)
from python_runner.runner.recovery import active_runner
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import OpenRun
    from python_runner.records.locks import Holder
    from python_runner.records.store import Store

#: Seconds between two looks at the run.
_INTERVAL = 0.2
#: Seconds that a run has to end: its scripts 10, its report a minute, and some more.
_PATIENCE = 120.0


@click.command(
    help=_(
        "Ask the active run of PROJECT to stop, as Ctrl-C would, and wait until it"
        " has stopped. Its scripts have 10 seconds to end; with --now, or if asked"
        " once more, they are killed at once. Exit codes: 0 no run of it is active any"
        " more, 1 the run continues, 2 it belongs to another account."
    )
)
@active_project_argument
@click.option("--now", is_flag=True, help=_("Kill its scripts at once."))
@env_file_option
def command(project: Path, *, now: bool, env_file: Path | None) -> int:
    """Stop a run; say what came of it."""
    settings, folder = load_settings(env_file), absolute(project)
    home = settings.home
    with open_records(settings) as store:
        holder = active_runner(home, folder, store.open_runs([folder]))
        if holder is None:
            say(_why_none(store, home, folder))
            return EXIT_SUCCESS
        _require_own(holder, folder)
        file = stop_file(project_lock(home, folder).path)
        _ask(file, holder, now=now)
        run_id = store.short_ids([holder.run_id])[holder.run_id]
        message = _("{project}: run {run_id} has been asked to stop (process {pid})")
        say(message, project=folder.name, run_id=run_id, pid=holder.pid)
        try:
            ended = _wait(store, home, folder, holder)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
        if not ended:
            message = _(
                "{project}: run {run_id} has not ended yet. `python-runner stop --now`"
                " kills its scripts; its runner is process {pid}"
            )
            say(message, err=True, project=folder.name, run_id=run_id, pid=holder.pid)
            return EXIT_FAILURE
        forget_wish(file)
        say(_what_came(store, home, folder, holder))
    return EXIT_SUCCESS


def _why_none(store: Store, home: Path, folder: Path) -> str:
    """Return that no run of a project is active, and of one whose runner died.

    Raises:
        PythonRunnerError: the project is no folder at all.
    """
    for run in store.open_runs([folder]):
        found = known(run, store, home)
        if found.interrupted:
            return _interrupted(found)
    if not is_folder(folder) and store.last_run([folder]) is None:
        raise PythonRunnerError(why_no_folder(folder))
    message = _("{project}: no run is active")
    return message.format(project=flat(folder.name))


def _interrupted(found: KnownRun) -> str:
    message = _(
        "{project}: no run is active. Run {run_id} was interrupted: its runner was"
        " killed; the next run closes and reports it"
    )
    run = found.facts
    return message.format(project=flat(run.project), run_id=run.run_id)


def _require_own(holder: Holder, folder: Path) -> None:
    """Refuse the run of another account.

    Raises:
        PythonRunnerError: it is one.
    """
    account = foreign_account(holder.pid)
    if account is None:
        return
    message = _(
        "{project}: run {run_id} belongs to another account ({account}); only that"
        " account can stop it"
    )
    raise PythonRunnerError(
        message.format(
            project=flat(folder.name), run_id=holder.run_id, account=account or "?"
        )
    )


def _ask(file: Path, holder: Holder, *, now: bool) -> None:
    """Leave the request where the runner looks for it.

    Raises:
        PythonRunnerError: it cannot be written.
    """
    before = read_wish(file)
    again = before is not None and before.run_id == holder.run_id
    with writing(file):
        write_wish(file, StopWish(holder.run_id, kill=now or again))


def _wait(store: Store, home: Path, folder: Path, holder: Holder) -> bool:
    """Wait until a run has ended; say whether it has."""
    deadline = time.monotonic() + _PATIENCE
    open_runs: list[OpenRun] = store.open_runs([folder])
    while time.monotonic() < deadline:
        # The records tell nothing that the lock does not, unless its file is gone.
        active = active_runner(home, folder, open_runs)
        if active is None or active.run_id != holder.run_id:
            return True
        time.sleep(_INTERVAL)
        if project_lock(home, folder).was_never_held():
            open_runs = store.open_runs([folder])
    return False


def _what_came(store: Store, home: Path, folder: Path, holder: Holder) -> str:
    """Return how a run ended that was asked to stop."""
    ended = store.run(holder.run_id)
    if ended is not None:
        return flat(wording.run_line(ended))
    for run in store.open_runs([folder]):
        if run.run_id == holder.run_id:
            found = known(run, store, home)
            if found.interrupted:
                return _interrupted(found)
            return labelled(run.project, wording.status_word(found.status))
    return _("{project}: no run is active").format(project=flat(folder.name))
