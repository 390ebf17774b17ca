"""What a command imports: the longest part of a short command's time."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import python_runner


if TYPE_CHECKING:
    from tests.support import MakeProject

#: What only a report, a delivery, a terminal or a look at other processes needs.
REPORTS = {"email.message", "jinja2", "zipfile", "python_runner.report"}
DELIVERY = {"apprise", "markdown", "msal", "requests", "smtplib", "ssl", "http.client"}
SELDOM = REPORTS | DELIVERY | {"asyncio", "psutil", "tomllib", "dotenv"}
#: What only another way to work needs: several scripts at once, secrets in the
#: environment, a folder that is removed, `run -v`, a series that is a graph.
OTHER = {"logging", "concurrent.futures", "html", "shutil", "platformdirs", "graphlib"}
OTHER |= {"difflib", "click.shell_completion", "python_runner.cli.follow"}
OTHER |= {"hashlib", "traceback", "python_runner.config.workspace_file"}
#: On Windows the first asks for the free space of a disk, the other one brings the lines
#: of the sockets with it.
if sys.platform == "win32":
    OTHER -= {"shutil"}
else:
    OTHER |= {"socket"}
#: A run's lock tells when its runner was started: only Linux says so in a file.
RUN = SELDOM - (set() if sys.platform == "linux" else {"psutil"})
#: What a failed script needs.
TRACEBACKS = {"python_runner.tracebacks.cause", "python_runner.tracebacks.source"}
#: What starts scripts, and what a run does with them.
STARTS = {"subprocess", "python_runner.execution", "python_runner.runner", "hashlib"}
#: What the dashboard alone needs, and a run whose success may be unusual.
OVERVIEW = {"python_runner.model.overview", "python_runner.unusual"}
#: What a configuration, a lock and a log need: what shows successes reads none.
READS = {"msgspec", "python_runner.config.project", "python_runner.records.locks"}
READS |= {"python_runner.records.log_reader", "python_runner.records.outputs"}
#: What ``--version`` can do without.
QUICK = {"click", "typing", "re", "dataclasses", "gettext", "python_runner.texts"}
#: What reads a configuration, keeps records or runs a script.
WORK = {"msgspec", "sqlite3", "subprocess", "logging", "python_runner.config"} | {
    f"python_runner.{name}"
    for name in ("records", "execution", "delivery", "runner", "model", "masking")
}


def imported(*arguments: str, folder: Path) -> tuple[set[str], int]:
    """Return what an interpreter imports beyond what any does, and how much of it."""
    bare = _modules(["-c", "pass"], folder)
    loaded = _modules(arguments, folder) - bare
    return loaded, len(loaded)


def _modules(arguments: list[str] | tuple[str, ...], folder: Path) -> set[str]:
    # Measuring children would load more.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    lines = [x for x in done.stderr.splitlines() if x.startswith("import time:")]
    # The scripts of a run write into files of their own.
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("arguments", "needless", "most"),
    [
        pytest.param(
            ("-c", "import python_runner"),
            WORK | SELDOM | {"click", "typing", "dataclasses", "python_runner.texts"},
            10,
            id="library",
        ),
        pytest.param(
            ("-m", "python_runner", "--version"),
            WORK | SELDOM | QUICK,
            30,
            id="version",
        ),
        pytest.param(("-m", "python_runner", "--help"), WORK | SELDOM, 120, id="help"),
        pytest.param(
            ("-m", "python_runner", "history"),
            SELDOM | TRACEBACKS | OTHER | STARTS | OVERVIEW | READS,
            180,
            id="history",
        ),
        pytest.param(
            ("-m", "python_runner", "run", "project_1"),
            RUN | TRACEBACKS | OTHER | OVERVIEW,
            292 if sys.platform == "win32" else 282,
            id="run",
        ),
    ],
)
def test_a_command_imports_what_it_needs(
    arguments: tuple[str, ...],
    needless: set[str],
    most: int,
    make_project: MakeProject,
    tmp_path: Path,
) -> None:
    """What a command has no use for is not imported, and modules do not gather there."""
    make_project()

    loaded, count = imported(*arguments, folder=tmp_path)

    assert needless & loaded == set()
    assert count <= most, sorted(loaded)


@pytest.mark.parametrize(
    "use",
    [
        "python_runner.helpers.load_config",
        "python_runner.exceptions.InvalidConfiguration",
        "python_runner.load_config, python_runner.Runner",
        "python_runner.BadRecipientList, python_runner.RunResult",
        "dir(python_runner).index('Runner')",
    ],
)
def test_what_is_imported_later_is_there_at_once(use: str) -> None:
    """``import python_runner`` suffices for its names and its public modules."""
    code = (
        f"import python_runner; {use}; from python_runner import *; Runner, load_config"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _sources() -> list[Path]:
    root = Path(python_runner.__file__).parent
    # What scripts' own interpreters import, of any version.
    return [file for file in root.rglob("*.py") if "startup" not in file.parts]


@pytest.mark.source
@pytest.mark.parametrize("file", _sources(), ids=lambda file: "-".join(file.parts[-3:]))
def test_no_regular_expression_is_compiled_while_a_module_loads(file: Path) -> None:
    """A module's constants are made by ``lazy_pattern``."""
    module = ast.parse(file.read_bytes())
    waiting: list[ast.AST] = [*module.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        assert not (
            isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile"
        ), f"line {node.lineno}"
        waiting += ast.iter_child_nodes(node)
