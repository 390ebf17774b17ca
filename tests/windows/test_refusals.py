"""What Windows refuses: a job, a process, a question about them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.cli.streams import _enable_sequences
from python_runner.config.permissions import changeable, readable_secrets
from python_runner.execution.process import run_command
from python_runner.model import Command, Outcome
from python_runner.runner import signals
from python_runner.texts.sentence import system_language


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.windows,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
]

#: What the system is asked by this name, and what it answers: that it was refused.
STARTS = {
    "CreateJobObjectW": 0,
    "SetInformationJobObject": 0,
    "OpenProcess": 0,
    "AssignProcessToJobObject": 0,
    "NtResumeProcess": 0xC0000022,
}


class Refusing:
    """A library of the system, one of whose functions refuses."""

    def __init__(self, library: Any, name: str, answer: int, error: int = 5) -> None:
        self._library = library
        self._name = name
        self._answer = answer
        self._error = error

    def __getattr__(self, name: str) -> Any:
        """Return a function of the library."""
        return self._refuse if name == self._name else getattr(self._library, name)

    def _refuse(self, *_arguments: object) -> int:
        if sys.platform == "win32":
            ctypes.set_last_error(self._error)
        return self._answer


def command(folder: Path, script: str) -> Command:
    """Return what runs a script."""
    return Command(
        argv=(sys.executable, "-c", script),
        cwd=str(folder),
        env=dict(os.environ),
        output=str(folder / "output.log"),
        output_limit=100_000,
        timeout=60.0,
        grace=1.0,
        project=str(folder),
        run_id="39be3d37aed64",
    )


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return what lets a function of the system refuse."""
    if sys.platform != "win32":
        pytest.skip("Windows only")

    from python_runner.execution import tree_windows  # noqa: PLC0415 - Windows only

    def refuse(name: str, answer: int) -> None:
        for library in ("_kernel32", "_ntdll"):
            real = getattr(tree_windows, library)
            monkeypatch.setattr(tree_windows, library, Refusing(real, name, answer))

    return refuse


@pytest.mark.parametrize("name", STARTS)
def test_a_refused_start_is_told_and_leaves_nothing(
    tmp_path: Path, refuse: Callable[[str, int], None], name: str
) -> None:
    """The script has not begun, and its suspended process is gone."""
    refuse(name, STARTS[name])
    attempt = run_command(command(tmp_path, "open('began', 'w')"))
    assert attempt.outcome is Outcome.NOT_STARTED
    assert attempt.reason is not None
    # Nobody has it open or as its current folder.
    (tmp_path / "output.log").unlink()
    assert not (tmp_path / "began").exists()


def test_what_cannot_be_asked_is_unknown(
    tmp_path: Path, refuse: Callable[[str, int], None]
) -> None:
    """The script ends as it ends; what it took of the machine stays unknown."""
    refuse("QueryInformationJobObject", 0)
    attempt = run_command(command(tmp_path, "print('done')"))
    assert attempt.outcome is Outcome.SUCCESS
    assert (attempt.peak_memory, attempt.cpu_seconds) == (None, None)


@pytest.mark.parametrize(("event", "closes"), [(0, False), (1, False), (2, True)])
def test_a_console_that_closes_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, *, event: int, closes: bool
) -> None:
    """Only what ends the process: Ctrl-C and CTRL_BREAK have handlers of their own."""
    if sys.platform != "win32":
        pytest.skip("Windows only")
    handlers: list[tuple[Any, bool]] = []

    class Kernel:
        """Notes the handler that Windows would call."""

        @staticmethod
        def SetConsoleCtrlHandler(handler: Any, add: bool) -> None:  # noqa: N802
            """Note it."""
            handlers.append((handler, add))

    monkeypatch.setattr(signals, "_kernel32", Kernel)
    acted = threading.Event()
    undo = signals._on_closing(acted.set)  # noqa: SLF001 - what Windows calls
    ((handler, added),) = handlers
    assert added

    answers: list[bool] = []
    call = threading.Thread(
        target=lambda: answers.append(bool(handler(event))), daemon=True
    )
    call.start()
    if closes:
        # Its thread waits for the end of the process, which Windows would end.
        assert acted.wait(60)
        assert answers == []
    else:
        call.join(60)
        assert answers == [False]
        assert not acted.is_set()
    undo()
    assert handlers[1:] == [(handler, False)]


@pytest.mark.parametrize(
    ("number", "language"), [(0x40C, "fr"), (0xC0C, "fr"), (9, "en")]
)
def test_the_display_language_decides(
    monkeypatch: pytest.MonkeyPatch, number: int, language: str
) -> None:
    """French of France and of Canada; Windows sets no variable for it."""
    if sys.platform != "win32":
        pytest.skip("Windows only")
    assert system_language({}) in {"fr", "en"}
    real = ctypes.windll.kernel32
    name = "GetUserDefaultUILanguage"
    monkeypatch.setattr(ctypes.windll, "kernel32", Refusing(real, name, number))
    assert system_language({}) == language
    assert system_language({"LANG": "en_US.UTF-8"}) == "en"


def test_a_file_obeys_no_sequences(tmp_path: Path) -> None:
    """Nor does a pipe: only a console does."""
    with (tmp_path / "file").open("wb") as file:
        assert not _enable_sequences(file.fileno())


def test_a_console_obeys_sequences(tmp_path: Path, python: list[str]) -> None:
    """Also where it did not before."""
    if sys.platform != "win32":
        pytest.skip("Windows only")
    (tmp_path / "console.py").write_text(
        "import os\nfrom python_runner.cli.streams import _enable_sequences\n"
        "print(_enable_sequences(os.open('CONOUT$', os.O_RDWR)))",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*python, "console.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        creationflags=subprocess.CREATE_NO_WINDOW,
    )
    assert done.stdout == "True\n"


def test_a_process_that_has_ended_has_no_name() -> None:
    """Windows opens none that is not there."""
    if sys.platform != "win32":
        pytest.skip("Windows only")
    from python_runner.execution import tree_windows  # noqa: PLC0415 - Windows only

    assert tree_windows._name(0) is None  # noqa: SLF001 - asked in a race otherwise


def test_modes_say_nothing_of_permissions(tmp_path: Path) -> None:
    """Whoever may change or read a file there, its mode is the same."""
    (tmp_path / ".env").write_text("PASSWORD_MAIL=x", encoding="utf-8")
    assert list(changeable([tmp_path / ".env"])) == []
    assert list(readable_secrets(tmp_path / ".env")) == []
