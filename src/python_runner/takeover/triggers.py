"""Turns the triggers of a task into a cron expression, where one says exactly the same."""

from __future__ import annotations

import re
from dataclasses import field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable

_DAY = 24 * 60
_HOUR = 60
#: Numbers that people read as a list.
_LISTED = 6
#: What a task calls the days of a week, from Sunday on, and the months.
WEEKDAYS = (
    *("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"),
)
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
_SPAN = lazy_pattern(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?")
_START = lazy_pattern(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger of a task, as its XML says it.

    Attributes:
        kind: ``daily``, ``weekly``, ``monthly``, ``monthly weekday``, ``once``, or the
            name of an element that no time belongs to.
        start: ``StartBoundary``.
        every: days or weeks between two of them.
        weekdays: English names.
        days: of the month: numbers, or ``Last``.
        months: English names; none: all.
        weeks: of the month: numbers, or ``Last``.
        interval: of the repetition, or empty.
        duration: of the repetition, or empty: it goes on for ever.
    """

    kind: str
    start: str = ""
    every: int = 1
    weekdays: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    months: tuple[str, ...] = ()
    weeks: tuple[str, ...] = ()
    interval: str = ""
    duration: str = ""


@dataclass(frozen=True, slots=True)
class _Times:
    """Minutes of a day, on days that three fields of cron name."""

    minutes: frozenset[int]
    days: tuple[str, str, str] = field(default=("*", "*", "*"))


def minutes_of(span: str) -> int | None:
    """Return the whole minutes of a duration such as ``PT1H30M``; None for others."""
    seconds = _seconds_of(span)
    return None if seconds is None or seconds % 60 else seconds // 60


def _seconds_of(span: str) -> int | None:
    match = _SPAN.fullmatch(span)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def cron_expression(
    triggers: Iterable[Trigger],
) -> tuple[str | None, list[tuple[Trigger, Sentence]]]:
    """Return the expression of triggers, and why some of them have none.

    Without an expression of all that have times, there is none: half of a schedule would
    miss runs without a word.
    """
    found: list[_Times] = []
    problems: list[tuple[Trigger, Sentence]] = []
    timed: list[Trigger] = []
    for trigger in triggers:
        times = _times(trigger)
        if isinstance(times, Sentence):
            problems.append((trigger, times))
        else:
            found.append(times)
            timed.append(trigger)
    if not found:
        return None, problems
    expression = _joined(found)
    if expression is None:
        text = Sentence.of(
            N_(
                "no cron expression of five fields says what these triggers say together"
            )
        )
        problems.append((timed[0], text))
    elif any(trigger.start for trigger, _ in problems):
        return None, problems
    return expression, problems


def _times(trigger: Trigger) -> _Times | Sentence:
    """Return when a trigger is due, or why cron cannot say it."""
    match = _START.fullmatch(trigger.start.strip())
    if match is None:
        return Sentence.of(
            N_("the trigger {kind} has no times for cron"), kind=trigger.kind
        )
    try:
        start = datetime.fromisoformat(match[1])
    except ValueError:
        return Sentence.of(N_("the start {start} is no time"), start=trigger.start)
    if match[2]:
        return Sentence.of(
            N_("the start {start} belongs to one time zone, whatever the clock says"),
            start=trigger.start,
        )
    days = _days(trigger, start)
    if isinstance(days, Sentence):
        return days
    minutes = _minutes(trigger, start)
    return minutes if isinstance(minutes, Sentence) else _Times(minutes, days)


def _days(  # noqa: PLR0911 - one answer a kind
    trigger: Trigger, start: datetime
) -> tuple[str, str, str] | Sentence:
    """Return day of the month, month and day of the week of a trigger."""
    months = _numbers(trigger.months, MONTHS, 1)
    month = "*" if not months or len(months) == len(MONTHS) else ranges(months)
    if trigger.kind == "once":
        if trigger.interval and not trigger.duration:
            return "*", "*", "*"
        return Sentence.of(N_("it runs once, at {start}"), start=trigger.start)
    if trigger.kind == "daily":
        if trigger.every == 1:
            return "*", "*", "*"
        if trigger.every == len(WEEKDAYS):
            return "*", "*", str(start.isoweekday() % 7)
        return Sentence.of(
            N_("every {number} days is no cron expression"), number=trigger.every
        )
    if trigger.kind == "weekly":
        if trigger.every != 1:
            return Sentence.of(
                N_("every {number} weeks is no cron expression"), number=trigger.every
            )
        weekdays = _numbers(trigger.weekdays, WEEKDAYS, 0) or {start.isoweekday() % 7}
        whole = len(weekdays) == len(WEEKDAYS)
        return "*", "*", "*" if whole else ranges(weekdays)
    if trigger.kind == "monthly":
        return _days_of_month(trigger, month)
    if trigger.kind == "monthly weekday":
        return _weekdays_of_month(trigger, month)
    return Sentence.of(
        N_("the trigger {kind} has no times for cron"), kind=trigger.kind
    )


def _days_of_month(trigger: Trigger, month: str) -> tuple[str, str, str] | Sentence:
    numbers = {int(day) for day in trigger.days if day.isdigit()}
    last = any(day.lower() == "last" for day in trigger.days)
    if not numbers and not last:
        return Sentence.of(N_("the trigger {kind} names no day"), kind=trigger.kind)
    if numbers == set(range(1, 32)):
        return "*", month, "*"
    days = ranges(numbers) if numbers else ""
    return ",".join(filter(None, [days, "L" if last else ""])), month, "*"


def _weekdays_of_month(trigger: Trigger, month: str) -> tuple[str, str, str] | Sentence:
    weekdays = sorted(_numbers(trigger.weekdays, WEEKDAYS, 0))
    weeks = [week.lower() for week in trigger.weeks]
    if not weekdays or not weeks:
        return Sentence.of(N_("the trigger {kind} names no day"), kind=trigger.kind)
    if {"1", "2", "3", "4", "last"} <= set(weeks):
        # The fifth one of a month is its last.
        return "*", month, ranges(set(weekdays))
    parts = [
        f"{day}L" if week == "last" else f"{day}#{week}"
        for day in weekdays
        for week in weeks
    ]
    return "*", month, ",".join(parts)


def _minutes(trigger: Trigger, start: datetime) -> frozenset[int] | Sentence:
    """Return the minutes of the day at which a trigger is due."""
    first = start.hour * _HOUR + start.minute
    if not trigger.interval:
        return frozenset({first})
    interval = minutes_of(trigger.interval)
    span = _seconds_of(trigger.duration) if trigger.duration else _DAY * 60
    # What is due within a minute that has begun is due all the same.
    duration = None if span is None else -(-span // 60)
    if not interval or duration is None:
        return Sentence.of(
            N_("a repetition every {span} is no cron expression"), span=trigger.interval
        )
    for_ever = not trigger.duration
    if duration > _DAY or (_DAY % interval and (for_ever or duration == _DAY)):
        return Sentence.of(
            N_("a repetition every {span} is no cron expression"), span=trigger.interval
        )
    every_day = trigger.kind in {"once", "daily"} and trigger.every == 1
    leaves_day = for_ever or first + duration > _DAY
    if not every_day and leaves_day and (first or duration != _DAY):
        return Sentence.of(
            N_("the repetition of {start} goes on into the next day"),
            start=trigger.start,
        )
    due = range(first, first + duration, interval)
    return frozenset(minute % _DAY for minute in due)


def _joined(found: list[_Times]) -> str | None:
    """Return one expression for several triggers, or None where there is none."""
    by_days: dict[tuple[str, str, str], frozenset[int]] = {}
    for times in found:
        by_days[times.days] = by_days.get(times.days, frozenset()) | times.minutes
    by_minutes: dict[frozenset[int], list[tuple[str, str, str]]] = {}
    for named, minutes in by_days.items():
        by_minutes.setdefault(minutes, []).append(named)
    if len(by_minutes) != 1:
        return None
    together, all_days = next(iter(by_minutes.items()))
    days = _joined_days(all_days)
    clock = _clock(together)
    return f"{clock} {' '.join(days)}" if days and clock else None


def _joined_days(found: list[tuple[str, str, str]]) -> tuple[str, str, str] | None:
    if len(found) == 1:
        return found[0]
    months = {month for _day, month, _weekday in found}
    weekdays = [weekday for day, _month, weekday in found if day == "*"]
    days = [day for day, _month, weekday in found if weekday == "*"]
    if ("*", "*", "*") in found:
        return "*", "*", "*"
    if len(months) != 1 or len(weekdays) + len(days) != len(found):
        return None
    # Cron is due on either, where neither field begins with a star.
    return _list(days), months.pop(), _list(weekdays)


def _list(fields: list[str]) -> str:
    """Return one field of cron for several."""
    if not fields:
        return "*"
    parts = [part for text in fields for part in text.split(",")]
    if all(re.fullmatch(r"\d+(-\d+)?", part) for part in parts):
        numbers = set[int]()
        for part in parts:
            first, _, last = part.partition("-")
            numbers.update(range(int(first), int(last or first) + 1))
        return ranges(numbers)
    return ",".join(dict.fromkeys(parts))


def _clock(minutes: frozenset[int]) -> str | None:
    """Return the fields minute and hour of minutes of a day; None if there are none."""
    hours = {minute // _HOUR for minute in minutes}
    parts = {minute % _HOUR for minute in minutes}
    if {hour * _HOUR + part for hour in hours for part in parts} != minutes:
        return None
    return f"{_steps(parts, _HOUR)} {_steps(hours, 24)}"


def _steps(numbers: set[int], end: int) -> str:
    """Return a field as people write it: ``*``, ``*/15``, ``8-18/2`` or a list."""
    ordered = sorted(numbers)
    if len(ordered) == end:
        return "*"
    gaps = {b - a for a, b in pairwise(ordered)}
    if len(gaps) == 1 and len(ordered) > 2:  # noqa: PLR2004 - two are a list
        step = gaps.pop()
        if step > 1 and ordered[0] == 0 and ordered[-1] + step >= end:
            return f"*/{step}"
        if step > 1 and len(ordered) > _LISTED:
            return f"{ordered[0]}-{ordered[-1]}/{step}"
    return ranges(numbers)


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers as a field of cron: ``1-5``, ``1,15``, ``8-12,14``."""
    parts: list[str] = []
    ordered = sorted(numbers)
    at = 0
    while at < len(ordered):
        end = at
        while end + 1 < len(ordered) and ordered[end + 1] == ordered[end] + 1:
            end += 1
        if end - at > 1:
            parts.append(f"{ordered[at]}-{ordered[end]}")
        else:
            parts += [str(number) for number in ordered[at : end + 1]]
        at = end + 1
    return ",".join(parts)


def _numbers(names: Iterable[str], known: tuple[str, ...], first: int) -> set[int]:
    return {known.index(name) + first for name in names if name in known}
