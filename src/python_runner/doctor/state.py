"""What is found out about the state folder: records, disks, active runs, the queue."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding, Kind
from python_runner.execution.disk import free_files, free_space
from python_runner.execution.orphans import scripts_of
from python_runner.facts import dataclass
from python_runner.masking import Masker
from python_runner.records.messages import UNDELIVERED, MessageState
from python_runner.records.network import is_remote
from python_runner.records.store import DATABASE_NAME, StoreError, open_store
from python_runner.runner.recovery import active_runner
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.trends import usual_duration


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from python_runner.model import Project
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store

#: Bytes that records, log and reports of a run may take beside the scripts' output, and
#: scripts in the temporary folder.
_BASE = 100_000_000
#: Scripts of one run whose output reaches its limit.
_FULL_OUTPUTS = 20
#: Files that a run makes beside the scripts' output.
_FILES = 20
#: So many runs should find room: a disk that fills up is then seen days ahead.
_RUNS = 10
#: A run that is active for so many times its usual duration hangs, but not before a while.
_TIMES = 3
_SHORTEST = timedelta(minutes=10)
#: Where no usual duration is known.
_LONG = timedelta(hours=24)
#: The outbox tries again within minutes at first: what waits longer is worth a word.
_WAITS = timedelta(hours=1)
#: Reports that are looked at.
_MOST_REPORTS = 1000
_NO_REASON = N_("it has not been tried yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder that is written to.

    Attributes:
        path: the folder, which may not be there yet.
        needed: bytes that one run may write there.
        files: files that it may make there.
        project: whose it is; None: this computer's.
    """

    path: Path
    needed: int
    files: int = _FILES
    project: Path | None = None


def places_of(home: Path, projects: Iterable[Project]) -> Iterator[Place]:
    """Yield where runs of these projects write."""
    yield Place(path=home, needed=_BASE)
    yield Place(path=Path(tempfile.gettempdir()), needed=_BASE)
    for project in projects:
        output = min(len(project.scripts), _FULL_OUTPUTS) * project.output_limit
        yield Place(
            path=project.path / "logs",
            needed=_BASE + output,
            files=_FILES + len(project.scripts),
            project=project.path,
        )


def look_at_disks(places: Iterable[Place]) -> Iterator[Finding]:
    """Yield which disks are full, or soon will be; each disk once."""
    disks: dict[int, list[Place]] = {}
    for place in places:
        with suppress(OSError):
            disks.setdefault(_existing(place.path).stat().st_dev, []).append(place)
    for same in disks.values():
        # The runs of one night come one after the other, or at the same time.
        needed = max(place.needed for place in same)
        with suppress(OSError):
            folder = _existing(same[0].path)
            yield from judge_space(same[0], free_space(folder), needed)
            files = max(place.files for place in same)
            yield from judge_files(same[0], free_files(folder), files)


def judge_space(place: Place, free: int, needed: int) -> Iterator[Finding]:
    """Yield that ``free`` bytes are too few for runs that may need ``needed`` each."""
    if free >= needed * _RUNS:
        return
    formats = Formats(system_language())
    kind = kinds.DISK_FULL if free < needed else kinds.DISK_LOW
    yield Finding.of(
        kind,
        place.project,
        path=str(place.path),
        room=formats.size(free),
        needed=formats.size(needed),
    )


def judge_files(place: Place, free: int | None, needed: int) -> Iterator[Finding]:
    """Yield that ``free`` files are too few for runs that make up to ``needed`` each.

    None: as many as one likes.
    """
    if free is None or free >= needed * _RUNS:
        return
    formats = Formats(system_language())
    yield Finding.of(
        kinds.DISK_FILES_FULL if free < needed else kinds.DISK_FILES_LOW,
        place.project,
        path=str(place.path),
        room=formats.number(free),
        needed=formats.number(needed),
    )


def _existing(path: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def look_at_state_folder(home: Path) -> Iterator[Finding]:
    """Yield that the state folder lies where other computers may have it open."""
    with suppress(OSError):
        if is_remote(_existing(home)):
            yield Finding.of(kinds.STATE_REMOTE, path=str(home))


def look_at_records(home: Path, now: datetime) -> Iterator[Finding]:
    """Yield whether the records can be read, and are sound in all their parts."""
    file = home / DATABASE_NAME
    try:
        with open_store(home, now) as store:
            damage = store.damage()
            if damage is None:
                store.require_writable()
    except StoreError as error:
        yield Finding.of(kinds.RECORDS_UNREADABLE, problem=error.reason)
    else:
        if damage:
            yield Finding.of(kinds.RECORDS_DAMAGED, file=str(file), error=damage)
        else:
            size = Formats(system_language()).size(file.stat().st_size)
            yield Finding.of(kinds.RECORDS_SOUND, file=str(file), size=size)
    for aside in sorted(home.glob(f"{DATABASE_NAME}.corrupt-*")):
        if not aside.name.endswith(("-wal", "-shm", "-journal")):
            yield Finding.of(kinds.RECORDS_SET_ASIDE, file=str(aside))


def look_at_clock_of_records(store: Store, now: datetime) -> Iterator[Finding]:
    """Yield that the clock is behind what it said when a run began."""
    last = store.last_begin()
    if last and last[1] > now + timedelta(minutes=1):
        yield Finding.of(
            kinds.CLOCK_BEHIND,
            project=last[0],
            last=_moment(last[1]),
            now=_moment(now),
        )


def look_at_runs(
    store: Store, home: Path, folder: Path, now: datetime
) -> Iterator[Finding]:
    """Yield who carries out a run of a project, and which run nobody has ended."""
    still_open = store.open_runs([folder])
    runner = active_runner(home, folder, still_open)
    if runner is None:
        for run in still_open[:1]:
            # It may have ended since it was found open.
            if store.run(run.run_id) is not None:
                continue
            if left := scripts_of(run.run_id, Masker()):
                yield Finding.of(
                    kinds.RUN_ORPHANS,
                    folder,
                    run_id=run.run_id,
                    processes=", ".join(f"{one.pid} ({one.name})" for one in left),
                )
            else:
                yield Finding.of(
                    kinds.RUN_LEFT,
                    folder,
                    since=_moment(run.started_at),
                    run_id=run.run_id,
                    folder=str(folder),
                )
        return
    usual = usual_duration(store.project_state(folder).durations)
    active = now - runner.started_at
    longest = max(_SHORTEST, _TIMES * timedelta(seconds=usual)) if usual else _LONG
    values = {
        "since": _moment(runner.started_at),
        "run_id": runner.run_id,
        "pid": runner.pid,
        "folder": str(folder),
    }
    if active <= longest:
        yield Finding.of(kinds.RUN_ACTIVE, folder, **values)
        return
    known = Formats(system_language()).duration(usual) if usual else None
    unknown = Sentence.of(N_("less than a day"))
    yield Finding.of(kinds.RUN_LONG, folder, **values, usual=known or unknown)


def look_at_reports(
    store: Store, folders: Iterable[Path], now: datetime
) -> Iterator[Finding]:
    """Yield which projects have reports that wait for long, or were given up.

    Those of projects that are not looked at are told of this computer.
    """
    messages = store.messages.newest(UNDELIVERED, limit=_MOST_REPORTS)
    known = set(folders)
    projects: dict[Path | None, list[QueuedMessage]] = {}
    for message in messages:
        folder = message.path if message.path in known else None
        projects.setdefault(folder, []).append(message)
    for folder, theirs in projects.items():
        yield from judge_reports(folder, theirs, now)


def judge_reports(
    folder: Path | None, messages: Sequence[QueuedMessage], now: datetime
) -> Iterator[Finding]:
    """Yield what is to be said of reports that nobody has got, newest first."""
    waiting = [m for m in messages if m.state is MessageState.QUEUED]
    given_up = [m for m in messages if m.state is MessageState.FAILED]
    if waiting and now - waiting[-1].queued_at > _WAITS:
        yield _reports(kinds.REPORTS_WAITING, folder, waiting, waiting[-1])
    if given_up:
        yield _reports(kinds.REPORTS_GIVEN_UP, folder, given_up, given_up[0])


def _reports(
    kind: Kind,
    folder: Path | None,
    messages: Sequence[QueuedMessage],
    shown: QueuedMessage,
) -> Finding:
    details = (recipient.detail for recipient in shown.recipients)
    reason = next(filter(None, details), None) or Sentence.of(_NO_REASON)
    return Finding.of(
        kind,
        folder,
        count=len(messages),
        since=_moment(shown.queued_at),
        reason=reason,
    )


def _moment(when: datetime) -> str:
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")
