"""``python-runner logs``: a project's log and its archives, for people."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.lookup import past_masker
from python_runner.cli.moments import since_option
from python_runner.cli.parameters import at_least
from python_runner.cli.streams import say, show, show_document, show_pieces, stdout
from python_runner.cli.targets import env_file_option, project_argument
from python_runner.config.project import bare_project, why_no_folder
from python_runner.config.settings import load_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_INTERRUPTED, EXIT_SUCCESS
from python_runner.facts import dataclass
from python_runner.files import absolute, exists, is_folder
from python_runner.installation import shell_word
from python_runner.model import Outcome
from python_runner.records.log_line import format_log_line
from python_runner.records.log_reader import follow_log, read_log
from python_runner.records.log_rotation import logs_in
from python_runner.texts.sanitize import clean
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from python_runner.records.log_line import LogLine

#: What people must see.
_COLOURS = {"success": "green", "failure": "red", "skipped": "yellow"}
#: Seconds between two looks at a log that is followed.
_INTERVAL = 0.5
#: Seconds that the minutes of a log tell apart.
_PRECISION = 0.6


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are shown."""

    failures: bool
    text: str
    since: datetime | None = None

    def wants(self, line: LogLine) -> bool:
        """Say whether a line is shown; upper and lower case are the same."""
        if self.failures and line.status != Outcome.FAILURE:
            return False
        if self.since is not None and line.time < self.since:
            return False
        said = f"{line.script}\n{line.traceback or ''}"
        return self.text.casefold() in said.casefold()


@click.command(
    help=_(
        "Show the log of PROJECT, its archives included, oldest first. A pipe or a"
        " file gets the lines as they are in the log, which is in English."
    )
)
@project_argument
@click.option("--failures", is_flag=True, help=_("Show failures only."))
@click.option(
    "--grep",
    "text",
    default="",
    metavar=_("TEXT"),
    help=_("Show only entries with TEXT in the script's name or traceback."),
)
@since_option(_("Show only lines since: 7d, 12h or 2026-11-24."))
@click.option(
    "--lines",
    "-n",
    "count",
    type=at_least(0),
    metavar=_("N"),
    help=_("Show the last N only."),
)
@click.option("--reverse", is_flag=True, help=_("Show the newest first."))
@click.option("--follow", "-f", is_flag=True, help=_("Show new lines as they come."))
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def command(
    project: Path, *, count: int | None, env_file: Path | None, **flags: Any
) -> int:
    """Print the lines of one log."""
    follow, reverse = flags["follow"], flags["reverse"]
    for name in ("reverse", "json"):
        if follow and flags["as_json" if name == "json" else name]:
            message = _("{option} and --follow exclude each other")
            raise click.UsageError(message.format(option=f"--{name}"))
    folder = absolute(project)
    logs, names = _find_logs(folder, follow=follow)
    masker = past_masker(load_settings(env_file), folder)
    chosen = Filter(flags["failures"], flags["text"], flags["since"])

    def wanted(lines: Iterator[LogLine]) -> Iterator[LogLine]:
        # Before anything is searched in them: a search must find no secret either.
        masked = (line.masked(masker) for line in _readable(lines, logs))
        return filter(chosen.wants, masked)

    print_lines = _printer()
    try:
        if follow:
            _follow(logs, names, count, wanted, print_lines)
            return EXIT_SUCCESS
        newest_first = reverse or count is not None
        found = wanted(read_log(logs, *names, newest_first=newest_first))
        lines: Iterable[LogLine] = islice(found, count)
        if newest_first and not reverse:
            lines = reversed([*lines])
        if flags["as_json"]:
            show_document({"lines": [_document(line) for line in lines]})
        else:
            print_lines(lines)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    if chosen.text and not flags["as_json"]:
        _tell_what_was_searched(project)
    return EXIT_SUCCESS


def _find_logs(folder: Path, *, follow: bool) -> tuple[Path, list[str]]:
    """Return the folder of a project's logs, and their names.

    Raises:
        PythonRunnerError: there is none, and none is waited for.
    """
    if not is_folder(folder):
        raise PythonRunnerError(why_no_folder(folder))
    usual = bare_project(folder).log_filename
    logs = folder / "logs"
    try:
        # Runner may have been given another name, or several in turn.
        found = logs_in(logs)
    except OSError as error:
        raise _unreadable(error, logs) from error
    if not follow and not found and not exists(logs / usual):
        raise PythonRunnerError(_("{path} does not exist").format(path=logs / usual))
    return logs, found or [usual]


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


def _follow(
    logs: Path,
    names: list[str],
    count: int | None,
    wanted: Callable[[Iterator[LogLine]], Iterator[LogLine]],
    print_lines: Callable[[Iterable[LogLine]], None],
) -> None:
    """Print what there is, at most the last ``count`` lines, then each line as it comes.

    Raises:
        KeyboardInterrupt: nothing else ends it.
    """
    past: deque[LogLine] | None = None if count is None else deque(maxlen=count)

    def wait() -> bool:
        nonlocal past
        if past is not None:
            print_lines(past)
            past = None
        time.sleep(_INTERVAL)
        return True

    for line in wanted(follow_log(logs, *names, wait=wait)):
        if past is None:
            print_lines([line])
        else:
            past.append(line)


def _document(line: LogLine) -> dict[str, Any]:
    return {
        "time": line.time.isoformat(),
        "level": line.level,
        "host": line.host,
        "run_id": line.run_id,
        "minutes": line.minutes,
        "script": line.script,
        "status": line.status,
        "traceback": line.traceback,
    }


def _printer() -> Callable[[Iterable[LogLine]], None]:
    """Return what prints lines of a log: for people on a terminal, else as they are."""
    if stdout().columns is None:

        def print_as_they_are(lines: Iterable[LogLine]) -> None:
            for line in lines:
                show(format_log_line(line))

        return print_as_they_are

    # Asked once: a log may have millions of lines.
    formats = wording.formats()
    words = {outcome.value: wording.outcome_word(outcome) for outcome in Outcome}
    longest = max(len(words[status]) for status in _COLOURS)

    def print_for_people(lines: Iterable[LogLine]) -> None:
        for line in lines:
            show_pieces(
                (f"{formats.moment(line.time)}  ", None),
                (f"{words[line.status]:<{longest}}", _COLOURS.get(line.status)),
                (f"  {_duration(line):>9}  {line.script}  ", None),
                (f"({line.run_id}, {line.host})", "dim"),
            )
            for text in clean(line.traceback or "").splitlines():
                show(f"    {text}")

    return print_for_people


def _duration(line: LogLine) -> str:
    """Return how long a script took, as exactly as a log tells it; nothing if not run."""
    if line.status == Outcome.SKIPPED:
        return ""
    seconds = line.minutes * 60
    if seconds < _PRECISION:
        return "< " + wording.duration(_PRECISION)
    return wording.duration(seconds)


def _tell_what_was_searched(project: Path) -> None:
    """Say that the log alone was searched, and what searches the output."""
    message = _(
        "Only the log was searched: names of scripts and tracebacks. `python-runner"
        " output {project} --grep TEXT` searches the output of the scripts."
    )
    say(message, err=True, project=shell_word(str(project)))
