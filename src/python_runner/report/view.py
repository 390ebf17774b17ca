"""The view of a run: all that a report shows, in words, bounded and safe to show.

All decisions about content are made here; the templates only arrange it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_runner.model import Comparison, Outcome, RunStatus
from python_runner.policy import reported_scripts
from python_runner.report.comparison import (
    history,
    recurrence,
    unusual_duration,
    usual_duration,
)
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, cut_middle, one_line
from python_runner.tracebacks.excerpt import excerpt, fold_repeated_lines
from python_runner.tracebacks.names import short_exception


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from python_runner.model import EmailStrategy, Run, ScriptResult, Traceback
    from python_runner.texts.sentence import Sentence

#: Characters of a name, an exception or any other thing that takes one line.
LINE = 200
#: Characters of a sentence: a reason, a warning.
SENTENCE = 2000
#: Lines shown of the end of an output that is attached as well.
TAIL_LINES = 20
#: Characters of what went wrong, in the list of the scripts.
_BRIEF = 120
#: Warnings shown; nobody reads more.
WARNINGS = 20

_HAS_FRAMES = re.compile(
    'File "|[╭+]──|Traceback \\(|Fatal Python error: |Windows fatal exception: '
)
#: These three choose the colour; the word beside it says the same without colour.
GOOD, BAD, IDLE = "good", "bad", "idle"
_MARKS = {GOOD: "✔", BAD: "✖", IDLE: "○"}
_KINDS = {
    Outcome.SUCCESS: GOOD,
    Outcome.SKIPPED: IDLE,
    RunStatus.SUCCESS: GOOD,
    RunStatus.SKIPPED: IDLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptView:
    """One script as a report shows it; empty strings are left out."""

    name: str
    kind: str
    mark: str
    word: str
    duration: str
    attempts: int
    failed: bool
    exception: str
    place: str
    reason: str
    brief: str
    traceback: str
    traceback_title: str
    tail: str
    tail_title: str
    output: str
    attached: bool
    usual: str
    unusual: str
    recurrence: str
    history: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run as a report shows it; ``hidden`` scripts are only counted.

    Attributes:
        failures: the scripts whose failure is shown in detail.
        rest_attached: whether the report is shortened, and the whole goes with it.
        attached: names of the scripts whose output goes with it.
        facts: label and value, in the order shown.
    """

    project: str
    kind: str
    mark: str
    status: str
    counts: str
    error: str
    warnings: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    scripts: tuple[ScriptView, ...]
    failures: tuple[ScriptView, ...]
    hidden: int
    attached: tuple[str, ...]
    rest_attached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a report may show.

    Attributes:
        details: bytes of traceback and output of each script.
        scripts: scripts that it names.
        failures: scripts whose failure it shows in detail.
        sentence: characters of a sentence: a reason, a warning.
        warnings: warnings of the run, and of each script.
    """

    details: int
    scripts: int
    failures: int = 1_000_000
    sentence: int = SENTENCE
    warnings: int = WARNINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """What a report is made from, beside the run.

    Attributes:
        strategy: which scripts are named: all, or those that did not succeed.
        language: ``fr`` or ``en``.
        tails: the end of the output, by name of script.
        partial: scripts whose output is longer than that.
        attach: whether the output of scripts in ``tails`` can be attached to the report,
            where the report shows only a part of it.
        comparisons: how scripts compare with their past, by name.
        host: the computer that ran it.
        log: the project's log.
    """

    strategy: EmailStrategy
    language: str
    tails: Mapping[str, str] = field(default_factory=dict)
    partial: Collection[str] = ()
    attach: bool = False
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    host: str = ""
    log: Path | None = None


def view_run(run: Run, context: ReportContext, limits: Limits) -> RunView:
    """Return the view of ``run``."""
    formats = Formats(context.language)
    _ = formats.gettext
    named = reported_scripts(run, context.strategy)
    shown = _most_important(named, limits.scripts)
    views = [_view_script(run, result, context, limits) for result in shown]
    kind = _KINDS.get(run.status, BAD)
    status = _(run.status.word).capitalize()
    if run.status is RunStatus.SUCCESS and recoveries(run, context.comparisons):
        status = _("Recovered")
    log = one_line(str(context.log), limits.sentence) if context.log else ""
    failures = tuple(v for v in views if v.failed and v.kind != IDLE)
    hidden = len(named) - len(shown)
    facts = (
        (_("Start"), formats.moment(run.started_at)),
        (_("Duration"), formats.duration(run.duration)),
        (_("Computer"), one_line(context.host, LINE)),
        (_("Folder"), one_line(str(run.path), limits.sentence)),
        (_("Log"), log),
        (_("Run"), one_line(run.run_id, LINE)),
    )
    return RunView(
        project=one_line(run.project, LINE),
        kind=kind,
        mark=_MARKS[kind],
        status=status,
        counts=counts(run, formats),
        error=_sentence(run.error, formats, limits),
        warnings=_sentences(run.warnings, formats, limits),
        facts=tuple((label, value) for label, value in facts if value),
        scripts=tuple(views),
        failures=failures[: limits.failures],
        hidden=hidden,
        attached=tuple(
            r.script for r, view in zip(shown, views, strict=True) if view.attached
        ),
        rest_attached=context.attach
        and (
            hidden > 0
            or len(failures) > limits.failures
            or limits.sentence < SENTENCE
            or limits.warnings < WARNINGS
        ),
    )


def counts(run: Run, formats: Formats) -> str:
    """Return how many scripts ended how: ``5 scripts, 3 succeeded, 2 failed``."""
    ngettext = formats.ngettext
    total, bad = len(run.scripts), len(run.failed_scripts)
    good = total - bad
    scripts = ngettext("{count} script", "{count} scripts", total)
    parts = [scripts.format(count=formats.number(total))]
    if bad and good:
        succeeded = ngettext("{count} succeeded", "{count} succeeded", good)
        parts.append(succeeded.format(count=formats.number(good)))
    if bad:
        not_good = ngettext("{count} did not succeed", "{count} did not succeed", bad)
        parts.append(not_good.format(count=formats.number(bad)))
    return ", ".join(parts)


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


def _most_important(
    results: Sequence[ScriptResult], limit: int
) -> Sequence[ScriptResult]:
    """Return ``limit`` results: failures, what was skipped for them, then the others."""

    def weight(result: ScriptResult) -> tuple[bool, bool, int]:
        return result.succeeded, result.outcome is Outcome.SKIPPED, result.number

    return sorted(results, key=weight)[:limit]


def _view_script(
    run: Run, result: ScriptResult, context: ReportContext, limits: Limits
) -> ScriptView:
    formats = Formats(context.language)
    kind = _KINDS.get(result.outcome, BAD)
    failed = not result.succeeded
    traceback = result.last_traceback if failed else None
    details = _details(run, result, context, limits.details)
    comparison = context.comparisons.get(result.script, Comparison())
    return ScriptView(
        name=one_line(result.script, LINE),
        kind=kind,
        mark=_MARKS[kind],
        word=formats.gettext(result.outcome.word),
        duration=formats.duration(result.duration) if result.attempts else "",
        attempts=len(result.attempts),
        failed=failed,
        exception=one_line(result.ended_by or "", limits.sentence),
        place=_place(traceback, formats),
        reason=_sentence(result.reason, formats, limits) if failed else "",
        brief=_brief(result, traceback, formats) if failed and kind != IDLE else "",
        traceback=details.trace,
        traceback_title=details.trace_title,
        tail=details.tail,
        tail_title=details.tail_title,
        output=one_line(str(result.output), limits.sentence) if result.output else "",
        attached=context.attach
        and not details.whole
        and result.script in context.tails,
        usual=usual_duration(comparison, formats),
        unusual=unusual_duration(comparison, formats),
        recurrence=recurrence(comparison, formats),
        history=history(comparison, formats),
        warnings=_sentences(result.warnings, formats, limits),
    )


@dataclass(frozen=True, slots=True)
class _Details:
    """What a failure says: a traceback, and what the script printed beside it.

    Attributes:
        trace, tail: as they are shown, each with its title.
        whole: whether they are all that the script has printed.
    """

    trace: str = ""
    trace_title: str = ""
    tail: str = ""
    tail_title: str = ""
    whole: bool = True


def _details(
    run: Run, result: ScriptResult, context: ReportContext, limit: int
) -> _Details:
    """Return what a report shows of a failure beside its cause."""
    if result.succeeded:
        return _Details()
    _, language = Formats(context.language).gettext, context.language
    traceback = result.last_traceback
    trace = clean(traceback.text).rstrip() if traceback else ""
    tail = clean(context.tails.get(result.script, "")).rstrip()
    tail_title = _("End of the output")
    if (logged := _logged(trace, result)) and logged in tail:
        trace = logged
    if not _HAS_FRAMES.search(trace):
        # The message of sys.exit() is no traceback, but a part of the output.
        told = traceback.exception if traceback else ""
        trace = "" if trace in tail or trace == told else trace
    elif trace in tail:
        # The report shows it above the output, and need not show it twice.
        before, _found, after = tail.rpartition(trace)
        tail = before.rstrip()
        tail_title = _("Output before the traceback")
        if after.strip():
            above = _("[the traceback above]")
            tail = f"{tail}\n{above}\n{after.strip()}"
            tail_title = _("End of the output")
    tail = tail.strip("\n")
    # Bounded first: what is folded afterwards never grows.
    kept_trace = cut_middle(trace, limit, language)
    room = max(limit - len(kept_trace.encode()), limit // 4)
    kept_tail = cut_middle(tail, room, language)
    shown_trace = excerpt(kept_trace, str(run.path), language)
    shown_tail = fold_repeated_lines(kept_tail, language)
    last_lines = shown_tail
    if context.attach and result.script in context.tails:
        last_lines = "\n".join(shown_tail.split("\n")[-TAIL_LINES:])
    whole = (kept_trace, kept_tail, shown_tail) == (trace, tail, last_lines)
    return _Details(
        trace=shown_trace.strip("\n"),
        trace_title=_trace_title(result, trace, context.language),
        tail=last_lines,
        tail_title=tail_title,
        whole=whole and result.script not in context.partial,
    )


def _logged(trace: str, result: ScriptResult) -> str:
    """Return the error that a script logged, without what it printed afterwards."""
    told = str(result.reason.values.get("logged", "")) if result.reason else ""
    lines = trace.split("\n")
    words = told.rstrip("…").rstrip()
    ends = [n for n, line in enumerate(lines, 1) if words and words in line]
    return "\n".join(lines[: ends[0]]) if ends else ""


def _trace_title(result: ScriptResult, trace: str, language: str) -> str:
    """Return the heading that says what a traceback is, or the message of an exit."""
    _ = Formats(language).gettext
    if result.ended_by and trace.lstrip().startswith(result.ended_by):
        return _("Message")
    told = result.reason.values if result.reason else {}
    if "background" in told and not result.ended_by:
        return _("Error in the background")
    if "logged" in told or not result.ended_by:
        return _("Logged before the end")
    return _("Traceback")


def _brief(result: ScriptResult, traceback: Traceback | None, formats: Formats) -> str:
    """Return what went wrong, and where, as the list of the scripts shows it."""
    said = one_line(headline(result, formats), _BRIEF)
    if traceback is None or not traceback.file:
        return said
    return f"{said} ({one_line(traceback.file, _BRIEF)}:{traceback.line})"


def _place(traceback: Traceback | None, formats: Formats) -> str:
    """Return where in the project it happened: the line that its owner can mend."""
    if traceback is None or not traceback.file:
        return ""
    file, line = one_line(traceback.file, LINE), traceback.line
    function = one_line(traceback.function or "", LINE)
    if line is None:
        return file
    # Names such as <module> and <genexpr> are Python's, and mean nothing to a reader.
    place = formats.gettext("{file}, line {line}, in {function}")
    if not function or function.startswith("<"):
        place = formats.gettext("{file}, line {line}")
    return place.format(file=file, line=line, function=function)


def _sentences(
    sentences: Iterable[Sentence], formats: Formats, limits: Limits
) -> tuple[str, ...]:
    """Return each sentence once: several attempts may warn of the same."""
    said = [*dict.fromkeys(_sentence(s, formats, limits) for s in sentences)]
    left = len(said) - limits.warnings
    if left <= 0:
        return tuple(said)
    more = formats.ngettext(
        "and {count} more warning", "and {count} more warnings", left
    )
    return (*said[: limits.warnings], more.format(count=formats.number(left)))


def _sentence(sentence: Sentence | None, formats: Formats, limits: Limits) -> str:
    text = clean(formats.say(sentence)).strip()
    if len(text) <= limits.sentence:
        return text
    return text[: limits.sentence - 1].rstrip() + "…"
