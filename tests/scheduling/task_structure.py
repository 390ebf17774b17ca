"""The structure of a task, written from what Microsoft publishes in [MS-TSCH], 2.5.

It covers what our tasks contain: which elements, in which order where there is one, how
often, and which values. Groups that the standard calls ``all`` have no order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, fromstring

from python_runner.scheduling.task_xml import NAMESPACE


if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOLEAN = "true|false"
_DURATION = r"P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_PATH = ".{1,260}"
_TEXT = "(?s:.*)"
_WEEKDAYS = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]

#: Of each element: whether its children have an order, and for each child how often it may
#: be there at most, and whether it must.
_CHILDREN: dict[str, tuple[bool, dict[str, tuple[int, bool]]]] = {
    "Task": (
        False,
        {
            "RegistrationInfo": (1, False),
            "Triggers": (1, False),
            "Settings": (1, False),
            "Principals": (1, False),
            "Actions": (1, True),
        },
    ),
    "RegistrationInfo": (
        False,
        dict.fromkeys(
            [
                "URI",
                "Source",
                "Date",
                "Author",
                "Version",
                "Description",
                "Documentation",
            ],
            (1, False),
        ),
    ),
    "Triggers": (True, {"CalendarTrigger": (48, False)}),
    "CalendarTrigger": (
        True,
        {
            "Enabled": (1, False),
            "StartBoundary": (1, True),
            "EndBoundary": (1, False),
            "Repetition": (1, False),
            "ExecutionTimeLimit": (1, False),
            "RandomDelay": (1, False),
            "ScheduleByDay": (1, False),
            "ScheduleByWeek": (1, False),
            "ScheduleByMonth": (1, False),
            "ScheduleByMonthDayOfWeek": (1, False),
        },
    ),
    "Repetition": (
        False,
        {
            "Interval": (1, True),
            "Duration": (1, False),
            "StopAtDurationEnd": (1, False),
        },
    ),
    "ScheduleByDay": (False, {"DaysInterval": (1, False)}),
    "ScheduleByWeek": (False, {"WeeksInterval": (1, False), "DaysOfWeek": (1, False)}),
    "ScheduleByMonth": (False, {"DaysOfMonth": (1, False), "Months": (1, False)}),
    "ScheduleByMonthDayOfWeek": (
        False,
        {"Weeks": (1, False), "DaysOfWeek": (1, True), "Months": (1, False)},
    ),
    "DaysOfWeek": (False, dict.fromkeys(_WEEKDAYS, (1, False))),
    "Months": (False, dict.fromkeys(_MONTHS, (1, False))),
    "DaysOfMonth": (True, {"Day": (32, False)}),
    "Weeks": (True, {"Week": (5, False)}),
    "Principals": (True, {"Principal": (1, True)}),
    "Principal": (
        False,
        {
            "UserId": (1, False),
            "LogonType": (1, False),
            "GroupId": (1, False),
            "DisplayName": (1, False),
            "RunLevel": (1, False),
        },
    ),
    "Settings": (
        False,
        dict.fromkeys(
            (
                *("AllowStartOnDemand", "MultipleInstancesPolicy", "Hidden", "Enabled"),
                *("DisallowStartIfOnBatteries", "StopIfGoingOnBatteries", "Priority"),
                *("AllowHardTerminate", "StartWhenAvailable", "RunOnlyIfIdle"),
                *("RunOnlyIfNetworkAvailable", "WakeToRun", "IdleSettings"),
                "ExecutionTimeLimit",
            ),
            (1, False),
        ),
    ),
    "IdleSettings": (
        False,
        {
            "Duration": (1, False),
            "WaitTimeout": (1, False),
            "StopOnIdleEnd": (1, False),
            "RestartOnIdle": (1, False),
        },
    ),
    "Actions": (True, {"Exec": (32, True)}),
    "Exec": (
        False,
        {"Command": (1, True), "Arguments": (1, False), "WorkingDirectory": (1, False)},
    ),
}
#: What the text of an element looks like.
_VALUES = {
    **dict.fromkeys((*_WEEKDAYS, *_MONTHS), ""),
    **dict.fromkeys(
        (
            *("Enabled", "StopAtDurationEnd", "DisallowStartIfOnBatteries", "Hidden"),
            *("StopIfGoingOnBatteries", "AllowHardTerminate", "StartWhenAvailable"),
            *("RunOnlyIfNetworkAvailable", "AllowStartOnDemand", "RunOnlyIfIdle"),
            *("WakeToRun", "StopOnIdleEnd", "RestartOnIdle"),
        ),
        _BOOLEAN,
    ),
    **dict.fromkeys(("StartBoundary", "EndBoundary", "Date"), _MOMENT),
    **dict.fromkeys(("Interval", "Duration", "ExecutionTimeLimit"), _DURATION),
    **dict.fromkeys(("Source", "Description", "Arguments"), _TEXT),
    **dict.fromkeys(("Command", "WorkingDirectory"), _PATH),
    "UserId": ".+",
    "LogonType": "S4U|Password|InteractiveToken|InteractiveTokenOrPassword",
    "RunLevel": "LeastPrivilege|HighestAvailable",
    "MultipleInstancesPolicy": "Parallel|Queue|IgnoreNew|StopExisting",
    "Priority": "[1-9]|10",
    "DaysInterval": "[1-9]|[1-9][0-9]|[12][0-9]{2}|3[0-5][0-9]|36[0-5]",
    "WeeksInterval": "[1-9]|[1-4][0-9]|5[0-2]",
    "Day": "[1-9]|[1-2][0-9]|3[0-1]|Last",
    "Week": "[1-4]|Last",
}
_SCHEDULES = {
    *("ScheduleByDay", "ScheduleByWeek", "ScheduleByMonth", "ScheduleByMonthDayOfWeek"),
}


def wrong_places(xml: str) -> Iterator[str]:
    """Yield each place of a task that the published structure does not allow."""
    bare = re.sub(r"^<\?xml[^>]*\?>", "", xml)
    task = fromstring(bare)  # noqa: S314 - our own
    if task.tag != f"{{{NAMESPACE}}}Task" or task.get("version") not in {"1.2", "1.3"}:
        yield "Task"
    for element in task.iter():
        element.tag = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    yield from _wrong(task, "")


def _wrong(element: Element, above: str) -> Iterator[str]:
    path = f"{above}/{element.tag}"
    tags = [child.tag for child in element]
    if element.tag not in _CHILDREN:
        if tags or not re.fullmatch(
            _VALUES.get(element.tag, "(?!)"), element.text or ""
        ):
            yield f"{path}: {element.text}"
        return
    ordered, known = _CHILDREN[element.tag]
    for tag in sorted(set(tags) - set(known)):
        yield f"{path}: unexpected {tag}"
    for tag, (most, must) in known.items():
        if tags.count(tag) > most or (must and tag not in tags):
            yield f"{path}: {tags.count(tag)} of {tag}"
    places = [list(known).index(tag) for tag in tags if tag in known]
    if ordered and places != sorted(places):
        yield f"{path}: order {tags}"
    if element.tag == "CalendarTrigger" and len(_SCHEDULES & set(tags)) != 1:
        yield f"{path}: which days"
    for child in element:
        yield from _wrong(child, path)
