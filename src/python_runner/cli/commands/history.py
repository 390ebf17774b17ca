"""``python-runner history``: lists past runs, and statistics of each script."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from python_runner.cli import wording
from python_runner.cli.known_runs import KnownRun, known_runs, masker_of
from python_runner.cli.lookup import chosen_projects, nothing_recorded, open_records
from python_runner.cli.moments import since_option
from python_runner.cli.parameters import at_least
from python_runner.cli.streams import show, show_lists, stdout
from python_runner.cli.tables import Cell, Column, print_table, sparkline
from python_runner.cli.targets import env_file_option, projects_argument
from python_runner.config.settings import load_settings
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.model import Run
from python_runner.texts.sentence import translate as _
from python_runner.trends import summarize


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.records.store import Store
    from python_runner.trends import Statistics

    #: Projects' names by folder and script.
    _Names = dict[tuple[Path, str], str]

#: Results of a script that its statistics are made of, at most.
SAMPLE = 100


@click.command(
    help=_(
        "List the past runs of each PROJECT, newest first, each failure with its reason;"
        " without one, of the projects of python-runner.toml, else of all projects."
    )
)
@projects_argument
@click.option(
    "--failed", is_flag=True, help=_("Show only the runs that did not succeed.")
)
@since_option(_("Show only runs since: 7d, 12h or 2026-11-24."))
@click.option(
    "--limit",
    type=at_least(1),
    default=20,
    show_default=True,
    metavar=_("N"),
    help=_("Maximum number of runs to list."),
)
@click.option(
    "--stats",
    is_flag=True,
    help=_("Also show the statistics of each of their scripts."),
)
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def command(projects: tuple[Path, ...], *, env_file: Path | None, **flags: Any) -> int:
    """Print what the records hold."""
    settings = load_settings(env_file)
    folders = chosen_projects(projects)
    masker = masker_of(settings)
    failed, since, stats = flags["failed"], flags["since"], flags["stats"]
    with open_records(settings) as store:
        found = known_runs(
            store,
            settings.home,
            projects=folders,
            failed=failed,
            since=since,
            limit=flags["limit"],
        )
        names: _Names = {}
        scripts = _scripts(store, names, since, masker)
        if flags["as_json"]:
            lists: dict[str, Iterable[object]] = {
                "runs": (
                    run.to_document(masker(run.facts.path))
                    for run in _noting(found, names if stats else None)
                )
            }
            if stats:
                lists["statistics"] = (script.to_document() for script in scripts)
            show_lists(lists)
        elif not (runs := list(_noting(found, names if stats else None))):
            show(_nothing(folders, narrowed=failed or since is not None))
        else:
            _print_runs(store, runs, masker)
            _print_scripts(list(scripts))
    return EXIT_SUCCESS


def _noting(runs: Iterable[KnownRun], names: _Names | None) -> Iterator[KnownRun]:
    """Yield the runs; note the scripts of those that have ended, if they are wanted."""
    for run in runs:
        if names is not None and isinstance(run.facts, Run):
            for result in run.facts.scripts:
                names[run.facts.path, result.script] = run.facts.project
        yield run


def _nothing(folders: Sequence[Path], *, narrowed: bool) -> str:
    nothing = nothing_recorded(folders)
    if narrowed:
        return _("No run matches; try without --failed and --since.")
    return nothing


def _print_runs(
    store: Store, runs: Sequence[KnownRun], masker: Callable[[Path], Masker]
) -> None:
    columns = (
        Column(_("run")),
        Column(_("start")),
        Column(_("project"), name=True),
        Column(_("status")),
        Column(_("scripts"), numbers=True),
        Column(_("duration"), numbers=True),
        Column(_("email"), optional=True),
        Column(_("reason"), remark=True, optional=True),
    )
    ids = [run.facts.run_id for run in runs]
    # A pipe gets whole ids, whatever other runs there are.
    shown = (
        store.short_ids(ids) if stdout().columns else dict(zip(ids, ids, strict=True))
    )
    now = datetime.now().astimezone()
    print_table(
        columns,
        (_cells(run, shown[run.facts.run_id], masker, now) for run in runs),
    )


def _cells(
    known: KnownRun, run_id: str, masker: Callable[[Path], Masker], now: datetime
) -> list[Cell]:
    run, formats = known.facts, wording.formats()
    duration = known.duration
    if known.active:
        duration = max(0.0, (now - run.started_at).total_seconds())
    reason = ""
    # Else there is nothing to say, and to mask it would take the project's configuration.
    if isinstance(run, Run) and (
        run.error or run.failed_scripts or run.unusual_scripts
    ):
        reason = wording.run_reason(run.masked(masker(run.path)))
    begin = formats.minute(run.started_at), formats.brief(run.started_at, now)
    return [
        Cell(run_id),
        Cell(formats.moment(run.started_at), shorter=begin),
        Cell(run.project),
        Cell(wording.status_word(known.status), wording.run_colour(run, known.status)),
        Cell(f"{known.succeeded}/{len(run.scripts)}"),
        Cell("" if duration is None else wording.duration(duration)),
        Cell(wording.mail_word(known.mail, run if isinstance(run, Run) else None)),
        Cell(reason),
    ]


class _Script(NamedTuple):
    """How one script does."""

    project: str
    path: Path
    name: str
    statistics: Statistics

    def to_document(self) -> dict[str, Any]:
        """Return its part of the JSON document."""
        return {
            "project": self.project,
            "path": str(self.path),
            "script": self.name,
            "runs": self.statistics.runs,
            "success_rate": self.statistics.success_rate,
            "p50_seconds": self.statistics.p50,
            "p95_seconds": self.statistics.p95,
        }


def _scripts(
    store: Store,
    names: _Names,
    since: datetime | None,
    masker: Callable[[Path], Masker],
) -> Iterator[_Script]:
    """Yield the statistics of the scripts that ``names`` holds when they are asked for."""
    for (path, script), project in names.items():
        results = store.past_results(path, script, SAMPLE)
        if since is not None:
            results = [result for result in results if result.started_at >= since]
        name = masker(path).text(script)
        yield _Script(project, path, name, summarize(results))


def _print_scripts(scripts: Sequence[_Script]) -> None:
    if not scripts:
        return
    columns = (
        Column(_("project"), name=True),
        Column(_("script"), name=True),
        Column(_("runs"), numbers=True),
        Column(_("success"), numbers=True),
        Column(_("median"), numbers=True),
        Column(_("95th percentile"), numbers=True),
        Column(_("trend")),
    )
    heading = wording.formats().ngettext(
        "The last run of each script:",
        "The last runs of each script, {count} at most:",
        SAMPLE,
    )
    show("\n" + heading.format(count=SAMPLE))
    encoding = stdout().encoding
    rows = [
        [
            Cell(script.project),
            Cell(script.name),
            Cell(str(numbers.runs)),
            Cell(_rate(numbers.success_rate), None if numbers.success_rate else "red"),
            Cell(_seconds(numbers.p50)),
            Cell(_seconds(numbers.p95)),
            Cell(sparkline(numbers.trend, encoding)),
        ]
        for script in scripts
        for numbers in [script.statistics]
    ]
    print_table(columns, rows)


def _rate(share: float | None) -> str:
    if share is None:
        return "-"
    # Rounded down: only a script that never failed has 100 %.
    percent = wording.formats().number(int(share * 100))
    return _("{percent}%").format(percent=percent)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else wording.duration(seconds)
