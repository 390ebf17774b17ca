"""Days on which a project does not run: weekends, public holidays, days of a calendar.

The key ``not_on`` of a project lists them. Public holidays come from the package
``holidays``, calendar files (RFC 5545) are read by ``icalendar`` and
``recurring-ical-events``: the extra ``calendar``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.files import absolute, read_regular
from python_runner.installation import extra_command
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date
    from pathlib import Path

_WEEKEND = "weekend"
_HOLIDAYS = "holidays:"
_CALENDAR = ".ics"
_SATURDAY = 5
#: Bytes that a calendar file may have: thousands of events.
_LONGEST = 4 * 1024 * 1024


class _NoAnswer(Exception):
    """Nobody can say whether a day is off; the sentence says why."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class DayOff:
    """What the entries of ``not_on`` say of one day.

    Attributes:
        reason: why the project does not run on it; None if it does.
        problems: the entries that could not be asked, with their places, from 0.
    """

    reason: Sentence | None
    problems: tuple[tuple[int, Sentence], ...] = ()


def entry_problems(entries: Iterable[str]) -> Iterator[tuple[int, Sentence]]:
    """Yield what is wrong with entries of ``not_on``, with their places."""
    for place, entry in enumerate(entries):
        if problem := _problem(entry):
            yield place, problem


def day_off(entries: Iterable[str], folder: Path, day: date, language: str) -> DayOff:
    """Say whether a project does not run on a day.

    Args:
        entries: of ``not_on``, as they are configured.
        folder: the project's, to which paths of calendar files are relative.
        day: in the local time of this computer.
        language: in which holidays are named, where that is known.
    """
    reasons, problems = [], []
    for place, entry in enumerate(entries):
        try:
            reasons.append(_reason(entry, folder, day, language))
        except _NoAnswer as error:
            problems.append((place, error.reason))
    return DayOff(next(filter(None, reasons), None), tuple(problems))


def _problem(entry: str) -> Sentence | None:
    """Return what is wrong with how an entry is written, or None.

    A country is looked up where the package that knows them is installed.
    """
    kind = _kind(entry)
    if kind in {_WEEKEND, _CALENDAR}:
        return None
    if kind is None:
        template = N_(
            '{entry} is not known: write "weekend", "holidays:FR" (a country and, where'
            ' it has its own holidays, a region: "holidays:DE-BY") or the path of an'
            " .ics file"
        )
        return Sentence.of(template, entry=entry)
    country, region = _country(entry)
    if not find_spec("holidays"):
        return None
    import holidays  # noqa: PLC0415 - few projects ask

    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        template = N_('there are no holidays of "{country}": write a code such as FR')
        return Sentence.of(template, country=country)
    if region and region not in known[country]:
        template = N_('{country} has no region "{region}"; those known are {names}')
        names = ", ".join(known[country])
        return Sentence.of(template, country=country, region=region, names=names)
    return None


def _reason(entry: str, folder: Path, day: date, language: str) -> Sentence | None:
    kind = _kind(entry)
    if kind == _WEEKEND:
        return Sentence.of(N_("weekend")) if day.weekday() >= _SATURDAY else None
    package = "holidays" if kind == _HOLIDAYS else "recurring_ical_events"
    if not find_spec(package):
        template = N_("{entry} needs the package {package}: {command}")
        command = extra_command("calendar")
        raise _NoAnswer(
            Sentence.of(template, entry=entry, package=package, command=command)
        )
    if kind == _HOLIDAYS:
        return _holiday(entry, day, language)
    return _event(absolute(folder / entry), day)


def _kind(entry: str) -> str | None:
    """Return which kind of days an entry means; None if that is not known."""
    entry = entry.lower()
    if entry == _WEEKEND:
        return _WEEKEND
    if entry.startswith(_HOLIDAYS):
        return _HOLIDAYS
    return _CALENDAR if entry.endswith(_CALENDAR) else None


def _country(entry: str) -> tuple[str, str | None]:
    """Return the country of ``holidays:FR-57``, and the region or None."""
    country, _dash, region = entry[len(_HOLIDAYS) :].partition("-")
    return country.strip().upper(), region.strip() or None


def _holiday(entry: str, day: date, language: str) -> Sentence | None:
    import holidays  # noqa: PLC0415 - few projects ask

    country, region = _country(entry)
    found = holidays.country_holidays(
        country, subdiv=region, years=day.year, language=language
    )
    if name := found.get(day):
        return Sentence.of(N_("public holiday ({name})"), name=flat(name))
    return None


def _event(path: Path, day: date) -> Sentence | None:
    """Return the event of a calendar file that takes all of a day, or None."""
    import recurring_ical_events  # noqa: PLC0415 - few projects ask
    from icalendar import Calendar  # noqa: PLC0415

    try:
        calendars = Calendar.from_ical(read_regular(path, _LONGEST), multiple=True)
        events = [
            event
            for calendar in calendars
            for event in recurring_ical_events.of(calendar).at(day)
            if _takes(event, day)
        ]
    except OSError as error:
        raise _unread(path, system_error(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever a parser makes of such a file
        raise _unread(path, flat(str(error)) or type(error).__name__) from None
    if not calendars:
        raise _unread(path, Sentence.of(N_("it holds no calendar")))
    if not events:
        return None
    name = flat(str(events[0].get("SUMMARY") or "")) or path.name
    return Sentence.of(N_("{event} ({file})"), event=name, file=path.name)


def _unread(path: Path, reason: Sentence | str) -> _NoAnswer:
    template = N_("{file} cannot be read: {error}")
    return _NoAnswer(Sentence.of(template, file=str(path), error=reason))


def _takes(event: Any, day: date) -> bool:
    """Say whether an event that takes place on a day lasts all of it."""
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return False
    if not isinstance(event.start, datetime):
        return True
    midnight = datetime(day.year, day.month, day.day).astimezone()
    tomorrow = day + timedelta(days=1)
    end = datetime(tomorrow.year, tomorrow.month, tomorrow.day).astimezone()
    # A moment without a zone is one of the local time.
    return bool(event.start.astimezone() <= midnight and event.end.astimezone() >= end)
