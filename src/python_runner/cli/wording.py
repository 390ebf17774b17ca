"""Words for what the terminal shows: results, runs, and reports in the outbox.

Nothing here prints.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_runner.installation import own_command, shell_word
from python_runner.model import MailStatus, Outcome, Run, RunStatus, ScriptResult
from python_runner.model.run import OUTCOME_WORDS
from python_runner.records.messages import (
    MessageState,
    came_otherwise,
    where_written,
)
from python_runner.records.store import SHORT_ID
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, flat
from python_runner.texts.sentence import N_, after_word, system_language
from python_runner.texts.sentence import translate as _
from python_runner.tracebacks.names import short_exception


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from python_runner.model import Attempt, OpenRun
    from python_runner.records.messages import QueuedMessage, Recipient
    from python_runner.runner.events import AttemptEnded
    from python_runner.scheduling.slots import Missed
    from python_runner.texts.sentence import Sentence

#: Scripts that are named in one line.
_NAMED = 3
#: Between the parts of a line that ends something.
_POINT = " · "
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


def joined(*parts: str) -> str:
    """Return names and what is said of them, with the colons of the system's language."""
    *names, line = parts
    for name in reversed(names):
        line = _("{name}: {value}").format(name=name, value=line)
    return line


def say(sentence: Sentence) -> str:
    """Return a sentence in the system's language, on one line."""
    return flat(sentence.in_language(system_language()))


def outcome_word(outcome: Outcome) -> str:
    """Return the word for a script's outcome."""
    return _(outcome.word)


def result_mark(result: ScriptResult) -> tuple[str, str]:
    """Return the sign in front of a script's result, and its colour."""
    return ("▲", "yellow") if result.unusual else outcome_mark(result.outcome)


def outcome_mark(outcome: Outcome) -> tuple[str, str]:
    """Return the sign in front of a script that ended so, and its colour."""
    return _MARKS.get(outcome, ("✗", "red"))


def status_word(status: RunStatus | None) -> str:
    """Return the word for a run's status; None stands for a run that is active."""
    return _("running") if status is None else _(status.word)


def status_colour(status: RunStatus | None) -> str:
    """Return the colour of that word on a terminal."""
    return _STATUS_COLOURS.get(status, "red")


def run_colour(run: Run | OpenRun, status: RunStatus | None) -> str:
    """Return the colour of the word for a run's status: a success may be unusual."""
    unusual = isinstance(run, Run) and run.unusual_scripts
    return (
        "yellow" if unusual and status is RunStatus.SUCCESS else status_colour(status)
    )


def unusual_words(run: Run) -> str:
    """Return on one line which success of a run is unusual, and why; nothing where none is."""
    if not run.unusual_scripts:
        return ""
    first, *others = run.unusual_scripts
    reasons = _POINT.join(map(say, first.unusual))
    words = joined(_("unusual"), flat(first.script), reasons)
    return words + (f" (+{len(others)})" if others else "")


def run_reason(run: Run) -> str:
    """Return on one line why a run did not succeed, or which success is unusual.

    By its error, or by the first script that failed: a later one may follow from it.
    """
    if run.error:
        return say(run.error)
    if not run.failed_scripts:
        return unusual_words(run)
    first, *others = run.failed_scripts
    said = why(first)
    reason = labelled(first.script, said or outcome_word(first.outcome))
    if after_word(said, _(run.status.word)) is not None:
        # The status stands beside it.
        reason = flat(first.script)
    if first.place:
        reason += f" ({flat(first.place)})"
    if others:
        reason += f" (+{len(others)})"
    return reason


def mail_word(mail: MailStatus, run: Run | None = None) -> str:
    """Return the word for what became of a report; nothing where there was none.

    The ``run``, once it has ended, tells more: what holds it back, or that it is a file.
    """
    if run and run.held and run.held.back:
        return _("held back")
    if run and written(run):
        return _("written")
    return _(_MAIL_WORDS[mail]) if mail in _MAIL_WORDS else ""


def duration(seconds: float) -> str:
    """Return a duration in the system's language."""
    return formats().duration(seconds)


def why(result: ScriptResult) -> str:
    """Return on one line why a script did not succeed."""
    if result.ended_by:
        return flat(short_exception(result.ended_by))
    return say(result.reason) if result.reason else ""


def why_beside(result: ScriptResult | Attempt) -> str:
    """Return the same to stand after the word for the outcome, which is not said twice.

    Of ``timed out after 45 s`` that is ``after 45 s``.
    """
    word = outcome_word(result.outcome)
    reason = why(result) if isinstance(result, ScriptResult) else why_again(result)
    # That of a failure is the script's own sentence.
    if result.outcome is Outcome.FAILURE:
        return reason
    rest = after_word(reason, word)
    return reason if rest is None else rest


def outcome_and_why(result: ScriptResult) -> tuple[str, str]:
    """Return the word for an outcome, and on a line of its own why it is not a success.

    Nothing is left for that line where the reason has the word in it, and stands for it.
    """
    word, reason = outcome_word(result.outcome), why(result)
    if result.succeeded:
        return word, ""
    return (word, reason) if why_beside(result) == reason else (reason, "")


def why_again(attempt: Attempt) -> str:
    """Return on one line why an attempt did not succeed."""
    if attempt.traceback and attempt.traceback.exception:
        return flat(short_exception(attempt.traceback.exception))
    return say(attempt.reason) if attempt.reason else ""


def attempts(count: int) -> str:
    """Return how many attempts a script took."""
    words = formats().ngettext("{count} attempt", "{count} attempts", count)
    return words.format(count=formats().number(count))


def short_id(run_id: str) -> str:
    """Return how a run id begins: enough to tell runs apart, and to name one."""
    return run_id[:SHORT_ID]


def result_line(project: str, result: ScriptResult) -> str:
    """Return the line about one script that has ended."""
    line = flat(joined(project, result.script, outcome_word(result.outcome)))
    if result.attempts:
        parts = [duration(result.duration)]
        if len(result.attempts) > 1:
            parts.append(attempts(len(result.attempts)))
        line += f" ({', '.join(parts)})"
    if reason := "" if result.succeeded else why_beside(result):
        line += f" - {reason}"
    if result.unusual:
        line += f" - {joined(_('unusual'), _POINT.join(map(say, result.unusual)))}"
    return line


def again_line(event: AttemptEnded) -> str:
    """Return which attempt of a script failed, and when the next one begins."""
    wait = formats().whole_duration(event.wait)
    words = _("attempt {attempt} of {total} failed, next attempt in {time}")
    total = event.script.retries + 1
    return words.format(attempt=event.attempt, total=total, time=wait)


def due_forms(when: datetime, now: datetime) -> tuple[str, str]:
    """Return when something is due, with its zone: whole, and as short as it is clear."""
    local, today = when.astimezone(), now.astimezone().date()
    ahead = local.strftime("%z")
    hours = ahead[:3] if ahead[3:5] == "00" else f"{ahead[:3]}:{ahead[3:5]}"
    zone = "UTC" + ("" if int(ahead[:5]) == 0 else hours)
    time = f"{local:%H:%M}"
    days = (local.date() - today).days
    short = formats().brief(when, now)
    if days == 1:
        short = _("tomorrow {time}").format(time=time)
    return f"{formats().minute(when)} ({zone})", short


def missed_count(missed: Missed | None) -> str:
    """Return how many slots were missed; nothing where none was."""
    if missed is None:
        return ""
    return formats().number(missed.count) + ("+" if missed.more else "")


def missed_document(missed: Missed | None) -> dict[str, Any] | None:
    """Return the slots that were missed as a JSON document tells them."""
    if missed is None:
        return None
    return {
        "count": missed.count,
        "more": missed.more,
        "first": missed.first.astimezone().isoformat(),
        "last": missed.last.astimezone().isoformat(),
    }


def next_attempt(when: datetime, now: datetime) -> str:
    """Return when the next attempt of a script begins that waits for it."""
    local = when.astimezone()
    today = local.date() == now.astimezone().date()
    moment = f"{local:%H:%M:%S}" if today else formats().moment(when)
    return _("next attempt at {moment}").format(moment=moment)


def run_line(run: Run, *, named: bool = True) -> str:
    """Return the line about a run that has ended, its id last where it is ``named``."""
    parts = [flat(joined(run.project, _(run.status.word)))]
    if run.scripts:
        parts.append(_scripts(run))
    parts.append(duration(run.duration))
    if run.mail_status in _REPORT_WORDS:
        parts.append(_report(run))
    elif run.held and run.held.back:
        parts.append(_("report held back"))
    if named:
        parts.append(_("run {run_id}").format(run_id=short_id(run.run_id)))
    return _POINT.join(parts)


def _report(run: Run) -> str:
    """Return what became of a run's report; a file was not sent to anybody."""
    return _("report written") if written(run) else _(_REPORT_WORDS[run.mail_status])


def written(run: Run) -> Path | None:
    """Return the file that a run's report became; None where it was sent, or waits."""
    sent = run.mail_status is MailStatus.SENT
    file = run.mail_reason.values.get("file") if sent and run.mail_reason else None
    return Path(str(file)) if file else None


def written_lines(runs: Iterable[Run]) -> list[str]:
    """Return the folders of the reports that became files: their names are long."""
    files = [file for run in runs if (file := written(run))]
    folders = dict.fromkeys(flat(str(file.parent)) for file in files)
    label = _("report: {path}") if len(files) == 1 else _("reports: {path}")
    return [label.format(path=folder) for folder in folders]


def _scripts(run: Run) -> str:
    """Return how many scripts a run had, by their outcome where these differ."""
    if run.status is RunStatus.SUCCESS:
        count = len(run.scripts)
        words = formats().ngettext("{count} script", "{count} scripts", count)
        scripts = words.format(count=formats().number(count))
        return ", ".join((scripts, *_unusual(run.unusual_scripts)))
    return _counts(result.outcome.value for result in run.scripts)


def _unusual(found: Sequence[object]) -> list[str]:
    """Return how many scripts or runs are unusual; nothing where none is."""
    words = formats().ngettext("{count} unusual", "{count} unusual", len(found))
    return [words.format(count=formats().number(len(found)))] if found else []


def _counts(values: Iterable[str]) -> str:
    """Return how often each outcome or status is there, in the order of the enum."""
    counter = Counter(values)
    return ", ".join(
        counted(value, counter[value]) for value in OUTCOME_WORDS if counter[value]
    )


def counted(value: str, count: int) -> str:
    """Return how many scripts or runs have an outcome or a status."""
    words = formats()
    forms = {
        "success": words.ngettext("{count} succeeded", "{count} succeeded", count),
        "failure": words.ngettext("{count} failed", "{count} failed", count),
        "timeout": words.ngettext("{count} timed out", "{count} timed out", count),
        "stopped": words.ngettext("{count} stopped", "{count} stopped", count),
        "skipped": words.ngettext("{count} skipped", "{count} skipped", count),
        "interrupted": words.ngettext(
            "{count} interrupted", "{count} interrupted", count
        ),
        "not_started": words.ngettext(
            "{count} not started", "{count} not started", count
        ),
    }
    return forms[value].format(count=words.number(count))


def last_line(runs: Sequence[Run], seconds: float) -> str:
    """Return the line about all runs of a command."""
    count = len(runs)
    words = formats().ngettext("{count} project", "{count} projects", count)
    projects = words.format(count=formats().number(count))
    counts = _counts(run.status.value for run in runs)
    unusual = [run for run in runs if run.unusual_scripts]
    counts = ", ".join((counts, *_unusual(unusual)))
    return _POINT.join((projects, counts, duration(seconds)))


def skipped_line(run: Run) -> str:
    """Return the one line about a run that was skipped for another one."""
    values = run.error.values if run.error else {}
    since, run_id = str(values.get("since", "")), str(values.get("run_id", ""))
    if not since:
        parts = [_(run.status.word), *([say(run.error)] if run.error else [])]
        return flat(joined(run.project, *parts))
    with suppress(ValueError):
        begin = datetime.fromisoformat(since)
        since = formats().moment(begin)
        if begin.date() == run.started_at.date():
            since = f"{begin:%H:%M:%S}"
    words = _("{project}: skipped, already running since {since} (run {run_id})")
    return flat(words.format(project=run.project, since=since, run_id=short_id(run_id)))


def was_not_reached(run: Run) -> bool:
    """Say whether the command was asked to stop before a run began."""
    skipped = [result.outcome is Outcome.SKIPPED for result in run.scripts]
    return run.status is RunStatus.NOT_STARTED and bool(skipped) and all(skipped)


def unstarted_line(
    results: Sequence[ScriptResult], *, stopped: bool, columns: bool = False
) -> str:
    """Return the one line about scripts that were not started, all for one reason.

    Args:
        results: of these scripts, one at least.
        stopped: whether the reason is that the run was stopped.
        columns: whether it stands below lines whose parts spaces separate, else below
            those of :func:`result_line`.
    """
    if stopped:
        return counted("skipped", len(results))
    names = [flat(result.script) for result in results]
    shown = ", ".join(names)
    if len(names) > _NAMED:
        shown = _("{names} and {count} more").format(
            names=", ".join(names[:_NAMED]), count=len(names) - _NAMED
        )
    form = formats().ngettext("{scripts} skipped", "{scripts} skipped", len(results))
    word, reason = form.format(scripts="").strip(), why_beside(results[0])
    if columns:
        return f"{shown}  {word}  {reason}"
    return f"{joined(shown, word)} - {reason}"


def stopping_line(count: int, *, urgent: bool, elsewhere: bool = False) -> str:
    """Return what is said once to who asked to stop ``count`` scripts, and once more.

    Or, where somebody asked ``elsewhere``, to who looks on.
    """
    if not count:
        return _("stopping")
    words = formats().ngettext(
        "stopping {count} script, again to kill",
        "stopping {count} scripts, again to kill",
        count,
    )
    if elsewhere:
        words = formats().ngettext(
            "stopping {count} script, as `python-runner stop` asked",
            "stopping {count} scripts, as `python-runner stop` asked",
            count,
        )
    if urgent:
        words = formats().ngettext(
            "killing {count} script", "killing {count} scripts", count
        )
    return words.format(count=formats().number(count))


def undelivered(run: Run) -> str | None:
    """Return why a report has not reached everybody, or not as it was meant to; else None.

    Also why it is held back.
    """
    if run.held and run.held.back:
        return formats().say(run.held.reason)
    if run.mail_status not in _REPORT_WORDS:
        return None
    if run.mail_status is MailStatus.SENT and not came_otherwise(run.mail_reason):
        return None
    line = _report(run)
    if run.mail_reason:
        line = labelled(line, formats().say(run.mail_reason))
    return line


def help_lines(texts: Mapping[str, str], script: str) -> list[str]:
    """Return what the owner says to do about a failure of a script; "": of any."""
    if script not in texts:
        return []
    first, *rest = map(flat, clean(texts[script]).splitlines())
    return [labelled(_("what to do"), first), *rest]


def notable_lines(result: ScriptResult) -> list[str]:
    """Return what people look at first: exception, place, what is unusual, warnings."""
    _outcome, reason = outcome_and_why(result)
    lines = [reason] if reason else []
    lines += map(say, result.unusual)
    if result.place:
        lines.append(_("at {place}").format(place=flat(result.place)))
    lines += [say(warning) for warning in result.warnings]
    return lines


def hint_lines(result: ScriptResult) -> list[str]:
    """Return what to do about a failure, as far as that is known for sure."""
    return [labelled(_("hint"), say(result.hint))] if result.hint else []


def output_lines(result: ScriptResult) -> list[str]:
    """Return where the output of a script is; nothing where that file holds none.

    Output that could not be kept there is elsewhere: a warning of the script says where.
    """
    try:
        empty = result.output is None or result.output.stat().st_size == 0
    except OSError:
        empty = True
    return [] if empty else [_("output: {path}").format(path=flat(str(result.output)))]


def held_lines(run: Run) -> Iterator[str]:
    """Yield the lines about a run whose report is held back: until when, and why."""
    yield "  ".join(
        ("-", _("held back"), flat(f"{run.project} ({run.run_id})"), run_reason(run))
    )
    began = formats().moment(run.started_at)
    words = _("run of {moment}").format(moment=began)
    if run.held:
        words += f", {say(run.held.reason)}"
    yield f"    {words}"


def message_lines(queued: QueuedMessage, now: datetime) -> Iterator[str]:
    """Yield the lines about one report in the outbox: its state, for whom, and why.

    ``now``, which is aware, says whether another process is sending it.
    """
    yield "  ".join(
        (
            str(queued.number),
            _message_word(queued),
            flat(f"{queued.project} ({queued.run_id})")
            if queued.run_id
            else _("digest"),
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


def _message_word(queued: QueuedMessage) -> str:
    """Return the word for where a message is; a file was not sent to anybody."""
    details = (recipient.detail for recipient in queued.recipients)
    if queued.state is MessageState.SENT and where_written(details):
        return _("written")
    return _(_MESSAGE_WORDS[queued.state])


def _recipient_words(recipient: Recipient) -> str:
    if recipient.detail and where_written([recipient.detail]):
        return formats().say(recipient.detail)
    words = _(_RECIPIENT_WORDS[recipient.state])
    if recipient.detail:
        words += f" - {formats().say(recipient.detail)}"
    return words


def output_command(run: str, script: str, env_file: Path | None = None) -> str:
    """Return the command that shows the output of a script, for the platform's shell.

    Args:
        run: a run id, or how it begins, or the folder of a project.
        script: its name; one that cannot be typed is left out.
        env_file: of the command that shows it; it says where the records are.
    """
    words = ["output", run]
    if env_file:
        words[1:1] = ["--env-file", str(env_file)]
    if script == flat(script):
        # What begins so would be taken for an option.
        words += ["--", script] if script.startswith("-") else [script]
    return " ".join((own_command(), *map(shell_word, words)))
