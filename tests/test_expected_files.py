"""Files that a script must have made: new ones, in its project, that are not empty."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.expected_files import before_start, pattern_problem


if TYPE_CHECKING:
    from pathlib import Path


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

    problem = expected.problem(LATER)

    assert (told is None) == (problem is None)
    assert (told or "") in str(problem or "")


def test_an_empty_file_and_a_folder_are_none(tmp_path: Path) -> None:
    """What is empty was not written; a folder of that name is no file."""
    expected = before_start(("a.csv",), tmp_path, NOW)
    (tmp_path / "a.csv").mkdir()
    assert "was not made" in str(expected.problem(NOW))
    (tmp_path / "a.csv").rmdir()
    put(tmp_path / "a.csv", "")
    assert "is empty: a.csv" in str(expected.problem(NOW))


def test_the_clock_of_a_share_does_not_matter(tmp_path: Path) -> None:
    """A file counts by its own change: its server may live a day behind."""
    put(tmp_path / "a.csv", days_old=9)
    expected = before_start(("a.csv",), tmp_path, NOW)
    put(tmp_path / "a.csv", days_old=8)

    assert expected.problem(NOW) is None


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
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(pattern: str, told: str | None) -> None:
    """It lies in the project, and its braces hold dates."""
    problem = pattern_problem(pattern, NOW)

    assert (told is None) == (problem is None)
    assert (told or "") in str(problem or "")
