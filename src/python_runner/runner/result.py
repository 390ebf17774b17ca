"""What :func:`python_runner.run_project` and ``Runner.run`` return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypedDict

from python_runner.model import MailStatus
from python_runner.records.messages import came_otherwise
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Outcome, Run, RunStatus, ScriptResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRunResult:
    """What came of one script.

    Attributes:
        script: its name.
        status: ``success``, ``failure``, ``timeout``, ``stopped``, ``skipped``,
            ``interrupted`` or ``not_started``.
        success: whether the status is ``success``.
        exit_code: of the last attempt; None where there was none.
        attempts: how many there were.
        started_at: when its first attempt began, or when it was skipped.
        duration: seconds over all attempts.
        exception: what it failed with, in one line; None for a success.
        place: file and line in the project where that was raised, or None.
        hint: what to do about its failure, where that is known for sure; else None.
        traceback: why it did not succeed; None for a success.
        output: file with the captured output, or None.
        warnings: what was odd about it.
    """

    script: str
    status: Outcome
    success: bool
    exit_code: int | None
    attempts: int
    started_at: datetime
    duration: float
    exception: str | None
    place: str | None
    hint: str | None
    traceback: str | None
    output: Path | None
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, result: ScriptResult) -> Self:
        """Return the public form of a result; sentences are in English."""
        return cls(
            script=result.script,
            status=result.outcome,
            success=result.succeeded,
            exit_code=result.exit_code,
            attempts=len(result.attempts),
            started_at=result.started_at,
            duration=result.duration,
            exception=result.exception,
            place=result.place,
            hint=str(result.hint) if result.hint else None,
            traceback=result.traceback,
            output=result.output,
            warnings=tuple(map(str, result.warnings)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a project's run.

    Attributes:
        run_id: 13 hexadecimal characters; None where there was nothing to resume.
        project: name of the project.
        status: ``success``, ``failure``, ``stopped`` or ``skipped`` (another run of the
            project is active); None where there was nothing to resume.
        started_at: when it began.
        duration: seconds.
        scripts: one result a script, in the order of the series.
        mail: what became of the report: ``none``, ``sent``, ``queued`` or ``failed``.
        warnings: what went wrong beside the scripts.
        error: why the run did not take place, or None.
    """

    run_id: str | None
    project: str
    status: RunStatus | None
    started_at: datetime
    duration: float = 0.0
    scripts: tuple[ScriptRunResult, ...] = ()
    mail: MailStatus = MailStatus.NONE
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return the public form of a run; sentences are in English."""
        return cls(
            run_id=run.run_id,
            project=run.project,
            status=run.status,
            started_at=run.started_at,
            duration=run.duration,
            scripts=tuple(map(ScriptRunResult.of, run.scripts)),
            mail=run.mail_status,
            warnings=tuple(map(str, run.warnings)),
            error=str(run.error) if run.error else None,
        )


class ScriptRunDict(TypedDict):
    """What came of one script, with the original's keys first.

    ``script`` is its name, ``execution_time`` in minutes, ``traceback`` why it did not
    succeed or None, ``status`` one of those of :class:`ScriptRunResult`, ``started_at``
    in ISO 8601, ``output`` the file with the captured output or None.
    """

    script: str
    success: bool
    execution_time: float
    traceback: str | None
    status: str
    exit_code: int | None
    attempts: int
    run_id: str
    started_at: str
    output: str | None
    warnings: list[str]


class RunResults(list[ScriptRunDict]):
    """One dictionary a script, in order, and what else is to be known of the run.

    Attributes:
        run_id: 13 hexadecimal characters.
        status: how the run ended.
        mail: what became of the report: ``none``, ``sent``, ``queued`` or ``failed``.
        warnings: what went wrong beside the scripts, and why a report did not leave.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(map(_as_original, run.scripts))
        self.run_id = run.run_id
        self.status = run.status
        self.mail = run.mail_status
        self.warnings = tuple(map(str, _warnings(run)))


def _warnings(run: Run) -> Iterator[Sentence]:
    if run.error:
        yield run.error
    yield from run.warnings
    template = {
        MailStatus.QUEUED: N_("the report is waiting to be sent: {reason}"),
        MailStatus.FAILED: N_("the report was not sent: {reason}"),
    }.get(run.mail_status)
    if template:
        yield Sentence.of(template, reason=run.mail_reason or run.mail_status.value)
    elif run.mail_status is MailStatus.SENT and came_otherwise(run.mail_reason):
        yield Sentence.of(N_("the report was sent: {reason}"), reason=run.mail_reason)


def _as_original(result: ScriptResult) -> ScriptRunDict:
    """Return the original's dictionary, and what is new behind it."""
    return {
        "script": result.script,
        "success": result.succeeded,
        "execution_time": result.duration / 60,
        "traceback": result.traceback,
        "status": result.outcome.value,
        "exit_code": result.exit_code,
        "attempts": len(result.attempts),
        "run_id": result.run_id,
        "started_at": result.started_at.isoformat(),
        "output": str(result.output) if result.output else None,
        "warnings": [str(warning) for warning in result.warnings],
    }
