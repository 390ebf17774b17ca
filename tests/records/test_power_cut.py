"""A power cut loses nothing that was told to be safe, whatever of the last writes is kept.

The system calls of a runner that records one run are written down by strace, and played
back up to each moment that matters. What was synced is kept. Of what was written since, a
disk may keep any part, in any order; names of files that were made or removed since the
last sync of their folder may be there or not.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.records.store import DATABASE_NAME
from tests.records import test_store_crash as crash
from tests.support import with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "linux":
    pytest.skip("needs strace", allow_module_level=True)

pytestmark = pytest.mark.posix

#: What changes files, in strace's words.
CALLS = "openat,close,write,pwrite64,ftruncate,unlink,fsync,fdatasync"
CALL = re.compile(r"\d+ +(\w+)\((.*)\) += (\d+)")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
#: What disks write whole.
SECTOR = 512
#: Named and written by the runner, but part of the world outside of its disk.
OUTSIDE = {"acknowledged", "server"}


@dataclass(frozen=True, slots=True)
class Event:
    """One call: what was done to which file; ``at`` is an offset, a size or nothing."""

    what: str
    name: str
    at: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Disk:
    """The files of one folder: what is surely kept, and what was written since."""

    kept: dict[str, bytes] = field(default_factory=dict)
    since: list[Event] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Do what a call did."""
        if event.name in OUTSIDE:
            self.kept = apply(self.kept, [event])
        elif event.what != "sync":
            self.since.append(event)
        else:
            # A new file's name is on disk with the file's own sync on common file systems;
            # here only with that of its folder, or of the file.
            mine = [e for e in self.since if event.name in {e.name, ""}]
            names = [e for e in mine if event.name or e.what in {"make", "unlink"}]
            self.kept = apply(self.kept, names)
            self.since = [e for e in self.since if e not in names]

    def left(self, chance: random.Random, way: str) -> dict[str, bytes]:
        """Return what a power cut may leave."""
        since = self.since
        if way == "nothing":
            since = []
        elif way == "last":
            since = since[-1:]
        elif way == "all but one" and since:
            gone = chance.randrange(len(since))
            since = since[:gone] + since[gone + 1 :]
        elif way == "some":
            since = [event for event in since if chance.random() < 0.5]
        elif way == "torn":
            since = [torn(event, chance) for event in since]
        return apply(self.kept, since)


WAYS = ("all", "nothing", "last", "all but one", "some", "torn")


def torn(event: Event, chance: random.Random) -> Event:
    """Return a write of which some sectors only reached the disk."""
    if event.what != "write" or len(event.data) <= SECTOR:
        return event
    end = chance.randrange(1, len(event.data) // SECTOR + 1) * SECTOR
    return Event("write", event.name, event.at, event.data[:end])


def apply(files: dict[str, bytes], events: list[Event]) -> dict[str, bytes]:
    """Return files as they are after these calls."""
    files = dict(files)
    for event in events:
        if event.what == "unlink":
            files.pop(event.name, None)
            continue
        content = files.get(event.name, b"")
        if event.what == "write":
            content = content.ljust(event.at, b"\0")
            end = event.at + len(event.data)
            content = content[: event.at] + event.data + content[end:]
        elif event.what == "truncate":
            content = content[: event.at].ljust(event.at, b"\0")
        files[event.name] = content
    return files


def record(home: Path, trace: Path) -> list[Event]:
    """Let a runner record its run in ``home``, and return what it did there."""
    script = str(Path(crash.__file__))
    done = subprocess.run(
        [
            *("strace", "-f", "-xx", "-s", "10000000", "-o", str(trace)),
            *("-e", f"trace={CALLS}", sys.executable, script, str(home), "1000000"),
        ],
        env=with_tests_importable(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    if "PTRACE" in done.stderr and not os.environ.get("CI"):
        pytest.skip("no process may be traced here")
    assert done.returncode == 0, done.stderr
    return list(read(trace, home))


def whole(trace: str) -> Iterator[str]:
    """Return the calls in the order of their ends; those of threads overlap."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, _, rest = line.partition(" ")
        if line.endswith("<unfinished ...>"):
            begun[thread] = line.removesuffix("<unfinished ...>").rstrip()
        elif (resumed := RESUMED.match(rest.lstrip())) is not None:
            yield begun.pop(thread) + rest.lstrip()[resumed.end() :]
        else:
            yield line


@dataclass(slots=True)
class Reader:
    """What a runner has open of the files of one folder."""

    folder: str
    opened: dict[int, str] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)

    def path(self, call: str, path: str, number: int) -> Iterator[Event]:
        """Return what a call does that names its file."""
        self.opened.pop(number, None)
        if path != self.folder and os.path.dirname(path) != self.folder:  # noqa: PTH120
            return
        name = "" if path == self.folder else os.path.basename(path)  # noqa: PTH119
        if call == "unlink":
            self.ends.pop(name, None)
            yield Event("unlink", name)
            return
        self.opened[number] = name
        if name and name not in self.ends:
            self.ends[name] = 0
            yield Event("make", name)

    def descriptor(self, call: str, arguments: str, data: bytes) -> Iterator[Event]:
        """Return what a call does with an open file."""
        number, _, rest = arguments.partition(",")
        if (name := self.opened.get(int(number))) is None:
            return
        if call == "close":
            del self.opened[int(number)]
        elif call in {"fsync", "fdatasync"}:
            yield Event("sync", name)
        elif call == "ftruncate":
            self.ends[name] = int(rest)
            yield Event("truncate", name, int(rest))
        else:
            # What is not written at a place is appended, in this program.
            at = self.ends[name]
            if call == "pwrite64":
                at = int(rest.rpartition(",")[2])
            self.ends[name] = max(self.ends[name], at + len(data))
            yield Event("write", name, at, data)


def read(trace: Path, home: Path) -> Iterator[Event]:
    """Return the calls that concern the files of ``home``."""
    reader = Reader(str(home))
    for line in whole(trace.read_text("ascii")):
        if (match := CALL.fullmatch(line)) is None:
            continue
        call, arguments, result = match[1], match[2], int(match[3])
        text = TEXT.search(arguments)
        data = bytes.fromhex(text[1].replace("\\x", "")) if text else b""
        if call in {"openat", "unlink"}:
            number = result if call == "openat" else -1
            yield from reader.path(call, os.fsdecode(data), number)
        else:
            yield from reader.descriptor(call, arguments, data)


def put(files: dict[str, bytes], home: Path) -> None:
    """Write files into a new folder."""
    home.mkdir()
    for name, content in files.items():
        (home / name).write_bytes(content)


@pytest.mark.fault(
    "records",
    "The power fails at any moment of a run",
    "What had ended is there; nothing is damaged.",
)
@pytest.mark.slow
def test_a_power_cut_loses_nothing_that_was_told(memory_folder: Path) -> None:
    """No ended script is lost, and the records open, whatever the disk has kept."""
    if not shutil.which("strace") and not os.environ.get("CI"):
        pytest.skip("needs strace")
    home = memory_folder / "home"
    home.mkdir()
    events = record(home, memory_folder / "trace")
    chance = random.Random(15)  # noqa: S311 - no secret, a reproducible test
    disk, cuts = Disk(), 0
    for event in events:
        if event.what == "sync":
            cuts += play_back(disk, chance, memory_folder, cuts)
        disk.take(event)
        if event.name in OUTSIDE:
            cuts += play_back(disk, chance, memory_folder, cuts)
    assert disk.kept[DATABASE_NAME] == (home / DATABASE_NAME).read_bytes()
    assert cuts > 100


def play_back(disk: Disk, chance: random.Random, folder: Path, number: int) -> int:
    """Let the power fail now, in each way; return in how many."""
    if DATABASE_NAME not in disk.left(chance, "all"):
        return 0
    for way in WAYS:
        where = folder / f"{number}-{way}"
        put(disk.left(chance, way), where)
        crash.come_back(where)
        shutil.rmtree(where)
        number += 1
    return len(WAYS)


def test_a_script_costs_one_sync(tmp_path: Path) -> None:
    """Of a script's two transactions only its end waits for the disk, and once."""
    if not shutil.which("strace") and not os.environ.get("CI"):
        pytest.skip("needs strace")
    home = tmp_path / "home"
    home.mkdir()
    events = record(home, tmp_path / "trace")
    told = [
        event.data.decode().split()[1] if event.name == "acknowledged" else "sync"
        for event in events
        if (event.name == "acknowledged" and event.data) or event.what == "sync"
    ]
    steady = told[told.index("begun") + 1 : told.index("finished")]
    # What was told: the ends of one attempt and twice of two, and those of the scripts.
    attempt, ended = ["sync", "attempt"], ["sync", "ended"]
    again = [*attempt, *attempt, *ended]
    assert steady == [*attempt, *ended, *again, *again, "sync"]
