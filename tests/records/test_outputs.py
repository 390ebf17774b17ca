from __future__ import annotations

import string
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from python_runner.records.output_reader import read_on
from python_runner.records.outputs import (
    delete_old_outputs,
    output_file,
    output_folder,
    read_ends,
    read_tail,
)
from tests.support import examples


NOW = datetime(2024, 11, 28, 9, 25, 30).astimezone()
RUN = "39be3d37aed64"

links = pytest.mark.skipif(
    sys.platform == "win32", reason="links need a privilege there"
)


def test_a_run_has_a_folder_named_by_its_local_start(tmp_path: Path) -> None:
    """Runs sort by time, and the id tells runs of one second apart."""
    expected = tmp_path / "runs" / f"2024-11-28_09-25-30_{RUN}"
    assert output_folder(tmp_path, RUN, NOW) == expected
    assert output_folder(tmp_path, RUN, NOW.astimezone(UTC)) == expected


@pytest.mark.parametrize(
    ("number", "script", "name"),
    [
        (1, "main.py", "01_main.py.log"),
        (12, "a/b\\main.py", "12_a_b_main.py.log"),
        (100, "main.py (2)", "100_main.py (2).log"),
        (1, "CON", "01_CON.log"),
        (1, "../../etc/passwd", "01_.._.._etc_passwd.log"),
        (1, 'a<>:"|?*\n\x1b.py', "01_a_________.py.log"),
        (1, "été\ud800.py", "01_été_.py.log"),
        (1, "name. ", "01_name. .log"),
        (1, "x" * 300 + "/main.py", f"01_{'x' * 92}_main.py.log"),
    ],
)
def test_a_script_has_a_file_that_any_system_can_hold(
    number: int, script: str, name: str
) -> None:
    """What a file name may not hold is replaced; of a long name the end stays."""
    assert output_file(Path("run"), number, script) == Path("run", name)


@examples(50)
@given(st.text(st.characters(exclude_categories=())))
@example("🙂" * 200)
def test_any_script_name_gives_one_file_in_the_folder(script: str) -> None:
    """Whatever the name, the file can be made, and right in the run's folder."""
    with tempfile.TemporaryDirectory() as name:
        file = output_file(Path(name), 7, script)
        file.write_bytes(b"")
        assert list(Path(name).iterdir()) == [file]


def test_scripts_that_differ_in_case_have_two_files() -> None:
    """The number keeps apart what Windows would take for one name."""
    names = {
        output_file(Path("run"), number, script).name.lower()
        for number, script in enumerate(("Main.py", "main.py"), 1)
    }
    assert len(names) == 2


def _make_run(logs: Path, age: timedelta, run_id: str = RUN) -> Path:
    folder = output_folder(logs, run_id, NOW - age)
    folder.mkdir(parents=True)
    (folder / "01_main.py.log").write_text("out", "utf-8")
    return folder


def test_old_output_is_removed_whenever_it_was_made(tmp_path: Path) -> None:
    """Every folder older than the days to keep goes, by the date in its name."""
    old = [_make_run(tmp_path, timedelta(days=days)) for days in (31, 90, 4000)]
    young = _make_run(tmp_path, timedelta(days=29))
    assert delete_old_outputs(tmp_path, 30, NOW) == 3
    assert not any(folder.exists() for folder in old)
    assert list(young.iterdir())
    assert delete_old_outputs(tmp_path, 30, NOW) == 0


@examples(50)
@given(days=st.integers(0, 10_000), age=st.integers(0, 10_000))
def test_output_is_kept_for_any_number_of_days(days: int, age: int) -> None:
    """What is older than its days goes, what is not stays."""
    with tempfile.TemporaryDirectory() as name:
        folder = _make_run(Path(name), timedelta(days=age, seconds=1))
        assert delete_old_outputs(Path(name), days, NOW) == (age >= days)
        assert folder.exists() == (age < days)


@pytest.mark.parametrize("days", [10**6, 10**9, 2**63])
def test_output_is_kept_for_longer_than_there_are_years(
    tmp_path: Path, days: int
) -> None:
    """A number that means for ever keeps all."""
    folder = _make_run(tmp_path, timedelta(days=4000))
    assert delete_old_outputs(tmp_path, days, NOW) == 0
    assert folder.exists()


def test_a_run_removes_some_hundred_outputs_at_most(tmp_path: Path) -> None:
    """No report waits for thousands of old ones; they go in several runs."""
    for number in range(700):
        _make_run(tmp_path, timedelta(days=40), f"{number:013x}")
    removed = [delete_old_outputs(tmp_path, 30, NOW) for _ in range(3)]
    assert removed == [500, 200, 0]


def test_output_of_kept_runs_stays(tmp_path: Path) -> None:
    """A run that is wanted, such as the present one, keeps its output at any age."""
    kept = _make_run(tmp_path, timedelta(days=40), "a" * 13)
    _make_run(tmp_path, timedelta(days=40), "b" * 13)
    assert delete_old_outputs(tmp_path, 30, NOW, keep={"a" * 13}) == 1
    assert list((tmp_path / "runs").iterdir()) == [kept]


@pytest.mark.parametrize(
    "name",
    [
        "2020-01-01_09-00-00",
        f"2020-01-01_09-00_{RUN}",
        f"2020-13-01_09-00-00_{RUN}",
        f"2020-01-01_09-00-00_{RUN}0",
        f"2020-01-01_09-00-00_{RUN.upper()}",
        f"2020-01-01_09-00-00_{RUN}.bak",
        f"x2020-01-01_09-00-00_{RUN}",
        "notes",
    ],
)
def test_other_folders_are_never_touched(tmp_path: Path, name: str) -> None:
    """Only names that are exactly ours are output of runs."""
    (tmp_path / "runs" / name).mkdir(parents=True)
    assert delete_old_outputs(tmp_path, 0, NOW) == 0
    assert (tmp_path / "runs" / name).is_dir()


def test_a_file_with_the_name_of_a_run_is_never_touched(tmp_path: Path) -> None:
    """Output of a run is a folder."""
    file = output_folder(tmp_path, RUN, NOW - timedelta(days=99))
    file.parent.mkdir()
    file.touch()
    assert delete_old_outputs(tmp_path, 0, NOW) == 0
    assert file.exists()


@pytest.mark.posix
@links
def test_links_are_not_followed(tmp_path: Path) -> None:
    """What a link points to stays, whether the link is a run or lies inside one."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    run = _make_run(tmp_path, timedelta(days=99))
    (run / "link").symlink_to(outside)
    link = output_folder(tmp_path, "c" * 13, NOW - timedelta(days=99))
    link.symlink_to(outside)
    assert delete_old_outputs(tmp_path, 30, NOW) == 1
    assert (outside / "precious").exists()
    assert link.is_symlink()


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="POSIX removes open files")
def test_a_file_in_use_is_left_for_next_time(tmp_path: Path) -> None:
    """An output that somebody reads stays without an error, and goes later."""
    folder = _make_run(tmp_path, timedelta(days=99))
    with (folder / "01_main.py.log").open("rb"):
        assert delete_old_outputs(tmp_path, 30, NOW) == 0
    assert delete_old_outputs(tmp_path, 30, NOW) == 1


def test_a_project_without_output_has_nothing_to_remove(tmp_path: Path) -> None:
    """A folder that is not there is no error."""
    assert delete_old_outputs(tmp_path / "logs", 30, NOW) == 0


@pytest.mark.parametrize(
    ("content", "limit", "tail"),
    [
        (b"", 10, ""),
        (b"one\ntwo\n", 100, "one\ntwo\n"),
        (b"one\ntwo\n", 8, "one\ntwo\n"),
        (b"one\ntwo\n", 7, "two\n"),
        (b"one\ntwo\n", 5, "two\n"),
        (b"one\ntwo\n", 4, "two\n"),
        (b"one\ntwo\n", 3, "wo\n"),
        (b"one\ntwo", 5, "two"),
        (b"0123456789", 4, "6789"),
        ("ééé".encode(), 3, "é"),
        ("x🙂🙂".encode(), 7, "🙂"),
        # What is no UTF-8 is in the locale's encoding: cp1252 on a Windows.
        pytest.param(b"a\xff\x1b[0m", 6, "a\\xff\x1b[0m", marks=pytest.mark.posix),
        pytest.param(b"abc\xe2\x82", 3, "c\\xe2\\x82", marks=pytest.mark.posix),
    ],
)
def test_the_tail_starts_at_a_line_or_a_character(
    tmp_path: Path, content: bytes, limit: int, tail: str
) -> None:
    """The end of a file is cut where a line begins, in a long line where a letter does."""
    file = tmp_path / "out.log"
    file.write_bytes(content)
    assert read_tail(file, limit) == tail


@examples(60)
@given(st.text(string.ascii_letters + "é🙂\n", max_size=60), st.integers(0, 80))
def test_the_tail_is_the_end_within_the_limit(text: str, limit: int) -> None:
    """The tail is what the file ends with, and not larger than asked for."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "out.log")
        file.write_bytes(text.encode())
        tail = read_tail(file, limit)
    assert text.endswith(tail)
    assert len(tail.encode()) <= limit


def test_a_missing_output_is_an_error(tmp_path: Path) -> None:
    """The caller decides what to say about output that has been removed."""
    with pytest.raises(FileNotFoundError):
        read_tail(tmp_path / "out.log", 10)


def test_a_file_that_grows_is_read_on(tmp_path: Path) -> None:
    """Each byte once, in portions."""
    path = tmp_path / "output.log"
    path.write_bytes(b"one\0two")
    with path.open("rb") as file:
        assert read_on(file, 0, 4) == (b"one\0", 4)
        assert read_on(file, 4, 100) == (b"two", 7)
        assert read_on(file, 7, 100) == (b"", 7)
        with path.open("ab") as writer:
            writer.write(b" and more")
        assert read_on(file, 7, 100) == (b" and more", 16)


@pytest.mark.parametrize(
    ("size", "limit", "content"),
    [
        (0, 8, b""),
        (8, 8, b"01234567"),
        (10, 8, b"01\n[... 2 bytes left out ...]\n456789"),
        (3, 0, b"\n[... 3 bytes left out ...]\n"),
    ],
)
def test_both_ends_of_a_file_are_kept(
    tmp_path: Path, size: int, limit: int, content: bytes
) -> None:
    """A longer file loses its middle, and says how much of it."""
    file = tmp_path / "out.log"
    file.write_bytes(b"0123456789"[:size])
    assert read_ends(file, limit) == content


def test_a_huge_file_is_never_read_whole(tmp_path: Path) -> None:
    """Two ends of a terabyte take a moment and no memory: the middle is not read."""
    file = tmp_path / "out.log"
    with file.open("wb") as handle:
        handle.write(b"begin\n")
        handle.seek(2**40 if sys.platform == "linux" else 2**24)
        handle.write(b"\nend")
    content = read_ends(file, 1000)
    assert content.startswith(b"begin\n")
    assert content.endswith(b"\nend")
    assert len(content) < 1100
