"""``python-runner logs``: a project's log and its archives, for people."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_runner.cli import wording
from python_runner.cli.tables import flat
from python_runner.config.project import absolute, bare_project
from python_runner.exceptions import PythonRunnerError
from python_runner.model import Outcome
from python_runner.policy import EXIT_INTERRUPTED, EXIT_SUCCESS
from python_runner.records.log_reader import follow as follow_records
from python_runner.records.log_reader import read_log
from python_runner.records.log_rotation import logs_in
from python_runner.texts.sanitize import clean
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from python_runner.records.log_line import LogLine

#: Seconds between two looks at a log that is followed.
_INTERVAL = 0.5


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are shown."""

    failures: bool
    text: str

    def wants(self, record: LogLine) -> bool:
        """Say whether a record is shown; upper and lower case are the same."""
        if self.failures and record.status == Outcome.SUCCESS:
            return False
        said = f"{record.script}\n{record.traceback or ''}"
        return self.text.casefold() in said.casefold()


@click.command(help=_("Show the log of PROJECT, its archives included, oldest first."))
@click.argument(
    "project", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--failures", is_flag=True, help=_("Show failures only."))
@click.option(
    "--grep",
    "text",
    default="",
    metavar="TEXT",
    help=_("Show what has TEXT in its script's name or its traceback."),
)
@click.option("--reverse", is_flag=True, help=_("Show the newest first."))
@click.option("--follow", "-f", is_flag=True, help=_("Show new records as they come."))
def command(
    project: Path, *, failures: bool, text: str, reverse: bool, follow: bool
) -> int:
    """Print the records of one log."""
    if reverse and follow:
        raise click.UsageError(_("--reverse and --follow exclude each other"))
    folder = absolute(project)
    usual = bare_project(folder).log_filename
    logs = folder / "logs"
    # Runner may have been given another name, or several in turn.
    found = logs_in(logs)
    names = found or [usual]
    if not follow and not found and not (logs / usual).exists():
        raise PythonRunnerError(_("{path} does not exist").format(path=logs / usual))
    records = _readable(
        follow_records(logs, *names, wait=_wait) if follow else read_log(logs, *names)
    )
    try:
        _print(reversed(list(records)) if reverse else records, Filter(failures, text))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_SUCCESS


def _readable(records: Iterator[LogLine]) -> Iterator[LogLine]:
    """Yield ``records``; a file that cannot be read is a sentence."""
    try:
        yield from records
    except OSError as error:
        message = _("{path} cannot be read: {error}")
        raise PythonRunnerError(
            message.format(path=error.filename, error=error.strerror)
        ) from error


def _wait() -> bool:
    time.sleep(_INTERVAL)
    return True


def _print(records: Iterable[LogLine], chosen: Filter) -> None:
    for record in records:
        if chosen.wants(record):
            click.echo(_line(record))
            for line in clean(record.traceback or "").splitlines():
                click.echo(f"    {line}")


def _line(record: LogLine) -> str:
    """Return the facts of a record; a failure is red on a terminal."""
    formats = wording.formats()
    outcome = Outcome(record.status)
    minutes = formats.number(record.minutes, 2)
    line = "  ".join(
        (
            formats.moment(record.time),
            f"{wording.outcome_word(outcome):<9}",
            _("{minutes} min").format(minutes=minutes).rjust(10),
            flat(record.script),
            flat(f"({record.run_id}, {record.host})"),
        )
    )
    return line if outcome.succeeded else click.style(line, fg="red")
