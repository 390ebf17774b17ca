"""What several pages say of runs and projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.installation import shell_word
from python_runner.model import MailStatus, RunStatus, Traceback
from python_runner.report.digest import rhythm_words
from python_runner.report.summary import LINE, place
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_
from python_runner.tracebacks.names import short_exception
from python_runner.web import times
from python_runner.web.states import State, word_of


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from markupsafe import Markup

    from python_runner.model.digest import Silent
    from python_runner.model.overview import FailedScript, RunLine
    from python_runner.texts.formats import Formats
    from python_runner.texts.sentence import Sentence
    from python_runner.web.reading.overview import Row

#: Characters of a name.
NAME = 60
_MAIL = {
    MailStatus.SENT: N_("sent"),
    MailStatus.QUEUED: N_("queued"),
    MailStatus.FAILED: N_("given up"),
}


def why(failure: FailedScript, formats: Formats) -> str:
    """Return on one line why a script did not succeed: ``KeyError: 'amount'``."""
    if failure.exception:
        said = short_exception(failure.exception)
    elif failure.reason:
        said = formats.say(failure.reason)
    else:
        said = word_of(failure.outcome, formats)
    return one_line(said, LINE)


def where(failure: FailedScript, formats: Formats) -> str:
    """Return the place of its exception in the project; empty where there is none."""
    found = Traceback(
        text="",
        exception=failure.exception,
        file=failure.file,
        line=failure.line,
        function=failure.function,
    )
    return place(found, formats) if failure.file else ""


def why_failed(line: RunLine, formats: Formats) -> str:
    """Return on one line why a run did not succeed: ``import.py: KeyError: 'amount'``."""
    if line.error or line.failure is None:
        return one_line(formats.say(line.error), LINE)
    if line.status is RunStatus.NOT_STARTED:
        # No script is to blame: none was begun.
        return why(line.failure, formats)
    words = formats.gettext("{name}: {value}")
    name = one_line(line.failure.script, NAME)
    return words.format(name=name, value=why(line.failure, formats))


def reason_of(row: Row, now: datetime, formats: Formats) -> str:
    """Return on one line why a project does as it does; empty where it does well.

    It may hold elements; all else in it is escaped then.
    """
    match row.state:
        case State.SILENT if row.known.silent:
            return silence(row.known.silent, now, formats)
        case State.UNUSUAL:
            return joined(row.unusual, formats)
        case State.INTERRUPTED if row.left:
            words = formats.gettext(
                "began {moment}, and its runner is no longer alive; the next run will"
                " report it"
            )
            moment = times.moment(row.left.started_at, now, formats)
            return times.sentence(words, moment=moment)
        case State.FAILED | State.INTERRUPTED:
            said = why_failed(row.last, formats) if row.last else ""
            return (
                said or one_line(row.known.problem or "", LINE) or pending(row, formats)
            )
        case _:
            return pending(row, formats)


def pending(row: Row, formats: Formats) -> str:
    """Return that a project's folder has not answered yet; empty where it has."""
    if not row.is_pending:
        return ""
    return formats.gettext("its folder has not been looked at yet")


def joined(sentences: Sequence[Sentence], formats: Formats) -> str:
    """Return sentences on one line."""
    return one_line(" · ".join(map(formats.say, sentences)), LINE)


def silence(silent: Silent, now: datetime, formats: Formats) -> Markup:
    """Return when a project should have run, by what, and how long ago that was."""
    if silent.schedule:
        words = formats.gettext("due {moment} by its schedule ({schedule})")
    else:
        words = formats.ngettext(
            "expected {moment} by its rhythm ({rhythm}, learnt from {count} run)",
            "expected {moment} by its rhythm ({rhythm}, learnt from {count} runs)",
            silent.runs,
        )
    said = times.sentence(
        words,
        moment=times.moment(silent.expected_at, now, formats),
        schedule=one_line(silent.schedule or "", LINE),
        rhythm=rhythm_words(silent, formats),
        count=formats.number(silent.runs),
    )
    return times.sentence(
        formats.gettext("{reason}, for {duration}"),
        reason=said,
        duration=times.lasting(silent.expected_at, now, formats),
    )


def mail_words(row: Row, formats: Formats) -> str:
    """Return what became of a project's reports."""
    if row.waiting:
        words = formats.gettext("{count} waiting")
        return words.format(count=formats.number(row.waiting))
    word = _MAIL.get(row.last.mail) if row.last else None
    return formats.gettext(word) if word else "\N{EN DASH}"


def run_command(folder: Path, *, resume: bool = False) -> str:
    """Return the command that runs a project, to be copied."""
    words = ["python-runner", "run", shell_word(str(folder))]
    return " ".join((*words, "--resume") if resume else words)
