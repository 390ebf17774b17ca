"""Finds the interpreter and the scripts of a project."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.exceptions import BadPythonInterpreter
from python_runner.files import is_file, is_folder
from python_runner.texts.sentence import N_, translate


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_VENV_FOLDERS = (".venv", "venv")
_WINDOWS_PYTHONS = ("Scripts/python.exe",)
_POSIX_PYTHONS = ("bin/python", "bin/python3")
_VENV_PYTHONS = _WINDOWS_PYTHONS if sys.platform == "win32" else _POSIX_PYTHONS


def find_interpreter(
    command: str | None, project: Path, *, environ: Mapping[str, str]
) -> Path:
    """Return the interpreter that runs a project's scripts.

    Symbolic links are kept: a virtual environment's interpreter is one, and only under
    its own name does it belong to the environment.

    Args:
        command: the interpreter as configured; a bare name is looked up on ``PATH``, a
            path in the project, then in the current directory; with and without
            ``.exe``. None: the project's own virtual environment where it has one, else
            the running interpreter.
        project: the project's folder.
        environ: where ``PATH`` is taken from.

    Raises:
        BadPythonInterpreter: there is none; the message names the one that is there.
    """
    if command is None:
        return _own_interpreter(project)
    if _is_bare(command):
        return _on_path(command, project, environ)
    problem = None
    for candidate in _candidates(command, project):
        problem = _problem(candidate)
        if problem is None:
            return candidate
        if os.path.lexists(candidate):
            break
    else:
        problem = translate(N_("{file} does not exist")).format(file=command)
    raise BadPythonInterpreter(problem + _hint(command, project, environ))


def find_script(path: str, project: Path) -> Path | None:
    """Return the script ``path`` of a project as an absolute path, None if missing.

    Looked up in the project first, then in the current directory.
    """
    for folder in (project, Path.cwd()):
        candidate = _absolute(folder / _portable(path))
        if is_file(candidate):
            return candidate
    return None


def _portable(path: str) -> str:
    # A configuration written on Windows travels; no POSIX file has such a name.
    return path if sys.platform == "win32" else path.replace("\\", "/")


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _is_bare(command: str) -> bool:
    return not {"/", "\\"} & set(command) and not Path(command).drive


def _candidates(command: str, project: Path) -> Iterator[Path]:
    name = _portable(command)
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - keeps the path as written
    other = stem if suffix.lower() == ".exe" else f"{name}.exe"
    for folder in (project, Path.cwd()):
        for file in (name, other):
            yield _absolute(folder / file)


def _problem(candidate: Path) -> str | None:
    """Say in a sentence why ``candidate`` cannot be run, or None if it can."""
    if is_folder(candidate):
        sentence = N_("{file} is a folder, not an interpreter")
    elif os.path.islink(candidate) and not os.path.exists(candidate):  # noqa: PTH110, PTH114
        sentence = N_(
            "{file} is a link to {target}, which is gone: "
            "the virtual environment is broken, create it anew"
        )
    elif not os.path.exists(candidate):  # noqa: PTH110 - the name may be any text
        sentence = N_("{file} does not exist")
    elif not os.access(candidate, os.X_OK):
        sentence = N_("{file} is not executable")
    else:
        return None
    target = candidate.readlink() if os.path.islink(candidate) else None  # noqa: PTH114
    return translate(sentence).format(file=candidate, target=target)


def _own_interpreter(project: Path) -> Path:
    for folder in _VENV_FOLDERS:
        if not is_file(project / folder / "pyvenv.cfg"):
            continue
        candidates = [_absolute(project / folder / name) for name in _VENV_PYTHONS]
        for candidate in candidates:
            if _problem(candidate) is None:
                return candidate
        # Another interpreter would lack the packages that the scripts need.
        raise BadPythonInterpreter(str(_problem(candidates[0])))
    return _with_console(Path(sys.executable))


def _with_console(running: Path) -> Path:
    """Return the interpreter with a console beside one without, ``pythonw.exe``.

    The console that a script gets is hidden, and so is what the script starts: without
    one, each of its programs would open a window.
    """
    if running.name.lower() != "pythonw.exe":
        return running
    console = running.with_name("python.exe")
    return console if console.is_file() else running


def _on_path(command: str, project: Path, environ: Mapping[str, str]) -> Path:
    if found := _which(command, environ):
        return found
    problem = translate(N_("there is no {command} on PATH")).format(command=command)
    raise BadPythonInterpreter(problem + _hint(command, project, environ))


def _which(command: str, environ: Mapping[str, str]) -> Path | None:
    folders = {name.upper(): value for name, value in environ.items()}.get("PATH")
    # Without a PATH, which() would fall back on the runner's own.
    found = shutil.which(command, path=folders or os.devnull)
    return _absolute(Path(found)) if found else None


def _hint(command: str, project: Path, environ: Mapping[str, str]) -> str:
    """Name the interpreter that is there instead, if any."""
    for there in _alternatives(command, project, environ):
        return translate(N_("; there is {file}")).format(file=there)
    return ""


def _alternatives(
    command: str, project: Path, environ: Mapping[str, str]
) -> Iterator[str]:
    environments = [*_VENV_FOLDERS]
    if not _is_bare(command):
        # The one that was meant comes first: .venv/Scripts/python means .venv.
        environments.insert(0, str(Path(_portable(command)).parent.parent))
    for folder in environments:
        for name in _VENV_PYTHONS:
            if _problem(_absolute(project / folder / name)) is None:
                yield (Path(folder) / name).as_posix()
    for name in ("python3", "python", "py"):
        if name != command and _which(name, environ):
            yield name
