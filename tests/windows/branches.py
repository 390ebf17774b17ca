"""Which lines only Windows runs, and which of them no test has run there.

    python -m tests.windows.branches FOLDER

reads what coverage has written to ``FOLDER`` on a Windows, and ends with 1 where a line
that only Windows runs was not run and its function is not in :data:`NOT_RUN`.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import coverage


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCE = Path(__file__).parents[2] / "src" / "python_runner"
#: Functions with lines that no test under wine runs, each with the reason.
NOT_RUN: Mapping[str, str] = {
    "delivery/transports/eventlog.py:_report_event": (
        "its errors are those of a log that refuses, which no test can bring about"
    ),
    "execution/held_windows.py:request_fork": (
        "nothing calls it there: it is the twin of a function that forks"
    ),
    "execution/held_windows.py:adopt": (
        "nothing calls it there: it is the twin of a function that takes a fork over"
    ),
    "runner/signals.py:handle": (
        "its last line follows a wait that ends with the process: Windows ends it"
    ),
}


def only_windows(module: str) -> dict[str, set[int]]:
    """Return the lines of a module that only Windows runs, by their function.

    Lines of the module itself are those of the function ``<module>``.
    """
    found: defaultdict[str, set[int]] = defaultdict(set)
    body = ast.parse(module).body
    inside = False
    for statement in body:
        inside = inside or _is_assertion(statement)
        for function, line in _lines(statement, "<module>", inside=inside):
            found[function].add(line)
    return dict(found)


def _lines(node: ast.stmt, function: str, *, inside: bool) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.FunctionDef):
        for child in node.body:
            yield from _lines(child, node.name, inside=inside)
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if inside and not documents:
        yield function, node.lineno
    for block in ("body", "orelse", "handlers", "finalbody"):
        here = inside or (isinstance(node, ast.If) and _chosen(node.test) == block)
        for child in getattr(node, block, ()):
            if isinstance(child, ast.ExceptHandler):
                for part in child.body:
                    yield from _lines(part, function, inside=here)
            else:
                yield from _lines(child, function, inside=here)


def _chosen(test: ast.expr) -> str | None:
    """Return which part of an ``if`` only Windows runs."""
    parts = test.values if isinstance(test, ast.BoolOp) else [test]
    joined = isinstance(getattr(test, "op", None), ast.And)
    for part in parts:
        text = ast.unparse(part)
        if text == "sys.platform == 'win32'" and (joined or len(parts) == 1):
            return "body"
        if text == "sys.platform != 'win32'" and (not joined or len(parts) == 1):
            return "orelse"
    return None


def _is_assertion(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Assert)
        and ast.unparse(statement.test) == "sys.platform == 'win32'"
    )


def windows_lines() -> dict[str, dict[str, set[int]]]:
    """Return the lines of the project that only Windows runs, by file and function."""
    files = {
        path.relative_to(SOURCE).as_posix(): only_windows(path.read_text("utf-8"))
        for path in sorted(SOURCE.rglob("*.py"))
    }
    return {file: found for file, found in files.items() if found}


def run_lines(folder: Path) -> dict[str, set[int]]:
    """Return the lines that were run, by file, of all that coverage has written."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for path in folder.iterdir():
        data = coverage.CoverageData(basename=str(path))
        data.read()
        for file in data.measured_files():
            name = file.replace("\\", "/").rpartition("/python_runner/")[2]
            found[name] |= set(data.lines(file) or ())
    return dict(found)


def problems(
    lines: Mapping[str, Mapping[str, set[int]]],
    was_run: Mapping[str, set[int]],
    not_run: Mapping[str, str],
) -> list[str]:
    """Return what is wrong, one sentence each.

    Args:
        lines: those that only Windows runs, by file and function.
        was_run: the lines that were run, by file.
        not_run: reasons of functions that are not run, by ``file:function``.
    """
    wrong = []
    for file, functions in lines.items():
        for function, numbers in functions.items():
            name = f"{file}:{function}"
            left = sorted(numbers - was_run.get(file, set()))
            if left and name not in not_run:
                wrong.append(f"{name}: no test runs the lines {left}")
            elif not left and name in not_run:
                wrong.append(f"{name}: is run; take it out of NOT_RUN")
    return wrong


def list_problems(
    lines: Mapping[str, Mapping[str, set[int]]], not_run: Mapping[str, str]
) -> list[str]:
    """Return what is wrong with the list itself, whatever was run."""
    wrong = []
    for name, reason in not_run.items():
        file, _, function = name.partition(":")
        if function not in lines.get(file, {}):
            wrong.append(f"{name}: has no line for Windows alone")
        elif len(reason.split()) < 4:
            wrong.append(f"{name}: has no reason")
    return wrong


def main(folder: Path) -> int:
    """Print what is wrong; 0 where every line was run or its function has a reason."""
    lines = windows_lines()
    wrong = problems(lines, run_lines(folder), NOT_RUN) + list_problems(lines, NOT_RUN)
    for problem in wrong:
        print(problem)  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
