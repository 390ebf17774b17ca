"""Triggers of Windows' Task Scheduler, read from the XML as Windows would read it.

``[MS-TSCH]`` publishes what each element means, and the structure in ``task_structure.py`` is
written from it: element order, types and enumerations of what our tasks contain. What only
the real program knows is left to the hosted workflow (``tests/windows``).
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import assume, given

from python_runner.due_times import expression_problem, times_after
from python_runner.scheduling.entries import Job, Purpose
from python_runner.scheduling.task_xml import (
    LOGON_TYPES,
    NAMESPACE,
    job_of_task,
    make_xml,
    read_xml,
    task_problem,
)
from python_runner.scheduling.triggers import MOST, trigger_problem, triggers_of
from tests.scheduling.hostile import EXPRESSIONS, NAMES, expressions
from tests.scheduling.task_structure import wrong_places
from tests.support import examples


if TYPE_CHECKING:
    from collections.abc import Iterator


#: Local time of a computer without changes of the clock.
NOW = datetime(2026, 1, 30, 12, 3, tzinfo=UTC)
YEARS = timedelta(days=2 * 365)
#: Due times after which an expression has shown enough.
MANY = 1000
WEEKDAYS = [
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
]
MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
]


def job(expression: str, folder: str = "/srv/p") -> Job:
    """Return the job that runs a project."""
    return Job(
        purpose=Purpose.RUN,
        project=Path(folder),
        expression=expression,
        command=("C:\\Scripts\\python-runnerw.exe", "run", "--quiet", folder),
        folder=Path("/srv"),
    )


def xml_of(wanted: Job, logon: str = "password") -> str:
    """Return the XML of a task."""
    return make_xml(wanted, "PC\\ann", logon, NOW.replace(tzinfo=None))


def names(element: Element, path: str) -> list[str]:
    """Return the names of an element's children, or their texts."""
    found = element.find(path)
    children = list(found) if found is not None else []
    return [child.text or child.tag for child in children]


def is_day(trigger: Element, day: date) -> bool:
    """Say whether a trigger fires on a day, as Microsoft says it does."""
    last = monthrange(day.year, day.month)[1]
    weekday = WEEKDAYS[day.weekday()]
    if trigger.find("ScheduleByDay") is not None:
        assert trigger.findtext("ScheduleByDay/DaysInterval") == "1"
        return True
    if trigger.find("ScheduleByWeek") is not None:
        assert trigger.findtext("ScheduleByWeek/WeeksInterval") == "1"
        return weekday in names(trigger, "ScheduleByWeek/DaysOfWeek")
    if trigger.find("ScheduleByMonth") is not None:
        days = names(trigger, "ScheduleByMonth/DaysOfMonth")
        in_month = MONTHS[day.month - 1] in names(trigger, "ScheduleByMonth/Months")
        return in_month and (
            str(day.day) in days or (day.day == last and "Last" in days)
        )
    path = "ScheduleByMonthDayOfWeek"
    weeks = names(trigger, f"{path}/Weeks")
    nth = str((day.day + 6) // 7)
    return (
        MONTHS[day.month - 1] in names(trigger, f"{path}/Months")
        and weekday in names(trigger, f"{path}/DaysOfWeek")
        and (nth in weeks or (day.day + 7 > last and "Last" in weeks))
    )


def seconds(duration: str) -> int:
    """Return the seconds of a duration of minutes and seconds."""
    match = re.fullmatch(r"PT(\d+)M(?:(\d+)S)?", duration)
    assert match, duration
    return int(match[1]) * 60 + int(match[2] or 0)


def fires(trigger: Element, end: datetime) -> Iterator[datetime]:
    """Yield when a trigger fires, its repetitions included, until a moment."""
    start = datetime.fromisoformat(trigger.findtext("StartBoundary") or "")
    first = start.replace(tzinfo=UTC)
    # A trigger that began in the past would make Windows run a missed start at once.
    assert first > NOW or trigger.find("Repetition") is not None
    moments = [first]
    interval = trigger.findtext("Repetition/Interval")
    if interval is not None:
        length = seconds(trigger.findtext("Repetition/Duration") or "")
        step = seconds(interval)
        # Whether Windows counts a last one at the very end is never asked.
        assert length % step
        moments = [first + timedelta(seconds=s) for s in range(0, length + 1, step)]
    while moments[0] <= end:
        if is_day(trigger, moments[0].date()):
            yield from moments
        moments = [moment + timedelta(days=1) for moment in moments]


def fired(expression: str, end: datetime) -> list[datetime]:
    """Return when the task of an expression starts until a moment."""
    text = xml_of(job(expression))
    bare = re.sub(r"<\?xml[^>]*\?>", "", text).replace(f' xmlns="{NAMESPACE}"', "")
    triggers = fromstring(bare).findall("Triggers/CalendarTrigger")  # noqa: S314 - ours
    assert 0 < len(triggers) <= MOST
    found = {moment for trigger in triggers for moment in fires(trigger, end)}
    return sorted(moment for moment in found if NOW < moment <= end)


def due(expression: str) -> tuple[list[datetime], datetime]:
    """Return when an expression is due, and until when: two years, or many times."""
    moments = list(
        takewhile(
            lambda moment: moment <= NOW + YEARS,
            islice(times_after(expression, NOW, UTC), MANY),
        )
    )
    return moments, moments[-1] if len(moments) == MANY else NOW + YEARS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_task_starts_when_the_expression_is_due(expression: str) -> None:
    """Over two years each start is a due time, and each due time a start."""
    assert trigger_problem(expression) is None
    moments, end = due(expression)
    assert fired(expression, end) == moments


@examples(30)
@given(expressions())
def test_any_expression_is_converted_exactly_or_refused(expression: str) -> None:
    """Whatever the fields are: no start is too many, and none is missing."""
    assume(expression_problem(expression) is None)
    if trigger_problem(expression) is None:
        moments, end = due(expression)
        assert fired(expression, end) == moments


@pytest.mark.parametrize(
    "expression",
    [
        "0 6 LW * *",
        "0 6 * * 1#5",
        "0 6 */2 * 1",
        "0 6 1-7 * */2",
        "0,1,5,12,25,27,35,41,44,55 0,1,4,9,15,22,23 1 * 1",
    ],
)
def test_what_has_no_triggers_is_refused(expression: str) -> None:
    """The sentence names the expression; nothing that is nearly the same is installed."""
    assert expression_problem(expression) is None
    problem = trigger_problem(expression)
    assert problem is not None
    assert expression in str(problem)


def test_times_in_equal_steps_are_one_trigger() -> None:
    """The triggers are as few as a person would make them."""
    for expression in ("*/15 8-18 * * 1-5", "* * * * *", "5 */2 * * *", "0 6 1,L * *"):
        assert len(triggers_of(expression)) == 1
    assert len(triggers_of("0 6 1 * 1")) == 2


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("logon", sorted(LOGON_TYPES))
def test_a_task_has_the_published_structure(expression: str, logon: str) -> None:
    """Windows refuses a task whose elements it does not know, or in another order."""
    assert list(wrong_places(xml_of(job(expression), logon))) == []


@pytest.mark.parametrize("name", [n for n in NAMES if '"' not in n and "\\" not in n])
def test_a_folder_of_any_name_comes_back_from_a_task(name: str) -> None:
    """Blanks, accents, ampersands: what is written is what is read."""
    wanted = job("0 6 * * *", f"/srv/{name}")
    if "$(" in name or task_problem(wanted) is not None:
        assert "%" in name
        return
    task = read_xml(xml_of(wanted))
    assert task is not None
    assert job_of_task(task) == wanted


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("/srv/%TEMP%/p", "%TEMP%"),
        ("/srv/$(Arg0)", "$("),
        ("/srv/a\nb", "cannot contain"),
        ("/srv/" + "x" * 9000, "longer than 8191"),
    ],
)
def test_a_folder_that_windows_would_change_is_refused(folder: str, told: str) -> None:
    """Task Scheduler replaces variables in paths; nothing protects them there."""
    assert told in str(task_problem(job("0 6 * * *", folder)))


def test_a_long_working_folder_is_refused() -> None:
    """A path of a task has 260 characters at most."""
    wanted = Job(
        purpose=Purpose.RUN,
        project=Path("/srv/p"),
        expression="0 6 * * *",
        command=("python-runnerw.exe", "run", "/srv/p"),
        folder=Path("/srv/" + "x" * 260),
    )
    assert "260" in str(task_problem(wanted))


def test_what_windows_adds_to_a_task_is_no_difference() -> None:
    """It writes defaults, an author and another order; what a person changes is one."""
    text = xml_of(job("*/15 8-18 * * 1-5"))
    wanted = read_xml(text)
    rewritten = (
        text.replace("<Source>", "<Date>2026-01-01T00:00:00</Date><Source>")
        .replace("<Priority>6</Priority>", "")
        .replace("</IdleSettings>", "</IdleSettings><Priority>6</Priority>")
        .replace("<WakeToRun>false</WakeToRun>", "")
        .replace("PC\\ann", "S-1-5-21-1-2-3-1001")
        .replace("PT646M", "PT10H46M")
        .replace("2026-01-30T08", "2026-05-01T08")
    )
    assert rewritten.count("PT10H46M") == 1
    same = read_xml(rewritten)
    assert wanted is not None
    assert same is not None
    assert wanted.does_the_same(same, "cp850")
    for old, new in (
        ("T08:00:00", "T09:00:00"),
        ("<Monday/>", ""),
        ("<StartWhenAvailable>true", "<StartWhenAvailable>false"),
        ("<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>", ""),
        ("Password", "S4U"),
        ("--quiet", "--verbose"),
    ):
        assert old in text
        other = read_xml(text.replace(old, new))
        assert other is not None
        assert not wanted.does_the_same(other, "cp850"), old


def test_what_an_encoding_lacks_is_no_difference() -> None:
    """Schtasks answers in the code page of the console."""
    wanted = read_xml(xml_of(job("0 6 * * *", "/srv/日本 été")))
    told = read_xml(xml_of(job("0 6 * * *", "/srv/?? été")))
    assert wanted is not None
    assert told is not None
    assert wanted.does_the_same(told, "cp850")


@pytest.mark.parametrize("text", ["", "<Task>", "<Tasks/>", "no xml", "<a/>"])
def test_what_is_no_task_is_none(text: str) -> None:
    """What cannot be read ends in no error."""
    assert read_xml(text) is None
