"""What to do about a script that failed, by what is there on this computer."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.execution.environment import PYTHON_FLAGS
from python_runner.files import exists, is_file, is_folder, read_regular
from python_runner.hints.failure import Failure, Surroundings
from python_runner.hints.table import hint_for
from python_runner.installation import shell_program, shell_word
from python_runner.model import Outcome
from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.endings import Beside


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.model import Command
    from python_runner.texts.sentence import Sentence
    from python_runner.tracebacks.endings import Cause

_VERSION = lazy_pattern(r"(\d+)\.(\d+)")
#: Folders of a project in which a module of its own is looked for; hidden ones are not.
_MOST_FOLDERS = 200
#: Bytes of the end of an output that are searched.
_MOST_OUTPUT = 20_000
_LONGEST_CONFIGURATION = 10_000


def what_to_do(
    command: Command,
    outcome: Outcome,
    exit_code: int | None,
    cause: Cause,
    output: str,
) -> Sentence | None:
    """Return what to do about a failure; None where that is not known for sure."""
    traceback = cause.traceback
    exception = traceback.exception if traceback else None
    if exception is None and cause.beside is Beside.LOGGED:
        exception = cause.told
    failure = Failure.of(
        exception or "",
        traceback.text if traceback else "",
        output[-_MOST_OUTPUT:],
        exit_code=exit_code,
        timed_out=outcome is Outcome.TIMEOUT,
    )
    return hint_for(failure, _surroundings(command))


def _surroundings(command: Command) -> Surroundings:
    version = _VERSION.match(command.version)
    python = _python(command)
    windows = sys.platform == "win32"
    install, environment = _installing(command, python)
    return Surroundings(
        windows=windows,
        python=python,
        folder=command.cwd,
        project=command.project,
        account=_account(),
        exists=lambda path: exists(Path(command.cwd, path)),
        is_folder=lambda path: is_folder(Path(command.cwd, path)),
        module_folder=lambda name: _module_folder(command, name),
        version=(int(version[1]), int(version[2])) if version else None,
        install=install,
        environment=environment,
    )


def _python(command: Command) -> str:
    """Return what a person types to start the interpreter of a script."""
    flags = command.flags
    if flags[-len(PYTHON_FLAGS) :] == PYTHON_FLAGS:
        flags = flags[: -len(PYTHON_FLAGS)]
    return " ".join((shell_program(command.argv[0]), *map(shell_word, flags)))


def _installing(command: Command, python: str) -> tuple[str, tuple[str, str]]:
    """Return the command that installs a package for an interpreter.

    Where that is the system's, which takes none: those that make an environment, and
    install there.
    """
    program = Path(command.argv[0])
    try:
        text = read_regular(
            program.parent.parent / "pyvenv.cfg", _LONGEST_CONFIGURATION
        ).decode("utf-8", "replace")
    except (OSError, ValueError):
        return _of_the_system(command, program, python)
    lines = [line.partition("=")[0].strip() for line in text.splitlines()]
    if "uv" in lines:
        # The environments that uv makes have no pip.
        return f"uv pip install --python {shell_word(command.argv[0])}", ("", "")
    return f"{python} -m pip install", ("", "")


def _of_the_system(
    command: Command, program: Path, python: str
) -> tuple[str, tuple[str, str]]:
    library = Path("/usr/lib", f"python{'.'.join(command.version.split('.')[:2])}")
    own = program.parent in {Path("/usr/bin"), Path("/bin")}
    if not own or not is_file(library / "EXTERNALLY-MANAGED"):
        return f"{python} -m pip install", ("", "")
    made = Path(command.project, ".venv")
    inside = shell_program(str(made / "bin" / "python"))
    return "", (
        f"{python} -m venv {shell_word(str(made))}",
        f"{inside} -m pip install",
    )


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # An account without a name, as in containers.
        return str(getattr(os, "getuid", lambda: "?")())


def _module_folder(command: Command, name: str) -> str | None:
    """Return the folder of a project in which a module lies; None where there is none."""
    for folder in _folders(command):
        if is_file(folder / f"{name}.py") or is_file(folder / name / "__init__.py"):
            return str(folder)
    return None


def _folders(command: Command) -> Iterator[Path]:
    """Yield the folders of a script and of its project, and those in the latter."""
    project = Path(command.project)
    yield from (Path(*command.argv[1:2]).parent, project)
    try:
        with os.scandir(project) as entries:
            for entry, _count in zip(entries, range(_MOST_FOLDERS), strict=False):
                hidden = entry.name.startswith((".", "_"))
                if not hidden and entry.is_dir() and not _is_environment(entry.path):
                    yield Path(entry.path)
    except OSError:
        return


def _is_environment(folder: str) -> bool:
    return is_file(Path(folder, "pyvenv.cfg"))
