from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.execution import capture as capture_module
from python_runner.execution.capture import (
    DiskLimits,
    FileCapture,
    NullCapture,
    Readable,
    open_capture,
)
from python_runner.execution.process import run_command
from python_runner.masking import Masker
from python_runner.model import Command, Outcome
from python_runner.records.output_reader import OutputReader


NOTE = re.compile(rb"^\[\.\.\. (\d+) bytes left out \.\.\.\]\n", re.MULTILINE)

posix_files = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows removes no open file"
)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="Linux punches holes")


def capture(
    folder: Path, *writes: bytes, limit: int = 1000, disk: DiskLimits | None = None
) -> list[str]:
    """Capture ``writes``, with a look after each; return what was told."""
    disk = disk or DiskLimits()
    captured = open_capture(folder / "output.log", limit, 0.0, disk=disk)
    for number, text in enumerate(writes, 1):
        os.write(captured.descriptor, text)
        captured.watch(float(number))
    captured.close()
    return [str(warning) for warning in captured.warnings]


def kept(folder: Path) -> bytes:
    """Return what was kept."""
    return (folder / "output.log").read_bytes()


def split(content: bytes) -> tuple[bytes, int, bytes]:
    """Return head, number of bytes left out, and tail."""
    head, count, tail = NOTE.split(content)
    return head, int(count), tail


def test_small_output_is_untouched(tmp_path: Path) -> None:
    """Output up to the limit is kept byte by byte."""
    assert capture(tmp_path, b"\xff\r\n\0" * 250, limit=1000) == []
    assert kept(tmp_path) == b"\xff\r\n\0" * 250


def test_cut_at_lines(tmp_path: Path) -> None:
    """Too much is cut out of the middle, between whole lines, and counted exactly."""
    lines = [b"line %06d\n" % n for n in range(10_000)]
    warnings = capture(tmp_path, b"".join(lines))
    head, count, tail = split(kept(tmp_path))
    assert count == 120_000 - len(head) - len(tail)
    assert head.splitlines(keepends=True) == lines[: len(head) // 12]
    assert tail.splitlines(keepends=True) == lines[-len(tail) // 12 :]
    assert 900 < len(head) + len(tail) <= 1000
    assert warnings == [
        f"{count:,} bytes of its output were left out: its limit is 1,000 bytes"
    ]


@given(st.text(min_size=300, max_size=2000), st.integers(10, 200))
def test_cut_at_characters(
    tmp_path_factory: pytest.TempPathFactory, text: str, limit: int
) -> None:
    """A cut never goes through a character, and head, count and tail make the whole."""
    folder = tmp_path_factory.mktemp("cut")
    whole = text.replace("[", "(").encode("utf-8", "replace")
    capture(folder, whole, limit=limit)
    head, count, tail = split(kept(folder))
    head.decode()
    tail.decode()
    assert whole.endswith(tail)
    if not whole.startswith(head) or len(head) + count + len(tail) != len(whole):
        # A line was ended so that the note has one of its own.
        assert head.endswith(b"\n")
        head = head[:-1]
    assert whole.startswith(head)
    assert len(head) + count + len(tail) == len(whole)


def test_earlier_attempt_is_kept(tmp_path: Path) -> None:
    """The limit holds for one attempt; what stands before it is not touched."""
    (tmp_path / "output.log").write_bytes(b"earlier\n" * 1000)
    capture(tmp_path, b"x" * 5000)
    content = kept(tmp_path)
    assert content.startswith(b"earlier\n" * 1000 + b"x" * 500)
    assert content.count(b"x") == 1000
    assert b"\n[... 4000 bytes left out ...]\n" in content


def test_tail_is_this_attempts(tmp_path: Path) -> None:
    """The text that is searched for a traceback is this attempt's, and bounded."""
    (tmp_path / "output.log").write_bytes(b"earlier\n")
    captured = FileCapture(tmp_path / "output.log", 10, 0.0)
    os.write(captured.descriptor, b"caf\xe9")
    assert captured.tail() == "caf\\xe9"
    os.write(captured.descriptor, b"x" * capture_module.TAIL)
    assert captured.tail() == "x" * capture_module.TAIL
    captured.close()


def test_what_is_cut_out_or_given_back_is_counted(tmp_path: Path) -> None:
    """Bytes, lines and errors are those of all that was written, not of what is kept."""
    (tmp_path / "output.log").write_bytes(b"ERROR:root:earlier\n")
    captured = open_capture(tmp_path / "output.log", 20_000, 0.0)
    line = b"ERROR:root:loaded 5 rows, and then came an error from the disk\n"
    for number in range(1, 11):
        os.write(captured.descriptor, line * 1000)
        captured.watch(float(number))
    os.write(captured.descriptor, b"last")

    metrics = captured.metrics(captured.tail())
    captured.close()

    assert metrics is not None
    assert metrics.output_bytes == len(line) * 10_000 + 4
    assert (metrics.output_lines, metrics.log_errors) == (10_001, 10_000)
    assert [number.value for number in metrics.numbers] == [5.0]
    assert len(kept(tmp_path)) < 21_000


def test_a_flood_is_counted_by_its_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not have to wait for that."""
    monkeypatch.setattr(capture_module, "_COUNTED_AT_ONCE", 1000)
    captured = open_capture(tmp_path / "output.log", 10, 0.0)
    os.write(captured.descriptor, b"ten bytes\n" * 5000)

    metrics = captured.metrics("")
    captured.close()

    assert metrics is not None
    assert (metrics.output_bytes, metrics.output_lines) == (50_000, 5000)


@linux_only
@pytest.mark.posix
def test_flood_is_bounded_while_it_comes(tmp_path: Path) -> None:
    """A flood takes little of the disk while it comes in, and is counted exactly."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    limit = 1_000_000
    captured = FileCapture(tmp_path / "output.log", limit, 0.0)
    largest = 0
    for number in range(1, 21):
        os.write(captured.descriptor, b"%07d\n" % number * 250_000)
        captured.watch(float(number))
        blocks = (tmp_path / "output.log").stat().st_blocks
        largest = max(largest, blocks * 512)
    assert largest < 3 * limit + 3_000_000
    assert captured.tail().endswith("0000020\n")
    captured.close()
    head, count, tail = split(kept(tmp_path))
    assert count + len(head) + len(tail) == 20 * 2_000_000
    assert head == b"0000001\n" * (len(head) // 8)
    assert tail == b"0000020\n" * (len(tail) // 8)
    assert limit - 20_000 < len(head) + len(tail) <= limit


@pytest.mark.fault(
    "machine",
    "The disk is nearly full while a script writes",
    "Less output is kept, and the reason is told.",
)
@linux_only
@pytest.mark.posix
def test_scarce_disk(tmp_path: Path) -> None:
    """On a disk that is nearly full less is kept, and the reason is told."""
    disk = DiskLimits(reserve=1 << 60, scarce=50_000)
    writes = (b"head\n", b"x" * 500_000, b"tail\n")
    warnings = capture(tmp_path, *writes, limit=1_000_000, disk=disk)
    content = kept(tmp_path)
    assert len(content) < 120_000
    assert content.startswith(b"head\n")
    assert content.endswith(b"tail\n")
    assert len(warnings) == 1
    assert warnings[0].endswith("were left out: the disk is nearly full")


@linux_only
@pytest.mark.posix
def test_what_filled_the_disk_makes_room_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output that cannot be rewritten still gives back what is beyond its limit."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    forbid_replacing(monkeypatch)

    (warning,) = capture(tmp_path, b"x" * 5_000_000, limit=100_000)

    assert warning.startswith("its output could not be rewritten")
    assert (tmp_path / "output.log").stat().st_blocks * 512 < 200_000


@linux_only
@pytest.mark.posix
def test_a_reader_is_told_of_the_hole(tmp_path: Path) -> None:
    """Who reads a flood while it comes in sees no zeros, but how much is missing."""
    captured = FileCapture(tmp_path / "output.log", 100_000, 0.0)
    for number in range(1, 6):
        os.write(captured.descriptor, b"%07d\n" % number * 50_000)
        captured.watch(float(number))
    output = OutputReader(tmp_path / "output.log", Masker())
    seen = b"".join(iter(output.read, b"")) + output.rest()
    captured.close()
    head, count, tail = NOTE.split(seen.replace(b"\n\n[", b"\n["))
    assert b"\0" not in seen
    assert len(head) + int(count) + len(tail) == 5 * 400_000
    assert head.startswith(b"0000001\n")
    assert tail.endswith(b"0000005\n")


@pytest.mark.fault(
    "scripts",
    "A script removes the folder of its own output",
    "The output is written again.",
)
@posix_files
@pytest.mark.posix
@pytest.mark.parametrize("size", [6, 5000])
def test_a_file_that_was_removed_is_written_again(tmp_path: Path, size: int) -> None:
    """A script may clean its folder up; what it printed can still be read."""
    file = tmp_path / "logs" / "output.log"
    file.parent.mkdir()
    file.write_bytes(b"earlier\n")
    captured = open_capture(file, 1000, 0.0, Readable(Masker(["c4n4ry"])))
    os.write(captured.descriptor, b"c4n4ry")
    shutil.rmtree(file.parent)
    os.write(captured.descriptor, b"x" * size + b"\nend\n")
    assert captured.tail().endswith("x\nend\n")
    captured.close()
    content = file.read_bytes()
    assert content.startswith(b"earlier\n***xx")
    assert content.endswith(b"x\nend\n")
    assert len(content) < 1100


@linux_only
@pytest.mark.posix
def test_a_folder_that_was_renamed_keeps_no_secret(tmp_path: Path) -> None:
    """The file is where it is said to be, and the one that was moved is masked, too."""
    file = tmp_path / "project" / "output.log"
    file.parent.mkdir()
    captured = open_capture(file, 1000, 0.0, Readable(Masker(["c4n4ry"])))
    os.write(captured.descriptor, b"a c4n4ry\n")
    file.parent.rename(tmp_path / "elsewhere")
    captured.close()
    assert file.read_bytes() == b"a ***\n"
    assert (tmp_path / "elsewhere" / "output.log").read_bytes() == b"a ******\n"
    assert captured.warnings == []


def test_put_away_in_utf8(tmp_path: Path) -> None:
    """What is no UTF-8 is in the encoding of the locale, or in UTF-16; secrets in any."""
    readable = Readable(Masker(["gehéim"]), "cp1252")
    captured = open_capture(tmp_path / "output.log", 1000, 0.0, readable)
    for encoding in ("cp1252", "utf-8", "utf-16-le"):
        os.write(captured.descriptor, "Société gehéim\r\n".encode(encoding))
    assert captured.tail() == "Société ***\n" * 3
    captured.close()
    assert kept(tmp_path) == "Société ***\r\n".encode() * 3


def test_who_follows_sees_what_is_put_away(tmp_path: Path, monkeypatch: Any) -> None:
    """Before the script has ended, and from the replaced file on."""
    monkeypatch.setattr("locale.getencoding", lambda: "cp1252")
    path = tmp_path / "output.log"
    reader = OutputReader(path, Masker())
    captured = open_capture(path, 1000, 0.0, Readable(Masker(), "cp1252"))
    os.write(captured.descriptor, "Société\nÉt".encode("cp1252"))
    seen = reader.read()
    assert seen == "Société\n".encode()
    os.write(captured.descriptor, "é\nfin é".encode("cp1252"))
    captured.close()
    seen += b"".join(iter(reader.read, b"")) + reader.rest()
    assert seen == kept(tmp_path) == "Société\nÉté\nfin é".encode()


def test_a_progress_bar_is_read_as_it_ended(tmp_path: Path) -> None:
    """Its history is in the file alone."""
    captured = open_capture(tmp_path / "output.log", 1000, 0.0)
    os.write(captured.descriptor, b"\r10%\r50%")
    assert captured.tail() == "50%"
    captured.close()
    assert kept(tmp_path) == b"\r10%\r50%"


def test_moved_when_possible(tmp_path: Path) -> None:
    """Output that could not be written where it was wanted is moved there later."""
    folder = tmp_path / "late"
    folder.touch()
    captured = open_capture(folder / "output.log", 1000, 0.0)
    os.write(captured.descriptor, b"words\n")
    folder.unlink()
    folder.mkdir()
    (folder / "output.log").write_bytes(b"earlier\n")
    captured.close()
    assert kept(folder) == b"earlier\nwords\n"
    assert captured.warnings == []
    assert captured.elsewhere is None


def test_a_folder_that_vanished_is_made_anew(tmp_path: Path) -> None:
    """Whoever tidies up between two scripts costs the second no output."""
    assert capture(tmp_path / "gone" / "deep", b"words\n") == []
    assert kept(tmp_path / "gone" / "deep") == b"words\n"


def test_the_spare_file_is_private(tmp_path: Path) -> None:
    """What lies there instead may be read by this user alone, and is named."""
    (tmp_path / "late").touch()
    spare = tmp_path / "state" / "spare.log"
    captured = open_capture(tmp_path / "late" / "output.log", 1000, 0.0, spare=spare)
    os.write(captured.descriptor, b"words\n")
    captured.close()
    assert captured.elsewhere == spare
    assert spare.read_bytes() == b"words\n"
    (warning,) = map(str, captured.warnings)
    assert warning.startswith(f"its output is in {spare}: ")
    if sys.platform != "win32":
        assert spare.parent.stat().st_mode & 0o077 == 0


def test_stays_in_a_temporary_file(tmp_path: Path) -> None:
    """Output that cannot be moved stays where it is, and that is told."""
    (tmp_path / "never").touch()
    (warning,) = capture(tmp_path / "never", b"words\n")
    match = re.fullmatch(r"its output is in (.+): (.+)", warning)
    assert match
    if sys.platform != "win32":  # which has words of its own
        assert match[2] == os.strerror(errno.ENOTDIR)
    file = Path(match[1])
    assert file.read_bytes() == b"words\n"
    file.unlink()


def test_the_reason_is_that_of_the_place_it_was_wanted_at(tmp_path: Path) -> None:
    """A folder that stands in its place is named, not the file that took its place."""
    (tmp_path / "output.log").mkdir()
    (warning,) = capture(tmp_path, b"words\n")
    match = re.fullmatch(r"its output is in (.+): (.+)", warning)
    assert match
    assert Path(match[1]).read_bytes() == b"words\n"
    assert match[2] == os.strerror(errno.EISDIR)
    Path(match[1]).unlink()


@pytest.mark.fault(
    "machine",
    "The output of a script can be kept nowhere",
    "The script runs, and the report says so.",
)
def test_nowhere_to_write(tmp_path: Path) -> None:
    """A script runs even where its output can be kept nowhere."""
    disk = DiskLimits(floor=1 << 60)
    captured = open_capture(tmp_path / "output.log", 1000, 0.0, disk=disk)
    assert isinstance(captured, NullCapture)
    os.write(captured.descriptor, b"words\n")
    captured.watch(1.0)
    assert captured.tail() == ""
    captured.close()
    (warning,) = captured.warnings
    assert str(warning).startswith("its output could not be kept: ")


def forbid_replacing(patch: pytest.MonkeyPatch) -> None:
    """Let the system refuse that a file takes another one's place."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    patch.setattr(os, "replace", refuse)


def test_uncut_when_there_is_no_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Output that cannot be cut is left as it is, and that is told."""
    forbid_replacing(monkeypatch)
    (warning,) = capture(tmp_path, b"x" * 1500)
    assert warning.startswith("its output could not be rewritten: ")
    assert kept(tmp_path) == b"x" * 1500


def test_without_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file system gives bytes back, the output is cut at the end all the same."""
    monkeypatch.setattr(capture_module, "punch_hole", lambda *_range: False)
    capture(tmp_path, *[b"x" * 5000] * 3)
    head, count, tail = split(kept(tmp_path))
    assert (len(head), count, len(tail)) == (501, 14_000, 500)


@pytest.mark.fault(
    "machine",
    "A script prints more than the disk can take",
    "It runs to its end.",
)
@linux_only
@pytest.mark.posix
def test_script_on_a_full_disk(small_disk: Path) -> None:
    """A script that prints more than its disk can take runs to its end."""
    attempt = run_command(
        Command(
            argv=(sys.executable, "-c", "print('x' * 20_000_000); print('end')"),
            cwd=str(small_disk),
            env=dict(os.environ),
            output=str(small_disk / "output.log"),
            output_limit=10_000_000,
            timeout=20.0,
            grace=1.0,
            project=str(small_disk),
            run_id="39be3d37aed64",
        )
    )
    assert attempt.outcome is Outcome.SUCCESS
    assert kept(small_disk).endswith(b"x\nend\n")
    (warning,) = attempt.warnings
    assert str(warning).endswith("were left out: the disk is nearly full")


@pytest.mark.parametrize(
    ("size", "free", "holes", "told"),
    [
        # Twice the limit is nobody's business, whatever the disk.
        (200_000, 0, False, None),
        # What can be given back is given back.
        (900_000, 0, True, None),
        (900_000, 1 << 40, False, None),
        # Another look like this one, and the disk would be full.
        (900_000, 1_150_000, False, "about to fill the disk: "),
        (900_000, 2_900_000, False, None),
        # More comes in than is given back, on the nearly full disk alone.
        (2_000_000, 1_390_000, True, "about to fill the disk: 200,000 bytes so far"),
        (2_000_000, 1_500_000, True, None),
        (3_000_000, 1 << 40, False, "kept growing: 2,100,000 bytes so far"),
        (3_000_000, None, False, "kept growing: 2,100,000 bytes so far"),
    ],
)
def test_a_flood_that_nothing_bounds_is_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    size: int,
    free: int | None,
    holes: bool,
    told: str | None,
) -> None:
    """Where no byte comes back, or too late, and before the disk is full."""
    limit = 100_000
    monkeypatch.setattr(capture_module, "punch_hole", lambda *_: holes)
    monkeypatch.setattr(capture_module, "_MOST_TIMES", 10)
    disk = DiskLimits(reserve=0, floor=1_000_000, longest=2_000_000)
    captured = FileCapture(tmp_path / "output.log", limit, 0.0, disk=disk)

    def free_now(_folder: Path) -> int:
        if free is None:
            raise OSError(errno.EIO, "the disk cannot be asked")
        return free

    monkeypatch.setattr(capture_module, "free_space", free_now)
    for number in range(1, 11):
        os.write(captured.descriptor, b"x" * (size // 10))
        captured.watch(float(number))
    flood = captured.flood
    monkeypatch.undo()
    captured.close()

    assert (flood is None) == (told is None)
    assert told is None or told in str(flood)
    assert len(kept(tmp_path)) < limit + 100 or not holes


@pytest.mark.fault(
    "machine",
    "A script writes faster than the disk gives bytes back, or it takes none back",
    "The script is stopped before the disk is full, and the reason is told.",
)
@pytest.mark.parametrize("holes", ["none", "late", "real"])
def test_a_script_that_would_fill_the_disk_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holes: str
) -> None:
    """Its output is cut as always, and what the log says is why it was stopped."""
    output = tmp_path / "output.log"
    if holes != "real":
        monkeypatch.setattr(capture_module, "punch_hole", lambda *_: holes == "late")
    # Whatever is punched, this disk has no more room for it.
    monkeypatch.setattr(
        capture_module,
        "free_space",
        lambda _: 300_000_000 - (output.stat().st_size if output.exists() else 0),
    )
    attempt = run_command(
        Command(
            argv=(sys.executable, "-c", "while True: print('x' * 9999, flush=True)"),
            cwd=str(tmp_path),
            env=dict(os.environ),
            output=str(output),
            output_limit=100_000,
            timeout=60.0,
            grace=30.0,
            project=str(tmp_path),
            run_id="39be3d37aed64",
        )
    )
    assert attempt.outcome is Outcome.FAILURE
    assert "stopped because its output" in str(attempt.reason)
    assert attempt.traceback is None
    assert output.stat().st_size < 110_000
