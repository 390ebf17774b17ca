"""The page of a fleet: how do the projects of the other computers do?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.digest import Standing
from python_runner.report import digest as words
from python_runner.report.fleet import SILENT_WORD, all_well, clock_words
from python_runner.report.summary import LINE
from python_runner.texts.sanitize import one_line
from python_runner.web.pages.words import NAME
from python_runner.web.site import NotFound, Page
from python_runner.web.states import State


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.model.digest import ComputerDigest, Digest, ProjectDigest
    from python_runner.texts.formats import Formats
    from python_runner.web.reading.fleet import Fleet, FleetNow
    from python_runner.web.site import Question

#: Projects and computers that are shown; a filter finds the others.
_MOST = 300
#: Names in the sentence.
_NAMED = 3
_STATES = {
    Standing.FAILED: State.FAILED,
    Standing.STILL_FAILING: State.FAILED,
    Standing.BROKEN: State.FAILED,
    Standing.UNUSUAL: State.UNUSUAL,
    Standing.SILENT: State.SILENT,
    Standing.NEVER_RAN: State.NEVER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLine:
    """A project of another computer.

    Attributes:
        word: how it does.
        lines: why, and since when.
    """

    project: ProjectDigest
    state: State
    word: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputerLine:
    """Another computer.

    Attributes:
        word: whether it gives a sign.
        lines: what else is to be told of it.
    """

    computer: ComputerDigest
    state: State
    word: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetBrief:
    """A fleet in one sentence, for the page of this computer's projects."""

    state: State
    sentence: str


def page(question: Question, fleet: Fleet | None) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no fleet.
    """
    formats = question.formats
    if fleet is None:
        raise NotFound(formats.gettext("No fleet is configured."))
    now = fleet.now()
    told, digest = brief(now, formats), now.digest
    projects, computers = (
        digest.projects if digest else (),
        digest.computers if digest else (),
    )
    text = question.query.get("q", "").casefold().strip()
    chosen = [p for p in projects if text in f"{p.name} {p.computer}".casefold()]
    return Page(
        template="fleet.html.j2",
        title=f"{told.state.shape} {formats.gettext('Fleet')}",
        values={
            "sentence": told.sentence,
            "state": told.state,
            "error": one_line(now.error, LINE) if digest else "",
            "digest": digest,
            "folder": str(now.folder),
            "notices": words.notice_words(digest, formats) if digest else (),
            "computers": [_computer_line(c, digest, formats) for c in computers[:_MOST]]
            if digest
            else (),
            "more_computers": len(computers) - _MOST,
            "projects": [_project_line(p, digest, formats) for p in chosen[:_MOST]]
            if digest
            else (),
            "more": len(chosen) - _MOST,
            "hidden": len(projects) - len(chosen),
        },
        state=told.state,
        refresh=30,
        live=True,
    )


def brief(now: FleetNow, formats: Formats) -> FleetBrief:
    """Return how a fleet does in one sentence, with names."""
    _, digest = formats.gettext, now.digest
    if digest is None:
        if now.error:
            return FleetBrief(state=State.SILENT, sentence=one_line(now.error, LINE))
        sentence = _("The fleet's folder is being read for the first time.")
        return FleetBrief(state=State.RUNNING, sentence=sentence)
    bad = [
        project
        for project in digest.projects
        if state_of(project) in {State.FAILED, State.SILENT}
        and not digest.is_of_silent_computer(project)
    ]
    silent = digest.silent_computers
    parts = []
    if bad:
        template = formats.ngettext(
            "{count} of {total} projects needs you: {names}",
            "{count} of {total} projects need you: {names}",
            len(bad),
        )
        parts.append(
            template.format(
                count=formats.number(len(bad)),
                total=formats.number(len(digest.projects)),
                names=_names([project.title for project in bad], formats),
            )
        )
    if silent:
        template = _("{name}: {value}")
        names = _names([computer.name for computer in silent], formats)
        parts.append(template.format(name=names, value=_(SILENT_WORD)))
    parts += clock_words(digest, formats)
    if parts:
        worst = min(
            (state_of(project) for project in bad), default=State.SILENT, key=_order
        )
        state = worst if bad or silent else State.UNUSUAL
        return FleetBrief(state=state, sentence=" · ".join(parts))
    if not digest.projects:
        sentence = _("No computer has written a run to {folder} yet.")
        return FleetBrief(
            state=State.NEVER, sentence=sentence.format(folder=str(now.folder))
        )
    return FleetBrief(state=State.WELL, sentence=all_well(digest, formats))


def _order(state: State) -> int:
    return list(State).index(state)


def state_of(project: ProjectDigest) -> State:
    """Return how a project does."""
    state = _STATES.get(project.standing, State.WELL)
    if state in {State.WELL, State.NEVER} and project.running_since:
        return State.RUNNING
    return state


def _names(names: Sequence[str], formats: Formats) -> str:
    named = ", ".join(one_line(name, NAME) for name in names[:_NAMED])
    rest = len(names) - _NAMED
    if rest <= 0:
        return named
    template = formats.gettext("{names} and {count} more")
    return template.format(names=named, count=formats.number(rest))


def _project_line(
    project: ProjectDigest, digest: Digest, formats: Formats
) -> FleetLine:
    return FleetLine(
        project=project,
        state=state_of(project),
        word=words.standing_word(project, formats),
        lines=tuple(words.project_lines(project, digest.until, formats)),
    )


def _computer_line(
    computer: ComputerDigest, digest: Digest, formats: Formats
) -> ComputerLine:
    if computer.silent:
        return ComputerLine(
            computer=computer,
            state=State.SILENT,
            word=formats.gettext(SILENT_WORD),
            lines=tuple(words.computer_lines(computer, digest.until, formats)),
        )
    state = State.UNUSUAL if computer.ahead else State.WELL
    return ComputerLine(
        computer=computer,
        state=state,
        word=formats.gettext("its clock is wrong")
        if computer.ahead
        else state.word(formats),
        lines=(),
    )
