"""The command as it is installed, on projects with a virtual environment of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support import Cli, MakeProject

pytestmark = [
    pytest.mark.windows,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
]

COMMAND = Path(sys.executable).with_name("python-runner.exe")
#: Seconds after which something that should have happened never will.
PATIENCE = 40.0
STUCK = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
pathlib.Path("pids.new").write_text(f"{os.getpid()} {os.getppid()} {child.pid}")
pathlib.Path("pids.new").replace("pids")
time.sleep(300)
"""


@pytest.fixture
def project(make_project: MakeProject, venv_python: Path) -> Callable[..., Path]:
    """Return a function that makes a project as the original's documentation has it."""

    def make(source: str, **config: Any) -> Path:
        folder = make_project(
            sources={"main.py": source},
            python_command=".venv/Scripts/python.exe",
            **config,
        )
        shutil.copytree(venv_python.parents[1], folder / ".venv")
        return folder

    return make


def tree_of(folder: Path) -> list[psutil.Process]:
    """Return the script, the redirector above it and its child, once they are there."""
    deadline = time.monotonic() + PATIENCE
    while not (folder / "pids").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pids = (folder / "pids").read_text(encoding="utf-8").split()
    return [psutil.Process(int(pid)) for pid in pids]


def test_a_script_runs_in_the_environment_of_its_project(
    project: Callable[..., Path],
) -> None:
    """``.venv/Scripts/python.exe`` is the project's, and prints what it likes."""
    folder = project("import sys; print(sys.prefix, 'é ✅')")

    done = subprocess.run(
        [COMMAND, "run", "--json", folder],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0
    (script,) = json.loads(done.stdout)["runs"][0]["scripts"]
    prefix, mark = Path(script["output"]).read_text(encoding="utf-8").rsplit(" é ", 1)
    assert Path(prefix).samefile(folder / ".venv")
    assert mark.strip() == "✅"


def test_a_time_out_ends_everybody_behind_the_redirector(
    project: Callable[..., Path],
) -> None:
    """Redirector, script and child: none outlives the limit."""
    folder = project(STUCK, timeout="5s")

    with subprocess.Popen([COMMAND, "run", "-q", folder]) as command:
        tree = tree_of(folder)
        assert command.wait(PATIENCE) == 1

    assert psutil.wait_procs(tree, timeout=1)[1] == []


def test_a_killed_command_takes_everybody_along(project: Callable[..., Path]) -> None:
    """As with the Task Scheduler's "End", which ends the topmost process alone."""
    folder = project(STUCK)

    with subprocess.Popen([COMMAND, "run", "-q", folder]) as command:
        tree = tree_of(folder)
        command.kill()

    assert psutil.wait_procs(tree, timeout=PATIENCE)[1] == []


#: Windows starts it without console and streams, as the Task Scheduler does.
WINDOWLESS = Path(sys.executable).with_name("python-runnerw.exe")
PYTHONW = Path(sys.executable).with_name("pythonw.exe")


def windowless(*command: str | Path, cwd: Path) -> int:
    """Run a program that has neither a console nor a stream; return its exit code."""
    flags = getattr(subprocess, "DETACHED_PROCESS", 0)
    with subprocess.Popen(command, cwd=cwd, creationflags=flags) as process:
        return process.wait(PATIENCE)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "p"], 0),
        (["run", "-q", "p"], 0),
        (["run", "-v", "bad"], 1),
        (["run", "--json", "p"], 5),
        (["run", "--json", "bad"], 1),
        (["run", "nowhere"], 2),
        (["history"], 0),
        (["check", "p"], 0),
        (["mail", "flush", "--due"], 0),
        (["no-such-command"], 2),
        (["--help"], 0),
    ],
)
def test_without_streams_everything_runs(
    make_project: MakeProject, arguments: list[str], code: int
) -> None:
    """``pythonw.exe`` shows nothing, and does and answers what ``python.exe`` does."""
    folder = make_project("p", sources={"a.py": "print('a')", "b.py": ""})
    make_project("bad", sources={"c.py": "1/0"})

    assert (
        windowless(PYTHONW, "-m", "python_runner", *arguments, cwd=folder.parent)
        == code
    )
    if arguments[0] == "run" and arguments[-1] == "p":
        log = (folder / "logs" / "p.log").read_text("utf-8")
        assert log.count(" - success") == 2


def test_the_windowless_command_gives_scripts_a_hidden_console(
    make_project: MakeProject,
) -> None:
    """It is installed, has no streams itself, and runs scripts by ``python.exe``."""
    source = (
        "import sys, ctypes; print(sys.executable, sys.stdout is not None);"
        "print(ctypes.windll.kernel32.GetConsoleCP() != 0)"
    )
    folder = make_project("p", sources={"a.py": source}, python_command=None)
    probe = "import sys, pathlib; pathlib.Path('seen').write_text(repr(sys.stdout))"

    assert windowless(PYTHONW, "-c", probe, cwd=folder) == 0
    assert (folder / "seen").read_text("utf-8") == "None"
    assert windowless(WINDOWLESS, "run", folder, cwd=folder) == 0
    (output,) = folder.glob("logs/runs/*/*.log")
    first, console = output.read_text("utf-8").splitlines()
    assert first.lower().endswith("python.exe true")
    assert console == "True"


def shim(folder: Path, text: str) -> Path:
    """Make a ``python.bat`` of the kind that version managers put on ``PATH``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "python.bat").write_text(f"@echo off\r\n{text}\r\n", encoding="ascii")
    return folder / "python.bat"


def test_a_shim_is_asked_for_its_interpreter(
    make_project: MakeProject, tmp_path: Path
) -> None:
    """No argument of a script passes through cmd.exe, which would run what is in it."""
    batch = shim(tmp_path / "pyenv win" / "shims", f'"{sys.executable}" %*')
    args = ["x y", "50%", "a&b", "%USERNAME%", 'q"q', "^", "", "é"]
    source = f"import sys; assert sys.argv[1:] == {args!a}, sys.argv"
    folder = make_project(
        sources={"x&y.py": source},
        scripts=[{"path": "x&y.py", "args": args}],
        python_command=str(batch),
    )

    done = subprocess.run(
        [COMMAND, "run", "--json", folder], capture_output=True, check=False
    )
    (run,) = json.loads(done.stdout)["runs"]

    assert run["status"] == "success", run
    assert Path(run["interpreter"]) == Path(sys.executable)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo Python was not found& exit /b 9009", "is a batch file"),
        ("exit /b 0", "is a batch file"),
        (f'echo starting& "{sys.executable}" %*', None),
    ],
)
def test_check_tells_what_a_batch_file_is(
    make_project: MakeProject, tmp_path: Path, text: str, told: str | None
) -> None:
    """One that starts no Python is refused; one that says something before is not."""
    folder = make_project(python_command=str(shim(tmp_path / "shims", text)))

    done = subprocess.run(
        [COMMAND, "check", folder], capture_output=True, check=False, text=True
    )

    assert done.returncode == (2 if told else 0), done.stdout
    assert (told or "") in done.stdout


@pytest.mark.parametrize(
    ("typed", "runs"),
    [("Projet[1]", "Projet[1]"), ("$HOME", "$HOME"), ("%OS%", "%OS%"), ("p?", None)],
)
def test_arguments_stand_as_they_are_typed(
    make_project: MakeProject, cli: Cli, typed: str, runs: str | None
) -> None:
    """A folder may be called like a pattern or a variable; another one is not run."""
    for name in ("Projet[1]", "Projet1", "$HOME", "%OS%", "p1"):
        folder = make_project(name)

    done = cli("run", typed)

    assert done.returncode == (0 if runs else 2)
    ran = {log.parents[1].name for log in folder.parent.glob("*/logs/*.log")}
    assert ran == ({runs} if runs else set())
    # The log that is missing is told, not a file of the current folder.
    assert "extra argument" not in cli("logs", "p1", "--grep", "*").stderr


def test_the_language_is_no_variable_of_scripts(
    make_project: MakeProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runner's own words need it; what scripts inherit is the user's environment."""
    monkeypatch.delenv("LANGUAGE")
    folder = make_project(
        sources={"a.py": "import os; print(os.environ.get('LANGUAGE'))"}
    )

    assert cli("run", folder).returncode == 0
    (output,) = folder.glob("logs/runs/*/*.log")
    assert output.read_text("utf-8").strip() == "None"
    assert cli("run", folder, LANGUAGE="fr").returncode == 0
    told = {
        output.read_text("utf-8").strip() for output in folder.glob("logs/runs/*/*")
    }
    assert told == {"None", "fr"}


def test_a_process_behind_the_redirector_is_told_once(
    project: Callable[..., Path],
) -> None:
    """Two processes for Windows, one program for people."""
    folder = project(
        "import subprocess, sys;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    )

    done = subprocess.run(
        [COMMAND, "run", "--json", folder],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )

    (script,) = json.loads(done.stdout)["runs"][0]["scripts"]
    (warning,) = script["warnings"]
    assert "python.exe -c import time; time.sleep(60)" in warning


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("sys.exit(-1)", "exit code -1"),
        ("os._exit(-77)", "exit code -77"),
        ("sys.exit(0x800401F3 - 2**32)", "exit code -2147221005 (0x800401F3)"),
        ("os._exit(2**31 - 1)", "exit code 2147483647"),
        (
            "windll.ntdll.RtlExitUserProcess(0xC0000005)",
            "(0xC0000005, STATUS_ACCESS_VIOLATION)",
        ),
        ("windll.kernel32.ExitProcess(0xC000013A)", "(STATUS_CONTROL_C_EXIT)"),
    ],
)
def test_how_a_script_ended_is_told_as_it_knows_it(
    make_project: MakeProject, cli: Cli, ending: str, reason: str
) -> None:
    """Windows gives 32 bits without a sign; people wrote a number with one."""
    source = f"import os, sys; from ctypes import windll; {ending}"
    folder = make_project(sources={"a.py": source})

    done = cli("run", folder)

    assert done.returncode == 1
    assert reason in done.stderr
