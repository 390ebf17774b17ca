from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.records import log_reader
from python_runner.records.file_locks import brief_lock
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine, format_log_line
from python_runner.records.log_reader import follow_log, read_log
from python_runner.records.log_rotation import archives, logs_in
from tests.support import GENEROUS, examples


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NAME = "project_3.log"
START = datetime(2024, 11, 25, 9, 25).astimezone()


@pytest.fixture
def log_file(tmp_path: Path) -> LogFile:
    """Return the log of a project that has none yet."""
    return LogFile(tmp_path / "logs", NAME, backup_count=0, rotation_days=3)


def _log_line(script: str = "main.py", traceback: str | None = None) -> LogLine:
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


def _scripts(log_lines: Iterable[LogLine]) -> list[str]:
    return [log_line.script for log_line in log_lines]


def test_a_log_line_is_appended_whole(log_file: LogFile) -> None:
    """The folder is made, and each line ends in a bare newline, on every platform."""
    log_lines = [_log_line("a.py"), _log_line("é\ud800.py", traceback="x\r\ny")]
    for log_line in log_lines:
        log_file.write(log_line)
    content = (log_file.folder / NAME).read_bytes()
    assert (
        content == "".join(f"{format_log_line(line)}\n" for line in log_lines).encode()
    )


def test_a_torn_line_is_left_alone(log_file: LogFile) -> None:
    """After half a line, whoever left it, a log line starts on a new one."""
    log_file.write(_log_line("a.py"))
    with (log_file.folder / NAME).open("ab") as file:
        file.write(b"2024-11-25 09:25:00,000 - INFO - p")
    log_file.write(_log_line("b.py"))
    assert (log_file.folder / NAME).read_bytes().count(b"\n") == 3
    assert _scripts(read_log(log_file.folder, NAME)) == ["a.py", "b.py"]


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The caller hears about it, to say so in the report."""
    (tmp_path / "logs").write_text("not a folder", "utf-8")
    with pytest.raises(OSError, match="logs"):
        LogFile(tmp_path / "logs", NAME, backup_count=0, rotation_days=3).write(
            _log_line()
        )


WRITE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine

log_file = LogFile(Path(sys.argv[1]), sys.argv[2], backup_count=0, rotation_days=3)
sys.stdin.readline()
for number in range(300):
    log_file.write(LogLine(
        time=datetime.now(UTC), level="ERROR", host="pc", run_id=sys.argv[3],
        minutes=0.5, script=f"{number}.py", status="failure", traceback="x" * 5000,
    ))
"""


@pytest.mark.fault(
    "runner",
    "Two runs write one log at the same time",
    "Every line is whole.",
)
def test_two_writers_do_not_mix_their_lines(log_file: LogFile) -> None:
    """A skipped run writes while another one does: every line is whole and stays."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(log_file.folder), NAME, run_id],
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
    log_lines = list(read_log(log_file.folder, NAME))
    for run_id in "ab":
        assert _scripts(line for line in log_lines if line.run_id == run_id) == [
            f"{number}.py" for number in range(300)
        ]
    assert (log_file.folder / NAME).read_bytes().count(b"\n") == 600


def test_a_writer_waits_for_another(log_file: LogFile) -> None:
    """While another process is amid its line, ours is held back."""
    log_file.write(_log_line("a.py"))
    log = log_file.folder / NAME
    with log.open("ab", buffering=0) as file, ThreadPoolExecutor() as pool:
        line = format_log_line(_log_line("b.py")).encode()
        with brief_lock(file.fileno()):
            file.write(line[:40])
            pending = pool.submit(log_file.write, _log_line("c.py"))
            with pytest.raises(TimeoutError):
                pending.result(timeout=0.2)
            file.write(line[40:] + b"\n")
        pending.result(timeout=GENEROUS)
    assert _scripts(read_log(log_file.folder, NAME)) == ["a.py", "b.py", "c.py"]


FILL = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine

log_file = LogFile(Path(sys.argv[1]), sys.argv[2], backup_count=0, rotation_days=3)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_100, resource.RLIM_INFINITY))
for number in range(1000):
    log_line = LogLine(
        time=datetime.now(UTC), level="ERROR", host="pc", run_id="39be3d37aed64",
        minutes=0.5, script=f"{number}.py", status="failure", traceback="Traceback" + "x" * 300 + "\\nValueError: x",
    )
    try:
        log_file.write(log_line)
    except OSError as error:
        print(number, error.errno)
        break
# What measures the tests writes a larger file at the end.
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
"""


@pytest.mark.fault(
    "machine",
    "The disk fills up amid a log line",
    "No half line stays.",
)
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit of file sizes")
def test_a_full_disk_leaves_no_half_line(log_file: LogFile) -> None:
    """A write cut short is undone and reported: every line that is there is whole."""
    argv = [sys.executable, "-c", FILL, str(log_file.folder), NAME]
    run = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    written, error = map(int, run.stdout.split())
    assert error == errno.EFBIG
    assert written > 10
    content = (log_file.folder / NAME).read_bytes()
    assert content.endswith(b"- ValueError: x\n")
    # The last one found room without the beginning of its traceback.
    assert content.count(b"\n") == written + 1
    assert content.count(b"Traceback") == written
    assert _scripts(read_log(log_file.folder, NAME)) == [
        f"{number}.py" for number in range(written + 1)
    ]


@pytest.mark.posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_without_any_room_is_an_error(
    log_file: LogFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not even a byte fits, the caller hears that the disk is full."""
    full = os.open("/dev/full", os.O_WRONLY)
    write = os.write
    monkeypatch.setattr(os, "write", lambda _, data: write(full, data))
    with pytest.raises(OSError, match="No space") as caught:
        log_file.write(_log_line())
    os.close(full)
    assert caught.value.errno == errno.ENOSPC


def test_archives_and_log_are_read_in_order(log_file: LogFile) -> None:
    """Lines come oldest first, whatever order the folder lists its files in."""
    expected = []
    for day in range(0, 40, 4):
        now = START + timedelta(days=day)
        log_file.rotate(now)
        for script in (f"{day}-a.py", f"{day}-b.py"):
            log_file.write(replace(_log_line(script), time=now))
            expected.append(script)
    assert len(archives(log_file.folder, NAME)) == 9
    assert _scripts(read_log(log_file.folder, NAME)) == expected


def test_numbered_archives_are_in_the_order_of_their_numbers(log_file: LogFile) -> None:
    """The tenth of a minute comes after the second."""
    log_file.folder.mkdir()
    names = [f"{NAME}.2024-11-28_09-25{end}" for end in ("", ".1", ".2", ".10")]
    for name in (*reversed(names), f"{NAME}.2024-11-28_09-24.11"):
        (log_file.folder / name).touch()
    assert [p.name for p in archives(log_file.folder, NAME)] == [
        f"{NAME}.2024-11-28_09-24.11",
        *names,
    ]


def test_what_is_no_log_line_is_passed_over(log_file: LogFile) -> None:
    """Broken bytes, notes made by hand and Windows line ends do not stop reading."""
    log_file.write(_log_line("a.py"))
    with (log_file.folder / NAME).open("ab") as file:
        file.write(b"\xff\xfe\x00 - note\r\n\n")
        file.write(format_log_line(_log_line("b.py")).encode() + b"\r\n")
        file.write(
            format_log_line(_log_line("Q\x00.py")).encode().replace(b"Q", b"\xff")
        )
    read = read_log(log_file.folder, NAME)
    assert _scripts(read) == ["a.py", "b.py", "\ufffd\x00.py"]


@given(
    lines=st.lists(st.sampled_from(["a", "bc", "é" * 40, "none of ours"]), max_size=8),
    files=st.integers(1, 3),
    block=st.integers(1, 300),
    whole=st.booleans(),
)
@examples(100)
def test_a_log_is_read_in_blocks_both_ways(
    lines: list[str], files: int, block: int, whole: bool
) -> None:
    """However a block cuts it, each line is read once, in order, from either end."""
    texts = [
        line if line == "none of ours" else format_log_line(_log_line(f"{line}{n}.py"))
        for n, line in enumerate(lines)
    ]
    archived = [f"{NAME}.2024-11-26", f"{NAME}.2024-11-26_09-25"]
    names = [*archived[: files - 1], NAME]
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        for place, file in enumerate(names):
            mine = texts[place::files]
            end = "\n" if whole and mine else ""
            (folder / file).write_bytes(("\n".join(mine) + end).encode())
        expected = _scripts(read_log(folder, NAME))
        assert len(expected) == len([line for line in lines if line != "none of ours"])
        longest = max((len(text.encode()) for text in texts), default=0)
        patch.setattr(log_reader, "_BLOCK", longest + block)
        assert _scripts(read_log(folder, NAME)) == expected
        assert _scripts(read_log(folder, NAME, newest_first=True)) == expected[::-1]
        followed = _scripts(follow_log(folder, NAME, wait=lambda: False))
        assert followed == expected if whole else set(followed) <= set(expected)


def test_nothing_to_read_is_no_error(tmp_path: Path) -> None:
    """A project that never ran has no log lines."""
    assert list(read_log(tmp_path / "logs", NAME)) == []
    assert archives(tmp_path / "logs", NAME) == []


def test_the_companion_viewer_reads_the_log(log_file: LogFile) -> None:
    """The original's viewer splits lines into seven fields and reads a number."""
    for script in ("main.py", "a - b.py", "ende - "):
        log_file.write(_log_line(script))
    [name] = [path for path in log_file.folder.iterdir() if path.suffix == ".log"]
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


def test_following_tells_old_and_new(log_file: LogFile) -> None:
    """Everything there is comes first, then what is written, once each."""
    log_file.write(_log_line("a.py"))
    wait = _acts(
        lambda: log_file.write(_log_line("b.py")),
        lambda: None,
        lambda: log_file.write(_log_line("c.py")),
    )
    told = follow_log(log_file.folder, NAME, wait=wait)
    assert _scripts(told) == ["a.py", "b.py", "c.py"]


def test_following_survives_a_rotation(log_file: LogFile) -> None:
    """What was written just before the log was set aside is told, and what follows."""

    def around_rotation() -> None:
        log_file.write(_log_line("b.py"))
        log_file.rotate(START + timedelta(days=3))
        log_file.write(_log_line("c.py"))

    log_file.write(_log_line("a.py"))
    wait = _acts(
        around_rotation,
        lambda: log_file.rotate(START + timedelta(days=6)),
        lambda: log_file.write(_log_line("d.py")),
    )
    told = follow_log(log_file.folder, NAME, wait=wait)
    assert _scripts(told) == ["a.py", "b.py", "c.py", "d.py"]
    assert len(archives(log_file.folder, NAME)) == 2


def test_following_waits_for_the_end_of_a_line(log_file: LogFile) -> None:
    """A line that is being written is told when it is whole."""
    line = format_log_line(_log_line("a.py")).encode()
    log = log_file.folder / NAME

    def add(content: bytes) -> None:
        with log.open("ab") as file:
            file.write(content)

    log_file.folder.mkdir()
    wait = _acts(
        lambda: add(line[:40]), lambda: add(line[40:]), lambda: None, lambda: add(b"\n")
    )
    assert _scripts(follow_log(log_file.folder, NAME, wait=wait)) == ["a.py"]


def test_following_goes_on_when_a_log_is_emptied_or_removed(log_file: LogFile) -> None:
    """A log that was cut, or thrown away with its archive, is read from its start."""
    log = log_file.folder / NAME

    def replaced() -> None:
        log.rename(log.with_name("elsewhere"))
        log_file.write(_log_line("c.py"))

    def emptied() -> None:
        log.write_bytes(b"")
        log_file.write(_log_line("b.py"))

    log_file.write(_log_line("a-with-a-long-name.py"))
    told = follow_log(log_file.folder, NAME, wait=_acts(emptied, replaced))
    assert _scripts(told) == ["a-with-a-long-name.py", "b.py", "c.py"]


def test_two_logs_are_told_as_one(log_file: LogFile) -> None:
    """By time at first, then as they are written, across the rotation of either."""
    other = replace(log_file, filename="night.log")

    def write(log: LogFile, script: str, minute: int) -> None:
        log.write(replace(_log_line(script), time=START + timedelta(minutes=minute)))

    def around_rotation() -> None:
        write(other, "d.py", 4)
        other.rotate(START + timedelta(days=3))
        write(log_file, "e.py", 5)

    write(log_file, "a.py", 1)
    write(other, "b.py", 2)
    write(log_file, "c.py", 3)
    wait = _acts(around_rotation, lambda: write(other, "f.py", 6))
    names = [log_file.filename, other.filename]
    assert _scripts(follow_log(log_file.folder, *names, wait=wait)) == [
        *("a.py", "b.py", "c.py", "d.py", "e.py", "f.py")
    ]
    assert len(_scripts(read_log(log_file.folder, *names))) == 6


def test_logs_are_told_from_other_files(log_file: LogFile) -> None:
    """One line is enough, in the log or in an archive of it; a name is not."""
    assert logs_in(log_file.folder) == []
    log_file.write(_log_line())
    replace(log_file, filename="night.log").write(_log_line())
    log_file.rotate(START + timedelta(days=3))
    for name in ("server.log", "notes.txt", "server.log.2024-11-25_09-25"):
        (log_file.folder / name).write_text("2024-11-25 - INFO - up\n", "utf-8")
    (log_file.folder / "folder.log").mkdir()

    assert logs_in(log_file.folder) == ["night.log", NAME]
