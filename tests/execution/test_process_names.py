from __future__ import annotations

import pytest

from python_runner.execution.process_names import Started, command_line, redirected
from python_runner.masking import Masker


pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        ([], ""),
        (["/usr/bin/sleep", "600"], "sleep 600"),
        ([r"C:\Python\python.exe", "-m", "http.server"], "python.exe -m http.server"),
        (["psql", "--password", "hunter2", "-v"], "psql --password *** -v"),
        (["psql", "--password=hunter2"], "psql --password=***"),
        (["tool", "-token", "x", "y"], "tool -token *** y"),
        (["tool", "/PASSWORD:geheim"], "tool /PASSWORD:***"),
        (["env", "API_KEY=k", "run"], "env API_KEY=*** run"),
        (["tool", "--password", "-v"], "tool --password -v"),
        (["psql", "postgres://me:hunter2@db/x"], "psql postgres://me:***@db/x"),
        (["say", "known-value"], "say ***"),
        (["python", "-c", "import time\ntime.sleep(9)"], "python -c import time time.sleep(9)"),
        (["a", "\x1b[31mred\x07"], "a red\\x07"),
        # Cut behind the masking: no part of a secret is left at the end.
        (["p", "x" * 150, "known-value"], f"p {'x' * 150} ***"),
        (["p", "x" * 500], f"p {'x' * 157}…"),
    ],
)  # fmt: skip
def test_a_process_is_named_by_its_command_line(argv: list[str], name: str) -> None:
    """In one line, its program without folders, bounded, without secrets."""
    assert command_line(argv, Masker(["known-value"])) == name


@pytest.mark.parametrize(
    ("seen", "left_out"),
    [
        (
            {
                1: (0, "v/Scripts/python.exe", "-c", "x"),
                2: (1, "python.exe", "-c", "x"),
            },
            {2},
        ),
        (
            {1: (0, "v/Scripts/python", "a.py"), 2: (1, "C:\\P\\python.exe", "a.py")},
            {2},
        ),
        ({1: (0, "pythonw.exe", "a.py"), 2: (1, "pythonw.exe", "a.py")}, {2}),
        # Another word, another parent, another program: two.
        ({1: (0, "python.exe", "a.py"), 2: (1, "python.exe", "b.py")}, set()),
        ({1: (0, "python.exe", "a.py"), 2: (9, "python.exe", "a.py")}, set()),
        ({1: (0, "node.exe", "a.js"), 2: (1, "node.exe", "a.js")}, set()),
        ({1: (0,), 2: (1,)}, set()),
        ({2: (1, "python.exe", "a.py")}, set()),
        ({}, set()),
    ],
)
def test_who_only_does_what_its_parent_stands_for(
    seen: dict[int, tuple[int, str]], left_out: set[int]
) -> None:
    """A virtual environment's python on Windows is no second program."""
    processes = {pid: Started(parent, argv) for pid, (parent, *argv) in seen.items()}

    assert redirected(processes) == left_out
