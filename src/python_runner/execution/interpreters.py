"""Finds the interpreter and the scripts of a project."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.exceptions import BadPythonInterpreter
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import executable_behind
from python_runner.files import (
    absolute,
    current_folder,
    exists,
    is_file,
    is_folder,
    portable,
    why_unseen,
)
from python_runner.texts.characters import with_backslashes
from python_runner.texts.sentence import N_, Sentence, translate
from python_runner.texts.system_errors import words_of_system


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Blanks of a path at which it is looked for a command line.
_MOST_SPACES = 12
_VENV_FOLDERS = (".venv", "venv")
_WINDOWS_PYTHONS = ("Scripts/python.exe",)
_POSIX_PYTHONS = ("bin/python", "bin/python3")
_VENV_PYTHONS = _WINDOWS_PYTHONS if sys.platform == "win32" else _POSIX_PYTHONS
#: What Windows starts without its suffix, in the order in which it looks.
_PROGRAMS = (".com", ".exe", ".bat", ".cmd")
_BATCH_FILES = (".bat", ".cmd")


def find_command(
    command: str | Sequence[str] | None, project: Path, *, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the program that runs a project's scripts, and its arguments before them.

    Args:
        command: the interpreter as configured; of a list the first is the program, and
            the others are its arguments: ``["py", "-3.12"]``.
        project: the project's folder.
        environ: where ``PATH`` is taken from.

    Raises:
        BadPythonInterpreter: as of :func:`find_interpreter`.
    """
    if command is None or isinstance(command, str):
        return (str(find_interpreter(command, project, environ=environ)),)
    program, *arguments = command
    interpreter = find_interpreter(program, project, environ=environ)
    return (str(interpreter), *arguments)


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
            the running interpreter. A batch file is asked for the one that it starts.
        project: the project's folder.
        environ: where ``PATH`` is taken from.

    Raises:
        BadPythonInterpreter: there is none; the message names the one that is there.
    """
    if command is None:
        return _own_interpreter(project)
    return _behind_batch_file(_find(command, project, environ), project, environ)


def _find(command: str, project: Path, environ: Mapping[str, str]) -> Path:
    if _is_command_line(command, project, environ):
        sentence = N_(
            "{command} is a command line; expected one program, such as the python of"
            " a virtual environment, or the list {words}"
        )
        words = json.dumps(_words(command), ensure_ascii=False)
        message = translate(sentence).format(command=command, words=words)
        raise BadPythonInterpreter(message + _hint(command, project, environ))
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
        # What the current folder refuses to show is not what was meant.
        nothing = translate(N_("{file} does not exist")).format(file=command)
        problem = _unseen(absolute(project / portable(command))) or nothing
    raise BadPythonInterpreter(problem + _hint(command, project, environ))


def find_script(path: str, project: Path) -> Path | None:
    """Return the script ``path`` of a project as an absolute path, None if missing.

    Looked up in the project first, then in the current directory. What cannot be looked
    at is missing: :func:`why_missing` says so.
    """
    return next(filter(is_file, _places(path, project)), None)


def _places(path: str, project: Path) -> Iterator[Path]:
    yield absolute(project / portable(path))
    yield absolute(current_folder() / portable(path))


def why_missing(path: str, project: Path) -> Sentence:
    """Say why there is no script ``path``, and what was meant if that is known.

    People write into a path what they would type: arguments, the interpreter, ``-m``.
    """
    words = path.split()
    if "-m" in words[:-1]:
        module = json.dumps(words[words.index("-m") + 1], ensure_ascii=False)
        return Sentence.of(
            N_(
                "script not found: {path}; to run a module, write a script with the"
                " line {source}"
            ),
            path=path,
            source=f'import runpy; runpy.run_module({module}, run_name="__main__")',
        )
    for start, end in _parts(path):
        if find_script(path[start:end], project):
            script, rest = path[start:end], path[end:]
            try:
                args = shlex.split(rest)
            except ValueError:
                args = rest.split()
            entry = {"path": script, "args": args} if args else script
            return Sentence.of(
                N_("script not found: {path}; write it as {entry}"),
                path=path,
                entry=json.dumps(entry, ensure_ascii=False),
            )
    if meant := with_backslashes(path):
        return Sentence.of(
            N_("script not found: {path}; write a backslash twice: {entry}"),
            path=path,
            entry=json.dumps(meant, ensure_ascii=False),
        )
    # What the current folder refuses to show is not what was meant.
    if reason := why_unseen(absolute(project / portable(path))):
        template = N_("script not found: {path} cannot be looked at: {reason}")
        return Sentence.of(template, path=path, reason=words_of_system(reason))
    if any(map(os.path.lexists, _places(path, project))) and path.strip():
        template = N_(
            "script not found: {path} is a folder, a pipe, a device or a broken link"
        )
        return Sentence.of(template, path=path)
    return Sentence.of(N_("script not found: {path}"), path=path)


def _parts(path: str) -> Iterator[tuple[int, int]]:
    """Yield where a script may be in a command line: the longest first, in the front."""
    spaces = [match.span() for match in re.finditer(r"\s+", path)][:_MOST_SPACES]
    for start in (0, *(end for _, end in spaces)):
        for end in (len(path), *(begin for begin, _ in reversed(spaces))):
            if start < end and (start, end) != (0, len(path)):
                yield start, end


def _is_command_line(command: str, project: Path, environ: Mapping[str, str]) -> bool:
    """Say whether the first word of what is no program is one by itself."""
    program, _, rest = command.strip().partition(" ")
    if not rest or any(os.path.lexists(c) for c in _candidates(command, project)):
        return False
    if _is_bare(command):
        return _which(command, environ) is None
    if _is_bare(program):
        return _which(program, environ) is not None
    return any(
        _problem(candidate) is None for candidate in _candidates(program, project)
    )


def _words(command: str) -> list[str]:
    """Return the words of a command line; backslashes are those of Windows."""
    with suppress(ValueError):
        words = shlex.split(command, posix=False)
        return [word.strip("\"'") for word in words]
    return command.split()


def _behind_batch_file(found: Path, project: Path, environ: Mapping[str, str]) -> Path:
    """Return the interpreter that a batch file of Windows starts, anything else as it is.

    Arguments of scripts never pass through a batch file: ``cmd.exe`` reads in them
    variables, and commands behind an ``&``.

    Raises:
        BadPythonInterpreter: it does not tell which one it starts.
    """
    if sys.platform != "win32" or found.suffix.lower() not in _BATCH_FILES:
        return found
    environment = child_environment(environ, {}, run_id="")
    python = executable_behind(found, project, environment)
    if python is not None and _problem(python) is None:
        return python
    message = translate(
        N_(
            "{file} is a batch file that does not say which interpreter it starts;"
            " give the path of its python.exe"
        )
    )
    raise BadPythonInterpreter(message.format(file=found))


def _is_bare(command: str) -> bool:
    return not {"/", "\\"} & set(command) and not Path(command).drive


def _candidates(command: str, project: Path) -> Iterator[Path]:
    stem, suffix = os.path.splitext(command)  # noqa: PTH122 - keeps the path as written
    other = stem if suffix.lower() == ".exe" else f"{command}.exe"
    for places in zip(_places(command, project), _places(other, project), strict=True):
        yield from places


def _problem(candidate: Path) -> str | None:
    """Say in a sentence why ``candidate`` cannot be run, or None if it can."""
    if problem := _unseen(candidate):
        return problem
    target = _link(candidate)
    if is_folder(candidate):
        sentence = N_("{file} is a folder, not an interpreter")
    elif target and not exists(candidate):
        sentence = N_(
            "{file} is a link to {target}, which no longer exists: the virtual"
            " environment is broken, create it again"
        )
    elif not exists(candidate):
        sentence = N_("{file} does not exist")
    elif not os.access(candidate, os.X_OK):
        sentence = N_("{file} is not executable")
    else:
        return None
    return translate(sentence).format(file=candidate, target=target)


def _unseen(file: Path) -> str | None:
    """Say in a sentence that nobody may look at ``file``, or None."""
    if reason := why_unseen(file):
        message = translate(N_("{file} cannot be looked at: {reason}"))
        return message.format(file=file, reason=reason)
    return None


def _link(path: Path) -> Path | None:
    """Return what a link holds; None for anything else."""
    with suppress(OSError, ValueError):
        return path.readlink()
    return None


def _own_interpreter(project: Path) -> Path:
    for folder in _VENV_FOLDERS:
        if not is_file(project / folder / "pyvenv.cfg"):
            continue
        candidates = [absolute(project / folder / name) for name in _VENV_PYTHONS]
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
    if sys.platform == "win32":
        return which_on_windows(command, folders or "")
    # Without a PATH, which() would fall back on the runner's own.
    import shutil  # noqa: PLC0415 - few projects name a bare command

    found = shutil.which(command, path=folders or os.devnull)
    return absolute(Path(found)) if found else None


def which_on_windows(command: str, folders: str) -> Path | None:
    """Return the program that a bare name stands for in the folders of a ``PATH``.

    Unlike ``cmd.exe``, it never looks in the current folder, which anybody may have
    filled.
    """
    stem, suffix = os.path.splitext(command)  # noqa: PTH122 - keeps the name as written
    known = bool(stem) and suffix.lower() in _PROGRAMS
    names = [command] if known else [f"{command}{suffix}" for suffix in _PROGRAMS]
    for folder in folders.split(os.pathsep):
        place = folder.strip().strip('"')
        if not os.path.isabs(place):  # noqa: PTH117 - may be any text
            continue
        for name in names:
            candidate = os.path.join(place, name)  # noqa: PTH118
            # The Store's are links that nobody may follow, and run all the same.
            if os.path.lexists(candidate) and not is_folder(candidate):
                return absolute(candidate)
    return None


def _hint(command: str, project: Path, environ: Mapping[str, str]) -> str:
    """Name the interpreter that is there instead, if any, or how to write its path."""
    if meant := with_backslashes(command):
        message = translate(N_("; write a backslash twice: {entry}"))
        return message.format(entry=json.dumps(meant, ensure_ascii=False))
    for there in _alternatives(command, project, environ):
        return translate(N_("; {file} exists")).format(file=there)
    return ""


def _alternatives(
    command: str, project: Path, environ: Mapping[str, str]
) -> Iterator[str]:
    environments = [*_VENV_FOLDERS]
    if is_folder(absolute(project / portable(command))):
        environments.insert(0, portable(command))
    elif not _is_bare(command):
        # The one that was meant comes first: .venv/Scripts/python means .venv.
        environments.insert(0, str(Path(portable(command)).parent.parent))
    for folder in environments:
        for name in _VENV_PYTHONS:
            if _problem(absolute(project / folder / name)) is None:
                yield (Path(folder) / name).as_posix()
    for name in ("python3", "python", "py"):
        if name != command and _which(name, environ):
            yield name
