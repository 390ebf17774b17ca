"""The page of a project: how is it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import RunStatus
from python_runner.report.summary import BRIEF, LINE
from python_runner.scheduling.words import in_words
from python_runner.texts.sanitize import one_line
from python_runner.trends import percentile
from python_runner.web import times
from python_runner.web.pages.overview import incidents_of, row_view
from python_runner.web.pages.words import (
    NAME,
    reason_of,
    run_command,
    where,
    why,
    why_failed,
)
from python_runner.web.reading.project import (
    CALENDAR_DAYS,
    MATRIX_RUNS,
    History,
    RunFilter,
    history,
)
from python_runner.web.site import NotFound, Page
from python_runner.web.states import State, state_of, word_of


if TYPE_CHECKING:
    from pathlib import Path

    from markupsafe import Markup

    from python_runner.model import Project
    from python_runner.model.overview import ErrorGroup, FailedScript, RunLine
    from python_runner.texts.formats import Formats
    from python_runner.web.reading.overview import Overview, Row, Surveyor
    from python_runner.web.site import Question

#: Scripts that have a line of their own in the chart.
_LINES = 12
#: Days that the list of runs may be narrowed to by a link, and by its address.
_WIDTHS, _MOST_DAYS = (7, 30, 90), 36_500
#: The place of a run is never larger.
_LARGEST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run in the list.

    Attributes:
        reason: why it did not succeed; empty for a success.
    """

    line: RunLine
    state: State
    word: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """An error that came back.

    Attributes:
        words: what people are told of it.
        where: its script, and its place where that is in another file.
    """

    group: ErrorGroup
    words: str
    where: str


def page(question: Question, surveyor: Surveyor) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no such project.
    """
    _, formats, now = question.formats.gettext, question.formats, question.now
    folder = question.projects.by_key.get(question.values["project"])
    row = _row_of(surveyor.overview(), folder) if folder else None
    if row is None:
        raise NotFound(_("There is no such project here."))
    wanted = RunFilter(
        days=question.count("days", 0, _MOST_DAYS),
        failures=bool(question.query.get("failures")),
        before=question.count("before", 0, _LARGEST) or None,
    )
    found = None
    if row.summary:
        found = history(question.store, row.summary.number, now, wanted)
        found = question.projects.masker(row.path).fact(found)
    return Page(
        template="project.html.j2",
        title=f"{row.state.shape} {row.name}",
        values={
            "sentence": _sentence(row, question),
            "state": row.state,
            "row": row,
            "view": row_view(row, now, formats),
            "incidents": incidents_of([row], formats),
            "history": found,
            "matrix": MATRIX_RUNS,
            "durations": _durations(found, question) if found else None,
            "calendar_days": CALENDAR_DAYS,
            "errors": [_error_view(e, formats) for e in found.errors] if found else [],
            "runs": [_run_view(line, formats) for line in found.lines] if found else [],
            "wanted": wanted,
            "narrowed": {
                "days": wanted.days or None,
                "failures": wanted.failures or None,
            },
            "widths": _WIDTHS,
            "wider": next((days for days in _WIDTHS if days > wanted.days), 0)
            if wanted.days
            else 0,
            "following": found.following if found else 0,
            "settings": _settings(row.known.project, question),
            "command_text": run_command(row.path),
        },
        state=row.state,
        live=wanted.before is None,
    )


def _row_of(overview: Overview, folder: Path) -> Row | None:
    return next((row for row in overview.rows if row.path == folder), None)


def _sentence(row: Row, question: Question) -> Markup:
    """Return how the project is, with its name and the script that fails."""
    formats, now, last = question.formats, question.now, row.last
    _, values = formats.gettext, dict[str, object]()
    match row.state:
        case State.FAILED if (
            last
            and last.failure
            and last.status is not RunStatus.NOT_STARTED
            and not row.left
        ):
            return _failing(row, last.failure, question)
        case State.FAILED | State.INTERRUPTED:
            words = _("{name}: {outcome}. {reason}")
            cannot = row.status in {None, RunStatus.SUCCESS}
            values["outcome"] = (
                _("cannot be run") if cannot else word_of(row.status, formats)
            )
            values["reason"] = reason_of(row, now, formats)
        case State.SILENT:
            words = _("{name} did not run: {reason}")
            values["reason"] = reason_of(row, now, formats)
        case State.UNUSUAL:
            words = _("{name} succeeded, but unusually: {reason}")
            values["reason"] = reason_of(row, now, formats)
        case State.RUNNING:
            count = row.running.scripts if row.running else 0
            words = formats.ngettext(
                "{name} is running: {ended} of {count} script has ended.",
                "{name} is running: {ended} of {count} scripts have ended.",
                count,
            )
            values["ended"] = formats.number(row.running.done if row.running else 0)
            values["count"] = formats.number(count)
        case State.WELL if last and row.known.due:
            words = _("{name} is well. Last run {last}, next expected {due}.")
            values["due"] = times.moment(row.known.due, now, formats)
        case State.WELL if last:
            words = _("{name} is well. Last run {last}.")
        case _:
            words = _("{name} has never run.")
    if last:
        values["last"] = times.moment(last.started_at, now, formats)
    return times.sentence(words, name=one_line(row.name, NAME), **values)


def _failing(row: Row, failure: FailedScript, question: Question) -> Markup:
    """Return which script has failed how often since when, and with what."""
    formats, streak = question.formats, row.summary and row.summary.streak
    count = streak.count if streak else 1
    words = formats.ngettext(
        "{script} of {name} failed {moment} - {why}",
        "{script} of {name} has failed {count} times since {moment} - {why}",
        count,
    )
    since = streak.since if streak else None
    since = since or (row.last.started_at if row.last else question.now)
    return times.sentence(
        words,
        script=one_line(failure.script, NAME),
        name=one_line(row.name, NAME),
        count=formats.number(count),
        moment=times.moment(since, question.now, formats),
        why=one_line(why(failure, formats), BRIEF),
    )


def _run_view(line: RunLine, formats: Formats) -> RunView:
    return RunView(
        line=line,
        state=state_of(line.status),
        word=word_of(line.status, formats),
        reason="" if line.status is RunStatus.SUCCESS else why_failed(line, formats),
    )


def _error_view(group: ErrorGroup, formats: Formats) -> ErrorView:
    script = one_line(group.sample.script, NAME)
    at = where(group.sample, formats)
    return ErrorView(
        group=group,
        words=why(group.sample, formats),
        where=at if at.startswith(script) else ", ".join(filter(None, (script, at))),
    )


def _durations(found: History, question: Question) -> dict[str, object]:
    """Return what the chart draws: seconds by script, oldest run first."""
    lines = {
        row.script: [
            round(cell.duration, 3) if cell and cell.outcome.succeeded else None
            for cell in reversed(row.cells)
        ]
        for row in found.rows
    }
    known = {name: [v for v in line if v is not None] for name, line in lines.items()}
    # The slowest scripts are those that people look for.
    names = [name for name in lines if known[name]]
    slowest = sorted(names, key=lambda name: -max(known[name]))
    band = None
    if slowest:
        band = {
            "low": {
                "label": f"p50 {slowest[0]}",
                "value": percentile(known[slowest[0]], 50),
            },
            "high": {
                "label": f"p95 {slowest[0]}",
                "value": percentile(known[slowest[0]], 95),
            },
        }
    points = list(reversed(found.points))
    return {
        "times": [point.started_at.timestamp() for point in points],
        "links": [question.links.run(point.run_id) for point in points],
        "series": [
            {"script": script, "values": lines[script]} for script in slowest[:_LINES]
        ],
        "band": band,
    }


def _settings(project: Project | None, question: Question) -> list[tuple[str, str]]:
    """Return how a project is configured, without anything secret."""
    if project is None:
        return []
    formats, _ = question.formats, question.formats.gettext
    listed = [script.name for script in project.scripts]
    named = ", ".join(one_line(name, NAME) for name in listed[:10])
    if len(listed) > 10:  # noqa: PLR2004 - as many as one looks over
        named += f", … ({formats.number(len(listed))})"
    rows = [(_("scripts"), named)]
    if project.schedule:
        told = formats.say(in_words(project.schedule))
        same = told == project.schedule
        rows.append((_("schedule"), told if same else f"{told} ({project.schedule})"))
    command = project.python_command
    if isinstance(command, tuple):
        command = " ".join(command)
    rows += [
        (_("interpreter"), command or _("the project's own environment")),
        (_("recipients"), ", ".join(map(str, project.recipients)) or _("none")),
        (_("emails"), project.email_strategy.value),
        (_("on failure"), project.on_failure.value),
    ]
    mask = question.projects.masker(project.path).text
    return [(name, mask(one_line(value, LINE))) for name, value in rows if value]
