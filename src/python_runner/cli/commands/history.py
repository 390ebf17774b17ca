"""``python-runner history``: lists past runs, and statistics of each script."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING

import click

from python_runner.cli import wording
from python_runner.cli.lookup import (
    chosen_projects,
    nothing_recorded,
    open_records,
    past_masker,
)
from python_runner.cli.parameters import whole_number
from python_runner.cli.streams import show, show_document, stdout
from python_runner.cli.tables import Column, Row, print_table, sparkline
from python_runner.cli.targets import env_file_option, projects_argument
from python_runner.config.settings import load_settings
from python_runner.config.units import Duration
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.model import Outcome, RunStatus
from python_runner.records.outputs import as_kept
from python_runner.runner.recovery import known_end, was_interrupted
from python_runner.texts.sentence import translate as _
from python_runner.trends import summarize


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import OpenRun, Run
    from python_runner.records.locks import Unrecorded
    from python_runner.records.store import Store

#: Results of a script that its statistics are made of, at most.
SAMPLE = 100


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that ``7d``, ``12h`` or ``2026-11-24`` (local) stands for.

    Raises:
        click.BadParameter: it stands for none.
    """
    try:
        return _moment(text, now)
    # Overflows are what a number of centuries leads to, differently on each platform.
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            _("expected a duration such as 7d or 12h, or a date such as 2026-11-24")
        ) from None


def _moment(text: str, now: datetime) -> datetime:
    with suppress(ValueError):
        return datetime.strptime(text, "%Y-%m-%d").astimezone()
    if text[-1:].isdigit():
        # A configuration takes it for seconds; whoever writes 7 here means days.
        raise ValueError(text)
    return now - timedelta(seconds=Duration.parse(text))


def _since(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    return None if value is None else parse_since(value, datetime.now().astimezone())


@click.command(
    help=_(
        "List the past runs of each PROJECT, newest first, and how its scripts do;"
        " without one, of the projects of python-runner.toml, else of all projects."
    )
)
@projects_argument
@click.option("--failed", is_flag=True, help=_("Leave out the runs that succeeded."))
@click.option(
    "--since",
    metavar=_("TIME"),
    callback=_since,
    help=_("Leave out what began earlier: 7d, 12h or 2026-11-24."),
)
@click.option(
    "--limit",
    type=whole_number,
    default=20,
    show_default=True,
    metavar=_("N"),
    help=_("Runs to list at most."),
)
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def command(
    projects: tuple[Path, ...],
    *,
    failed: bool,
    since: datetime | None,
    limit: int,
    as_json: bool,
    env_file: Path | None,
) -> int:
    """Print what the records hold."""
    settings = load_settings(env_file)
    masker_of = cache(partial(past_masker, settings))
    folders = chosen_projects(projects)
    with open_records(settings) as store:
        runs = store.runs(projects=folders, failed=failed, since=since, limit=limit)
        if as_json:
            masked = [
                as_kept(run).masked(masker_of(run.path)).to_document() for run in runs
            ]
            show_document({"runs": masked})
            return EXIT_SUCCESS
        still_open = [] if failed else store.open_runs(folders)
        rows = {run.run_id: _row(run) for run in runs}
        for begun in still_open:
            # It may have ended since: the later look counts.
            rows[begun.run_id] = (
                _ended_row(begun, end)
                if (end := known_end(begun, settings.home))
                else _open_row(
                    begun, active=not was_interrupted(begun, store, settings.home)
                )
            )
        if not rows:
            show(_nothing(folders, narrowed=failed or since is not None))
            return EXIT_SUCCESS
        _print_runs([rows[run_id] for run_id in store.newest_first(rows)][:limit])
        _print_reasons([run.masked(masker_of(run.path)) for run in runs])
        _print_scripts(list(_script_rows(store, runs, since, masker_of)))
    return EXIT_SUCCESS


def _nothing(folders: Sequence[Path], *, narrowed: bool) -> str:
    nothing = nothing_recorded(folders)
    if narrowed:
        return _("No run fits; without --failed and --since there may be some.")
    return nothing


def _print_runs(rows: Sequence[Row]) -> None:
    columns = (
        Column(_("run")),
        Column(_("start")),
        Column(_("project")),
        Column(_("status")),
        Column(_("scripts"), numbers=True),
        Column(_("duration"), numbers=True),
        Column(_("mail")),
    )
    print_table(columns, rows)


def _print_reasons(runs: Iterable[Run]) -> None:
    """Say of each run that did not succeed why: by its error, or its first failure."""
    rows = [
        Row((run.run_id, *reason), alarming=True)
        for run in runs
        if (reason := _reason(run))
    ]
    if not rows:
        return
    show("")
    columns = Column(_("run")), Column(_("script")), Column(_("reason"))
    print_table(columns, rows)


def _reason(run: Run) -> tuple[str, str] | None:
    """Return the script that failed first and why; None where nothing is to be said."""
    if run.error:
        return "", wording.say(run.error)
    if not run.failed_scripts:
        return None
    first, *others = run.failed_scripts
    reason = wording.why(first)
    if first.place:
        reason += f" ({first.place})"
    if others:
        reason += f" (+{len(others)})"
    return first.script, reason


def _row(run: Run) -> Row:
    done = sum(result.succeeded for result in run.scripts)
    ending = wording.duration(run.duration), wording.mail_word(run.mail_status)
    cells = (*_cells(run, _(run.status.word), done), *ending)
    return Row(cells, alarming=run.status is not RunStatus.SUCCESS)


def _open_row(run: OpenRun, *, active: bool) -> Row:
    done = sum(s.outcome is not None and s.outcome.succeeded for s in run.scripts)
    status = _("running") if active else _(RunStatus.INTERRUPTED.word)
    return Row((*_cells(run, status, done), "", ""), alarming=not active)


def _ended_row(run: OpenRun, end: Unrecorded) -> Row:
    """Return the row of a run whose end is not in the records yet."""
    outcomes: list[Outcome | None] = [*end.outcomes.values()]
    done = (outcomes or [s.outcome for s in run.scripts]).count(Outcome.SUCCESS)
    cells = (*_cells(run, _(end.status.word), done), "", wording.mail_word(end.mail))
    return Row(cells, alarming=end.status is not RunStatus.SUCCESS)


def _cells(run: Run | OpenRun, status: str, done: int) -> tuple[str, ...]:
    start = wording.formats().moment(run.started_at)
    return run.run_id, start, run.project, status, f"{done}/{len(run.scripts)}"


def _print_scripts(rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns = (
        Column(_("project")),
        Column(_("script")),
        Column(_("runs"), numbers=True),
        Column(_("success"), numbers=True),
        Column(_("p50"), numbers=True),
        Column(_("p95"), numbers=True),
        Column(_("trend")),
    )
    heading = wording.formats().ngettext(
        "The last run of each script:",
        "The last runs of each script, {count} at most:",
        SAMPLE,
    )
    show("\n" + heading.format(count=SAMPLE))
    print_table(columns, rows)


def _script_rows(
    store: Store,
    runs: Iterable[Run],
    since: datetime | None,
    masker_of: Callable[[Path], Masker],
) -> Iterator[Row]:
    scripts = {
        (run.path, result.script): run.project for run in runs for result in run.scripts
    }
    for (path, script), project in scripts.items():
        results = store.past_results(path, script, SAMPLE)
        if since is not None:
            results = [result for result in results if result.started_at >= since]
        summary = summarize(results)
        cells = (
            project,
            masker_of(path).text(script),
            str(summary.runs),
            _rate(summary.success_rate),
            _seconds(summary.p50),
            _seconds(summary.p95),
            sparkline(summary.trend, stdout().encoding),
        )
        yield Row(cells, alarming=summary.success_rate == 0)


def _rate(share: float | None) -> str:
    if share is None:
        return "-"
    # Rounded down: only a script that never failed has 100 %.
    percent = wording.formats().number(int(share * 100))
    return _("{percent}%").format(percent=percent)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else wording.duration(seconds)
