"""What Windows' event logs and result numbers say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from python_runner.scheduling.absence import absence_at
from python_runner.scheduling.event_log import (
    advice,
    is_enabled,
    power_changes,
    read_events,
    read_time,
    refusal,
    result_of,
)
from python_runner.scheduling.task_results import (
    MEANINGS,
    as_unsigned,
    is_refusal,
    result_advice,
    result_words,
)


pytestmark = pytest.mark.pure

_EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='{provider}' Guid='{{de7b24ea-73c8-4a09-985d-5bdadcfa9017}}'/>"
    "<EventID{more}>{number}</EventID><Version>0</Version><Level>2</Level>"
    "<TimeCreated SystemTime='{time}'/><EventRecordID>7</EventRecordID>"
    "<Channel>x</Channel><Computer>PC-7</Computer><Security UserID='S-1-5-18'/>"
    "</System><EventData Name='x'>{data}</EventData></Event>"
)
_SCHEDULER = "Microsoft-Windows-TaskScheduler"


def event(
    number: int,
    time: str,
    provider: str = _SCHEDULER,
    more: str = "",
    **data: str,
) -> str:
    """Return an event as ``wevtutil qe /f:xml`` prints it."""
    items = "".join(f"<Data Name='{name}'>{text}</Data>" for name, text in data.items())
    return _EVENT.format(
        provider=provider, number=number, time=time, data=items, more=more
    )


def test_events_are_read_without_a_root_and_in_order() -> None:
    """The output is one event after the other; what is cut or damaged is passed over."""
    text = "\r\n".join(
        (
            event(201, "2026-11-26T05:00:09.1234567Z", ResultCode="0"),
            event(101, "2026-11-26T05:00:00.123456700Z", ResultCode="2147943726"),
            "<Event><System><EventID>1</EventID></System></Event>",
            "<Event><System>&broken;</System></Event>",
            event(100, "2026-11-26T05:00:01Z")[:80],
        )
    )

    refused, ended = read_events(text)

    assert (refused.number, ended.number) == (101, 201)
    assert refused.time == datetime(2026, 11, 26, 5, 0, 0, 123456, tzinfo=UTC)
    assert result_of(refused) == 0x8007052E
    assert "the password of the account has changed" in str(refusal(refused))
    assert "schtasks /Change" in str(advice(refused))
    assert refusal(ended) is None


@pytest.mark.parametrize(
    ("number", "data", "told"),
    [
        (101, {"ResultCode": "2147943785"}, "logon type"),
        (103, {"ResultCode": "2147942402"}, "the program of the task was not found"),
        (201, {"ResultCode": "1"}, "exit code 1"),
        (201, {"ResultCode": "2147942667"}, "the folder of `Start in`"),
        (203, {"ResultCode": "0x80070005"}, "access was denied"),
        (322, {}, "already running"),
        (326, {}, "batteries"),
        (332, {"UserName": "ann"}, "not logged on"),
        (153, {}, "missed its time"),
        (329, {}, "time limit"),
    ],
)
def test_an_event_tells_why_nothing_was_started(
    number: int, data: dict[str, str], told: str
) -> None:
    """By its number, which no language changes, and the result it names."""
    (found,) = read_events(event(number, "2026-11-26T05:00:00.000Z", **data))

    assert told in str(refusal(found))


def test_what_went_well_is_no_refusal() -> None:
    """Started, triggered, ended."""
    for number in (100, 102, 107, 129, 200):
        (found,) = read_events(event(number, "2026-11-26T05:00:00Z", ResultCode="0"))
        assert refusal(found) is None


@pytest.mark.parametrize(
    ("text", "enabled"),
    [
        (
            '<channel name="M/Operational" isolation="System" enabled="false" x="y">',
            False,
        ),
        ("<channel name='M/Operational' enabled='true'>", True),
        ("enabled: true", None),
        ("", None),
    ],
)
def test_a_log_that_is_switched_off_is_noticed(
    text: str, *, enabled: bool | None
) -> None:
    """By the XML of ``wevtutil gl``."""
    assert is_enabled(text) is enabled


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-26T25:00:00Z"])
def test_what_is_no_time_is_an_error(text: str) -> None:
    """Nobody takes midnight for it."""
    with pytest.raises(ValueError, match=r".*"):
        read_time(text)


_NIGHT = (
    event(6006, "2026-11-25T18:02:00Z", "EventLog", " Qualifiers='32768'"),
    event(13, "2026-11-25T18:02:03Z", "Microsoft-Windows-Kernel-General"),
    event(12, "2026-11-26T07:10:00Z", "Microsoft-Windows-Kernel-General"),
    event(6005, "2026-11-26T07:10:12Z", "EventLog", " Qualifiers='32768'"),
)
_SLEEP = (
    event(12, "2026-11-20T07:00:00Z", "Microsoft-Windows-Kernel-General"),
    event(42, "2026-11-25T18:02:00Z", "Microsoft-Windows-Kernel-Power"),
    event(
        1,
        "2026-11-26T07:10:05Z",
        "Microsoft-Windows-Power-Troubleshooter",
        SleepTime="2026-11-25T18:02:01.5Z",
        WakeTime="2026-11-26T07:10:00.5Z",
    ),
)
_CRASH = (
    event(12, "2026-11-20T07:00:00Z", "Microsoft-Windows-Kernel-General"),
    event(12, "2026-11-26T07:10:00Z", "Microsoft-Windows-Kernel-General"),
)


@pytest.mark.parametrize(
    ("events", "hour", "found"),
    [
        (_NIGHT, 5, (False, "18:02", "07:10")),
        (_NIGHT, 8, None),
        (_SLEEP, 5, (True, "18:02", "07:10")),
        (_SLEEP, 8, None),
        # The power failed, and nobody wrote when.
        (_CRASH, 5, (False, None, "07:10")),
        (_NIGHT[:2], 5, (False, "18:02", None)),
        ((), 5, None),
    ],
)
def test_a_computer_that_was_off_or_asleep_is_noticed(
    events: tuple[str, ...],
    hour: int,
    found: tuple[bool, str | None, str | None] | None,
) -> None:
    """By the events of the log System around the moment."""
    slot = datetime(2026, 11, 26, hour, tzinfo=UTC)

    absence = absence_at(slot, power_changes(read_events("".join(events))))

    told = absence and (
        absence.asleep,
        absence.begin and f"{absence.begin:%H:%M}",
        absence.end and f"{absence.end:%H:%M}",
    )
    assert told == found


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0x1, "exit code 1"),
        (0x41301, "running now"),
        (0x41303, "never run"),
        (0x41306, "terminated"),
        (0x41325, "queued"),
        (0x800710E0, "battery"),
        (0x8007052E, "password"),
        (0x80070569, "logon type"),
        (0x800704DD, "not logged on"),
        (0x80070002, "not found"),
        (0x8007010B, "Start in"),
        (0xC000013A, "Ctrl-C"),
        (17, "exit code 17 (0x11)"),
        (0x80070857, "net helpmsg 2135"),
        (0x8ABC0001, "the result 0x8ABC0001"),
    ],
)
def test_a_result_has_its_meaning(number: int, told: str) -> None:
    """With the number as people look it up."""
    words = str(result_words(number))

    assert told in words
    assert f"0x{number:X}" in words


def test_every_meaning_is_one_sentence_and_its_advice_another() -> None:
    """No brace is left open, and what is to be done ends as a sentence."""
    for number, meaning in MEANINGS.items():
        assert str(result_words(number)).endswith(f"(0x{number:X})")
        assert not meaning.what.endswith(".")
        told = result_advice(number)
        assert (told is None) is (not meaning.todo)
        assert told is None or str(told).endswith(".")


def test_a_refusal_is_none_of_the_commands_own_codes() -> None:
    """What the command returned says that it was started."""
    assert not any(map(is_refusal, (0, 1, 2, 3, 130, 0x41301, 0x41303, 0xC000013A)))
    assert all(map(is_refusal, (0x8007052E, 0x800710E0, 0x8004131F, 0x41302)))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("-2147024894", 0x80070002),
        ("2147942402", 0x80070002),
        ("0x80070002", 0x80070002),
        (" 267011 ", 0x41303),
        ("", None),
        ("nie", None),
    ],
)
def test_a_result_is_read_in_each_of_its_forms(text: str, number: int | None) -> None:
    """Signed, as schtasks prints it; unsigned, as events hold it; hexadecimal."""
    assert as_unsigned(text) == number
