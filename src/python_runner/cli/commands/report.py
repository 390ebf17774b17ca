"""``python-runner report``: the pages of the dashboard as files, for a shared folder."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from python_runner.cli.errors import writing
from python_runner.cli.lookup import open_records
from python_runner.cli.moments import parse_since
from python_runner.cli.streams import say
from python_runner.cli.targets import env_file_option, projects_argument
from python_runner.computer import host_name
from python_runner.config.settings import load_settings
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.files import absolute, current_folder
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.web.site import Site
    from python_runner.web.site_folder import Published

#: The oldest run that has a page, where nothing else is said.
SINCE = "30d"
#: Seconds without anything done after which the folder counts as gone, and those between
#: two looks.
PATIENCE, _LOOK = 60.0, 0.2


@click.command(
    help=_(
        "Write the pages of the dashboard as files into the folder DIR, for a share or a"
        " web server: all projects, each project, the last runs with their outputs, the"
        " errors. They hold no script, and are read without Python Runner. Only what has"
        " changed is written again. Without PROJECT, those of python-runner.toml, else"
        " all projects."
    )
)
@projects_argument
@click.option(
    "--site",
    "folder",
    required=True,
    type=click.Path(path_type=Path, readable=False),
    metavar=_("DIR"),
    help=_("The folder: an empty one the first time, of this computer alone."),
)
@click.option(
    "--since",
    default=SINCE,
    show_default=True,
    metavar=_("TIME"),
    help=_("The oldest run that has a page: 30d, 12h or 2026-11-24."),
)
@env_file_option
def command(
    projects: tuple[Path, ...], *, folder: Path, since: str, env_file: Path | None
) -> int:
    """Write the pages."""
    # Imported here because the template engine takes a while.
    from python_runner.web.site import Site  # noqa: PLC0415

    now = datetime.now().astimezone()
    begin = parse_since(since, now)
    settings = load_settings(env_file)
    workspace = load_workspace(current_folder()) or Workspace()
    with open_records(settings):
        # As with any command: what is damaged is set aside, what is old brought up to date.
        pass
    folders = tuple(dict.fromkeys(map(absolute, projects or workspace.projects)))
    site = Site(
        settings=settings,
        projects=folders,
        defaults=workspace.defaults,
        keep_days=workspace.keep_days,
        language=system_language(),
        clock=lambda: now,
    )
    target = absolute(folder)
    with writing(target):
        done = watched(lambda count: _publish(site, begin, target, count), target)
    say(
        _("{path}: {written} files written, {same} unchanged, {removed} removed."),
        path=target / "index.html",
        written=done.written,
        same=done.unchanged,
        removed=done.removed,
    )
    return EXIT_SUCCESS


def _publish(
    site: Site, since: datetime, folder: Path, count: Callable[[], None]
) -> Published:
    """Make the pages and write them; by one thread, which the records belong to."""
    from python_runner.records.read_only import open_reader  # noqa: PLC0415
    from python_runner.web.site_folder import Author, publish  # noqa: PLC0415
    from python_runner.web.standing import question_for, written_words  # noqa: PLC0415
    from python_runner.web.static_site import StaticSite  # noqa: PLC0415

    store, database = open_reader(site.settings.home)
    try:
        made = StaticSite(site, store, database.changes, since)
        author = Author(
            computer=host_name(),
            home=site.settings.home,
            words=written_words(question_for(site, store)),
        )
        return publish(folder, list(made.sheets()), author, count)
    finally:
        database.close()


def watched(
    work: Callable[[Callable[[], None]], Published],
    folder: Path,
    patience: float = PATIENCE,
) -> Published:
    """Do ``work`` as long as something gets done: a share may never answer.

    Raises:
        PythonRunnerError: nothing was done for ``patience`` seconds. The thread that
            hangs ends with the process.
    """
    done: list[Published] = []
    failed: list[BaseException] = []
    steps = [0]

    def count() -> None:
        steps[0] += 1

    def act() -> None:
        try:
            done.append(work(count))
        except BaseException as error:  # noqa: BLE001 - it is raised below
            failed.append(error)

    thread = Thread(target=act, name="site", daemon=True)
    thread.start()
    seen, since = 0, time.monotonic()
    while thread.is_alive():
        thread.join(_LOOK)
        if steps[0] != seen:
            seen, since = steps[0], time.monotonic()
        elif time.monotonic() - since > patience:
            message = _("{folder} does not answer; what is there stays as it is")
            raise PythonRunnerError(message.format(folder=folder))
    if failed:
        raise failed[0]
    return done[0]
