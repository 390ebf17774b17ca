"""``python-runner logs``: a project's log and its archives, for people."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_runner.cli import wording
from python_runner.cli.lookup import past_masker
from python_runner.cli.streams import show
from python_runner.cli.targets import env_file_option
from python_runner.config.project import bare_project
from python_runner.config.settings import load_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_INTERRUPTED, EXIT_SUCCESS
from python_runner.files import absolute, exists
from python_runner.model import Outcome
from python_runner.records.log_reader import follow_log, read_log
from python_runner.records.log_rotation import logs_in
from python_runner.texts.sanitize import clean, flat
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from python_runner.records.log_line import LogLine

#: What people must see.
_COLOURS = {"failure": "red", "skipped": "yellow"}
#: Seconds between two looks at a log that is followed.
_INTERVAL = 0.5


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are shown."""

    failures: bool
    text: str

    def wants(self, line: LogLine) -> bool:
        """Say whether a line is shown; upper and lower case are the same."""
        if self.failures and line.status != Outcome.FAILURE:
            return False
        said = f"{line.script}\n{line.traceback or ''}"
        return self.text.casefold() in said.casefold()


@click.command(help=_("Show the log of PROJECT, its archives included, oldest first."))
@click.argument(
    "project",
    type=click.Path(exists=True, file_okay=False, readable=False, path_type=Path),
    metavar=_("PROJECT"),
)
@click.option("--failures", is_flag=True, help=_("Show failures only."))
@click.option(
    "--grep",
    "text",
    default="",
    metavar=_("TEXT"),
    help=_("Show what has TEXT in its script's name or its traceback."),
)
@click.option("--reverse", is_flag=True, help=_("Show the newest first."))
@click.option("--follow", "-f", is_flag=True, help=_("Show new lines as they come."))
@env_file_option
def command(
    project: Path,
    *,
    failures: bool,
    text: str,
    reverse: bool,
    follow: bool,
    env_file: Path | None,
) -> int:
    """Print the lines of one log."""
    if reverse and follow:
        raise click.UsageError(_("--reverse and --follow exclude each other"))
    folder = absolute(project)
    usual = bare_project(folder).log_filename
    logs = folder / "logs"
    # Runner may have been given another name, or several in turn.
    found = _logs_in(logs)
    names = found or [usual]
    if not follow and not found and not exists(logs / usual):
        raise PythonRunnerError(_("{path} does not exist").format(path=logs / usual))
    masker = past_masker(load_settings(env_file), folder)
    found_lines = (
        follow_log(logs, *names, wait=_wait)
        if follow
        else read_log(logs, *names, newest_first=reverse)
    )
    # Before anything is searched in them: a search must find no secret either.
    lines = (line.masked(masker) for line in _readable(found_lines, logs))
    try:
        _print(lines, Filter(failures, text))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_SUCCESS


def _logs_in(folder: Path) -> list[str]:
    """Return the names of the logs; a folder that cannot be read is a sentence."""
    try:
        return logs_in(folder)
    except OSError as error:
        raise _unreadable(error, folder) from error


def _unreadable(error: OSError, folder: Path) -> PythonRunnerError:
    message = _("{path} cannot be read: {error}")
    # An error in reading, after a file has been opened, names none.
    path = error.filename or folder
    return PythonRunnerError(message.format(path=path, error=in_own_language(error)))


def _readable(lines: Iterator[LogLine], folder: Path) -> Iterator[LogLine]:
    """Yield the ``lines`` of logs in a folder; what cannot be read is a sentence."""
    try:
        yield from lines
    except OSError as error:
        raise _unreadable(error, folder) from error


def _wait() -> bool:
    time.sleep(_INTERVAL)
    return True


def _print(lines: Iterable[LogLine], chosen: Filter) -> None:
    # Asked once: a log may have millions of lines.
    formats, minutes = wording.formats(), _("{minutes} min")
    words = {outcome.value: wording.outcome_word(outcome) for outcome in Outcome}
    for line in filter(chosen.wants, lines):
        facts = (
            formats.moment(line.time),
            f"{words[line.status]:<9}",
            minutes.format(minutes=formats.number(line.minutes, 2)).rjust(10),
            flat(line.script),
            flat(f"({line.run_id}, {line.host})"),
        )
        show("  ".join(facts), colour=_COLOURS.get(line.status))
        for text in clean(line.traceback or "").splitlines():
            show(f"    {text}")
