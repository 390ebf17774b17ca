"""The page of a run: what happened in it?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Outcome, RunStatus
from python_runner.records.outputs import is_kept, read_tail
from python_runner.records.rows import was_left_open
from python_runner.report.comparison import history, recurrence
from python_runner.report.differences import view_differences
from python_runner.report.summary import (
    BRIEF,
    LINE,
    headline,
    hint_words,
    outcome_and_why,
    place,
)
from python_runner.report.view import SENTENCE, WARNINGS
from python_runner.runner.differences import since_success
from python_runner.texts.sanitize import clean, one_line
from python_runner.web import times
from python_runner.web.pages.mail import message_word, recipient_words
from python_runner.web.pages.shared import no_run, require_shown, whole_number
from python_runner.web.pages.words import run_command
from python_runner.web.reading.frames import Shown, shown_parts
from python_runner.web.reading.runs import run_facts
from python_runner.web.reading.source_lines import SourceLine, source_lines
from python_runner.web.site import Page
from python_runner.web.states import State, state_of


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from markupsafe import Markup

    from python_runner.masking import Masker
    from python_runner.model import Run, ScriptResult
    from python_runner.model.overview import RunLine
    from python_runner.records.messages import QueuedMessage
    from python_runner.web.reading.runs import FailedResult, RunFacts
    from python_runner.web.site import Question

#: Lines and bytes of the end of an output that are shown here.
TAIL_LINES, _TAIL_BYTES = 40, 64 * 1024
_NAME = 60
#: Bytes of a traceback that are shown.
_TRACE = 64 * 1024
#: Scripts of a run whose failures are compared with their last successes.
_COMPARED = 500
#: Scripts of a run whose lines around the error are shown.
_SOURCES = 20
#: Scripts in the timeline.
_BARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedView:
    """A script that did not succeed.

    Attributes:
        why: what ended it, on one line.
        where: the place in the project.
        times: how often it has failed so.
        trace: its traceback in parts.
        source: the lines around its error.
        tail: the last lines it printed; ``gone`` where its output was deleted.
        changes: what has changed since it last succeeded, in words.
        warnings: of its attempts.
    """

    result: ScriptResult
    state: State
    word: str
    why: str
    where: str
    times: str
    history: str
    first: RunLine | None
    trace: tuple[Shown, ...]
    source: tuple[SourceLine, ...]
    tail: str
    gone: bool
    changes: tuple[str, ...]
    hint: str
    help: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A script in the timeline: per mille of the run's duration.

    Attributes:
        ticks: where its further attempts began.
    """

    script: str
    number: int
    state: State
    start: int
    width: int
    ticks: tuple[int, ...]
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherView:
    """A script that succeeded, or has not ended.

    Attributes:
        unusual: why its success is unusual.
        ended: whether it took some time, as far as is known.
    """

    result: ScriptResult
    state: State
    word: str
    unusual: tuple[str, ...]
    has_output: bool
    ended: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MailView:
    """What became of a report, in words."""

    number: int
    word: str
    recipients: tuple[tuple[str, str], ...]


def page(question: Question) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no such run.
        Gone: there may have been one.
    """
    query, home = question.query, question.site.settings.home
    after = whole_number(query.get("after", ""), 0)
    failed_after = whole_number(query.get("failed", ""), 0)
    facts = run_facts(
        question.store,
        home,
        question.values["run"],
        failed_after=failed_after,
        after=after,
    )
    if facts is None:
        raise no_run(question)
    line = facts.line
    require_shown(question, line.path)
    masker = question.projects.masker(line.path)
    configuration = question.projects.configuration(line.path)
    recorded = _recorded(facts, question)
    changes = _changes(recorded, question, masker)
    sources = _sources(recorded, question, masker)
    help_texts = configuration.all_help if configuration else {}
    state = State.INTERRUPTED if _died(facts) else state_of(facts.status)
    return Page(
        template="run.html.j2",
        files=True,
        title=f"{state.shape} {line.project}",
        values={
            "sentence": _sentence(facts, question, masker),
            "state": state,
            "line": line,
            "facts": facts,
            "counts": _counts(facts, question),
            "error": masker.text(question.formats.say(line.error)),
            "failed": [
                replace(
                    _failed(one, facts, question, masker, help_texts),
                    changes=changes.get(one.result.script, ()),
                    source=sources.get(one.result.number, ()),
                )
                for one in facts.failed
            ],
            "warnings": _warnings(facts, question, masker),
            "details": _details(facts, question),
            "help": masker.text(help_texts.get("", "")) if facts.failed else "",
            "bars": _bars(facts, masker),
            "others": [_other(one, facts, question, masker) for one in facts.others],
            "mails": [_mail(one, question) for one in facts.messages],
            "command_text": _command(facts),
            "after": after,
            "failed_after": failed_after,
            "live_run": line.run_id if facts.alive else "",
        },
        state=state,
        live=facts.alive and not after and not failed_after,
    )


def _recorded(facts: RunFacts, question: Question) -> Run | None:
    """Return a run of which scripts failed, with what these were made of, unless it is huge."""
    if facts.line.status is None or not 0 < facts.line.scripts <= _COMPARED:
        return None
    return question.store.run(facts.line.run_id) if facts.failed else None


def _changes(
    run: Run | None, question: Question, masker: Masker
) -> dict[str, tuple[str, ...]]:
    """Return in words what changed since scripts last succeeded, by their names."""
    found = {}
    compared = since_success(run, question.store, masker) if run else {}
    for script, differing in compared.items():
        view = view_differences(differing, question.formats)
        diffs = ("\n".join((diff.title, *diff.lines)) for diff in view.diffs)
        found[script] = (*view.lines, *diffs)
    return found


def _sources(
    run: Run | None, question: Question, masker: Masker
) -> dict[int, tuple[SourceLine, ...]]:
    """Return the lines around the errors of scripts, by their numbers."""
    failed = [one for one in run.scripts if one.last_traceback] if run else []
    return {
        one.number: source_lines(question.store, run.path, one, masker)
        for one in failed[:_SOURCES]
        if run
    }


def _died(facts: RunFacts) -> bool:
    return facts.line.status is None and facts.status is RunStatus.INTERRUPTED


def _sentence(facts: RunFacts, question: Question, masker: Masker) -> Markup:
    """Return how the run went, with the first script that failed."""
    formats, line = question.formats, facts.line
    _ = formats.gettext
    total = sum(facts.states.values())
    values: dict[str, object] = {
        "project": one_line(line.project, _NAME),
        "moment": times.moment(line.started_at, question.now, formats),
        "duration": formats.duration(line.duration),
        "count": formats.number(total),
    }
    if facts.alive:
        planned = facts.states.get("planned", 0) + facts.states.get("running", 0)
        values["ended"] = formats.number(total - planned)
        words = formats.ngettext(
            "{project} is running since {moment}: {ended} of {count} script has ended",
            "{project} is running since {moment}: {ended} of {count} scripts have ended",
            total,
        )
        return times.sentence(words, **values)
    if _died(facts):
        words = _(
            "{project} began {moment} and is no longer alive; the next run will report it"
        )
        return times.sentence(words, **values)
    if facts.status is RunStatus.SUCCESS:
        words = formats.ngettext(
            "{project} succeeded {moment} after {duration}: {count} script",
            "{project} succeeded {moment} after {duration}: all {count} scripts",
            total,
        )
        return times.sentence(words, **values)
    values["outcome"] = formats.gettext((facts.status or RunStatus.INTERRUPTED).word)
    why = ""
    if facts.failed:
        result = masker.fact(facts.failed[0].result)
        values["script"] = one_line(result.script, _NAME)
        why = one_line(masker.text(headline(result, formats)), BRIEF)
        words = _("{project} {outcome} {moment} after {duration}: {script} - {why}")
    elif line.error:
        why = one_line(masker.text(formats.say(line.error)), BRIEF)
        words = _("{project} {outcome} {moment}: {why}")
    else:
        words = _("{project} {outcome} {moment} after {duration}")
    return times.sentence(words, why=why, **values)


def _counts(facts: RunFacts, question: Question) -> str:
    """Return how many scripts ended how."""
    formats, states = question.formats, facts.states
    total = sum(states.values())
    bad = total - sum(states.get(name, 0) for name in ("success", "planned", "running"))
    if not bad:
        return ""
    words = formats.ngettext(
        "{bad} of {count} script did not succeed",
        "{bad} of {count} scripts did not succeed",
        total,
    )
    return words.format(bad=formats.number(bad), count=formats.number(total))


def _failed(
    one: FailedResult,
    facts: RunFacts,
    question: Question,
    masker: Masker,
    help_texts: Mapping[str, str],
) -> FailedView:
    formats, result = question.formats, masker.fact(one.result)
    traceback, comparison = result.last_traceback, one.comparison
    word, why = outcome_and_why(result, formats)
    opened = comparison is not None or len(facts.failed) == 1
    first = one.first
    return FailedView(
        result=result,
        state=state_of(result.outcome),
        word=word,
        why=one_line(why, LINE),
        where=place(traceback, formats),
        times=recurrence(comparison, formats) if comparison else "",
        history=history(comparison, formats) if comparison else "",
        first=first if first and first.key != facts.line.key else None,
        trace=shown_parts(traceback.text[-_TRACE:], str(facts.line.path))
        if opened and traceback
        else (),
        tail=_tail(result, masker) if opened else "",
        gone=result.output is not None and not is_kept(result.output),
        changes=(),
        source=(),
        hint=hint_words(result, formats),
        # That of the project is told once, above all scripts.
        help=masker.text(help_texts.get(result.script, "")),
        warnings=tuple(one_line(formats.say(w), LINE) for w in result.warnings),
    )


def _tail(result: ScriptResult, masker: Masker) -> str:
    """Return the last lines that a script printed; nothing where they are gone."""
    if result.output is None:
        return ""
    try:
        text = masker.text(read_tail(result.output, _TAIL_BYTES))
    except OSError:
        return ""
    return "\n".join(clean(text).rstrip().split("\n")[-TAIL_LINES:])


def _warnings(facts: RunFacts, question: Question, masker: Masker) -> list[str]:
    """Return what went wrong beside the scripts, and why nobody was told of the run."""
    around, say = facts.circumstances, question.formats.say
    told = [*around.warnings[:WARNINGS], *([around.held] if around.held else [])]
    return [masker.text(one_line(say(sentence), SENTENCE)) for sentence in told]


def _details(facts: RunFacts, question: Question) -> list[tuple[str, str]]:
    """Return where a run took place, and by what: label and value."""
    _, around = question.formats.gettext, facts.circumstances
    version = around.interpreter_version
    python = f"{around.interpreter} ({version})" if version else around.interpreter
    found = (
        (_("Computer"), around.computer),
        (_("Folder"), str(facts.line.path)),
        (_("Interpreter"), python if around.interpreter else None),
        (_("Run"), facts.line.run_id),
    )
    return [(label, one_line(value, SENTENCE)) for label, value in found if value]


def _bars(facts: RunFacts, masker: Masker) -> list[Bar]:
    """Return when the scripts ran, in the order of the series."""
    results = [one.result for one in facts.failed] + list(facts.others)
    ran = [result for result in results if result.attempts]
    begin = facts.line.started_at
    end = max((_end(result, begin) for result in ran), default=0.0)
    length = max(facts.line.duration, end, 0.001)
    bars = []
    for result in sorted(ran, key=lambda one: one.number)[:_BARS]:
        starts = [_after(attempt.started_at, begin) for attempt in result.attempts]
        start = max(
            0, min(990, round(1000 * _after(result.started_at, begin) / length))
        )
        width = max(5, round(1000 * result.duration / length))
        bars.append(
            Bar(
                script=masker.text(result.script),
                number=result.number,
                state=state_of(result.outcome, unusual=bool(result.unusual)),
                start=start,
                width=min(width, 1000 - start),
                ticks=tuple(
                    max(0, min(1000, round(1000 * at / length))) for at in starts[1:]
                ),
                duration=result.duration,
            )
        )
    return bars if len(bars) > 1 else []


def _after(moment: datetime, begin: datetime) -> float:
    return (moment - begin).total_seconds()


def _end(result: ScriptResult, begin: datetime) -> float:
    return _after(result.started_at, begin) + result.duration


def _other(
    result: ScriptResult, facts: RunFacts, question: Question, masker: Masker
) -> OtherView:
    formats, result = question.formats, masker.fact(result)
    if facts.alive and was_left_open(result):
        runs = result.outcome is Outcome.INTERRUPTED
        state = State.RUNNING if runs else State.NEVER
        return OtherView(
            result=result,
            state=state,
            word=state.word(formats) if runs else formats.gettext("planned"),
            unusual=(),
            has_output=runs and result.output is not None,
            ended=False,
        )
    return OtherView(
        result=result,
        state=state_of(result.outcome, unusual=bool(result.unusual)),
        word=formats.gettext(result.outcome.word),
        unusual=tuple(one_line(formats.say(why), LINE) for why in result.unusual),
        has_output=result.output is not None,
    )


def _mail(queued: QueuedMessage, question: Question) -> MailView:
    return MailView(
        number=queued.number,
        word=message_word(queued, question),
        recipients=recipient_words(queued, question),
    )


def _command(facts: RunFacts) -> str:
    """Return the command that a person would run now; empty where nothing is to be done."""
    if facts.alive or facts.status in {RunStatus.SUCCESS, RunStatus.SKIPPED}:
        return ""
    return run_command(facts.line.path, resume=bool(facts.failed))
