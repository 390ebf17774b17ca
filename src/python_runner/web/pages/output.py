"""The page of an output: what did it print?

Lines are text in the document: found, copied and scrolled by the browser's own means.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from markupsafe import Markup

from python_runner.facts import dataclass
from python_runner.records import overview
from python_runner.records.output_pages import STEP, OutputPages, OutputPart, OutputView
from python_runner.records.output_reader import OutputReader
from python_runner.texts.ansi import Colours, Span, plain
from python_runner.texts.sanitize import one_line
from python_runner.web import times
from python_runner.web.pages.shared import no_run, require_shown, whole_number
from python_runner.web.reading.marks import Mark, mark_of
from python_runner.web.reading.runs import end_of_open
from python_runner.web.reading.unmasked import OPEN_STATES, withheld_by
from python_runner.web.site import Gone, NotFound, Page, PlainText, Withheld
from python_runner.web.states import State, state_of


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model.overview import RunLine
    from python_runner.records.output_pages import OutputLine
    from python_runner.web.site import Question

_NAME = 60
#: Variables that are named.
_NAMES = 5
#: Marks that are named above the lines.
_MARKS = 12
#: Lines that a search on the page looks at, and those it shows, at most.
_SEARCHED, _FOUND = 2 * STEP, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output that was asked for."""

    line: RunLine
    number: int
    script: str
    state: str
    path: Path
    masker: Masker
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    """Lines on the page.

    Attributes:
        html: the lines.
        begin: number of the first one; 0 where it is not known.
        end: offset behind the last one.
        after: number of the line behind the last one; 0 where it is not known.
        marks: numbers of the lines that people look for, and what they tell of.
    """

    html: Markup
    begin: int
    end: int
    after: int
    marks: tuple[tuple[int, Mark], ...] = ()


def page(question: Question, outputs: OutputPages) -> Page:
    """Return the page.

    Raises:
        NotFound: there is no such script.
        Gone: its output has been deleted.
    """
    output = _output_of(question)
    query = question.query
    begin = whole_number(query.get("from", ""), 0)
    text, only = query.get("q", ""), bool(query.get("only"))
    try:
        if only and text:
            view, further = _matching(output, outputs, text, max(begin, 1))
        else:
            further = 0
            view = (
                outputs.lines(output.path, output.masker, begin)
                if begin
                else outputs.ends(output.path, output.masker)
            )
    except OSError as error:
        raise _unreadable(question, output, error) from error
    pattern = re.compile(re.escape(text), re.IGNORECASE) if text else None
    if view.total is None:
        outputs.count_on(output.path)
    state = State.RUNNING if output.alive else state_of(_ended(output.state))
    name = one_line(output.masker.text(output.script), _NAME)
    views = [_part(part.lines, part.end, pattern) for part in view.parts]
    marks = [mark for part in views for mark in part.marks]
    return Page(
        template="output.html.j2",
        files=True,
        title=f"{state.shape} {name}",
        values={
            "sentence": _sentence(output, view, name, question),
            "state": state,
            "line": output.line,
            "number": output.number,
            "name": name,
            "view": view,
            "parts": views,
            "gap": _gap(views, view) if not begin and not only else 0,
            "step": STEP,
            "marks": [(n, mark) for n, mark in marks if n][:_MARKS],
            "marked": len(marks),
            "open": _opened(marks, state) if not begin and not text else 0,
            "text": text,
            "only": only,
            "begin": begin,
            "further": further,
            "next_from": views[-1].after
            if begin and views and not only and _has_more(views[-1], view)
            else 0,
            "alive": output.alive,
            "live_run": output.line.run_id if output.alive else "",
            "command_text": f"python-runner output {output.line.run_id} {output.number}",
            "uncounted": view.total is None,
        },
        state=state,
        live=output.alive and not begin and not only,
    )


def part_page(question: Question, outputs: OutputPages) -> Page:
    """Return some lines for a page that is open.

    Raises:
        NotFound: there is no such script.
        Gone: its output has been deleted.
    """
    output = _output_of(question)
    query = question.query
    begin = whole_number(query.get("from", ""), 0)
    behind = whole_number(query.get("behind", ""), 0)
    until = whole_number(query.get("until", ""), 0)
    shown = whole_number(query.get("after", ""), 0)
    try:
        if begin:
            count = min(STEP, until - begin) if until > begin else STEP
            view = outputs.lines(output.path, output.masker, begin, count)
        elif shown and not output.alive:
            # Its file was written anew at its end, without secrets: bytes tell nothing.
            view = outputs.lines(output.path, output.masker, shown + 1)
        else:
            view = outputs.since(output.path, output.masker, behind)
    except OSError as error:
        raise _unreadable(question, output, error) from error
    parts = [_part(part.lines, part.end, None) for part in view.parts]
    last = view.parts[-1].lines if view.parts else ()
    # The last line of a file that grows is asked for again, once it has its end.
    grows = output.alive and not begin
    torn = last[-1] if last and grows and view.unfinished else None
    return Page(
        template="lines.html.j2",
        files=True,
        title="",
        values={
            "parts": parts,
            "end": torn.offset if torn else parts[-1].end if parts else behind,
            "torn": torn is not None,
            "after": parts[-1].after if parts else 0,
            "alive": output.alive,
        },
    )


def plain_file(question: Question) -> PlainText:
    """Return the whole output as plain text.

    Raises:
        NotFound: there is no such script.
        Gone: its output has been deleted.
    """
    output = _output_of(question)
    try:
        size = output.path.stat().st_size
    except OSError as error:
        raise _unreadable(question, output, error) from error

    def blocks() -> Iterator[bytes]:
        reader = OutputReader(output.path, output.masker)
        read = 0
        try:
            # What is written meanwhile is left out: it may never end.
            while read <= size and (block := reader.read()):
                read += len(block)
                yield block
        except OSError:
            return
        yield reader.rest()

    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", output.script)[-_NAME:]
    name = f"{output.line.run_id}_{output.number:02}_{stem}.txt"
    return PlainText(content=blocks(), name=name)


def _output_of(question: Question) -> Output:
    """Find the output that an address means."""
    _ = question.formats.gettext
    number = whole_number(question.values["number"], 0)
    with question.store.view() as view:
        key = overview.key_of(view, question.values["run"])
        if key is None:
            raise no_run(question)
        (line,) = overview.lines(view, [key])
        found = overview.output_of(view, key, number)
    require_shown(question, line.path)
    if found is None:
        raise NotFound(
            _("This run has no script with the number {n}.").format(n=number)
        )
    script, state, path = found
    masker = question.projects.masker(line.path)
    alive = False
    if line.status is None and state in OPEN_STATES:
        _status, alive = end_of_open(question.store, question.site.settings.home, line)
    if path is None:
        words = _("{script} printed nothing: it did not run.")
        if alive:
            words = _("{script} has yet to start.")
        name = one_line(masker.text(script), _NAME)
        raise NotFound(words.format(script=name))
    _require_masked(question, line, number, masker.text(script), alive=alive)
    return Output(
        line=line,
        number=number,
        script=script,
        state=state,
        path=path,
        masker=masker,
        alive=alive,
    )


def _require_masked(
    question: Question, line: RunLine, number: int, script: str, *, alive: bool
) -> None:
    """Refuse an output in which its runner may know secrets that this process does not.

    Raises:
        Withheld: it is one.
    """
    _ = question.formats.gettext
    project = question.projects.configuration(line.path)
    unknown = withheld_by(question.store, question.site.settings, project, line, number)
    if unknown is None:
        return
    match alive, bool(unknown.names):
        case True, True:
            words = _(
                "The output of {script} is not shown before its end: it may hold secrets of"
                " variables that this dashboard does not know: {names}"
            )
        case True, False:
            words = _(
                "The output of {script} is not shown before its end: its runner has other"
                " passwords or tokens than this dashboard"
            )
        case False, True:
            words = _(
                "The output of {script} is not shown before the next run of its project: it may"
                " hold secrets of variables that this dashboard does not know: {names}"
            )
        case _:
            words = _(
                "The output of {script} is not shown before the next run of its project: its"
                " runner had other passwords or tokens than this dashboard"
            )
    advice = _(
        "Secrets are taken out of an output when its script ends, and the next run does so"
        " for what a killed runner left. A dashboard that is started with the same"
        " variables, and may read the same files, shows it at once: one that was started"
        " before a password was changed is started again."
    )
    raise Withheld(
        words.format(
            script=one_line(script, _NAME), names=", ".join(unknown.names[:_NAMES])
        ),
        advice,
        question.links.run(line.run_id),
        _("the run"),
    )


def _unreadable(question: Question, output: Output, error: OSError) -> Exception:
    """Return what is answered where an output is not there, or cannot be read."""
    formats = question.formats
    _ = formats.gettext
    back = question.links.run(output.line.run_id)
    label = _("the run")
    script = one_line(output.masker.text(output.script), _NAME)
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        words = _("The output of {script} cannot be read: {error}")
        return Gone(
            words.format(script=script, error=os.strerror(error.errno or 0)),
            back,
            label,
        )
    project = question.projects.configuration(output.line.path)
    age = question.now - output.line.started_at
    if output.alive:
        return Gone(
            _("{script} has printed nothing yet.").format(script=script), back, label
        )
    if project and age > timedelta(days=min(project.output_keep_days, 10**6)):
        words = formats.ngettext(
            "The output of {script} was deleted after {count} day (output_keep_days).",
            "The output of {script} was deleted after {count} days (output_keep_days).",
            project.output_keep_days,
        )
        days = formats.number(project.output_keep_days)
        return Gone(words.format(script=script, count=days), back, label)
    words = _(
        "The output of {script} is not there any more: somebody has deleted or moved it."
    )
    return Gone(words.format(script=script), back, label)


def _sentence(
    output: Output, view: OutputView, name: str, question: Question
) -> Markup:
    formats = question.formats
    _ = formats.gettext
    values = {
        "script": name,
        "project": one_line(output.line.project, _NAME),
        "moment": times.moment(output.line.started_at, question.now, formats),
        "size": formats.size(view.size),
    }
    if view.total is None:
        words = _("{script} of {project} printed {size} in the run of {moment}")
        return times.sentence(words, **values)
    if output.alive:
        words = formats.ngettext(
            "{script} of {project} has printed {count} line so far",
            "{script} of {project} has printed {count} lines so far",
            view.total,
        )
    else:
        words = formats.ngettext(
            "{script} of {project} printed {count} line ({size}) in the run of {moment}",
            "{script} of {project} printed {count} lines ({size}) in the run of {moment}",
            view.total,
        )
    return times.sentence(words, count=formats.number(view.total), **values)


def _opened(marks: Sequence[tuple[int, Mark]], state: State) -> int:
    """Return the line at which the output of a failed script opens; 0: at the first."""
    if state is not State.FAILED:
        return 0
    found = [number for number, mark in marks if mark is Mark.TRACEBACK]
    return (found or [number for number, _mark in marks] or [0])[-1]


def _ended(state: str) -> str | None:
    return {"planned": "skipped", "running": "interrupted"}.get(state, state)


def _gap(views: Sequence[PartView], view: OutputView) -> int:
    """Return how many lines lie between head and tail; -1 where nobody knows."""
    if len(views) < 2:  # noqa: PLR2004 - head and tail
        return 0
    if view.total is None:
        return -1
    return views[1].begin - views[0].after


def _has_more(last: PartView, view: OutputView) -> bool:
    return last.end < view.size


def _matching(
    output: Output, outputs: OutputPages, text: str, begin: int
) -> tuple[OutputView, int]:
    """Return the lines with a text from one on, and where to go on; 0: at the end."""
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    found: list[OutputLine] = []
    view, number = outputs.lines(output.path, output.masker, begin, _SEARCHED), 0
    if view.parts:
        lines = view.parts[0].lines
        found = [line for line in lines if pattern.search(plain(line.text))]
        if view.parts[0].end < view.size:
            number = lines[-1].number + 1
    if len(found) > _FOUND:
        number = found[_FOUND].number
    part = OutputPart(tuple(found[:_FOUND]), 0, view.size)
    return OutputView(view.size, view.total, (part,), view.unfinished), number


def _part(
    lines: Sequence[OutputLine], end: int, pattern: re.Pattern[str] | None
) -> PartView:
    colours = Colours()
    made = [_line(line, colours, pattern) for line in lines]
    html = "".join(element for element, _mark in made)
    marks = [
        (line.number, mark)
        for line, (_element, mark) in zip(lines, made, strict=True)
        if mark
    ]
    after = lines[-1].number + 1 if lines and lines[-1].number else 0
    return PartView(
        html=Markup(html),  # noqa: S704 - everything in it is escaped below
        begin=lines[0].number if lines else 0,
        end=end,
        after=after,
        marks=tuple(marks),
    )


def _line(
    line: OutputLine, colours: Colours, pattern: re.Pattern[str] | None
) -> tuple[str, Mark | None]:
    """Return the element of a line, and its mark; its number is no part of the text."""
    if line.text.isprintable() and colours.are_none:
        shown = line.text
        inner = escape(shown)
    else:
        spans = colours.spans(line.text)
        shown = "".join(span.text for span in spans)
        inner = "".join(map(_span, spans))
    if pattern and pattern.search(shown):
        inner = _with_matches(shown, pattern)
    mark = mark_of(shown)
    kind = f" {mark.value}" if mark else ""
    if not line.number:
        return f'<div class="l{kind}" id="B{line.offset}">{inner}\n</div>', mark
    n = line.number
    link = f'<a href="#L{n}" aria-label="{n}" tabindex="-1"></a>'
    return f'<div class="l{kind}" id="L{n}">{link}{inner}\n</div>', mark


def _span(span: Span) -> str:
    if not span.names:
        return escape(span.text)
    classes = " ".join(f"c-{name}" for name in span.names)
    return f'<span class="{classes}">{escape(span.text)}</span>'


def _with_matches(text: str, pattern: re.Pattern[str]) -> str:
    parts, place = [], 0
    for match in pattern.finditer(text):
        parts += [
            escape(text[place : match.start()]),
            f"<mark>{escape(match[0])}</mark>",
        ]
        place = match.end()
    return "".join((*parts, escape(text[place:])))
