"""One line of a project's log: what it says, how it is written, how it is read back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Attempt, Outcome, ScriptResult, Traceback
from python_runner.patterns import lazy_pattern
from python_runner.texts.characters import CONTROLS, REORDERING, SURROGATES, escape
from python_runner.texts.sanitize import cut_middle
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.masking import Masker

#: Bytes of the traceback of one line: a log is read by people.
MAX_TRACEBACK = 16 * 1024
#: Room for the note between head and tail of a longer one.
_NOTE = 100
_SEPARATOR = " - "
_LEVELS = {"success": "INFO", "failure": "ERROR", "skipped": "WARNING"}
#: Stands in the place of a script where a whole run was skipped.
WHOLE_RUN = "*"
#: What could end a line, move the cursor, or change the order letters are shown in, and
#: the escape character itself.
_UNSAFE = lazy_pattern(rf"[\\{CONTROLS}{REORDERING}{SURROGATES}]")
_SHORT = {"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_LONG = {short[1]: char for char, short in _SHORT.items()}
_ESCAPE = lazy_pattern(r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4}))")
#: A hyphen that would read as a separator, alone or with the separator behind the field.
_DASH = lazy_pattern(r"(?<= )-(?= |\Z)")
_TIME = lazy_pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3}")
#: The original's dates.
_OLD_TIME = lazy_pattern(
    r"([0-9]{2})-([0-9]{2})-([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2})"
)
_MINUTES = lazy_pattern(r"-?[0-9]+\.[0-9]+")
#: The original forgot the first space before a traceback.
_END = lazy_pattern(r"(success|failure|skipped)(?:( ?)- (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """What the log says about one script, or about a whole run that was skipped.

    Attributes:
        time: when it was written, aware; the log keeps milliseconds.
        level: ``INFO``, ``ERROR`` or ``WARNING``, by the status.
        host: name of the machine.
        run_id: the run it belongs to.
        minutes: how long the script took; the log keeps two decimals.
        script: name of the script, or ``*``.
        status: ``success``, ``failure`` or ``skipped``.
        traceback: what the failure says, or why it was skipped, or None.
    """

    time: datetime
    level: str
    host: str
    run_id: str
    minutes: float
    script: str
    status: str
    traceback: str | None = None

    def masked(self, masker: Masker) -> LogLine:
        """Return the line without secrets in what a script or a person wrote."""
        said = self.traceback and masker.text(self.traceback)
        return replace(self, script=masker.text(self.script), traceback=said)


def log_line_of(
    result: ScriptResult, *, host: str, now: datetime, include_traceback: bool
) -> LogLine:
    """Return what the log says about ``result``."""
    status = _status(result.outcome)
    return LogLine(
        time=now,
        level=_LEVELS[status],
        host=host,
        run_id=result.run_id,
        minutes=result.duration / 60,
        script=result.script,
        status=status,
        traceback=_bounded(result.traceback) if include_traceback else None,
    )


def log_line_of_skipped(
    run_id: str,
    reason: Sentence | None,
    *,
    host: str,
    now: datetime,
    include_traceback: bool,
) -> LogLine:
    """Return the one line about a run that was skipped, however many its scripts."""
    return LogLine(
        time=now,
        level=_LEVELS["skipped"],
        host=host,
        run_id=run_id,
        minutes=0.0,
        script=WHOLE_RUN,
        status="skipped",
        traceback=str(reason) if include_traceback and reason else None,
    )


def _status(outcome: Outcome) -> str:
    if outcome is Outcome.SKIPPED:
        return "skipped"
    return "success" if outcome.succeeded else "failure"


def result_of(line: LogLine, number: int) -> ScriptResult:
    """Return the little that ``line`` says about the ``number``-th script of a run."""
    outcome, said = Outcome(line.status), line.traceback
    if outcome is Outcome.SKIPPED:
        return ScriptResult(
            script=line.script,
            run_id=line.run_id,
            number=number,
            outcome=outcome,
            started_at=line.time,
            reason=Sentence.of("{error}", error=said)
            if said
            else Sentence.of(N_("skipped, according to the log")),
        )
    attempt = Attempt(
        outcome=outcome,
        exit_code=None,
        started_at=line.time - timedelta(minutes=line.minutes),
        duration=line.minutes * 60,
        reason=None
        if outcome.succeeded
        else Sentence.of(N_("failed, according to the log")),
        traceback=Traceback(text=said, exception=_exception(said)) if said else None,
    )
    return ScriptResult(
        script=line.script,
        run_id=line.run_id,
        number=number,
        outcome=outcome,
        started_at=attempt.started_at,
        duration=attempt.duration,
        attempts=(attempt,),
        reason=attempt.reason,
    )


def _exception(said: str) -> str:
    """Return the exception that a line names, or the reason that stands there instead."""
    # Imported here because a log is written more often than it is read back.
    from python_runner.tracebacks.cause import read_cause  # noqa: PLC0415
    from python_runner.tracebacks.endings import Ending  # noqa: PLC0415
    from python_runner.tracebacks.place import Project  # noqa: PLC0415

    nowhere = Project((), None, lambda _file: False)
    found = read_cause(said, Ending.EXCEPTION, nowhere).traceback
    return (found and found.exception) or said


def _bounded(said: str | None) -> str | None:
    """Return head and tail of a text whose field would be longer than a line may be."""
    if said is None:
        return None
    said = said.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(_escape(said).encode()) <= MAX_TRACEBACK:
        return said
    limit = room = MAX_TRACEBACK - _NOTE
    while True:
        shown = cut_middle(said, limit, "en")
        size = len(_escape(shown).encode())
        if size <= MAX_TRACEBACK:
            return shown
        # What is escaped takes more room.
        limit = limit * room // size


def format_log_line(line: LogLine) -> str:
    """Return the text of ``line``, in local time and without its newline."""
    local = line.time.astimezone().replace(tzinfo=None)
    fields = [
        local.isoformat(" ", "milliseconds").replace(".", ","),
        line.level,
        _field(line.host),
        _field(line.run_id),
        f"{line.minutes:.2f}",
        _field(line.script),
        line.status,
    ]
    if line.traceback is not None:
        fields.append(_escape(line.traceback))
    return _SEPARATOR.join(fields)


def parse_log_line(text: str) -> LogLine | None:
    """Return the log line that ``text`` holds, or None where it holds none.

    Lines of the original library are read as well; they hold nothing escaped. A time
    that exists twice, when the clock goes back, is read as the first of the two.
    """
    fields = text.rstrip("\r\n").split(_SEPARATOR, 6)
    if len(fields) != 7:  # noqa: PLR2004 - the public format
        return None
    when, level, host, run_id, minutes, script, rest = fields
    time = _time(when)
    end = _END.fullmatch(rest)
    if not (time and end and _MINUTES.fullmatch(minutes)):
        return None
    if level not in _LEVELS.values():
        return None
    status, space, traceback = end.groups()
    escaped = _TIME.fullmatch(when) and space != ""
    read = _unescape if escaped else str
    return LogLine(
        time=time,
        level=level,
        host=read(host),
        run_id=read(run_id),
        minutes=float(minutes),
        script=read(script),
        status=status,
        traceback=None if traceback is None else read(traceback),
    )


def run_id_of(line: bytes) -> str:
    """Return the run id where ``line`` would have it: far quicker than to read it all."""
    fields = line.split(b" - ", 4)
    return fields[3].decode("ascii", "replace") if len(fields) > 4 else ""  # noqa: PLR2004


def parse_log(content: bytes) -> Iterator[LogLine]:
    """Yield the lines of a log; lines that are none of ours are passed over."""
    for text in content.split(b"\n"):
        if line := parse_log_line(text.decode("utf-8", "replace")):
            yield line


def _time(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        old = _OLD_TIME.fullmatch(text)
        if not old:
            return None
        day, month, year, clock = old.groups()
        text = f"{year}-{month}-{day} {clock}"
    try:
        return datetime.fromisoformat(text).astimezone()
    # Windows has no local time before 1970.
    except (ValueError, OverflowError, OSError):
        return None


def _field(text: str) -> str:
    shown = _escape(text)
    return _DASH.sub(r"\\x2d", shown) if " -" in shown else shown


def _escape(text: str) -> str:
    # Nothing that is escaped is printable, the backslash aside.
    if text.isprintable() and "\\" not in text:
        return text
    return _UNSAFE.sub(lambda match: _SHORT.get(match[0]) or escape(match[0]), text)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    short, *codes = match.groups()
    return _LONG[short] if short else chr(int(codes[0] or codes[1], 16))
