"""Reads what the computers of a fleet have written, bounded in files, bytes and time.

Everybody who may write to the folder may have put anything there. Links are not followed,
what is no regular file is not opened, and what cannot be read is counted.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import read_with_time
from python_runner.fleet.documents import (
    MOST_BYTES,
    Unreadable,
    read_computer,
    read_run,
    running_of,
)
from python_runner.fleet.names import COMPUTER_FILE, identity_of, is_month, run_name
from python_runner.model.fleet import FleetComputer, FleetProject, FleetReading
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.system_errors import translated
from python_runner.waiting import do_within


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from python_runner.fleet.names import RunName
    from python_runner.model.fleet import FleetRun, FleetRunning

#: Seconds that reading a fleet may take.
SECONDS = 20.0
#: Share of that time after which a computer's files are read no further, so that what was
#: read of it is told.
_ENOUGH = 0.8
#: Computers that are read at the same time: a share takes its time for each file.
_AT_ONCE = 8
#: Names in the fleet's folder, and in all folders of a computer.
_MOST_NAMES = 20_000
_MOST_COMPUTERS = 2_000
#: Runs of a project that are read, of a computer, and bytes of the whole fleet.
_MOST_RUNS, _MOST_FILES, _MOST_READ = 200, 5_000, 64 * 1024 * 1024
#: Starts of a project that are kept: its rhythm needs no more.
_MOST_STARTS = 1_000
#: Seconds by which a clock is believed to be wrong, and the last time of a file.
_MOST_AHEAD, _LAST = 20 * 366 * 86400.0, 4.1e9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_EXAMPLES = 5
_LINE = 200


@dataclass(slots=True)
class _Budget:
    """What may still be read of the fleet.

    Attributes:
        end: by a monotonic clock.
        left: bytes.
    """

    end: float
    left: int
    lock: Lock = field(default_factory=Lock)

    def is_spent(self) -> bool:
        """Say whether nothing more is read."""
        return self.left <= 0 or time.monotonic() >= self.end

    def spend(self, size: int) -> None:
        """Take so many bytes."""
        with self.lock:
            self.left -= size


@dataclass(slots=True)
class _Part:
    """What was read of one computer's folder."""

    folder: str
    name: str = ""
    account: str = ""
    version: str = ""
    seen_at: float = 0.0
    ahead: float | None = None
    waiting: int = 0
    running: tuple[FleetRunning, ...] = ()
    projects: list[FleetProject] = field(default_factory=list)
    unread: int = 0
    newer: int = 0
    cut: bool = False
    examples: list[str] = field(default_factory=list)

    def note(self, path: str, error: Exception) -> None:
        """Count a file that could not be read."""
        if isinstance(error, Unreadable) and error.newer:
            self.newer += 1
            return
        self.unread += 1
        if len(self.examples) < _MOST_EXAMPLES:
            words = str(error)
            if isinstance(error, OSError):
                words = translated(error.strerror or str(error))
            self.examples.append(one_line(f"{path}: {words}", _LINE))


def read_fleet(
    folder: Path, now: Callable[[], datetime], *, seconds: float = SECONDS
) -> FleetReading:
    """Read what the computers of a fleet have written.

    Args:
        folder: of the fleet.
        now: the clock of this computer.
        seconds: how long it may take; what is not read by then is named.

    Raises:
        PythonRunnerError: the folder cannot be read, or does not answer.
    """
    begin = time.monotonic()
    listed = do_within([partial(_listed, folder)], seconds, 1, "fleet").get(0)
    if listed is None:
        raise _unreadable(folder, Sentence.of(N_("it does not answer")))
    if isinstance(listed, OSError):
        words = Sentence.of("{words}", words=translated(listed.strerror or str(listed)))
        raise _unreadable(folder, words)
    names, cut = listed
    left = max(seconds - (time.monotonic() - begin), 0.1)
    budget = _Budget(time.monotonic() + left * _ENOUGH, _MOST_READ)
    jobs = [partial(_read_computer, folder, name, budget) for name in names]
    done = do_within(jobs, left, _AT_ONCE, "fleet")
    parts = [done[place] for place in sorted(done)]
    computers = [_computer(part) for part in parts if part.name]
    computers.sort(key=lambda c: (c.name.casefold(), c.id))
    examples = [example for part in parts for example in part.examples]
    return FleetReading(
        folder=folder,
        read_at=now(),
        computers=tuple(computers),
        unread=sum(part.unread for part in parts),
        examples=tuple(examples[:_MOST_EXAMPLES]),
        newer=sum(part.newer for part in parts),
        late=tuple(n for place, n in enumerate(names) if place not in done),
        cut=tuple([""] * cut + [part.folder for part in parts if part.cut]),
    )


def _unreadable(folder: Path, reason: Sentence) -> PythonRunnerError:
    sentence = Sentence.of(
        N_("the fleet's folder {folder} cannot be read: {error}"),
        folder=str(folder),
        error=reason,
    )
    return PythonRunnerError(sentence.in_language(system_language()))


def _listed(folder: Path) -> tuple[list[str], bool] | OSError:
    """Return the folders of computers, and whether there is more than was looked at."""
    names: list[str] = []
    looked_at = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                looked_at += 1
                if looked_at > _MOST_NAMES or len(names) >= _MOST_COMPUTERS:
                    return sorted(names), True
                if identity_of(entry.name) and entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
    except OSError as error:
        return error
    return sorted(names), False


def _read_computer(root: Path, folder: str, budget: _Budget) -> _Part:
    """Read one computer's folder; raises nothing."""
    part = _Part(folder)
    identity = identity_of(folder) or ""
    try:
        _read_heartbeat(root / folder / COMPUTER_FILE, identity, part)
        files = _newest_of_each(_run_files(root / folder, part, budget))
        found: dict[str, list[FleetRun]] = {}
        starts: dict[str, list[datetime]] = {}
        read = 0
        for place, (path, name) in files:
            own = starts.setdefault(name.project, [])
            if len(own) < _MOST_STARTS:
                own.append(name.started_at)
            if place >= _MOST_RUNS:
                continue
            if read >= _MOST_FILES or budget.is_spent():
                part.cut = True
                continue
            read += 1
            if run := _read_run(path, name, identity, part, budget):
                found.setdefault(name.project, []).append(run)
        part.projects = [
            FleetProject(runs=tuple(runs), starts=tuple(starts[key]))
            for key, runs in found.items()
        ]
    except OSError as error:
        part.note(folder, error)
    except Exception as error:  # noqa: BLE001 - one computer hides no other
        part.note(folder, Unreadable(type(error).__name__))
    return part


def _read_heartbeat(path: Path, identity: str, part: _Part) -> None:
    try:
        data, written = read_with_time(path, MOST_BYTES)
        file = read_computer(data, identity)
    except FileNotFoundError:
        # It writes its first run.
        return
    except (OSError, Unreadable) as error:
        part.note(f"{part.folder}/{COMPUTER_FILE}", error)
        return
    part.name, part.account = file.computer, file.account
    part.version, part.waiting = file.version, file.waiting
    part.running = running_of(file)
    part.seen_at = written
    part.ahead = file.written_at.timestamp() - written


def _run_files(
    folder: Path, part: _Part, budget: _Budget
) -> list[tuple[Path, RunName]]:
    """Return the files of a computer's runs, the newest first."""
    months, names = [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            names += 1
            if names > _MOST_NAMES:
                part.cut = True
                break
            if is_month(entry.name) and entry.is_dir(follow_symlinks=False):
                months.append(entry.name)
    found: list[tuple[Path, RunName]] = []
    for month in sorted(months, reverse=True):
        if names > _MOST_NAMES or budget.is_spent():
            part.cut = True
            break
        with suppress(FileNotFoundError), os.scandir(folder / month) as entries:
            for entry in entries:
                names += 1
                if names > _MOST_NAMES:
                    part.cut = True
                    break
                if name := run_name(entry.name):
                    found.append((folder / month / entry.name, name))
    # The computer's own order: a clock may have been set meanwhile.
    found.sort(key=lambda item: (item[1].number, item[1].started_at), reverse=True)
    return found


def _newest_of_each(
    files: Sequence[tuple[Path, RunName]],
) -> Iterator[tuple[int, tuple[Path, RunName]]]:
    """Yield the files with their places in their projects, the newest of each first.

    One project that runs every minute leaves room for the others.
    """
    by_project: dict[str, int] = {}
    placed = []
    for file in files:
        place = by_project.get(file[1].project, 0)
        by_project[file[1].project] = place + 1
        placed.append((place, file))
    # Stable: in one project the order stays.
    yield from sorted(placed, key=lambda item: item[0])


def _read_run(
    path: Path, name: RunName, identity: str, part: _Part, budget: _Budget
) -> FleetRun | None:
    try:
        data, written = read_with_time(path, MOST_BYTES)
        budget.spend(len(data))
        file, run = read_run(data, identity, name.number)
    except FileNotFoundError:
        # Its computer has deleted it meanwhile.
        return None
    except (OSError, Unreadable) as error:
        part.note(f"{part.folder}/{path.parent.name}/{path.name}", error)
        return None
    if not part.name:
        part.name, part.account, part.version = (
            file.computer,
            file.account,
            file.version,
        )
    if part.ahead is None:
        part.ahead = file.written_at.timestamp() - written
    part.seen_at = max(part.seen_at, written)
    return run


def _computer(part: _Part) -> FleetComputer:
    projects = sorted(part.projects, key=lambda p: p.last.run.project.casefold())
    return FleetComputer(
        id=identity_of(part.folder) or "",
        folder=part.folder,
        name=part.name,
        account=part.account,
        version=part.version,
        seen_at=_moment(part.seen_at),
        ahead=timedelta(seconds=round(_within(part.ahead or 0.0, _MOST_AHEAD))),
        waiting=part.waiting,
        running=part.running,
        projects=tuple(projects),
    )


def _moment(seconds: float) -> datetime:
    """Return the time of a file, which anybody may have set."""
    return _EPOCH + timedelta(seconds=min(max(seconds, 0.0), _LAST))


def _within(value: float, most: float) -> float:
    return min(max(value, -most), most)
