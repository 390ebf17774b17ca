"""What lies in the folder of a project that has no configuration yet."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from python_runner.config.validation import can_be_passed
from python_runner.exceptions import BadPythonInterpreter
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import ask
from python_runner.execution.interpreters import find_command
from python_runner.files import exists, expanded, is_file, is_folder, read_regular
from python_runner.takeover.configuration import Here
from python_runner.takeover.decoding import decoded
from python_runner.takeover.environments import Candidate, candidates
from python_runner.takeover.script_order import (
    Source,
    may_be_script,
    may_hold_scripts,
    series,
)
from python_runner.texts.sentence import system_language


#: Folders below the project in which scripts are looked for, and files in all.
_DEPTH = 3
_MOST_FILES = 1000
#: Bytes of a script that are looked at: more than people write.
_LONGEST = 1024 * 1024
_WINDOWS = sys.platform == "win32"
#: Where people install conda and what installs versions of Python.
_CONDA_FOLDERS = (
    *("miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba"),
    *("AppData/Local/miniconda3", "AppData/Local/anaconda3"),
)
_PYENV_VERSIONS = (".pyenv/versions", ".pyenv/pyenv-win/versions")


def find_scripts(folder: Path) -> list[str]:
    """Return the scripts of a folder that are a series, in the order in which they run.

    Those at its top; where there is none, those of the folders in it. A name that no
    configuration can hold is left out.
    """
    for depth in (0, _DEPTH):
        found = [
            Source(path, read_text_in(folder, path) or "")
            for path in _python_files(folder, depth)
        ]
        if found:
            return series(found)
    return []


def _python_files(folder: Path, depth: int) -> list[str]:
    """Return the Python files down to a depth that may be scripts."""
    found: list[str] = []
    waiting = [(folder, depth)]
    while waiting and len(found) < _MOST_FILES:
        place, left = waiting.pop()
        for name in _names(place):
            path = place / name
            relative = path.relative_to(folder).as_posix()
            if is_file(path):
                if (
                    name.endswith(".py")
                    and may_be_script(name)
                    and can_be_passed(relative)
                ):
                    found.append(relative)
            elif (
                left
                and may_hold_scripts(name)
                and is_folder(path)
                and not path.is_symlink()
                and not exists(path / "pyvenv.cfg")
                and not exists(path / "__init__.py")
            ):
                waiting.append((path, left - 1))
    return found


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except OSError:
        return []


def read_text_in(folder: Path, path: str) -> str | None:
    """Return the text of a file in a folder; None where it cannot be read."""
    try:
        return decoded(read_regular(folder / path, _LONGEST))
    except OSError:
        return None


def interpreters(folder: Path) -> list[Candidate]:
    """Return the interpreters that a folder names, the likeliest first."""
    home = Path(expanded("~"))
    pythons = [
        (home / place / name).as_posix()
        for place in _PYENV_VERSIONS
        for name in _names(home / place)
    ]
    return candidates(
        [name for name in _names(folder) if is_folder(folder / name)],
        lambda path: read_text_in(folder, path) if is_file(folder / path) else None,
        lambda path: exists(folder / path),
        conda=conda_environments(),
        pythons=pythons,
        windows=_WINDOWS,
    )


def conda_environments() -> tuple[str, ...]:
    """Return the folders of the conda environments of this user, with slashes."""
    home = Path(expanded("~"))
    listed = read_text_in(home, ".conda/environments.txt") or ""
    found = [line.strip() for line in listed.splitlines() if line.strip()]
    bases = [home / name for name in _CONDA_FOLDERS]
    if program := os.environ.get("CONDA_EXE"):
        bases.insert(0, Path(program).parent.parent)
    for base in bases:
        found += [str(base / "envs" / name) for name in _names(base / "envs")]
    return tuple(dict.fromkeys(place.replace("\\", "/") for place in found))


def why_no_interpreter(
    folder: Path, candidate: Candidate | None, command: str | list[str] | None = None
) -> str | None:
    """Say why an interpreter runs no script; None if it does.

    Args:
        folder: the project.
        candidate: found in the folder; None: ``command`` is asked.
        command: as ``python_command`` has it.
    """
    given = command if candidate is None else candidate.command
    environ = child_environment(os.environ, {}, run_id="")
    try:
        program, *arguments = find_command(given, folder, environ=environ)
    except BadPythonInterpreter as error:
        return str(error)
    if given is None and Path(program) == Path(sys.executable):
        return None
    if candidate is not None and not candidate.asked:
        # To ask it would make an environment.
        return None
    problem = ask(Path(program), folder, environ, arguments).problem
    return problem.in_language(system_language()) if problem else None


def here(folder: Path) -> Here:
    """Return what the configuration of a project is made by."""
    texts: dict[str, str] = {}

    def mentions(name: str) -> bool:
        if not texts:
            texts.update({"": " "})
            for path in _python_files(folder, _DEPTH)[:_MOST_FILES]:
                texts[path] = read_text_in(folder, path) or ""
        return any(name in text for text in texts.values())

    return Here(
        project=str(folder),
        windows=_WINDOWS,
        in_project=lambda path: can_be_passed(path) and exists(folder / path),
        there=lambda path: can_be_passed(path) and exists(path),
        mentions=mentions,
        conda=conda_environments(),
    )
