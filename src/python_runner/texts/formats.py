"""Sentences, numbers, durations and moments as a reader's language writes them.

Written by hand: the standard library knows only the locales that the machine has, and
Babel, which knows all of them, takes 30 MB. The tests compare the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.texts.sentence import catalogue, grouped


if TYPE_CHECKING:
    from datetime import datetime

    from python_runner.texts.sentence import Sentence

_DECIMAL = {"fr": ","}
#: Seconds, minutes, hours, days, each with the space that goes before it.
_UNITS = {
    "en": (" s", " min", " h", " d"),
    "fr": ("\u202fs", "\u00a0min", "\u202fh", "\u202fj"),
}
#: What sizes are counted in, by thousands.
_SIZES = {
    "en": ("B", "kB", "MB", "GB", "TB"),
    "fr": ("o", "ko", "Mo", "Go", "To"),
}
_DATES = {"fr": "%d/%m/%Y"}
_DAYS = {"fr": "%d/%m"}


@dataclass(frozen=True, slots=True)
class Formats:
    """How one language writes things.

    Attributes:
        language: ``fr`` or ``en``.
    """

    language: str

    def gettext(self, message: str) -> str:
        """Return the translation of ``message``."""
        return catalogue(self.language).gettext(message)

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """Return the translation of the form that ``count`` things take."""
        return catalogue(self.language).ngettext(singular, plural, count)

    def say(self, sentence: Sentence | None) -> str:
        """Return a sentence; nothing for None."""
        return sentence.in_language(self.language) if sentence else ""

    def number(self, value: float, digits: int = 0) -> str:
        """Return ``value`` with ``digits`` decimals."""
        whole, _, decimals = f"{value:.{digits}f}".partition(".")
        whole = grouped(whole, self.language)
        return (
            whole + _DECIMAL.get(self.language, ".") + decimals if decimals else whole
        )

    def size(self, count: int) -> str:
        """Return a number of bytes as people say it: ``8 kB``, ``512 MB``, ``1.2 GB``."""
        units = _SIZES.get(self.language, _SIZES["en"])
        power, value = 0, float(count)
        while power < len(units) - 1 and value >= 999.5:  # noqa: PLR2004 - 1000, rounded
            power, value = power + 1, value / 1000
        # One decimal below 10 of a large unit: 1.2 GB differs from 1.8 GB.
        digits = 1 if power > 2 and value < 9.95 else 0  # noqa: PLR2004 - as it says
        return f"{self.number(value, digits)}\u00a0{units[power]}"

    def duration(self, seconds: float) -> str:
        """Return ``seconds`` as people say it: ``0.08 s``, ``8.4 s``, ``2 min 13 s``.

        Two units at most, and decimals only below one minute.
        """
        second, *_ = _UNITS.get(self.language, _UNITS["en"])
        if seconds < 0.995:  # noqa: PLR2004 - what two decimals still round below 1
            return self.number(seconds, 2) + second
        if seconds < 59.95:  # noqa: PLR2004 - what one decimal still rounds below 60
            return self.number(seconds, 1) + second
        return self.whole_duration(seconds)

    def whole_duration(self, seconds: float) -> str:
        """Return ``seconds`` without decimals: ``0 s``, ``8 s``, ``2 min 13 s``."""
        second, minute, hour, day = _UNITS.get(self.language, _UNITS["en"])
        minutes, rest = divmod(round(seconds), 60)
        parts = [
            (self.number(minutes // 1440), day, minutes // 1440),
            (str(minutes // 60 % 24), hour, minutes // 60 % 24),
            (str(minutes % 60), minute, minutes % 60),
            (str(rest), second, rest),
        ]
        first = next((place for place, part in enumerate(parts) if part[2]), 3)
        shown = [value + unit for value, unit, size in parts[first : first + 2] if size]
        return " ".join(shown) or "0" + second

    def ordinal(self, count: int) -> str:
        """Return ``count``, 2 or more, as a place in a row: ``2nd``, ``21st``, ``3e``."""
        if self.language == "fr":
            return f"{self.number(count)}e"
        teens = count // 10 % 10 == 1
        ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
        return self.number(count) + ending

    def moment(self, when: datetime) -> str:
        """Return ``when`` in local time, to the second."""
        return when.astimezone().strftime(f"{self._date} %H:%M:%S")

    def moment_with_zone(self, when: datetime) -> str:
        """Return ``when`` in local time, to the second, and how far that is from UTC."""
        ahead = when.astimezone().strftime("%z")
        zone = "" if int(ahead) == 0 else f"{ahead[:3]}:{ahead[3:5]}"
        return f"{self.moment(when)} (UTC{zone})"

    def minute(self, when: datetime) -> str:
        """Return ``when`` in local time, to the minute."""
        return when.astimezone().strftime(f"{self._date} %H:%M")

    def brief(self, when: datetime, now: datetime) -> str:
        """Return ``when`` as shortly as it is clear ``now``: without today's date."""
        local, today = when.astimezone(), now.astimezone()
        if local.date() == today.date():
            return local.strftime("%H:%M")
        if local.year == today.year:
            return local.strftime(f"{self._day} %H:%M")
        return self.minute(when)

    @property
    def _day(self) -> str:
        return _DAYS.get(self.language, "%m-%d")

    @property
    def _date(self) -> str:
        return _DATES.get(self.language, "%Y-%m-%d")
