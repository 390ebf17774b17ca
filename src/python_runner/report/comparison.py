"""Words for how a script's result compares with its earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Comparison, Outcome, RunStatus
from python_runner.report.context import Unmailed


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import AlertMemory, Run, Streak
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


def unmailed_words(unmailed: Unmailed | None, formats: Formats) -> str:
    """Return how many failed runs nobody was told of before, or nothing.

    ``the same error in 7 runs since 23 Nov 2026 06:00, of which 6 were not mailed``.
    """
    if unmailed is None:
        return ""
    count, held = formats.number(unmailed.runs), formats.number(unmailed.held)
    moment = formats.minute(unmailed.since)
    if unmailed.ended and unmailed.runs == unmailed.held:
        words = formats.ngettext(
            "{count} failed run before it since {moment}, which was not mailed",
            "{count} failed runs before it since {moment}, none of which was mailed",
            unmailed.runs,
        )
    elif unmailed.ended:
        words = formats.ngettext(
            "{count} failed runs before it since {moment}, of which {held} was not"
            " mailed",
            "{count} failed runs before it since {moment}, of which {held} were not"
            " mailed",
            unmailed.held,
        )
    elif unmailed.same:
        words = formats.ngettext(
            # Two runs at least: this one, and one that was held back.
            "the same error in {count} runs since {moment}, of which {held} was not"
            " mailed",
            "the same error in {count} runs since {moment}, of which {held} were not"
            " mailed",
            unmailed.held,
        )
    else:
        words = formats.ngettext(
            "{count} failed runs in a row since {moment}, of which {held} was not"
            " mailed",
            "{count} failed runs in a row since {moment}, of which {held} were not"
            " mailed",
            unmailed.held,
        )
    return words.format(count=count, moment=moment, held=held)


def unmailed(
    run: Run, memory: AlertMemory, comparisons: Mapping[str, Comparison]
) -> Unmailed | None:
    """Return what a report of ``run`` has to make up for; None for nothing.

    That all of them failed in the same way is known where each of its failures is the
    same as in so many runs before.
    """
    if not memory.untold or memory.since is None:
        return None
    ended = run.status is RunStatus.SUCCESS
    failed = [r for r in run.failed_scripts if r.outcome is not Outcome.SKIPPED]
    rows = [comparisons.get(r.script, Comparison()).same for r in failed]
    same = bool(rows) and all(
        row and (row.since is None or row.count >= memory.failures) for row in rows
    )
    return Unmailed(
        runs=memory.failures + (not ended),
        held=memory.untold,
        since=memory.since,
        same=same,
        ended=ended,
    )


def streak_length(streak: Streak, formats: Formats) -> str:
    """Return how long a streak is: ``3``, or ``50+`` where it may be longer."""
    return formats.number(streak.count) + ("" if streak.since else "+")


def _since(sentence: str, streak: Streak, dated: str, formats: Formats) -> str:
    """Return ``sentence`` with the streak's length and, where known, its first day."""
    sentence = sentence.format(count=streak_length(streak, formats))
    if streak.since is None:
        return sentence
    return dated.format(sentence=sentence, moment=formats.minute(streak.since))
