"""The page of a project's log: what does it say?"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Outcome
from python_runner.patterns import lazy_pattern
from python_runner.records.log_pages import LogFilter, LogPart, log_part
from python_runner.records.log_reader import LogPlace
from python_runner.records.log_rotation import logs_in
from python_runner.report.summary import LINE
from python_runner.texts.sanitize import one_line
from python_runner.texts.system_errors import system_error
from python_runner.web import times
from python_runner.web.pages.shared import whole_number
from python_runner.web.site import NotFound, Page
from python_runner.web.states import State, state_of, word_of


if TYPE_CHECKING:
    from pathlib import Path

    from markupsafe import Markup

    from python_runner.records.log_line import LogLine
    from python_runner.web.site import Question

_NAME = 60
_PLACE = lazy_pattern(r"([0-9a-f]{32})\.([0-9]{1,18})")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A line of the log.

    Attributes:
        why: the first thing a failure says.
        more: all that it says; empty where that is the same.
        word: how it ended.
    """

    line: LogLine
    state: State
    word: str
    why: str
    more: str


def page(question: Question) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no such project.
    """
    formats, query = question.formats, question.query
    _ = formats.gettext
    folder = question.projects.by_key.get(question.values["project"])
    if folder is None:
        raise NotFound(_("There is no such project here."))
    logs = folder / "logs"
    names = _names(logs, folder)
    number = min(whole_number(query.get("log", ""), 1), len(names))
    wanted = LogFilter(
        text=query.get("q", ""),
        failures=bool(query.get("failures")),
        since=_moment(query.get("from", "")),
        until=_moment(query.get("to", "")),
    )
    problem = ""
    masker = question.projects.masker(folder)
    try:
        part = log_part(
            logs, names[number - 1], wanted, masker, place=_place(query.get("at", ""))
        )
    except OSError as error:
        part = LogPart()
        words = _("The log cannot be read: {error}")
        problem = words.format(error=system_error(error))
    lines = [_view(line, question) for line in part.lines]
    if not query.get("reverse"):
        lines.reverse()
    failed = sum(view.state is State.FAILED for view in lines)
    state = State.FAILED if failed else State.WELL
    return Page(
        template="log.html.j2",
        files=True,
        title=f"{state.shape} {folder.name}",
        values={
            "sentence": problem or _sentence(part, failed, folder, question),
            "state": State.FAILED if problem else state,
            "folder": folder,
            "lines": lines,
            "names": names,
            "number": number,
            "filters": {name: query.get(name, "") for name in _FILTERS},
            "further": part.further and f"{part.further.file}.{part.further.offset}",
            "reached": part.reached,
            "at": query.get("at", ""),
            "filtered": wanted != LogFilter(),
        },
        state=state,
        live=not query.get("at"),
    )


_FILTERS = ("q", "failures", "from", "to", "reverse", "log")


def _names(logs: Path, folder: Path) -> list[str]:
    """Return the names of a project's logs, its own first."""
    own = f"{folder.name}.log"
    try:
        found = logs_in(logs)
    except OSError:
        found = []
    return [own, *(name for name in found if name != own)]


def _moment(text: str) -> datetime | None:
    """Return a moment of this computer's zone; None for what is none."""
    try:
        return datetime.fromisoformat(text).astimezone() if text else None
    except (ValueError, OverflowError, OSError):
        return None


def _place(text: str) -> LogPlace | None:
    match = _PLACE.fullmatch(text)
    return LogPlace(match[1], int(match[2])) if match else None


def _sentence(
    part: LogPart, failed: int, folder: Path, question: Question
) -> Markup | str:
    formats = question.formats
    name = one_line(folder.name, _NAME)
    if not part.lines:
        words = formats.gettext("The log of {project} has no such line here")
        if not part.further and not part.reached:
            words = formats.gettext("The log of {project} is empty")
        return words.format(project=name)
    newest, oldest = part.lines[0].time, part.lines[-1].time
    words = formats.ngettext(
        "{count} line of the log of {project}, {failed} failed: {oldest} to {newest}",
        "{count} lines of the log of {project}, {failed} failed: {oldest} to {newest}",
        len(part.lines),
    )
    now = question.now
    return times.sentence(
        words,
        count=formats.number(len(part.lines)),
        failed=formats.number(failed),
        project=name,
        oldest=times.moment(oldest, now, formats),
        newest=times.moment(newest, now, formats),
    )


def _view(line: LogLine, question: Question) -> LineView:
    said = (line.traceback or "").rstrip()
    # The last line of a traceback names the exception.
    last = said.rpartition("\n")[2]
    why = one_line(last, LINE)
    return LineView(
        line=line,
        state=state_of(line.status),
        word=word_of(Outcome(line.status), question.formats),
        why=why,
        more=said if said != why else "",
    )
