"""What a report shows of a failure beside its cause: a traceback, and the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, cut_middle
from python_runner.tracebacks.excerpt import excerpt, fold_repeated_lines


if TYPE_CHECKING:
    from python_runner.model import Run, ScriptResult
    from python_runner.report.context import ReportContext

#: Lines shown of the end of an output that is attached as well.
TAIL_LINES = 20

#: Characters at the beginning of an output's end that are looked for in a traceback.
_LIKENESS = 60

_HAS_FRAMES = lazy_pattern(
    'File "|[╭+]──|Traceback \\(|Fatal Python error: |Windows fatal exception: '
)
#: What Python draws under the part of a line that failed: on a telephone, where lines
#: wrap, under something else.
_CARETS = lazy_pattern(r"(?m)(^\s+File \".*\n\s+\S.*\n)[ \t|]+[~^][~^ \t]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Details:
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


def details_of(
    run: Run, result: ScriptResult, context: ReportContext, limit: int
) -> Details:
    """Return at most about ``limit`` bytes of what a failed script said."""
    if result.succeeded:
        return Details()
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
    elif parts := _around(trace, tail):
        # The report shows it above the output, and need not show it twice.
        before, after = parts
        tail = before.rstrip()
        tail_title = _("Output before the traceback")
        if after.strip():
            above = _("[the traceback above]")
            tail = f"{tail}\n{above}\n{after.strip()}"
            tail_title = _("End of the output")
    tail = _CARETS.sub(r"\1", tail.strip("\n"))
    if tail == (traceback.exception if traceback else None):
        # The cause is all that it printed.
        tail = ""
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
    return Details(
        trace=shown_trace.strip("\n"),
        trace_title=_trace_title(result, trace, context.language),
        tail=last_lines,
        tail_title=tail_title,
        whole=whole and result.script not in context.partial,
    )


def _around(trace: str, tail: str) -> tuple[str, str] | None:
    """Return what stands before and after a traceback in the end of an output, or None.

    The end may begin within a long traceback.
    """
    if trace in tail:
        before, _, after = tail.rpartition(trace)
        return before, after
    # As many characters as a chance likeness does not have.
    begin = tail[:_LIKENESS]
    place = trace.find(begin) if len(begin) == _LIKENESS else -1
    while place >= 0:
        if tail.startswith(rest := trace[place:]):
            return "", tail.removeprefix(rest)
        place = trace.find(begin, place + 1)
    return None


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
