"""Turns facts into columns and back: times, sentences, attempts, results, runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_runner.files import real_folder
from python_runner.hashes import sha256
from python_runner.model import (
    Attempt,
    Held,
    HeldBy,
    MailStatus,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
    error_name,
)
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from sqlite3 import Row

    from python_runner.model.metrics import ScriptMetrics
    from python_runner.model.provenance import RunProvenance, ScriptProvenance

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: Stands for a text of the records that cannot be read any more.
DAMAGED = Sentence.of(N_("(this text is damaged in the records)"))
#: How deep sentences lie in each other: what stands deeper is English, or damaged.
DEEPEST = 10
#: A value's place in a sentence.
_NAME = lazy_pattern(r"\{([a-z_]+)\}")
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_STATUSES = {status.value: status for status in RunStatus}
_MAIL_STATUSES = {status.value: status for status in MailStatus}
_HELD = {by.value: by for by in HeldBy}
#: No duration is longer: some centuries.
_LONGEST = 1e10

PLANNED = "planned"
RUNNING = "running"
#: The outcome of a script whose runner died, by its state, and the reason.
LEFT_OPEN = {
    RUNNING: (
        Outcome.INTERRUPTED,
        Sentence.of(N_("the runner was killed while the script was running")),
    ),
    PLANNED: (Outcome.SKIPPED, Sentence.of(N_("the runner was killed before"))),
}


def from_time(moment: datetime) -> int:
    """Return an aware time as whole microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def to_time(microseconds: int) -> datetime:
    """Return the aware local time of ``microseconds`` since 1970 UTC.

    A number that is no time of any calendar, because it is damaged, is 1970.
    """
    try:
        return (_EPOCH + microseconds * _MICROSECOND).astimezone()
    # Windows knows no local time before 1970.
    except (OverflowError, OSError, ValueError):
        return _EPOCH


def to_outcome(column: str) -> Outcome:
    """Return an outcome by its word; a word that is none, because it is damaged, failed."""
    return _OUTCOMES.get(column, Outcome.FAILURE)


def to_status(column: str | None) -> RunStatus | None:
    """Return a run's status by its word; None for a run that has not ended."""
    return None if column is None else known_status(column)


def known_status(column: str) -> RunStatus:
    """Return the status of a run that has ended."""
    return _STATUSES.get(column, RunStatus.INTERRUPTED)


def to_seconds(column: float | None) -> float:
    """Return a duration; a number that is none, because it is damaged, is 0."""
    return column if column is not None and abs(column) < _LONGEST else 0.0


def from_string(string: str) -> str:
    """Return ``string`` with lone surrogates escaped: SQLite takes UTF-8 only."""
    return string.encode("utf-8", "backslashreplace").decode("utf-8")


def from_path(path: Path) -> str:
    """Return what stands for ``path`` in the records, and finds it again."""
    return from_string(str(path))


def project_key(path: str | Path) -> str:
    """Return the path of a project as it is written, in the platform's one spelling.

    On Windows case and slashes make no difference. Links are not followed: see
    :func:`folder_key`.
    """
    return from_string(os.path.normcase(path))


def folder_key(path: str | Path) -> str:
    """Return what all the ways to write a project's path have in common, links too."""
    return from_string(real_folder(path))


def error_key(
    state: str, fingerprint: str | None, exit_code: int | None, script: int
) -> str:
    """Return what stands for the error with which a script ended, in the records.

    What names no exception is another error in each script.
    """
    outcome = to_outcome(state)
    name = error_name(outcome, fingerprint, exit_code)
    if outcome is not Outcome.FAILURE or not fingerprint:
        name = f"{name} of {script}"
    return sha256(name.encode("utf-8", "replace"))[:16]


@lru_cache
def _path(column: str) -> Path:
    # No system takes a path with a NUL: every use of it would raise.
    return Path(column.replace("\0", "\N{REPLACEMENT CHARACTER}"))


def from_text(text: Sentence | None) -> str | None:
    """Return a sentence as JSON; values that JSON does not know become strings."""
    return json.dumps(_sentence(text), default=str) if text else None


def to_text(column: str | None) -> Sentence | None:
    """Return the sentence that :func:`from_text` wrote, or one that calls it damaged."""
    if not column:
        return None
    try:
        return _to_sentence(json.loads(column))
    except (ValueError, RecursionError):
        return DAMAGED


def names_file(answer: Sentence | None) -> bool:
    """Say whether the answer for a recipient names the file a message was written to."""
    return answer is not None and "file" in answer.values


def from_texts(texts: Iterable[Sentence]) -> str | None:
    """Return several sentences as JSON, or None for none."""
    sentences = [_sentence(text) for text in texts]
    return json.dumps(sentences, default=str) if sentences else None


def to_texts(column: str | None) -> tuple[Sentence, ...]:
    """Return the sentences that :func:`from_texts` wrote, or one: they are damaged."""
    # Hardly a row has one, and many rows are read.
    if not column:
        return ()
    try:
        sentences = json.loads(column)
    except (ValueError, RecursionError):
        return (DAMAGED,)
    if not isinstance(sentences, list):
        return (DAMAGED,)
    return tuple(map(_to_sentence, sentences))


def _to_sentence(loaded: Any, depth: int = DEEPEST) -> Sentence:
    """Return the sentence that was loaded from JSON; what is none is damaged.

    A template of ours has nothing but names in its braces. Anything else could reach
    into the program, or fill its memory with blanks.
    """
    match loaded:
        case {"template": str(template), "values": dict(values), **rest}:
            plural = rest.pop("plural", None)
            values = {name: _to_value(v, depth) for name, v in values.items()}
            if rest or DAMAGED in values.values() or not _fits(template, values):
                return DAMAGED
            if plural is None:
                return Sentence(template, values)
            if isinstance(plural, str) and "count" in values and _fits(plural, values):
                return Sentence(template, values, plural)
            return DAMAGED
        case _:
            return DAMAGED


def _to_value(loaded: Any, depth: int) -> object:
    """Return a value of a sentence, which may be a sentence with values of its own."""
    match loaded:
        case {"values": dict()} if depth:
            return _to_sentence(loaded, depth - 1)
        case dict() | list():
            return DAMAGED
        case _:
            return loaded


def _fits(template: str, values: Mapping[str, object]) -> bool:
    """Say whether a template has nothing in its braces but names of ``values``."""
    text = template.replace("{{", "").replace("}}", "")
    names = set(_NAME.findall(text))
    return names <= values.keys() and not {"{", "}"} & set(_NAME.sub("", text))


def _sentence(text: Sentence, depth: int = DEEPEST) -> dict[str, Any]:
    plural = {"plural": text.plural} if text.plural else {}
    values = {
        # Deeper ones become English.
        name: _sentence(value, depth - 1)
        if isinstance(value, Sentence) and depth
        else value
        for name, value in text.values.items()
    }
    return {"template": text.template, "values": values, **plural}


def from_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return the columns of ``attempt``, those of its place aside."""
    traceback = attempt.traceback
    columns = {
        "outcome": attempt.outcome.value,
        "exit_code": attempt.exit_code,
        "started_at": from_time(attempt.started_at),
        "duration": attempt.duration,
        "reason": from_text(attempt.reason),
        "traceback": traceback and traceback.text,
        "exception": traceback and traceback.exception,
        "file": traceback and traceback.file,
        "line": traceback and traceback.line,
        "function": traceback and traceback.function,
        "fingerprint": traceback and traceback.fingerprint,
        "warnings": from_texts(attempt.warnings),
        "peak_memory": attempt.peak_memory,
        "cpu_seconds": attempt.cpu_seconds,
        "hint": from_text(attempt.hint),
    }
    return {
        name: from_string(value) if isinstance(value, str) else value
        for name, value in columns.items()
    }


#: The columns of an attempt, in the order in which :func:`to_attempt` takes them.
ATTEMPT = """outcome, exit_code, started_at, duration, reason, exception, file, line,
    function, warnings, peak_memory, cpu_seconds, traceback, hint"""


def to_attempt(columns: Sequence[Any]) -> Attempt:
    """Return the attempt that the columns ``ATTEMPT`` hold."""
    # By their place: by name each would be looked for, in rows that are many.
    outcome, exit_code, started_at, duration, reason, *rest = columns
    exception, file, line, function, warnings, peak_memory, cpu_seconds, text, hint = (
        rest
    )
    traceback = None
    if text is not None:
        traceback = Traceback(
            text=text, exception=exception, file=file, line=line, function=function
        )
    return Attempt(
        outcome=to_outcome(outcome),
        exit_code=exit_code,
        started_at=to_time(started_at),
        duration=to_seconds(duration),
        reason=to_text(reason),
        traceback=traceback,
        warnings=to_texts(warnings),
        peak_memory=peak_memory,
        cpu_seconds=cpu_seconds and to_seconds(cpu_seconds),
        hint=to_text(hint),
    )


def to_result(
    row: Row,
    run_id: str,
    attempts: tuple[Attempt, ...] = (),
    *,
    metrics: ScriptMetrics | None = None,
    made_of: ScriptProvenance | None = None,
) -> ScriptResult:
    """Return the result a row holds; a script without an end was left by its runner."""
    started_at = to_time(row["started_at"])
    duration = to_seconds(row["duration"])
    outcome, why = LEFT_OPEN.get(row["state"], (None, None))
    if outcome and attempts:
        last = attempts[-1]
        duration = (last.started_at - started_at).total_seconds() + last.duration
    return ScriptResult(
        script=row["name"],
        run_id=run_id,
        number=row["number"],
        outcome=outcome or to_outcome(row["state"]),
        started_at=started_at,
        duration=duration,
        attempts=attempts,
        reason=why or to_text(row["reason"]),
        output=_path(row["output"]) if row["output"] else None,
        unusual=to_texts(row["unusual"]),
        metrics=metrics,
        provenance=made_of,
    )


def was_left_open(result: ScriptResult) -> bool:
    """Say whether nothing but its runner's death ended a script."""
    return (result.outcome, result.reason) in LEFT_OPEN.values()


def to_run(
    row: Row,
    scripts: tuple[ScriptResult, ...],
    made_of: RunProvenance | None = None,
) -> Run:
    """Return the run a row holds; one that never ended counts as interrupted."""
    held = _to_held(row)
    mail = to_mail_status(row["messages"], row["mail"])
    reason = held.reason if held else None
    if mail is MailStatus.SENT and names_file(written := to_text(row["written"])):
        reason = written
    return Run(
        run_id=row["run_id"],
        project=row["name"],
        path=_path(row["path"]),
        status=known_status(row["status"]),
        started_at=to_time(row["started_at"]),
        duration=to_seconds(row["duration"]),
        scripts=scripts,
        error=to_text(row["error"]),
        warnings=to_texts(row["warnings"]),
        mail_status=mail,
        mail_reason=reason,
        interpreter=row["interpreter"],
        interpreter_version=row["interpreter_version"],
        held=held,
        part=bool(row["part"]),
        provenance=made_of,
    )


def _to_held(row: Row) -> Held | None:
    """Return why a run is not reported; None also for a word that is damaged."""
    if (by := _HELD.get(row["held"] or "")) is None:
        return None
    until = row["held_until"]
    return Held(
        by=by,
        reason=to_text(row["held_reason"]) or DAMAGED,
        until=None if until is None else to_time(until),
    )


def from_held(held: Held | None) -> tuple[str | None, int | None, str | None]:
    """Return the columns ``held``, ``held_until`` and ``held_reason``."""
    if held is None:
        return None, None, None
    until = from_time(held.until) if held.until else None
    return held.by.value, until, from_text(held.reason)


def to_open_run(row: Row, scripts: Iterable[Row]) -> OpenRun:
    """Return what is known so far of a run that has not ended."""
    return OpenRun(
        run_id=row["run_id"],
        project=row["name"],
        path=_path(row["path"]),
        started_at=to_time(row["started_at"]),
        scripts=tuple(map(_to_open_script, scripts)),
        runner=row["runner"] or 0,
        runner_start=row["runner_start"] or "",
    )


def _to_open_script(row: Row) -> OpenScript:
    begun, ended = row["started_at"] is not None, row["state"] not in LEFT_OPEN
    return OpenScript(
        script=row["name"],
        number=row["number"],
        outcome=to_outcome(row["state"]) if ended else None,
        started_at=to_time(row["started_at"]) if begun else None,
        waits_until=None
        if ended or row["waits_until"] is None
        else to_time(row["waits_until"]),
        output=_path(row["output"]) if row["output"] else None,
    )


def to_mail_status(states: str | None, unqueued: str | None) -> MailStatus:
    """Reduce the states of a run's messages, joined by commas, to one word.

    A run without messages may have been reported while the records could not be
    written: ``unqueued`` is the word then.
    """
    if states is None:
        return _MAIL_STATUSES.get(unqueued or "", MailStatus.NONE)
    found = set(states.split(","))
    if "queued" in found:
        return MailStatus.QUEUED
    if found & {"failed", "dropped"}:
        return MailStatus.FAILED
    return MailStatus.SENT if "sent" in found else MailStatus.NONE
