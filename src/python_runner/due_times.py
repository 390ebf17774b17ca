"""When a project is due: the cron expression of its key ``schedule``.

The library ``cronsim`` follows Debian's cron, also where the clock changes: a fixed time
that a day does not have is due at the next minute that it has, and one that comes twice
is due once. The expression means the local time of this computer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

#: Short forms of crontab, and what the key has instead.
SHORT_FORMS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = 5
_DAY = "day-of-month"
_NO_SUCH_DATE = N_("no day has such a date: {text}")
_FIELD_NAMES = {
    "minute": N_("minute"),
    "hour": N_("hour"),
    _DAY: N_("day of the month"),
    "month": N_("month"),
    "day-of-week": N_("day of the week"),
}


def expression_problem(expression: str) -> Sentence | None:
    """Say what is wrong with a cron expression; None if it is one that becomes due."""
    from cronsim import CronSimError  # noqa: PLC0415 - few projects have a schedule

    text = expression.strip()
    if plain := SHORT_FORMS.get(text.lower()):
        return Sentence.of(N_('write "{plain}" instead'), plain=plain)
    fields = len(text.split())
    if fields != _FIELDS:
        template = N_(
            "a cron expression has five fields (minute, hour, day of the month, month,"
            ' day of the week), such as "0 6 * * 1-5"; this has {fields}: {text}'
        )
        return Sentence.of(template, fields=fields, text=flat(text))
    try:
        found = next(times_after(text, datetime.now().astimezone()), None)
    except CronSimError as error:
        name = str(error).removeprefix("Bad ")
        if name == _DAY and _is_day(text.split()[2]):
            # What is wrong is the day together with the months.
            return Sentence.of(_NO_SUCH_DATE, text=flat(text))
        template = N_("the field {name} cannot be read: {text}")
        return Sentence.of(
            template,
            name=Sentence.of(_FIELD_NAMES.get(name, name)),
            text=flat(text),
        )
    if found is None:
        return Sentence.of(_NO_SUCH_DATE, text=flat(text))
    return None


def _is_day(field: str) -> bool:
    """Say whether a day of the month can be read where the month does not matter."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    try:
        CronSim(f"0 0 {field} * *", datetime.now(UTC))
    except CronSimError:
        return False
    return True


def times_after(
    expression: str, moment: datetime, zone: tzinfo | None = None
) -> Iterator[datetime]:
    """Yield the times after a moment at which an expression is due, first to last.

    Args:
        expression: one that :func:`expression_problem` finds right.
        moment: with a time zone; it is not among the times.
        zone: of the local time; None: this computer's.
    """
    return _times(expression, moment, zone, reverse=False)


def times_before(
    expression: str, moment: datetime, zone: tzinfo | None = None
) -> Iterator[datetime]:
    """Yield the times before a moment at which an expression was due, last to first."""
    return _times(expression, moment, zone, reverse=True)


def local_zone() -> tzinfo:
    """Return the time zone of this computer, with its changes of the clock."""
    from tzlocal import get_localzone  # noqa: PLC0415 - few projects have a schedule

    try:
        return get_localzone()
    # TZ may name a zone that nobody knows; the system then has one of its own.
    except (LookupError, ValueError, OSError):
        return datetime.now().astimezone().tzinfo or UTC


def terms_of(expression: str, not_on: Sequence[str], zone: tzinfo | None = None) -> str:
    """Return what the due times of a project follow from, as one text to compare.

    The zone counts by its distances from UTC: it has several names.
    """
    zone = zone or local_zone()
    hours = [
        datetime(2026, month, 15, 12, tzinfo=zone).strftime("%z") for month in (1, 7)
    ]
    return "\n".join((" ".join(expression.split()), ", ".join(not_on), " ".join(hours)))


def _times(
    expression: str, moment: datetime, zone: tzinfo | None, *, reverse: bool
) -> Iterator[datetime]:
    from cronsim import CronSim  # noqa: PLC0415 - few projects have a schedule

    local = moment.astimezone(zone or local_zone())
    return iter(CronSim(expression, local, reverse=reverse))
