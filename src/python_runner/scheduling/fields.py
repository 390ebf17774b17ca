"""A cron expression as numbers: at which times of which days it is due.

What schedulers of other forms are told, and what people read, begins here.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import product
from typing import TYPE_CHECKING

from python_runner.due_times import expression_problem, local_zone, times_after
from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo


#: The last of something, in the place of its number.
LAST = -1
_MONTHS = 12
_DAYS = 31
_WEEK = 7
_YEAR = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRule:
    """Days on which something is due: all that is said of a day must be true of it.

    Attributes:
        days: days of the month, ``LAST`` among them perhaps; empty: any.
        last_workday: whether it is the last day of the month from Monday to Friday.
        weekdays: days of the week, from Sunday, 0, to Saturday, 6; empty: any.
        week: of those weekdays in the month the nth, or the ``LAST``; None: any.
    """

    days: tuple[int, ...] = ()
    last_workday: bool = False
    weekdays: tuple[int, ...] = ()
    week: int | None = None

    @property
    def is_every_day(self) -> bool:
        """Whether it is true of each day."""
        return self == DayRule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What an expression means.

    Attributes:
        times: minutes after midnight at which it is due, in order.
        days: the rules of its days: it is due on each day that one of them allows.
        months: of 1 to 12; empty: any.
    """

    times: tuple[int, ...]
    days: tuple[DayRule, ...]
    months: tuple[int, ...]


def fields_of(expression: str) -> Fields:
    """Return what an expression means; it is one without an error."""
    from cronsim import CronSim  # noqa: PLC0415 - few projects have a schedule

    read = CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - no time is asked for
    months = tuple(sorted(read.months))
    days = _month_days(read.days, CronSim.LAST, CronSim.LAST_WEEKDAY)
    weekdays = _weekdays(read.weekdays, CronSim.LAST)
    if read.day_and:
        rules = tuple(_both(day, weekday) for day, weekday in product(days, weekdays))
    else:
        rules = (*days, *weekdays)
    if any(rule.is_every_day for rule in rules):
        rules = (DayRule(),)
    return Fields(
        times=tuple(
            h * 60 + m for h in sorted(read.hours) for m in sorted(read.minutes)
        ),
        days=tuple(dict.fromkeys(rules)),
        months=months if len(months) < _MONTHS else (),
    )


def same_times(one: str, other: str) -> bool:
    """Say whether two expressions mean the same; one that is wrong means nothing."""
    if " ".join(one.split()) == " ".join(other.split()):
        return True
    if expression_problem(one) or expression_problem(other):
        return False
    return fields_of(one) == fields_of(other)


def _month_days(days: set[int], last: int, last_workday: int) -> list[DayRule]:
    rules = []
    plain = tuple(sorted(day for day in days if day > 0))
    if last in days:
        plain = (*plain, LAST)
    if len(set(plain) - {LAST}) == _DAYS:
        return [DayRule()]
    if plain:
        rules.append(DayRule(days=plain))
    if last_workday in days:
        rules.append(DayRule(last_workday=True))
    return rules


def _weekdays(weekdays: set[int | tuple[int, int]], last: int) -> list[DayRule]:
    plain = {day % _WEEK for day in weekdays if isinstance(day, int)}
    if len(plain) == _WEEK:
        return [DayRule()]
    rules = [DayRule(weekdays=tuple(sorted(plain)))] if plain else []
    weeks: dict[int, set[int]] = {}
    for item in weekdays:
        if isinstance(item, tuple):
            day, week = item
            weeks.setdefault(LAST if week == last else week, set()).add(day % _WEEK)
    for week, found in sorted(weeks.items()):
        rules.append(DayRule(weekdays=tuple(sorted(found)), week=week))
    return rules


def _both(day: DayRule, weekday: DayRule) -> DayRule:
    return DayRule(
        days=day.days,
        last_workday=day.last_workday,
        weekdays=weekday.weekdays,
        week=weekday.week,
    )


def displaced_times(
    expression: str, moment: datetime, zone: tzinfo | None = None
) -> Iterator[datetime]:
    """Yield the due times of a year that the change of the clock puts elsewhere.

    The expression names a time that such a day does not have: cron makes up for it, other
    schedulers leave it out.

    Args:
        expression: one without an error.
        moment: from which the year counts, with a time zone.
        zone: of the local time; None: this computer's.
    """
    zone = zone or local_zone()
    times = set(fields_of(expression).times)
    first = moment.astimezone(zone).date()
    for number in range(_YEAR):
        day = first + timedelta(days=number)
        begin = datetime.combine(day, time(), tzinfo=zone)
        end = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
        if begin.utcoffset() == end.utcoffset():
            continue
        before = begin.astimezone(UTC) - timedelta(seconds=1)
        for due in times_after(expression, before, zone):
            if due.astimezone(UTC) >= end.astimezone(UTC):
                break
            if due.hour * 60 + due.minute not in times:
                yield due


@dataclass(frozen=True, slots=True)
class Times:
    """Times of a day in equal steps.

    Attributes:
        first: minutes after midnight.
        step: minutes from one to the next; 0 where there is only one.
        count: how many there are.
    """

    first: int
    step: int = 0
    count: int = 1

    @property
    def last(self) -> int:
        """The last one, in minutes after midnight."""
        return self.first + self.step * (self.count - 1)


def in_steps(times: tuple[int, ...]) -> tuple[Times, ...]:
    """Return times as few rows of equal steps, each time in one of them."""
    hours = sorted({time // 60 for time in times})
    minutes = sorted({time % 60 for time in times})
    by_minute = [
        Times(row.first + minute, row.step, row.count)
        for minute in minutes
        for row in _rows(tuple(hour * 60 for hour in hours))
    ]
    by_hour = [
        Times(hour * 60 + row.first, row.step, row.count)
        for hour in hours
        for row in _rows(tuple(minutes))
    ]
    rows = min(_rows(times), by_minute, by_hour, key=len)
    return tuple(sorted(rows, key=lambda row: row.first))


def _rows(times: tuple[int, ...]) -> list[Times]:
    """Take away the longest row that begins with the first time, again and again."""
    left, rows = set(times), []
    while left:
        first = min(left)
        row = max(
            (_row(first, other - first, left) for other in left - {first}),
            key=lambda row: (row.count, -row.step),
            default=Times(first),
        )
        rows.append(row)
        left -= {row.first + row.step * number for number in range(row.count)}
    return rows


def _row(first: int, step: int, times: set[int]) -> Times:
    count = 1
    while first + step * count in times:
        count += 1
    return Times(first, step, count)
