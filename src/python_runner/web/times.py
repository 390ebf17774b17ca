"""Moments on pages: a browser shows them in its own zone, and lets them tick.

Without scripts they are in the zone of this computer, and say which one that is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from datetime import datetime

    from python_runner.texts.formats import Formats

_DAYS = (
    N_("Mon"),
    N_("Tue"),
    N_("Wed"),
    N_("Thu"),
    N_("Fri"),
    N_("Sat"),
    N_("Sun"),
)
_MONTHS = (
    N_("Jan"),
    N_("Feb"),
    N_("Mar"),
    N_("Apr"),
    N_("May"),
    N_("Jun"),
    N_("Jul"),
    N_("Aug"),
    N_("Sep"),
    N_("Oct"),
    N_("Nov"),
    N_("Dec"),
)
#: Days for which the day of the week says enough.
_NEAR = 7


def zone_of(moment: datetime) -> str:
    """Return what the zone of this computer is called then: ``CET``, ``UTC+03:00``."""
    local = moment.astimezone()
    name = local.tzname() or ""
    # Windows has whole sentences, and some zones have a number for a name.
    if name.isascii() and name.isalpha() and len(name) <= len("ABCDE"):
        return name
    ahead = f"{local:%z}"
    return f"UTC{ahead[:3]}:{ahead[3:5]}"


def spoken(moment: datetime, now: datetime, formats: Formats) -> str:
    """Return a moment as people say it: ``today 06:00``, ``Mon 23 Nov 06:00``."""
    local, today = moment.astimezone(), now.astimezone().date()
    time, _ = f"{local:%H:%M}", formats.gettext
    if local.date() == today:
        return _("today {time}").format(time=time)
    if local.date() == today - timedelta(days=1):
        return _("yesterday {time}").format(time=time)
    return f"{day_of(moment, now, formats)} {time}"


def day_of(moment: datetime, now: datetime, formats: Formats) -> str:
    """Return the day of a moment: ``Mon 23 Nov``, with the year where it is another."""
    local, _ = moment.astimezone(), formats.gettext
    words = [_(_DAYS[local.weekday()]), str(local.day), _(_MONTHS[local.month - 1])]
    if local.year != now.astimezone().year:
        words.append(str(local.year))
    return " ".join(words)


def moment(when: datetime, now: datetime, formats: Formats) -> Markup:
    """Return the element for a moment: ``today 06:00``."""
    zone = zone_of(when)
    said = f"{spoken(when, now, formats)} {zone}"
    return _element(when, "moment", said, formats)


def day(when: datetime, now: datetime, formats: Formats) -> Markup:
    """Return the element for the day of a moment."""
    return _element(when, "day", day_of(when, now, formats), formats)


def ago(when: datetime, now: datetime, formats: Formats) -> Markup:
    """Return the element for how long ago a moment was; it ticks."""
    seconds = max(0.0, (now - when).total_seconds())
    said = formats.gettext("{duration} ago").format(
        duration=formats.whole_duration(seconds)
    )
    return _element(when, "ago", said, formats)


def lasting(since: datetime, now: datetime, formats: Formats) -> Markup:
    """Return the element for how long something has lasted; it ticks."""
    seconds = max(0.0, (now - since).total_seconds())
    return _element(since, "lasting", formats.whole_duration(seconds), formats)


def sentence(template: str, **values: object) -> Markup:
    """Return a sentence whose values may be elements; all else is escaped."""
    return escape(template).format(**values)


def _element(when: datetime, form: str, said: str, formats: Formats) -> Markup:
    local = when.astimezone()
    title = f"{formats.moment(when)} {zone_of(when)}"
    template = Markup(
        '<time datetime="{iso}" title="{title}" data-as="{form}">{said}</time>'
    )
    iso = local.isoformat(timespec="seconds")
    return template.format(iso=iso, title=title, form=form, said=said)
