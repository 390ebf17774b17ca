"""What a report shows: the facts of a run, worded, bounded and made harmless.

The templates only lay out; every choice about content is made here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_runner.model import Comparison, Outcome, RunStatus
from python_runner.policy import reported_scripts
from python_runner.report.comparison import history, novelty, pace, usual
from python_runner.texts.formats import duration, moment, number
from python_runner.texts.sanitize import clean, cut_middle, one_line
from python_runner.texts.sentence import N_, Sentence, catalogue


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from python_runner.model import EmailStrategy, Run, ScriptResult, Traceback

#: Characters of a name, an exception or any other thing that takes one line.
LINE = 200
#: Characters of a sentence: a reason, a warning.
SENTENCE = 2000
#: Warnings shown; more of them are no longer read.
WARNINGS = 20

OUTCOMES = {
    Outcome.SUCCESS: N_("succeeded"),
    Outcome.FAILURE: N_("failed"),
    Outcome.TIMEOUT: N_("timed out"),
    Outcome.STOPPED: N_("stopped"),
    Outcome.SKIPPED: N_("skipped"),
    Outcome.INTERRUPTED: N_("interrupted"),
    Outcome.NOT_STARTED: N_("not started"),
}
STATUSES = {
    RunStatus.SUCCESS: N_("Succeeded"),
    RunStatus.FAILURE: N_("Failed"),
    RunStatus.STOPPED: N_("Stopped"),
    RunStatus.INTERRUPTED: N_("Interrupted"),
    RunStatus.SKIPPED: N_("Skipped"),
    RunStatus.NOT_STARTED: N_("Not started"),
}
_HAS_FRAMES = re.compile(
    'File "|Traceback \\(|Fatal Python error: |Windows fatal exception: '
)
#: Colours are chosen by these three; the word beside them says it without colour.
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
    traceback: str
    tail: str
    output: str
    attached: bool
    usual: str
    pace: str
    novelty: str
    history: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run as a report shows it.

    Attributes:
        scripts: those the report names, at most as many as it has room for.
        hidden: how many more it would name.
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
    hidden: int
    attached: tuple[str, ...]

    @property
    def failures(self) -> tuple[ScriptView, ...]:
        """The scripts whose failure is told at length."""
        return tuple(s for s in self.scripts if s.failed and s.kind != IDLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a report may show.

    Attributes:
        details: bytes of traceback and output together, per script.
        scripts: how many scripts are named.
    """

    details: int
    scripts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a report tells beside the run itself, by name of script.

    Attributes:
        tails: the end of the output.
        partial: scripts whose output is longer than that.
        attach: whether the outputs can go with the report.
        comparisons: how scripts compare with their past.
    """

    tails: Mapping[str, str]
    partial: Collection[str]
    attach: bool
    comparisons: Mapping[str, Comparison]


def view_run(
    run: Run,
    *,
    strategy: EmailStrategy,
    language: str,
    material: Material,
    host: str,
    log: Path | None,
    bounds: Bounds,
) -> RunView:
    """Word everything a report of ``run`` shows."""
    _ = catalogue(language).gettext
    named = reported_scripts(run, strategy)
    shown = _most_important(named, bounds.scripts)
    views = {r.script: _view_script(r, language, material, bounds) for r in shown}
    kind = _KINDS.get(run.status, BAD)
    status = STATUSES[run.status]
    if run.status is RunStatus.SUCCESS and recoveries(run, material.comparisons):
        status = N_("Recovered")
    facts = (
        (_("Start"), moment(run.started_at, language)),
        (_("Duration"), duration(run.duration, language)),
        (_("Computer"), one_line(host, LINE)),
        (_("Folder"), one_line(str(run.path), SENTENCE)),
        (_("Log"), one_line(str(log), SENTENCE) if log else ""),
        (_("Run"), one_line(run.run_id, LINE)),
    )
    return RunView(
        project=one_line(run.project, LINE),
        kind=kind,
        mark=_MARKS[kind],
        status=_(status),
        counts=counts(run, language),
        error=_sentence(run.error, language),
        warnings=_sentences(run.warnings, language),
        facts=tuple((label, value) for label, value in facts if value),
        scripts=tuple(views.values()),
        hidden=len(named) - len(shown),
        attached=tuple(name for name, view in views.items() if view.attached),
    )


def counts(run: Run, language: str) -> str:
    """Return how many scripts ended how: ``5 scripts, 3 succeeded, 2 failed``."""
    ngettext = catalogue(language).ngettext
    total, bad = len(run.scripts), len(run.failed_scripts)
    scripts = ngettext("{count} script", "{count} scripts", total)
    parts = [scripts.format(count=number(total, language))]
    if bad and total > bad:
        good = ngettext("{count} succeeded", "{count} succeeded", total - bad)
        parts.append(good.format(count=number(total - bad, language)))
    if bad:
        not_good = ngettext("{count} did not succeed", "{count} did not succeed", bad)
        parts.append(not_good.format(count=number(bad, language)))
    return ", ".join(parts)


def own_failures(run: Run) -> tuple[ScriptResult, ...]:
    """Return the scripts that failed by themselves, else those given up for others."""
    failed = run.failed_scripts
    return tuple(r for r in failed if r.outcome is not Outcome.SKIPPED) or failed


def recoveries(
    run: Run, comparisons: Mapping[str, Comparison]
) -> dict[str, Comparison]:
    """Return the scripts that succeed again, with what ended."""
    found = {r.script: comparisons.get(r.script) for r in run.scripts}
    return {name: c for name, c in found.items() if c and c.recovered}


def headline(result: ScriptResult, language: str) -> str:
    """Return what went wrong in one line: the exception, else the reason."""
    traceback = result.last_traceback
    if traceback and result.outcome is Outcome.FAILURE:
        return one_line(traceback.exception, LINE)
    if result.reason:
        return one_line(result.reason.in_language(language), LINE)
    return catalogue(language).gettext(OUTCOMES[result.outcome])


def _most_important(
    results: Sequence[ScriptResult], limit: int
) -> Sequence[ScriptResult]:
    """Keep ``limit`` results, failures first, in the order of the series."""
    if len(results) <= limit:
        return results
    kept = sorted(results, key=lambda r: (r.succeeded, r.number))[:limit]
    return sorted(kept, key=lambda r: r.number)


def _view_script(
    result: ScriptResult, language: str, material: Material, bounds: Bounds
) -> ScriptView:
    kind = _KINDS.get(result.outcome, BAD)
    failed = not result.succeeded
    traceback = result.last_traceback if failed else None
    trace, tail, whole = _details(result, language, material, bounds.details)
    comparison = material.comparisons.get(result.script, Comparison())
    return ScriptView(
        name=one_line(result.script, LINE),
        kind=kind,
        mark=_MARKS[kind],
        word=catalogue(language).gettext(OUTCOMES[result.outcome]),
        duration=duration(result.duration, language) if result.attempts else "",
        attempts=len(result.attempts),
        failed=failed,
        exception=one_line(traceback.exception, SENTENCE) if traceback else "",
        place=_place(traceback, language),
        reason=_sentence(result.reason, language) if failed else "",
        traceback=trace,
        tail=tail,
        output=one_line(str(result.output), SENTENCE) if result.output else "",
        attached=material.attach and not whole and result.script in material.tails,
        usual=usual(comparison, language),
        pace=pace(comparison, language),
        novelty=novelty(comparison, language),
        history=history(comparison, language),
        warnings=_sentences(result.warnings, language),
    )


def _details(
    result: ScriptResult, language: str, material: Material, limit: int
) -> tuple[str, str, bool]:
    """Return traceback and end of the output of a failure, and whether that is all."""
    if result.succeeded:
        return "", "", True
    traceback = result.last_traceback
    trace = clean(traceback.text) if traceback else ""
    tail = clean(material.tails.get(result.script, "")).rstrip()
    if _HAS_FRAMES.search(trace):
        # It stands above the end of the output, and need not be shown twice.
        tail = tail.removesuffix(trace.rstrip())
    elif tail.endswith(trace.rstrip()):
        # What sys.exit() said is no traceback, but the end of the output.
        trace = ""
    tail = tail.strip("\n")
    shown_trace = cut_middle(trace, limit, language)
    room = max(limit - len(shown_trace.encode()), limit // 4)
    shown_tail = cut_middle(tail, room, language)
    whole = (shown_trace, shown_tail) == (trace, tail)
    whole = whole and result.script not in material.partial
    return shown_trace.strip("\n"), shown_tail, whole


def _place(traceback: Traceback | None, language: str) -> str:
    """Say where in the project it happened: the line its reader can mend."""
    if traceback is None or not traceback.file:
        return ""
    values = {
        "file": one_line(traceback.file, LINE),
        "line": traceback.line,
        "function": one_line(traceback.function or "", LINE),
    }
    if traceback.line is None:
        return str(values["file"])
    # Names such as <module> and <genexpr> are Python's, and say nothing to a reader.
    if not traceback.function or traceback.function.startswith("<"):
        return Sentence(N_("{file}, line {line}"), values).in_language(language)
    return Sentence(N_("{file}, line {line}, in {function}"), values).in_language(
        language
    )


def _sentences(texts: Iterable[Sentence], language: str) -> tuple[str, ...]:
    """Word each sentence once: every attempt may have warned of the same."""
    worded = dict.fromkeys(_sentence(text, language) for text in texts)
    return tuple(worded)[:WARNINGS]


def _sentence(text: Sentence | None, language: str) -> str:
    return clean(text.in_language(language))[:SENTENCE].strip() if text else ""
