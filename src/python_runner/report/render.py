"""Renders a run as a report: subject, plain text and HTML, in its readers' language."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from python_runner.facts import dataclass
from python_runner.report.subject import SUBJECT, subject_of
from python_runner.report.summary import LINE
from python_runner.report.view import GOOD, MARKS, Limits, RunView, moment_of, view_run
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, cut_middle, one_line


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from python_runner.model import Run
    from python_runner.report.context import ReportContext
    from python_runner.report.mime import Attachment
    from python_runner.texts.sentence import Sentence

#: Bytes of traceback and output a report shows of one script.
SCRIPT_BYTES = 64 * 1024
#: Bytes of a failed script's output, its end, that are part of them.
TAIL_BYTES = 8_000
#: Longest traceback that is read beside them.
MOST_TRACE_BYTES = 24_000
#: Bytes of text and HTML together: base64 makes 1 MiB of them, the size of a mail that
#: no server refuses.
REPORT_BYTES = 740 * 1024
#: Bytes of HTML in a mail: Gmail shows 102 KB of it, and a link to the rest.
HTML_BYTES = 100_000
#: Scripts a report names before it only counts them.
MOST_SCRIPTS = 200
#: The limits of ever smaller reports of a large series.
_SMALLER = (
    Limits(details=2048, scripts=MOST_SCRIPTS, failures=20),
    # Rather few words of many scripts than many of few.
    Limits(details=2048, scripts=MOST_SCRIPTS, failures=10, sentence=500, warnings=3),
    Limits(details=2048, scripts=100, failures=10, sentence=250, warnings=1),
    Limits(details=2048, scripts=60, failures=10, sentence=250, warnings=1),
    Limits(details=1024, scripts=30, failures=5, sentence=250, warnings=1),
    Limits(details=512, scripts=15, failures=3, sentence=250, warnings=1),
    Limits(details=256, scripts=5, failures=1, sentence=120, warnings=1),
)
#: Those of the text that is attached where the mail itself shows less.
_WHOLE = Limits(details=4096, scripts=10_000, failures=200, sentence=500, warnings=5)
#: So many times too large, a report is not tried with a little less of each script.
_HOPELESS = 4


@dataclass(frozen=True, slots=True)
class Report:
    """A run, rendered for people.

    Attributes:
        html: the same as ``text``; empty when there is only the text.
        attached: scripts whose captured output the report calls attached.
        attachment: that output, or None.
        whole: the text of the whole report, where this one is shortened and what it
            leaves out is attached; empty otherwise.
    """

    subject: str
    text: str
    html: str
    language: str = "en"
    attached: tuple[str, ...] = ()
    attachment: Attachment | None = None
    whole: str = ""


def render(run: Run, context: ReportContext) -> Report:
    """Return the report of ``run``.

    Its size is bounded, whatever the scripts printed. If anything goes wrong, it is a
    plain report: no report is lost because of its layout.
    """
    try:
        subject = subject_of(run, context)
        excess = 0.0
        for limits in _limits():
            if excess > _HOPELESS and limits not in _SMALLER:
                continue
            view = view_run(run, context, limits)
            report = _fill_templates(view, subject, context.language)
            excess = _excess(report, context)
            if excess <= 1:
                whole = _whole(run, subject, context) if view.rest_attached else ""
                return replace(report, whole=whole)
        why = "the report is too large"
    except Exception as error:  # noqa: BLE001 - any failure still needs a report
        why = f"{type(error).__name__}: {error}"
    attached = tuple(context.tails) if context.attach else ()
    return replace(fallback_report(run, why), attached=attached)


def render_notice(
    title: str, text: str, *, subject: str, moment: datetime, host: str, language: str
) -> Report:
    """Return a report without a run: good news in a title, and a text that explains it.

    ``moment`` is aware.
    """
    formats = Formats(language)
    view = RunView(
        project="",
        kind=GOOD,
        mark=MARKS[GOOD],
        title=title,
        error=clean(text),
        preview=one_line(text, LINE),
        moment=moment_of(moment, None, host, formats),
    )
    return _fill_templates(view, subject, language)


def fallback_report(run: Run, why: str) -> Report:
    """Return a plain English report of ``run``, made without templates and catalogues.

    ``why`` says why there is no better one.
    """
    subject = one_line(f"[{run.project}] {run.status.word}", SUBJECT)
    scripts = (
        f"{result.script}: {result.outcome.word} {_in_english(result.reason)}"
        for result in run.scripts[:MOST_SCRIPTS]
    )
    lines = (
        _in_english(run.error),
        *scripts,
        f"Run {run.run_id}, {run.path}",
        f"The full report could not be made: {why}",
    )
    text = "\n".join(line for line in (one_line(line, LINE) for line in lines) if line)
    return Report(subject, f"{subject}\n\n{text}\n", "")


def _in_english(text: Sentence | None) -> str:
    try:
        return str(text or "")
    except (LookupError, ValueError):
        # The very sentence may be what keeps the full report from being made.
        return text.template if text else ""


def _limits() -> Iterator[Limits]:
    """Yield limits for ever smaller reports, to be tried until one fits."""
    details = SCRIPT_BYTES
    while details > _SMALLER[0].details:
        yield Limits(details=details, scripts=MOST_SCRIPTS)
        details //= 2
    yield from _SMALLER


def _excess(report: Report, context: ReportContext) -> float:
    """Return how many times larger a report is than it may be; up to 1 it fits."""
    html = len(report.html.encode())
    whole = (len(report.text.encode()) + html) / REPORT_BYTES
    return max(whole, html / HTML_BYTES) if context.attach else whole


def _whole(run: Run, subject: str, context: ReportContext) -> str:
    """Return the text of a report that leaves out no script."""
    view = view_run(run, replace(context, attach=False), _WHOLE)
    text = _fill_templates(view, subject, context.language, kinds=("txt",)).text
    return cut_middle(text, REPORT_BYTES, context.language)


def _fill_templates(
    view: RunView,
    subject: str,
    language: str,
    *,
    kinds: Sequence[str] = ("txt", "html"),
) -> Report:
    environment = templates(language)
    values = {"run": view, "subject": subject, "language": language}
    text, html = (
        environment.get_template(f"report.{kind}.j2").render(values)
        if kind in kinds
        else ""
        for kind in ("txt", "html")
    )
    return Report(subject, text, html, language, view.attached)


@cache
def templates(language: str) -> Environment:
    """Return what fills the templates in a language."""
    formats = Formats(language)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["_"] = formats.gettext
    environment.globals["ngettext"] = formats.ngettext
    environment.filters["number"] = formats.number
    environment.filters["spaced"] = _spaced
    return environment


def _spaced(text: str) -> str:
    """Return ``text`` with hard spaces: Outlook for Windows and Exchange drop others."""
    return re.sub("(?m)^ | (?= )", "\N{NO-BREAK SPACE}", text.expandtabs(4))
