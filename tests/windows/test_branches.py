from __future__ import annotations

from typing import TYPE_CHECKING

import coverage
import pytest

from tests.windows.branches import (
    NOT_RUN,
    list_problems,
    only_windows,
    problems,
    run_lines,
    windows_lines,
)


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.source


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("if sys.platform == 'win32':\n  a\nelse:\n  b", {"<module>": {2}}),
        ("if sys.platform != 'win32':\n  a\nelse:\n  b", {"<module>": {4}}),
        ("if sys.platform == 'win32' and x:\n  a\nelse:\n  b", {"<module>": {2}}),
        ("if sys.platform == 'win32' or x:\n  a", {}),
        ("if sys.platform != 'win32' or x:\n  a\nelse:\n  b", {"<module>": {4}}),
        ("if sys.platform != 'win32' and x:\n  a\nelse:\n  b", {}),
        ("def f():\n  if sys.platform == 'win32':\n    return 1\n  b", {"f": {3}}),
        (
            "if sys.platform == 'win32':\n  def f():\n    '''Do.'''\n    return 1",
            {"f": {4}},
        ),
        (
            "a\nassert sys.platform == 'win32'\nclass C:\n  def f(self):\n    return 1",
            {"<module>": {2, 3}, "f": {5}},
        ),
        (
            "if sys.platform == 'win32':\n  try:\n    a\n  except E:\n    b",
            {"<module>": {2, 3, 5}},
        ),
        (
            "assert sys.platform == 'win32'\nif TYPE_CHECKING:\n  import a\nb",
            {"<module>": {1, 4}},
        ),
        ("a\nb = 1 if sys.platform == 'win32' else 2", {}),
    ],
)
def test_what_only_windows_runs(source: str, lines: dict[str, set[int]]) -> None:
    """The lines that the wine run must run are found."""
    assert only_windows(source) == lines


def test_every_windows_branch_is_looked_at() -> None:
    """Modules for Windows alone, and the branches of others."""
    files = windows_lines()
    assert {
        "cli/streams.py",
        "execution/tree_windows.py",
        "files.py",
        "records/file_locks.py",
        "runner/signals.py",
    } <= files.keys()


LINES = {"a.py": {"f": {1, 2}, "g": {5}}}


@pytest.mark.parametrize(
    ("was_run", "not_run", "wrong"),
    [
        ({1, 2, 5}, {}, []),
        ({1, 5, 9}, {}, ["a.py:f: no test runs the lines [2]"]),
        ({1, 5}, {"a.py:f": "a reason"}, []),
        ({1, 2, 5}, {"a.py:f": "a reason"}, ["a.py:f: is run; take it out of NOT_RUN"]),
        ({1, 2}, {"a.py:f": "a reason"}, ["a.py:f: is run", "a.py:g: no test runs"]),
        ((), {}, ["a.py:f: no test runs", "a.py:g: no test runs the lines [5]"]),
    ],
)
def test_what_is_not_run_is_told(
    was_run: set[int], not_run: dict[str, str], wrong: list[str]
) -> None:
    """Lines without a test, and reasons without a line."""
    found = problems(LINES, {"a.py": set(was_run), "b.py": {2}}, not_run)
    assert [
        text[: len(start)] for text, start in zip(found, wrong, strict=True)
    ] == wrong


@pytest.mark.parametrize(
    ("not_run", "wrong"),
    [
        ({"a.py:f": "wine has no such thing"}, []),
        ({"a.py:f": "not run"}, ["a.py:f: has no reason"]),
        ({"a.py:h": "wine has no such thing"}, ["a.py:h: has no line for"]),
        ({"c.py:f": "wine has no such thing"}, ["c.py:f: has no line for"]),
    ],
)
def test_the_list_is_looked_at(not_run: dict[str, str], wrong: list[str]) -> None:
    """A function that has gone, or a branch without a reason, must not stay listed."""
    found = list_problems(LINES, not_run)
    assert [
        text[: len(start)] for text, start in zip(found, wrong, strict=True)
    ] == wrong


def test_the_list_of_what_is_not_run_is_right() -> None:
    """Each function is there, and has a reason."""
    assert list_problems(windows_lines(), NOT_RUN) == []


def test_what_coverage_wrote_is_read(tmp_path: Path) -> None:
    """The files of several processes, with the paths of Windows, are put together."""
    for number, lines in enumerate(([1, 2], [2, 7])):
        data = coverage.CoverageData(basename=str(tmp_path / f"data.{number}"))
        data.add_lines({"C:\\env\\Lib\\python_runner\\cli\\app.py": lines})
        data.write()
    assert run_lines(tmp_path) == {"cli/app.py": {1, 2, 7}}
