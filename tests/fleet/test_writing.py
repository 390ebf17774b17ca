"""Results reach the fleet's folder, whatever becomes of it meanwhile, and hold up no run."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from python_runner.fleet import queue
from python_runner.fleet.reading import read_fleet
from python_runner.fleet.writing import why_unwritable
from tests.fleet.support import NOW, Computer, ended, hanging
from tests.support import GENEROUS, allow_threads, wait_until, with_tests_importable


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Return the folder of a fleet."""
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


@pytest.fixture
def computer(share: Path, tmp_path: Path) -> Computer:
    """Return a computer of the fleet."""
    return Computer(share, tmp_path / "home")


def numbers(share: Path) -> list[int]:
    """Return the numbers of all runs that can be read, the newest of each computer first."""
    reading = read_fleet(share, lambda: NOW)
    assert reading.unread == 0, reading.examples
    return [
        run.number
        for one in reading.computers
        for project in one.projects
        for run in project.runs
    ]


def test_each_run_is_one_file_in_the_folder_of_its_month(computer: Computer) -> None:
    """Nothing waits, nothing half-written is left, and the computer shows that it is there."""
    computer.tell(ended(1), ended(2, began=NOW - timedelta(days=40)))

    assert [p.parent.name for p in computer.files()] == ["2026-10", "2026-11"]
    assert computer.writer.waiting() == 0
    assert not list(computer.own.parent.rglob("*.new"))
    heartbeat = json.loads((computer.own / "computer.json").read_text("utf-8"))
    assert heartbeat["written_at"] == computer.now.isoformat().replace("+00:00", "Z")
    assert computer.writer.new_trouble() is None


def test_what_is_told_has_the_time_at_which_it_was_written(
    computer: Computer, share: Path, tmp_path: Path
) -> None:
    """Not that at which it was queued: it is compared with the clock of the share."""
    share.rename(tmp_path / "away")
    computer.tell(ended(1))
    (tmp_path / "away").rename(share)
    computer.now += timedelta(hours=5)
    computer.tell()

    (file,) = computer.files()
    assert json.loads(file.read_text("utf-8"))["written_at"].startswith(
        f"{computer.now:%Y-%m-%dT%H:%M:%S}"
    )


@pytest.mark.fault(
    "machine",
    "The fleet's folder is away",
    "Results wait in the state folder, and later runs or `mail flush` write them; the run"
    " is not held up, and it is told once.",
)
def test_what_cannot_be_written_waits_and_is_told_once(
    computer: Computer, share: Path, tmp_path: Path
) -> None:
    """A later run writes it, in its order; a second trouble is told again."""
    share.rename(tmp_path / "away")
    computer.tell(ended(1), ended(2))
    first = computer.writer.new_trouble()
    said = [computer.writer.untold() for _ in range(3)]

    assert first is not None
    assert str(share) in str(first)
    assert "No such file or directory" in str(first)
    assert [one is not None for one in said] == [True, False, False]
    assert computer.writer.waiting() == 2
    # Nobody makes the folder: the share may only be away.
    assert not share.exists()

    (tmp_path / "away").rename(share)
    computer.tell(ended(3))
    assert numbers(share) == [3, 2, 1]
    assert computer.writer.waiting() == 0
    assert computer.writer.untold() is None

    share.rename(tmp_path / "away")
    computer.tell()
    assert computer.writer.untold() is not None


def test_another_process_tells_what_the_first_one_could_not(
    computer: Computer, share: Path, tmp_path: Path
) -> None:
    """The report of the next run has it, where nobody saw the first one's console."""
    share.rmdir()
    computer.tell(ended(1))
    later = Computer(share, tmp_path / "home")

    assert "No such file or directory" in str(later.writer.untold())
    assert later.writer.new_trouble() is None


@pytest.mark.fault(
    "machine",
    "The fleet's folder lies on a share that does not answer",
    "No run waits for it; a command ends after seconds, and the result waits.",
)
def test_a_share_that_hangs_holds_up_nobody(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell and to deliver return at once; one thread hangs, however many runs follow."""
    # Those of an earlier test may still be there.
    others = {*threading.enumerate()}
    with hanging(share, monkeypatch) as met:
        for number in range(5):
            computer.writer.tell(ended(number))
            computer.writer.deliver()
        assert met.wait(GENEROUS)
        computer.writer.wait(0.01)
        hung = [t for t in {*threading.enumerate()} - others if t.name == "fleet"]
        trouble = computer.writer.new_trouble()
        waiting = computer.writer.waiting()

    assert len(hung) == 1
    assert hung[0].daemon
    assert waiting == 5
    assert "does not answer" in str(trouble)
    computer.writer.wait(GENEROUS)
    wait_until(lambda: computer.writer.waiting() == 0)
    assert len(numbers(share)) == 5


def test_a_share_that_is_slow_is_not_told(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as one file after the other is written, nobody is to do anything."""
    system, free = os.replace, threading.Event()
    times = iter([0.2, 0.2, GENEROUS])

    def slowly(source: object, target: object) -> None:
        if str(target).startswith(str(share)):
            free.wait(next(times, 0.0))
        system(source, target)  # type: ignore[arg-type]

    for number in range(5):
        computer.writer.tell(ended(number))
    monkeypatch.setattr(os, "replace", slowly)
    computer.writer.deliver()
    computer.writer.wait(1.0)
    busy = computer.writer.waiting()
    free.set()
    computer.writer.wait(GENEROUS)

    assert computer.writer.new_trouble() is None
    assert busy > 0
    assert computer.writer.waiting() == 0


CODES = [errno.EACCES, errno.ENOSPC, errno.EIO, errno.ESTALE, errno.EROFS, errno.EDQUOT]


@pytest.mark.parametrize("code", CODES, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("call", ["open", "write", "replace", "mkdir"])
def test_nothing_is_lost_where_the_system_refuses(
    computer: Computer,
    share: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
) -> None:
    """At any step: what was not written waits, nothing half-written can be read."""
    system = getattr(os, call)
    descriptors: set[int] = set()
    opened = os.open

    def refused(path: object, *args: object, **kwargs: object) -> object:
        if str(path).startswith(str(share)) or path in descriptors:
            raise OSError(code, os.strerror(code), str(path))
        return system(path, *args, **kwargs)

    def noted(path: object, *args: object, **kwargs: object) -> int:
        descriptor = opened(path, *args, **kwargs)  # type: ignore[arg-type]
        descriptors.discard(descriptor)
        if str(path).startswith(str(share)):
            descriptors.add(descriptor)
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr("python_runner.files._PATIENCE", ())
        if call == "write":
            patch.setattr(os, "open", noted)
        patch.setattr(os, call, refused)
        computer.tell(ended(1))

    assert os.strerror(code) in str(computer.writer.new_trouble())
    assert computer.writer.waiting() == 1
    assert numbers(share) == []
    computer.tell()
    assert numbers(share) == [1]
    assert not list(share.rglob("*.new"))


def test_a_queue_has_an_end(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest results go first, and it is told how many."""
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    share.rmdir()
    computer.tell(*(ended(number) for number in range(5)))
    computer.tell(ended(5))
    words = str(computer.writer.untold())
    share.mkdir()
    computer.tell()

    assert numbers(share) == [6, 5, 4]
    assert re_count(words) >= 1


def re_count(words: str) -> int:
    """Return how many results a sentence says were deleted."""
    return int(words.rpartition("; ")[2].split()[0])


def test_what_is_damaged_in_the_queue_keeps_nothing_from_being_written(
    computer: Computer, share: Path, tmp_path: Path
) -> None:
    """It is deleted: nobody can say what it was."""
    share.rmdir()
    computer.tell(ended(1), ended(2))
    first = min((tmp_path / "home" / "fleet" / "queue").iterdir())
    first.write_bytes(b"\0" * 100)
    share.mkdir()
    computer.tell()

    assert numbers(share) == [2]
    assert computer.writer.waiting() == 0


@pytest.mark.parametrize("name", ["writer.json", "number", "trouble.json", "cleaned"])
@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"id": 3}', b"[" * 9000])
def test_state_that_is_damaged_costs_no_result(
    computer: Computer, share: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    """At worst the computer goes on under another identity, and the last run is the last."""
    computer.tell(ended(1), ended(2))
    (tmp_path / "home" / "fleet" / name).write_bytes(content)
    Computer(share, tmp_path / "home").tell(ended(3))

    computers = read_fleet(share, lambda: NOW).computers
    assert sum(len(one.projects[0].runs) for one in computers) == 3
    assert f"{3:013x}" in {one.projects[0].last.run.run_id for one in computers}


def test_computers_of_one_name_do_not_meet(share: Path, tmp_path: Path) -> None:
    """Each state folder has an identity of its own, which stays."""
    for name in ("a", "b", "a"):
        Computer(share, tmp_path / name).tell(ended(1))

    reading = read_fleet(share, lambda: NOW)
    assert len({c.id for c in reading.computers}) == 2
    assert len({c.name for c in reading.computers}) == 1
    assert sorted(numbers(share)) == [1, 1, 2]


def test_old_files_of_this_computer_are_deleted(share: Path, tmp_path: Path) -> None:
    """By the clock of the share, not by this one's; others' files stay, and other files.

    So does the last run of each project: who fails, or runs no more, is not forgotten.
    """
    other = Computer(share, tmp_path / "other")
    other.tell(ended(1, began=NOW - timedelta(days=60)))
    computer = Computer(share, tmp_path / "home", keep_days=30)
    computer.now = NOW - timedelta(days=9000)
    long_ago = NOW - timedelta(days=60)
    computer.tell(ended(1, began=long_ago), ended(2), ended(3))
    computer.tell(ended(4, began=NOW - timedelta(days=90), project="yearly"))
    notes = computer.own / "notes.txt"
    left = computer.own / ".x.json.1234.new"
    for file in (notes, left):
        file.touch()
    old = [*share.glob("*/2026-0[89]/*"), notes, left, *computer.files()[2:3]]
    assert len(old) == 6
    for file in old:
        os.utime(file, (time.time() - 40 * 86400,) * 2)
    computer.now += timedelta(days=1)
    computer.tell()

    assert [p.parent.name for p in computer.files()] == ["2026-08", "2026-11"]
    assert not (computer.own / "2026-09").exists()
    assert notes.exists()
    assert not left.exists()
    assert len(other.files()) == 1


def test_without_keep_days_everything_stays(share: Path, tmp_path: Path) -> None:
    """As in the records."""
    computer = Computer(share, tmp_path / "home")
    computer.tell(ended(1))
    os.utime(computer.files()[0], (0, 0))
    computer.now += timedelta(days=1)
    computer.tell()

    assert len(computer.files()) == 1


def test_no_thread_is_no_error(
    computer: Computer, share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that is full of threads keeps the result for later."""
    with monkeypatch.context() as patch:
        allow_threads(patch, 0)
        computer.tell(ended(1))
    assert computer.writer.new_trouble() is not None
    computer.tell()
    assert numbers(share) == [1]


if sys.platform != "win32":

    def test_what_others_put_in_its_place_misleads_nobody(
        computer: Computer, tmp_path: Path
    ) -> None:
        """A link is replaced and not followed; a pipe is not waited for."""
        victim = tmp_path / "victim"
        victim.write_text("mine", encoding="utf-8")
        computer.own.mkdir()
        for make in (lambda p: p.symlink_to(victim), os.mkfifo):
            target = computer.own / "computer.json"
            target.unlink(missing_ok=True)
            make(target)
            computer.tell()
            assert target.is_file()
            assert not target.is_symlink()
        assert victim.read_text("utf-8") == "mine"
        assert computer.writer.trouble() is None

    def test_a_folder_that_is_a_link_is_not_written_to(
        computer: Computer, tmp_path: Path
    ) -> None:
        """Whoever may write to the share does not say where else this computer writes."""
        (tmp_path / "elsewhere").mkdir()
        computer.own.symlink_to(tmp_path / "elsewhere")
        computer.tell(ended(1))

        assert not list((tmp_path / "elsewhere").iterdir())
        assert computer.writer.waiting() == 1

    @pytest.mark.parametrize("make", [Path.touch, os.mkfifo])
    def test_what_is_no_folder_is_told(tmp_path: Path, make: object) -> None:
        """Nothing waits for a pipe."""
        share = tmp_path / "share"
        make(share)  # type: ignore[operator]
        assert "Not a directory" in str(why_unwritable(share))


def test_whether_the_folder_can_be_written_to_is_tried(share: Path) -> None:
    """And nothing is left of that."""
    assert why_unwritable(share) is None
    assert not list(share.iterdir())
    assert "No such file" in str(why_unwritable(share / "gone"))


def write_many(share: str, home: str, count: str) -> None:
    """Tell of runs from a process of its own."""
    computer = Computer(Path(share), Path(home))
    for number in range(int(count)):
        # No two runs have the same id.
        computer.tell(ended(os.getpid() * 1000 + number))


@pytest.mark.slow
def test_many_write_while_others_read(share: Path, tmp_path: Path) -> None:
    """Two processes of each of three computers: each run is there once, whole."""
    count = 15
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, share, tmp_path / f"home{n // 2}", str(count)],
            env=with_tests_importable(),
        )
        for n in range(6)
    ]
    try:
        while any(process.poll() is None for process in processes):
            reading = read_fleet(share, lambda: NOW)
            assert (reading.unread, reading.newer) == (0, 0), reading.examples
    finally:
        for process in processes:
            process.kill()
            process.wait()

    assert [process.returncode for process in processes] == [0] * 6
    assert len(numbers(share)) == 6 * count
    assert len(read_fleet(share, lambda: NOW).computers) == 3
    assert not list(share.rglob("*.new"))


if __name__ == "__main__":
    write_many(*sys.argv[1:])
