"""Files are opened in one module, which neither waits for one nor follows a foreign link."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import python_runner


PACKAGE = Path(python_runner.__file__).parent
#: What opens a file by its name.
OPENERS = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "fdopen"}
#: Who does it all the same, and why nobody else can have put something there.
ALLOWED = {
    "files.py": "is the module",
    "cli/streams.py": "the null device",
    "cli/commands/mail.py": "standard output",
    "cli/commands/mail_login.py": "an address, in the browser",
    "cli/commands/demo.py": "what it has made itself, a moment ago",
    "config/foreign_packages.py": "what installers noted of packages",
    "delivery/heartbeat.py": "an address",
    "execution/capture.py": "the null device",
    "execution/orphans.py": "what the kernel says in /proc",
    "execution/startup/python_runner_fork.py": "what the kernel says in /proc",
    "execution/tree_posix.py": "what the kernel says in /proc",
}


def opened_in(path: Path) -> set[str]:
    """Return which calls of a module open a file."""
    calls = (
        node.func
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    )
    names = {
        call.attr if isinstance(call, ast.Attribute) else ast.unparse(call)
        for call in calls
        # The reader of configurations bears the name of a method, but is a function.
        if isinstance(call, ast.Attribute) or ast.unparse(call) != "read_text"
    }
    return names & OPENERS


@pytest.mark.fault(
    "files",
    "A pipe or a device lies where a file is expected",
    "It is told at once; nothing waits for it.",
)
def test_files_are_opened_in_one_module() -> None:
    """A pipe, a device or a link that somebody put there stops and misleads nobody."""
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if (names := opened_in(path))
    }
    assert found.keys() == ALLOWED.keys(), found


def test_what_is_open_is_read_in_one_module() -> None:
    """It alone waits for a part of a file that another program has locked."""
    reads = {"os.read", "os.write", "os.readv", "os.writev", "io.FileIO", "FileIO"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in reads
    }
    # Standard output before anything is loaded, and the pipes of interpreters started ahead.
    pipes = {"cli/__init__.py", "execution/hold_channel.py"}
    pipes |= {f"execution/startup/python_runner_{name}.py" for name in ("fork", "hold")}
    assert found - pipes == {"files.py"}
