"""``python-runner backup``: a copy of the records, while runs go on."""

from __future__ import annotations

from pathlib import Path

import click

from python_runner.cli.lookup import open_records
from python_runner.cli.streams import say
from python_runner.cli.targets import env_file_option
from python_runner.config.settings import load_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.files import exists, is_file
from python_runner.records.store import DATABASE_NAME
from python_runner.texts.sentence import translate as _


@click.command(
    help=_("Copy the records to the new file FILE, consistently, even during a run.")
)
@click.argument(
    "file",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar=_("FILE"),
)
@env_file_option
def command(file: Path, env_file: Path | None) -> int:
    """Write the copy, never over another file."""
    settings = load_settings(env_file)
    records = settings.home / DATABASE_NAME
    if not is_file(records):
        # A copy of nothing, from a wrong home, would look like a backup for years.
        raise PythonRunnerError(_("{path} does not exist").format(path=records))
    if exists(file):
        raise PythonRunnerError(
            _("{path} already exists; it was not changed").format(path=file)
        )
    with open_records(settings) as store:
        store.backup(file)
    say(_("{records} was copied to {path}."), path=file, records=records)
    return EXIT_SUCCESS
