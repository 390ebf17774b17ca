"""The view of a run: all that a report shows, in words, bounded and safe to show.

All decisions about content are made here; the templates only arrange it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.installation import shell_word
from python_runner.model import Comparison, Outcome, RunStatus
from python_runner.policy import reported_scripts
from python_runner.report.comparison import (
    history,
    recurrence,
    unmailed_words,
    usual_duration,
)
from python_runner.report.details import details_of
from python_runner.report.differences import (
    DifferencesView,
    same_as,
    view_differences,
)
from python_runner.report.summary import (
    BRIEF,
    LINE,
    blamed,
    counted,
    hint_words,
    others,
    outcome_and_why,
    place,
    shortened,
    summary,
    unusual_reasons,
)
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, one_line
from python_runner.tracebacks.names import short_exception
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from python_runner.model import Run, ScriptResult, Traceback
    from python_runner.report.context import ReportContext
    from python_runner.report.details import Details
    from python_runner.texts.sentence import Sentence

#: Lines of the owner's words that a mail shows: what else failed comes after them.
_HELP_LINES = 30
#: Characters of a sentence: a reason, a warning.
SENTENCE = 2000
#: Warnings shown; nobody reads more.
WARNINGS = 20
#: Scripts of which nothing is to be said but how they ended: more of them are one line.
_MOST_ROWS = 5
#: Characters of the file to mend, in a row.
_FILE = 60

#: These choose the colour; the word beside it says the same without colour.
GOOD, BAD, IDLE, ODD = "good", "bad", "idle", "odd"
MARKS = {GOOD: "✔", BAD: "✖", IDLE: "○", ODD: "▲"}
_KINDS = {
    Outcome.SUCCESS: GOOD,
    Outcome.SKIPPED: IDLE,
    RunStatus.SUCCESS: GOOD,
    RunStatus.SKIPPED: IDLE,
}
#: What ``--resume`` goes on with.
_RESUMED = {RunStatus.FAILURE, RunStatus.STOPPED, RunStatus.INTERRUPTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptView:
    """One script as a report shows it; empty strings are left out.

    Attributes:
        hint: what to do about its failure, as far as that is known for sure.
        help: its owner's words for a failure.
        status: its outcome in a word, or the reason that has it, and, where it failed so
            before, how often.
        brief: what went wrong, in its row; ``where`` is the file and line behind it.
        unusual: why its success is unusual, where the sentence at the top does not say it.
        exception: what went wrong, in its details: in full, unless they show it in full.
        changed: what changed since it last succeeded, or None.
    """

    name: str
    kind: str
    mark: str
    status: str
    duration: str
    attempts: int
    failed: bool
    brief: str
    where: str
    usual: str
    unusual: tuple[str, ...]
    exception: str
    place: str
    reason: str
    history: str
    traceback: str
    traceback_title: str
    tail: str
    tail_title: str
    output: str
    attached: bool
    hint: str
    help: str
    warnings: tuple[str, ...]
    changed: DifferencesView | None = None

    @property
    def detailed(self) -> bool:
        """Whether there is more to say of it than its row does."""
        said = (self.traceback, self.tail, self.output, self.history, self.warnings)
        longest = max(len(self.reason), len(self.exception))
        return (
            any(said)
            or self.changed is not None
            or longest > BRIEF
            or "\n" in self.reason
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Scripts that ended alike, in one line.

    Attributes:
        words: ``29 others succeeded``, or the names of a few that did not; empty where
            the counts have said it.
        reason: why, where they did not succeed.
        label: the word for how they ended, before their names.
        names: those that are named, with their durations; a report lists them last.
    """

    kind: str
    mark: str
    words: str
    reason: str
    label: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One run as a report shows it; ``hidden`` scripts are only counted.

    Attributes:
        title, cause, place, counts: what it says first.
        preview: what a list of mails shows behind the subject.
        moment: when, how long, on which computer: label and value.
        note: how many failed runs before it were not reported.
        error: why the run did not take place, where ``cause`` does not say all of it.
        scripts: one row each, failures first.
        folds: scripts without a row, in one line each.
        details: the scripts whose failure is shown in detail.
        help: its owner's words for any failure.
        next_steps: what a person can do now: what for, and the command.
        facts: where things lie: label and value.
        product: what has made the report.
        rest_attached: whether the report is shortened, and the whole goes with it.
        attached: names of the scripts whose output goes with it.
    """

    project: str
    kind: str
    mark: str
    title: str
    cause: str = ""
    place: str = ""
    counts: str = ""
    preview: str = ""
    moment: tuple[tuple[str, str], ...] = ()
    note: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    scripts: tuple[ScriptView, ...] = ()
    folds: tuple[Fold, ...] = ()
    details: tuple[ScriptView, ...] = ()
    hidden: int = 0
    help: str = ""
    next_steps: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    product: str = f"Python Runner {__version__}"
    rest_attached: bool = False
    attached: tuple[str, ...] = ()


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


def view_run(run: Run, context: ReportContext, limits: Limits) -> RunView:
    """Return the view of ``run``."""
    formats = Formats(context.language)
    named = reported_scripts(run, context.strategy)
    shown = _most_important(named, limits.scripts)
    rows, folded = _fold(run, shown, context.comparisons)
    views = [_view_script(run, result, context, limits) for result in rows]
    kind = _KINDS.get(run.status, BAD)
    if kind == GOOD and run.unusual_scripts:
        kind = ODD
    told = summary(run, context.comparisons, formats)
    error = _sentence(run.error, formats, limits)
    failures = [
        view for view in views if view.detailed and (view.kind == BAD or view.changed)
    ]
    preview = (told.cause or error, told.place, told.counts)
    return RunView(
        project=one_line(run.project, LINE),
        kind=kind,
        mark=MARKS[kind],
        title=told.title,
        cause=told.cause,
        place=told.place,
        counts=told.counts,
        preview=one_line(" · ".join(filter(None, preview)), LINE),
        moment=moment_of(
            run.started_at,
            None if _never_began(run) else run.duration,
            context.host,
            formats,
        ),
        note=unmailed_words(context.unmailed, formats),
        error="" if _never_began(run) and told.cause else error,
        warnings=_sentences(run.warnings, formats, limits),
        scripts=tuple(views),
        folds=tuple(_view_folds(run, rows, folded, named, formats)),
        details=tuple(_told_once(failures[: limits.failures], formats)),
        hidden=sum(not r.succeeded for r in named)
        - sum(not r.succeeded for r in shown),
        help="" if kind != BAD else _help("", context, formats, limits),
        next_steps=tuple(_next_steps(run, context, formats)),
        facts=_facts(run, context, limits, formats),
        attached=tuple(
            r.script for r, view in zip(rows, views, strict=True) if view.attached
        ),
        rest_attached=context.attach
        and (
            len(shown) < len(named)
            or len(failures) > limits.failures
            or limits.sentence < SENTENCE
            or limits.warnings < WARNINGS
        ),
    )


def _told_once(views: Sequence[ScriptView], formats: Formats) -> Iterator[ScriptView]:
    """Yield the views; what changed for several scripts alike is told of the first."""
    told: dict[DifferencesView, str] = {}
    for view in views:
        if view.changed is None:
            yield view
        elif first := told.get(view.changed):
            yield replace(view, changed=same_as(first, view.changed, formats))
        else:
            told[view.changed] = view.name
            yield view


def _most_important(
    results: Sequence[ScriptResult], limit: int
) -> Sequence[ScriptResult]:
    """Return ``limit`` results: failures, what was skipped for them, then the others.

    Of these the unusual ones come first.
    """

    def weight(result: ScriptResult) -> tuple[bool, bool, bool, int]:
        skipped = result.outcome is Outcome.SKIPPED
        return result.succeeded, skipped, not result.unusual, result.number

    return sorted(results, key=weight)[:limit]


def _never_began(run: Run) -> bool:
    return run.status in {RunStatus.SKIPPED, RunStatus.NOT_STARTED}


def _fold(
    run: Run, results: Sequence[ScriptResult], comparisons: Mapping[str, Comparison]
) -> tuple[list[ScriptResult], list[list[ScriptResult]]]:
    """Return the results that have a row each, and groups that share one line.

    A group are the scripts of which nothing is to be said but that they succeeded, where
    there are many, or that were not started for one reason, which is said once. Of a run
    that never began, the reason has been told at the top.
    """

    def is_plain(result: ScriptResult) -> bool:
        return _is_plain(result, comparisons.get(result.script, Comparison()))

    groups: dict[tuple[Outcome, str], list[ScriptResult]] = {}
    for result in results:
        if is_plain(result):
            groups.setdefault((result.outcome, str(result.reason)), []).append(result)
    folded = [
        group
        for (_outcome, reason), group in groups.items()
        if len(group) > (_MOST_ROWS if group[0].succeeded else 1)
        or (_never_began(run) and reason == str(run.error))
    ]
    in_groups = {id(result) for group in folded for result in group}
    rows = [result for result in results if id(result) not in in_groups]
    return sorted(rows, key=lambda r: r.succeeded and is_plain(r)), folded


def _is_plain(result: ScriptResult, comparison: Comparison) -> bool:
    """Say whether nothing is to be said of a result but its outcome and its reason."""
    if not result.succeeded:
        return not result.attempts
    told = result.unusual or comparison.recovered or result.warnings
    return not told and len(result.attempts) <= 1


def _view_folds(
    run: Run,
    rows: Sequence[ScriptResult],
    folded: Sequence[Sequence[ScriptResult]],
    named: Sequence[ScriptResult],
    formats: Formats,
) -> Iterator[Fold]:
    """Yield the lines for scripts without a row: those folded, and those not named."""
    groups = [group for group in folded if not group[0].succeeded]
    for group in groups:
        yield _view_fold(group[0], len(group), group, run, formats)
    good = [group for group in folded if group[0].succeeded]
    succeeded = [result for result in run.scripts if result.succeeded]
    without_row = len(succeeded) - sum(result.succeeded for result in rows)
    if without_row:
        shown = good[0] if good else []
        fold = _view_fold(succeeded[0], without_row, shown, run, formats)
        left = sum(r.succeeded for r in named) - len(succeeded) + without_row
        left -= len(shown)
        if left > 0:
            more = formats.ngettext(
                "and {count} more script", "and {count} more scripts", left
            ).format(count=formats.number(left))
            fold = replace(fold, names=(*fold.names, more))
        yield fold


def _view_fold(
    first: ScriptResult,
    count: int,
    shown: Sequence[ScriptResult],
    run: Run,
    formats: Formats,
) -> Fold:
    kind = _KINDS.get(first.outcome, BAD)
    told = count == len(run.scripts)
    reason = "" if _never_began(run) or first.succeeded else formats.say(first.reason)
    word = formats.gettext(first.outcome.word)
    names = tuple(_name_in_list(result, formats) for result in shown)
    words = "" if told else others(first.outcome, count, formats)
    if words and not first.succeeded and count <= _MOST_ROWS:
        named = one_line(", ".join(names), LINE)
        words, names = counted(first.outcome, count, named, formats), ()
    return Fold(
        kind=kind,
        mark=MARKS[kind],
        words=words,
        reason=one_line(reason, LINE),
        label=word.capitalize(),
        names=names,
    )


def _name_in_list(result: ScriptResult, formats: Formats) -> str:
    name = one_line(result.script, LINE)
    if not result.attempts:
        return name
    return f"{name} ({formats.duration(result.duration)})"


def moment_of(
    start: datetime, duration: float | None, host: str, formats: Formats
) -> tuple[tuple[str, str], ...]:
    """Return when it was, how long it took and on which computer, as far as known."""
    _ = formats.gettext
    moment = (
        (_("Start"), formats.moment_with_zone(start)),
        (_("Duration"), "" if duration is None else formats.duration(duration)),
        (_("Computer"), one_line(host, LINE)),
    )
    return tuple((label, value) for label, value in moment if value)


def _facts(
    run: Run, context: ReportContext, limits: Limits, formats: Formats
) -> tuple[tuple[str, str], ...]:
    _ = formats.gettext
    log = one_line(str(context.log), limits.sentence) if context.log else ""
    facts = (
        (_("Folder"), one_line(str(run.path), limits.sentence)),
        (_("Log"), log),
        (_("Run"), one_line(run.run_id, LINE)),
    )
    return tuple((label, value) for label, value in facts if value)


def _next_steps(
    run: Run, context: ReportContext, formats: Formats
) -> Iterator[tuple[str, str]]:
    """Yield what a person can do now, and the command that does it."""
    folder = one_line(shell_word(str(run.path)), LINE * 10)
    if not context.command:
        return
    if run.status in _RESUMED:
        label = formats.gettext("To run again what did not succeed")
        yield label, f"{context.command} run --resume {folder}"
    elif run.status is RunStatus.NOT_STARTED:
        label = formats.gettext("To see what prevents the run")
        yield label, f"{context.command} check {folder}"


def _view_script(
    run: Run, result: ScriptResult, context: ReportContext, limits: Limits
) -> ScriptView:
    formats = Formats(context.language)
    kind = ODD if result.unusual else _KINDS.get(result.outcome, BAD)
    failed = not result.succeeded
    traceback = result.last_traceback if failed else None
    details = details_of(run, result, context, limits.details)
    comparison = context.comparisons.get(result.script, Comparison())
    word, why = outcome_and_why(result, formats)
    unusual = unusual_reasons(result, formats)
    if unusual:
        word = formats.gettext("unusual")
    again = recurrence(comparison, formats)
    # The sentence at the top has said it of the only script.
    brief = kind == BAD and len(run.scripts) > 1
    told_at_top = failed and result in blamed(run)[:1]
    reason = _reason(result, formats, limits) if why else ""
    bare = ScriptView(
        name=one_line(result.script, LINE),
        kind=kind,
        mark=MARKS[kind],
        status=f"{word}, {again}" if again else word,
        duration=_duration(result, formats),
        attempts=len(result.attempts),
        failed=failed,
        brief=one_line(why, BRIEF) if brief else "",
        where=_where(traceback) if brief else "",
        usual=usual_duration(comparison, formats),
        # Of the only script, the sentence at the top has said the only reason.
        unusual=unusual if len(run.scripts) > 1 or len(unusual) > 1 else (),
        exception=_exception(result, details, limits),
        place=place(traceback, formats),
        reason=reason,
        history="",
        traceback=details.trace,
        traceback_title=details.trace_title,
        tail=details.tail,
        tail_title=details.tail_title,
        output=_output(result, context, limits),
        attached=context.attach
        and not details.whole
        and result.script in context.tails,
        hint=hint_words(result, formats) if kind == BAD else "",
        help=_help(result.script, context, formats, limits) if kind == BAD else "",
        warnings=_sentences(result.warnings, formats, limits),
        changed=_changed(result, context, formats),
    )
    if told_at_top or (comparison.new and not bare.detailed):
        # That an error is new is no reason for details.
        return bare
    return replace(bare, history=history(comparison, formats))


def _changed(
    result: ScriptResult, context: ReportContext, formats: Formats
) -> DifferencesView | None:
    differences = context.differences.get(result.script)
    if differences is None:
        return None
    view = view_differences(differences, formats)
    # A mail has room for the most telling one.
    return replace(view, diffs=view.diffs[:1])


def _help(script: str, context: ReportContext, formats: Formats, limits: Limits) -> str:
    """Return the owner's words for a script, or those for all under no name."""
    if not (text := context.help.get(script, "")):
        return ""
    kept = "\n".join(text.splitlines()[:_HELP_LINES])[: limits.sentence]
    said = text if kept == text else f"{kept.rstrip()}…"
    return formats.gettext("What to do: {help}").format(help=said)


def _duration(result: ScriptResult, formats: Formats) -> str:
    """Return how long a script took, where the reason of its end does not say it."""
    if not result.attempts:
        return ""
    told = result.outcome is Outcome.TIMEOUT and len(result.attempts) == 1
    return "" if told and result.reason else formats.duration(result.duration)


def _output(result: ScriptResult, context: ReportContext, limits: Limits) -> str:
    """Return where the output of a script is; nothing where it wrote none."""
    if result.output is None or context.tails.get(result.script) == "":
        return ""
    return one_line(str(result.output), limits.sentence)


def _exception(result: ScriptResult, details: Details, limits: Limits) -> str:
    """Return the exception for the head of its details, which may show it in full."""
    whole = one_line(result.ended_by or "", limits.sentence)
    below = " ".join(f"{details.trace}\n{details.tail}".split())
    return one_line(short_exception(whole), BRIEF) if whole in below else whole


def _reason(result: ScriptResult, formats: Formats, limits: Limits) -> str:
    """Return why a script did not succeed, where its exception does not say it."""
    if result.succeeded or result.reason is None:
        return ""
    if (
        result.ended_by
        and result.exit_code == 1
        and {*result.reason.values} == {"code"}
    ):
        # The exit code of every exception.
        return ""
    return _sentence(result.reason, formats, limits)


def _where(traceback: Traceback | None) -> str:
    """Return the file and line to mend: ``import.py:12``."""
    if traceback is None or not traceback.file:
        return ""
    file = shortened(traceback.file, _FILE)
    return file if traceback.line is None else f"{file}:{traceback.line}"


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
