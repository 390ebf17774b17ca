"""Cron: lines in the crontab of this user, through the program ``crontab``."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from python_runner.scheduling import crontab
from python_runner.scheduling.entries import Entry, SchedulerName
from python_runner.scheduling.programs import (
    ask,
    find_program,
    refused,
    require_success,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.scheduling.entries import Job

_LIST = ("crontab", "-l")
_REPLACE = ("crontab", "-")
#: How programs say that a user has none; the second is BusyBox'.
_NONE = ("no crontab", ": no such file or directory")
_DELETE = ("crontab", "-r")


class Cron:
    """The scheduler of POSIX systems."""

    name = SchedulerName.CRON

    def unavailable(self) -> Sentence | None:
        """Say why it cannot be used here; None if it can."""
        if find_program("crontab") is None:
            template = N_("cron is not installed here: there is no program {program}")
            return Sentence.of(template, program="crontab")
        return None

    def unreachable(self) -> Sentence | None:
        """Return None: without its program nothing of it is here."""

    def problem(self, job: Job) -> Sentence | None:
        """Say why it cannot do what is wanted; None if it can."""
        return crontab.line_problem(job)

    def name_of(self, job: Job) -> str:
        """Return the key of a job, with which its line ends."""
        return job.key

    def entries(self) -> tuple[Entry, ...]:
        """Return the lines of the user's crontab that start Python Runner.

        Raises:
            SchedulerError: the crontab cannot be read.
        """
        return tuple(
            Entry(
                scheduler=self.name,
                name=line.key or "crontab",
                job=line.job,
                own=line.key is not None,
                account=_account(),
                enabled=line.enabled,
                definition=line.text,
            )
            for line in crontab.lines_of(_read())
        )

    def is_same(self, entry: Entry, job: Job) -> bool:
        """Say whether an entry of ours is what would be installed now."""
        return entry.definition == crontab.entry_line(job)

    def definition(self, job: Job) -> str:
        """Return the line of a job."""
        return crontab.entry_line(job)

    def instructions(
        self, install: Sequence[Job], remove: Sequence[Entry]
    ) -> tuple[str, ...]:
        """Return the commands by which a person would do the same as ``change``."""
        return ("crontab -e",) if install or remove else ()

    def change(self, install: Sequence[Job], remove: Sequence[Entry]) -> None:
        """Change our lines of the crontab; where nothing is left, there is none.

        Raises:
            SchedulerError: cron refused the crontab; it is as it was.
        """
        before = _read()
        after = crontab.changed(before, install, {entry.name for entry in remove})
        if after == before:
            return
        if after or install:
            require_success(_REPLACE, after.encode("utf-8", "surrogateescape"))
        else:
            require_success(_DELETE)


def _read() -> str:
    """Return the user's crontab; nothing where there is none."""
    answer = ask(_LIST)
    if answer.code and not any(sign in answer.errors.lower() for sign in _NONE):
        raise refused(_LIST, answer)
    return answer.output.decode("utf-8", "surrogateescape") if not answer.code else ""


def _account() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
