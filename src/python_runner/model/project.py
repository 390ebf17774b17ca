"""A project, its scripts, and the settings of the environment."""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from python_runner.facts import dataclass
from python_runner.files import portable
from python_runner.secret_values import secret_values
from python_runner.texts.sanitize import clean


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from python_runner.exceptions import Problem
    from python_runner.texts.sentence import Sentence


#: The strategies as a caller writes them.
StrategyName = Literal["all", "none", "failure_only"]


class EmailStrategy(StrEnum):
    """Which scripts a report names, and whether there is one."""

    ALL = "all"
    NONE = "none"
    FAILURE_ONLY = "failure_only"


class OnFailure(StrEnum):
    """What a failed script means for those after it."""

    CONTINUE = "continue"
    STOP = "stop"


class Overlap(StrEnum):
    """What a second run of a project does while the first is active."""

    SKIP = "skip"
    WAIT = "wait"


class WhenUnusual(StrEnum):
    """What comes of a success that is unusual; it stays a success."""

    #: It is marked wherever the run is shown, and mailed also where only failures are.
    MAIL = "mail"
    #: It is marked.
    MARK = "mark"
    #: Nobody looks whether one is.
    IGNORE = "ignore"


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
        outputs: patterns of files in the project that it must make.
        resources: what a worker of a cluster must offer, by name.
        help: the owner's words, shown with its failure; empty for none.
    """

    name: str
    path: str
    args: tuple[str, ...] = field(default=(), repr=False)
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    needs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    resources: Mapping[str, float] = field(default_factory=dict)
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with a series of scripts and the way to run it.

    Attributes:
        path: the folder, absolute.
        name: what people call it: the folder's name.
        scripts: the series, in order.
        python_command: the interpreter as configured: a program, or one with arguments
            of its own before those of Python; None: the project's own virtual
            environment where it has one, else the running interpreter.
        recipients: mail addresses, one each.
        channels: further addresses that get the report, as Apprise writes them; they
            hold tokens and passwords.
        heartbeat_url: the Healthchecks address that each run pings, a secret, or None.
        logs_backup_count: archives of the log to keep; 0 keeps all.
        log_filename: file name of the log, in the folder's ``logs``; ends in ``.log``.
        warm: whether the interpreter of the next script is started ahead.
        preload: names of modules that it imports then.
        working_directory: the scripts' current folder, absolute or relative to ``path``.
        mail_after: from which failed run in a row on a report is sent.
        remind: seconds within which the same error is reported once; None: each time.
        help: the owner's words, shown with a failure; empty for none.
        schedule: when it is due, a cron expression (see :mod:`python_runner.due_times`),
            or None.
        not_on: days without runs, as configured; see :mod:`python_runner.days_off`.
        env: variables for all scripts.
        env_file: the file, as configured, that some of them come from, or None.
        unusual: what comes of a success that is unusual.
        log_rotation_days: calendar days one log file covers.
        output_limit: bytes of captured output kept per script.
        output_keep_days: days captured output is kept.
        language: language of the reports, ``fr`` or ``en``.
        warnings: what is odd about its configuration, for ``check`` and the report.
    """

    path: Path
    name: str
    scripts: tuple[Script, ...]
    python_command: str | tuple[str, ...] | None
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
    warm: bool = False
    preload: tuple[str, ...] = ()
    working_directory: str = ""
    mail_after: int = 1
    remind: float | None = None
    help: str = ""
    schedule: str | None = None
    not_on: tuple[str, ...] = ()
    unusual: WhenUnusual = WhenUnusual.MAIL
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_file: str | None = None
    log_rotation_days: int = 3
    output_limit: int = 10_000_000
    output_keep_days: int = 30
    language: str = "en"
    warnings: tuple[Sentence, ...] = ()

    @property
    def directory(self) -> Path:
        """The scripts' current folder."""
        if not self.working_directory:
            return self.path
        return self.path / portable(self.working_directory)

    @property
    def all_help(self) -> dict[str, str]:
        """The owner's words by the name of a script; those for all under no name."""
        found = {"": self.help} | {s.name: s.help for s in self.scripts}
        # Of what only sets colours nothing is left.
        said = {name: clean(text).strip() for name, text in found.items()}
        return {name: text for name, text in said.items() if text}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret values of its scripts' variables, and its secret addresses."""
        variables = secret_values(self.env, *(script.env for script in self.scripts))
        return (*variables, *self.channels, *filter(None, [self.heartbeat_url]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """What an interpreter says about itself, and how long that is valid.

    Attributes:
        path: its file; with arguments of its own, the command as people type it.
        version: as ``3.11.9``; None if it gave no sensible answer.
        base: the interpreter behind a virtual environment's, or the same.
        stamp: sizes and times of both files; the answer is valid while they stay the
            same. None if it may differ from call to call, as a launcher's does.
    """

    path: str
    version: str | None = None
    base: str | None = None
    stamp: str | None = None


#: The transports that need a token of Microsoft's.
TOKEN_TRANSPORTS = frozenset({"smtp-oauth2", "graph"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What is known of a provider of mailboxes.

    Attributes:
        name: what people call it.
        host: its server for outgoing mail; ``port`` and ``security`` belong to it.
        security: as ``SMTP_SECURITY``.
        wants: what it needs before it takes mail from a program: a password of its own,
            a switch, another way to sign in.
    """

    name: str
    host: str
    port: int
    security: str
    wants: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """How mail leaves this machine; see the environment in the reference.

    ``repr`` shows neither password nor secret, because settings end up in tracebacks.

    Attributes:
        smtp_scope: what a user grants so that mail leaves by SMTP in that user's name.
        sign_in_folder: local folder of what ``mail login`` keeps; None: nowhere.
        problems: what is wrong with variables; the fields hold the defaults of these.
        looked_in: the ``.env`` files that could have held a variable, read or absent.
        provider: whose servers the address of the mailbox chose, or None.
        others: the ways that take over, in their order, while this one is closed.
    """

    transport: str = "smtp"
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    sender: str | None = None
    smtp_host: str = "smtp.office365.com"
    smtp_port: int = 587
    smtp_security: str = "starttls"
    smtp_ca_file: Path | None = None
    smtp_helo: str | None = None
    oauth_tenant: str | None = None
    oauth_client: str | None = None
    oauth_secret: str | None = field(default=None, repr=False)
    oauth_certificate: Path | None = None
    oauth_authority: str = "https://login.microsoftonline.com"
    outlook_url: str = "https://outlook.office365.com"
    smtp_scope: str = "https://outlook.office.com/SMTP.Send"
    graph_url: str = "https://graph.microsoft.com"
    mail_dir: Path | None = None
    sign_in_folder: Path | None = None
    problems: tuple[Problem, ...] = ()
    looked_in: tuple[Path, ...] = ()
    provider: Provider | None = None
    others: tuple[MailSettings, ...] = ()

    @property
    def ways(self) -> tuple[MailSettings, ...]:
        """Every way to send, the first one first, each by itself."""
        return (replace(self, others=()), *self.others)

    @property
    def as_user(self) -> bool:
        """Whether mail leaves in the name of the user who did ``mail login``."""
        proof = self.oauth_secret or self.oauth_certificate
        return self.transport in TOKEN_TRANSPORTS and not proof

    @property
    def user_ways(self) -> tuple[MailSettings, ...]:
        """The ways by which mail leaves in the name of that user."""
        return tuple(way for way in self.ways if way.as_user)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that all projects of this process share.

    Attributes:
        home: local folder of records, outbox and locks.
        mail: how mail leaves this machine.
        environ: the environment of the scripts, before secrets are taken out.
        env_file: the ``.env`` file that was read, or None.
        env_names: the variables that it has.
        warnings: what is wrong with lines of that file.
    """

    home: Path
    mail: MailSettings
    environ: Mapping[str, str] = field(repr=False)
    env_file: Path | None = None
    env_names: frozenset[str] = frozenset()
    warnings: tuple[Sentence, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret values of the environment."""
        own = (self.mail.password, self.mail.oauth_secret)
        return (*secret_values(self.environ), *filter(None, own))
