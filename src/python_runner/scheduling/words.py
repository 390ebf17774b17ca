"""A cron expression in words: ``working days at 06:00``; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.due_times import expression_problem
from python_runner.scheduling.fields import LAST, DayRule, fields_of, in_steps
from python_runner.texts.sentence import N_, Sentence, counted


if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = 24 * 60
#: Times of a day that are named one by one.
_FEW = 4
_WORKING_DAYS = (1, 2, 3, 4, 5)
_WEEKEND = (0, 6)
_EACH = (
    *(N_("Sundays"), N_("Mondays"), N_("Tuesdays"), N_("Wednesdays")),
    *(N_("Thursdays"), N_("Fridays"), N_("Saturdays")),
)
_WEEKDAYS = (
    *(N_("Sunday"), N_("Monday"), N_("Tuesday"), N_("Wednesday")),
    *(N_("Thursday"), N_("Friday"), N_("Saturday")),
)
_MONTHS = (
    *(N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June")),
    *(N_("July"), N_("August"), N_("September"), N_("October"), N_("November")),
    N_("December"),
)
_WEEKS = {
    1: N_("on the first {days} {month}"),
    2: N_("on the second {days} {month}"),
    3: N_("on the third {days} {month}"),
    4: N_("on the fourth {days} {month}"),
    5: N_("on the fifth {days} {month}"),
    LAST: N_("on the last {days} {month}"),
}
_MINUTES = counted("every minute", "every {count} minutes")
_HOURS = counted("every hour", "every {count} hours")


def in_words(expression: str) -> Sentence:
    """Return when an expression is due; itself where that is a long story, or wrong."""
    if expression_problem(expression) is not None:
        # Whatever a person has written into the scheduler.
        return Sentence("{expression}", {"expression": expression})
    fields = fields_of(expression)
    days = _days(fields.days, fields.months)
    times = _times(fields.times)
    steps = _steps(fields.times)
    if days is None or (times or steps) is None:
        return Sentence("{expression}", {"expression": expression})
    if steps is not None:
        if fields.days == (DayRule(),) and not fields.months:
            return steps
        return Sentence.of(N_("{days}, {times}"), days=days, times=steps)
    return Sentence.of(N_("{days} at {times}"), days=days, times=times)


def _steps(times: tuple[int, ...]) -> Sentence | None:
    """Return times in equal steps; None where they are not, or are too few."""
    row, *others = in_steps(times)
    whole = row.first < row.step and row.last + row.step >= _DAY
    if others or row.count < 3 or (row.count <= _FEW and not whole):  # noqa: PLR2004
        return None
    hours, minutes = divmod(row.step, 60)
    if hours and minutes:
        return None
    every = (
        Sentence.about(_HOURS, hours) if hours else Sentence.about(_MINUTES, minutes)
    )
    if whole and row.first == 0:
        return every
    template = N_("{every} from {first} to {last}")
    return Sentence.of(
        template, every=every, first=_clock(row.first), last=_clock(row.last)
    )


def _times(times: tuple[int, ...]) -> Sentence | None:
    return _list([_clock(time) for time in times]) if len(times) <= _FEW else None


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}"


def _days(rules: Sequence[DayRule], months: tuple[int, ...]) -> Sentence | None:
    """Return the days of all rules; None where one of them has no words."""
    (rule, *others) = rules
    if not others and len(months) == 1 and _is_one_day(rule):
        return Sentence.of(
            N_("on the {day} of {month}"),
            day=_ordinal(rule.days[0]),
            month=_month(months[0]),
        )
    said = [_rule(rule, months) for rule in rules]
    if None in said:
        return None
    days = _list(said)
    if not months:
        return days
    names = _list([_month(month) for month in months])
    return Sentence.of(N_("{days} in {months}"), days=days, months=names)


def _is_one_day(rule: DayRule) -> bool:
    return (
        len(rule.days) == 1 and rule.days != (LAST,) and rule == DayRule(days=rule.days)
    )


def _rule(rule: DayRule, months: tuple[int, ...]) -> Sentence | None:
    month = Sentence.of(N_("of the month") if months else N_("of each month"))
    if rule.is_every_day:
        return Sentence.of(N_("every day"))
    if rule == DayRule(last_workday=True):
        return Sentence.of(N_("on the last working day {month}"), month=month)
    if rule == DayRule(days=rule.days):
        return _month_days(rule.days, month)
    if rule == DayRule(weekdays=rule.weekdays):
        return _weekdays(rule.weekdays)
    if rule == DayRule(weekdays=rule.weekdays, week=rule.week):
        names = _list(
            [Sentence.of(_WEEKDAYS[day]) for day in _from_monday(rule.weekdays)]
        )
        return Sentence.of(_WEEKS[rule.week or LAST], days=names, month=month)
    return None


def _month_days(days: tuple[int, ...], month: Sentence) -> Sentence:
    if days == (LAST,):
        return Sentence.of(N_("on the last day {month}"), month=month)
    named = _list([_ordinal(day) for day in days if day != LAST])
    if LAST not in days:
        return Sentence.of(N_("on the {days} {month}"), days=named, month=month)
    template = N_("on the {days} and on the last day {month}")
    return Sentence.of(template, days=named, month=month)


def _weekdays(weekdays: tuple[int, ...]) -> Sentence:
    if weekdays == _WORKING_DAYS:
        return Sentence.of(N_("working days"))
    if weekdays == _WEEKEND:
        return Sentence.of(N_("weekends"))
    ordered = _from_monday(weekdays)
    first, last = ordered[0], ordered[-1]
    if len(ordered) > 2 and _place(last) - _place(first) == len(ordered) - 1:  # noqa: PLR2004
        return Sentence.of(
            N_("{first} to {last}"),
            first=Sentence.of(_WEEKDAYS[first]),
            last=Sentence.of(_WEEKDAYS[last]),
        )
    return _list([Sentence.of(_EACH[day]) for day in ordered])


def _place(day: int) -> int:
    """Return the place of a day in a week that begins with Monday."""
    return (day - 1) % 7


def _from_monday(weekdays: tuple[int, ...]) -> list[int]:
    return sorted(weekdays, key=_place)


def _month(month: int) -> Sentence:
    return Sentence.of(_MONTHS[month - 1])


def _ordinal(day: int) -> Sentence:
    """Return a day of the month: ``1st``, which is ``1er`` in French, ``22nd``, ``22``."""
    forms = {
        **dict.fromkeys((1, 21, 31), N_("{day}st")),
        **dict.fromkeys((2, 22), N_("{day}nd")),
        **dict.fromkeys((3, 23), N_("{day}rd")),
    }
    if day == 1:
        return Sentence.of(N_("1st"))
    return Sentence.of(forms.get(day, N_("{day}th")), day=str(day))


def _list(items: Sequence[object]) -> Sentence:
    """Return things as a list of words."""
    if len(items) == 1:
        return Sentence("{item}", {"item": items[0]})
    head: object = items[0]
    for item in items[1:-1]:
        head = Sentence("{head}, {item}", {"head": head, "item": item})
    return Sentence.of(N_("{first} and {last}"), first=head, last=items[-1])
