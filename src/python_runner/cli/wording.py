"""Words for what the terminal shows: results, runs, and reports in the outbox.

Nothing here prints.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from python_runner.model import MailStatus, Outcome, RunStatus
from python_runner.records.messages import MessageState
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import N_, system_language
from python_runner.texts.sentence import translate as _
from python_runner.tracebacks.names import short_exception


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from python_runner.model import Run, ScriptResult
    from python_runner.records.messages import QueuedMessage, Recipient
    from python_runner.texts.sentence import Sentence

_MAIL_WORDS = {
    MailStatus.SENT: N_("sent"),
    MailStatus.QUEUED: N_("queued"),
    MailStatus.FAILED: N_("given up"),
}
_REPORT_WORDS = {
    MailStatus.SENT: N_("report sent"),
    MailStatus.QUEUED: N_("report queued"),
    MailStatus.FAILED: N_("report given up"),
}
_MESSAGE_WORDS = {
    MessageState.QUEUED: N_("queued"),
    MessageState.SENT: N_("sent"),
    MessageState.FAILED: N_("given up"),
    MessageState.DROPPED: N_("dropped"),
}
_RECIPIENT_WORDS = {
    "pending": N_("waiting"),
    "sent": N_("sent"),
    "failed": N_("given up"),
}


#: Signs in front of scripts, the one of whatever failed aside.
_MARKS = {
    Outcome.SUCCESS: ("✓", "green"),
    Outcome.STOPPED: ("✗", "yellow"),
    Outcome.SKIPPED: ("○", "dim"),
}
_STATUS_COLOURS = {
    None: "cyan",
    RunStatus.SUCCESS: "green",
    RunStatus.STOPPED: "yellow",
    RunStatus.SKIPPED: "yellow",
}


def formats() -> Formats:
    """Return how the system's language writes things."""
    return Formats(system_language())


def labelled(name: str, value: object) -> str:
    """Return a name and its value, with the colon of the system's language."""
    return _("{name}: {value}").format(name=name, value=flat(str(value)))


def say(sentence: Sentence) -> str:
    """Return a sentence in the system's language, on one line."""
    return flat(sentence.in_language(system_language()))


def outcome_word(outcome: Outcome) -> str:
    """Return the word for a script's outcome."""
    return _(outcome.word)


def outcome_mark(outcome: Outcome) -> tuple[str, str]:
    """Return the sign in front of a script that ended so, and its colour."""
    return _MARKS.get(outcome, ("✗", "red"))


def status_word(status: RunStatus | None) -> str:
    """Return the word for a run's status; None stands for a run that is active."""
    return _("running") if status is None else _(status.word)


def status_colour(status: RunStatus | None) -> str:
    """Return the colour of that word on a terminal."""
    return _STATUS_COLOURS.get(status, "red")


def run_reason(run: Run) -> str:
    """Return on one line why a run did not succeed; nothing where that is not to be said.

    By its error, or by the first script that failed: a later one may follow from it.
    """
    if run.error:
        return say(run.error)
    if not run.failed_scripts:
        return ""
    first, *others = run.failed_scripts
    reason = labelled(first.script, why(first) or outcome_word(first.outcome))
    if first.place:
        reason += f" ({flat(first.place)})"
    if others:
        reason += f" (+{len(others)})"
    return reason


def mail_word(mail: MailStatus) -> str:
    """Return the word for what became of a report; nothing where there was none."""
    return _(_MAIL_WORDS[mail]) if mail in _MAIL_WORDS else ""


def duration(seconds: float) -> str:
    """Return a duration in the system's language."""
    return formats().duration(seconds)


def why(result: ScriptResult) -> str:
    """Return on one line why a script did not succeed."""
    if result.ended_by:
        return flat(short_exception(result.ended_by))
    return say(result.reason) if result.reason else ""


def result_line(project: str, result: ScriptResult) -> str:
    """Return the line about one script that has ended."""
    line = flat(f"{project}: {result.script}: {outcome_word(result.outcome)}")
    if result.attempts:
        line += f" ({duration(result.duration)})"
    if not result.succeeded:
        line += f" - {why(result)}"
    return line


def run_line(run: Run) -> str:
    """Return the line about a run that has ended."""
    done = sum(result.succeeded for result in run.scripts)
    parts = [
        flat(f"{run.project}: {_(run.status.word)}"),
        _("{done} of {total} succeeded").format(done=done, total=len(run.scripts)),
        duration(run.duration),
    ]
    if run.mail_status in _REPORT_WORDS:
        parts.append(_(_REPORT_WORDS[run.mail_status]))
    return ", ".join(parts)


def undelivered(run: Run) -> str | None:
    """Return why a report has not reached everybody; None where it has, or none was due."""
    if run.mail_status not in {MailStatus.QUEUED, MailStatus.FAILED}:
        return None
    line = _(_REPORT_WORDS[run.mail_status])
    if run.mail_reason:
        line = labelled(line, formats().say(run.mail_reason))
    return line


def notable_lines(result: ScriptResult) -> list[str]:
    """Return what people look at first: exception, place, warnings, output."""
    lines = [] if result.succeeded else [why(result)]
    if result.place:
        lines.append(_("at {place}").format(place=flat(result.place)))
    lines += [say(warning) for warning in result.warnings]
    return lines + output_lines(result)


def output_lines(result: ScriptResult) -> list[str]:
    """Return where the output of a script is; nothing where that file holds none.

    Output that could not be kept there is elsewhere: a warning of the script says where.
    """
    try:
        empty = result.output is None or result.output.stat().st_size == 0
    except OSError:
        empty = True
    return [] if empty else [_("output: {path}").format(path=flat(str(result.output)))]


def message_lines(queued: QueuedMessage, now: datetime) -> Iterator[str]:
    """Yield the lines about one report in the outbox: its state, for whom, and why.

    ``now``, which is aware, says whether another process is sending it.
    """
    yield "  ".join(
        (
            str(queued.number),
            _(_MESSAGE_WORDS[queued.state]),
            flat(f"{queued.project} ({queued.run_id})"),
            flat(queued.message.subject),
        )
    )
    tries = _("queued {moment}, attempts: {count}").format(
        moment=formats().moment(queued.queued_at), count=queued.attempts
    )
    if queued.leased_until and queued.is_claimed(now):
        tries += _(
            ", being sent by another process, until {moment} at the latest"
        ).format(moment=formats().moment(queued.leased_until))
    elif queued.state is MessageState.QUEUED:
        # Nothing runs in the background: a run or a flush sends what waits.
        tries += _(", next try with the first run after {moment}").format(
            moment=formats().moment(queued.next_try_at)
        )
    yield f"    {tries}"
    addresses: defaultdict[str, list[str]] = defaultdict(list)
    for recipient in queued.recipients:
        addresses[_recipient_words(recipient)].append(recipient.address)
    for words, whose in addresses.items():
        yield "    " + flat(labelled(", ".join(whose), words))


def _recipient_words(recipient: Recipient) -> str:
    words = _(_RECIPIENT_WORDS[recipient.state])
    if recipient.detail:
        words += f" - {formats().say(recipient.detail)}"
    return words
