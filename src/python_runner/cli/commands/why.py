"""``python-runner why``: why a project did not run at a moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.known_runs import active_run, known
from python_runner.cli.lookup import open_records
from python_runner.cli.moments import at_option
from python_runner.cli.streams import show, show_document
from python_runner.cli.targets import env_file_option, project_argument
from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder
from python_runner.masking import Masker
from python_runner.model import OpenRun, Run
from python_runner.records.locks import project_lock
from python_runner.runner.context import day_off_of, schedule_terms
from python_runner.runner.recovery import why_locked
from python_runner.scheduling.catch_up import clock_of
from python_runner.scheduling.evidence import Evidence, collect
from python_runner.scheduling.slots import SlotState, judge, last_missed
from python_runner.scheduling.why import (
    NO_RUN,
    NO_SCHEDULE,
    Answer,
    answered,
    explain,
    is_late,
    not_due,
)
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from python_runner.model import Project, Settings
    from python_runner.records.store import Store
    from python_runner.scheduling.slots import Clock, Slot

#: Runs that are looked at around a slot, and how far back one that is long may begin.
_RUNS = 50
_LONGEST = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """The answer, and what it is about.

    Attributes:
        at: the moment; None where there is none.
        slot: what came of it, or None.
        evidence: what the system tells; None where it was not asked.
    """

    answer: Answer
    at: datetime | None
    slot: Slot | None = None
    evidence: Evidence | None = None


@click.command(
    help=_(
        "Say why PROJECT did not run at a time of its schedule: by its runs, its lock,"
        " the calendar, and what the system says of that time. Without --at, about the"
        " last time at which it was missed, else about its last run."
    )
)
@project_argument
@at_option(
    _(
        'The time, such as "06:00", "today 06:00", "yesterday 06:00" or'
        ' "2026-11-26 06:00".'
    )
)
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def command(
    project: Path, *, at: datetime | None, as_json: bool, env_file: Path | None
) -> int:
    """Print why a project did not run."""
    settings, folder = load_settings(env_file), absolute(project)
    workspace = load_workspace(current_folder()) or Workspace()
    configured = load_project(folder, defaults=workspace.defaults)
    masker = Masker((*settings.secrets, *configured.secrets))
    now = datetime.now().astimezone()
    with open_records(settings) as store:
        told = _why(configured, _Records(store, settings, masker), at, now)
    if as_json:
        show_document(_document(told, configured, masker))
    else:
        _print(told, masker)
    return EXIT_SUCCESS


@dataclass(frozen=True, slots=True)
class _Records:
    """Where the runs are, and what takes the secrets out of them."""

    store: Store
    settings: Settings
    masker: Masker

    def active(self, folder: Path) -> OpenRun | None:
        """Return the active run of a project."""
        found = active_run(self.store, self.settings.home, folder)
        return found.facts if found and isinstance(found.facts, OpenRun) else None

    def around(self, folder: Path, slot: datetime, clock: Clock) -> list[Run]:
        """Return the ended runs that may say something about a slot."""
        following = next(clock.after(slot), None)
        runs = self.store.runs(
            projects=[folder], since=slot - _LONGEST, until=following, limit=_RUNS
        )
        return [*runs, *self._died(folder)]

    def _died(self, folder: Path) -> list[Run]:
        """Return the runs whose runner died, and that no later run has ended."""
        return [
            Run(
                run_id=run.run_id,
                project=run.project,
                path=run.path,
                status=found.status,
                started_at=run.started_at,
                duration=0.0,
            )
            for run in self.store.open_runs([folder])
            if (found := known(run, self.store, self.settings.home)).status is not None
        ]


def _why(
    project: Project, records: _Records, at: datetime | None, now: datetime
) -> _Told:
    if project.schedule is None:
        return _without_schedule(project, records, at, now)
    clock = clock_of(project, now)
    active = records.active(project.path)
    if at is None:
        at = _default(project, records, clock)
    if at is None:
        return _nothing_missed(project, records)
    minute = at.replace(second=0, microsecond=0)
    slot_time = next(clock.after(minute - timedelta(seconds=1)), None)
    if slot_time is None or slot_time - minute >= timedelta(minutes=1):
        return _Told(answer=not_due(project.name, at, clock), at=at)
    slot = judge(
        slot_time, clock, records.around(project.path, slot_time, clock), active
    )
    if slot.state is SlotState.ANSWERED:
        return _ran(project, records.store, slot, now)
    evidence = None
    if slot.state is SlotState.MISSED:
        evidence = collect(project.path, slot_time, now)
        _note_knowledge(project, records.store, slot_time, evidence)
    reason = _reason(project, records, slot)
    answer = explain(project.name, slot, evidence, reason)
    return _Told(answer=answer, at=slot_time, slot=slot, evidence=evidence)


def _nothing_missed(project: Project, records: _Records) -> _Told:
    """Answer that nothing was missed since the schedule is known, and what ran last."""
    findings = list(_last_run(project, records.store))
    template = N_("{project} has missed no run, and none is recorded.")
    if findings:
        template = N_("{project} has missed no run since its schedule is known.")
    answer = Sentence.of(template, project=project.name)
    return _Told(answer=Answer(state=NO_RUN, answer=answer, findings=findings), at=None)


def _last_run(project: Project, store: Store) -> Iterator[Sentence]:
    for last in store.runs(projects=[project.path], limit=1):
        yield Sentence.of(
            N_("Its last run started at {begun}: {status}."),
            begun=last.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            status=Sentence(last.status.word),
        )


def _ran(project: Project, store: Store, slot: Slot, now: datetime) -> _Told:
    """Answer for a slot that a run has answered; of a late one also why it was late."""
    status = Sentence(slot.run.status.word) if isinstance(slot.run, Run) else None
    evidence = None
    if is_late(slot):
        evidence = collect(project.path, slot.time, now)
        _note_knowledge(project, store, slot.time, evidence)
    answer = answered(project.name, slot, status, evidence)
    return _Told(answer=answer, at=slot.time, slot=slot, evidence=evidence)


def _default(project: Project, records: _Records, clock: Clock) -> datetime | None:
    """Return the last slot that was missed, else that of the last run; None: neither.

    What was due before the schedule is known may not have been due at all.
    """
    store, folder = records.store, project.path
    known_schedule = store.schedule(folder)
    if known_schedule is None or known_schedule.terms != schedule_terms(project):
        return None
    runs = store.runs(projects=[folder], limit=1000)
    active = records.active(folder)
    oldest = store.oldest_run(folder)
    begin = max(known_schedule.since, oldest) if oldest else known_schedule.since
    if missed := last_missed(clock, begin, [*runs], active):
        return missed
    last = active.started_at if active else None
    last = last or (runs[0].started_at if runs else None)
    slot = next(clock.before(last + timedelta(seconds=6)), None) if last else None
    return slot if slot and slot >= known_schedule.since else None


def _without_schedule(
    project: Project, records: _Records, at: datetime | None, now: datetime
) -> _Told:
    """Answer for a project that nobody knows the due times of."""
    template = N_(
        "{project} has no key schedule: nobody knows when it is due, nor whether it was"
        " missed."
    )
    findings = list(_last_run(project, records.store))
    evidence = None
    if at is not None and at <= now:
        evidence = collect(project.path, at, now)
        findings += evidence.started
        findings += [sentence for sentence, _todo in evidence.refused]
    advice = Sentence.of(
        N_('Add it to exec_config.json, for instance "schedule": "0 6 * * 1-5".')
    )
    answer = Answer(
        state=NO_SCHEDULE,
        answer=Sentence.of(template, project=project.name),
        findings=findings,
        advice=[advice],
        unknown=evidence.unknown if evidence else (),
    )
    return _Told(answer=answer, at=at, evidence=evidence)


def _reason(project: Project, records: _Records, slot: Slot) -> Sentence | None:
    if slot.state is SlotState.DAY_OFF:
        reason, _warnings = day_off_of(project, slot.time)
        return reason
    if slot.state is SlotState.RUNNING:
        lock = project_lock(records.settings.home, project.path)
        return why_locked(lock, records.masker) if lock.holder() else None
    return slot.tried.error if slot.tried else None


def _note_knowledge(
    project: Project, store: Store, slot: datetime, evidence: Evidence
) -> None:
    """Add what is not known because the schedule is new, or the records are."""
    known_schedule = store.schedule(project.path)
    if known_schedule is None or known_schedule.terms != schedule_terms(project):
        template = N_(
            "No run has seen this schedule yet: whether it applied then is not known"
        )
        evidence.unknown.append(Sentence.of(template))
    elif slot < known_schedule.since:
        template = N_(
            "The schedule is known since {since} only: whether it applied then is not known"
        )
        since = known_schedule.since.astimezone().strftime("%Y-%m-%d %H:%M")
        evidence.unknown.append(Sentence.of(template, since=since))


def _document(told: _Told, project: Project, masker: Masker) -> dict[str, Any]:
    answer, slot, evidence = told.answer, told.slot, told.evidence

    def text(sentence: Sentence) -> str:
        return masker.text(str(sentence))

    return {
        "project": project.name,
        "path": str(project.path),
        "schedule": project.schedule,
        "at": told.at.astimezone().isoformat() if told.at else None,
        "state": str(answer.state),
        "answer": text(answer.answer),
        "findings": [text(sentence) for sentence in answer.findings],
        "advice": [text(sentence) for sentence in answer.advice],
        "unknown": [text(sentence) for sentence in answer.unknown],
        "run_id": slot.run.run_id if slot and slot.run else None,
        "skipped_run_id": slot.tried.run_id if slot and slot.tried else None,
        "entries": [
            {
                "scheduler": str(entry.scheduler),
                "name": entry.name,
                "account": entry.account,
                "enabled": entry.enabled,
                "last_result": entry.last_result,
            }
            for entry in evidence.entries
        ]
        if evidence and evidence.entries is not None
        else None,
    }


def _print(told: _Told, masker: Masker) -> None:
    def text(sentence: Sentence) -> str:
        return flat(masker.text(wording.say(sentence)))

    answer = told.answer
    show(text(answer.answer), colour="bold")
    for sentence in answer.findings:
        show(f"  {text(sentence)}")
    for sentence in answer.advice:
        show(f"  {text(sentence)}", colour="cyan")
    for sentence in answer.unknown:
        show("  " + wording.labelled(_("not known"), text(sentence)), colour="dim")
