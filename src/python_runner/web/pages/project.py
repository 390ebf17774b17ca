"""The page of a project: how is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import RunStatus
from python_runner.report.summary import BRIEF, LINE, headline, own_failures
from python_runner.scheduling.words import in_words
from python_runner.texts.sanitize import one_line
from python_runner.trends import percentile
from python_runner.web import times
from python_runner.web.pages.overview import (
    incidents_of,
    reason_of,
    row_view,
    run_command,
    why_failed,
)
from python_runner.web.reading.project import (
    CALENDAR_DAYS,
    DURATION_RUNS,
    MATRIX_RUNS,
    History,
    RecurringError,
    history,
    run_page,
)
from python_runner.web.site import NotFound, Page
from python_runner.web.states import State, state_of, word_of


if TYPE_CHECKING:
    from pathlib import Path

    from markupsafe import Markup

    from python_runner.model import Project, Run
    from python_runner.texts.formats import Formats
    from python_runner.web.reading.overview import Overview, Row, Surveyor
    from python_runner.web.site import Question

#: Scripts that have a line of their own in the chart.
_LINES = 12
_NAME = 60
#: The place of a run is never larger.
_LARGEST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run in the list.

    Attributes:
        reason: why it did not succeed; empty for a success.
    """

    run: Run
    state: State
    word: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """An error that came back.

    Attributes:
        words: what people are told of it.
    """

    error: RecurringError
    words: str


def page(question: Question, surveyor: Surveyor) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no such project.
    """
    _, formats, now = question.formats.gettext, question.formats, question.now
    folder = question.projects.by_key.get(question.values["project"])
    if folder is None:
        raise NotFound(_("There is no such project here."))
    row = _row_of(surveyor.overview(), folder)
    if row is None:
        raise NotFound(
            _("The project {name} has not run for long.").format(name=folder.name)
        )
    before = question.count("before", 0, _LARGEST) or None
    masker = question.projects.masker(folder)
    found = masker.fact(history(question.store, folder, now))
    runs, following = run_page(question.store, folder, before)
    views = [_run_view(run.masked(masker), formats) for run in runs]
    configuration = question.projects.configuration(folder)
    return Page(
        template="project.html.j2",
        title=f"{row.state.shape} {row.facts.name}",
        values={
            "sentence": _sentence(row, question),
            "state": row.state,
            "row": row,
            "view": row_view(row, now, formats),
            "incidents": incidents_of([row], formats),
            "history": found,
            "matrix_runs": found.points[:MATRIX_RUNS],
            "durations": _durations(found, question),
            "calendar_days": CALENDAR_DAYS,
            "errors": [_error_view(error, formats) for error in found.errors],
            "runs": views,
            "before": before,
            "following": following,
            "configuration": configuration,
            "settings": _settings(configuration, formats) if configuration else [],
            "problem": row.facts.problem,
            "command_text": run_command(folder),
        },
        state=row.state,
        live=before is None,
    )


def _row_of(overview: Overview, folder: Path) -> Row | None:
    return next((row for row in overview.rows if row.path == folder), None)


def _sentence(row: Row, question: Question) -> Markup:
    """Return how the project is, with its name and the script that fails."""
    formats, now, facts = question.formats, question.now, row.facts
    _, name = formats.gettext, one_line(row.facts.name, _NAME)
    last, values = facts.last, {}
    match row.state:
        case State.FAILED if last and own_failures(last):
            return _failing(row, last, question)
        case State.FAILED | State.INTERRUPTED:
            words = _("{name}: {outcome}. {reason}")
            values["outcome"] = (
                word_of(facts.status, formats) if facts.status else _("cannot be run")
            )
            values["reason"] = reason_of(row, now, formats)
        case State.SILENT:
            words = _("{name} did not run: {reason}")
            values["reason"] = reason_of(row, now, formats)
        case State.UNUSUAL:
            words = _("{name} succeeded, but unusually: {reason}")
            values["reason"] = reason_of(row, now, formats)
        case State.RUNNING:
            words = _("{name} is running: {ended} of {count} scripts have ended.")
            count = len(row.running.scripts) if row.running else 0
            values["ended"] = formats.number(row.ended)
            values["count"] = formats.number(count)
        case State.WELL if last and row.due:
            words = _("{name} is well. Last run {last}, next expected {due}.")
            values["due"] = times.moment(row.due, now, formats)
        case State.WELL if last:
            words = _("{name} is well. Last run {last}.")
        case _:
            words = _("{name} has never run.")
    if last:
        values["last"] = times.moment(last.started_at, now, formats)
    return times.sentence(words, name=name, **values)


def _failing(row: Row, last: Run, question: Question) -> Markup:
    """Return which script has failed how often since when, and with what."""
    formats, streak = question.formats, row.facts.streak
    first = own_failures(last)[0]
    count = streak.count if streak else 1
    words = formats.ngettext(
        "{script} of {name} failed {moment} - {why}",
        "{script} of {name} has failed {count} times since {moment} - {why}",
        count,
    )
    since = streak.since if streak and streak.since else last.started_at
    return times.sentence(
        words,
        script=one_line(first.script, _NAME),
        name=one_line(row.facts.name, _NAME),
        count=formats.number(count),
        moment=times.moment(since, question.now, formats),
        why=one_line(headline(first, formats), BRIEF),
    )


def _run_view(run: Run, formats: Formats) -> RunView:
    reason = "" if run.status is RunStatus.SUCCESS else why_failed(run, formats)
    if run.unusual_scripts and not reason:
        said = [formats.say(why) for r in run.unusual_scripts for why in r.unusual]
        reason = one_line(" · ".join(said), LINE)
    return RunView(
        run=run,
        state=state_of(run.status, unusual=bool(run.unusual_scripts)),
        word=word_of(run.status, formats),
        reason=reason,
    )


def _error_view(error: RecurringError, formats: Formats) -> ErrorView:
    words = error.last.exception or word_of(error.last.outcome, formats)
    return ErrorView(error=error, words=one_line(words, LINE))


def _durations(found: History, question: Question) -> dict[str, object]:
    """Return what the chart draws: seconds by script, oldest run first."""
    points = list(reversed(found.points))
    column = {point.place: at for at, point in enumerate(points)}
    lines: dict[str, list[float | None]] = {}
    for result in found.results:
        if not result.outcome.succeeded or result.place not in column:
            continue
        line = lines.setdefault(result.script, [None] * len(points))
        line[column[result.place]] = round(result.duration, 3)
    # The slowest scripts are those that people look for.
    slowest = sorted(lines, key=lambda name: -max(filter(None, lines[name]), default=0))
    band = None
    if slowest:
        values = [value for value in lines[slowest[0]] if value is not None]
        low, high = percentile(values, 50), percentile(values, 95)
        band = {
            "low": {"label": f"p50 {slowest[0]}", "value": low},
            "high": {"label": f"p95 {slowest[0]}", "value": high},
        }
    return {
        "times": [point.started_at.timestamp() for point in points],
        "links": [question.links.run(point.run_id) for point in points],
        "series": [
            {"script": script, "values": lines[script]} for script in slowest[:_LINES]
        ],
        "band": band,
        "most": DURATION_RUNS,
    }


def _settings(project: Project, formats: Formats) -> list[tuple[str, str]]:
    """Return how a project is configured, without anything secret."""
    _ = formats.gettext
    listed = [script.name for script in project.scripts]
    named = ", ".join(one_line(name, _NAME) for name in listed[:10])
    if len(listed) > 10:  # noqa: PLR2004 - as many as one looks over
        named += f", … ({formats.number(len(listed))})"
    rows = [(_("scripts"), named)]
    if project.schedule:
        told = formats.say(in_words(project.schedule))
        same = told == project.schedule
        rows.append((_("schedule"), told if same else f"{told} ({project.schedule})"))
    rows += [
        (_("recipients"), ", ".join(map(str, project.recipients)) or _("none")),
        (_("emails"), project.email_strategy.value),
        (_("on failure"), project.on_failure.value),
    ]
    return [(name, one_line(value, LINE)) for name, value in rows]
