from __future__ import annotations

import pytest

from tests.windows.branches import NOT_RUN, only_windows, windows_lines


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
        "records/locks.py",
        "runner/signals.py",
    } <= files.keys()


@pytest.mark.parametrize("name", NOT_RUN)
def test_what_is_not_run_is_there_and_has_a_reason(name: str) -> None:
    """A function that has gone, or a branch without a reason, must not stay listed."""
    file, _, function = name.partition(":")

    assert function in windows_lines()[file]
    assert len(NOT_RUN[name].split()) > 3
