"""A run: its commands, attempts and results."""

from __future__ import annotations

import re
from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.masking import Masker
from python_runner.model.metrics import metrics_document
from python_runner.model.provenance import provenance_document, sources_document
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model.metrics import ScriptMetrics
    from python_runner.model.provenance import RunProvenance, ScriptProvenance
    from python_runner.texts.sentence import Sentence

#: What people call each outcome and status, on the terminal, in mails and on pages.
OUTCOME_WORDS = {
    "success": N_("succeeded"),
    "failure": N_("failed"),
    "timeout": N_("timed out"),
    "stopped": N_("stopped"),
    "skipped": N_("skipped"),
    "interrupted": N_("interrupted"),
    "not_started": N_("not started"),
}


class Outcome(StrEnum):
    """How one script ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    #: Stopped together with the runner, by a signal or by Ctrl-C.
    STOPPED = "stopped"
    #: Never started, because of another script, of the series or of another run.
    SKIPPED = "skipped"
    #: The runner died while the script ran; written by the next run.
    INTERRUPTED = "interrupted"
    #: Could not be started: neither success nor failure of the script itself.
    NOT_STARTED = "not_started"

    @property
    def succeeded(self) -> bool:
        """Whether the script did what it was asked to do."""
        return self is Outcome.SUCCESS

    @property
    def word(self) -> str:
        """What people call it, in English; the catalogues translate it."""
        return OUTCOME_WORDS[self.value]


def error_name(outcome: Outcome, fingerprint: str | None, exit_code: int | None) -> str:
    """Return a name that two failures share if they are the same error."""
    if outcome is not Outcome.FAILURE:
        return outcome.value
    # The message of sys.exit() may hold today's date, or how many rows were missing.
    return re.sub(r"[0-9]+", "0", fingerprint) if fingerprint else f"exit {exit_code}"


class RunStatus(StrEnum):
    """How one run of a project's series ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    #: Another run of the same project was active, or it does not run on that day.
    SKIPPED = "skipped"
    #: The project could not be run at all: configuration, interpreter.
    NOT_STARTED = "not_started"

    @property
    def word(self) -> str:
        """What people call it, in English; the catalogues translate it."""
        return OUTCOME_WORDS[self.value]


class MailStatus(StrEnum):
    """What became of a run's report."""

    NONE = "none"
    SENT = "sent"
    QUEUED = "queued"
    FAILED = "failed"


class HeldBy(StrEnum):
    """What keeps a run from being reported, though its project's strategy wants it."""

    MAIL_AFTER = "mail_after"
    REMIND = "remind"
    #: Nobody was to be told: ``--no-mail``, or it was stopped before it began.
    UNWANTED = "unwanted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a run is not reported.

    Attributes:
        until: when its error is reported if it still occurs; None: no time tells.
    """

    by: HeldBy
    reason: Sentence
    until: datetime | None = None

    @property
    def back(self) -> bool:
        """Whether a key of the project holds the report back, and not who started it."""
        return self.by is not HeldBy.UNWANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One attempt of one script, ready to be started, here or on another machine.

    Attributes:
        argv: interpreter, script file, arguments.
        flags: what stands between the interpreter and the script.
        cwd: working directory.
        env: the whole environment of the child.
        output: file that receives both streams; appended to, made when missing.
        spare: file that does where ``output`` cannot be written, its folder as well;
            empty: a temporary one.
        output_limit: bytes of ``output`` to keep (head and tail).
        timeout: seconds until the whole process tree is stopped, or None.
        grace: seconds between the polite signal and the kill.
        project: the project's folder, which frames of a traceback are compared with.
        run_id: marks the child's environment, so that a descendant that left its
            session is found; see ``PYTHON_RUNNER_RUN_ID``.
        inherit: descriptors the child keeps open (POSIX): the project's lock.
        version: of the interpreter, as ``3.11.9``; empty if unknown.
        masker: takes the known secrets out of the output and of the attempt's texts.
    """

    argv: tuple[str, ...] = field(repr=False)
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    output: str
    output_limit: int
    timeout: float | None
    grace: float
    project: str
    run_id: str
    flags: tuple[str, ...] = ()
    inherit: tuple[int, ...] = ()
    spare: str = ""
    version: str = ""
    masker: Masker = field(default_factory=Masker, repr=False)

    @property
    def command_line(self) -> tuple[str, ...]:
        """The program and its arguments, as the system is given them."""
        program, *arguments = self.argv
        return (program, *self.flags, *arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traceback:
    """What a failed script wrote at the end of its output.

    Attributes:
        text: the chain of tracebacks that ended it, the message of ``sys.exit``, or what
            was logged near the end.
        exception: type and message of what ended it, or the first line of that message;
            None where the exit code alone tells that it failed.
        file: file of the last frame inside the project, as a path in the project; its
            line and function are in ``line`` and ``function``.
    """

    text: str
    exception: str | None
    file: str | None = None
    line: int | None = None
    function: str | None = None

    @property
    def fingerprint(self) -> str | None:
        """Exception type and last frame inside the project: the same for one fault."""
        if self.exception is None:
            return None
        kind = self.exception.partition(":")[0].strip()
        return f"{kind}@{self.file}:{self.function}" if self.file else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The result of one command.

    Attributes:
        outcome: success, failure, timeout, stopped or not_started.
        exit_code: as the platform gives it (negative: a signal), None if it never ran.
        duration: seconds, by a monotonic clock.
        reason: one sentence that says why it did not succeed; None for a success.
        traceback: the traceback at the end of the output, or None.
        warnings: problems beside the outcome: processes left behind, output that was
            dropped, a success with a traceback in its output.
        peak_memory: bytes, largest resident size seen in the tree; None if unknown.
        cpu_seconds: processor time of the tree; None if unknown.
        output: file with its output where that is not the one that was wanted.
        transient: whether what kept it from being started may pass: no descriptor,
            process, thread or memory was left, or a share was away.
        hint: what to do about its failure, where that is known for sure; else None.
        metrics: what its output and files amount to, None if unknown; of the last
            attempt it is the result's, and stays there alone.
    """

    outcome: Outcome
    exit_code: int | None
    started_at: datetime
    duration: float
    reason: Sentence | None = None
    traceback: Traceback | None = None
    warnings: tuple[Sentence, ...] = ()
    peak_memory: int | None = None
    cpu_seconds: float | None = None
    output: str | None = None
    transient: bool = False
    hint: Sentence | None = None
    metrics: ScriptMetrics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """The result of one script of a run, over all its attempts.

    Attributes:
        script: its name.
        number: its place in the series, from 1.
        started_at: when its first attempt began, or when it was skipped.
        duration: seconds from the first attempt's start to the last one's end.
        attempts: every attempt, in order; empty if it never started.
        reason: one sentence that says why it did not succeed; None for a success.
        output: file with the captured output, or None.
        unusual: why its success is unusual, a sentence each; empty where it is not.
        metrics: of its last attempt; None where that is not known.
        provenance: what it was made of; None where that is not known.
    """

    script: str
    run_id: str
    number: int
    outcome: Outcome
    started_at: datetime
    duration: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    reason: Sentence | None = None
    output: Path | None = None
    unusual: tuple[Sentence, ...] = ()
    metrics: ScriptMetrics | None = None
    provenance: ScriptProvenance | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the script did what it was asked to do."""
        return self.outcome.succeeded

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last attempt."""
        return self.attempts[-1].exit_code if self.attempts else None

    @property
    def last_traceback(self) -> Traceback | None:
        """Traceback of the last attempt, also of one that succeeded all the same."""
        return self.attempts[-1].traceback if self.attempts else None

    @property
    def error_name(self) -> str:
        """A name that two failures of a script share if they are the same error."""
        traceback = self.last_traceback
        fingerprint = traceback.fingerprint if traceback else None
        return error_name(self.outcome, fingerprint, self.exit_code)

    @property
    def exception(self) -> str | None:
        """What it failed with, in one line: type and message, else the reason, in English.

        None for a success.
        """
        if self.succeeded:
            return None
        return self.ended_by or (str(self.reason) if self.reason else None)

    @property
    def ended_by(self) -> str | None:
        """The exception that ended it, or the first line of its last message.

        None where there is none: it succeeded, or was ended, or chose its exit code.
        """
        traceback = self.last_traceback
        if traceback is None or self.outcome is not Outcome.FAILURE:
            return None
        return traceback.exception

    @property
    def hint(self) -> Sentence | None:
        """What to do about its failure, where that is known for sure; else None."""
        if self.succeeded or not self.attempts:
            return None
        return self.attempts[-1].hint

    @property
    def place(self) -> str | None:
        """Where in the project that exception was raised: ``sub/load.py:12``."""
        traceback = self.last_traceback
        if self.succeeded or traceback is None or traceback.file is None:
            return None
        return f"{traceback.file}:{traceback.line}"

    @property
    def traceback(self) -> str | None:
        """Why it failed: the last traceback, else the reason, in English.

        A traceback that did not end the script stands above the reason.
        """
        if self.succeeded:
            return None
        reason = str(self.reason) if self.reason else None
        if self.last_traceback is None:
            return reason
        text = self.last_traceback.text
        return text if self.ended_by or not reason else f"{text}\n{reason}"

    @property
    def warnings(self) -> tuple[Sentence, ...]:
        """The warnings of all its attempts."""
        return tuple(w for attempt in self.attempts for w in attempt.warnings)

    @property
    def peak_memory(self) -> int | None:
        """Bytes that the largest of its attempts took; None if unknown."""
        known = [a.peak_memory for a in self.attempts if a.peak_memory is not None]
        return max(known, default=None)

    @property
    def cpu_seconds(self) -> float | None:
        """Processor time of all its attempts; None if unknown."""
        known = [a.cpu_seconds for a in self.attempts if a.cpu_seconds is not None]
        return sum(known) if known else None

    def to_document(self) -> dict[str, Any]:
        """Return the script's part of the public JSON document."""
        return {
            "script": self.script,
            "status": self.outcome.value,
            "success": self.succeeded,
            "exit_code": self.exit_code,
            "attempts": len(self.attempts),
            "started_at": self.started_at.isoformat(),
            "duration_seconds": round(self.duration, 3),
            "exception": self.exception,
            "place": self.place,
            "hint": str(self.hint) if self.hint else None,
            "traceback": self.traceback,
            "output": str(self.output) if self.output else None,
            "warnings": [str(warning) for warning in self.warnings],
            "unusual": [str(reason) for reason in self.unusual],
            "peak_memory_bytes": self.peak_memory,
            "cpu_seconds": None
            if self.cpu_seconds is None
            else round(self.cpu_seconds, 3),
            **metrics_document(self.metrics),
            **sources_document(self.provenance),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one project's series.

    Attributes:
        run_id: 13 hexadecimal characters.
        project: name of the project.
        path: the project's folder.
        duration: seconds, by a monotonic clock.
        scripts: one result per script, in the order of the series.
        error: why the run did not take place, or None.
        day_off: whether it was skipped because its project does not run on that day;
            the records do not keep it.
        warnings: what went wrong beside the scripts: a log that could not be written.
        mail_reason: why the report has not reached everybody, where that is known; of
            one that became a file, where that is.
        interpreter: what ran the scripts, or None if unknown.
        interpreter_version: as ``3.11.9``, or None if unknown.
        provenance: what its scripts had in common; None where that is not known.
        held: why it is not reported though its project wants it; None for any other.
        part: whether scripts were chosen, so that it says nothing of the others.
    """

    run_id: str
    project: str
    path: Path
    status: RunStatus
    started_at: datetime
    duration: float
    scripts: tuple[ScriptResult, ...] = ()
    error: Sentence | None = None
    day_off: bool = False
    warnings: tuple[Sentence, ...] = ()
    mail_status: MailStatus = MailStatus.NONE
    mail_reason: Sentence | None = None
    interpreter: str | None = None
    interpreter_version: str | None = None
    provenance: RunProvenance | None = None
    held: Held | None = None
    part: bool = False

    @property
    def failed_scripts(self) -> tuple[ScriptResult, ...]:
        """The scripts that did not succeed, whatever the reason."""
        return tuple(r for r in self.scripts if not r.succeeded)

    @property
    def unusual_scripts(self) -> tuple[ScriptResult, ...]:
        """The scripts whose success is unusual."""
        return tuple(r for r in self.scripts if r.unusual)

    def masked(self, masker: Masker) -> Run:
        """Return the run without secrets in its texts; id, project and paths stay."""
        return replace(masker.fact(self), run_id=self.run_id, project=self.project)

    def to_document(self) -> dict[str, Any]:
        """Return the run as the public JSON document holds it."""
        return {
            "run_id": self.run_id,
            "project": self.project,
            "path": str(self.path),
            "status": self.status.value,
            "started_at": self.started_at.isoformat(),
            "duration_seconds": round(self.duration, 3),
            "error": str(self.error) if self.error else None,
            "mail": self.mail_status.value,
            "mail_reason": str(self.mail_reason) if self.mail_reason else None,
            "warnings": [str(warning) for warning in self.warnings],
            "interpreter": self.interpreter,
            "interpreter_version": self.interpreter_version,
            **provenance_document(self.provenance),
            "scripts": [result.to_document() for result in self.scripts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenScript:
    """What is known so far of a script whose run has not ended.

    Attributes:
        number: its place in the series, from 1.
        outcome: how it ended; None while it is planned or runs.
        started_at: when its first attempt began; None while it is planned.
        waits_until: when its next attempt begins; None while one runs.
        output: file with the captured output; None while it is planned.
    """

    script: str
    number: int
    outcome: Outcome | None = None
    started_at: datetime | None = None
    waits_until: datetime | None = None
    output: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that has not ended: it is active, or its runner died.

    Attributes:
        runner: process id of its runner; 0 if unknown.
        runner_start: distinguishes that from a later process with its id; empty if
            unknown.
    """

    run_id: str
    project: str
    path: Path
    started_at: datetime
    scripts: tuple[OpenScript, ...] = ()
    runner: int = 0
    runner_start: str = ""
