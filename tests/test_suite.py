"""What must hold for the tests themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest


pytestmark = pytest.mark.source


TESTS = Path(__file__).parent
MARK = "\npytestmark = pytest.mark.pure\n"
PURE = [
    path for path in sorted(TESTS.rglob("test_*.py")) if MARK in path.read_text("utf-8")
]
PORTABLE = [
    path
    for path in sorted(TESTS.rglob("test_*.py"))
    if "\n@pytest.mark.portable(" in path.read_text("utf-8")
]
#: What reaches the platform.
IMPURE = frozenset(
    [
        "asyncio",
        "concurrent",
        "ctypes",
        "getpass",
        "glob",
        "locale",
        "mmap",
        "msvcrt",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "psutil",
        "pty",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "winreg",
    ]
)
#: Fixtures that touch nothing.
BUILT = frozenset({"make_result", "make_run", "message", "now"})
PYTESTS = frozenset({"capfd", "capsys", "monkeypatch", "request", "tmp_path"})


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.stem)
def test_a_pure_test_asks_nothing_of_the_platform(path: Path) -> None:
    """What is marked so is not run under wine, so it must be unable to differ there."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    imported = {
        alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    asked = {
        argument.arg
        for node in nodes
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    }

    assert not IMPURE & {name.partition(".")[0] for name in imported}
    assert not asked & ((fixtures() | PYTESTS) - BUILT)


def fixtures() -> set[str]:
    """Return the names of the fixtures that several files share."""
    return {
        node.name
        for path in TESTS.rglob("*.py")
        if not path.name.startswith("test_")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and any("pytest.fixture" in ast.unparse(d) for d in node.decorator_list)
    }


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
def test_a_portable_test_has_a_reason_and_others_beside_it(path: Path) -> None:
    """A third of each file at least runs under wine, so it sees the platform."""
    tests = [
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    marks = [
        [mark for d in test.decorator_list if ".portable" in (mark := ast.unparse(d))]
        for test in tests
    ]

    assert all(re.search(r"'.+ .+'", mark) for mark, *_ in filter(None, marks))
    assert sum(not mark for mark in marks) >= len(marks) / 3


def test_there_are_pure_tests() -> None:
    """The rule above is about something."""
    assert len(PURE) > 5


#: An assertion that so many seconds have not passed.
TIMED = re.compile(
    r"assert [^\n]*(?:monotonic|perf_counter|process_time)\(\)[^\n]* <=? [0-9.]+\s"
)


def test_no_test_says_by_a_number_how_fast_a_machine_is() -> None:
    """A busy machine broke such tests: what is bounded ends within ``GENEROUS`` seconds."""
    timed = {
        path.name: found
        for path in TESTS.rglob("test_*.py")
        if (found := TIMED.findall(path.read_text("utf-8")))
    }

    assert not timed
