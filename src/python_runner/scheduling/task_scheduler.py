"""Windows' Task Scheduler: tasks of this user, through the program ``schtasks``."""

from __future__ import annotations

import csv
import os
import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import unescape

from python_runner.files import remove, replacing
from python_runner.patterns import lazy_pattern
from python_runner.scheduling.entries import (
    PREFIX,
    Entry,
    Purpose,
    SchedulerError,
    SchedulerName,
)
from python_runner.scheduling.programs import (
    ask,
    find_program,
    let_ask,
    require_success,
)
from python_runner.scheduling.task_xml import (
    Task,
    job_of_task,
    make_xml,
    read_xml,
    task_problem,
)
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.scheduling.entries import Job

_SCHTASKS = "schtasks"
#: Where our tasks are, each account's in a folder of its own: all accounts share the tree.
_FOLDER = "\\Python Runner"
#: Columns of the table that schtasks prints, whatever their names are in its language.
_LAST_RUN, _LAST_RESULT = 5, 6
#: A task in a list of all, and the comment above it, which names it.
_TASK = lazy_pattern(
    r"(?:<!--\s*(?P<name>\\.*?)\s*-->\s*)?(?P<xml><Task\b.*?</Task>)", re.DOTALL
)
_URI = lazy_pattern(r"<URI>(?P<name>[^<]+)</URI>")
#: A task that has never run.
_NEVER = 267011


class TaskScheduler:
    """The scheduler of Windows.

    Args:
        logon: how the account is to be there for tasks that are installed: a key of
            ``task_xml.LOGON_TYPES``; None keeps it where a task is there already, and
            else stores the password.
    """

    name = SchedulerName.TASK_SCHEDULER

    def __init__(self, logon: str | None = None) -> None:
        self._logon = logon
        self._there: dict[str, Entry] = {}

    def unavailable(self) -> Sentence | None:
        """Say why it cannot be used here; None if it can."""
        if sys.platform != "win32":
            return Sentence.of(N_("the Task Scheduler is part of Windows"))
        if find_program(_SCHTASKS) is None:
            template = N_("there is no program {program} here")
            return Sentence.of(template, program=_SCHTASKS)
        return None

    def unreachable(self) -> Sentence | None:
        """Return None: without its program nothing of it is here."""

    def problem(self, job: Job) -> Sentence | None:
        """Say why it cannot do what is wanted; None if it can."""
        missing = [
            name
            for name, value in job.variables.items()
            if not _is_lasting(name, value)
        ]
        if missing:
            template = N_(
                "a task sets no variables, and {name} is set in this window alone: write"
                " it into the .env file, or set it with `setx`"
            )
            return Sentence.of(template, name=missing[0])
        return task_problem(job)

    def name_of(self, job: Job) -> str:
        """Return what the task of a job is called."""
        user = _account().rpartition("\\")[2]
        return f"{_FOLDER}\\{user}\\{job.name}"

    def entries(self) -> tuple[Entry, ...]:
        """Return the tasks that start Python Runner.

        Raises:
            SchedulerError: the Task Scheduler does not answer.
        """
        command = (_SCHTASKS, "/Query", "/XML")
        text = require_success(command).decode(_encoding(), "replace")
        found = tuple(self._entries(text))
        self._there = {entry.name: entry for entry in found}
        return found

    def _entries(self, text: str) -> Iterator[Entry]:
        for match in _TASK.finditer(text):
            task = read_xml(match["xml"])
            job = job_of_task(task) if task else None
            if task is None or job is None:
                continue
            uri = _URI.search(match["xml"])
            name = match["name"] or (unescape(uri["name"]) if uri else "")
            last_run, last_result = _last(name)
            yield Entry(
                scheduler=self.name,
                name=name,
                job=job,
                own=name.startswith(f"{_FOLDER}\\")
                and task.source.startswith(f"{PREFIX} "),
                account=task.account,
                enabled=task.enabled,
                last_run=last_run,
                last_result=last_result,
                logon=task.logon,
                definition=match["xml"],
            )

    def is_same(self, entry: Entry, job: Job) -> bool:
        """Say whether a task of ours does what would be installed now."""
        there, wanted = read_xml(entry.definition), self._wanted(job)
        # Who names the way gives the password again: it may have changed.
        return (
            there is not None
            and self._logon != "password"
            and entry.name == self.name_of(job)
            and wanted.does_the_same(there, _encoding())
        )

    def definition(self, job: Job) -> str:
        """Return the XML of the task of a job."""
        logon = self.logon_of(job)
        return make_xml(job, _account(), logon, datetime.now())  # noqa: DTZ005 - local

    def instructions(
        self, install: Sequence[Job], remove: Sequence[Entry]
    ) -> tuple[str, ...]:
        """Return the commands by which a person would do the same as ``change``."""
        return (
            *(f'schtasks /Delete /TN "{entry.name}"' for entry in remove),
            *(
                f'schtasks /Create /TN "{self.name_of(job)}" /XML FILE.xml'
                + (f' /RU "{_account()}" /RP *' if self._wants_password(job) else "")
                for job in install
            ),
        )

    def change(self, install: Sequence[Job], remove: Sequence[Entry]) -> None:
        """Register and delete tasks.

        Raises:
            SchedulerError: the Task Scheduler refused.
        """
        for entry in remove:
            if entry.job.purpose is Purpose.SERVE:
                ask((_SCHTASKS, "/End", "/TN", entry.name))
            require_success((_SCHTASKS, "/Delete", "/TN", entry.name, "/F"))
        for job in install:
            self._register(job)
            if job.purpose is Purpose.SERVE:
                # At once, in place of one that serves by the old definition.
                ask((_SCHTASKS, "/End", "/TN", self.name_of(job)))
                require_success((_SCHTASKS, "/Run", "/TN", self.name_of(job)))

    def logon_of(self, job: Job) -> str:
        """Return how the account will be there for the task of a job."""
        if job.purpose is Purpose.SERVE:
            # It belongs to the session in which it is started.
            return "interactive"
        there = self._there.get(self.name_of(job))
        return self._logon or (there.logon if there else None) or "password"

    def _wants_password(self, job: Job) -> bool:
        return self.logon_of(job) == "password"

    def _wanted(self, job: Job) -> Task:
        task = read_xml(self.definition(job))
        assert task is not None  # noqa: S101 - we have just written it
        return task

    def _register(self, job: Job) -> None:
        descriptor, name = tempfile.mkstemp(suffix=".xml")
        os.close(descriptor)
        file = Path(name)
        try:
            with replacing(file) as stream:
                stream.write(self.definition(job).encode("utf-16"))
            command = (
                *(_SCHTASKS, "/Create", "/TN", self.name_of(job)),
                *("/XML", str(file), "/F"),
            )
            if not self._wants_password(job):
                require_success(command)
            elif code := let_ask((*command, "/RU", _account(), "/RP", "*")):
                template = N_("schtasks refused the task (exit code {code})")
                raise SchedulerError(Sentence.of(template, code=code))
        except OSError as error:
            template = N_("{file} cannot be written: {error}")
            raise SchedulerError(
                Sentence.of(template, file=file, error=system_error(error))
            ) from None
        finally:
            remove(file)


def _account() -> str:
    """Return the account of this process, as Windows writes it."""
    domain, user = os.environ.get("USERDOMAIN", ""), os.environ.get("USERNAME", "")
    return f"{domain}\\{user}" if domain else user


if sys.platform == "win32":
    import winreg

    def _is_lasting(name: str, value: str) -> bool:
        """Say whether a variable is set for all programs of this account."""
        for root, path in (
            (winreg.HKEY_CURRENT_USER, "Environment"),
            (
                winreg.HKEY_LOCAL_MACHINE,
                r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment",
            ),
        ):
            try:
                with winreg.OpenKey(root, path) as key:
                    kept, _kind = winreg.QueryValueEx(key, name)
            except OSError:
                continue
            return os.path.expandvars(str(kept)) == value
        return False

else:

    def _is_lasting(_name: str, _value: str) -> bool:
        """Return that it is not: only Windows keeps such variables."""
        return False


def _encoding() -> str:
    """Return the encoding in which the programs of a console write."""
    return "oem" if sys.platform == "win32" else "utf-8"


def _last(name: str) -> tuple[str | None, int | None]:
    """Return when a task last ran, as Windows writes it, and with which result."""
    answer = ask((_SCHTASKS, "/Query", "/TN", name, "/FO", "CSV", "/V", "/NH"))
    rows = list(csv.reader(answer.output.decode(_encoding(), "replace").splitlines()))
    if answer.code or not rows or len(rows[0]) <= _LAST_RESULT:
        return None, None
    result = rows[0][_LAST_RESULT]
    number = int(result) & 0xFFFFFFFF if re.fullmatch(r"-?\d+", result) else None
    if number == _NEVER:
        return None, None
    return rows[0][_LAST_RUN] or None, number
