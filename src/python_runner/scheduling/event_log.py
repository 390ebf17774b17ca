"""Reads what ``wevtutil`` prints of Windows' event logs: XML, the same in every language."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.scheduling.absence import ASLEEP, OFF, ON
from python_runner.scheduling.task_results import (
    as_unsigned,
    result_advice,
    result_words,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The history of the Task Scheduler, and the log that tells of starts and sleep.
HISTORY = "Microsoft-Windows-TaskScheduler/Operational"
SYSTEM = "System"
_NAMESPACE = lazy_pattern(r"\sxmlns=(\"[^\"]*\"|'[^']*')")
_EVENT = lazy_pattern(r"<Event[\s>].*?</Event>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        time: when it was logged, aware.
        number: its event id.
        provider: what logged it.
        data: its values, by their names.
    """

    time: datetime
    number: int
    provider: str
    data: Mapping[str, str]


def read_events(text: str) -> list[Event]:
    """Return the events that ``wevtutil qe /f:xml`` has printed, oldest first.

    What is no event is passed over: the output has no root, and may end within one.
    """
    events = []
    for found in _EVENT.finditer(text):
        try:
            events.append(_event(found.group()))
        except (ET.ParseError, ValueError, AttributeError):
            continue
    return sorted(events, key=lambda event: event.time)


def is_enabled(text: str) -> bool | None:
    """Say whether a log is kept, by ``wevtutil gl LOG /f:xml``; None: it does not tell."""
    found = re.search(
        r"<channel[^>]*\senabled=[\"'](true|false)[\"']", text, re.IGNORECASE
    )
    return found.group(1).lower() == "true" if found else None


def _event(text: str) -> Event:
    root = ET.fromstring(_NAMESPACE.sub("", text))  # noqa: S314 - of the system's log
    system = root.find("System")
    if system is None:
        raise ValueError(text)
    created, provider = system.find("TimeCreated"), system.find("Provider")
    number = system.findtext("EventID") or ""
    data = {
        item.get("Name", f"param{place}"): item.text or ""
        for place, item in enumerate(root.iterfind(".//Data"), 1)
    }
    return Event(
        time=read_time("" if created is None else created.get("SystemTime", "")),
        number=int(number),
        provider="" if provider is None else provider.get("Name", ""),
        data=data,
    )


def read_time(text: str) -> datetime:
    """Return a time of the event log: UTC, with seven or nine decimals.

    Raises:
        ValueError: it is none.
    """
    moment, _dot, decimals = text.rstrip("Z").partition(".")
    found = datetime.fromisoformat(moment)
    micro = int((decimals + "000000")[:6]) if decimals else 0
    return found.replace(microsecond=micro, tzinfo=UTC)


#: Events after which the command of a task was started.
STARTED = frozenset({100, 129, 200})
_ENDED = frozenset({102, 201})
#: Why the Task Scheduler has not started a task, or has stopped it, by the event's id.
_REFUSALS = {
    101: N_("the Task Scheduler could not start the task"),
    103: N_("the Task Scheduler could not start the task's command"),
    104: N_("the Task Scheduler could not open a session of the task's account"),
    111: N_("the task was terminated"),
    112: N_("the network was not available, and the task wants it"),
    114: N_("the task missed its time, and was started late"),
    135: N_("the computer was not idle, and the task wants it"),
    142: N_("the task was disabled"),
    153: N_("the task missed its time, and nothing makes up for it"),
    202: N_("the command of the task failed"),
    203: N_("the command of the task could not be started"),
    322: N_("an instance of the task was already running"),
    326: N_("the computer ran on batteries, and the task does not start then"),
    329: N_("the task was stopped: its time limit was reached"),
    330: N_("the task was stopped, as a user asked"),
    332: N_("the account was not logged on, and the task runs only while it is"),
}
#: Where an event names the number that says why.
_NUMBERS = ("ResultCode", "ErrorCode", "ErrorValue")


def refusal(event: Event) -> Sentence | None:
    """Return why the Task Scheduler did not do what was due; None where it did."""
    template = _REFUSALS.get(event.number)
    number = result_of(event)
    if event.number in _ENDED:
        return result_words(number) if number else None
    if template is None:
        return None
    what = Sentence(template)
    if number:
        return Sentence.of(
            N_("{what}: {result}"), what=what, result=result_words(number)
        )
    return what


def result_of(event: Event) -> int | None:
    """Return the result that an event names; None where it names none."""
    for name in _NUMBERS:
        if name in event.data:
            return as_unsigned(event.data[name])
    return None


def advice(event: Event) -> Sentence | None:
    """Return what to do about the result that an event names."""
    number = result_of(event)
    return result_advice(number) if number else None


#: How the events of the log System change what the computer does.
_CHANGES = {
    ("microsoft-windows-kernel-general", 12): ON,
    ("microsoft-windows-kernel-general", 13): OFF,
    ("microsoft-windows-kernel-power", 42): ASLEEP,
    ("microsoft-windows-kernel-power", 107): ON,
    ("microsoft-windows-kernel-power", 109): OFF,
    ("microsoft-windows-power-troubleshooter", 1): ON,
    ("eventlog", 6005): ON,
    ("eventlog", 6006): OFF,
}
#: The numbers of those events, for the question to the log.
POWER_EVENTS = tuple(sorted({number for _provider, number in _CHANGES}))


def power_changes(events: list[Event]) -> Iterator[tuple[datetime, str]]:
    """Yield what the events of the log System say of the computer.

    One that woke up tells since when it was asleep: the event of that moment may be
    missing, or be logged late.
    """
    for event in events:
        change = _CHANGES.get((event.provider.lower(), event.number))
        if change is None:
            continue
        slept = event.data.get("SleepTime", "")
        if slept:
            try:
                yield read_time(slept), ASLEEP
                yield read_time(event.data.get("WakeTime", "")), ON
            except ValueError:
                yield event.time, change
        else:
            yield event.time, change
