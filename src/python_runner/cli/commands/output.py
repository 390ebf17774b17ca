"""``python-runner output``: what the scripts of a run wrote, also while they write."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_runner.cli.candidates import completer, scripts_of_run
from python_runner.cli.follow import settled_text
from python_runner.cli.lookup import find_run, open_records, past_masker
from python_runner.cli.streams import say, show, stdout
from python_runner.cli.targets import env_file_option, run_argument
from python_runner.config.settings import load_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_SUCCESS
from python_runner.facts import dataclass
from python_runner.files import exists
from python_runner.model import OpenRun
from python_runner.records.output_reader import OutputReader
from python_runner.records.outputs import output_file
from python_runner.runner.recovery import was_interrupted
from python_runner.texts.sanitize import OutputCleaner, flat
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import OpenScript, Run, Settings

#: Seconds between two looks at a run that is followed.
_INTERVAL = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Output:
    """Captured output of one script; ``ended`` tells that no more will come."""

    script: str
    number: int
    file: Path
    ended: bool


@dataclass(frozen=True, slots=True)
class _View:
    """What there is to show of a run at one moment."""

    outputs: tuple[_Output, ...]
    ended: bool


@click.command(
    help=_(
        "Show what the scripts of a run wrote, or SCRIPT alone. RUN_ID is its id, or"
        " how the id begins; PROJECT, a folder, stands for its last run; without"
        " either it is the last run."
    )
)
@run_argument
@click.argument(
    "script",
    required=False,
    metavar=_("[SCRIPT]"),
    shell_complete=completer(scripts_of_run),
)
@click.option(
    "--follow", "-f", is_flag=True, help=_("Follow a run that is active to its end.")
)
@click.option(
    "--grep",
    "text",
    metavar=_("TEXT"),
    help=_("Show the lines with TEXT of all runs whose output is kept."),
)
@env_file_option
def command(
    chosen: str | Path | None,
    script: str | None,
    *,
    follow: bool,
    text: str | None,
    env_file: Path | None,
) -> int:
    """Print captured output; 1 when a part of it is not there any more."""
    settings = load_settings(env_file)
    if text is not None:
        if follow:
            message = _("{option} and --follow exclude each other")
            raise click.UsageError(message.format(option="--grep"))
        if not text:
            raise click.BadParameter(_("expected a string"), param_hint="--grep")
        return _search(settings, chosen, script, text)
    with open_records(settings) as store:
        run = find_run(store, chosen)
        masker = past_masker(settings, run.path)
        _check_script(run, script, masker)

        def look() -> _View:
            if not follow or not isinstance(run, OpenRun):
                return _view(run, script, ended=True)
            latest = find_run(store, run.run_id)
            ended = not isinstance(latest, OpenRun) or was_interrupted(
                latest, store, settings.home
            )
            return _view(latest, script, ended=ended)

        several = script is None and len(run.scripts) > 1
        try:
            complete = show_outputs(look, several=several, masker=masker)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
    return EXIT_SUCCESS if complete else EXIT_FAILURE


def _search(
    settings: Settings, chosen: str | Path | None, script: str | None, text: str
) -> int:
    """Print the lines with a text of all outputs that are kept, the newest run first."""
    from python_runner.cli.search import search_outputs  # noqa: PLC0415 - seldom used

    with open_records(settings) as store:
        try:
            search_outputs(store, settings, chosen, script, text)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
    return EXIT_SUCCESS


def _check_script(run: Run | OpenRun, script: str | None, masker: Masker) -> None:
    names = [entry.script for entry in run.scripts]
    if script is not None and script not in names:
        raise PythonRunnerError(
            _("{project} has no script {names}; its series contains {series}").format(
                project=run.project,
                names=script,
                series=masker.text(", ".join(names)),
            )
        )


def _view(run: Run | OpenRun, script: str | None, *, ended: bool) -> _View:
    outputs = (
        _open_outputs(run, ended=ended)
        if isinstance(run, OpenRun)
        else [
            _Output(script=r.script, number=r.number, file=r.output, ended=True)
            for r in run.scripts
            if r.output
        ]
    )
    wanted = (output for output in outputs if script in {None, output.script})
    return _View(tuple(wanted), ended)


def _open_outputs(run: OpenRun, *, ended: bool) -> list[_Output]:
    # The folder bears the local time of whoever runs it, which may not be ours.
    folder = next((run.path / "logs" / "runs").glob(f"*_{run.run_id}"), None)
    return [
        _Output(
            script=entry.script,
            number=entry.number,
            file=entry.output or output_file(folder, entry.number, entry.script),
            ended=ended or entry.outcome is not None,
        )
        for entry in run.scripts
        if folder and _has_begun(entry)
    ]


def _has_begun(entry: OpenScript) -> bool:
    return entry.output is not None or (
        entry.started_at is not None and entry.outcome is None
    )


def show_outputs(look: Callable[[], _View], *, several: bool, masker: Masker) -> bool:
    """Print each output whole, in the order of the series as far as they have begun.

    Args:
        look: returns what there is now.
        several: whether each output gets a heading.
        masker: takes secrets out of it.

    Returns:
        Whether there was something, and all of it could be read.
    """
    shown: dict[int, bool] = {}
    while True:
        view = look()
        # A look costs as much as the run has scripts: one for all that have begun.
        begun = [output for output in view.outputs if output.number not in shown]
        for output in begun:
            if several:
                show(f"==> {flat(masker.text(output.script))} <==")
            shown[output.number] = _show(
                output, look, whole_lines=several, masker=masker
            )
        if not begun:
            if view.ended:
                break
            time.sleep(_INTERVAL)
    if not shown:
        say(_("There is no output: nothing was started."), err=True)
    return bool(shown) and all(shown.values())


def _show_silent(output: _Output, masker: Masker) -> None:
    """Say that a script printed nothing, or nothing yet."""
    message = _("{script} printed nothing.")
    if not output.ended:
        message = _("{script} has printed nothing so far.")
    say(message, err=True, script=flat(masker.text(output.script)))


def _show(
    output: _Output, look: Callable[[], _View], *, whole_lines: bool, masker: Masker
) -> bool:
    def going_on() -> bool:
        return not output.ended and any(
            other.number == output.number and not other.ended
            for other in look().outputs
        )

    def unreadable(error: OSError) -> None:
        message = _("{path} cannot be read: {error}")
        raise PythonRunnerError(
            message.format(path=output.file, error=in_own_language(error))
        ) from error

    if output.ended and not exists(output.file):
        message = _("{script}: its output is not kept any more ({path})")
        say(message, err=True, script=masker.text(output.script), path=output.file)
        return False
    last = ""
    reader = OutputReader(output.file, masker)
    blocks = reader.follow(going_on, partial(time.sleep, _INTERVAL), unreadable)
    # With its colours, wherever it goes.
    cleaner = OutputCleaner(colours=True)
    for block in settled_text(blocks):
        text = cleaner.clean(block)
        stdout().write(text)
        last = text[-1:] or last
    stdout().write(cleaner.end())
    if not last:
        _show_silent(output, masker)
    elif whole_lines and last != "\n":
        show()
    return True
