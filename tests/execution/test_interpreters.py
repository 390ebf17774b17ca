from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from python_runner.exceptions import BadPythonInterpreter
from python_runner.execution.interpreters import (
    find_command,
    find_interpreter,
    find_script,
    which_on_windows,
    why_missing,
)


WINDOWS = sys.platform == "win32"
#: Where a virtual environment of this platform has its interpreter, and of the other.
OWN = ".venv/Scripts/python.exe" if WINDOWS else ".venv/bin/python"
OTHER = ".venv/bin/python" if WINDOWS else ".venv/Scripts/python"

posix_only = pytest.mark.skipif(WINDOWS, reason="POSIX only")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty project, with the current directory elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def make_python(path: Path, mode: int = 0o755) -> Path:
    """Make a file that looks like an interpreter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(mode)
    return path


def make_venv(project: Path, name: str = ".venv") -> Path:
    """Make what looks like a virtual environment; return its interpreter."""
    (project / name).mkdir()
    (project / name / "pyvenv.cfg").touch()
    return make_python(project / OWN.replace(".venv", name))


def find(command: str | None, project: Path, path: str = "") -> Path:
    """Look an interpreter up with nothing but ``path`` on PATH."""
    return find_interpreter(command, project, environ={"PATH": path})


def refusal(command: str | None, project: Path, path: str = "") -> str:
    """Return what is said when there is no interpreter."""
    with pytest.raises(BadPythonInterpreter) as caught:
        find(command, project, path)
    return str(caught.value)


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_default_is_the_own_environment(project: Path, name: str) -> None:
    """Without a command, the project's virtual environment is used."""
    python = make_venv(project, name)
    assert find(None, project) == python


def test_default_without_an_environment(project: Path) -> None:
    """Without a command and an environment, the running interpreter is used."""
    (project / ".venv").mkdir()
    assert find(None, project) == Path(sys.executable)


def test_default_of_the_other_platform(project: Path) -> None:
    """An environment that was made on another system is not silently passed over."""
    make_venv(project)
    (project / OWN).unlink()
    assert "does not exist" in refusal(None, project)


def test_path_in_the_project_first(project: Path) -> None:
    """A path is looked up in the project, then in the current directory."""
    here = make_python(Path.cwd() / "tools/python")
    assert find("tools/python", project) == here
    there = make_python(project / "tools/python")
    assert find("tools/python", project) == there


def test_absolute_path(project: Path) -> None:
    """An absolute path is taken as it is."""
    python = make_python(project.parent / "opt/python")
    assert find(str(python), project) == python


def test_windows_suffix(project: Path) -> None:
    """A path is found with and without .exe, and with Windows' separators."""
    python = make_python(project / ".venv/Scripts/python.exe")
    assert find(".venv/Scripts/python", project) == python
    assert find(".venv\\Scripts\\python.exe", project) == python
    bare = make_python(project / "bin/python")
    assert find("bin/python.exe", project) == bare


@posix_only
@pytest.mark.posix
def test_links_are_kept(project: Path) -> None:
    """The link that makes an interpreter part of its environment is not resolved."""
    real = make_python(project.parent / "usr/python")
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to(real)
    assert find(".venv/bin/python", project) == project / ".venv/bin/python"


@posix_only
@pytest.mark.posix
@pytest.mark.parametrize("command", [None, ".venv/bin/python"])
def test_broken_environment(project: Path, command: str | None) -> None:
    """A virtual environment whose interpreter has gone is called broken."""
    make_venv(project).unlink()
    (project / OWN).symlink_to("/nowhere/python3.9")
    message = refusal(command, project)
    assert "/nowhere/python3.9, which is gone" in message
    assert "broken" in message


def test_other_layout_is_named(project: Path) -> None:
    """Who asks for the other platform's path is told of the one that is there."""
    make_venv(project)
    message = refusal(OTHER, project)
    assert message == f"{OTHER} does not exist; {OWN} exists"


def test_other_environment_is_named(project: Path) -> None:
    """Who asks for a missing environment is told of the project's own."""
    make_venv(project, "venv")
    assert refusal("env/bin/python", project).endswith(
        f"; {OWN.replace('.venv', 'venv')} exists"
    )


def test_nothing_is_there(project: Path) -> None:
    """Where there is no interpreter at all, none is named."""
    assert refusal("env/bin/python", project) == "env/bin/python does not exist"


def test_folder(project: Path) -> None:
    """A folder is no interpreter."""
    (project / "env/bin").mkdir(parents=True)
    assert "is a folder, not an interpreter" in refusal("env/bin", project)


@posix_only
@pytest.mark.posix
def test_not_executable(project: Path) -> None:
    """A file without permission to run it is told from a missing one."""
    make_python(project / "env/python", 0o644)
    assert "is not executable" in refusal("env/python", project)


def test_bare_name(project: Path) -> None:
    """A bare name is looked up on PATH."""
    folder = Path(sys.executable).parent
    name = Path(sys.executable).stem
    found = find(name, project, str(folder))
    assert found.parent == folder
    assert found.stem == name


@posix_only
@pytest.mark.posix
def test_bare_name_missing(project: Path) -> None:
    """Where python is missing, python3 is named if it is there."""
    make_python(project.parent / "usr/python3")
    message = refusal("python", project, str(project.parent / "usr"))
    assert message == "there is no python on PATH; python3 exists"


def test_bare_name_without_path(project: Path) -> None:
    """Without PATH nothing is found, not even on the runner's own."""
    name = "cmd" if WINDOWS else "sh"
    assert shutil.which(name)
    with pytest.raises(BadPythonInterpreter, match=f"no {name} on PATH"):
        find_interpreter(name, project, environ={})


def test_script_in_the_project_first(project: Path) -> None:
    """A script is looked up in the project, then in the current directory."""
    assert find_script("main.py", project) is None
    here = Path.cwd() / "main.py"
    here.touch()
    assert find_script("main.py", project) == here
    there = project / "main.py"
    there.touch()
    assert find_script("main.py", project) == there
    assert find_script(str(here), project) == here


def test_script_of_the_original_example(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``os.path.join(project, script)`` with a relative project finds the script."""
    monkeypatch.chdir(project.parent)
    (project / "main.py").touch()
    path = os.path.join("project", "main.py")  # noqa: PTH118 - as the example has it
    assert find_script(path, Path("project")) == project / "main.py"


def test_script_with_windows_separators(project: Path) -> None:
    """A path written on Windows is found everywhere; a folder is no script."""
    (project / "jobs").mkdir()
    (project / "jobs/load.py").touch()
    assert find_script("jobs\\load.py", project) == project / "jobs/load.py"
    assert find_script("jobs", project) is None


@pytest.mark.parametrize("there", ["python3", "py"])
def test_any_python_on_path_is_named(project: Path, there: str) -> None:
    """Who asks for one that is missing is told of the one that there is."""
    folder = project.parent / "usr"
    make_python(folder / (f"{there}.exe" if sys.platform == "win32" else there))
    expected = f"there is no python on PATH; {there} exists"
    assert refusal("python", project, str(folder)) == expected


def test_the_environment_that_was_meant_is_named_first(project: Path) -> None:
    """A path that leads into an environment means it, beside the usual ones."""
    make_venv(project, ".venv")
    meant = make_venv(project, "env")
    expected = meant.relative_to(project).as_posix()
    missing = OTHER.replace(".venv", "env")
    assert refusal(missing, project) == f"{missing} does not exist; {expected} exists"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("py -3", '["py", "-3"]'),
        ("uv run python", '["uv", "run", "python"]'),
        ("conda run -n 'my env' python", '["conda", "run", "-n", "my env", "python"]'),
        (".venv/bin/python -u", '[".venv/bin/python", "-u"]'),
        ("tool .venv/bin/python", '["tool", ".venv/bin/python"]'),
        ("py 'half", '["py", "\'half"]'),
    ],
)
def test_a_command_line_is_no_program(project: Path, command: str, words: str) -> None:
    """It is said what is expected, as a list, and which interpreter there is."""
    make_venv(project)
    make_python(project / ".venv/bin/python")
    tools = make_python(project / "tools" / ("tool.exe" if WINDOWS else "tool")).parent
    told = refusal(command, project, str(tools))
    assert told.startswith(f"{command} is a command line; expected one program")
    assert f", or the list {words}; " in told
    assert told.endswith(f"; {OWN} exists")


@pytest.mark.parametrize("arguments", [(), ("-3.12",), ("run", "-n", "my env", "")])
@pytest.mark.parametrize("program", ["tools/py", "py"])
def test_a_list_is_a_program_and_its_arguments(
    project: Path, program: str, arguments: tuple[str, ...]
) -> None:
    """The program is found like one alone: in the project first, a bare name on PATH."""
    there = make_python(project / "tools" / ("py.exe" if WINDOWS else "py"))
    environ = {"PATH": str(there.parent)}
    for command in ([program, *arguments], (program, *arguments)):
        found = find_command(command, project, environ=environ)
        assert found == (str(there), *arguments)
    assert find_command(program, project, environ=environ) == (str(there),)
    with pytest.raises(BadPythonInterpreter, match="gone"):
        find_command(["gone", *arguments], project, environ=environ)


def test_without_a_command_the_own_interpreter_runs_alone(project: Path) -> None:
    """Null is null, not a list."""
    assert find_command(None, project, environ={}) == (sys.executable,)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("python", "first/python.exe"),
        ("PYTHON.EXE", None),
        ("python.exe", "first/python.exe"),
        ("python3.12", "second/python3.12.exe"),
        ("shim", "first/shim.bat"),
        ("both", "first/both.exe"),
        ("both.cmd", "first/both.cmd"),
        ("only_here", None),
        ("folder", "second/folder.exe"),
        ("gone", None),
        ("", None),
    ],
)
def test_a_bare_name_of_windows(project: Path, name: str, found: str | None) -> None:
    """By its suffixes in their order, on PATH alone, never in the current folder."""
    for file in (
        "first/python.exe",
        "second/python.exe",
        "second/python3.12.exe",
        "first/shim.bat",
        "first/both.exe",
        "first/both.bat",
        "first/both.cmd",
        "second/folder.exe",
    ):
        make_python(project / file)
    (project / "first" / "folder.exe").mkdir()
    for file in ("python.bat", "only_here.exe", "relative/only_here.exe"):
        make_python(Path.cwd() / file)
    folders = ["", ".", "relative", f'"{project / "first"}"', str(project / "second")]
    path = os.pathsep.join(folders)
    if found is None and WINDOWS and name.islower() is False and name:
        found = "first/PYTHON.EXE"
    expected = None if found is None else project / found
    assert which_on_windows(name, path) == expected


@pytest.mark.parametrize("command", ["C:/Program Files/python", "my tools/python"])
def test_a_path_may_have_blanks(project: Path, command: str) -> None:
    """A missing one is no command line, and one that is there is found."""
    assert "command line" not in refusal(command, project)
    python = make_python(project / "my tools" / "python")
    assert find("my tools/python", project) == python


def test_the_environment_itself_is_answered_with_its_interpreter(project: Path) -> None:
    """Who names the folder is told what lies in it."""
    make_venv(project, "custom")
    told = refusal("custom", project, path="")
    assert "custom" in told
    told = refusal(str(project / "custom"), project)
    assert told.endswith(
        f"; {(project / OWN.replace('.venv', 'custom')).as_posix()} exists"
    )


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("a.py --full 'x y'", '{"path": "a.py", "args": ["--full", "x y"]}'),
        ("a.py it's", '{"path": "a.py", "args": ["it\'s"]}'),
        ("with blank/b c.py -q", '{"path": "with blank/b c.py", "args": ["-q"]}'),
        ("python a.py", '"a.py"'),
        ("python3 -u a.py  été", '{"path": "a.py", "args": ["été"]}'),
        ("-m pkg.main", 'runpy.run_module("pkg.main", run_name="__main__")'),
        ("python -m pkg", 'runpy.run_module("pkg", run_name="__main__")'),
        ("gone.py", None),
        ("gone.py --full", None),
        ("-m", None),
        ("sub\test.py", r'write a backslash twice: "sub\\test.py"'),
        ("C:\new\report.py", r'write a backslash twice: "C:\\new\\report.py"'),
        (" ".join("x" * 60), None),
    ],
)
def test_what_was_meant_by_a_script_that_is_not_there(
    project: Path, path: str, entry: str | None
) -> None:
    """Arguments, an interpreter and -m do not belong into a path."""
    (project / "a.py").touch()
    (project / "with blank").mkdir()
    (project / "with blank" / "b c.py").touch()
    told = str(why_missing(path, project))
    assert told.startswith(f"script not found: {path}")
    assert told.endswith(entry or path)


@posix_only
@pytest.mark.posix
@pytest.mark.parametrize(
    "path",
    ["loop/x.py", "loop", "n" * 300 + ".py", "nul\0.py", "half\ud800.py"],
    ids=ascii,
)
def test_what_nobody_can_look_at_is_missing_and_told(path: str, project: Path) -> None:
    """Neither a script nor an interpreter is an exception, and the reason is there."""
    (project / "loop").symlink_to("loop")
    assert find_script(path, project) is None
    assert "cannot be looked at: " in str(why_missing(path, project))
    assert "cannot be looked at: " in refusal(f"./{path}", project)


@posix_only
@pytest.mark.posix
def test_a_current_folder_that_has_gone_hides_nothing(
    project: Path, tmp_path: Path
) -> None:
    """What lies in the project is found; what does not is missing."""
    (project / "main.py").touch()
    python = make_python(project / "python")
    (tmp_path / "elsewhere").rmdir()
    assert find_script("main.py", project) == project / "main.py"
    assert find_script("other.py", project) is None
    assert str(why_missing("other.py", project)) == "script not found: other.py"
    assert find("./python", project) == python
    assert "does not exist" in refusal("./other", project)


def test_scripts_get_the_interpreter_with_a_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``pythonw.exe`` what a script starts would open windows."""
    windowless = tmp_path / "pythonw.exe"
    monkeypatch.setattr(sys, "executable", str(windowless))
    assert find_interpreter(None, tmp_path, environ={}) == windowless

    (tmp_path / "python.exe").touch()
    assert find_interpreter(None, tmp_path, environ={}) == tmp_path / "python.exe"
