from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from python_runner.execution.script_sources import (
    encoding_problem,
    kind_problem,
    source_problems,
)


FRENCH = 'nom = 1\nprint("é")\n'


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("a.py", b"print(1)", None),
        ("a", b"#!/usr/bin/env python3\nprint(1)", None),
        ("a.pyw", b"", None),
        ("a.py", b'{"cells": 1}', None),
        ("a.IPYNB", b"{}", "Jupyter notebook"),
        ("a.py", b' {"nbformat": 4, "cells": []}', "Jupyter notebook"),
        ("run.sh", b"echo", "shell script"),
        ("run", b"#!/bin/sh\n", "shell script"),
        ("run", b"#!/usr/bin/env -S bash -e\n", "shell script"),
        ("run.BAT", b"echo", "batch file"),
        ("run.cmd", b"echo", "batch file"),
        ("run.ps1", b"echo", "PowerShell script"),
        ("run", b"\x7fELF\x02", "program"),
        ("run.exe", b"MZ\x90", "program"),
    ],
)
def test_a_file_of_another_kind_is_named(
    name: str, source: bytes, told: str | None
) -> None:
    """By its name, its first line, or its first bytes."""
    problem = kind_problem(name, source)
    if told is None:
        assert problem is None
    else:
        assert f"this is a {told}, which Python cannot run" in str(problem)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (b"", None),
        (FRENCH.encode(), None),
        (FRENCH.encode("utf-8-sig"), None),
        (b"# -*- coding: cp1252 -*-\n" + FRENCH.encode("cp1252"), None),
        (b"#!/usr/bin/python\n# vim: set fileencoding=latin-1 :\n\xe9", None),
        (FRENCH.encode("cp1252"), "line 2 is not UTF-8: save the file as UTF-8"),
        (b"# coding: utf-8\n\n\xe9", "line 3 is not UTF-8"),
        (b"\xe9", "line 1 is not UTF-8"),
        (b"# coding: ascii\n\xc3\xa9", "line 2 is not ASCII"),
        (b"# coding: nope\n", "line 1: unknown encoding: nope"),
        (b"a\nx\0y", "line 2 contains a null byte"),
        (FRENCH.encode("utf-16"), "saved as UTF-16"),
        (FRENCH.encode("utf-16-le"), "saved as UTF-16"),
        (FRENCH.encode("utf-16-be"), "saved as UTF-16"),
    ],
)
def test_a_source_that_python_cannot_decode_is_told(
    source: bytes, told: str | None
) -> None:
    """With its line, and with what to do."""
    problem = encoding_problem(source)
    assert problem is None if told is None else told in str(problem)


@pytest.mark.fault(
    "scripts",
    "A script has a syntax error",
    "`check` tells it beforehand, without running anything.",
)
def test_sources_are_compiled_and_not_run(tmp_path: Path) -> None:
    """By the interpreter that will run them; each is judged whatever the others are."""
    sources = {
        "good.py": "open('ran', 'w')",
        "broken.py": "x = 1\ndef f(:\n",
        "indent.py": "if 1:\nx",
        "warns.py": "print('\\d'); 1 is 1",
        "deep.py": "(" * 5000,
        "zero.py": "x\0y",
        "future.py": "from __future__ import braces",
        "été.py": "def g(:",
        "notes.ipynb": "{}",
    }
    for name, source in sources.items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "app.pyz", "w") as archive:
        archive.writestr("__main__.py", "print(1)")
    files = [tmp_path / name for name in (*sources, "app.pyz", "gone.py")]

    problems = source_problems(Path(sys.executable), files, os.environ)

    told = {problem.file.name: str(problem.reason) for problem in problems}
    assert told.keys() == sources.keys() - {"good.py", "warns.py"} | {"gone.py"}
    version = "{}.{}".format(*sys.version_info)
    assert told["broken.py"] == f"line 2: invalid syntax (Python {version})"
    assert told["indent.py"].startswith("line 2: ")
    assert told["gone.py"].startswith("cannot be read: ")
    assert not Path("ran").exists()


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts are POSIX")
@pytest.mark.parametrize("answer", ["true", "echo nonsense", "exec sleep 60", "exit 9"])
def test_another_program_is_not_known_to_want_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Whoever runs shell scripts with a shell is not told that Python cannot."""
    monkeypatch.setattr("python_runner.execution.script_sources._PATIENCE", 0.5)
    shell = tmp_path / "shell"
    shell.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    shell.chmod(0o755)
    script = tmp_path / "run.sh"
    script.touch()
    assert list(source_problems(shell, [script], os.environ)) == []
    assert list(source_problems(tmp_path / "gone", [script], os.environ)) == []
