"""Reads a log and its archives from the end, a bounded part of them at a time.

Where a part ends it says so, and the next one goes on there, also when the log has been set
aside meanwhile. A time is looked for by halving the file, not by reading it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.records.budget import Budget
from python_runner.records.log_line import parse_log_line
from python_runner.records.log_reader import LogPlace, log_files, place_in


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.records.log_line import LogLine

#: Bytes and seconds of one part, and lines of it.
MOST, SECONDS, LINES = 4 * 1024 * 1024, 1.0, 200
_BLOCK = 256 * 1024
#: Bytes in which a line with a time is looked for; a line may have a long traceback.
_PROBE = 64 * 1024
#: Bytes within which a time is not looked for any closer.
_CLOSE = 64 * 1024
_FAILURE = b" - ERROR - "


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted.

    Attributes:
        text: what they must hold, whatever the case; empty: anything.
        failures: whether only what failed is.
        since: not before then.
        until: before then.
    """

    text: str = ""
    failures: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some lines of a log, the newest first.

    Attributes:
        further: where the next part goes on; None where everything was looked at.
        reached: when the last line was written that was looked at; None without one.
    """

    lines: tuple[LogLine, ...] = ()
    further: LogPlace | None = None
    reached: datetime | None = None


@dataclass(slots=True)
class _Search:
    """A search under way."""

    wanted: LogFilter
    pattern: re.Pattern[str] | None
    masker: Masker
    budget: Budget
    limit: int
    lines: list[LogLine]
    reached: datetime | None = None
    #: Whether what comes next is older than anything wanted.
    passed: bool = False


def log_part(
    folder: Path,
    filename: str,
    wanted: LogFilter,
    masker: Masker,
    *,
    place: LogPlace | None = None,
    limit: int = LINES,
    budget: Budget | None = None,
) -> LogPart:
    """Return the newest wanted lines of a log, or those in front of a place.

    Args:
        folder: where the log lies.
        filename: its name.
        wanted: which lines.
        masker: takes secrets out of them before they are looked at.
        place: where an earlier part ended.
        limit: lines at most.
        budget: what may be read.

    Raises:
        OSError: a file is there and cannot be read.
    """
    pattern = re.compile(re.escape(wanted.text), re.IGNORECASE) if wanted.text else None
    search = _Search(
        wanted, pattern, masker, budget or Budget(SECONDS, MOST), limit, []
    )
    further: LogPlace | None = None
    for path, known_end in _files_from(folder, filename, place):
        with suppress(FileNotFoundError, NotADirectoryError), reading(path) as file:
            size = os.fstat(file.fileno()).st_size
            end = size if known_end is None else min(known_end, size)
            if wanted.until:
                end = _end_before(file, end, wanted.until, search.budget)
            further = _read_back(file, end, search)
        if further or search.passed:
            break
    return LogPart(
        tuple(search.lines), None if search.passed else further, search.reached
    )


def _files_from(
    folder: Path, filename: str, place: LogPlace | None
) -> Iterator[tuple[Path, int | None]]:
    """Yield the files from the one of a place on, newest first, and where they end."""
    files = list(reversed(log_files(folder, filename)))
    if place is None:
        yield from ((path, None) for path in files)
        return
    known = False
    for path in files:
        if known:
            yield path, None
            continue
        with suppress(FileNotFoundError, NotADirectoryError), reading(path) as file:
            known = place_in(file).file == place.file
        if known:
            yield path, place.offset


def _read_back(file: BinaryIO, end: int, search: _Search) -> LogPlace | None:
    """Look at the lines in front of a byte; return the place where it had to end."""
    place = end
    while place > 0:
        if search.budget.is_spent or len(search.lines) >= search.limit:
            return LogPlace(place_in(file).file, place)
        start = max(0, place - min(_BLOCK, max(search.budget.left, _PROBE)))
        file.seek(start)
        data = file.read(place - start)
        search.budget.spend(len(data))
        # What begins in the middle of a line is read with the lines before.
        cut = data.find(b"\n") + 1 if start else 0
        if cut == len(data):
            # A part of a longer line, which is none of ours.
            place = start
            continue
        place = _take(data[cut:], start + cut, search)
        if search.passed:
            return None
    return None


def _take(data: bytes, start: int, search: _Search) -> int:
    """Add the wanted lines of a block, the last one first; return where it ended."""
    end = start + len(data)
    lines = data.split(b"\n")
    # Most blocks hold nothing of what is looked for, which is quick to see.
    for raw in reversed(lines) if _may_be_wanted(data, search) else ():
        begin = end - len(raw)
        if len(search.lines) >= search.limit:
            # Behind the end of the line in front.
            return min(end + 1, start + len(data))
        if _may_be_wanted(raw, search) and (line := _wanted(raw, search)):
            search.lines.append(line)
        end = begin - 1
    # What was looked at last, for the reader, and to know when to stop.
    for raw in lines:
        if line := parse_log_line(raw.decode("utf-8", "replace")):
            search.reached = line.time
            since = search.wanted.since
            search.passed = since is not None and line.time < since
            break
    return start


def _may_be_wanted(raw: bytes, search: _Search) -> bool:
    """Say quickly of most lines that they are not wanted."""
    if search.wanted.failures and _FAILURE not in raw:
        return False
    if search.pattern is None:
        return True
    return search.pattern.search(raw.decode("utf-8", "replace")) is not None


def _wanted(raw: bytes, search: _Search) -> LogLine | None:
    line, wanted = parse_log_line(raw.decode("utf-8", "replace")), search.wanted
    if line is None or (wanted.failures and line.status != "failure"):
        return None
    if (wanted.since and line.time < wanted.since) or (
        wanted.until and line.time >= wanted.until
    ):
        return None
    line = line.masked(search.masker)
    if search.pattern and not search.pattern.search(_text(line)):
        # What was found is a secret.
        return None
    search.reached = line.time
    return line


def _text(line: LogLine) -> str:
    fields = (line.level, line.host, line.run_id, line.script, line.status)
    when = line.time.astimezone().replace(tzinfo=None)
    time = when.isoformat(" ", "milliseconds").replace(".", ",")
    return " - ".join((time, *fields, line.traceback or ""))


def _end_before(file: BinaryIO, end: int, until: datetime, budget: Budget) -> int:
    """Return a place that no line lies behind which was written before a moment."""
    low, high = 0, end
    while high - low > _CLOSE and not budget.is_spent:
        middle = (low + high) // 2
        file.seek(middle)
        data = file.read(min(_PROBE, high - middle))
        budget.spend(len(data))
        written = _first_time(data)
        if written is None or written >= until:
            high = middle
        else:
            low = middle
    # To the end of the line that lies there.
    file.seek(high)
    data = file.read(_PROBE)
    budget.spend(len(data))
    return min(end, high + data.find(b"\n") + 1) if high < end else end


def _first_time(data: bytes) -> datetime | None:
    for raw in data.split(b"\n")[1:]:
        if line := parse_log_line(raw.decode("utf-8", "replace")):
            return line.time
    return None
