"""The facts every room shares: what is to be run, and what came of it.

Everything here is frozen, can be pickled (a script may run on another machine) and does
no I/O. Durations are seconds, sizes are bytes, times are aware ``datetime`` objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from python_runner.masking import Masker, secret_values


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.texts import Text


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


class RunStatus(StrEnum):
    """How one run of a project's series ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    #: Another run of the same project was active.
    SKIPPED = "skipped"
    #: The project could not be run at all: configuration, interpreter.
    NOT_STARTED = "not_started"


class EmailStrategy(StrEnum):
    """Which scripts a report names, and whether there is one."""

    ALL = "all"
    NONE = "none"
    FAILURE_ONLY = "failure_only"


class MailStatus(StrEnum):
    """What became of a run's report."""

    NONE = "none"
    SENT = "sent"
    QUEUED = "queued"
    FAILED = "failed"


class OnFailure(StrEnum):
    """What a failed script means for those after it."""

    CONTINUE = "continue"
    STOP = "stop"


class Overlap(StrEnum):
    """What a second run of a project does while the first is active."""

    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One entry of a series.

    Attributes:
        name: what people call it: its file name, or its path in the project where two
            scripts of the series share a file name. Unique in the series.
        path: the file, as the user wrote it.
        args: further arguments of the script.
        timeout: longest duration in seconds, or None for no limit.
        retries: how many further attempts a failure gets.
        retry_delay: seconds before the first retry; doubles with each.
        env: variables for this script, over those of the project.
        needs: names of scripts that must succeed before this one starts.
    """

    name: str
    path: str
    args: tuple[str, ...] = field(default=(), repr=False)
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with a series of scripts and the way to run it.

    Attributes:
        path: the folder, absolute.
        name: what people call it: the folder's name.
        scripts: the series, in order.
        python_command: the interpreter as configured; None: the project's own virtual
            environment where it has one, else the running interpreter.
        recipients: mail addresses, one each.
        channels: further addresses told the same report, as Apprise writes them; they
            hold tokens and passwords.
        heartbeat_url: the Healthchecks address told of each run, a secret too, or None.
        logs_backup_count: archives of the log to keep; 0 keeps all.
        log_filename: file name of the log, in the folder's ``logs``; ends in ``.log``.
        env: variables for all scripts.
        log_rotation_days: calendar days one log file covers.
        output_limit: bytes of captured output kept per script.
        output_keep_days: days captured output is kept.
        language: language of the reports, ``fr`` or ``en``.
    """

    path: Path
    name: str
    scripts: tuple[Script, ...]
    python_command: str | None
    recipients: tuple[str, ...]
    email_strategy: EmailStrategy
    include_traceback: bool
    logs_backup_count: int
    log_filename: str
    channels: tuple[str, ...] = field(default=(), repr=False)
    heartbeat_url: str | None = field(default=None, repr=False)
    on_failure: OnFailure = OnFailure.CONTINUE
    max_parallel: int = 1
    overlap: Overlap = Overlap.SKIP
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    log_rotation_days: int = 3
    output_limit: int = 10_000_000
    output_keep_days: int = 30
    language: str = "en"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be told of its scripts' variables and of its addresses."""
        variables = secret_values(self.env, *(script.env for script in self.scripts))
        return (*variables, *self.channels, *filter(None, [self.heartbeat_url]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What an interpreter says of itself, and until when that holds.

    Attributes:
        path: the interpreter as it was asked.
        version: as ``3.11.9``; None where it gave no answer that makes sense.
        base: the interpreter behind a virtual environment's, or the same.
        stamp: sizes and times of both files; another one makes the answer doubtful.
            None where it may differ from call to call: a launcher that looks around.
    """

    path: str
    version: str | None = None
    base: str | None = None
    stamp: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """How mail leaves this machine; see the environment in the reference.

    Neither password nor secret ever shows in ``repr``: settings end up in tracebacks.
    """

    transport: str = "smtp"
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    sender: str | None = None
    smtp_host: str = "smtp.office365.com"
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_ca_file: Path | None = None
    oauth_tenant: str | None = None
    oauth_client: str | None = None
    oauth_secret: str | None = field(default=None, repr=False)
    oauth_certificate: Path | None = None
    oauth_authority: str = "https://login.microsoftonline.com"
    outlook_url: str = "https://outlook.office365.com"
    graph_url: str = "https://graph.microsoft.com"
    mail_dir: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for every project of this process.

    Attributes:
        home: local folder of records, outbox and locks.
        mail: how mail leaves this machine.
        environ: what scripts inherit from; the secrets are taken out on the way.
    """

    home: Path
    mail: MailSettings
    environ: Mapping[str, str] = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be told of the environment."""
        own = (self.mail.password, self.mail.oauth_secret)
        return (*secret_values(self.environ), *filter(None, own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One attempt of one script, ready to be started, here or on another machine.

    Attributes:
        argv: interpreter, script file, arguments.
        cwd: working directory.
        env: the whole environment of the child.
        output: file that receives both streams; appended to, made when missing.
        output_limit: bytes of ``output`` to keep (head and tail).
        timeout: seconds until the whole process tree is stopped, or None.
        grace: seconds between the polite signal and the kill.
        project: the project's folder, which frames of a traceback are compared with.
        run_id: marks the child's environment, so that a descendant that left its
            session is found; see ``PYTHON_RUNNER_RUN_ID``.
        inherit: descriptors the child keeps open (POSIX): the project's lock.
        masker: takes the known secrets out of the output and of what is told of it.
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
    inherit: tuple[int, ...] = ()
    masker: Masker = field(default_factory=Masker, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traceback:
    """What a failing script said at the end of its output.

    Attributes:
        text: the last contiguous chain of tracebacks, or the message of ``sys.exit``.
        exception: its last line: exception type and message.
        file: file of the last frame inside the project, as a path in the project.
        line: line of that frame.
        function: function of that frame.
    """

    text: str
    exception: str
    file: str | None = None
    line: int | None = None
    function: str | None = None

    @property
    def fingerprint(self) -> str:
        """Exception type and last frame inside the project: the same for one fault."""
        kind = self.exception.partition(":")[0].strip()
        return f"{kind}@{self.file}:{self.function}" if self.file else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one command.

    Attributes:
        outcome: success, failure, timeout, stopped or not_started.
        exit_code: as the platform gives it (negative: a signal), None if it never ran.
        started_at: when the attempt began.
        duration: seconds, by a monotonic clock.
        reason: one sentence that says why it did not succeed; None for a success.
        traceback: what the failure says at the end of the output, or None.
        warnings: what was odd about it: processes left behind, output that was dropped,
            a success with a traceback on its output.
        peak_memory: bytes, largest resident size seen in the tree; None if unknown.
        cpu_seconds: processor time of the tree; None if unknown.
    """

    outcome: Outcome
    exit_code: int | None
    started_at: datetime
    duration: float
    reason: Text | None = None
    traceback: Traceback | None = None
    warnings: tuple[Text, ...] = ()
    peak_memory: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """What came of one script of a run, over all its attempts.

    Attributes:
        script: name of the script.
        run_id: the run it belongs to.
        number: its place in the series, from 1.
        outcome: how it ended.
        started_at: when its first attempt began, or when it was given up.
        duration: seconds from the first attempt's start to the last one's end.
        attempts: every attempt, in order; empty if it never started.
        reason: one sentence that says why it did not succeed; None for a success.
        output: file with the captured output, or None.
    """

    script: str
    run_id: str
    number: int
    outcome: Outcome
    started_at: datetime
    duration: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    reason: Text | None = None
    output: Path | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the script did what it was asked to do."""
        return self.outcome.succeeded

    @property
    def exit_code(self) -> int | None:
        """Exit code of the last attempt."""
        return self.attempts[-1].exit_code if self.attempts else None

    @property
    def traceback(self) -> str | None:
        """What the failure says: the last traceback, else the reason, in English."""
        if self.succeeded:
            return None
        if self.attempts and (last := self.attempts[-1].traceback):
            return last.text
        return str(self.reason) if self.reason else None

    @property
    def warnings(self) -> tuple[Text, ...]:
        """What was odd about its attempts."""
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
            "traceback": self.traceback,
            "output": str(self.output) if self.output else None,
            "warnings": [str(warning) for warning in self.warnings],
            "peak_memory_bytes": self.peak_memory,
            "cpu_seconds": None
            if self.cpu_seconds is None
            else round(self.cpu_seconds, 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one project's series.

    Attributes:
        run_id: 13 hexadecimal characters.
        project: name of the project.
        path: the project's folder.
        status: how it ended.
        started_at: when it began.
        duration: seconds, by a monotonic clock.
        scripts: one result per script, in the order of the series.
        error: why the run did not take place, or None.
        warnings: what went wrong beside the scripts: a log that could not be written.
        mail: what became of the report.
        mail_reason: why the report has not reached everybody, where that is known.
        interpreter: what ran the scripts, or None if unknown.
        interpreter_version: its version, as ``3.11.9``, or None if unknown.
    """

    run_id: str
    project: str
    path: Path
    status: RunStatus
    started_at: datetime
    duration: float
    scripts: tuple[ScriptResult, ...] = ()
    error: Text | None = None
    warnings: tuple[Text, ...] = ()
    mail: MailStatus = MailStatus.NONE
    mail_reason: Text | None = None
    interpreter: str | None = None
    interpreter_version: str | None = None

    @property
    def failed_scripts(self) -> tuple[ScriptResult, ...]:
        """The scripts that did not succeed, whatever the reason."""
        return tuple(r for r in self.scripts if not r.succeeded)

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
            "mail": self.mail.value,
            "interpreter": self.interpreter,
            "interpreter_version": self.interpreter_version,
            "scripts": [result.to_document() for result in self.scripts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PastResult:
    """How a script ended in an earlier run: what a comparison needs.

    Attributes:
        run_id: the run it belongs to.
        outcome: how it ended.
        started_at: when its first attempt began.
        duration: seconds.
        fingerprint: of the last attempt's traceback, or None.
        exit_code: of the last attempt, or None.
    """

    run_id: str
    outcome: Outcome
    started_at: datetime
    duration: float
    fingerprint: str | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Results of a script in a row that are alike.

    Attributes:
        count: how many.
        since: when the first of them began; None where it may go back further than
            was looked.
    """

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a script's result compares with those before it.

    Attributes:
        usual: seconds its recent successes took, in the middle; None while they are few.
        pace: how many times its usual it took, where that is worth telling, else None.
        new: whether it failed as it never has before.
        same: the results right before that failed in the same way, or None.
        last_seen: when it failed in the same way last, if not right before.
        recovered: the failures right before this success, or None.
    """

    usual: float | None = None
    pace: float | None = None
    new: bool = False
    same: Streak | None = None
    last_seen: datetime | None = None
    recovered: Streak | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The mails of one incident: runs of a project in a row that did not succeed.

    Attributes:
        began_at: when the first of these runs began.
        topic: subject of the first mail; empty in that mail itself.
        references: ``Message-ID`` of earlier mails, the first one and the latest ones,
            in order; empty in the first mail.
    """

    began_at: datetime
    topic: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenScript:
    """What is known so far of a script whose run has not ended.

    Attributes:
        script: name of the script.
        number: its place in the series, from 1.
        outcome: how it ended; None while it is planned or runs.
        started_at: when its first attempt began; None while it is planned.
        output: file with the captured output; None while it is planned.
    """

    script: str
    number: int
    outcome: Outcome | None = None
    started_at: datetime | None = None
    output: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that has not ended: it is active, or its runner died.

    Attributes:
        run_id: 13 hexadecimal characters.
        project: name of the project.
        path: the project's folder.
        started_at: when it began.
        scripts: the series, in order.
    """

    run_id: str
    project: str
    path: Path
    started_at: datetime
    scripts: tuple[OpenScript, ...] = ()


#: The audience of a mail: the recipients of the project. A channel has its own.
RECIPIENTS = "recipients"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A report as it leaves: bytes, identity and date are fixed when it is made.

    Attributes:
        message_id: the ``Message-ID``, with its angle brackets.
        sender: address of the envelope.
        recipients: addresses of the envelope; for a channel the one label that people
            know it by.
        subject: for lists that people read.
        content: the whole message (RFC 5322), lines ended by CR LF.
        audience: who it is for, and so which way it leaves: ``RECIPIENTS``, or what
            finds the channel in the project's configuration.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    content: bytes = field(repr=False)
    audience: str = RECIPIENTS


class Delivery(StrEnum):
    """What became of a message for one recipient."""

    SENT = "sent"
    #: Not now; worth another attempt.
    DEFERRED = "deferred"
    #: Never.
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The answer for one recipient.

    Attributes:
        recipient: who it is about.
        delivery: what became of the message.
        detail: the server's or the transport's words.
        retry_after: seconds the server asks to be left alone, or None.
        barred: whether nothing at all can leave now, whoever it is for.
    """

    recipient: str
    delivery: Delivery
    detail: Text | None = None
    retry_after: float | None = None
    barred: bool = False
