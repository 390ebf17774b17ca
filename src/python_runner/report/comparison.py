"""How a script compares with its past, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.texts.formats import duration, minute, number, ordinal
from python_runner.texts.sentence import N_, Sentence, catalogue


if TYPE_CHECKING:
    from python_runner.model import Comparison, Streak


def usual(comparison: Comparison, language: str) -> str:
    """Return how long the script usually takes, or nothing: ``usually 2 min 13 s``."""
    if comparison.usual is None:
        return ""
    values = {"duration": duration(comparison.usual, language)}
    return Sentence(N_("usually {duration}"), values).in_language(language)


def pace(comparison: Comparison, language: str) -> str:
    """Return how far from usual the script was, where that is worth telling."""
    factor = comparison.pace
    if factor is None:
        return ""
    if factor < 1:
        return catalogue(language).gettext("much shorter than usual")
    # 2.4 times and 7.1 times tell something, 3.0 times and 12.3 times do not.
    digits = 0 if factor >= 10 or round(factor, 1) == round(factor) else 1  # noqa: PLR2004
    values = {"factor": number(factor, language, digits)}
    return Sentence(N_("{factor} times as long as usual"), values).in_language(language)


def novelty(comparison: Comparison, language: str) -> str:
    """Return in one or two words what is new about a failure: ``new``, ``3rd time``."""
    if comparison.new:
        return catalogue(language).gettext("new")
    if comparison.same and comparison.same.since:
        values = {"ordinal": ordinal(comparison.same.count + 1, language)}
        return Sentence(N_("{ordinal} time"), values).in_language(language)
    if comparison.same or comparison.last_seen:
        return catalogue(language).gettext("again")
    return ""


def history(comparison: Comparison, language: str) -> str:
    """Return in one sentence what is new about a failure, or what a success ends."""
    _, ngettext = catalogue(language).gettext, catalogue(language).ngettext
    if comparison.new:
        return _("new error")
    if comparison.last_seen:
        return Sentence.of(
            N_("seen before, last on {moment}"),
            moment=minute(comparison.last_seen, language),
        ).in_language(language)
    if same := comparison.same:
        sentence = _("same error as in the {count} runs before")
        if same.count == 1:
            sentence = _("same error as in the run before")
        return _told(sentence, same, N_("{sentence}, first seen on {moment}"), language)
    if recovered := comparison.recovered:
        sentence = ngettext(
            "recovered after {count} failure",
            "recovered after {count} failures",
            recovered.count,
        )
        template = N_("{sentence}, the first on {moment}")
        return _told(sentence, recovered, template, language)
    return ""


def times(streak: Streak, language: str) -> str:
    """Return how many there were: ``3``, or ``50+`` where there may be more."""
    return number(streak.count, language) + ("" if streak.since else "+")


def _told(sentence: str, streak: Streak, template: str, language: str) -> str:
    sentence = sentence.format(count=times(streak, language))
    if streak.since is None:
        return sentence
    return Sentence.of(
        template, sentence=sentence, moment=minute(streak.since, language)
    ).in_language(language)
