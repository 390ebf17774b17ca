"""Whether a project has missed a slot, by its configuration, the records and the clock."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from python_runner.days_off import day_off
from python_runner.runner.context import day_off_of, schedule_terms
from python_runner.scheduling.slots import Clock, Outlook, outlook
from python_runner.texts.sentence import N_, Sentence, counted


if TYPE_CHECKING:
    from datetime import date, datetime

    from python_runner.model import Project
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext
    from python_runner.scheduling.slots import Missed

_MISSED = counted(
    "the run of {last} was missed; this run catches up",
    "{count} runs were missed, from {first} to {last}; this run catches up",
)
_MANY_MISSED = counted(
    "more than {count} run was missed, from {first} to {last}; this run catches up",
    "more than {count} runs were missed, from {first} to {last}; this run catches up",
)


def clock_of(project: Project, now: datetime) -> Clock:
    """Return what the slots of a project with a schedule follow from."""

    @cache
    def is_off(day: date) -> bool:
        found = day_off(project.not_on, project.path, day, project.language)
        return found.reason is not None

    return Clock(expression=project.schedule or "", now=now, is_off=is_off)


def outlook_of(project: Project, store: Store, now: datetime) -> Outlook | None:
    """Return what is due and what was missed; None of a project without a schedule.

    Raises:
        StoreError: the records cannot be read.
    """
    terms = schedule_terms(project)
    if terms is None:
        return None
    return outlook(clock_of(project, now), store.schedule(project.path), terms)


def first_missed(project: Project, store: Store, now: datetime) -> datetime | None:
    """Return the first slot that a project has missed since its last run; None: none.

    Raises:
        StoreError: the records cannot be read.
    """
    found = outlook_of(project, store, now)
    return found.missed.first if found and found.missed else None


def why_none(context: RunContext, locked: bool) -> Sentence | None:
    """Return why no run is wanted: nothing was missed. None: the run catches up.

    A slot whose own run may be about to begin is waited for before the lock is taken: that
    run would find the project locked, and be skipped.

    Raises:
        StoreError: the records cannot be read.
    """
    project, session = context.project, context.session
    if session.store is None:
        return Sentence.of(N_("without records nobody knows what was missed"))
    found = outlook_of(project, session.store, session.now())
    if found and found.begins and not locked:
        clock = clock_of(project, session.now())
        wait = found.begins + clock.grace(found.begins) - session.now()
        session.stop.wait(max(wait, timedelta()).total_seconds() + 0.01)
        found = outlook_of(project, session.store, session.now())
    if found is None or found.missed is None:
        return _nothing_missed(found)
    if not context.demand.any_day:
        reason, _warnings = day_off_of(project, session.now())
        if reason:
            return Sentence.of(N_("skipped today: {reason}"), reason=reason)
    if locked:
        context.warn(_catches_up(found.missed))
    return None


def _nothing_missed(found: Outlook | None) -> Sentence:
    if found is None or found.due is None:
        return Sentence.of(N_("no run was missed"))
    template = N_("no run was missed; the next one is due at {due}")
    return Sentence.of(template, due=shown(found.due))


def _catches_up(missed: Missed) -> Sentence:
    """Return what the run that catches up says of the slots that were missed."""
    values = {"first": shown(missed.first), "last": shown(missed.last)}
    if missed.more:
        return Sentence.about(_MANY_MISSED, missed.count, **values)
    return Sentence.about(_MISSED, missed.count, **values)


def shown(moment: datetime) -> str:
    """Return a moment as a value of a sentence: local time, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
