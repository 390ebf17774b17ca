from __future__ import annotations

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.records.locks import brief_lock
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine, format_record
from python_runner.records.log_reader import follow, read_log
from python_runner.records.log_rotation import archives, logs_in


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NAME = "project_3.log"
START = datetime(2024, 11, 25, 9, 25).astimezone()


@pytest.fixture
def journal(tmp_path: Path) -> LogFile:
    """Return the log of a project that has none yet."""
    return LogFile(tmp_path / "logs", NAME, backup_count=0, rotation_days=3)


def _record(script: str = "main.py", traceback: str | None = None) -> LogLine:
    return LogLine(
        time=START,
        level="INFO" if traceback is None else "ERROR",
        host="pc",
        run_id="39be3d37aed64",
        minutes=0.5,
        script=script,
        status="success" if traceback is None else "failure",
        traceback=traceback,
    )


def _scripts(records: Iterable[LogLine]) -> list[str]:
    return [record.script for record in records]


def test_a_record_is_appended_as_one_line(journal: LogFile) -> None:
    """The folder is made, and each record ends in a bare newline, on every platform."""
    records = [_record("a.py"), _record("é\ud800.py", traceback="x\r\ny")]
    for record in records:
        journal.write(record)
    content = (journal.folder / NAME).read_bytes()
    assert content == "".join(f"{format_record(r)}\n" for r in records).encode()


def test_a_torn_line_is_left_alone(journal: LogFile) -> None:
    """After half a line, whoever left it, a record starts on a new one."""
    journal.write(_record("a.py"))
    with (journal.folder / NAME).open("ab") as file:
        file.write(b"2024-11-25 09:25:00,000 - INFO - p")
    journal.write(_record("b.py"))
    assert (journal.folder / NAME).read_bytes().count(b"\n") == 3
    assert _scripts(read_log(journal.folder, NAME)) == ["a.py", "b.py"]


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The caller hears about it, to say so in the report."""
    (tmp_path / "logs").write_text("not a folder", "utf-8")
    with pytest.raises(OSError, match="logs"):
        LogFile(tmp_path / "logs", NAME, backup_count=0, rotation_days=3).write(
            _record()
        )


WRITE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine

journal = LogFile(Path(sys.argv[1]), sys.argv[2], backup_count=0, rotation_days=3)
sys.stdin.readline()
for number in range(300):
    journal.write(LogLine(
        time=datetime.now(UTC), level="ERROR", host="pc", run_id=sys.argv[3],
        minutes=0.5, script=f"{number}.py", status="failure", traceback="x" * 5000,
    ))
"""


def test_two_writers_do_not_mix_their_lines(journal: LogFile) -> None:
    """A skipped run writes while another one does: every line is whole and stays."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(journal.folder), NAME, run_id],
            stdin=subprocess.PIPE,
        )
        for run_id in "ab"
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    for writer in writers:
        with writer:
            assert writer.wait(timeout=60) == 0
    records = list(read_log(journal.folder, NAME))
    for run_id in "ab":
        assert _scripts(r for r in records if r.run_id == run_id) == [
            f"{number}.py" for number in range(300)
        ]
    assert (journal.folder / NAME).read_bytes().count(b"\n") == 600


def test_a_writer_waits_for_another(journal: LogFile) -> None:
    """While another process is amid its line, ours is held back."""
    journal.write(_record("a.py"))
    log = journal.folder / NAME
    with log.open("ab", buffering=0) as file, ThreadPoolExecutor() as pool:
        line = format_record(_record("b.py")).encode()
        with brief_lock(file.fileno()):
            file.write(line[:40])
            pending = pool.submit(journal.write, _record("c.py"))
            with pytest.raises(TimeoutError):
                pending.result(timeout=0.2)
            file.write(line[40:] + b"\n")
        pending.result(timeout=30)
    assert _scripts(read_log(journal.folder, NAME)) == ["a.py", "b.py", "c.py"]


FILL = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine

journal = LogFile(Path(sys.argv[1]), sys.argv[2], backup_count=0, rotation_days=3)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
for number in range(1000):
    record = LogLine(
        time=datetime.now(UTC), level="ERROR", host="pc", run_id="39be3d37aed64",
        minutes=0.5, script=f"{number}.py", status="failure", traceback="x" * 300,
    )
    try:
        journal.write(record)
    except OSError as error:
        print(number, error.errno)
        break
# What measures the tests writes a larger file at the end.
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
"""


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_full_disk_leaves_no_half_line(journal: LogFile) -> None:
    """A write cut short is undone and reported: every line that is there is whole."""
    argv = [sys.executable, "-c", FILL, str(journal.folder), NAME]
    run = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    written, error = map(int, run.stdout.split())
    assert error == errno.EFBIG
    assert written > 10
    content = (journal.folder / NAME).read_bytes()
    assert content.endswith(b"x\n")
    assert content.count(b"\n") == written
    assert _scripts(read_log(journal.folder, NAME)) == [
        f"{number}.py" for number in range(written)
    ]


@pytest.mark.posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_without_any_room_is_an_error(journal: LogFile) -> None:
    """Where not even a byte fits, the caller hears that the disk is full."""
    journal.folder.mkdir()
    (journal.folder / NAME).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space") as caught:
        journal.write(_record())
    assert caught.value.errno == errno.ENOSPC


def test_archives_and_log_are_read_in_order(journal: LogFile) -> None:
    """Records come oldest first, whatever order the folder lists its files in."""
    expected = []
    for day in range(0, 40, 4):
        now = START + timedelta(days=day)
        journal.rotate(now)
        for script in (f"{day}-a.py", f"{day}-b.py"):
            journal.write(replace(_record(script), time=now))
            expected.append(script)
    assert len(archives(journal.folder, NAME)) == 9
    assert _scripts(read_log(journal.folder, NAME)) == expected


def test_numbered_archives_are_in_the_order_of_their_numbers(journal: LogFile) -> None:
    """The tenth of a minute comes after the second."""
    journal.folder.mkdir()
    names = [f"{NAME}.2024-11-28_09-25{end}" for end in ("", ".1", ".2", ".10")]
    for name in (*reversed(names), f"{NAME}.2024-11-28_09-24.11"):
        (journal.folder / name).touch()
    assert [p.name for p in archives(journal.folder, NAME)] == [
        f"{NAME}.2024-11-28_09-24.11",
        *names,
    ]


def test_what_is_no_record_is_passed_over(journal: LogFile) -> None:
    """Broken bytes, notes made by hand and Windows line ends do not stop reading."""
    journal.write(_record("a.py"))
    with (journal.folder / NAME).open("ab") as file:
        file.write(b"\xff\xfe\x00 - note\r\n\n")
        file.write(format_record(_record("b.py")).encode() + b"\r\n")
        file.write(format_record(_record("Q\x00.py")).encode().replace(b"Q", b"\xff"))
    read = read_log(journal.folder, NAME)
    assert _scripts(read) == ["a.py", "b.py", "\ufffd\x00.py"]


def test_nothing_to_read_is_no_error(tmp_path: Path) -> None:
    """A project that never ran has no records."""
    assert list(read_log(tmp_path / "logs", NAME)) == []
    assert archives(tmp_path / "logs", NAME) == []


def test_the_companion_viewer_reads_the_log(journal: LogFile) -> None:
    """The original's viewer splits lines into seven fields and reads a number."""
    for script in ("main.py", "a - b.py", "ende - "):
        journal.write(_record(script))
    [name] = [path for path in journal.folder.iterdir() if path.suffix == ".log"]
    with name.open(encoding="utf-8") as file:
        rows = [line.strip().split(" - ") for line in file.readlines()]
    assert [len(row) for row in rows] == [7, 7, 7]
    assert [float(row[4]) for row in rows] == [0.5, 0.5, 0.5]
    assert {row[6] for row in rows} == {"success"}


def _acts(*acts: Callable[[], object]) -> Callable[[], bool]:
    """Return a wait that does one thing each time, and ends when there is none left."""
    pending = iter(acts)

    def wait() -> bool:
        act = next(pending, None)
        if act is None:
            return False
        act()
        return True

    return wait


def test_following_tells_old_and_new(journal: LogFile) -> None:
    """Everything there is comes first, then what is written, once each."""
    journal.write(_record("a.py"))
    wait = _acts(
        lambda: journal.write(_record("b.py")),
        lambda: None,
        lambda: journal.write(_record("c.py")),
    )
    told = follow(journal.folder, NAME, wait=wait)
    assert _scripts(told) == ["a.py", "b.py", "c.py"]


def test_following_survives_a_rotation(journal: LogFile) -> None:
    """What was written just before the log was set aside is told, and what follows."""

    def around_rotation() -> None:
        journal.write(_record("b.py"))
        journal.rotate(START + timedelta(days=3))
        journal.write(_record("c.py"))

    journal.write(_record("a.py"))
    wait = _acts(
        around_rotation,
        lambda: journal.rotate(START + timedelta(days=6)),
        lambda: journal.write(_record("d.py")),
    )
    told = follow(journal.folder, NAME, wait=wait)
    assert _scripts(told) == ["a.py", "b.py", "c.py", "d.py"]
    assert len(archives(journal.folder, NAME)) == 2


def test_following_waits_for_the_end_of_a_line(journal: LogFile) -> None:
    """A line that is being written is told when it is whole."""
    line = format_record(_record("a.py")).encode()
    log = journal.folder / NAME

    def add(content: bytes) -> None:
        with log.open("ab") as file:
            file.write(content)

    journal.folder.mkdir()
    wait = _acts(
        lambda: add(line[:40]), lambda: add(line[40:]), lambda: None, lambda: add(b"\n")
    )
    assert _scripts(follow(journal.folder, NAME, wait=wait)) == ["a.py"]


def test_following_goes_on_when_a_log_is_emptied_or_removed(journal: LogFile) -> None:
    """A log that was cut, or thrown away with its archive, is read from its start."""
    log = journal.folder / NAME

    def replaced() -> None:
        log.rename(log.with_name("elsewhere"))
        journal.write(_record("c.py"))

    def emptied() -> None:
        log.write_bytes(b"")
        journal.write(_record("b.py"))

    journal.write(_record("a-with-a-long-name.py"))
    told = follow(journal.folder, NAME, wait=_acts(emptied, replaced))
    assert _scripts(told) == ["a-with-a-long-name.py", "b.py", "c.py"]


def test_two_logs_are_told_as_one(journal: LogFile) -> None:
    """By time at first, then as they are written, across the rotation of either."""
    other = replace(journal, filename="night.log")

    def write(log: LogFile, script: str, minute: int) -> None:
        log.write(replace(_record(script), time=START + timedelta(minutes=minute)))

    def around_rotation() -> None:
        write(other, "d.py", 4)
        other.rotate(START + timedelta(days=3))
        write(journal, "e.py", 5)

    write(journal, "a.py", 1)
    write(other, "b.py", 2)
    write(journal, "c.py", 3)
    wait = _acts(around_rotation, lambda: write(other, "f.py", 6))
    names = [journal.filename, other.filename]
    assert _scripts(follow(journal.folder, *names, wait=wait)) == [
        *("a.py", "b.py", "c.py", "d.py", "e.py", "f.py")
    ]
    assert len(_scripts(read_log(journal.folder, *names))) == 6


def test_logs_are_told_from_other_files(journal: LogFile) -> None:
    """One record is enough, in the log or in an archive of it; a name is not."""
    assert logs_in(journal.folder) == []
    journal.write(_record())
    replace(journal, filename="night.log").write(_record())
    journal.rotate(START + timedelta(days=3))
    for name in ("server.log", "notes.txt", "server.log.2024-11-25_09-25"):
        (journal.folder / name).write_text("2024-11-25 - INFO - up\n", "utf-8")
    (journal.folder / "folder.log").mkdir()

    assert logs_in(journal.folder) == ["night.log", NAME]
