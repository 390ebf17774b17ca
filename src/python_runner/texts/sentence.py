"""Sentences for people, and their translations.

The code is written in English; a catalogue in ``locale/`` holds each other language. The
log is in English and a report is in its recipients' language, so a sentence that both
show travels as a :class:`Sentence`, and is translated when it is shown.
"""

from __future__ import annotations

import gettext
import os
import sys
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "python_runner"
LOCALE_DIR = Path(__file__).parents[1] / "locale"
#: Primary language identifier of French in Windows' LANGID (winnt.h, LANG_FRENCH).
_LANG_FRENCH = 0x0C


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translate this later"
    """Mark a sentence for the catalogues and return it unchanged."""
    return message


def counted(one: str, many: str) -> tuple[str, str]:
    """Mark a sentence about ``{count}`` things for the catalogues: its two forms."""
    return one, many


def system_language(environ: Mapping[str, str] = os.environ) -> str:
    """Return ``fr`` or ``en``: the language of the account that runs the runner.

    The variables are gettext's, in gettext's order. Windows sets none of them; there the
    display language decides.
    """
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(variable):
            return "fr" if value.lower().startswith("fr") else "en"
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - only Windows needs it

        language = ctypes.windll.kernel32.GetUserDefaultUILanguage()
        return "fr" if language & 0x3FF == _LANG_FRENCH else "en"
    return "en"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the translations of ``language``; English is its own translation."""
    return gettext.translation(DOMAIN, LOCALE_DIR, [language], fallback=True)


def translate(message: str) -> str:
    """Return ``message`` in the system's language."""
    return catalogue(system_language()).gettext(message)


def after_word(text: str, word: str) -> str | None:
    """Return what follows ``word`` in ``text``; None where it does not begin with it."""
    if not f"{text} ".startswith(f"{word} "):
        return None
    return text.removeprefix(word).lstrip()


#: Between groups of three digits; French has the narrow no-break space.
_GROUP = {"fr": "\u202f"}


def grouped(digits: str, language: str) -> str:
    """Return a whole number in groups of three digits, as ``language`` writes it."""
    return f"{int(digits):,}".replace(",", _GROUP.get(language, ","))


#: A value of a sentence that is a moment, as the log writes it, and its order elsewhere.
_MOMENT = lazy_pattern(r"(\d{4})-(\d\d)-(\d\d)( \d\d:\d\d(?::\d\d)?)")
_MOMENTS = {"fr": r"\3/\2/\1\4"}
#: And one that is a time span with a fraction.
_SPAN = lazy_pattern(r"(\d+)\.(\d+ (?:s|min|h))")
_SPANS = {"fr": r"\1,\2"}


def _shown(value: object, language: str) -> object:
    """Return a value as a sentence in ``language`` shows it."""
    if isinstance(value, Sentence):
        return value.in_language(language)
    if isinstance(value, str) and language in _MOMENTS:
        value = (
            _MOMENT.sub(_MOMENTS[language], value)
            if _MOMENT.fullmatch(value)
            else value
        )
        value = _SPAN.sub(_SPANS[language], value) if _SPAN.fullmatch(value) else value
    return value


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template and its values, kept apart so that it can be translated for each reader.

    ``template`` is a ``str.format`` template that was marked with :func:`N_`; a value
    may be a ``Sentence`` itself. ``str()`` returns the English sentence, which the log and
    programs read. A value that is a moment, as the log writes it, is written as the
    reader's language does. A sentence about ``{count}`` things has a second template,
    ``plural``; so are its whole numbers.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    plural: str | None = None

    @classmethod
    def of(cls, template: str, /, **values: object) -> Sentence:
        """Return the sentence of a template that was marked with :func:`N_`."""
        return cls(template, values)

    @classmethod
    def about(cls, forms: tuple[str, str], count: int, /, **values: object) -> Sentence:
        """Return the sentence about ``count`` things, of :func:`counted` forms."""
        return cls(forms[0], {"count": count, **values}, forms[1])

    def __str__(self) -> str:
        return self.in_language("en")

    def in_language(self, language: str) -> str:
        """Return the sentence in ``language``."""
        values = {name: _shown(value, language) for name, value in self.values.items()}
        if self.plural is None:
            return catalogue(language).gettext(self.template).format(**values)
        count = values["count"]
        whole = count if isinstance(count, int) else 0
        template = catalogue(language).ngettext(self.template, self.plural, whole)
        for name, value in values.items():
            if type(value) is int:
                values[name] = grouped(str(value), language)
        return template.format(**values)
