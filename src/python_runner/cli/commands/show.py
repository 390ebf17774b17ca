"""``python-runner show``: prints one run, or writes it as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_runner.cli import wording
from python_runner.cli.lookup import find_run, open_records, past_masker
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.targets import env_file_option, run_argument
from python_runner.cli.wording import labelled
from python_runner.config.settings import load_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.exit_reasons import shown_exit_code
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.files import replacing
from python_runner.model import OpenRun
from python_runner.records.outputs import as_kept
from python_runner.runner.recovery import known_end, was_interrupted
from python_runner.texts.sanitize import clean, flat
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language
from python_runner.tracebacks.excerpt import MARK, excerpt


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.masking import Masker
    from python_runner.model import Attempt, Run, ScriptResult
    from python_runner.records.locks import Unrecorded


@click.command(
    help=_(
        "Show the run whose id is RUN_ID or begins so, as `python-runner history`"
        " lists it; the last run of PROJECT, a folder; without either, the last run."
    )
)
@run_argument
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar=_("FILE"),
    help=_("Write the report of the run as a web page to FILE."),
)
@env_file_option
def command(
    chosen: str | Path | None,
    *,
    as_json: bool,
    page: Path | None,
    env_file: Path | None,
) -> int:
    """Print or write one run."""
    # Path("") is the current folder.
    if page is not None and page.name in {"", ".."}:
        raise click.BadParameter(_("expected the name of a file"), param_hint="--html")
    settings = load_settings(env_file)
    with open_records(settings) as store:
        run = find_run(store, chosen)
        if isinstance(run, OpenRun):
            active = not was_interrupted(run, store, settings.home)
            end = known_end(run, settings.home)
            raise PythonRunnerError(_why_not(run, end, active=active))
    masker = past_masker(settings, run.path)
    run = as_kept(run).masked(masker)
    if page is not None:
        _write_page(run, masker, page)
    if as_json:
        show_document({"runs": [run.to_document()]})
    elif page is not None:
        say(_("{path} was written."), path=page)
    else:
        for line in _run_lines(run):
            show(line)
    return EXIT_SUCCESS


def _write_page(run: Run, masker: Masker, path: Path) -> None:
    """Write the report of ``run`` as a page that needs no other file.

    Raises:
        PythonRunnerError: the file cannot be written; what was there is still there.
    """
    from python_runner.runner.rendering import render_page  # noqa: PLC0415 - seldom used

    page = render_page(run, masker, language=system_language())
    try:
        with replacing(path) as new:
            new.write(page.encode())
    except OSError as error:
        message = _("{path} cannot be written: {error}")
        raise PythonRunnerError(
            message.format(path=path, error=in_own_language(error))
        ) from error


def _why_not(run: OpenRun, end: Unrecorded | None, *, active: bool) -> str:
    """Return why a run that has not ended cannot be shown, and what to do."""
    if end is not None:
        message = _(
            "the end of run {run_id} ({status}) could not be written to the records."
            " The next run of {path} adds it; `python-runner output {run_id}` shows"
            " its output"
        )
        return message.format(
            run_id=run.run_id, path=run.path, status=_(end.status.word)
        )
    if active:
        message = _(
            "run {run_id} has not ended; follow it with `python-runner output"
            " --follow {run_id}`"
        )
    else:
        message = _(
            "run {run_id} was interrupted: its runner was killed. The next run of"
            " {path} closes and reports it; `python-runner run --resume` runs the"
            " scripts that have not succeeded; `python-runner output {run_id}` shows"
            " its output"
        )
    return message.format(run_id=run.run_id, path=run.path)


def _run_lines(run: Run) -> Iterator[str]:
    yield flat(wording.run_line(run))
    yield "  " + labelled(_("run"), run.run_id)
    yield "  " + labelled(_("start"), wording.formats().moment(run.started_at))
    yield "  " + labelled(_("folder"), run.path)
    if run.interpreter:
        yield "  " + labelled(_("interpreter"), _interpreter(run))
    if run.error:
        yield f"  {wording.say(run.error)}"
    for warning in run.warnings:
        yield "  " + labelled(_("warning"), wording.say(warning))
    for result in run.scripts:
        yield ""
        yield from _script_lines(result, str(run.path))


def _interpreter(run: Run) -> str:
    version = f" (Python {run.interpreter_version})" if run.interpreter_version else ""
    return f"{run.interpreter}{version}"


def _script_lines(result: ScriptResult, folder: str) -> Iterator[str]:
    yield flat(f"{result.number}. {result.script}: {_ending(result)}")
    if len(result.attempts) > 1:
        for place, attempt in enumerate(result.attempts, 1):
            yield f"    {_attempt_line(place, attempt)}"
    if result.reason:
        yield f"    {wording.say(result.reason)}"
    if result.place:
        yield "    " + _("at {place}").format(place=flat(result.place))
    if traceback := result.last_traceback:
        text = excerpt(clean(traceback.text), folder, system_language())
        for line in text.splitlines():
            yield click.style(f"      {line}", bold=line.startswith(MARK) or None)
    for warning in result.warnings:
        yield "    " + labelled(_("warning"), wording.say(warning))
    if used := ", ".join(_resources(result)):
        yield f"    {used}"
    yield from (f"    {line}" for line in wording.output_lines(result))


def _ending(result: ScriptResult) -> str:
    word = wording.outcome_word(result.outcome)
    if not result.attempts:
        return word
    facts = [wording.duration(result.duration)]
    if result.exit_code is not None:
        code = shown_exit_code(result.exit_code)
        facts.append(_("exit code {code}").format(code=code))
    return f"{word} ({', '.join(facts)})"


def _resources(result: ScriptResult) -> Iterator[str]:
    if result.peak_memory is not None:
        size = wording.formats().number(result.peak_memory / 1_000_000)
        yield _("peak memory {size} MB").format(size=size)
    if result.cpu_seconds is not None:
        yield _("processor time {time}").format(
            time=wording.duration(result.cpu_seconds)
        )


def _attempt_line(place: int, attempt: Attempt) -> str:
    line = _("attempt {number}: {outcome} ({time})").format(
        number=place,
        outcome=wording.outcome_word(attempt.outcome),
        time=wording.duration(attempt.duration),
    )
    return f"{line} - {wording.say(attempt.reason)}" if attempt.reason else line
