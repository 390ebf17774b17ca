from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from python_runner.execution import interpreter_version as version
from python_runner.execution.interpreter_version import (
    ask_version,
    stamp_of,
    still_holds,
)
from python_runner.model import Interpreter


PYTHON = Path(sys.executable)


def program(path: Path, text: str) -> Path:
    """Return a shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_an_interpreter_tells_its_version(tmp_path: Path) -> None:
    """The answer holds as long as the interpreter and the one behind it stay the same."""
    answer = ask_version(PYTHON, tmp_path, os.environ)

    assert answer.path == sys.executable
    assert answer.version == platform.python_version()
    assert answer.stamp is not None
    assert still_holds(answer)
    assert not still_holds(replace(answer, stamp="of another file"))


def test_a_virtual_environment_stands_on_another_interpreter(tmp_path: Path) -> None:
    """When that one is upgraded, the answer of the environment's is doubtful."""
    venv = tmp_path / "José" / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True
    )
    python = venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    answer = ask_version(python, tmp_path, os.environ)

    assert answer.version == platform.python_version()
    assert answer.base is not None
    assert still_holds(answer)
    assert Path(answer.base).parent != python.parent


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts are POSIX")
def test_a_launcher_is_asked_each_time(tmp_path: Path) -> None:
    """What starts another interpreter may start a third one tomorrow: no stamp."""
    launcher = program(tmp_path / "python", f'exec "{sys.executable}" "$@"')

    answer = ask_version(launcher, tmp_path, os.environ)

    assert answer.version == platform.python_version()
    assert answer.stamp is None


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts are POSIX")
@pytest.mark.parametrize(
    "text",
    [
        "exit 1",
        "echo 3.11.9",
        "echo 1,2",
        "echo 7",
        "true",
        r"printf '\377'",
        "sleep 60",
    ],
)
def test_what_is_no_python_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A refusal, nonsense and silence are no answer, and no error."""
    monkeypatch.setattr(version, "PATIENCE", 0.5)

    odd = program(tmp_path / "python", text)

    assert ask_version(odd, tmp_path, os.environ) == Interpreter(path=str(odd))


def test_an_interpreter_that_is_gone_has_no_version(tmp_path: Path) -> None:
    """Neither has one whose folder is gone."""
    assert ask_version(tmp_path / "python", tmp_path, os.environ).version is None
    assert ask_version(PYTHON, tmp_path / "gone", os.environ).version is None
    assert not still_holds(Interpreter(path=sys.executable))


def test_a_stamp_changes_with_its_files(tmp_path: Path) -> None:
    """Size and time count, for each file; a missing one gives no stamp."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"1")
    second.write_bytes(b"1")
    before = stamp_of(str(first), str(second))

    second.write_bytes(b"22")
    larger = stamp_of(str(first), str(second))
    os.utime(second, (1, 1))

    assert len({before, larger, stamp_of(str(first), str(second))}) == 3
    assert stamp_of(str(first), str(tmp_path / "c")) is None
