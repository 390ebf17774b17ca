"""``python-runner show``: prints one run, or writes it as a page."""

from __future__ import annotations

import webbrowser
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.errors import writing
from python_runner.cli.known_runs import known
from python_runner.cli.lookup import find_run, open_records, owners_help, past_masker
from python_runner.cli.streams import say, show, show_document, show_pieces
from python_runner.cli.tables import Cell, Column, print_table
from python_runner.cli.targets import env_file_option, run_argument
from python_runner.cli.wording import labelled
from python_runner.config.settings import load_settings
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.execution.exit_reasons import shown_exit_code
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.files import absolute, current_folder, replacing
from python_runner.model import Outcome, Run
from python_runner.records.outputs import as_kept
from python_runner.report.differences import view_differences
from python_runner.texts.sanitize import clean, flat
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _
from python_runner.tracebacks.excerpt import MARK, excerpt


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from python_runner.cli.known_runs import KnownRun
    from python_runner.masking import Masker
    from python_runner.model import (
        Attempt,
        OpenRun,
        OpenScript,
        ScriptResult,
        Settings,
    )
    from python_runner.model.differences import Differences
    from python_runner.records.store import Store

#: A script's mark, name, time, outcome and reason.
_COLUMNS = (
    Column(),
    Column(name=True),
    Column(numbers=True),
    Column(),
    Column(remark=True, beside=True),
)
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "dim"}
#: The page that is opened and has no name of its own, in the state folder.
_PAGE = "run.html"


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
    help=_("Write the page of the run, as the dashboard has it, to FILE."),
)
@click.option(
    "--open", "opens", is_flag=True, help=_("Open that page in the web browser.")
)
@click.option(
    "--verbose", "-v", is_flag=True, help=_("Show every detail of every script.")
)
@env_file_option
def command(
    chosen: str | Path | None,
    *,
    page: Path | None,
    env_file: Path | None,
    **flags: Any,
) -> int:
    """Print or write one run."""
    # Path("") is the current folder.
    if page is not None and page.name in {"", ".."}:
        raise click.BadParameter(_("expected the name of a file"), param_hint="--html")
    settings = load_settings(env_file)
    with open_records(settings) as store:
        found = known(find_run(store, chosen), store, settings.home)
        run_id = store.short_ids([found.facts.run_id])[found.facts.run_id]
        masker = past_masker(settings, found.facts.path)
        changed = _changed(found, store, masker)
    if flags["opens"] and page is None:
        page = settings.home / _PAGE
    if page is not None:
        _write_page(found.facts.run_id, settings, page)
        if flags["opens"]:
            _open(page)
    if flags["as_json"]:
        show_document({"runs": [_document(found, masker, changed)]})
    elif page is not None:
        say(_("{path} was written."), path=page)
    elif isinstance(found.facts, Run):
        run = as_kept(found.facts).masked(masker)
        command_for = partial(wording.output_command, run_id, env_file=env_file)
        _show_run(run, command_for, changed, verbose=flags["verbose"])
    else:
        _show_open_run(found.facts, found, masker)
    return EXIT_SUCCESS


def _changed(
    found: KnownRun, store: Store, masker: Masker
) -> Mapping[str, Differences]:
    """Return what changed since scripts of a run last succeeded, by their names."""
    if not isinstance(found.facts, Run):
        return {}
    from python_runner.runner.differences import (  # noqa: PLC0415 - of failures only
        since_success,
    )

    return since_success(found.facts, store, masker)


def _document(
    found: KnownRun, masker: Masker, changed: Mapping[str, Differences]
) -> dict[str, Any]:
    """Return a run as ``history --json`` has it; what changed stands beside a failure."""
    document = found.to_document(masker)
    names = [script.script for script in found.facts.scripts]
    for name, script in zip(names, document["scripts"], strict=True):
        if differences := changed.get(name):
            script["changed"] = differences.to_document()
    return document


def _write_page(run_id: str, settings: Settings, path: Path) -> None:
    """Write the page of a run, as the dashboard has it, so that it needs no other file.

    Raises:
        PythonRunnerError: the file cannot be written; what was there is still there.
    """
    # Imported here because pages are seldom written, and the template engine takes a while.
    from python_runner.records.read_only import open_reader  # noqa: PLC0415
    from python_runner.web.site import Site  # noqa: PLC0415
    from python_runner.web.standing import run_page  # noqa: PLC0415

    workspace = load_workspace(current_folder()) or Workspace()
    site = Site(
        settings=settings,
        defaults=workspace.defaults,
        keep_days=workspace.keep_days,
        language=system_language(),
    )
    store, database = open_reader(settings.home)
    try:
        page = run_page(site, store, run_id)
    finally:
        database.close()
    with writing(path), replacing(path) as new:
        new.write(page.encode("utf-8", "replace"))


def _open(page: Path) -> None:
    """Open a page in the browser; where there is none the page is there all the same."""
    if not webbrowser.open_new_tab(absolute(page).as_uri()):
        say(_("There is no web browser to open it."), err=True)


def _hint(found: KnownRun) -> str:
    """Return why a run that has not ended cannot be shown whole, and what to do."""
    if found.active:
        message = _(
            "run {run_id} has not ended; follow it with `python-runner output"
            " --follow {run_id}`"
        )
    elif found.interrupted:
        message = _(
            "run {run_id} was interrupted: its runner was killed. The next run of"
            " {path} closes and reports it; `python-runner run --resume` runs the"
            " scripts that have not succeeded; `python-runner output {run_id}` shows"
            " its output"
        )
    else:
        message = _(
            "the end of run {run_id} ({status}) could not be written to the records."
            " The next run of {path} adds it; `python-runner output {run_id}` shows"
            " its output"
        )
    return message.format(
        run_id=found.facts.run_id,
        path=found.facts.path,
        status=wording.status_word(found.status),
    )


def _show_open_run(run: OpenRun, found: KnownRun, masker: Masker) -> None:
    """Print what is known of a run that has not ended, or whose end is not recorded."""
    done = _("{done} of {total} succeeded")
    show_pieces(
        (wording.joined(run.project, ""), "bold"),
        (wording.status_word(found.status), wording.status_colour(found.status)),
        (", " + done.format(done=found.succeeded, total=len(found.outcomes)), None),
    )
    for line in _identity(run):
        show(line)
    show()
    print_table(
        _COLUMNS,
        (
            _open_cells(script, outcome, masker)
            for script, outcome in zip(run.scripts, found.outcomes, strict=True)
        ),
    )
    show("\n" + _hint(found))


def _open_cells(
    script: OpenScript, outcome: Outcome | None, masker: Masker
) -> list[Cell]:
    mark, colour, word, remark = "○", "dim", _("planned"), ""
    if outcome is not None:
        mark, colour = wording.outcome_mark(outcome)
        word = wording.outcome_word(outcome)
    elif script.waits_until is not None:
        mark, colour, word = ">", "yellow", _("waiting")
        remark = wording.next_attempt(script.waits_until, datetime.now().astimezone())
    elif script.started_at is not None:
        mark, colour, word = ">", "cyan", _("running")
    name = Cell(masker.text(script.script))
    return [Cell("  " + mark, colour), name, Cell(""), Cell(word, colour), Cell(remark)]


def _show_run(
    run: Run,
    command_for: Callable[[str], str],
    changed: Mapping[str, Differences],
    *,
    verbose: bool,
) -> None:
    """Print a run: its scripts in one line each, then what did not succeed in full.

    Args:
        run: the run.
        command_for: returns the command that shows the output of a script.
        changed: what changed since scripts last succeeded, by their names.
        verbose: whether every detail of every script is shown.
    """
    word = _(run.status.word)
    before, _word, rest = flat(wording.run_line(run, named=False)).partition(word)
    show_pieces(
        (before, "bold"), (word, wording.run_colour(run, run.status)), (rest, None)
    )
    for line in _head_lines(run, verbose=verbose):
        show(line)
    if run.scripts:
        show()
    print_table(_COLUMNS, map(_cells, run.scripts))
    texts = owners_help(run.path) if run.failed_scripts else {}
    for result in run.scripts:
        if verbose or _deserves_more(result):
            show()
            _show_script(
                result,
                run,
                command_for,
                differences=changed.get(result.script),
                verbose=verbose,
            )
            if not result.succeeded:
                for line in wording.help_lines(texts, result.script):
                    show(f"    {line}")
    if lines := wording.help_lines(texts, ""):
        show("\n" + "\n".join(lines))


def _head_lines(run: Run, *, verbose: bool) -> Iterator[str]:
    yield from _identity(run)
    if run.interpreter and verbose:
        yield "  " + labelled(_("interpreter"), _interpreter(run))
    for line in wording.written_lines([run]):
        yield f"  {line}"
    if run.held and run.held.back:
        yield f"  {wording.say(run.held.reason)}"
    if run.error:
        yield f"  {wording.say(run.error)}"
    for warning in run.warnings:
        yield "  " + labelled(_("warning"), wording.say(warning))


def _identity(run: Run | OpenRun) -> Iterator[str]:
    yield "  " + labelled(_("run"), run.run_id)
    yield "  " + labelled(_("start"), wording.formats().moment(run.started_at))
    yield "  " + labelled(_("folder"), run.path)


def _interpreter(run: Run) -> str:
    version = f" (Python {run.interpreter_version})" if run.interpreter_version else ""
    return f"{run.interpreter}{version}"


def _cells(result: ScriptResult) -> list[Cell]:
    mark, colour = wording.result_mark(result)
    return [
        Cell("  " + mark, colour),
        Cell(result.script),
        Cell(wording.duration(result.duration) if result.attempts else ""),
        Cell(wording.outcome_word(result.outcome), colour),
        Cell(_remark(result)),
    ]


def _remark(result: ScriptResult) -> str:
    """Return why a script did not succeed, or is unusual, or how many attempts it took."""
    if not result.succeeded:
        return wording.why_beside(result)
    if result.unusual:
        return wording.joined(_("unusual"), wording.say(result.unusual[0]))
    count = len(result.attempts)
    return wording.attempts(count) if count > 1 else ""


def _deserves_more(result: ScriptResult) -> bool:
    """Say whether there is more to tell of a script than its line in the table does."""
    if result.outcome is Outcome.SKIPPED:
        return False
    return not result.succeeded or bool(result.warnings or result.unusual)


def _show_script(
    result: ScriptResult,
    run: Run,
    command_for: Callable[[str], str],
    *,
    differences: Differences | None,
    verbose: bool,
) -> None:
    mark, colour = wording.result_mark(result)
    outcome, why = wording.outcome_and_why(result)
    show_pieces(
        (mark, colour),
        (f" {result.number}. " + wording.joined(result.script, ""), "bold"),
        (outcome, colour),
        (_facts(result, verbose=verbose), None),
    )
    if why:
        show("    " + why, colour="red" if colour == "red" else None)
    if result.place:
        show("    " + _("at {place}").format(place=flat(result.place)))
    for line in (*wording.hint_lines(result), *_unusual_lines(result)):
        show(f"    {line}")
    if verbose and result.reason and result.ended_by:
        show(f"    {wording.say(result.reason)}")
    if len(result.attempts) > 1:
        for place, attempt in enumerate(result.attempts, 1):
            show(f"    {_attempt_line(place, attempt)}")
    if traceback := result.last_traceback:
        text = excerpt(clean(traceback.text), str(run.path), system_language())
        for line in text.splitlines():
            show(f"      {line}", colour="bold" if line.startswith(MARK) else None)
    _show_differences(differences)
    for line in _last_lines(result, command_for, verbose=verbose):
        show(f"    {line}")


def _show_differences(differences: Differences | None) -> None:
    """Print what changed since a script last succeeded, where that is known."""
    if differences is None:
        return
    view = view_differences(differences, wording.formats())
    show(f"    {view.title}")
    for line in view.lines:
        show(f"      {line}")
    for diff in view.diffs:
        show(f"    {diff.title}")
        for line in diff.lines:
            show(f"      {line}", colour=_DIFF_COLOURS.get(line[0]))
        if diff.rest:
            show(f"      {diff.rest}", colour="dim")


def _facts(result: ScriptResult, *, verbose: bool) -> str:
    """Return what else is known of a script's end: its time, its exit code."""
    if not result.attempts:
        return ""
    facts = [wording.duration(result.duration)]
    # That of an exception says nothing, and without one it is the reason.
    unusual = result.ended_by is not None and result.exit_code != 1
    if result.exit_code is not None and (verbose or unusual):
        code = shown_exit_code(result.exit_code)
        facts.append(_("exit code {code}").format(code=code))
    return f" ({', '.join(facts)})"


def _unusual_lines(result: ScriptResult) -> Iterator[str]:
    for reason in result.unusual:
        yield labelled(_("unusual"), wording.say(reason))


def _last_lines(
    result: ScriptResult, command_for: Callable[[str], str], *, verbose: bool
) -> Iterator[str]:
    for warning in result.warnings:
        yield labelled(_("warning"), wording.say(warning))
    if verbose and (used := ", ".join(_resources(result))):
        yield used
    for line in wording.output_lines(result):
        yield line if verbose else labelled(_("output"), command_for(result.script))


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
    reason = wording.why_beside(attempt)
    return f"{line} - {reason}" if reason else line
