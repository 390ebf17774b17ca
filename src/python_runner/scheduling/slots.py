"""The slots of a project: the times at which its ``schedule`` is due, and what came of them.

Decisions only: the runs, the clock and the calendar are arguments. A run answers the last
slot before it, whoever started it: a catch-up, or a run by hand, later than the slot and
before the next one is the run that was due. All moments are compared in UTC: two local
times of one zone are compared by their digits, which come twice where the clock goes back.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from python_runner.due_times import local_zone, times_after, times_before
from python_runner.facts import dataclass
from python_runner.model import RunStatus


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, tzinfo

    from python_runner.model import KnownSchedule, OpenRun, Run

#: How much earlier than its slot a run may begin: clocks are set while others read them.
EARLY = timedelta(seconds=5)
#: How much later than its slot a run begins at the latest: a systemd timer has a minute.
GRACE = timedelta(seconds=60)
#: Slots that are counted; more of them are "at least" so many.
MOST_SLOTS = 1000
#: Days for which the calendar is asked: a calendar file is read for each.
MOST_DAYS = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What a project's slots follow from.

    Attributes:
        expression: its ``schedule``.
        now: the present moment.
        is_off: says whether the project does not run on a day.
        zone: of the local time; None: this computer's.
    """

    expression: str
    now: datetime
    is_off: Callable[[date], bool] = lambda _day: False
    zone: tzinfo | None = None

    def local(self, moment: datetime) -> datetime:
        """Return a moment in the zone of the slots."""
        return moment.astimezone(self.zone or local_zone())

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the slots after a moment, in UTC, first to last."""
        for slot in times_after(self.expression, moment, self.zone):
            yield slot.astimezone(UTC)

    def before(self, moment: datetime) -> Iterator[datetime]:
        """Yield the slots before a moment, in UTC, last to first."""
        for slot in times_before(self.expression, moment, self.zone):
            yield slot.astimezone(UTC)

    def grace(self, slot: datetime) -> timedelta:
        """Return how long a run of a slot may be about to begin."""
        following = next(self.after(slot), None)
        return min(GRACE, (following - slot) / 2) if following else GRACE


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Slots that no run has answered.

    Attributes:
        count: how many.
        more: whether there are more than that, which nobody counted.
        first: the first of them, aware.
        last: the last of them.
    """

    count: int
    more: bool
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is due, and what was missed since the last run.

    Attributes:
        due: the next slot on which the project runs; None where the calendar excludes
            all of them for long.
        missed: the slots that no run has answered, or None.
        begins: a slot whose run may be about to begin, or None.
    """

    due: datetime | None
    missed: Missed | None = None
    begins: datetime | None = None


def outlook(clock: Clock, known: KnownSchedule | None, terms: str) -> Outlook:
    """Say what is due next, and which slots were missed since the last run.

    Args:
        clock: the schedule as it is configured, and the time.
        known: what the records know of the schedule; None: nothing.
        terms: what its slots follow from now. Where the records know others, nobody
            knows since when these hold, and nothing counts as missed.
    """
    due = next(_without_days_off(clock.after(clock.now), clock), None)
    if known is None or known.terms != terms or known.reached >= clock.now:
        return Outlook(due=due)
    begin, end = known.reached + EARLY, clock.now.astimezone(UTC)
    last = next(clock.before(end + timedelta(microseconds=1)), None)
    begins = None
    if last and last > begin and end - last < clock.grace(last):
        begins = None if clock.is_off(clock.local(last).date()) else last
        end = last
    return Outlook(due=due, missed=_missed(clock, begin, end), begins=begins)


def _missed(clock: Clock, begin: datetime, end: datetime) -> Missed | None:
    """Return the slots after ``begin`` and before ``end``; None where there are none."""
    if end <= begin:
        return None

    def until_end() -> Iterator[datetime]:
        for slot in clock.after(begin):
            if slot >= end:
                return
            yield slot

    counted = list(islice(_without_days_off(until_end(), clock), MOST_SLOTS + 1))
    if not counted:
        return None
    more = len(counted) > MOST_SLOTS
    last = counted[-1]
    if more:
        last = next(_without_days_off(clock.before(end), clock), last)
    return Missed(
        count=min(len(counted), MOST_SLOTS), more=more, first=counted[0], last=last
    )


def _without_days_off(slots: Iterator[datetime], clock: Clock) -> Iterator[datetime]:
    """Yield the slots of days on which the project runs, as far as days are asked for.

    Beyond these days no slot is yielded: what follows is not known.
    """
    off: dict[date, bool] = {}
    for slot in slots:
        day = clock.local(slot).date()
        if day not in off:
            if len(off) >= MOST_DAYS:
                return
            off[day] = clock.is_off(day)
        if not off[day]:
            yield slot


class SlotState(StrEnum):
    """What came of one slot."""

    #: A run of the whole series, or of a part of it, began in time.
    ANSWERED = "answered"
    #: The project does not run on that day.
    DAY_OFF = "day_off"
    #: A run that began earlier has not ended yet.
    RUNNING = "running"
    #: A run that began earlier was still active; none began for this slot.
    SKIPPED = "skipped"
    #: A run was tried, and could not be started.
    NOT_STARTED = "not_started"
    #: Its run may be about to begin.
    BEGINS = "begins"
    #: It lies in the future.
    DUE = "due"
    #: No run is recorded.
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One slot, and the run that explains what came of it.

    Attributes:
        time: when it was due, aware.
        run: the run that answered it, or was active; None where there is none.
        tried: the run that was skipped, or could not be started; None where none was.
    """

    time: datetime
    state: SlotState
    run: Run | OpenRun | None = None
    tried: Run | None = None

    @property
    def missed(self) -> bool:
        """Whether the project did not run though it should have."""
        return self.state in _NOT_RUN


_NOT_RUN = frozenset({SlotState.MISSED, SlotState.SKIPPED, SlotState.NOT_STARTED})
#: Runs that ended so have not run any script.
_TRIED = frozenset({RunStatus.SKIPPED, RunStatus.NOT_STARTED})


def judge(
    slot: datetime, clock: Clock, runs: Sequence[Run], active: OpenRun | None = None
) -> Slot:
    """Say what came of one slot.

    Args:
        slot: when it was due.
        clock: the schedule, and the present moment.
        runs: the ended runs around it, in any order.
        active: the run that is active now.
    """
    following = next(clock.after(slot), None)
    end = following - EARLY if following else None
    begin = slot - EARLY
    own = [
        r for r in runs if r.started_at >= begin and not (end and r.started_at >= end)
    ]
    own.sort(key=lambda run: run.started_at)
    ran = [run for run in own if run.status not in _TRIED]
    if ran:
        return Slot(time=slot, state=SlotState.ANSWERED, run=ran[0])
    if active and active.started_at >= begin and not (end and active.started_at >= end):
        return Slot(time=slot, state=SlotState.ANSWERED, run=active)
    if clock.is_off(clock.local(slot).date()):
        return Slot(time=slot, state=SlotState.DAY_OFF, tried=next(iter(own), None))
    if slot > clock.now:
        return Slot(time=slot, state=SlotState.DUE)
    if active and active.started_at < begin:
        return Slot(time=slot, state=SlotState.RUNNING, run=active)
    state = SlotState.MISSED
    over = [r for r in runs if r.status not in _TRIED and _covers(r, slot)]
    tried = next((r for r in own if r.status is RunStatus.NOT_STARTED), None)
    if tried:
        state = SlotState.NOT_STARTED
    elif over:
        state = SlotState.SKIPPED
        tried = next(iter(own), None)
    elif own:
        # Skipped, for a run that was not recorded.
        state, tried = SlotState.SKIPPED, own[0]
    elif clock.now - slot < clock.grace(slot):
        state = SlotState.BEGINS
    return Slot(time=slot, state=state, run=next(iter(over), None), tried=tried)


#: Slots that are judged, from the present back, to find the last one that was missed.
_LOOKED_AT = 200


def last_missed(
    clock: Clock, begin: datetime, runs: Sequence[Run], active: OpenRun | None = None
) -> datetime | None:
    """Return the last slot at which the project should have run, and did not.

    Args:
        clock: the schedule, and the present moment.
        begin: slots before that are not known.
        runs: the last ended runs, the newest first.
        active: the run that is active now.
    """
    oldest = min((run.started_at for run in runs), default=begin)
    ordered = sorted(runs, key=lambda run: run.started_at)
    for slot in islice(clock.before(clock.now), _LOOKED_AT):
        if slot <= max(begin, oldest, clock.now - timedelta(days=MOST_DAYS)) + EARLY:
            return None
        if judge(slot, clock, ordered, active).missed:
            return slot
    return None


def _covers(run: Run, slot: datetime) -> bool:
    """Say whether a run was active at a slot."""
    begun = run.started_at.astimezone(UTC)
    try:
        return begun < slot <= begun + timedelta(seconds=run.duration)
    except OverflowError:
        return begun < slot
