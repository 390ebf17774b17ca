"""The files of a fleet: facts become JSON, and JSON of whoever wrote it becomes facts.

Other computers are not trusted: what they wrote may be anything. A file is read as a
whole or not at all; its texts lose what a terminal or a page would obey, and their length.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from python_runner.facts import dataclass
from python_runner.fleet.names import YEARS
from python_runner.model import (
    Attempt,
    MailStatus,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.model.fleet import FleetRun, FleetRunning
from python_runner.texts.sanitize import clean, cut_middle, one_line
from python_runner.texts.sentence import Sentence
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Sequence

#: The form of the files. A reader takes no file of a later one.
FORMAT = 1
#: Bytes of a file; a writer leaves scripts out until it fits, a reader takes no larger one.
MOST_BYTES = 256 * 1024
#: Scripts of a file, those that did not succeed first.
_MOST_SCRIPTS = 200
_MOST_RUNNING = 50
_MOST_REASONS = 5
#: Characters of a name or an exception, and bytes of a traceback.
_LINE, _TRACEBACK = 300, 8_000
#: Seconds of a duration that are believed.
_LONGEST = 10 * 366 * 86400.0

_Moment = Annotated[datetime, Meta(tz=True)]


class ScriptEntry(Struct, kw_only=True):
    """One script of a run."""

    script: str
    status: str
    duration_seconds: float = 0.0
    exception: str | None = None
    place: str | None = None
    unusual: list[str] = []
    traceback: str | None = None


class RunFile(Struct, kw_only=True):
    """The file of one run."""

    format: int
    computer_id: str
    computer: str
    account: str
    version: str
    number: Annotated[int, Meta(ge=0, le=10**10)]
    written_at: _Moment
    project: str
    path: str
    run_id: Annotated[str, Meta(pattern=r"\A[0-9a-f]{13}\Z")]
    status: str
    started_at: _Moment
    ended_at: _Moment
    duration_seconds: float
    error: str | None = None
    mail: str = "none"
    schedule: str | None = None
    due: _Moment | None = None
    scripts: list[ScriptEntry] = []
    scripts_total: Annotated[int, Meta(ge=0, le=10**6)] = 0


class RunningEntry(Struct, kw_only=True):
    """A run that has begun."""

    project: str
    path: str
    started_at: _Moment


class ComputerFile(Struct, kw_only=True):
    """The file by which a computer shows that it is there."""

    format: int
    computer_id: str
    computer: str
    account: str
    version: str
    written_at: _Moment
    waiting: Annotated[int, Meta(ge=0, le=10**6)] = 0
    running: list[RunningEntry] = []


class _Head(Struct):
    format: int


class Unreadable(Exception):
    """A file that nobody can use.

    Attributes:
        newer: whether a newer version of Python Runner wrote it.
    """

    def __init__(self, reason: str, *, newer: bool = False) -> None:
        super().__init__(reason)
        self.newer = newer


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes: a computer, or one account of it.

    Attributes:
        id: 12 hexadecimal characters, kept in the state folder.
        folder: the name of its folder in the fleet.
        account: the user that the runner runs as.
    """

    id: str
    folder: str
    name: str
    account: str


_Document = TypeVar("_Document", RunFile, ComputerFile)

# --- writing ---


def run_bytes(
    run: Run,
    writer: Writer,
    number: int,
    *,
    written_at: datetime,
    schedule: str | None = None,
    due: datetime | None = None,
    details: bool = False,
) -> bytes:
    """Return the file of a run, which has no secrets in its texts.

    Args:
        run: as it ended, masked.
        writer: who writes.
        number: its place among the runs of this computer.
        written_at: by this computer's clock.
        schedule: the cron expression of its project, or None.
        due: when it is due next, or None.
        details: whether tracebacks are told as well.
    """
    ordered = sorted(run.scripts, key=lambda r: (r.succeeded, r.number))
    kept = sorted(ordered[:_MOST_SCRIPTS], key=lambda r: r.number)
    file = RunFile(
        format=FORMAT,
        computer_id=writer.id,
        computer=writer.name,
        account=writer.account,
        version=__version__,
        number=number,
        written_at=written_at,
        project=one_line(run.project, _LINE),
        path=clean(str(run.path)),
        run_id=run.run_id,
        status=run.status.value,
        started_at=run.started_at,
        ended_at=_ended_at(run),
        duration_seconds=round(run.duration, 3),
        error=one_line(str(run.error), _LINE) if run.error else None,
        mail=run.mail_status.value,
        schedule=schedule,
        due=due,
        scripts=[_entry(result, details=details) for result in kept],
        scripts_total=len(run.scripts),
    )
    while len(data := msgspec.json.encode(file)) > MOST_BYTES and file.scripts:
        failed = [s for s in file.scripts if s.status != Outcome.SUCCESS.value]
        fewer = failed if 0 < len(failed) < len(file.scripts) else file.scripts
        file.scripts = fewer if fewer is failed else fewer[: len(fewer) // 2]
    return data


def _ended_at(run: Run) -> datetime:
    try:
        return run.started_at + timedelta(seconds=run.duration)
    except OverflowError:
        return run.started_at


def _entry(result: ScriptResult, *, details: bool) -> ScriptEntry:
    traceback = result.traceback if details else None
    return ScriptEntry(
        script=one_line(result.script, _LINE),
        status=result.outcome.value,
        duration_seconds=round(result.duration, 3),
        exception=one_line(result.exception, _LINE) if result.exception else None,
        place=one_line(result.place, _LINE) if result.place else None,
        unusual=[one_line(str(why), _LINE) for why in result.unusual[:_MOST_REASONS]],
        traceback=cut_middle(clean(traceback), _TRACEBACK, "en") if traceback else None,
    )


def stamped(data: bytes, written_at: datetime) -> tuple[RunFile, bytes]:
    """Return a file of this computer's queue with the time at which it is written.

    Raises:
        Unreadable: it is no such file.
    """
    file = _decoded(data, RunFile)
    file.written_at = written_at
    return file, msgspec.json.encode(file)


def computer_bytes(
    writer: Writer,
    running: Sequence[FleetRunning],
    *,
    written_at: datetime,
    waiting: int = 0,
) -> bytes:
    """Return the file by which a computer shows that it is there."""
    return msgspec.json.encode(
        ComputerFile(
            format=FORMAT,
            computer_id=writer.id,
            computer=writer.name,
            account=writer.account,
            version=__version__,
            written_at=written_at,
            waiting=waiting,
            running=[
                RunningEntry(
                    project=one_line(run.project, _LINE),
                    path=clean(str(run.path)),
                    started_at=run.started_at,
                )
                for run in running[:_MOST_RUNNING]
            ],
        )
    )


# --- reading ---


def read_run(data: bytes, identity: str, number: int) -> tuple[RunFile, FleetRun]:
    """Return what a file tells of a run: its form, with harmless texts, and the facts.

    Args:
        data: of a file.
        identity: whose folder it lies in.
        number: that in its name.

    Raises:
        Unreadable: it tells nothing, or of another computer.
    """
    file = _decoded(data, RunFile)
    _require_own(file, identity)
    if file.number != number:
        raise Unreadable("has another number than its name")
    moments = [file.written_at, file.started_at, file.ended_at]
    _require_moments([*moments, *([file.due] if file.due else [])])
    try:
        status = RunStatus(file.status)
        outcomes = [Outcome(entry.status) for entry in file.scripts]
    except ValueError as error:
        raise Unreadable(_brief(error)) from error
    scripts = tuple(
        _result(entry, outcome, number, file)
        for number, (entry, outcome) in enumerate(
            zip(file.scripts, outcomes, strict=True), 1
        )
    )
    run = Run(
        run_id=file.run_id,
        project=_name(file.project),
        path=Path(_text(file.path)),
        status=status,
        started_at=file.started_at,
        duration=_seconds(file.duration_seconds),
        scripts=scripts,
        error=_sentence(file.error),
        mail_status=_mail_status(file.mail),
    )
    schedule = _text(file.schedule) if file.schedule else None
    return file, FleetRun(
        number=file.number,
        run=run,
        written_at=file.written_at,
        schedule=schedule,
        due=file.due,
        scripts=max(file.scripts_total, len(scripts)),
    )


def read_computer(data: bytes, identity: str) -> ComputerFile:
    """Return what a computer tells of itself, with harmless texts.

    Raises:
        Unreadable: it tells nothing, or of another computer.
    """
    file = _decoded(data, ComputerFile)
    _require_own(file, identity)
    _require_moments([file.written_at, *(run.started_at for run in file.running)])
    return file


def running_of(file: ComputerFile) -> tuple[FleetRunning, ...]:
    """Return the runs that had begun when a computer wrote its file."""
    return tuple(
        FleetRunning(
            project=_name(entry.project),
            path=Path(_text(entry.path)),
            started_at=entry.started_at,
        )
        for entry in file.running[:_MOST_RUNNING]
    )


def _decoded(data: bytes, kind: type[_Document]) -> _Document:
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.format > FORMAT:
            raise Unreadable(f"format {head.format}", newer=True)
        return msgspec.json.decode(data, type=kind)
    # Of texts that are too deep, of numbers that are too large, and of bytes that are none.
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise Unreadable(_brief(error)) from error


def _require_own(file: RunFile | ComputerFile, identity: str) -> None:
    if file.computer_id != identity:
        raise Unreadable("is about another computer")
    file.computer, file.account = _name(file.computer), _text(file.account)
    file.version = _text(file.version)


def _require_moments(moments: Sequence[datetime]) -> None:
    if any(moment.year not in YEARS for moment in moments):
        raise Unreadable("has a time that nobody's clock shows")


def _result(
    entry: ScriptEntry, outcome: Outcome, number: int, file: RunFile
) -> ScriptResult:
    seconds = _seconds(entry.duration_seconds)
    attempts: tuple[Attempt, ...] = ()
    exception = _text(entry.exception) if entry.exception else None
    told = outcome is Outcome.FAILURE and (exception or entry.traceback)
    if told:
        attempts = (
            Attempt(
                outcome=outcome,
                exit_code=None,
                started_at=file.started_at,
                duration=seconds,
                traceback=_traceback(entry, exception),
            ),
        )
    return ScriptResult(
        script=_name(entry.script),
        run_id=file.run_id,
        number=number,
        outcome=outcome,
        started_at=file.started_at,
        duration=seconds,
        attempts=attempts,
        reason=None if told else _sentence(entry.exception),
        unusual=tuple(
            Sentence.of("{words}", words=_text(why))
            for why in entry.unusual[:_MOST_REASONS]
        ),
    )


def _traceback(entry: ScriptEntry, exception: str | None) -> Traceback:
    text = clean((entry.traceback or "")[: 2 * _TRACEBACK]) or exception or ""
    file, _colon, line = _text(entry.place or "").rpartition(":")
    known = line.isascii() and line.isdigit() and len(line) <= len("1000000")
    return Traceback(
        text=text,
        exception=exception,
        file=(file or None) if known else None,
        line=int(line) if known else None,
    )


def _mail_status(word: str) -> MailStatus:
    # What a later version says of its reports costs nobody the run.
    return MailStatus(word) if word in set(MailStatus) else MailStatus.NONE


def _seconds(value: float) -> float:
    return min(max(value, 0.0), _LONGEST) if math.isfinite(value) else 0.0


def _text(text: str) -> str:
    # Cut before as well: nobody cleans what is not shown.
    return one_line(text[: 4 * _LINE], _LINE)


def _name(text: str) -> str:
    return _text(text) or "?"


def _sentence(text: str | None) -> Sentence | None:
    return Sentence.of("{words}", words=_text(text)) if text else None


def _brief(error: Exception) -> str:
    return one_line(str(error)[:_LINE], 120) or type(error).__name__
