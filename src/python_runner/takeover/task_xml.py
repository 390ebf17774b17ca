"""Reads a task of Windows' Task Scheduler, as its XML says it."""

from __future__ import annotations

import ntpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from python_runner.facts import dataclass
from python_runner.takeover.batch import BatchReader, Left
from python_runner.takeover.facts import Call, Note, Place, Taken
from python_runner.takeover.recorder import Recorder, shown
from python_runner.takeover.triggers import Trigger, cron_expression, minutes_of
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from xml.etree.ElementTree import Element

#: Elements of one task: no program writes more.
_MOST = 5000
#: The limit that Task Scheduler gives a task that says nothing: three days.
_USUAL_LIMIT = 3 * 24 * 60
_SCHEDULES = {
    "ScheduleByDay": "daily",
    "ScheduleByWeek": "weekly",
    "ScheduleByMonth": "monthly",
    "ScheduleByMonthDayOfWeek": "monthly weekday",
}
_USUAL_LEVELS = frozenset({"LeastPrivilege", ""})
#: Settings that make a task wait, and what becomes of them.
_CONDITIONS = {
    "DisallowStartIfOnBatteries": N_("it did not start on battery; now it does"),
    "StopIfGoingOnBatteries": N_("it ended on battery; now it goes on"),
    "RunOnlyIfIdle": N_("it waited until the computer was idle; now it does not"),
    "RunOnlyIfNetworkAvailable": N_(
        "it waited for a network; now a script without one fails, and can be retried"
    ),
    "WakeToRun": N_("it woke the computer; that is not carried over"),
    "DeleteExpiredTaskAfter": N_("it deleted itself after its end; now it stays"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    r"""What a task is called, and what it does.

    Attributes:
        name: its path, ``\Folder\Task``, or empty where the XML does not say.
        enabled: whether it is due at all.
        taken: what it does.
    """

    name: str
    enabled: bool
    taken: Taken


class NoTask(Exception):
    """A text that is no task; ``sentence`` says why."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(str(sentence))
        self.sentence = sentence


def read_task(
    text: str,
    *,
    variables: Mapping[str, str],
    read: Callable[[str], str | None],
) -> Task:
    """Return what a task does.

    Args:
        text: its XML.
        variables: the environment, as far as it is known.
        read: returns the text of a batch file that is called, or None.

    Raises:
        NoTask: it is no XML of a task, or declares what a task never needs.
    """
    root = _root(text)
    lines = _Lines(text)
    notes: list[Note] = []

    def note(line: int | None, template: str, **values: object) -> None:
        shown_values = {
            name: shown(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
        notes.append(Note(Place(line), Sentence.of(template, **shown_values)))

    triggers = list(_triggers(root, lines, note))
    expression, problems = cron_expression(trigger for trigger, _line in triggers)
    line_of = {id(trigger): line for trigger, line in triggers}
    notes += [
        Note(Place(line_of[id(trigger)]), problem) for trigger, problem in problems
    ]
    _conditions(root, lines, note)
    limit = _text(root, "Settings/ExecutionTimeLimit")
    minutes = minutes_of(limit) if limit else None
    actions = _actions(root, lines, note, variables, read)
    taken = replace(
        actions,
        schedule=expression,
        timed=bool(triggers),
        timeout=_limit(minutes, lines, note, actions),
        waits=True
        if _text(root, "Settings/MultipleInstancesPolicy") == "Queue"
        else None,
        notes=(*notes, *actions.notes),
    )
    return Task(
        name=_text(root, "RegistrationInfo/URI"),
        enabled=_text(root, "Settings/Enabled").lower() != "false",
        taken=taken,
    )


class _Lines:
    """Finds the line of an element: the parser of the standard library keeps none."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._from: dict[str, int] = {}

    def next(self, name: str) -> int | None:
        """Return the line of the next element of a name."""
        match = re.compile(rf"<{re.escape(name)}(?=[\s>/])").search(
            self._text, self._from.get(name, 0)
        )
        if match is None:
            return None
        self._from[name] = match.end()
        return self._text.count("\n", 0, match.start()) + 1


def _root(text: str) -> Element:
    text = text.lstrip("\ufeff \t\r\n")
    # A declared entity can grow without bound, and no task has one.
    if re.search(r"<!\s*(?:DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise NoTask(Sentence.of(N_("declares a document type, which no task does")))
    # The text is decoded already: what its first line says of bytes is over.
    text = re.sub(r"^<\?xml[^>]*\?>", "", text)
    try:
        root = ET.fromstring(text)  # noqa: S314 - no entities, bounded in size
    except (ET.ParseError, ValueError) as error:
        template = N_("is no XML of a task: {error}")
        raise NoTask(Sentence.of(template, error=str(error))) from error
    except RecursionError as error:
        raise NoTask(Sentence.of(N_("is nested too deeply for a task"))) from error
    for count, element in enumerate(root.iter()):
        if count > _MOST:
            raise NoTask(Sentence.of(N_("has more elements than any task")))
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    if root.tag == "Tasks":
        tasks = root.findall("Task")
        if len(tasks) != 1:
            raise NoTask(Sentence.of(N_("holds several tasks, or none; export one")))
        root = tasks[0]
    if root.tag != "Task":
        template = N_("is no task of the Task Scheduler: its root is {name}")
        raise NoTask(Sentence.of(template, name=shown(root.tag)))
    return root


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    return (found.text or "").strip() if found is not None else ""


def _triggers(
    root: Element, lines: _Lines, note: Callable[..., None]
) -> Iterator[tuple[Trigger, int | None]]:
    """Yield the triggers that are enabled, each with its line."""
    holder = root.find("Triggers")
    for element in holder if holder is not None else ():
        line = lines.next(element.tag)
        if _text(element, "Enabled").lower() == "false":
            note(line, N_("the trigger {kind} is disabled"), kind=element.tag)
            continue
        if end := _text(element, "EndBoundary"):
            note(line, N_("the end {end} of a trigger is not carried over"), end=end)
        for name in ("RandomDelay", "Delay"):
            if delay := _text(element, name):
                note(line, N_("the delay {delay} is not carried over"), delay=delay)
        if limit := _text(element, "ExecutionTimeLimit"):
            note(
                line,
                N_("the limit {limit} of a trigger is not carried over"),
                limit=limit,
            )
        yield _trigger(element), line


def _trigger(element: Element) -> Trigger:
    kind = {"TimeTrigger": "once"}.get(element.tag, element.tag)
    schedule = None
    for name, known in _SCHEDULES.items():
        if (found := element.find(name)) is not None:
            kind, schedule = known, found
    interval = _text(element, "Repetition/Interval")
    values = {}
    if schedule is not None:
        every = _text(schedule, "DaysInterval") or _text(schedule, "WeeksInterval")
        values = {
            "every": int(every) if re.fullmatch(r"\d{1,4}", every) else 1,
            "weekdays": _names(schedule.find("DaysOfWeek")),
            "months": _names(schedule.find("Months")),
            "days": tuple(
                (day.text or "").strip() for day in schedule.findall("DaysOfMonth/Day")
            ),
            "weeks": tuple(
                (week.text or "").strip() for week in schedule.findall("Weeks/Week")
            ),
        }
    timed = kind in {"once", *_SCHEDULES.values()}
    return Trigger(
        kind=kind,
        start=_text(element, "StartBoundary") if timed else "",
        interval=interval,
        duration=_text(element, "Repetition/Duration") if interval else "",
        **values,  # type: ignore[arg-type]
    )


def _names(element: Element | None) -> tuple[str, ...]:
    return tuple(child.tag for child in element) if element is not None else ()


def _conditions(root: Element, lines: _Lines, note: Callable[..., None]) -> None:
    """Note the conditions and the account of a task."""
    account = _text(root, "Principals/Principal/UserId") or _text(
        root, "Principals/Principal/GroupId"
    )
    if account:
        note(
            lines.next("UserId") or lines.next("GroupId"),
            N_(
                "it ran as the user {user}; scripts run as the user who starts Python Runner"
            ),
            user=account,
        )
    level = _text(root, "Principals/Principal/RunLevel")
    if level not in _USUAL_LEVELS:
        note(
            lines.next("RunLevel"),
            N_("it ran with the highest privileges; that is not carried over"),
        )
    settings = root.find("Settings")
    if settings is None:
        return
    for name, template in _CONDITIONS.items():
        value = _text(settings, name)
        if value and value.lower() != "false":
            note(lines.next(name), template)
    if settings.find("RestartOnFailure") is not None:
        count = _text(settings, "RestartOnFailure/Count")
        wait = _text(settings, "RestartOnFailure/Interval")
        note(
            lines.next("RestartOnFailure"),
            N_(
                "RestartOnFailure ({values}) started it again after a failure; the key"
                " `retries` does that for each script"
            ),
            values=f"{count}, {wait}",
        )


def _limit(
    minutes: int | None, lines: _Lines, note: Callable[..., None], actions: Taken
) -> float | None:
    """Return the seconds that a script may take, by the limit of the whole task."""
    if not minutes:
        return None
    line = lines.next("ExecutionTimeLimit")
    if minutes == _USUAL_LIMIT:
        return None
    if len(actions.calls) > 1:
        note(
            line,
            N_(
                "the limit of {minutes} min for the whole task is one for each script now"
            ),
            minutes=minutes,
        )
    return minutes * 60.0


def _actions(
    root: Element,
    lines: _Lines,
    note: Callable[..., None],
    variables: Mapping[str, str],
    read: Callable[[str], str | None],
) -> Taken:
    """Return what the actions of a task start, one after the other."""
    holder = root.find("Actions")
    calls: list[Call] = []
    notes: list[Note] = []
    secrets: frozenset[str] = frozenset()
    last: Taken | None = None
    for element in holder if holder is not None else ():
        line = lines.next(element.tag)
        if element.tag != "Exec":
            note(line, N_("the action {kind} is not carried over"), kind=element.tag)
            continue
        folder = _text(element, "WorkingDirectory").strip('"')
        recorder = Recorder(
            windows=True,
            variables=variables,
            base=None,
            folder=_expanded(folder, variables) or None,
            read=read,
        )
        command = _text(element, "Command").strip('"')
        arguments = _text(element, "Arguments")
        reader = BatchReader(recorder)
        name = ntpath.basename(command).lower()
        word = f'"{command}"' if " " in command else command
        try:
            if name in {"cmd", "cmd.exe"}:
                reader.line(f"cmd {arguments}", line)
            else:
                # No shell reads it: only quotes and variables mean something.
                reader.line(_literal(f"{word} {arguments}"), line)
        except Left:
            pass
        # The next action starts whatever became of this one.
        recorder.part_ends(0)
        last = recorder.taken()
        calls += [
            replace(call, stops_until=call.stops_until + len(calls))
            if call.stops_until is not None
            else call
            for call in last.calls
        ]
        notes += last.notes
        secrets |= last.secrets
    if last is None:
        return Taken(windows=True, notes=tuple(notes))
    return replace(last, calls=tuple(calls), notes=tuple(_once(notes)), secrets=secrets)


def _once(notes: list[Note]) -> Iterator[Note]:
    """Yield what several actions say alike, once."""
    for at, note in enumerate(notes):
        if note not in notes[:at]:
            yield note


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    known = {name.upper(): value for name, value in variables.items()}
    return re.sub(
        r"%([^%]+)%", lambda match: known.get(match[1].upper(), match[0]), text
    )


def _literal(text: str) -> str:
    """Escape what only ``cmd.exe`` would read in a command."""
    out, quoted = "", False
    for char in text:
        quoted ^= char == '"'
        out += f"^{char}" if char in "&|<>^()" and not quoted else char
    return out
