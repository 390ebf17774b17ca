"""Reads a crontab: its entries, and what each of them does."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.due_times import SHORT_FORMS, expression_problem
from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.takeover.facts import Note, Taken
from python_runner.takeover.recorder import Recorder, shown
from python_runner.takeover.shell import ShellReader
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: Entries that are read of one crontab.
_MOST = 1000
_VARIABLE = lazy_pattern(r"\s*([\"']?)([A-Za-z_]\w*)\1\s*=\s*(.*?)\s*")
_FIELD = r"(?:[\d*][\d*,/~-]*|[\d,*/-]*[A-Za-z]{3}[A-Za-z\d,*/#-]*)"
#: The hyphen that some crons know only keeps the entry out of the system's log.
_TIMED = lazy_pattern(rf"\s*-?((?:{_FIELD}\s+){{4}}{_FIELD})\s+(\S.*)")
_SHORT = lazy_pattern(r"\s*(@[A-Za-z]+)\s+(\S.*)")
_USER = lazy_pattern(r"([a-z_][a-z0-9_-]*\$?)\s+(\S.*)")
_USERS = frozenset({"root", "www-data", "nobody", "daemon"})
#: First words of commands, which are no users.
_COMMANDS = frozenset(
    [
        "cd",
        "python",
        "python2",
        "python3",
        "sh",
        "bash",
        "test",
        "env",
        "flock",
        "timeout",
        "nice",
        "ionice",
        "nohup",
        "sudo",
        "exec",
        "source",
        "uv",
        "poetry",
        "pipenv",
        "conda",
        "chronic",
        "cronic",
        "sleep",
        "export",
        "find",
        "rm",
        "cp",
        "mv",
        "echo",
        "tar",
        "mysqldump",
        "pg_dump",
        "rsync",
        "curl",
        "wget",
        "git",
        "make",
        "perl",
        "php",
        "node",
        "ruby",
        "java",
    ]
)
#: Variables of cron itself.
_OWN = frozenset(
    [
        "MAILTO",
        "MAILFROM",
        "SHELL",
        "CRON_TZ",
        "TZ",
        "RANDOM_DELAY",
        "START_HOURS_RANGE",
        "HOME",
        "LOGNAME",
        "USER",
        "CONTENT_TYPE",
        "CONTENT_TRANSFER_ENCODING",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a crontab.

    Attributes:
        number: among the entries, from 1.
        line: where it stands, from 1.
        times: its five fields, or a short form such as ``@daily``.
        command: as written, behind the user where there is one.
        user: in a system's crontab, else empty.
        source: the whole line.
        variables: those that stand above it, and the lines of these.
    """

    number: int
    line: int
    times: str
    command: str
    user: str
    source: str
    variables: Mapping[str, tuple[str, int]]


def entries(text: str, *, system: bool | None = None) -> list[Entry]:
    """Return the entries of a crontab that are not commented out.

    Args:
        text: the crontab.
        system: whether a user stands before each command, as in ``/etc/crontab``; None:
            to be seen from the entries.
    """
    found: list[Entry] = []
    variables: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := _VARIABLE.fullmatch(line):
            variables[match[2]] = (_unquoted(match[3]), number)
            continue
        timed = _TIMED.fullmatch(line.rstrip()) or _SHORT.fullmatch(line.rstrip())
        if timed is None or len(found) >= _MOST:
            continue
        found.append(
            Entry(
                number=len(found) + 1,
                line=number,
                times=" ".join(timed[1].split()),
                command=timed[2],
                user="",
                source=line.strip(),
                variables=dict(variables),
            )
        )
    if system is False or (system is None and not _has_users(found)):
        return found
    return [_with_user(entry) for entry in found]


def _unquoted(value: str) -> str:
    match = re.fullmatch(r"([\"'])(.*)\1", value)
    return match[2] if match else value


def _has_users(found: list[Entry]) -> bool:
    """Say whether a user stands in front of every command."""
    users = [match for entry in found if (match := _USER.fullmatch(entry.command))]
    if not found or len(users) < len(found):
        return False
    return all(
        match[1] in _USERS
        or (
            match[1] not in _COMMANDS
            and (match[2].startswith("/") or match[2].split()[0] in _COMMANDS)
        )
        for match in users
    )


def _with_user(entry: Entry) -> Entry:
    match = _USER.fullmatch(entry.command)
    return replace(entry, user=match[1], command=match[2]) if match else entry


def take_entry(
    entry: Entry,
    *,
    variables: Mapping[str, str],
    read: Callable[[str], str | None],
    zone: str = "",
) -> Taken:
    """Return what an entry does.

    Args:
        entry: of a crontab.
        variables: the environment, as far as it is known.
        read: returns the text of a script that is called, or None.
        zone: name of the local time zone, or empty.
    """
    own = {name: value for name, (value, _line) in entry.variables.items()}
    recorder = Recorder(
        windows=False,
        variables={**variables, **{k: own[k] for k in ("HOME",) if k in own}},
        base=None,
        folder=None,
        read=read,
    )
    schedule = _schedule(entry, recorder, zone)
    for name, (value, line) in entry.variables.items():
        if name in {"RANDOM_DELAY", "START_HOURS_RANGE"}:
            recorder.note(
                line, N_("{text} is not carried over"), text=f"{name}={value}"
            )
        elif name not in _OWN and not (name == "PATH" and "$" in value):
            recorder.assign(name, value, line)
    if entry.user:
        recorder.note(
            entry.line,
            N_(
                "it ran as the user {user}; scripts run as the user who starts Python"
                " Runner"
            ),
            user=entry.user,
        )
    command, given = _input(entry.command)
    if given is not None:
        recorder.has_input(given, entry.line)
    ShellReader(recorder).text(command, entry.line)
    return replace(
        recorder.taken(),
        schedule=schedule,
        timed=True,
        recipients=_recipients(own, entry, recorder),
        notes=tuple(recorder.notes),
    )


def _schedule(entry: Entry, recorder: Recorder, zone: str) -> str | None:
    """Return the cron expression of an entry, or None, which is noted."""
    expression = SHORT_FORMS.get(entry.times.lower(), entry.times)
    if entry.times.startswith("@") and expression == entry.times:
        recorder.note(
            entry.line,
            N_("{cron} is not carried over: the key `schedule` knows times alone"),
            cron=entry.times,
        )
        return None
    if problem := expression_problem(expression):
        recorder.notes.append(_problem(recorder, entry, problem))
        return None
    for name in ("CRON_TZ", "TZ"):
        value, line = entry.variables.get(name, ("", None))
        if name == "CRON_TZ" and value and value != zone:
            recorder.note(
                line,
                N_(
                    "the times {cron} are those of {zone}; the key `schedule` speaks of the"
                    " local time of this computer: write them anew"
                ),
                cron=entry.times,
                zone=value,
            )
            return None
        if name == "TZ" and value:
            recorder.assign(name, value, line)
    return expression


def _problem(recorder: Recorder, entry: Entry, problem: Sentence) -> Note:
    template = N_("the times {cron} are not carried over: {problem}")
    text = Sentence.of(template, cron=shown(entry.times), problem=problem)
    return Note(recorder.place(entry.line), text)


def _recipients(
    own: Mapping[str, str], entry: Entry, recorder: Recorder
) -> tuple[str, ...]:
    """Return the addresses of ``MAILTO``; names of users of the computer are noted."""
    addresses = re.split(r"[,\s]+", own.get("MAILTO", "").strip())
    local = [word for word in addresses if word and "@" not in word]
    if local:
        recorder.note(
            entry.variables["MAILTO"][1],
            N_("MAILTO={user}: write the email address of this user into `recipients`"),
            user=",".join(local),
        )
    return tuple(word for word in addresses if "@" in word)


def _input(command: str) -> tuple[str, str | None]:
    """Return a command, and what follows its first ``%``: its standard input."""
    parts = re.split(r"(?<!\\)%", command, maxsplit=1)
    text = parts[0].replace("\\%", "%")
    return text, parts[1].replace("\\%", "%") if len(parts) > 1 else None
