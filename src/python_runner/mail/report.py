"""A run becomes a report: subject, plain text and HTML, in its readers' language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from python_runner.mail.sanitize import one_line
from python_runner.mail.view import (
    LINE,
    Bounds,
    RunView,
    counts,
    headline,
    own_failures,
    view_run,
)
from python_runner.mail.wording import duration, number
from python_runner.model import RunStatus
from python_runner.texts import N_, Text, catalogue


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from python_runner.model import EmailStrategy, Run

#: Bytes of traceback and output a report shows of one script.
SCRIPT_BYTES = 64 * 1024
#: Bytes of text and HTML together: base64 makes 1 MiB of them, the size of a mail that
#: no server refuses.
REPORT_BYTES = 740 * 1024
#: Characters of a subject that a list of mails still shows.
SUBJECT = 180
#: Scripts a report names before it only counts them.
MOST_SCRIPTS = 200


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail says; ``html`` is empty when there is only the text."""

    subject: str
    text: str
    html: str


def render(
    run: Run,
    *,
    strategy: EmailStrategy,
    language: str,
    tails: Mapping[str, str] | None = None,
    host: str = "",
    log: Path | None = None,
) -> Report:
    """Tell of ``run``.

    Args:
        run: what happened.
        strategy: which scripts are named: all, or those that did not succeed.
        language: ``fr`` or ``en``.
        tails: the end of the output, by name of script.
        host: the computer that ran it.
        log: the project's log.

    Returns:
        A report of bounded size, whatever the scripts said. If it cannot be laid out, a
        plain one: a report is never lost because of how it looks.
    """
    try:
        for bounds in _bounds():
            view = view_run(
                run,
                strategy=strategy,
                language=language,
                tails=tails or {},
                host=host,
                log=log,
                bounds=bounds,
            )
            report = _lay_out(view, _subject(run, language), language)
            if len(report.text.encode()) + len(report.html.encode()) <= REPORT_BYTES:
                return report
    except Exception as error:  # noqa: BLE001 - whatever it is, people must be told
        return fallback_report(run, f"{type(error).__name__}: {error}")
    return fallback_report(run, "the report is too large")


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


def _in_english(text: Text | None) -> str:
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


def _subject(run: Run, language: str) -> str:
    values: dict[str, object] = {
        "project": run.project,
        "count": counts(run, language),
        "duration": duration(run.duration, language),
        "error": run.error.in_language(language) if run.error else "",
    }
    template = _SUBJECTS[run.status]
    if run.status is RunStatus.FAILURE:
        first, *others = own_failures(run)
        values["more"] = f" (+{number(len(others), language)})" if others else ""
        values["script"] = script = one_line(first.script, LINE // 2)
        room = SUBJECT - len(run.project) - len(script) - 30
        values["headline"] = one_line(headline(first, language), max(room, 40))
    return one_line(Text(template, values).in_language(language), SUBJECT)


_SUBJECTS = {
    RunStatus.SUCCESS: N_("[{project}] succeeded: {count} in {duration}"),
    RunStatus.FAILURE: N_("[{project}] failed: {script} - {headline}{more}"),
    RunStatus.STOPPED: N_("[{project}] stopped after {duration}: {count}"),
    RunStatus.INTERRUPTED: N_("[{project}] interrupted: {count}"),
    RunStatus.SKIPPED: N_("[{project}] skipped: {error}"),
    RunStatus.NOT_STARTED: N_("[{project}] not started: {error}"),
}


def _lay_out(view: RunView, subject: str, language: str) -> Report:
    environment = _environment(language)
    values = {"run": view, "subject": subject, "language": language}
    text = environment.get_template("report.txt.j2").render(values)
    html = environment.get_template("report.html.j2").render(values)
    return Report(subject, text, html)


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
    return environment
