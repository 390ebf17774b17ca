"""A cron expression as lines ``OnCalendar=`` of systemd; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.scheduling.fields import LAST, DayRule, fields_of
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.scheduling.fields import Fields

#: In the order of systemd, for which a range begins no earlier than with Monday.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEK = 7


def calendar_problem(expression: str) -> Sentence | None:
    """Say why systemd cannot be told an expression; None if it can."""
    if _inexpressible(fields_of(expression)):
        template = N_("systemd cannot express these days: {expression}")
        return Sentence.of(template, expression=expression)
    return None


def calendar_lines(expression: str) -> tuple[str, ...]:
    """Return what stands after ``OnCalendar=``; several lines mean all of their times."""
    fields = fields_of(expression)
    months = _numbers(fields.months)
    hours, minutes = _clock(fields.times)
    return tuple(
        " ".join(filter(None, (weekdays, f"*-{months}{days}", f"{hours}:{minutes}:00")))
        for rule in fields.days
        for weekdays, days in _days(rule)
    )


def _inexpressible(fields: Fields) -> bool:
    """Say whether a rule counts from the beginning of a month and from its end."""
    return any(
        (rule.week == LAST and rule.days)
        or (rule.last_workday and rule.weekdays)
        or (rule.week is not None and rule.week != LAST and LAST in rule.days)
        for rule in fields.days
    )


def _days(rule: DayRule) -> Iterator[tuple[str, str]]:
    """Yield days of the week and of the month, with the sign between month and day."""
    if rule.last_workday:
        # The last day, or the Friday that at most two days follow.
        yield "Mon..Thu", "~01"
        yield "Fri", "~03/1"
        return
    weekdays = _weekdays(rule.weekdays)
    if rule.week == LAST:
        yield weekdays, "~07/1"
        return
    days = [day for day in rule.days if day != LAST]
    if rule.week is not None:
        first = (rule.week - 1) * _WEEK + 1
        days = [
            day
            for day in range(first, min(first + _WEEK, 32))
            if not days or day in days
        ]
        if not days:
            return
    if LAST in rule.days:
        yield weekdays, "~01"
    if days or LAST not in rule.days:
        yield weekdays, "-" + _numbers(tuple(days))


def _weekdays(weekdays: tuple[int, ...]) -> str:
    places = tuple(sorted((day - 1) % _WEEK for day in weekdays))
    return ",".join(
        _WEEKDAYS[first] if first == last else f"{_WEEKDAYS[first]}..{_WEEKDAYS[last]}"
        for first, last in _ranges(places)
    )


def _clock(times: tuple[int, ...]) -> tuple[str, str]:
    """Return hours and minutes: each of these is due in each of those."""
    hours = tuple(dict.fromkeys(time // 60 for time in times))
    minutes = tuple(dict.fromkeys(time % 60 for time in times))
    return (
        "*" if len(hours) == 24 else _numbers(hours),  # noqa: PLR2004 - hours of a day
        "*" if len(minutes) == 60 else _numbers(minutes),  # noqa: PLR2004 - of an hour
    )


def _numbers(numbers: tuple[int, ...]) -> str:
    """Return numbers as systemd writes them; a star for none: any."""
    return (
        ",".join(
            f"{first:02}" if first == last else f"{first:02}..{last:02}"
            for first, last in _ranges(numbers)
        )
        or "*"
    )


def _ranges(numbers: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of numbers that follow each other, three or more."""
    run: list[int] = []
    for number in (*numbers, None):
        if run and number == run[-1] + 1:
            run.append(number)
            continue
        if len(run) > 2:  # noqa: PLR2004 - two are read as easily as a range
            yield run[0], run[-1]
        else:
            yield from ((one, one) for one in run)
        run = [] if number is None else [number]
