"""How the terminal words facts; nothing here prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.cli.tables import flat
from python_runner.model import MailStatus, Outcome, RunStatus
from python_runner.texts.formats import duration as worded_duration
from python_runner.texts.sentence import N_, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from python_runner.model import Run, ScriptResult

_OUTCOMES = {
    Outcome.SUCCESS: N_("success"),
    Outcome.FAILURE: N_("failure"),
    Outcome.TIMEOUT: N_("timed out"),
    Outcome.STOPPED: N_("stopped"),
    Outcome.SKIPPED: N_("skipped"),
    Outcome.INTERRUPTED: N_("interrupted"),
    Outcome.NOT_STARTED: N_("not started"),
}
_STATUSES = {
    RunStatus.SUCCESS: N_("success"),
    RunStatus.FAILURE: N_("failure"),
    RunStatus.STOPPED: N_("stopped"),
    RunStatus.INTERRUPTED: N_("interrupted"),
    RunStatus.SKIPPED: N_("skipped"),
    RunStatus.NOT_STARTED: N_("not started"),
}
_MAIL_WORDS = {
    MailStatus.SENT: N_("sent"),
    MailStatus.QUEUED: N_("queued"),
    MailStatus.FAILED: N_("given up"),
}
_MAIL = {
    MailStatus.SENT: N_("report sent"),
    MailStatus.QUEUED: N_("report queued"),
    MailStatus.FAILED: N_("report given up"),
}


def outcome_word(outcome: Outcome) -> str:
    """Return the word for a script's outcome."""
    return _(_OUTCOMES[outcome])


def status_word(status: RunStatus) -> str:
    """Return the word for a run's status."""
    return _(_STATUSES[status])


def mail_word(mail: MailStatus) -> str:
    """Return the word for what became of a report; nothing where there was none."""
    return _(_MAIL_WORDS[mail]) if mail in _MAIL_WORDS else ""


def duration(seconds: float) -> str:
    """Return a duration as the reports word it, in the system's language."""
    return worded_duration(seconds, system_language())


def mark(result: ScriptResult, encoding: str | None) -> str:
    """Return a tick or a cross, in characters the stream can write."""
    symbol, plain = ("✓", "+") if result.succeeded else ("✗", "x")
    try:
        symbol.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return plain
    return symbol


def why(result: ScriptResult) -> str:
    """Return the few words, on one line, that tell why a script did not succeed."""
    traceback = result.last_traceback
    if traceback:
        return flat(traceback.exception)
    return flat(result.reason.in_language(system_language())) if result.reason else ""


def result_line(project: str, result: ScriptResult) -> str:
    """Return the line that tells of one script's end."""
    line = flat(f"{project}: {result.script}: {outcome_word(result.outcome)}")
    if result.attempts:
        line += f" ({duration(result.duration)})"
    if not result.succeeded:
        line += f" - {why(result)}"
    return line


def run_line(run: Run) -> str:
    """Return the line that tells of a run's end."""
    done = sum(result.succeeded for result in run.scripts)
    parts = [
        flat(f"{run.project}: {status_word(run.status)}"),
        _("{done} of {total} succeeded").format(done=done, total=len(run.scripts)),
        duration(run.duration),
    ]
    if run.mail_status in _MAIL:
        parts.append(_(_MAIL[run.mail_status]))
    return ", ".join(parts)


def undelivered(run: Run) -> str | None:
    """Return why a report has not reached everybody; None where it has, or none was due."""
    if run.mail_status not in {MailStatus.QUEUED, MailStatus.FAILED}:
        return None
    line = _(_MAIL[run.mail_status])
    if run.mail_reason:
        line += f": {run.mail_reason.in_language(system_language())}"
    return line


def notable_lines(result: ScriptResult) -> list[str]:
    """Return what one looks at first: exception, place, what was odd, output."""
    lines = [] if result.succeeded else [why(result)]
    traceback = result.last_traceback
    if traceback and traceback.file:
        place = flat(f"{traceback.file}:{traceback.line}")
        lines.append(_("at {place}").format(place=place))
    lines += [flat(w.in_language(system_language())) for w in result.warnings]
    if result.output and result.attempts:
        lines.append(_("output: {path}").format(path=result.output))
    return lines
