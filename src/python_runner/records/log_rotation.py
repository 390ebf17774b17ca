"""Archives a log by calendar days, under a free name, and removes the oldest archives.

The age of a log is read from its first line and not from its file's times: those
change with every write, with copies, and on Windows even survive a rename.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from python_runner.files import is_held, move, patiently, reading, remove_all
from python_runner.patterns import lazy_pattern
from python_runner.records.log_line import parse_log


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from pathlib import Path

_DAY = "%Y-%m-%d"
_STAMP = f"{_DAY}_%H-%M"
_ARCHIVE = lazy_pattern(
    # The original library writes the day alone.
    r"(?P<log>.+)\.(?P<stamp>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:_[0-9]{2}-[0-9]{2})?)"
    r"(?:\.(?P<number>[1-9][0-9]*))?"
)
#: Bytes in which the first line is looked for: far more than the fields before a
#: traceback take, far less than a log may hold.
_HEAD = 262_144
#: A date that is further from what was written last may come from a wrong clock.
_FAR = timedelta(days=200)


def is_due(log: Path, days: int, now: datetime) -> bool:
    """Say whether a log is ``days`` local calendar days old; an empty one never is.

    Raises:
        OSError: the log cannot be read.
    """
    began = _began(log, now)
    return began is not None and (_local_day(now) - _local_day(began)).days >= days


def _began(log: Path, now: datetime) -> datetime | None:
    try:
        with reading(log) as file:
            head = file.read(_HEAD)
            modified = os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None
    if not head:
        return None
    for line in parse_log(head):
        # A line from the future, written under a wrong clock, would delay the
        # rotation until then.
        if line.time <= now:
            return line.time
    return datetime.fromtimestamp(modified, UTC)


def _local_day(moment: datetime) -> date:
    return moment.astimezone().date()


def set_aside(
    log: Path,
    now: datetime,
    *,
    rename: Callable[[Path, Path], None] = move,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Rename a log to an archive that bears this moment; a taken name gets a number.

    Raises:
        OSError: the log keeps its name; ``PermissionError`` where it stayed refused.
    """
    name = f"{log.name}.{now.astimezone():{_STAMP}}"

    def rename_to_free_name() -> None:
        number = 0
        while True:
            with suppress(FileExistsError):
                rename(log, log.with_name(f"{name}.{number}" if number else name))
                return
            number += 1

    patiently(rename_to_free_name, sleep)


def archives(folder: Path, filename: str) -> list[Path]:
    """Return the archives of a log, oldest first, by the moment in their names."""
    found = []
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        os.scandir(folder) as entries,
    ):
        for entry in entries:
            if not entry.name.startswith(f"{filename}."):
                continue
            match = _ARCHIVE.fullmatch(entry.name)
            if (
                match
                and match["log"] == filename
                and _is_stamp(match["stamp"])
                and entry.is_file(follow_symlinks=False)
            ):
                found.append((match["stamp"], int(match["number"] or 0), entry.name))
    return [folder / name for _, _, name in sorted(found)]


def logs_in(folder: Path) -> list[str]:
    """Return the names of the logs in ``folder``, each with or without archives.

    A file of another program, whatever its name, is none of ours: it has no line of a log.
    """
    files = defaultdict(list)
    with (
        suppress(FileNotFoundError, NotADirectoryError),
        os.scandir(folder) as entries,
    ):
        for entry in entries:
            match = _ARCHIVE.fullmatch(entry.name)
            name = match["log"] if match else entry.name
            if name.endswith(".log") and entry.is_file(follow_symlinks=False):
                files[name].append(folder / entry.name)
    return sorted(name for name, paths in files.items() if any(map(_is_ours, paths)))


def _is_ours(path: Path) -> bool:
    with suppress(OSError), reading(path) as file:
        return any(True for _ in parse_log(file.read(_HEAD)))
    return False


def _is_stamp(text: str) -> bool:
    form = _STAMP if "_" in text else _DAY
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only its form matters
    except ValueError:
        return False
    return True


def delete_old_archives(
    folder: Path, filename: str, keep: int, now: datetime
) -> OSError | None:
    """Remove the oldest archives beyond ``keep``; 0 keeps all.

    A clock that is wrong for a while removes none. What bears a date to come, or holds
    lines of another time than its date and the archive before tell, does not count and
    stays. None goes either while the date of one that stays is far from what was
    written before. What is in use is left for next time.

    Returns:
        Why one that should go stays for good, or None.
    """
    with suppress(OSError):
        latest = _naive(now) + timedelta(days=1)
        found = [a for a in archives(folder, filename) if _stamp(a) <= latest]
        if keep == 0 or len(found) <= keep:
            return None
        counted = _in_order(found)
        old, kept = counted[:-keep], counted[-keep:]
        if old and not _leaps([old[-1], *kept]):
            stays = remove_all(archive.path for archive in old).values()
            return next((error for error in stays if not is_held(error)), None)
    return None


class _Archive(NamedTuple):
    path: Path
    #: The day in its name, and the times of two of its lines.
    day: datetime
    first: datetime
    last: datetime


def _in_order(found: Iterable[Path]) -> list[_Archive]:
    """Return the archives whose lines are from the time before their name."""
    counted: list[_Archive] = []
    for archive in map(_read, found):
        began = counted[-1].day if counted else archive.first
        times = (archive.first, archive.last)
        if max(times) - archive.day <= _FAR and began - min(times) <= _FAR:
            counted.append(archive)
    return counted


def _leaps(archives: Sequence[_Archive]) -> bool:
    """Say whether an archive is far later than what was written into it."""
    return any(
        later.day - earlier.day > _FAR and later.day - later.last > _FAR
        for earlier, later in pairwise(archives)
    )


def _read(path: Path) -> _Archive:
    """Return an archive; where it holds no line, its day stands for their times."""
    with reading(path) as file:
        head = next(parse_log(file.read(_HEAD)), None)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _HEAD))
        tail = deque(parse_log(file.read(_HEAD)), maxlen=1)
    day = _stamp(path)
    return _Archive(
        path,
        day,
        _naive(head.time) if head else day,
        _naive(tail[0].time) if tail else day,
    )


def _stamp(archive: Path) -> datetime:
    match = _ARCHIVE.fullmatch(archive.name)
    day = match["stamp"][:10] if match else ""
    return datetime.strptime(day, _DAY)  # noqa: DTZ007 - local, as written


def _naive(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)
