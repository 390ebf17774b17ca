"""What the system's scheduler starts, and what it is to start; no I/O."""

from __future__ import annotations

import hashlib
import ntpath
import os
import posixpath
import re
import unicodedata
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from python_runner.facts import dataclass
from python_runner.files import absolute
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from python_runner.texts.sentence import Sentence

#: How the names of our entries begin, and the marks of those that have no names.
PREFIX = "python-runner"
#: How a program that is this one is called, whatever the platform adds.
_PROGRAMS = {"python-runner", "python-runnerw"}
_MODULE = "python_runner"
#: Hexadecimal characters that tell our entries apart.
_KEY_LENGTH = 10
#: Characters of a project that are part of the name of its entry.
_LONGEST_NAME = 40


class SchedulerName(StrEnum):
    """The schedulers, as ``--to`` calls them."""

    CRON = "cron"
    SYSTEMD = "systemd"
    TASK_SCHEDULER = "task-scheduler"


class Purpose(StrEnum):
    """What an entry starts."""

    RUN = "run"
    #: ``run --if-missed``: it runs what was missed, and never a second time.
    CATCH_UP = "catch_up"
    FLUSH = "flush"
    DIGEST = "digest"
    #: The dashboard: it is started once and goes on, at no time of its own.
    SERVE = "serve"


class SchedulerError(Exception):
    """The system's scheduler could not be asked, or refused what it was told.

    Attributes:
        reason: what to tell people.
    """

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What an entry makes the scheduler do.

    Attributes:
        purpose: what is started; None: something that is not known.
        project: the folder whose series runs, absolute; None where it is about no single
            project.
        expression: when, as a cron expression; None where the scheduler's own form of
            it is no such expression, and for what goes on all the time.
        command: the program, by its absolute path where we have written it, and its
            arguments.
        folder: the working folder: that of ``.env`` and ``python-runner.toml``; None
            where the entry names none.
        variables: the environment that the entry sets.
    """

    purpose: Purpose | None
    project: Path | None
    expression: str | None
    command: tuple[str, ...]
    folder: Path | None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells the entry from all others of the same account."""
        about = self.project or self.folder or ""
        text = f"{self.purpose}\0{os.path.normcase(about)}"
        return hashlib.sha256(os.fsencode(text)).hexdigest()[:_KEY_LENGTH]

    @property
    def name(self) -> str:
        """What a scheduler that wants a name calls the entry: a few ASCII characters."""
        about = self.project or self.folder
        plain = unicodedata.normalize("NFKD", about.name if about else "")
        word = re.sub(r"[^A-Za-z0-9]+", "-", plain.encode("ascii", "ignore").decode())
        word = word.strip("-")[:_LONGEST_NAME] or "project"
        return f"{PREFIX}-{self.purpose}-{word}-{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that the system's scheduler starts.

    Attributes:
        scheduler: which one.
        name: what it calls the entry: a unit, the path of a task, a line of the crontab.
        job: what it starts, as far as that can be read.
        own: whether ``schedule install`` has made it. What others have made is never
            changed.
        account: the user it runs as; None where that is not known.
        enabled: whether it starts anything at present.
        last_run: when it last ran, as the scheduler writes it; None where that is not
            known, or it never ran.
        last_result: the exit code, or Windows' own number, of that time; None where that
            is not known.
        logon: on Windows how the account is there: ``password``, ``s4u`` or
            ``interactive``; None elsewhere.
        definition: the entry as it is written there: a line, or the text of its files.
    """

    scheduler: SchedulerName
    name: str
    job: Job
    own: bool
    account: str | None = None
    enabled: bool = True
    last_run: str | None = None
    last_result: int | None = None
    logon: str | None = None
    definition: str = ""


class Scheduler(Protocol):
    """One scheduler of the system."""

    name: SchedulerName

    def unavailable(self) -> Sentence | None:
        """Say why it cannot be used here; None if it can."""

    def unreachable(self) -> Sentence | None:
        """Say what it may start here though it cannot be asked; None: nothing.

        Called where it is not available.
        """

    def problem(self, job: Job) -> Sentence | None:
        """Say why it cannot do what is wanted; None if it can."""

    def name_of(self, job: Job) -> str:
        """Return what the entry of a job is called: ``Entry.name``."""

    def entries(self) -> tuple[Entry, ...]:
        """Return what of it starts Python Runner, ours and others'.

        Raises:
            SchedulerError: it does not answer.
        """

    def is_same(self, entry: Entry, job: Job) -> bool:
        """Say whether an entry of ours is what would be installed now."""

    def definition(self, job: Job) -> str:
        """Return what would be installed, as it is written there."""

    def instructions(
        self, install: Sequence[Job], remove: Sequence[Entry]
    ) -> tuple[str, ...]:
        """Return the commands by which a person would do the same as ``change``."""

    def change(self, install: Sequence[Job], remove: Sequence[Entry]) -> None:
        """Install entries, in place of those of the same keys, and remove others.

        Raises:
            SchedulerError: it refused; what was done before that stays.
        """


def job_of(
    command: Sequence[str],
    folder: Path | None,
    *,
    expression: str | None,
    variables: Mapping[str, str] | None = None,
) -> Job | None:
    """Return what a command line starts; None where it does not start Python Runner.

    Args:
        command: a program and its arguments.
        folder: in which it is started, to which its paths are relative.
        expression: see :class:`Job`.
        variables: the environment that is set for it.
    """
    arguments = _arguments(command)
    if arguments is None:
        return None
    purpose, project = None, None
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == ["run"]:
        purpose = Purpose.CATCH_UP if "--if-missed" in arguments else Purpose.RUN
        named = projects_named(arguments)
        if len(named) == 1:
            project = absolute(folder / named[0]) if folder else absolute(named[0])
    elif words[:2] == ["mail", "flush"]:
        purpose = Purpose.FLUSH
    elif words[:1] == ["digest"]:
        purpose = Purpose.DIGEST
    elif words[:1] == ["serve"]:
        purpose, expression = Purpose.SERVE, None
    return Job(
        purpose=purpose,
        project=project,
        expression=expression,
        command=tuple(command),
        folder=folder,
        variables=variables or {},
    )


#: How the names of commands are written.
_COMMAND = lazy_pattern(r"[a-z]+")
#: Options of ``run`` that take a value.
_WITH_VALUE = {"--jobs", "--only", "--env-file", "--on"}


def projects_named(arguments: Sequence[str]) -> list[str]:
    """Return the folders that the arguments of a command ``run`` name."""
    named, rest = [], iter(arguments)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            named.append(word)
    return named[1:]


def _arguments(command: Sequence[str]) -> tuple[str, ...] | None:
    """Return the arguments of a command of ours; None where it is another program."""
    for place, word in enumerate(command):
        # A shell or a Windows program may name it by either kind of path.
        name = ntpath.basename(posixpath.basename(word)).lower()
        if name.removesuffix(".exe").removesuffix(".pyz") in _PROGRAMS:
            arguments = tuple(command[place + 1 :])
            # It may be the folder that another program is about.
            words = [word for word in arguments if not word.startswith("-")]
            if words and _COMMAND.fullmatch(words[0]):
                return arguments
        if word == _MODULE and place and command[place - 1] == "-m":
            return tuple(command[place + 1 :])
    return None
