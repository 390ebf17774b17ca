"""The pages of errors: which are open, and where have they been met?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.records import overview
from python_runner.report.summary import LINE
from python_runner.texts.sanitize import one_line
from python_runner.web import times
from python_runner.web.pages.shared import project_filter, whole_number
from python_runner.web.site import NotFound, Page
from python_runner.web.states import State


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from markupsafe import Markup

    from python_runner.model.overview import ErrorGroup, ErrorPlace
    from python_runner.web.site import Question

_PAGE = 50
_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorView:
    """An error, masked and on one line.

    Attributes:
        words: what ended the scripts.
        where: the place in the project, or empty.
        places: its scripts, those of projects that are shown.
    """

    group: ErrorGroup
    words: str
    where: str
    places: tuple[ErrorPlace, ...]
    state: State


def page(question: Question) -> Page:
    """Return the page of all errors.

    Raises:
        NotFound: there is no such project.
    """
    before = whole_number(question.query.get("before", ""), overview.BEYOND)
    key, project = project_filter(question)
    with question.store.view() as view:
        found = overview.errors(view, project=project, before=before, limit=_PAGE + 1)
    views = [shown for group in found[:_PAGE] if (shown := view_of(group, question))]
    still = [one for one in views if one.group.is_open]
    state = State.FAILED if still else State.WELL
    return Page(
        template="errors.html.j2",
        title=f"{state.shape} {len(still)}" if still else state.shape,
        values={
            "sentence": _sentence(views, still, question),
            "errors": [*still, *(one for one in views if not one.group.is_open)],
            "following": found[_PAGE - 1].key if len(found) > _PAGE else 0,
            "before": before != overview.BEYOND,
            "chosen": key,
        },
        state=state,
        live=before == overview.BEYOND,
    )


def view_of(group: ErrorGroup, question: Question) -> ErrorView | None:
    """Return an error as it is shown; None where all its projects are hidden."""
    projects = question.projects
    places = tuple(place for place in group.places if projects.shows(place.path))
    if not places:
        return None
    sample, formats = group.sample, question.formats
    masker = projects.masker(places[0].path)
    words = sample.exception or formats.say(sample.reason)
    words = words or formats.gettext(sample.outcome.word)
    where = ""
    if sample.file:
        where = f"{sample.file}:{sample.line}"
        if sample.function:
            template = formats.gettext("{place} in {function}")
            where = template.format(place=where, function=sample.function)
    return ErrorView(
        group=group,
        words=one_line(masker.text(words), LINE),
        where=one_line(masker.text(where), LINE),
        places=places,
        state=State.FAILED if group.is_open else State.WELL,
    )


def _sentence(
    views: Sequence[ErrorView], still: Sequence[ErrorView], question: Question
) -> Markup | str:
    formats, now = question.formats, question.now
    _ = formats.gettext
    if not views:
        return _("No error is recorded.")
    if not still:
        words = _("No error is open; the last was {words} {moment}")
        last = views[0]
        return times.sentence(
            words,
            words=last.words,
            moment=times.moment(last.group.last, now, formats),
        )
    words = formats.ngettext(
        "{count} error is open: {script} of {project} - {words}",
        "{count} errors are open, the last in {script} of {project} - {words}",
        len(still),
    )
    first = still[0]
    return times.sentence(
        words,
        count=formats.number(len(still)),
        script=one_line(first.places[0].script, _NAME),
        project=one_line(first.places[0].project, _NAME),
        words=first.words,
    )


def error_page(question: Question) -> Page:
    """Return the page of one error.

    Raises:
        NotFound: no recorded run has it.
    """
    formats = question.formats
    _ = formats.gettext
    before = whole_number(question.query.get("before", ""), overview.BEYOND)
    error = question.values["error"]
    with question.store.view() as view:
        group = overview.error_group(view, error)
        runs = overview.occurrences(view, error, before=before, limit=_PAGE + 1)
    shown = view_of(group, question) if group else None
    if group is None or shown is None:
        raise NotFound(_("No recorded run has this error (any more)."))
    words = formats.ngettext(
        "{words} - {count} run since {first}, {state}",
        "{words} - {count} runs since {first}, {state}",
        group.count,
    )
    sentence = times.sentence(
        words,
        words=shown.words,
        count=formats.number(group.count),
        first=times.moment(group.first, question.now, formats),
        state=_("open") if group.is_open else _("resolved"),
    )
    return Page(
        template="error.html.j2",
        title=f"{shown.state.shape} {shown.words}",
        values={
            "sentence": sentence,
            "state": shown.state,
            "view": shown,
            "runs": [
                pair for pair in runs[:_PAGE] if _is_shown(pair[0].path, question)
            ],
            "following": runs[_PAGE - 1][0].key if len(runs) > _PAGE else 0,
            "before": before != overview.BEYOND,
        },
        state=shown.state,
        live=before == overview.BEYOND,
    )


def _is_shown(folder: Path, question: Question) -> bool:
    return question.projects.shows(folder)
