"""Parts of a log, from its end: what is wanted, how much is read, where it goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.masking import Masker
from python_runner.records.budget import Budget
from python_runner.records.log_line import LogLine, format_log_line
from python_runner.records.log_pages import MOST, LogFilter, LogPart, log_part


if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 9, 1, 6, tzinfo=UTC)
NOTHING = Masker()
ALL = LogFilter()


def line(number: int) -> LogLine:
    """Return a line; each tenth tells a failure."""
    failed = number % 10 == 0
    return LogLine(
        time=START + timedelta(minutes=number),
        level="ERROR" if failed else "INFO",
        host="box",
        run_id=f"{number:013x}",
        minutes=0.5,
        script=f"s{number % 3}.py",
        status="failure" if failed else "success",
        traceback=f"KeyError: 'é{number}'\nTraceback" if failed else None,
    )


def make(folder: Path, *counts: int) -> list[LogLine]:
    """Write a log with archives, the oldest first; return all lines, the newest first."""
    number, lines = 0, list[LogLine]()
    for place, count in enumerate(counts):
        last = place == len(counts) - 1
        name = "p.log" if last else f"p.log.2026-09-{place + 1:02}"
        own = [line(number + n) for n in range(count)]
        number += count
        text = "".join(f"{format_log_line(one)}\n" for one in own)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        lines += own
    return lines[::-1]


def everything(folder: Path, wanted: LogFilter, limit: int = 37) -> list[LogLine]:
    """Return what all parts hold, one after the other."""
    found, place, parts = list[LogLine](), None, 0
    while True:
        part = log_part(folder, "p.log", wanted, NOTHING, place=place, limit=limit)
        assert len(part.lines) <= limit
        found += part.lines
        place, parts = part.further, parts + 1
        if place is None:
            return found
        assert parts < 10_000


FILTERS = {
    "all": ALL,
    "failures": LogFilter(failures=True),
    "text": LogFilter(text="S1.PY"),
    "text of a traceback": LogFilter(text="keyerror: 'É"),
    "nothing": LogFilter(text="nowhere"),
    "since": LogFilter(since=START + timedelta(minutes=500)),
    "until": LogFilter(until=START + timedelta(minutes=500)),
    "between": LogFilter(
        since=START + timedelta(minutes=20), until=START + timedelta(minutes=431)
    ),
    "before all": LogFilter(until=START),
    "all at once": LogFilter(
        text="keyerror",
        failures=True,
        since=START + timedelta(minutes=100),
        until=START + timedelta(minutes=700),
    ),
}


def fits(one: LogLine, wanted: LogFilter) -> bool:
    """Say whether a line is wanted."""
    text = format_log_line(one).casefold()
    return (
        wanted.text.casefold() in text
        and (not wanted.failures or one.status == "failure")
        and (wanted.since is None or one.time >= wanted.since)
        and (wanted.until is None or one.time < wanted.until)
    )


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("limit", [1, 37, 5000])
def test_all_parts_together_are_what_is_wanted(
    name: str, limit: int, tmp_path: Path
) -> None:
    """Each wanted line once, the newest first, through all archives."""
    lines = make(tmp_path, 300, 1, 400, 200)
    if limit == 1:
        lines = make(tmp_path, 5, 1, 0, 30)
    wanted = FILTERS[name]
    assert everything(tmp_path, wanted, limit) == [x for x in lines if fits(x, wanted)]


def test_a_part_goes_on_after_the_log_was_set_aside(tmp_path: Path) -> None:
    """The place is that of the file, whatever its name is by then."""
    lines = make(tmp_path, 100)
    part = log_part(tmp_path, "p.log", ALL, NOTHING, limit=10)
    (tmp_path / "p.log").rename(tmp_path / "p.log.2026-09-02_06-00")
    (tmp_path / "p.log").write_text(format_log_line(line(1000)) + "\n", "utf-8")
    further = log_part(tmp_path, "p.log", ALL, NOTHING, place=part.further, limit=10)

    assert list(part.lines) == lines[:10]
    assert list(further.lines) == lines[10:20]


def test_what_is_gone_ends_the_search(tmp_path: Path) -> None:
    """Without a log there are no lines, and no error."""
    assert log_part(tmp_path, "p.log", ALL, NOTHING) == LogPart()
    make(tmp_path, 100)
    part = log_part(tmp_path, "p.log", ALL, NOTHING, limit=10)
    (tmp_path / "p.log").unlink()
    assert log_part(tmp_path, "p.log", ALL, NOTHING, place=part.further) == LogPart()


def test_other_lines_and_other_bytes_are_passed_over(tmp_path: Path) -> None:
    """Half lines, long ones, and what is no text hide nothing."""
    good = format_log_line(line(1)).encode()
    junk = b"\xff\xfe\n" + b"x" * 600_000 + b"\n\n" + good[:30] + b"\n"
    (tmp_path / "p.log").write_bytes(good + b"\n" + junk + good)
    assert everything(tmp_path, ALL) == [line(1), line(1)]


def test_a_secret_is_not_found(tmp_path: Path) -> None:
    """Who does not know it learns nothing by looking for its parts."""
    make(tmp_path, 50)
    masker = Masker(["KeyError: 'é30'"])
    for text in ("é30", "30'\\nTrace"):
        part = log_part(tmp_path, "p.log", LogFilter(text=text), masker)
        assert part.lines == ()
    part = log_part(tmp_path, "p.log", LogFilter(failures=True), masker)
    assert "é30" not in str(part.lines)
    assert "é40" in str(part.lines)


@pytest.mark.slow
def test_a_large_log_is_read_in_bounded_parts(tmp_path: Path) -> None:
    """However large it is, a part reads so many bytes, and a time is found at once."""
    count = 200_000
    lines = make(tmp_path, count)
    size = (tmp_path / "p.log").stat().st_size
    assert size > 3 * MOST

    budget = Budget(60, MOST)
    part = log_part(tmp_path, "p.log", LogFilter(text="no"), NOTHING, budget=budget)
    assert part.lines == ()
    assert part.further
    assert budget.left > -100_000
    assert part.reached
    assert part.reached > START + timedelta(minutes=count // 2)

    until = START + timedelta(minutes=1000)
    budget = Budget(60, MOST)
    part = log_part(
        tmp_path, "p.log", LogFilter(until=until), NOTHING, budget=budget, limit=5
    )
    assert list(part.lines) == lines[-1000:-995]
    assert MOST - budget.left < 3_000_000

    part = log_part(tmp_path, "p.log", ALL, NOTHING, budget=Budget(0, MOST))
    assert part.lines == ()
    assert part.further
