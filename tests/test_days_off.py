"""On which days a project does not run: weekends, public holidays, calendar files."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from python_runner.days_off import day_off, entry_problems


if TYPE_CHECKING:
    from pathlib import Path

BASTILLE_DAY = date(2026, 7, 14)
SATURDAY, SUNDAY, MONDAY = date(2026, 11, 28), date(2026, 11, 29), date(2026, 11, 30)


def reason(entries: list[str], day: date, folder: Path, language: str = "en") -> str:
    """Return why a day is off, empty if it is not; every entry could be asked."""
    found = day_off(entries, folder, day, language)
    assert found.problems == ()
    return str(found.reason or "")


def write_calendar(folder: Path, *events: str) -> str:
    """Write a calendar file whose events have these lines; return its name."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}@example.org", *event.split("\n")]
        lines += ["END:VEVENT"]
    lines += ["END:VCALENDAR", ""]
    (folder / "Closed days.ICS").write_bytes("\r\n".join(lines).encode())
    return "Closed days.ICS"


@pytest.mark.parametrize(
    ("entry", "day", "expected"),
    [
        ("weekend", SATURDAY, "weekend"),
        ("Weekend", SUNDAY, "weekend"),
        ("weekend", MONDAY, ""),
        ("holidays:FR", BASTILLE_DAY, "public holiday (National Day)"),
        ("Holidays:fr", BASTILLE_DAY, "public holiday (National Day)"),
        ("holidays:FR", date(2026, 7, 15), ""),
        # A year that was not asked before; the Easter Monday of a leap year.
        ("holidays:FR", date(2028, 4, 17), "public holiday (Easter Monday)"),
        ("holidays:FR-57", date(2026, 12, 26), "public holiday (Saint Stephen's Day)"),
        ("holidays:FR", date(2026, 12, 26), ""),
        ("holidays:DE-BY", date(2026, 1, 6), "public holiday (Epiphany)"),
    ],
)
def test_days(entry: str, day: date, expected: str, tmp_path: Path) -> None:
    """Each kind of day, and the days beside them."""
    assert reason([entry], day, tmp_path) == expected


def test_the_first_reason_is_told(tmp_path: Path) -> None:
    """A holiday is named in the language of the reports where it has a name there."""
    entries = ["weekend", "holidays:FR"]
    assert reason(entries, BASTILLE_DAY, tmp_path, "fr").endswith("(Fête nationale)")
    # 15 August 2026 is a Saturday.
    assert reason(entries, date(2026, 8, 15), tmp_path) == "weekend"


@pytest.mark.parametrize(
    ("event", "day", "expected"),
    [
        ("DTSTART;VALUE=DATE:20260803\nDTEND;VALUE=DATE:20260822", (8, 21), True),
        ("DTSTART;VALUE=DATE:20260803\nDTEND;VALUE=DATE:20260822", (8, 22), False),
        ("DTSTART;VALUE=DATE:20260803", (8, 3), True),
        ("DTSTART;VALUE=DATE:20200504\nRRULE:FREQ=YEARLY", (5, 4), True),
        ("DTSTART;VALUE=DATE:20260504\nRRULE:FREQ=WEEKLY", (5, 12), False),
        (
            (
                "DTSTART;VALUE=DATE:20260504\nRRULE:FREQ=WEEKLY\n"
                "EXDATE;VALUE=DATE:20260511"
            ),
            (5, 11),
            False,
        ),
        ("DTSTART:20260504T000000\nDTEND:20260505T000000", (5, 4), True),
        ("DTSTART:20260504T090000\nDTEND:20260504T180000", (5, 4), False),
        ("DTSTART:20260503T120000Z\nDTEND:20260506T120000Z", (5, 5), True),
        ("DTSTART;VALUE=DATE:20260504\nSTATUS:CANCELLED", (5, 4), False),
    ],
)
def test_events(
    event: str, day: tuple[int, int], *, expected: bool, tmp_path: Path
) -> None:
    """An event that takes all of the day, repeated or not, is a day off."""
    name = write_calendar(tmp_path, f"SUMMARY:Fermeture d'été\n{event}")
    told = "Fermeture d'été (Closed days.ICS)" if expected else ""
    assert reason([name], date(2026, *day), tmp_path) == told


@pytest.mark.parametrize(
    "content",
    [None, b"", b"hello", b"\xff\xfe\x00\x01", b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"],
)
def test_a_calendar_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    """It is told, and excludes no day; the other entries count."""
    if content is not None:
        (tmp_path / "c.ics").write_bytes(content)
    found = day_off(["c.ics", "weekend"], tmp_path, MONDAY, "en")
    assert found.reason is None
    ((place, problem),) = found.problems
    assert place == 0
    assert str(problem).startswith(f"{tmp_path / 'c.ics'} cannot be read: ")
    assert (
        str(day_off(["c.ics", "weekend"], tmp_path, SUNDAY, "en").reason) == "weekend"
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("week-end", 'week-end is not known: write "weekend", "holidays:FR"'),
        ("holidays", 'holidays is not known: write "weekend"'),
        ("holidays:XX", 'there are no holidays of "XX": write a code such as FR'),
        ("holidays:", 'there are no holidays of ""'),
        ("holidays:FR-zz", 'FR has no region "zz"; those known are 57, '),
        ("2026-12-24", "2026-12-24 is not known"),
    ],
)
def test_entries_that_mean_nothing(entry: str, expected: str) -> None:
    """What was meant is said with the place of the entry."""
    ((place, problem),) = entry_problems(["weekend", "a.ics", "holidays:BE", entry])
    assert place == 3
    assert str(problem).startswith(expected)
