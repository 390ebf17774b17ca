"""The XML of a task of Windows' Task Scheduler, written and read; no I/O.

Its structure is published: [MS-TSCH], 2.5, "Common Data Types", XML task definition.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.scheduling.entries import PREFIX, Purpose, job_of
from python_runner.scheduling.fields import LAST
from python_runner.scheduling.triggers import trigger_problem, triggers_of
from python_runner.takeover.triggers import MONTHS, WEEKDAYS
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from python_runner.scheduling.entries import Job
    from python_runner.scheduling.fields import Times
    from python_runner.scheduling.triggers import Trigger

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
#: How Windows calls the ways in which the account of a task may be there.
LOGON_TYPES = {
    "password": "Password",
    "s4u": "S4U",
    "interactive": "InteractiveToken",
}
#: Characters of a path of a task.
_LONGEST_PATH = 260
_LONGEST_ARGUMENTS = 8191
#: Settings of a task, and after each what Windows takes for one that is absent.
_SETTINGS = {
    "MultipleInstancesPolicy": ("IgnoreNew", "IgnoreNew"),
    "DisallowStartIfOnBatteries": ("false", "true"),
    "StopIfGoingOnBatteries": ("false", "true"),
    "AllowHardTerminate": ("true", "true"),
    "StartWhenAvailable": ("true", "false"),
    "RunOnlyIfNetworkAvailable": ("false", "false"),
    "AllowStartOnDemand": ("true", "true"),
    "Enabled": ("true", "true"),
    "Hidden": ("false", "false"),
    "RunOnlyIfIdle": ("false", "false"),
    "WakeToRun": ("false", "false"),
    # No limit: three days is what is usual, and scripts have their own time-outs.
    "ExecutionTimeLimit": ("PT0S", "PT72H"),
    # As a program that a person starts; 7, which is usual, gets little of the disk.
    "Priority": ("6", "7"),
}
_DURATION = lazy_pattern(
    r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)
#: What Windows replaces in the texts of a task.
_REPLACED = lazy_pattern(r"%[^%]+%|\$\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What of a task decides what it does; two that are equal do the same.

    Attributes:
        program: with its arguments, as one line.
        folder: in which it starts.
        triggers: each as a text.
        settings: those that we choose.
        logon: a key of ``LOGON_TYPES``; None for any other type.
        account: as Windows writes it: a name, or a number (SID).
        source: who made it, and the expression of its triggers.
        enabled: whether it starts at all.
    """

    program: str
    arguments: str
    folder: str
    triggers: tuple[str, ...]
    settings: tuple[str, ...]
    logon: str | None
    account: str | None
    source: str
    enabled: bool

    def does_the_same(self, other: Task, encoding: str) -> bool:
        """Say whether two tasks do the same.

        Args:
            other: as Windows has told it: what its encoding lacks is lost there.
            encoding: that one.
        """

        def facts(task: Task) -> tuple[object, ...]:
            texts = task.program, task.arguments, task.folder, task.source
            told = [text.encode(encoding, "replace") for text in texts]
            return *told, task.triggers, task.settings, task.logon

        return facts(self) == facts(other)


def task_problem(job: Job) -> Sentence | None:
    """Say why a job cannot be a task; None if it can."""
    program, arguments = _command(job)
    for path in (program, str(job.folder)):
        if len(path) > _LONGEST_PATH:
            template = N_(
                "a path of a task may have {most} characters, and this one is longer:"
                " {path}"
            )
            return Sentence.of(template, most=_LONGEST_PATH, path=path)
    if len(arguments) > _LONGEST_ARGUMENTS:
        template = N_("the arguments of the task are longer than {most} characters")
        return Sentence.of(template, most=_LONGEST_ARGUMENTS)
    for text in (program, arguments, str(job.folder)):
        if found := _REPLACED.search(text):
            template = N_(
                "the Task Scheduler would replace {text} in {path}; rename the folder"
            )
            return Sentence.of(template, text=found[0], path=text)
        if re.search("[\0-\x1f\ud800-\udfff]", text):
            template = N_("a task cannot contain the path {path}")
            return Sentence.of(template, path=repr(text))
    return None if _is_lasting(job) else trigger_problem(job.expression or "")


def make_xml(job: Job, account: str, logon: str, now: datetime) -> str:
    """Return the XML of a task, with the declaration that its UTF-16 file wants.

    Args:
        job: one that :func:`task_problem` finds right.
        account: that it runs as, its domain in front of it.
        logon: a key of ``LOGON_TYPES``.
        now: local time: no trigger begins before it, so that nothing has been missed.
    """
    task = Element("Task", {"version": "1.2", "xmlns": NAMESPACE})
    about = SubElement(task, "RegistrationInfo")
    source = f"{PREFIX} {job.purpose if _is_lasting(job) else job.expression}"
    _texts(about, Source=source, Description=_description(job))
    triggers = SubElement(task, "Triggers")
    if _is_lasting(job):
        logon_trigger = SubElement(triggers, "LogonTrigger")
        # Without an account it would be the logon of anybody.
        _texts(logon_trigger, Enabled="true", UserId=account)
    else:
        for trigger in triggers_of(job.expression or ""):
            triggers.append(_trigger(trigger, now))
    principal = SubElement(
        SubElement(task, "Principals"), "Principal", {"id": "Author"}
    )
    _texts(
        principal,
        UserId=account,
        LogonType=LOGON_TYPES[logon],
        RunLevel="LeastPrivilege",
    )
    settings = SubElement(task, "Settings")
    _texts(settings, **{name: value for name, (value, _) in _SETTINGS.items()})
    idle = SubElement(settings, "IdleSettings")
    _texts(idle, StopOnIdleEnd="false", RestartOnIdle="false")
    action = SubElement(SubElement(task, "Actions", {"Context": "Author"}), "Exec")
    program, arguments = _command(job)
    _texts(
        action, Command=program, Arguments=arguments, WorkingDirectory=str(job.folder)
    )
    declaration = '<?xml version="1.0" encoding="UTF-16"?>\n'
    return f"{declaration}{_laid_out(tostring(task, encoding='unicode'))}\n"


def read_xml(text: str) -> Task | None:
    """Return what a task does; None where it starts no program."""
    from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415

    # What is read was decoded, whatever its declaration says.
    bare = re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"))
    try:
        task = fromstring(bare)  # noqa: S314 - of this computer's own Task Scheduler
    except ParseError:
        return None

    def find(path: str) -> str | None:
        return task.findtext(
            "/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/"))
        )

    program = find("Actions/Exec/Command")
    if program is None:
        return None
    triggers = task.find(f"{{{NAMESPACE}}}Triggers")
    logon = find("Principals/Principal/LogonType")
    return Task(
        program=program.strip('"'),
        arguments=find("Actions/Exec/Arguments") or "",
        folder=find("Actions/Exec/WorkingDirectory") or "",
        triggers=tuple(
            sorted(map(_canonical, triggers if triggers is not None else ()))
        ),
        settings=tuple(
            _canonical_duration(find(f"Settings/{name}") or usual)
            for name, (_, usual) in _SETTINGS.items()
        ),
        logon=next((ours for ours, name in LOGON_TYPES.items() if name == logon), None),
        account=find("Principals/Principal/UserId"),
        source=find("RegistrationInfo/Source") or "",
        enabled=find("Settings/Enabled") != "false",
    )


def job_of_task(task: Task) -> Job | None:
    """Return what a task starts; None where that is not Python Runner."""
    name, _space, expression = task.source.partition(" ")
    folder = Path(task.folder.strip('"')) if task.folder else None
    return job_of(
        (task.program, *_split(task.arguments)),
        folder,
        expression=expression if name == PREFIX and expression else None,
    )


def _command(job: Job) -> tuple[str, str]:
    return job.command[0], subprocess.list2cmdline(job.command[1:])


def _split(arguments: str) -> list[str]:
    """Return the words of a command line of Windows, where a backslash is no escape."""
    words = shlex.shlex(arguments, posix=True, punctuation_chars=False)
    words.whitespace_split, words.escape, words.quotes = True, "", '"'
    words.commenters = ""
    try:
        return list(words)
    except ValueError:
        return arguments.split()


def _description(job: Job) -> str:
    about = str(job.project or job.folder)
    what = {
        Purpose.RUN: "Runs the series of {about}",
        Purpose.CATCH_UP: "Runs the series of {about} if it was missed",
        Purpose.FLUSH: "Sends reports that wait, with the settings of {about}",
        Purpose.DIGEST: "Mails the digest, with the settings of {about}",
        Purpose.SERVE: "Serves the dashboard, with the settings of {about}",
    }
    sentence = what[job.purpose or Purpose.RUN].format(about=about)
    maker = "serve --install" if _is_lasting(job) else "schedule install"
    return f"{sentence}. Made by `python-runner {maker}`, which replaces it."


def _is_lasting(job: Job) -> bool:
    """Say whether a job is started with the session of its account, and goes on."""
    return job.purpose is Purpose.SERVE


def _texts(parent: Element, **values: str) -> None:
    for name, value in values.items():
        SubElement(parent, name).text = value


def _trigger(trigger: Trigger, now: datetime) -> Element:
    element = Element("CalendarTrigger")
    _texts(element, Enabled="true", StartBoundary=_start(trigger.times, now))
    if trigger.times.count > 1:
        repetition = SubElement(element, "Repetition")
        _texts(
            repetition,
            Interval=f"PT{trigger.times.step}M",
            Duration=_duration(trigger.times),
            StopAtDurationEnd="false",
        )
    if trigger.weeks:
        parent = SubElement(element, "ScheduleByMonthDayOfWeek")
        weeks = SubElement(parent, "Weeks")
        for week in trigger.weeks:
            SubElement(weeks, "Week").text = _number(week)
        _names(parent, "DaysOfWeek", _weekday_names(trigger))
        _names(parent, "Months", _month_names(trigger))
    elif trigger.weekdays:
        parent = SubElement(element, "ScheduleByWeek")
        _texts(parent, WeeksInterval="1")
        _names(parent, "DaysOfWeek", _weekday_names(trigger))
    elif trigger.days:
        parent = SubElement(element, "ScheduleByMonth")
        days = SubElement(parent, "DaysOfMonth")
        for day in trigger.days:
            SubElement(days, "Day").text = _number(day)
        _names(parent, "Months", _month_names(trigger))
    else:
        _texts(SubElement(element, "ScheduleByDay"), DaysInterval="1")
    return element


def _start(times: Times, now: datetime) -> str:
    """Return the first moment of a trigger: not one that has passed."""
    minute = now.hour * 60 + now.minute
    day = now.date() + timedelta(days=1 if times.last <= minute else 0)
    return datetime.combine(day, time(*divmod(times.first, 60))).isoformat()


def _duration(times: Times) -> str:
    """Return for how long a trigger is repeated: past the last time, short of one more."""
    minutes = times.step * (times.count - 1)
    return f"PT{minutes}M30S" if times.step == 1 else f"PT{minutes + 1}M"


def _names(parent: Element, name: str, children: Iterable[str]) -> None:
    element = SubElement(parent, name)
    for child in children:
        SubElement(element, child)


def _weekday_names(trigger: Trigger) -> Iterator[str]:
    return (WEEKDAYS[day] for day in trigger.weekdays)


def _month_names(trigger: Trigger) -> Iterator[str]:
    return (MONTHS[month - 1] for month in trigger.months or range(1, 13))


def _number(number: int) -> str:
    return "Last" if number == LAST else str(number)


def _canonical(trigger: Element) -> str:
    """Return what is the same for all forms of one trigger: not its first day."""
    parts = sorted(_parts(trigger, ""))
    return "\n".join(part for part in parts if part not in _USUAL)


#: What a trigger has that does not say it.
_USUAL = {
    "/CalendarTrigger/Enabled=true",
    "/LogonTrigger/Enabled=true",
    "/CalendarTrigger/Repetition/StopAtDurationEnd=false",
}


def _parts(element: Element, above: str) -> Iterator[str]:
    path = f"{above}/{element.tag.rpartition('}')[2]}"
    text = (element.text or "").strip()
    if path.endswith("/StartBoundary"):
        text = text.partition("T")[2][:5]
    if path == "/LogonTrigger/UserId":
        # Windows may write its number instead of its name; it is that of the task.
        text = ""
    if len(element) == 0:
        yield f"{path}={_canonical_duration(text)}"
    for child in element:
        yield from _parts(child, path)


def _canonical_duration(text: str) -> str:
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        return text
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    return f"{((days * 24 + hours) * 60 + minutes) * 60 + seconds} s"


def _laid_out(xml: str) -> str:
    """Return XML without texts between its elements, one element a line."""
    from xml.dom.minidom import parseString  # noqa: PLC0415

    pretty = parseString(xml).toprettyxml(indent="  ")  # noqa: S318 - ours
    # Without its declaration, which names no encoding.
    return pretty.partition("\n")[2].rstrip("\n")
