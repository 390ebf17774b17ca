"""Files that a script must have made: new ones, in its project, that are not empty."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from python_runner import expected_files
from python_runner.expected_files import before_start, pattern_problem
from python_runner.file_patterns import matching


NOW = datetime(2026, 11, 26, 23, 59).astimezone()
LATER = NOW + timedelta(minutes=2)


def put(file: Path, text: str = "rows", *, days_old: float = 0) -> None:
    """Write a file as it would be after some days."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    moment = datetime.now().timestamp() - days_old * 86400  # noqa: DTZ005 - its own clock
    os.utime(file, (moment, moment))


@pytest.mark.parametrize(
    ("before", "made", "patterns", "told"),
    [
        ([], ["out/a.csv"], ["out/a.csv"], None),
        ([], ["out/a.csv"], ["out/*.csv"], None),
        ([], ["out/x/y/a.csv"], ["out/**/*.csv"], None),
        ([], [], ["out/a.csv"], "was not made: out/a.csv"),
        ([], ["other.csv"], ["out/*.csv"], "was not made: out/*.csv"),
        (["out/a.csv"], [], ["out/a.csv"], "is old: out/a.csv, written at 20"),
        (["out/a.csv"], ["out/a.csv"], ["out/a.csv"], None),
        (["out/a.csv"], ["out/b.csv"], ["out/*.csv"], None),
        ([], ["a.csv"], ["a.csv", "b.csv"], "was not made: b.csv"),
        # The day of the start, or of the end: a script may run past midnight.
        ([], ["s_2026-11-26.csv"], ["s_{date}.csv"], None),
        ([], ["s_2026-11-27.csv"], ["s_{date:%Y-%m-%d}.csv"], None),
        ([], ["2026/11/s.csv"], ["{date:%Y/%m}/s.csv"], None),
        ([], ["s_25.csv"], ["s_{date:%d}.csv"], "was not made: s_26.csv"),
        # A file whose name has brackets is named as a pattern.
        ([], ["été [1].csv"], ["été [[]1].csv"], None),
        ([], ["été [1].csv"], ["été [1].csv"], None),
        ([], ["e\u0301te\u0301/a.csv"], ["été/a.csv"], None),
        ([], ["été/a.csv"], ["e\u0301*/a.csv"], None),
        ([], ["out/x/a.csv"], ["out/**"], None),
        ([], ["out/x/a.csv"], ["./out\\x\\a.csv"], None),
        ([], ["out/x/a.csv"], ["**/**/a.csv"], None),
        (
            [],
            ["out/x/a.csv"],
            ["out/"],
            "a folder, not a file: out/; its files are out/**",
        ),
        ([], ["out/x/a.csv"], ["*/x"], "a folder, not a file: */x"),
        (["s_2026-11-27.csv"], [], ["s_{date}.csv"], "is old: s_2026-11-27.csv"),
    ],
)
def test_a_file_is_made_or_written_again(
    tmp_path: Path,
    before: list[str],
    made: list[str],
    patterns: list[str],
    told: str | None,
) -> None:
    """One new file is enough for a pattern, and each pattern needs one."""
    for name in before:
        put(tmp_path / name, days_old=1)
    expected = before_start(tuple(patterns), tmp_path, NOW)
    for name in made:
        put(tmp_path / name)

    problem = expected.made(LATER).problem

    assert (told is None) == (problem is None)
    assert (told or "") in str(problem or "")


def test_an_empty_file_and_a_folder_are_none(tmp_path: Path) -> None:
    """What is empty was not written; a folder of that name is no file."""
    expected = before_start(("a.csv",), tmp_path, NOW)
    (tmp_path / "a.csv").mkdir()
    assert "a folder, not a file: a.csv" in str(expected.made(NOW).problem)
    (tmp_path / "a.csv").rmdir()
    put(tmp_path / "a.csv", "")
    assert "is empty: a.csv" in str(expected.made(NOW).problem)


def test_the_clock_of_a_share_does_not_matter(tmp_path: Path) -> None:
    """A file counts by its own change: its server may live a day behind."""
    put(tmp_path / "a.csv", days_old=9)
    expected = before_start(("a.csv",), tmp_path, NOW)
    put(tmp_path / "a.csv", days_old=8)

    assert expected.made(NOW).problem is None


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell of such a change")
def test_a_copy_that_keeps_its_time_is_written_again(tmp_path: Path) -> None:
    """``shutil.copy2`` and ``unzip`` give a file the time of what it was made from."""
    put(tmp_path / "source.csv", days_old=3)
    shutil.copy2(tmp_path / "source.csv", tmp_path / "a.csv")
    expected = before_start(("a.csv",), tmp_path, NOW)
    wait_for_a_tick(tmp_path)
    shutil.copy2(tmp_path / "source.csv", tmp_path / "a.csv")

    assert expected.made(NOW).problem is None


def wait_for_a_tick(folder: Path) -> None:
    """Wait until the clock of the files has moved on."""
    probe = folder / "probe"
    probe.write_text("")
    first = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == first:
        probe.write_text("")


def test_a_time_beyond_the_calendar_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may say that it was written in the year 30000; not every disk keeps that."""
    put(tmp_path / "a.csv")
    status = Mock(st_mode=0o100644, st_size=1, st_mtime_ns=10**24)
    monkeypatch.setattr(Path, "stat", lambda *_a, **_k: status)
    expected = before_start(("a.csv",), tmp_path, NOW)

    assert str(expected.made(NOW).problem) == "the expected file is old: a.csv"


def test_more_files_than_can_be_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file might be one that nobody has looked at."""
    monkeypatch.setattr(expected_files, "_MOST_FILES", 2)
    for name in "abc":
        put(tmp_path / f"{name}.csv")
    expected = before_start(("*.csv",), tmp_path, NOW)
    put(tmp_path / "d.csv")

    assert "names too many files" in str(expected.made(NOW).problem)


def test_folders_may_be_deeper_than_python_recurses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever unpacks such a tree into a project has made its files all the same."""
    deepest = tmp_path.joinpath(*"d" * 60)
    put(deepest / "a.csv")
    monkeypatch.chdir(tmp_path)
    depth = len(inspect.stack())

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 40)
    try:
        found = list(matching(tmp_path, "**/*.csv"))
    finally:
        sys.setrecursionlimit(limit)

    assert len(found) == 1


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("out/*.csv", None),
        ("{date:%Y-%m-%d}/**/x.csv", None),
        ("/tmp/a.csv", "inside the project"),  # noqa: S108 - only a name
        ("C:/a.csv", "inside the project"),
        ("C:a.csv", "inside the project"),
        ("//server/share/a.csv", "inside the project"),
        ("../a.csv", "inside the project"),
        ("out\\..\\..\\a.csv", "inside the project"),
        ("{today}.csv", "in braces"),
        ("{date:%Y.csv", "in braces"),
        ("a**.csv", "no file has such a name"),
        (".", "no file has such a name"),
        ("a\0.csv", "no file has such a name"),
        ("a.csv\n", "no file has such a name"),
        ("a_{date:%Q}.csv", "cannot be written"),
        ("{date:100%%}.csv", None),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(pattern: str, told: str | None) -> None:
    """It lies in the project, and its braces hold dates."""
    problem = pattern_problem(pattern, NOW)

    assert (told is None) == (problem is None)
    assert (told or "") in str(problem or "")
