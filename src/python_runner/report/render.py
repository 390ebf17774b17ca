"""A run becomes a report: subject, plain text and HTML, in its readers' language."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from python_runner.report.subject import SUBJECT, subject_of
from python_runner.report.view import LINE, Bounds, Material, RunView, view_run
from python_runner.texts.formats import number
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import catalogue


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from python_runner.model import Comparison, EmailStrategy, Run
    from python_runner.texts.sentence import Sentence

#: Bytes of traceback and output a report shows of one script.
SCRIPT_BYTES = 64 * 1024
#: Bytes of text and HTML together: base64 makes 1 MiB of them, the size of a mail that
#: no server refuses.
REPORT_BYTES = 740 * 1024
#: Scripts a report names before it only counts them.
MOST_SCRIPTS = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail says.

    Attributes:
        subject: one short line.
        text: everything, by itself.
        html: the same; empty when there is only the text.
        language: of its sentences.
        attached: scripts whose captured output goes with it, as the report says.
    """

    subject: str
    text: str
    html: str
    language: str = "en"
    attached: tuple[str, ...] = ()


def render(
    run: Run,
    *,
    strategy: EmailStrategy,
    language: str,
    tails: Mapping[str, str] | None = None,
    partial: Collection[str] = (),
    attach: bool = False,
    comparisons: Mapping[str, Comparison] | None = None,
    host: str = "",
    log: Path | None = None,
) -> Report:
    """Tell of ``run``.

    Args:
        run: what happened.
        strategy: which scripts are named: all, or those that did not succeed.
        language: ``fr`` or ``en``.
        tails: the end of the output, by name of script.
        partial: scripts whose output is longer than that.
        attach: whether the output of scripts in ``tails`` can go with the report, where
            it shows not all of it.
        comparisons: how scripts compare with their past, by name.
        host: the computer that ran it.
        log: the project's log.

    Returns:
        A report of bounded size, whatever the scripts said. If it cannot be laid out, a
        plain one: a report is never lost because of how it looks.
    """
    material = Material(
        tails=tails or {},
        partial=partial,
        attach=attach,
        comparisons=comparisons or {},
    )
    try:
        subject = subject_of(run, material.comparisons, language)
        for bounds in _bounds():
            view = view_run(
                run,
                strategy=strategy,
                language=language,
                material=material,
                host=host,
                log=log,
                bounds=bounds,
            )
            report = _lay_out(view, subject, language)
            if len(report.text.encode()) + len(report.html.encode()) <= REPORT_BYTES:
                return report
        why = "the report is too large"
    except Exception as error:  # noqa: BLE001 - whatever it is, people must be told
        why = f"{type(error).__name__}: {error}"
    attached = tuple(material.tails) if attach else ()
    return replace(fallback_report(run, why), attached=attached)


def fallback_report(run: Run, why: str) -> Report:
    """Tell of ``run`` in the plainest way, which nothing can break.

    Args:
        run: what happened.
        why: why there is no better report.
    """
    subject = one_line(f"[{run.project}] {run.status.value}", SUBJECT)
    scripts = (
        f"{result.script}: {result.outcome.value} {_in_english(result.reason)}"
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


def _bounds() -> Iterator[Bounds]:
    """Yield ever smaller reports until one fits."""
    details = SCRIPT_BYTES
    while details >= 256:  # noqa: PLR2004 - less of a traceback says nothing
        yield Bounds(details=details, scripts=MOST_SCRIPTS)
        details //= 2
    yield Bounds(details=256, scripts=MOST_SCRIPTS // 10)


def _lay_out(view: RunView, subject: str, language: str) -> Report:
    environment = _environment(language)
    values = {"run": view, "subject": subject, "language": language}
    text = environment.get_template("report.txt.j2").render(values)
    html = environment.get_template("report.html.j2").render(values)
    return Report(subject, text, html, language, view.attached)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["_"] = catalogue(language).gettext
    environment.globals["ngettext"] = catalogue(language).ngettext
    environment.filters["number"] = lambda value: number(value, language)
    environment.filters["spaced"] = _spaced
    return environment


def _spaced(text: str) -> str:
    """Keep what is indented so: Outlook for Windows and Exchange ignore white-space."""
    return re.sub("(?m)^ | (?= )", "\N{NO-BREAK SPACE}", text.expandtabs(4))
