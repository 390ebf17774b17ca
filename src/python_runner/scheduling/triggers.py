"""A cron expression as triggers of Windows' Task Scheduler; pure.

A calendar trigger fires once on each of its days and may then be repeated in equal steps.
Not every expression has triggers: what has none, or too many, is told and never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.scheduling.fields import LAST, Times, fields_of, in_steps
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.scheduling.fields import DayRule

#: Triggers that one task may have.
MOST = 48
#: Weeks of a month that a trigger may name; the last one has no number.
_WEEKS = (1, 2, 3, 4, LAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A calendar trigger; what is empty means any.

    Attributes:
        times: when on each of its days.
        days: days of the month, ``LAST`` among them perhaps.
        weekdays: days of the week, from Sunday, 0, to Saturday, 6.
        weeks: which of those weekdays in the month: 1 to 4, or ``LAST``.
        months: of 1 to 12.
    """

    times: Times
    days: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    months: tuple[int, ...] = ()


def trigger_problem(expression: str) -> Sentence | None:
    """Say why an expression has no triggers; None if it has."""
    fields = fields_of(expression)
    if any(_has_no_trigger(rule) for rule in fields.days):
        template = N_(
            "the Task Scheduler cannot express these days: {expression}; choose others,"
            " or exclude the days that are too many with `not_on` (an .ics file)"
        )
        return Sentence.of(template, expression=expression)
    count = len(triggers_of(expression))
    if count > MOST:
        template = N_(
            "the Task Scheduler would need {needed} triggers for {expression}, and a task"
            " may have {most}; choose times in equal steps"
        )
        return Sentence.of(template, expression=expression, needed=count, most=MOST)
    return None


def triggers_of(expression: str) -> tuple[Trigger, ...]:
    """Return the triggers of an expression that is due at the same times."""
    fields = fields_of(expression)
    return tuple(
        _trigger(rule, times, fields.months)
        for rule in fields.days
        for times in in_steps(fields.times)
    )


def _has_no_trigger(rule: DayRule) -> bool:
    """Say whether no trigger names the days of a rule.

    The fifth Monday is not always the last one, and no trigger asks both for a day of the
    month and for a day of the week.
    """
    return (
        rule.last_workday
        or bool(rule.days and rule.weekdays)
        or (rule.week is not None and rule.week not in _WEEKS)
    )


def _trigger(rule: DayRule, times: Times, months: tuple[int, ...]) -> Trigger:
    weeks: tuple[int, ...] = ()
    if rule.week is not None:
        weeks = (rule.week,)
    elif rule.weekdays and months:
        # A weekly trigger knows no months; each week of a month is all of it.
        weeks = _WEEKS
    days = rule.days
    if months and not rule.days and not rule.weekdays:
        days = tuple(range(1, 32))
    return Trigger(
        times=times, days=days, weekdays=rule.weekdays, weeks=weeks, months=months
    )


def minutes_of(times: Times) -> Iterator[int]:
    """Yield the minutes after midnight at which a trigger fires on one of its days."""
    return (times.first + times.step * number for number in range(times.count))
