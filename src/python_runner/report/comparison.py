"""Words for how a script's result compares with its earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from python_runner.model import Comparison, Streak
    from python_runner.texts.formats import Formats


def usual_duration(comparison: Comparison, formats: Formats) -> str:
    """Return how long the script usually takes, or nothing: ``usually 2 min 13 s``."""
    if comparison.usual is None:
        return ""
    duration = formats.duration(comparison.usual)
    return formats.gettext("usually {duration}").format(duration=duration)


def recurrence(comparison: Comparison, formats: Formats) -> str:
    """Return in one or two words that a script failed so before: ``3rd time``."""
    if comparison.same and comparison.same.since:
        ordinal = formats.ordinal(comparison.same.count + 1)
        return formats.gettext("{ordinal} time").format(ordinal=ordinal)
    if comparison.same or comparison.last_seen:
        return formats.gettext("again")
    return ""


def history(comparison: Comparison, formats: Formats) -> str:
    """Return in one sentence whether a failure is new, or which failures have ended."""
    if comparison.new:
        return formats.gettext("new error")
    if comparison.last_seen:
        moment = formats.minute(comparison.last_seen)
        return formats.gettext("seen before, last on {moment}").format(moment=moment)
    if same := comparison.same:
        sentence = formats.ngettext(
            "same error as in the run before",
            "same error as in the {count} runs before",
            same.count,
        )
        dated = formats.gettext("{sentence}, first seen on {moment}")
        return _since(sentence, same, dated, formats)
    if recovered := comparison.recovered:
        sentence = formats.ngettext(
            "recovered after {count} failure",
            "recovered after {count} failures",
            recovered.count,
        )
        dated = formats.gettext("{sentence}, the first on {moment}")
        return _since(sentence, recovered, dated, formats)
    return ""


def streak_length(streak: Streak, formats: Formats) -> str:
    """Return how long a streak is: ``3``, or ``50+`` where it may be longer."""
    return formats.number(streak.count) + ("" if streak.since else "+")


def _since(sentence: str, streak: Streak, dated: str, formats: Formats) -> str:
    """Return ``sentence`` with the streak's length and, where known, its first day."""
    sentence = sentence.format(count=streak_length(streak, formats))
    if streak.since is None:
        return sentence
    return dated.format(sentence=sentence, moment=formats.minute(streak.since))
