"""What a run comes down to, in words: what failed, why, where, and how many did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Comparison, Outcome, RunStatus
from python_runner.report.comparison import history
from python_runner.texts.sanitize import clean, flat, one_line
from python_runner.texts.sentence import after_word
from python_runner.tracebacks.names import short_exception


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Run, ScriptResult, Traceback
    from python_runner.texts.formats import Formats

#: Characters of a name, an exception or any other thing that takes one line.
LINE = 200
#: Characters of what went wrong where the whole of it stands elsewhere: two lines, or
#: three of a telephone.
BRIEF = 120
#: Characters of the sentence at the top: of its cause, and of a script's name.
_CAUSE, _NAME = 160, 60
#: Characters of a hint: a sentence, with a path or a command in it.
_HINT = 600

#: In which order it is told how many scripts ended how.
_TOLD = (
    Outcome.FAILURE,
    Outcome.TIMEOUT,
    Outcome.NOT_STARTED,
    Outcome.INTERRUPTED,
    Outcome.STOPPED,
    Outcome.SKIPPED,
)
#: The outcome that the first screen is about, where the run was not left to its end.
_CUT_SHORT = {
    RunStatus.STOPPED: Outcome.STOPPED,
    RunStatus.INTERRUPTED: Outcome.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a report says first; empty strings are left out.

    Attributes:
        title: how the run ended, and the script that is to blame:
            ``Failed: import.py and 2 others``.
        cause: what went wrong, one line.
        place: where that was, and whether it is new.
        counts: ``3 of 30 scripts failed, 4 skipped``.
    """

    title: str
    cause: str
    place: str
    counts: str


def summary(
    run: Run, comparisons: Mapping[str, Comparison], formats: Formats
) -> Summary:
    """Return what a report of ``run`` says first."""
    to_blame = blamed(run)
    recovered = recoveries(run, comparisons)
    status = formats.gettext(run.status.word).capitalize()
    cause, places = "", []
    if run.status is RunStatus.SUCCESS and run.unusual_scripts:
        status = formats.gettext("Unusual")
        to_blame = run.unusual_scripts
        # The row of the script says all of them.
        cause = one_line(unusual_reasons(to_blame[0], formats)[0], _CAUSE)
    elif run.status is RunStatus.SUCCESS and recovered:
        status = formats.gettext("Recovered")
        to_blame = tuple(r for r in run.scripts if r.script in recovered)
        cause = history(recovered[to_blame[0].script], formats)
    elif to_blame:
        cause = one_line(headline(to_blame[0], formats), _CAUSE)
        if after_word(cause, formats.gettext(run.status.word)) is not None:
            # The title has said it.
            cause = ""
        compared = comparisons.get(to_blame[0].script, Comparison())
        places = [
            place(to_blame[0].last_traceback, formats),
            history(compared, formats),
        ]
    elif len(said := clean(formats.say(run.error)).strip()) <= LINE:
        # Several problems, one a line, are more than a sentence at the top can say.
        cause = "" if "\n" in said else said
    return Summary(
        title=_title(status, to_blame, formats),
        cause=cause,
        place=" · ".join(filter(None, places)),
        counts=_counts(run, to_blame, formats),
    )


def blamed(run: Run) -> tuple[ScriptResult, ...]:
    """Return the scripts that the run's end is about; none where it never began."""
    if outcome := _CUT_SHORT.get(run.status):
        return tuple(r for r in run.scripts if r.outcome is outcome)
    return own_failures(run) if run.status is RunStatus.FAILURE else ()


def _counts(run: Run, to_blame: tuple[ScriptResult, ...], formats: Formats) -> str:
    """Return how many scripts ended how; how the only one did, the title has said."""
    if not run.scripts:
        return ""
    if to_blame and len(run.scripts) == 1:
        return _scripts(1, 1, formats)
    return counts(run, formats)


def _title(status: str, to_blame: tuple[ScriptResult, ...], formats: Formats) -> str:
    if not to_blame:
        return status
    script, others = shortened(to_blame[0].script, _NAME), len(to_blame) - 1
    if not others:
        template = formats.gettext("{status}: {script}")
        return template.format(status=status, script=script)
    template = formats.ngettext(
        "{status}: {script} and {count} other",
        "{status}: {script} and {count} others",
        others,
    )
    return template.format(status=status, script=script, count=formats.number(others))


def counts(run: Run, formats: Formats) -> str:
    """Return how many scripts ended how: ``2 of 5 scripts failed, 1 skipped``."""
    total = len(run.scripts)
    tally = ((o, sum(r.outcome is o for r in run.scripts)) for o in _TOLD)
    bad = [(outcome, count) for outcome, count in tally if count]
    if not bad:
        return _scripts(total, total, formats)
    (first, count), *rest = bad
    parts = [counted(first, count, _scripts(count, total, formats), formats)]
    parts += [counted(o, n, formats.number(n), formats) for o, n in rest]
    return ", ".join(parts)


def others(outcome: Outcome, count: int, formats: Formats) -> str:
    """Return ``29 others succeeded``."""
    template = formats.ngettext("{count} other", "{count} others", count)
    scripts = template.format(count=formats.number(count))
    return counted(outcome, count, scripts, formats)


def counted(outcome: Outcome, count: int, scripts: str, formats: Formats) -> str:
    """Return that ``scripts``, which are ``count``, ended so.

    They are ``1 of 3 scripts``, ``29 others``, or a number.
    """
    ngettext = formats.ngettext
    words = {
        Outcome.FAILURE: ngettext("{scripts} failed", "{scripts} failed", count),
        Outcome.TIMEOUT: ngettext("{scripts} timed out", "{scripts} timed out", count),
        Outcome.NOT_STARTED: ngettext(
            "{scripts} not started", "{scripts} not started", count
        ),
        Outcome.INTERRUPTED: ngettext(
            "{scripts} interrupted", "{scripts} interrupted", count
        ),
        Outcome.STOPPED: ngettext("{scripts} stopped", "{scripts} stopped", count),
        Outcome.SKIPPED: ngettext("{scripts} skipped", "{scripts} skipped", count),
        Outcome.SUCCESS: ngettext("{scripts} succeeded", "{scripts} succeeded", count),
    }
    return words[outcome].format(scripts=scripts)


def _scripts(count: int, total: int, formats: Formats) -> str:
    """Return ``3 scripts`` for all of a successful run, else ``1 of 3 scripts``."""
    if count == total:
        template = formats.ngettext("{count} script", "{count} scripts", total)
        return template.format(count=formats.number(total))
    template = formats.ngettext(
        "{count} of {total} scripts", "{count} of {total} scripts", count
    )
    return template.format(count=formats.number(count), total=formats.number(total))


def own_failures(run: Run) -> tuple[ScriptResult, ...]:
    """Return the scripts that failed themselves, else those skipped for others."""
    failed = run.failed_scripts
    return tuple(r for r in failed if r.outcome is not Outcome.SKIPPED) or failed


def recoveries(
    run: Run, comparisons: Mapping[str, Comparison]
) -> dict[str, Comparison]:
    """Return the scripts that succeed again, with their comparisons."""
    found = {r.script: comparisons.get(r.script) for r in run.scripts}
    return {name: c for name, c in found.items() if c and c.recovered}


def headline(result: ScriptResult, formats: Formats) -> str:
    """Return what went wrong in one line: the exception, else the reason."""
    if result.ended_by:
        return one_line(short_exception(result.ended_by), LINE)
    if result.reason:
        return one_line(formats.say(result.reason), LINE)
    return formats.gettext(result.outcome.word)


def hint_words(result: ScriptResult, formats: Formats) -> str:
    """Return what to do about a failure in one line; nothing where that is not known."""
    if result.hint is None:
        return ""
    words = formats.gettext("Hint: {hint}")
    # Its no-break spaces stay.
    said = flat(formats.say(result.hint))
    said = said if len(said) <= _HINT else f"{said[: _HINT - 1].rstrip()}…"
    return words.format(hint=said)


def unusual_reasons(result: ScriptResult, formats: Formats) -> tuple[str, ...]:
    """Return why a success is unusual, a line each; nothing where it is not."""
    return tuple(one_line(formats.say(reason), LINE) for reason in result.unusual)


def outcome_and_why(result: ScriptResult, formats: Formats) -> tuple[str, str]:
    """Return the word for an outcome, and apart from it why it is not a success.

    A reason that begins with the word, as ``timed out after 45 s``, stands for both.
    """
    word, reason = formats.gettext(result.outcome.word), headline(result, formats)
    # That of a failure may be the script's own sentence.
    own = result.outcome is Outcome.FAILURE
    if result.succeeded or own or after_word(reason, word) is None:
        return word, "" if result.succeeded else reason
    return reason, ""


def place(traceback: Traceback | None, formats: Formats) -> str:
    """Return where in the project it happened: the line that its owner can mend."""
    if traceback is None or not traceback.file:
        return ""
    file, line = one_line(traceback.file, LINE), traceback.line
    function = one_line(traceback.function or "", LINE)
    if line is None:
        return file
    # Names such as <module> and <genexpr> are Python's, and mean nothing to a reader.
    template = formats.gettext("{file}, line {line}, in {function}")
    if not function or function.startswith("<"):
        template = formats.gettext("{file}, line {line}")
    return template.format(file=file, line=line, function=function)


def shortened(name: str, limit: int) -> str:
    """Return a name without its middle where it is longer: names differ at the ends."""
    name = one_line(name, len(name))
    if len(name) <= limit:
        return name
    head, tail = limit // 2, limit - limit // 2 - 1
    return f"{name[:head].rstrip()}…{name[-tail:].lstrip()}"
