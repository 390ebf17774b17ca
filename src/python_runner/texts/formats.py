"""Numbers, durations and moments in the reader's language.

Written by hand because the standard library only knows the locales the machine has, and
the one that does know them all weighs 30 MB; the tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from datetime import datetime

#: Between the groups of three digits; French has the narrow no-break space.
_GROUP = {"fr": "\u202f"}
_DECIMAL = {"fr": ","}
#: Seconds, minutes, hours, days, each with the space that goes before it.
_UNITS = {
    "en": (" s", " min", " h", " d"),
    "fr": ("\u202fs", "\u00a0min", "\u202fh", "\u202fj"),
}
_DATES = {"fr": "%d/%m/%Y"}


def number(value: float, language: str, digits: int = 0) -> str:
    """Return ``value`` with ``digits`` decimals, as ``language`` writes numbers."""
    whole, _, decimals = f"{value:,.{digits}f}".partition(".")
    whole = whole.replace(",", _GROUP.get(language, ","))
    return whole + _DECIMAL.get(language, ".") + decimals if decimals else whole


def duration(seconds: float, language: str) -> str:
    """Return ``seconds`` as people say it: ``0.08 s``, ``8.4 s``, ``2 min 13 s``.

    Two units at most; decimals only below one minute, where they tell something.
    """
    second, minute, hour, day = _UNITS.get(language, _UNITS["en"])
    if seconds < 0.995:  # noqa: PLR2004 - what two decimals still round below 1
        return number(seconds, language, 2) + second
    if seconds < 59.95:  # noqa: PLR2004 - what one decimal still rounds below 60
        return number(seconds, language, 1) + second
    minutes, rest = divmod(round(seconds), 60)
    parts = [
        (number(minutes // 1440, language), day, minutes // 1440),
        (str(minutes // 60 % 24), hour, minutes // 60 % 24),
        (str(minutes % 60), minute, minutes % 60),
        (str(rest), second, rest),
    ]
    first = next(place for place, part in enumerate(parts) if part[2])
    shown = [value + unit for value, unit, size in parts[first : first + 2] if size]
    return " ".join(shown)


def ordinal(count: int, language: str) -> str:
    """Return ``count``, 2 or more, as a place in a row: ``2nd``, ``21st``, ``3e``."""
    if language == "fr":
        return f"{number(count, language)}e"
    teens = count // 10 % 10 == 1
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return number(count, language) + ending


def moment(when: datetime, language: str) -> str:
    """Return ``when`` in local time, to the second."""
    return when.astimezone().strftime(f"{_date(language)} %H:%M:%S")


def minute(when: datetime, language: str) -> str:
    """Return ``when`` in local time, to the minute."""
    return when.astimezone().strftime(f"{_date(language)} %H:%M")


def _date(language: str) -> str:
    return _DATES.get(language, "%Y-%m-%d")
