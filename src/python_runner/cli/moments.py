"""Moments that people name on the command line."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from python_runner.config.units import Duration
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable

_F = TypeVar("_F", bound="Callable[..., Any]")


def since_option(help_text: str) -> Callable[[_F], _F]:
    """Return what adds ``--since`` to a command, with its help."""
    return click.option("--since", metavar=_("TIME"), callback=_since, help=help_text)


def _since(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    return None if value is None else parse_since(value, datetime.now().astimezone())


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that ``7d``, ``12h`` or ``2026-11-24`` (local) stands for.

    Raises:
        click.BadParameter: it stands for none.
    """
    try:
        return _moment(text, now)
    # Overflows are what a number of centuries leads to, differently on each platform.
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            _("expected a duration such as 7d or 12h, or a date such as 2026-11-24")
        ) from None


def at_option(help_text: str) -> Callable[[_F], _F]:
    """Return what adds ``--at`` to a command, with its help."""
    return click.option("--at", metavar=_("TIME"), callback=_at, help=help_text)


def _at(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    return None if value is None else parse_at(value, datetime.now().astimezone())


#: How people name a day; in French as well, whatever the system's language is.
_DAYS_AGO = {
    "today": 0,
    "aujourd'hui": 0,
    "aujourdhui": 0,
    "yesterday": 1,
    "hier": 1,
    "avant-hier": 2,
    "avant hier": 2,
}
_AT = lazy_pattern(
    r"(?:(?P<day>\S.*?)\s+)?(?:(?:à|at)\s+)?"
    r"(?P<hour>\d{1,2})(?:\s?h|(?::|\s?h\s?)(?P<minute>\d\d)(?::(?P<second>\d\d))?)"
)
_WHOLE = lazy_pattern(r"\d{4}-\d\d-\d\d[ t]\d\d:\d\d.*")
#: From here on nobody asks about a slot, and the calendar may end.
_FAR = timedelta(days=36525)
_PARTS = ("hour", "minute", "second")
_DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y")


def parse_at(text: str, now: datetime) -> datetime:
    """Return the moment that ``today 06:00`` or ``2026-11-26 06:00`` (local) stands for.

    A time without a day is the last one that has been. Where the clock changes, a time
    that comes twice is the first, and one that does not come is the next that does.

    Raises:
        click.BadParameter: it stands for none.
    """
    words = " ".join(
        text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").lower().split()
    )
    try:
        return _near(_named_moment(words, now), now)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            _(
                'expected a time such as "06:00", "today 06:00", "yesterday 06:00" or'
                ' "2026-11-26 06:00"'
            )
        ) from None


def _near(moment: datetime, now: datetime) -> datetime:
    if abs(moment - now) > _FAR:
        raise ValueError(moment)
    return moment


def _named_moment(words: str, now: datetime) -> datetime:
    if _WHOLE.fullmatch(words):
        moment = datetime.fromisoformat(words.upper())
        return moment.astimezone() if moment.tzinfo else _local(moment)
    first, _space, others = words.partition(" ")
    found = _AT.fullmatch(words) or _AT.fullmatch(f"{others} {first}")
    if found is None:
        raise ValueError(words)
    hour, minute, second = (int(part or 0) for part in found.group(*_PARTS))
    clock = time(hour, minute, second)
    if name := found["day"]:
        return _local(datetime.combine(_day(name, now), clock))
    today = now.astimezone().date()
    moment = _local(datetime.combine(today, clock))
    if moment > now:
        moment = _local(datetime.combine(today - timedelta(days=1), clock))
    return moment


def _local(clock: datetime) -> datetime:
    """Return the moment at which this computer's clock shows a time.

    A time that the day does not have stands for the next minute that it has: what is due
    then starts there.
    """
    while (moment := clock.astimezone()).replace(tzinfo=None) != clock:
        clock = clock.replace(second=0) + timedelta(minutes=1)
    return moment


def _day(name: str, now: datetime) -> date:
    if name in _DAYS_AGO:
        return now.astimezone().date() - timedelta(days=_DAYS_AGO[name])
    for form in _DATES:
        with suppress(ValueError):
            return datetime.strptime(name, form).date()  # noqa: DTZ007 - a day
    raise ValueError(name)


def _moment(text: str, now: datetime) -> datetime:
    with suppress(ValueError):
        return datetime.strptime(text, "%Y-%m-%d").astimezone()
    if text[-1:].isdigit():
        # A configuration takes it for seconds; whoever writes 7 here means days.
        raise ValueError(text)
    return now - timedelta(seconds=Duration.parse(text))
