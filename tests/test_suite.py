"""What must hold for the tests themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support import GENEROUS


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


CLOCKS = frozenset({"monotonic", "perf_counter", "process_time", "time"})
#: What waits, by its first argument or its ``timeout``; a shorter wait is one that is
#: meant to pass, or no wait.
WAITS = frozenset({"communicate", "get", "join", "result", "run", "settimeout", "wait"})
WAITS_FOR_SECONDS = frozenset({"join", "result", "settimeout", "wait"})
SHORT = 5.0


def reads_clock(node: ast.AST) -> bool:
    """Say whether a part of an expression asks a clock."""
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr in CLOCKS
        and ast.unparse(part.func.value) == "time"
        for part in ast.walk(node)
    )


def bounds_in_seconds(source: str) -> list[int]:
    """Return the lines that assert that fewer seconds than a number have passed."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        passed = {
            ast.unparse(target)
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp)
            and isinstance(node.value.op, ast.Sub)
            and reads_clock(node.value)
            for target in node.targets
        }
        found += [
            compare.lineno
            for node in ast.walk(function)
            if isinstance(node, ast.Assert)
            for compare in ast.walk(node.test)
            if isinstance(compare, ast.Compare)
            for left, operator, right in zip(
                [compare.left, *compare.comparators],
                compare.ops,
                compare.comparators,
                strict=False,
            )
            if isinstance(operator, (ast.Lt, ast.LtE))
            and isinstance(right, ast.Constant)
            and (
                reads_clock(left)
                or ast.unparse(left) in passed
                or ast.unparse(left).endswith("duration")
            )
        ]
    return sorted({*found})


def short_waits(source: str) -> list[int]:
    """Return the lines that wait for what must come, but for less than is generous."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and (name := ast.unparse(node.func).rpartition(".")[2])
        in {*WAITS, "wait_procs"}
        for value in (
            *(node.args[:1] if name in WAITS_FOR_SECONDS else ()),
            *(keyword.value for keyword in node.keywords if keyword.arg == "timeout"),
        )
        if isinstance(value, ast.Constant)
        and isinstance(value.value, (int, float))
        and SHORT <= value.value < GENEROUS
    ]


def test_no_test_says_by_a_number_how_fast_a_machine_is() -> None:
    """A busy machine broke such tests: what is bounded ends within ``GENEROUS`` seconds."""
    timed = {
        str(path.relative_to(TESTS)): lines
        for path in TESTS.rglob("test_*.py")
        if (lines := bounds_in_seconds(path.read_text("utf-8")))
    }

    assert not timed


def test_what_must_come_is_waited_for_generously() -> None:
    """A wait that succeeds costs nothing, however long it may be."""
    short = {
        str(path.relative_to(TESTS)): lines
        for path in TESTS.rglob("test_*.py")
        if (lines := short_waits(path.read_text("utf-8")))
    }

    assert not short


@pytest.mark.parametrize(
    ("source", "bounded", "short"),
    [
        ("assert time.monotonic() - began < 10", 1, 0),
        ("took = time.monotonic() - began\n    assert took <= 2.5", 1, 0),
        ("assert 0.4 < attempt.duration < 3", 1, 0),
        ("assert 0.9 < time.monotonic() - began < GENEROUS", 0, 0),
        ("assert time.monotonic() - began > 3", 0, 0),
        ("process.wait(30)\n    process.communicate(timeout=20)", 0, 2),
        ("psutil.wait_procs(tree, timeout=10)", 0, 1),
        ("process.wait(60)\n    stop.wait(0.05)\n    process.wait(GENEROUS)", 0, 0),
    ],
)
def test_the_rules_find_what_breaks_them(source: str, bounded: int, short: int) -> None:
    """Else the two rules above would hold of anything."""
    source = f"def test():\n    {source}\n"

    assert (len(bounds_in_seconds(source)), len(short_waits(source))) == (
        bounded,
        short,
    )
