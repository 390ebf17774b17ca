"""Asks the system about one moment: was it on, what did its scheduler do, what is installed.

Each program has some seconds; what is absent, or may not be read, is told and is no error.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.config.workspace import load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import exists, reading
from python_runner.scheduling import event_log, journal
from python_runner.scheduling.absence import ON, absence_at
from python_runner.scheduling.entries import Purpose, SchedulerError, SchedulerName
from python_runner.scheduling.installed import (
    installed_entries,
    is_about,
    same_folder,
)
from python_runner.scheduling.programs import ask, find_program
from python_runner.scheduling.task_results import result_advice, result_words
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.scheduling.absence import Absence
    from python_runner.scheduling.entries import Entry
    from python_runner.scheduling.journal import Message

#: Seconds that a program may take.
_PATIENCE = 10.0
#: Around the slot: what a scheduler does with it, it does within this time.
_BEFORE, _AFTER = timedelta(minutes=2), timedelta(minutes=20)
#: In which a sleep or a shutdown before the slot, and its end, are looked for.
_AROUND = timedelta(days=4)
#: Messages and bytes that are read at most.
_MOST = "5000"
_TAIL = 8 * 1024 * 1024


@dataclass(slots=True)
class Evidence:
    """What the system tells of one moment.

    Attributes:
        absence: the time in which the computer could run nothing, or None.
        entries: what starts the project; None where no scheduler could be asked.
        started: what the scheduler started then, as sentences, with their times.
        refused: what it could not do then, each with what to do about it or None.
        troubles: what is wrong with what would start the project, likewise.
        unknown: what could not be found out, and how to change that.
    """

    absence: Absence | None = None
    entries: tuple[Entry, ...] | None = None
    started: list[Sentence] = field(default_factory=list)
    refused: list[tuple[Sentence, Sentence | None]] = field(default_factory=list)
    troubles: list[tuple[Sentence, Sentence | None]] = field(default_factory=list)
    unknown: list[Sentence] = field(default_factory=list)


def collect(folder: Path, slot: datetime, now: datetime) -> Evidence:
    """Return what the system tells of a project at a moment of the past.

    Args:
        folder: the project.
        slot: the moment.
        now: the present one.
    """
    found = Evidence()
    _entries(folder, found)
    if sys.platform == "win32":
        _windows(slot, found)
    else:
        _posix(folder, slot, now, found)
    return found


def _entries(folder: Path, found: Evidence) -> None:
    problems: list[Sentence] = []
    every = installed_entries(problems=problems)
    found.unknown += problems
    entries = tuple(
        entry
        for entry in every
        if entry.job.purpose is Purpose.RUN
        and (is_about(entry.job, folder) or _lists(entry, folder))
    )
    if entries or not problems:
        found.entries = entries
    for entry in entries:
        if not entry.enabled:
            template = N_("its entry in {scheduler} is disabled: {name}")
            found.troubles.append((_about(template, entry), None))
        if entry.logon == "interactive":
            template = N_(
                "the task {name} runs only while its account ({account}) is logged on"
            )
            found.troubles.append((_about(template, entry), None))
        if entry.scheduler is SchedulerName.TASK_SCHEDULER and entry.last_result:
            template = N_("the last result of the task {name}: {result}")
            words = result_words(entry.last_result)
            sentence = _about(template, entry, result=words)
            found.troubles.append((sentence, result_advice(entry.last_result)))
        elif entry.scheduler is SchedulerName.SYSTEMD and entry.last_result:
            template = N_("the service {name} ended last with exit code {code}")
            found.troubles.append(
                (_about(template, entry, code=entry.last_result), None)
            )


def _about(template: str, entry: Entry, **values: object) -> Sentence:
    return Sentence.of(
        template,
        name=entry.name,
        scheduler=Sentence(_NAMES[entry.scheduler]),
        account=entry.account or "?",
        **values,
    )


_NAMES = {
    SchedulerName.CRON: N_("cron"),
    SchedulerName.SYSTEMD: N_("systemd"),
    SchedulerName.TASK_SCHEDULER: N_("the Task Scheduler"),
}


def _lists(entry: Entry, folder: Path) -> bool:
    """Say whether an entry runs all projects of a file that lists this one."""
    if entry.job.project is not None or entry.job.folder is None:
        return False
    with suppress(PythonRunnerError):
        workspace = load_workspace(entry.job.folder)
        if workspace:
            return any(same_folder(path, folder) for path in workspace.projects)
    return False


def _output(*command: str) -> str | None:
    """Return what a program printed; None where it is absent, or fails."""
    if find_program(command[0]) is None:
        return None
    try:
        answer = ask(command, patience=_PATIENCE)
    except SchedulerError:
        return None
    text = answer.output.decode("utf-8", "replace")
    return text if answer.code == 0 or text else None


# POSIX


def _posix(folder: Path, slot: datetime, now: datetime, found: Evidence) -> None:
    found.absence = absence_at(slot, _changes(slot, now))
    begin, end = slot - _BEFORE, min(slot + _AFTER, now)
    entries = found.entries or ()
    if any(entry.scheduler is SchedulerName.SYSTEMD for entry in entries):
        for entry in entries:
            if entry.scheduler is SchedulerName.SYSTEMD:
                _systemd(entry, begin, end, found)
    others = [e for e in entries if e.scheduler is SchedulerName.CRON]
    if others or not entries:
        _cron(folder, others, (begin, end), found)


def _changes(slot: datetime, now: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield when the computer went on, off and to sleep around a moment."""
    started = _boot_time()
    if started:
        yield started, ON
    boots = journal.boots(_output("journalctl", "--list-boots", "-o", "json") or "")
    if len(boots) > 1:
        # Older ones may have been removed: the first of those left says nothing.
        (_begin, _end), *_others = boots
        yield from list(journal.boot_changes(boots))[1:]
    elif text := _output("last", "-x", "--time-format", "iso", "reboot", "shutdown"):
        yield from journal.last_changes(text)
    messages = _journal(
        slot - _AROUND,
        min(slot + _AROUND, now),
        f"MESSAGE_ID={journal.SLEEP_BEGINS}",
        f"MESSAGE_ID={journal.SLEEP_ENDS}",
    )
    yield from journal.sleep_changes(messages or ())


def _boot_time() -> datetime | None:
    """Return when this computer was started, as the kernel of Linux says it."""
    with suppress(OSError, ValueError), reading("/proc/stat") as file:
        for line in file:
            if line.startswith(b"btime "):
                return datetime.fromtimestamp(int(line.split()[1]), UTC)
    return None


def _journal(begin: datetime, end: datetime, *matches: str) -> list[Message] | None:
    """Return messages of the journal between two moments; None: it cannot be read."""
    text = _output(
        *("journalctl", "--quiet", "--no-pager", "-o", "json", "-n", _MOST),
        *(f"--since=@{int(begin.timestamp())}", f"--until=@{int(end.timestamp()) + 1}"),
        *matches,
    )
    return None if text is None else journal.read_journal(text)


def _systemd(entry: Entry, begin: datetime, end: datetime, found: Evidence) -> None:
    messages = _journal(begin, end, "--user", f"USER_UNIT={entry.name}.service")
    if messages is None:
        template = N_("the journal of systemd cannot be read: {command}")
        command = f"journalctl --user -u {entry.name}.service"
        found.unknown.append(Sentence.of(template, command=command))
        return
    for message in messages:
        if message.kind == journal.UNIT_STARTS:
            template = N_("systemd started it at {time}: {name}")
            found.started.append(_timed(template, message.time, name=entry.name))
        elif message.kind in {journal.UNIT_FAILED, journal.PROCESS_EXITED}:
            template = N_("systemd at {time}: {text}")
            sentence = _timed(template, message.time, text=message.text)
            found.refused.append((sentence, None))


def _timed(template: str, time: datetime, **values: object) -> Sentence:
    local = time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return Sentence.of(template, time=local, **values)


#: Where syslog keeps what cron writes, on the distributions that have no journal of it.
_LOGS = ("/var/log/syslog", "/var/log/cron", "/var/log/cron.log", "/var/log/messages")


def _cron(
    folder: Path,
    entries: Sequence[Entry],
    span: tuple[datetime, datetime],
    found: Evidence,
) -> None:
    begin, end = span
    messages = _cron_messages(begin, end, found)
    for start in journal.cron_starts(messages):
        of_entry = any(start.command in entry.definition for entry in entries)
        if of_entry or str(folder) in start.command:
            template = N_("cron started it at {time} as {user}")
            found.started.append(_timed(template, start.time, user=start.user))
    for time, text in journal.cron_troubles(messages):
        template = N_("cron at {time}: {text}")
        found.refused.append((_timed(template, time, text=text), None))
    if not entries:
        return
    if not _cron_runs():
        sentence = Sentence.of(N_("cron is not running"))
        todo = Sentence.of(N_("Start it: `systemctl enable --now cron`."))
        found.troubles.append((sentence, todo))
    if not messages and not found.started:
        found.unknown.append(
            Sentence.of(
                N_(
                    "no log of cron was found that this account may read: as an"
                    " administrator, `journalctl -t CRON -t crond` or /var/log/syslog"
                    " shows what cron started"
                )
            )
        )


def _cron_messages(begin: datetime, end: datetime, found: Evidence) -> list[Message]:
    identifiers = ("CRON", "cron", "crond", "CROND", "cronie")
    matches = [f"SYSLOG_IDENTIFIER={name}" for name in identifiers]
    if messages := _journal(begin, end, *matches):
        return messages
    for path in map(Path, _LOGS):
        for name in (path, path.with_name(f"{path.name}.1")):
            try:
                text = _tail(name)
            except FileNotFoundError:
                continue
            except OSError as error:
                template = N_("{file} cannot be read: {error}")
                reason = system_error(error)
                found.unknown.append(
                    Sentence.of(template, file=str(name), error=reason)
                )
                continue
            lines = journal.read_syslog(text, end.astimezone())
            if inside := [m for m in lines if begin <= m.time <= end]:
                return inside
    return []


def _tail(path: Path) -> str:
    """Return the end of a file.

    Raises:
        OSError: it cannot be read.
    """
    with reading(path) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return file.read(_TAIL).decode("utf-8", "replace")


def _cron_runs() -> bool:
    """Say whether a cron runs; where nobody can tell it is believed to."""
    for name in ("/run/crond.pid", "/var/run/crond.pid", "/run/cron.pid"):
        if exists(name):
            return True
    text = _output("systemctl", "is-active", "cron", "crond", "cronie")
    return text is None or "active" in text.split()


# Windows


def _windows(slot: datetime, found: Evidence) -> None:
    power = _events(event_log.SYSTEM, slot - _AROUND, slot + _AROUND, _POWER)
    found.absence = absence_at(slot, event_log.power_changes(power or []))
    tasks = [
        entry
        for entry in found.entries or ()
        if entry.scheduler is SchedulerName.TASK_SCHEDULER
    ]
    for entry in tasks:
        name = entry.name.replace("'", "&apos;")
        condition = f"EventData[Data[@Name='TaskName']='{name}']"
        events = _events(event_log.HISTORY, slot - _BEFORE, slot + _AFTER, condition)
        for event in events or ():
            if event.number in event_log.STARTED:
                template = N_("the Task Scheduler started it at {time}")
                found.started.append(_timed(template, event.time))
            elif reason := event_log.refusal(event):
                template = N_("the Task Scheduler at {time}: {reason}")
                sentence = _timed(template, event.time, reason=reason)
                found.refused.append((sentence, event_log.advice(event)))
    if tasks:
        described = _output("wevtutil", "gl", event_log.HISTORY, "/f:xml")
        if described and event_log.is_enabled(described) is False:
            found.unknown.append(
                Sentence.of(
                    N_(
                        "the history of the Task Scheduler is switched off: nobody knows"
                        " what it did at that time; switch it on, as an administrator,"
                        " by `{command}`"
                    ),
                    command=f"wevtutil sl {event_log.HISTORY} /e:true",
                )
            )


_POWER = " or ".join(f"EventID={number}" for number in event_log.POWER_EVENTS)
_POWER = f"System[{_POWER}]"


def _events(
    log: str, begin: datetime, end: datetime, condition: str
) -> list[event_log.Event] | None:
    """Return events of a log between two moments; None where it cannot be read."""
    first, last = (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for moment in (begin, end)
    )
    query = (
        f"*[System[TimeCreated[@SystemTime>='{first}' and @SystemTime<='{last}']]"
        f" and {condition}]"
    )
    text = _output("wevtutil", "qe", log, f"/q:{query}", "/f:xml", f"/c:{_MOST}")
    return None if text is None else event_log.read_events(text)
