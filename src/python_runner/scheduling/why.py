"""Why a project did not run at a moment: the answer, from its slot and what the system tells.

Decisions only; ``evidence`` asks the system, ``slots`` judges by the records.
"""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Run
from python_runner.scheduling.slots import EARLY, GRACE, SlotState
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from python_runner.scheduling.absence import Absence
    from python_runner.scheduling.evidence import Evidence
    from python_runner.scheduling.slots import Clock, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is said of one moment.

    Attributes:
        state: what came of the slot, or ``not_due``, ``no_schedule``, ``no_run``.
        answer: the plain sentence that comes first.
        findings: what else is known, in order.
        advice: what to do.
        unknown: what could not be found out.
    """

    state: str
    answer: Sentence
    findings: Sequence[Sentence] = field(default_factory=tuple)
    advice: Sequence[Sentence] = field(default_factory=tuple)
    unknown: Sequence[Sentence] = field(default_factory=tuple)


#: What is said of a moment at which nothing was due, and of one nobody knows about.
NOT_DUE, NO_SCHEDULE, NO_RUN = "not_due", "no_schedule", "no_run"


def shown(moment: datetime) -> str:
    """Return a moment as a value of a sentence: local time, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def not_due(project: str, at: datetime, clock: Clock) -> Answer:
    """Return that nothing was due at a moment, and when it was and is."""
    before = next(clock.before(at), None)
    after = next(clock.after(at), None)
    template = N_("{project} was not due at {at}: its schedule is {expression}.")
    findings = []
    if before and after:
        near = N_("It was due at {before}, and then at {after}.")
        findings.append(Sentence.of(near, before=shown(before), after=shown(after)))
    return Answer(
        state=NOT_DUE,
        answer=Sentence.of(
            template, project=project, at=shown(at), expression=clock.expression
        ),
        findings=findings,
    )


def is_late(slot: Slot) -> bool:
    """Say whether the run of a slot began later than a scheduler starts it."""
    return slot.run is not None and slot.run.started_at - slot.time > GRACE + EARLY


def answered(
    project: str, slot: Slot, status: Sentence | None, evidence: Evidence | None = None
) -> Answer:
    """Return that a run answered a slot: in time, late, or early.

    Args:
        project: its name.
        slot: with the run.
        status: how the run ended; None while it is active.
        evidence: what the system tells of the slot, where its run was late.
    """
    run = slot.run
    assert run is not None  # noqa: S101 - what answers a slot is a run
    values = {
        "project": project,
        "slot": shown(slot.time),
        "begun": run.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        "run_id": run.run_id,
    }
    template = N_("{project} ran: run {run_id} started at {begun}.")
    if is_late(slot):
        template = N_(
            "{project} ran late: it was due at {slot}, and run {run_id} started at {begun}."
        )
    ended = Sentence.of(N_("The run is still active."))
    if status:
        ended = Sentence.of(N_("The run ended: {status}."), status=status)
    return Answer(
        state=slot.state,
        answer=Sentence.of(template, **values),
        findings=[*_why_late(evidence), ended],
        unknown=evidence.unknown if evidence else (),
    )


def _why_late(evidence: Evidence | None) -> list[Sentence]:
    """Return what the system tells of a slot whose run was late.

    What is installed now says little: the run was started by something.
    """
    if evidence is None:
        return []
    causes = [absence_words(evidence.absence)] if evidence.absence else []
    causes += [sentence for sentence, _todo in evidence.refused]
    template = N_("When it was due: {what}.")
    return [Sentence.of(template, what=cause) for cause in causes]


def explain(
    project: str, slot: Slot, evidence: Evidence | None, reason: Sentence | None
) -> Answer:
    """Return why a project did not run in a slot.

    Args:
        project: its name.
        slot: what the records tell.
        evidence: what the system tells; None where it was not asked.
        reason: why it does not run on that day, or why its run was skipped, or who holds
            its lock; None where there is none.
    """
    values = {"project": project, "slot": shown(slot.time)}
    unknown = list(evidence.unknown) if evidence else []
    if slot.state is not SlotState.MISSED or evidence is None:
        answer = Sentence.of(
            _ANSWERS[slot.state] if reason else _WITHOUT_REASON[slot.state],
            reason=reason,
            **values,
        )
        return Answer(
            state=slot.state,
            answer=answer,
            findings=_run_finding(slot),
            advice=_advice(slot.state),
        )
    causes = _causes(evidence)
    lead = Sentence.of(_UNEXPLAINED, **values)
    findings: list[Sentence] = []
    advice: list[Sentence] = []
    if causes:
        (first, todo), *others = causes
        lead = Sentence.of(_EXPLAINED, cause=first, **values)
        advice = [todo] if todo else []
        findings = [Sentence.of(_LINE, what=what) for what, _todo in others]
        advice += [other for _what, other in others if other and other not in advice]
    advice.append(Sentence.of(_CATCH_UP))
    return Answer(
        state=slot.state, answer=lead, findings=findings, advice=advice, unknown=unknown
    )


_LINE = N_("{what}.")
_EXPLAINED = N_("{project} did not run at {slot}: {cause}.")
_UNEXPLAINED = N_(
    "{project} did not run at {slot}, and nothing on this computer says why: it was on,"
    " something starts the project, and no run is recorded."
)
_CATCH_UP = N_("`python-runner run --if-missed` makes one run that catches up.")
_ANSWERS = {
    SlotState.DAY_OFF: N_("{project} does not run on the day of {slot}: {reason}."),
    SlotState.DUE: N_("{project} is due at {slot}, which is yet to come."),
    SlotState.BEGINS: N_(
        "{project} is due now: its run of {slot} may be about to start."
    ),
    SlotState.RUNNING: N_("{project} did not run at {slot}: {reason}."),
    SlotState.SKIPPED: N_("{project} did not run at {slot}: {reason}."),
    SlotState.NOT_STARTED: N_("{project} could not be started at {slot}: {reason}"),
    SlotState.MISSED: N_("{project} did not run at {slot}: {reason}."),
}
_WITHOUT_REASON = {
    **_ANSWERS,
    SlotState.DAY_OFF: N_("{project} does not run on the day of {slot}."),
    SlotState.RUNNING: N_("{project} did not run at {slot}: a run of it was active."),
    SlotState.SKIPPED: N_("{project} did not run at {slot}: a run of it was active."),
    SlotState.NOT_STARTED: N_("{project} could not be started at {slot}."),
    SlotState.MISSED: N_("{project} did not run at {slot}."),
}


def _advice(state: SlotState) -> list[Sentence]:
    if state in {SlotState.SKIPPED, SlotState.NOT_STARTED}:
        return [Sentence.of(_CATCH_UP)]
    return []


def _run_finding(slot: Slot) -> list[Sentence]:
    run = slot.run
    if not isinstance(run, Run):
        return []
    begun = run.started_at.astimezone()
    try:
        ended = begun + timedelta(seconds=run.duration)
    except OverflowError:
        return []
    form = "%Y-%m-%d %H:%M:%S"
    template = N_("Run {run_id} was active from {begun} to {ended}.")
    return [
        Sentence.of(
            template,
            run_id=run.run_id,
            begun=begun.strftime(form),
            ended=ended.strftime(form),
        )
    ]


def _causes(evidence: Evidence) -> list[tuple[Sentence, Sentence | None]]:
    """Return what may have kept the project from running, the surest first.

    That the computer was off excludes everything else; what a scheduler wrote at that time
    is more than what is configured now, which may have been different then.
    """
    causes: list[tuple[Sentence, Sentence | None]] = []
    if evidence.absence:
        causes.append((absence_words(evidence.absence), None))
        if evidence.absence.begin is not None:
            return causes
    causes += evidence.refused
    causes += [(_started(sentence), _LOOK) for sentence in evidence.started]
    if evidence.entries is not None and not evidence.entries:
        causes.append((Sentence.of(_NOTHING), Sentence.of(_INSTALL)))
    causes += evidence.troubles
    return causes


_NOTHING = N_(
    "nothing of this account starts it (cron, systemd and the Task Scheduler were asked, as"
    " far as they are here)"
)
_INSTALL = N_(
    "`python-runner schedule install` hands the project to the system's scheduler; if"
    " another account starts it, ask as that account."
)
_LOOK = Sentence(
    N_(
        "Look for another state folder (PYTHON_RUNNER_HOME) or account, and run"
        " `python-runner check`."
    )
)


def _started(sentence: Sentence) -> Sentence:
    template = N_("{what}, but the records contain no run of it")
    return Sentence.of(template, what=sentence)


def absence_words(absence: Absence) -> Sentence:
    """Return that the computer was off or asleep, from when to when, as the end of a line."""
    begin = shown(absence.begin) if absence.begin else ""
    end = shown(absence.end) if absence.end else ""
    if not begin:
        template = N_(
            "the computer was started at {end}, and nobody knows whether it was on before"
        )
        return Sentence.of(template, end=end)
    if absence.asleep:
        template = N_("the computer was asleep from {begin} to {end}")
        if not end:
            template = N_("the computer has been asleep since {begin}")
    else:
        template = N_("the computer was off from {begin} to {end}")
        if not end:
            template = N_("the computer went off at {begin}")
    return Sentence.of(template, begin=begin, end=end)
