"""A fleet's folder is read within bounds, whatever anybody has put into it."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner import files
from python_runner.exceptions import PythonRunnerError
from python_runner.fleet import reading
from python_runner.fleet.documents import MOST_BYTES
from python_runner.fleet.reading import read_fleet
from tests.fleet.support import NOW, Computer, days, ended, hanging


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model.fleet import FleetComputer, FleetReading


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Return the folder of a fleet."""
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def computer(share: Path, tmp_path: Path) -> Computer:
    """Return a computer of the fleet that has run one project."""
    made = Computer(share, tmp_path / "home")
    made.tell(ended(1))
    return made


def read(share: Path) -> FleetReading:
    """Read a fleet."""
    return read_fleet(share, lambda: NOW)


def only(share: Path) -> FleetComputer:
    """Return the only computer of a fleet."""
    (found,) = read(share).computers
    return found


def test_what_a_computer_wrote_is_read(computer: Computer, share: Path) -> None:
    """Its projects, the newest run first, and when it wrote last by the share's clock."""
    computer.tell(ended(2), ended(3, project="ventes"), ended(4))
    found = only(share)

    assert [p.last.run.project for p in found.projects] == ["paie", "ventes"]
    assert [r.number for r in found.projects[0].runs] == [4, 2, 1]
    assert len(found.projects[0].starts) == 3
    assert abs(found.seen_at - datetime.now(UTC)) < timedelta(minutes=10)
    assert found.ahead < timedelta(minutes=1)
    assert not found.clock_is_wrong


@pytest.mark.parametrize("hours", [-30, 3])
def test_a_clock_is_compared_with_that_of_the_share(
    computer: Computer, share: Path, hours: int
) -> None:
    """The time of the file is the server's; what its writer believed stands in it."""
    computer.now = datetime.now(UTC) + timedelta(hours=hours)
    computer.tell(ended(2))
    found = only(share)

    assert abs(found.ahead - timedelta(hours=hours)) < timedelta(minutes=10)
    assert found.clock_is_wrong


def test_the_order_is_the_computers_own(computer: Computer, share: Path) -> None:
    """A clock that was set back makes no run an old one."""
    computer.tell(ended(2, began=NOW + days(300)), ended(3, began=NOW - days(300)))
    (project,) = only(share).projects

    assert [run.number for run in project.runs] == [3, 2, 1]


def test_a_computer_without_its_own_file_is_known_by_its_runs(
    computer: Computer, share: Path
) -> None:
    """It has written its first run, or somebody has deleted the file."""
    (computer.own / "computer.json").unlink()
    found = only(share)

    assert found.name
    assert len(found.projects) == 1


def changed(file: Path, **values: object) -> bytes:
    """Return what a file contains, with other values."""
    return json.dumps(json.loads(file.read_text("utf-8")) | values).encode()


#: What is put beside a good file, under the name of another one.
HOSTILE: dict[str, Callable[[Path, Path], object]] = {
    "huge": lambda new, _good: new.write_bytes(b" " * (MOST_BYTES + 1)),
    "empty": lambda new, _good: new.touch(),
    "deep": lambda new, _good: new.write_bytes(b"[" * MOST_BYTES),
    "binary": lambda new, _good: new.write_bytes(b"\xff\xfe\x00"),
    "copied": lambda new, good: new.write_bytes(good.read_bytes()),
    "of another": lambda new, good: new.write_bytes(
        changed(good, number=2, computer_id="f" * 12)
    ),
    "folder": lambda new, _good: new.mkdir(),
}
if sys.platform != "win32":
    HOSTILE |= {
        "fifo": lambda new, _good: os.mkfifo(new),
        "device": lambda new, _good: new.symlink_to("/dev/zero"),
        "link": lambda new, good: new.symlink_to(good),
        "loop": lambda new, _good: new.symlink_to(new),
    }


@pytest.mark.fault(
    "files",
    "A file of the fleet is broken, or was put there by a stranger",
    "It is counted and named; the others are read.",
)
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_no_computer_wrote_is_counted(
    computer: Computer, share: Path, kind: str
) -> None:
    """Huge, deep, a pipe, a device, a link: the good files are read all the same."""
    (good,) = computer.files()
    new = good.with_name(good.name.replace("0000000001", "0000000002"))
    HOSTILE[kind](new, good)
    found = read(share)

    assert (found.unread, found.newer) == (1, 0)
    assert len(found.examples) == 1
    assert "0000000002" in found.examples[0]
    assert [r.number for r in found.computers[0].projects[0].runs] == [1]


@pytest.mark.usefixtures("computer")
def test_other_things_are_left_alone(share: Path) -> None:
    """People keep other files on shares, too; an empty folder is no computer."""
    for name in ("notes.txt", "PC-0123456789ab"):
        (share / name).touch()
    for name in ("..x-0123456789ab", "0123456789ab", "Nobody-0123456789ab/2026-11"):
        (share / name).mkdir(parents=True)
    (share / "Nobody-0123456789ab" / "2026-13").mkdir()
    found = read(share)

    assert (found.unread, found.late, found.cut) == (0, (), ())
    assert len(found.computers) == 1


if sys.platform != "win32":

    def test_a_link_is_no_computer(
        computer: Computer, share: Path, tmp_path: Path
    ) -> None:
        """Whoever may write to the share does not say what is read elsewhere."""
        computer.own.rename(tmp_path / "elsewhere")
        computer.own.symlink_to(tmp_path / "elsewhere")
        assert read(share).computers == ()


def test_a_newer_version_is_told_from_a_broken_file(
    computer: Computer, share: Path
) -> None:
    """Who is told to update this computer looks for no damage."""
    (good,) = computer.files()
    values = json.loads(good.read_text("utf-8")) | {"format": 2}
    good.write_text(json.dumps(values), encoding="utf-8")

    assert (read(share).unread, read(share).newer) == (0, 1)


def test_many_files_are_read_up_to_a_bound(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each project the newest: one that runs every minute leaves room for others."""
    monkeypatch.setattr(reading, "_MOST_RUNS", 3)
    computer.tell(ended(2, project="rare"), *(ended(n) for n in range(3, 10)))
    busy, rare = only(share).projects

    assert [len(p.runs) for p in (busy, rare)] == [3, 1]
    assert len(busy.starts) == 8
    assert read(share).cut == ()

    monkeypatch.setattr(reading, "_MOST_FILES", 2)
    assert [len(p.runs) for p in only(share).projects] == [1, 1]
    assert read(share).cut == (computer.own.name,)


@pytest.mark.parametrize("most", ["_MOST_NAMES", "_MOST_READ"])
def test_what_is_not_looked_at_is_told(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    """A million files, or as many bytes, cost no more than the bound."""
    computer.tell(*(ended(n) for n in range(2, 20)))
    monkeypatch.setattr(reading, most, 10)
    found = read(share)

    assert found.cut == (computer.own.name,)


@pytest.mark.usefixtures("computer")
def test_a_folder_with_too_many_names_is_told(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fleet's own folder as well."""
    for number in range(30):
        (share / f"file{number}").touch()
    monkeypatch.setattr(reading, "_MOST_NAMES", 10)

    assert "" in read(share).cut


@pytest.mark.fault(
    "machine",
    "The fleet's folder does not answer while it is read",
    "`digest --fleet` and `status --fleet` say so after 20 seconds.",
)
@pytest.mark.usefixtures("computer")
def test_a_share_that_hangs_is_told(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for longer than it may take."""
    with (
        hanging(share, monkeypatch),
        pytest.raises(PythonRunnerError, match="does not answer"),
    ):
        read_fleet(share, lambda: NOW, seconds=0.2)


def test_a_computer_that_hangs_hides_no_other(
    computer: Computer, share: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named."""
    other = Computer(share, tmp_path / "other")
    other.tell(ended(1, project="ventes"))
    with hanging(other.own, monkeypatch):
        found = read_fleet(share, lambda: NOW, seconds=2.0)

    assert found.late == (other.own.name,)
    assert [c.id for c in found.computers] == [computer.own.name[-12:]]


@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, is_file: bool) -> None:
    """With its name and the reason."""
    if is_file:
        (tmp_path / "x").touch()
    with pytest.raises(PythonRunnerError, match="cannot be read"):
        read(tmp_path / "x")


def test_a_file_that_is_deleted_meanwhile_is_no_error(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its computer deletes what is old."""
    (good,) = computer.files()
    found = files.read_with_time

    def deleted(path: Path, limit: int) -> tuple[bytes, float]:
        good.unlink(missing_ok=True)
        return found(path, limit)

    monkeypatch.setattr(reading, "read_with_time", deleted)
    assert read(share).unread == 0


@pytest.mark.parametrize("seconds", [-1e15, -1.0, 0.0, 4e9, 2e11])
def test_any_time_of_a_file_is_read(
    computer: Computer, share: Path, seconds: float
) -> None:
    """Anybody may set it."""
    for file in (computer.own / "computer.json", *computer.files()):
        try:
            os.utime(file, (seconds, seconds))
        except (OSError, OverflowError):
            pytest.skip("the file system has no such time")
    found = only(share)

    assert abs(found.ahead) < days(20 * 367)
    assert 1970 <= found.seen_at.year <= 2100
    # Shown in local time on every platform.
    assert found.seen_at.astimezone().year >= 1969
