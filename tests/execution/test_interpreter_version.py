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
    ask,
    ask_version,
    executable_behind,
    shown_command,
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
    assert ask(odd, tmp_path, os.environ).problem is not None
    assert executable_behind(odd, tmp_path, os.environ) is None


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts are POSIX")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo Python was not found >&2; exit 3", "exit code 3, Python was not found"),
        ("echo no python; echo; exit 103", "exit code 103, no python"),
        ("exit 2", "exit code 2"),
        ("true", "exit code 0"),
        ("sleep 60 & wait", "did not answer like a Python interpreter within 0.5 s"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_why_it_is_no_python_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    """With its exit code and its own last words, in bounded time."""
    monkeypatch.setattr(version, "PATIENCE", 0.5 if "sleep" in text else 10.0)
    odd = program(tmp_path / "python", text)

    problem = str(ask(odd, tmp_path, os.environ).problem)

    assert problem.startswith(str(odd))
    assert problem.endswith(told) or told in problem


@pytest.mark.parametrize(
    ("exit_code", "path", "store"),
    [
        (9009, "python.exe", True),
        (1, r"C:\Users\me\AppData\Local\Microsoft\WindowsApps\python.exe", True),
        (1, r"C:\Python\python.exe", False),
    ],
)
def test_what_windows_has_in_the_place_of_a_python(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    exit_code: int,
    path: str,
    store: bool,
) -> None:
    """The stub of the Microsoft Store is called by its name."""
    said = version._Said(exit_code, "Python was not found; run without arguments", "")  # noqa: SLF001
    monkeypatch.setattr(version, "_ask", lambda *_: said)
    problem = str(ask(Path(path), tmp_path, {}).problem)
    assert ("Microsoft Store" in problem) == store
    assert path in problem


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    """A program for another machine, or a folder that has gone."""
    other = tmp_path / "python.exe"
    other.write_bytes(b"MZ no program at all")
    other.chmod(0o755)
    assert "cannot be started: " in str(ask(other, tmp_path, os.environ).problem)
    gone = ask(PYTHON, tmp_path / "gone", os.environ)
    assert "cannot be started: " in str(gone.problem)


def test_arguments_of_a_launcher_come_before_those_of_python(tmp_path: Path) -> None:
    """The answer is that of what they choose, and is asked for each time."""
    answer = ask_version(PYTHON, tmp_path, os.environ, ["-X", "utf8"])
    assert answer.version == platform.python_version()
    assert answer.path == shown_command([sys.executable, "-X", "utf8"])
    assert answer.stamp is None
    wrong = ask(PYTHON, tmp_path, os.environ, ["-3.12"])
    assert wrong.interpreter.version is None
    assert wrong.problem is not None


def test_who_is_behind_a_launcher_is_asked_through_its_input(tmp_path: Path) -> None:
    """Nothing but a dash is among the arguments, which a shell could change."""
    assert executable_behind(PYTHON, tmp_path, os.environ) == PYTHON
    assert executable_behind(tmp_path / "gone", tmp_path, os.environ) is None


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
