"""The page of the search: where does a text stand?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.records import overview
from python_runner.records.budget import Budget
from python_runner.records.log_pages import LogFilter, log_part
from python_runner.records.searching import (
    MOST,
    SECONDS,
    OutputSpot,
    search_errors,
    search_outputs,
)
from python_runner.texts.sanitize import one_line
from python_runner.web import times
from python_runner.web.pages.errors import view_of
from python_runner.web.pages.shared import project_filter, whole_number
from python_runner.web.reading.unmasked import withheld_by
from python_runner.web.site import Page
from python_runner.web.states import State


if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from markupsafe import Markup

    from python_runner.records.log_line import LogLine
    from python_runner.records.searching import FoundOutput
    from python_runner.web.pages.errors import ErrorView
    from python_runner.web.site import Question

#: Lines of one log that are shown here, and shortest text that is looked for.
_LINES, _SHORTEST = 20, 2
_LONGEST = 200
_PLACES = ("output", "log", "errors")
_SPAN = lazy_pattern(r"([0-9]{1,4})d")


@dataclass(slots=True)
class Results:
    """What was found.

    Attributes:
        outputs, logs, errors: by where it was looked for.
        told: how far the search came.
        further: what the address has to say to go on; empty at the end.
    """

    outputs: list[FoundOutput]
    logs: list[tuple[Path, tuple[LogLine, ...], bool]]
    errors: list[ErrorView]
    told: Markup | str
    further: dict[str, str]

    @property
    def count(self) -> int:
        """How many groups there are."""
        return len(self.outputs) + len(self.logs) + len(self.errors)


def page(question: Question) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no such project.
    """
    query, formats = question.query, question.formats
    text = query.get("q", "")[:_LONGEST]
    place = query.get("in", "")
    place = place if place in _PLACES else _PLACES[0]
    key, _number = project_filter(question)
    results = None
    if len(text.strip()) >= _SHORTEST:
        look = {"output": _outputs, "log": _logs, "errors": _errors}[place]
        results = look(question, text, Budget(SECONDS, MOST))
    sentence: Markup | str = formats.gettext("Search what scripts printed")
    if results is not None:
        words = formats.ngettext(
            "“{text}” stands in {count} place",
            "“{text}” stands in {count} places",
            results.count,
        )
        if not results.count:
            words = formats.gettext("“{text}” was not found")
        sentence = words.format(
            text=one_line(text, 80), count=formats.number(results.count)
        )
    elif text:
        sentence = formats.gettext("Two characters are needed to search")
    return Page(
        template="search.html.j2",
        files=True,
        title=one_line(text, 40),
        values={
            "sentence": sentence,
            "state": State.WELL if results and results.count else State.NEVER,
            "text": text,
            "place": place,
            "chosen": key,
            "since": query.get("since", ""),
            "folders": _folders(question),
            "results": results,
        },
    )


def _folders(question: Question) -> list[tuple[str, str]]:
    """Return the projects that can be chosen: their keys and names."""
    by_key = question.projects.by_key
    return [(key, one_line(folder.name, 60)) for key, folder in by_key.items()]


def _since(question: Question) -> datetime | None:
    match = _SPAN.fullmatch(question.query.get("since", ""))
    return question.now - timedelta(days=int(match[1])) if match else None


def _outputs(question: Question, text: str, budget: Budget) -> Results:
    _key, project = project_filter(question)
    at = re.fullmatch(r"([0-9]{1,18})\.([0-9]{1,9})", question.query.get("at", ""))
    done = search_outputs(
        question.store,
        text,
        question.projects.masker,
        budget,
        project=project,
        since=_since(question),
        after=OutputSpot(int(at[1]), int(at[2])) if at else None,
    )
    formats, shows = question.formats, question.projects.shows
    told: Markup | str = ""
    if done.oldest:
        template = formats.ngettext(
            "Searched {count} run back to {moment}.",
            "Searched {count} runs back to {moment}.",
            done.runs,
        )
        if done.further:
            template = formats.ngettext(
                "Searched {count} run back to {moment}; older ones were not searched.",
                "Searched {count} runs back to {moment}; older ones were not searched.",
                done.runs,
            )
        told = times.sentence(
            template,
            count=formats.number(done.runs),
            moment=times.moment(done.oldest, question.now, formats),
        )
    further = {}
    if done.further:
        further = {"at": f"{done.further.run}.{done.further.number}"}
    found = [
        one
        for one in done.found
        if shows(one.run.path) and not _is_withheld(question, one)
    ]
    return Results(found, [], [], told or _nothing(question), further)


def _is_withheld(question: Question, one: FoundOutput) -> bool:
    """Say whether an output may hold secrets that nobody knows here."""
    project = question.projects.configuration(one.run.path)
    settings = question.site.settings
    found = withheld_by(question.store, settings, project, one.run, one.number)
    return found is not None


def _nothing(question: Question) -> str:
    return question.formats.gettext("There is nothing to search.")


def _logs(question: Question, text: str, budget: Budget) -> Results:
    """Look at the end of each log: the pages of the logs go on from there."""
    key, _project = project_filter(question)
    by_key = question.projects.by_key
    folders = [by_key[key]] if key else list(by_key.values())
    wanted = LogFilter(text=text, since=_since(question))
    begin = whole_number(question.query.get("at", ""), 0)
    found, number = [], begin
    for folder in folders[begin:]:
        if budget.is_spent:
            break
        number += 1
        masker = question.projects.masker(folder)
        try:
            part = log_part(
                folder / "logs",
                f"{folder.name}.log",
                wanted,
                masker,
                limit=_LINES,
                budget=budget,
            )
        except OSError:
            continue
        if part.lines:
            found.append((folder, part.lines, part.further is not None))
    formats = question.formats
    words = formats.ngettext(
        "Searched the log of {count} project.",
        "Searched the logs of {count} projects.",
        number - begin,
    )
    told = words.format(count=formats.number(number - begin))
    further = {"at": str(number)} if number < len(folders) else {}
    return Results([], found, [], told, further)


def _errors(question: Question, text: str, budget: Budget) -> Results:
    _key, project = project_filter(question)
    before = whole_number(question.query.get("at", ""), overview.BEYOND)
    groups, further = search_errors(
        question.store, text, budget, project=project, before=before
    )
    views = [view for group in groups if (view := view_of(group, question))]
    # What is masked is not found.
    views = [v for v in views if _is_in(text, v)]
    told = question.formats.gettext("Searched the errors, the last met first.")
    return Results([], [], views, told, {"at": str(further)} if further else {})


def _is_in(text: str, view: ErrorView) -> bool:
    words = " ".join((view.words, view.where, *(p.script for p in view.places)))
    return text.casefold() in words.casefold()
