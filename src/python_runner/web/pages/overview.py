"""The page of all projects: is everything as it should be?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from python_runner.facts import dataclass
from python_runner.model import RunStatus
from python_runner.report.differences import brief_differences
from python_runner.report.summary import LINE
from python_runner.texts.sanitize import one_line
from python_runner.web import times
from python_runner.web.addresses import key_of
from python_runner.web.pages import fleet as fleet_pages
from python_runner.web.pages.words import (
    NAME,
    mail_words,
    reason_of,
    run_command,
    where,
    why,
    why_failed,
)
from python_runner.web.reading.overview import RUNS, Row
from python_runner.web.site import Page
from python_runner.web.states import State, word_of


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.texts.formats import Formats
    from python_runner.web.reading.fleet import Fleet
    from python_runner.web.reading.overview import Overview, Surveyor
    from python_runner.web.site import Question

#: Incidents that are told; the others are counted.
MOST_INCIDENTS = 5
#: Projects that are named in the sentence.
_NAMED = 3
#: With more rows, those that do well are put together by their folders, and no more than
#: so many of the others are shown: a page for people, which is made and sent quickly.
_MANY, _SHOWN = 40, 30
#: Projects that are told of above the table because they are silent or unusual.
_NOTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """An error that projects fail with now.

    Attributes:
        key: stands for it in the page.
        row: the first project that fails with it.
        script: name of the script; empty where the project could not be run.
        why: exception, or reason, in one line.
        where: its place in the project; empty where there is none.
        times: ``4th time``; empty for the first.
        since: when the first of these runs began.
        run_id: of the last run; None without one.
        number: of the script in it, where there is, or was, an output of it.
        changed: what has changed since it worked last; empty where nobody knows.
        help: the owner's words; empty for none.
        command: what runs it again.
        others: names of the other projects that fail so.
    """

    key: str
    row: Row
    script: str = ""
    why: str = ""
    where: str = ""
    times: str = ""
    since: datetime | None = None
    run_id: str | None = None
    number: int | None = None
    changed: str = ""
    help: str = ""
    command: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """A row of the table.

    Attributes:
        key: stands for it in the page.
        reason: a second line: why it failed or should have run; empty for none.
        mail: what became of the last report.
        share: of its time that the active run has taken; None while that is not known.
    """

    key: str
    row: Row
    reason: str = ""
    mail: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Projects in one folder that do well, where there are many projects."""

    key: str
    name: str
    count: int
    last: datetime | None


def page(question: Question, surveyor: Surveyor, fleet: Fleet | None = None) -> Page:
    """Return the page."""
    overview = surveyor.overview()
    formats, now = question.formats, question.now
    if not overview.rows:
        return _empty(question, overview)
    rows = _chosen(question, overview.rows)
    incidents = incidents_of(overview.rows, formats)
    shown, groups, left = _grouped(question, rows)
    noted = list(_noted(overview.rows))
    return Page(
        template="overview.html.j2",
        title=tab_title(overview),
        values={
            "sentence": sentence(overview, now, formats),
            "state": overview.state,
            "overview": overview,
            "incidents": incidents[:MOST_INCIDENTS],
            "more": len(incidents) - MOST_INCIDENTS,
            "notes": [row_view(row, now, formats) for row in noted[:_NOTES]],
            "more_notes": len(noted) - _NOTES,
            "rows": [row_view(row, now, formats) for row in shown],
            "groups": groups,
            "most": RUNS,
            "hidden": len(overview.rows) - len(rows),
            "left": left,
            "fleet": fleet and fleet_pages.brief(fleet.now(), formats),
        },
        state=overview.state,
        refresh=30,
        live=True,
    )


def tab_title(overview: Overview) -> str:
    """Return what stands in the tab before the program's name: ``✖ 1``."""
    bad = sum(row.needs_somebody for row in overview.rows)
    shape = overview.state.shape if bad else State.WELL.shape
    return f"{shape} {bad}" if bad else shape


def sentence(overview: Overview, now: datetime, formats: Formats) -> Markup:
    """Return whether everything is as it should be, with names."""
    total = len(overview.rows)
    bad = [row for row in overview.rows if row.needs_somebody]
    if bad:
        # Of so many; whether one or several of them do so is told by the first number.
        words = formats.ngettext(
            "{count} of {total} projects needs you: {names}",
            "{count} of {total} projects need you: {names}",
            len(bad),
        )
        said = times.sentence(
            words,
            count=formats.number(len(bad)),
            total=formats.number(total),
            names=_names([row.name for row in bad], formats),
        )
    else:
        said = _all_well(overview, now, formats)
    if overview.waiting:
        words = formats.ngettext(
            "{count} email waits", "{count} emails wait", overview.waiting
        )
        waiting = times.sentence(words, count=formats.number(overview.waiting))
        said = Markup(" · ").join((said, waiting))
    return said


def _all_well(overview: Overview, now: datetime, formats: Formats) -> Markup:
    _, total = formats.gettext, len(overview.rows)
    words = formats.ngettext(
        "The project {names} is well.", "All {count} projects are well.", total
    )
    said = times.sentence(
        words,
        count=formats.number(total),
        names=_names([row.name for row in overview.rows], formats),
    )
    last, due = overview.last, overview.due
    if last and due:
        words = _("Last run {last}, next expected {due}.")
    elif last:
        words = _("Last run {last}.")
    else:
        return said
    runs = times.sentence(
        words,
        last=times.moment(last, now, formats),
        due=times.moment(due or last, now, formats),
    )
    return Markup(" ").join((said, runs))


def _names(names: Sequence[str], formats: Formats) -> str:
    named = ", ".join(one_line(name, NAME) for name in names[:_NAMED])
    rest = len(names) - _NAMED
    if rest <= 0:
        return named
    words = formats.gettext("{names} and {count} more")
    return words.format(names=named, count=formats.number(rest))


def incidents_of(rows: Sequence[Row], formats: Formats) -> list[IncidentView]:
    """Return what projects fail with, the same error of several projects once."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.state in {State.FAILED, State.INTERRUPTED}:
            found.setdefault(_error_of(row), []).append(row)
    return [_incident(same, formats) for same in found.values()]


def _error_of(row: Row) -> str:
    """Return what two projects share that fail with the same error."""
    failure = row.last.failure if row.last and not row.left else None
    return (failure and failure.error) or f"project {row.path}"


def _incident(rows: Sequence[Row], formats: Formats) -> IncidentView:
    row, *others = rows
    last = row.last if not row.left else None
    # Where nothing was begun, no script is to blame.
    started = last is not None and last.status is not RunStatus.NOT_STARTED
    failure = last.failure if last and started else None
    streak = row.summary.streak if row.summary and last else None
    times_told = ""
    if streak and streak.count > 1:
        words = formats.gettext("{ordinal} time")
        times_told = words.format(ordinal=formats.ordinal(streak.count))
    if failure:
        told = why(failure, formats)
    elif last and (last.error or not started):
        told = why_failed(last, formats)
    else:
        told = one_line(row.known.problem or word_of(row.status, formats), LINE)
    run = row.left or last
    return IncidentView(
        key=f"i-{key_of(row.path)}",
        row=row,
        script=failure.script if failure else "",
        why=told,
        where=where(failure, formats) if failure else "",
        times=times_told,
        since=streak.since if streak else (row.left.started_at if row.left else None),
        run_id=run.run_id if run else None,
        number=failure.number if failure and failure.printed else None,
        changed=brief_differences(row.known.changed, formats),
        help=one_line(row.help, LINE),
        command=run_command(row.path, resume=run is not None),
        others=tuple(other.name for other in others),
    )


def _noted(rows: Sequence[Row]) -> Iterator[Row]:
    return (row for row in rows if row.state in {State.SILENT, State.UNUSUAL})


def row_view(row: Row, now: datetime, formats: Formats) -> RowView:
    """Return a row of the table."""
    share = None
    if row.running and row.usual:
        elapsed = (now - row.running.started_at).total_seconds()
        share = max(elapsed, 0.0) / row.usual
    return RowView(
        key=f"p-{key_of(row.path)}",
        row=row,
        reason=reason_of(row, now, formats),
        mail=mail_words(row, formats),
        share=share,
    )


def _chosen(question: Question, rows: Sequence[Row]) -> list[Row]:
    """Return the rows that the filters of the address leave."""
    text = question.query.get("q", "").casefold().strip()
    chosen = [row for row in rows if text in row.name.casefold()]
    if question.query.get("failures"):
        chosen = [row for row in chosen if row.needs_somebody]
    return chosen


def _grouped(
    question: Question, rows: Sequence[Row]
) -> tuple[list[Row], list[Group], int]:
    """Return the rows that are shown, the folders of others, and how many are left out."""
    filters = ("q", "failures", "all")
    if len(rows) <= _MANY or any(map(question.query.get, filters)):
        return list(rows), [], 0
    opened = question.query.get("open", "")
    shown: list[Row] = []
    folded: dict[Path, list[Row]] = {}
    looked_at = left = 0
    for row in rows:
        if key_of(row.path.parent) == opened:
            shown.append(row)
        elif row.state in {State.WELL, State.NEVER}:
            folded.setdefault(row.path.parent, []).append(row)
        elif looked_at < _SHOWN:
            looked_at += 1
            shown.append(row)
        else:
            left += 1
    groups = [
        Group(
            key=key_of(folder),
            name=folder.name or str(folder),
            count=len(inside),
            last=max((row.last.started_at for row in inside if row.last), default=None),
        )
        for folder, inside in sorted(folded.items())
    ]
    return shown, groups, left


def _empty(question: Question, overview: Overview) -> Page:
    """Return the page where there is no project at all."""
    return Page(
        template="empty.html.j2",
        title=State.NEVER.shape,
        values={
            "home": question.site.settings.home,
            "recorded": overview.recorded,
        },
        state=State.NEVER,
        refresh=30,
        live=True,
    )
