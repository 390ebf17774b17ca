"""What ``schedule show`` shows of each entry and of each project that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from python_runner.cli import wording
from python_runner.config.project import load_project
from python_runner.config.workspace import load_workspace
from python_runner.days_off import day_off
from python_runner.due_times import expression_problem, times_after
from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import is_file, is_folder
from python_runner.scheduling.entries import Purpose
from python_runner.scheduling.fields import same_times
from python_runner.scheduling.installed import same_folder
from python_runner.scheduling.words import in_words
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Project
    from python_runner.scheduling.entries import Entry
    from python_runner.scheduling.slots import Missed

#: Due times that are looked at for one that no day off excludes.
_MOST_TIMES = 1000
_SERVICES = {
    Purpose.FLUSH: N_("reports that wait"),
    Purpose.DIGEST: N_("digest"),
    Purpose.SERVE: N_("dashboard"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry, or a project that is due and has none.

    Attributes:
        folder: the project; None where the entry is about no single one.
        project: as it is configured now; None where that cannot be read.
        entry: what the scheduler has; None where it has nothing.
        notes: what is not as it should be.
    """

    folder: Path | None
    project: Project | None
    entry: Entry | None
    notes: tuple[Sentence, ...]

    @property
    def name(self) -> str:
        """What people call it."""
        if self.folder is not None:
            return self.project.name if self.project else self.folder.name
        if self.entry is None or self.entry.job.purpose is None:
            return "-"
        service = _SERVICES.get(self.entry.job.purpose, N_("all projects"))
        return wording.say(Sentence.of(service))

    @property
    def expression(self) -> str | None:
        """When it is due: as the entry has it, else as the project wants it."""
        if self.entry is not None:
            return self.entry.job.expression
        return self.project.schedule if self.project else None

    @property
    def when(self) -> str:
        """The same in words; nothing where nobody knows."""
        if self.entry and self.entry.job.purpose is Purpose.SERVE:
            return wording.say(Sentence.of(N_("all the time")))
        expression = self.expression
        return "" if expression is None else wording.say(in_words(expression))

    def next_due(self, now: datetime) -> datetime | None:
        """Return when it is due next, days off aside; None where that is not known."""
        expression = self.expression
        if expression is None or expression_problem(expression) is not None:
            return None
        if self.entry is not None and not self.entry.enabled:
            return None
        for count, due in enumerate(times_after(expression, now)):
            if count >= _MOST_TIMES:
                break
            if not self._is_off(due):
                return due
        return None

    def _is_off(self, due: datetime) -> bool:
        if self.project is None or not self.project.not_on:
            return False
        project = self.project
        found = day_off(project.not_on, project.path, due.date(), project.language)
        return found.reason is not None

    def to_document(self, now: datetime, missed: Missed | None) -> dict[str, Any]:
        """Return its part of the JSON document, with the slots that were missed."""
        entry, due = self.entry, self.next_due(now)
        job = entry.job if entry else None
        return {
            "project": self.project.name if self.project else None,
            "path": str(self.folder) if self.folder else None,
            "schedule": self.project.schedule if self.project else None,
            "expression": self.expression,
            "words": self.when,
            "due": due.isoformat() if due else None,
            "missed": wording.missed_document(missed),
            "scheduler": entry.scheduler.value if entry else None,
            "name": entry.name if entry else None,
            "purpose": job.purpose.value if job and job.purpose else None,
            "own": entry.own if entry else None,
            "enabled": entry.enabled if entry else None,
            "account": entry.account if entry else None,
            "logon": entry.logon if entry else None,
            "command": list(job.command) if job else None,
            "working_directory": str(job.folder) if job and job.folder else None,
            "last_run": entry.last_run if entry else None,
            "last_result": entry.last_result if entry else None,
            "notes": [str(note) for note in self.notes],
        }


def rows_of(entries: Sequence[Entry], projects: Iterable[Path]) -> Iterator[Row]:
    """Yield what there is to show: of each project, then of what is about none.

    Args:
        entries: those of all schedulers.
        projects: folders that are shown in any case.
    """
    folders: list[Path] = []
    named = [entry.job.project for entry in entries if entry.job.project]
    for folder in (*projects, *named):
        if not any(same_folder(folder, other) for other in folders):
            folders.append(folder)
    for folder in folders:
        found = [
            entry
            for entry in entries
            if entry.job.project and same_folder(entry.job.project, folder)
        ]
        project = _configured(folder, found)
        for entry in found:
            notes = tuple(_notes(entry, folder, project, found))
            yield Row(folder=folder, project=project, entry=entry, notes=notes)
        if not found:
            words = N_("not installed")
            if project is None:
                words = N_(
                    "the configuration cannot be read: see `python-runner check`"
                )
            elif project.schedule is None:
                words = N_("has no key `schedule`")
            notes = (Sentence.of(words),)
            yield Row(folder=folder, project=project, entry=None, notes=notes)
    for entry in entries:
        if entry.job.project is None:
            yield Row(
                folder=None,
                project=None,
                entry=entry,
                notes=tuple(_service_notes(entry)),
            )


def _configured(folder: Path, entries: Sequence[Entry]) -> Project | None:
    """Return a project as its entries would run it; None where it cannot be read."""
    places = [entry.job.folder for entry in entries if entry.job.folder]
    try:
        workspace = load_workspace(places[0]) if places else None
        defaults = workspace.defaults if workspace else None
        return load_project(folder, defaults=defaults)
    except PythonRunnerError:
        return None


def _notes(
    entry: Entry, folder: Path, project: Project | None, all_of_it: Sequence[Entry]
) -> Iterator[Sentence]:
    yield from _service_notes(entry)
    if not is_folder(folder):
        yield Sentence.of(N_("the project does not exist any more"))
    elif project is None:
        yield Sentence.of(
            N_("the configuration cannot be read: see `python-runner check`")
        )
    elif project.schedule is None:
        yield Sentence.of(N_("the project has no key `schedule`"))
    elif entry.job.purpose is Purpose.RUN and not _is_due(entry, project.schedule):
        template = N_("the key `schedule` says: {words}")
        yield Sentence.of(template, words=in_words(project.schedule))
    runs = [one for one in all_of_it if one.enabled and one.job.purpose is Purpose.RUN]
    if len(runs) > 1 and entry in runs:
        yield Sentence.of(N_("more than one entry runs this project"))


def _service_notes(entry: Entry) -> Iterator[Sentence]:
    if not entry.own:
        yield Sentence.of(N_("made by hand"))
    if not entry.enabled:
        yield Sentence.of(N_("switched off"))
    program = entry.job.command[0]
    if ("/" in program or "\\" in program) and not is_file(program):
        yield Sentence.of(N_("{program} does not exist any more"), program=program)


def _is_due(entry: Entry, schedule: str) -> bool:
    """Say whether an entry is due as the key says; of one made by hand nobody may know."""
    expression = entry.job.expression
    return not entry.own if expression is None else same_times(expression, schedule)
