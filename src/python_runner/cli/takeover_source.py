"""Reads what ``init --from`` names: a task, a crontab, a batch file or a shell script."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Literal

import click

from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder, exists, is_file, read_regular
from python_runner.scheduling.existing import own_crontab, task_xml
from python_runner.takeover.batch import BatchReader, Left
from python_runner.takeover.crontab import Entry, entries, take_entry
from python_runner.takeover.decoding import decoded
from python_runner.takeover.recorder import Recorder
from python_runner.takeover.shell import ShellReader
from python_runner.takeover.task_xml import NoTask, Task, read_task
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from python_runner.takeover.facts import Taken


Kind = Literal["task", "crontab", "batch", "shell"]

#: Bytes of a file: a thousand times what people write.
_LONGEST = 1024 * 1024
#: Files that one entry calls, and those that are read of them.
_MOST_FILES = 50
_KINDS: dict[str, Kind] = {
    ".xml": "task",
    ".bat": "batch",
    ".cmd": "batch",
    ".sh": "shell",
    ".bash": "shell",
    ".zsh": "shell",
    ".ksh": "shell",
    ".cron": "crontab",
    ".crontab": "crontab",
}
_WINDOWS = sys.platform == "win32"
_SYSTEM_FOLDERS = ("/etc/crontab", "/etc/cron.d/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is taken over.

    Attributes:
        kind: how its text is read.
        text: what it holds.
        shown: what people call it.
        path: the file; None for what a scheduler or a pipe told.
        task: the name of the task that was asked for, or empty.
    """

    kind: Kind
    text: str
    shown: str
    path: Path | None = None
    task: str = ""


def read_origin(named: str) -> Origin:
    r"""Return what ``--from`` names.

    Args:
        named: a file, ``-`` for standard input, ``crontab`` for this user's, or the name
            of a task such as ``\Reports\Daily``.

    Raises:
        PythonRunnerError: it is not there, or is nothing that can be taken over.
    """
    if named == "-":
        with click.open_file("-", "rb") as stream:
            data = stream.read(_LONGEST + 1)
        return _judged(data, named, None, "crontab")
    path = absolute(named)
    if is_file(path):
        try:
            data = read_regular(path, _LONGEST)
        except OSError as error:
            message = _("{path} cannot be read: {error}")
            raise PythonRunnerError(
                message.format(path=path, error=in_own_language(error))
            ) from error
        return _judged(data, named, path, None)
    if named == "crontab":
        return Origin(kind="crontab", text=decoded(own_crontab()), shown="crontab -l")
    if named.startswith("\\") or (_WINDOWS and not exists(path)):
        text = decoded(task_xml(named))
        return Origin(kind="task", text=text, shown=named, task=named)
    if exists(path):
        raise PythonRunnerError(_("{path} is no file").format(path=path))
    message = _(
        "{path} does not exist; --from takes a file, \\Folder\\Task, crontab or -"
    )
    raise PythonRunnerError(message.format(path=path))


def _judged(data: bytes, named: str, path: Path | None, usual: Kind | None) -> Origin:
    """Return the origin of a content, by its name, else by what it holds."""
    if len(data) > _LONGEST:
        message = _("{path} is longer than {size}, which no such file is")
        raise PythonRunnerError(message.format(path=named, size="1 MB"))
    text = decoded(data)
    kind = _KINDS.get(path.suffix.lower()) if path else None
    start = text.lstrip("\ufeff \t\r\n")[:200]
    if kind is None and start.startswith("<"):
        kind = "task"
    first = start.split("\n", 1)[0]
    if kind is None and first.startswith("#!") and "sh" in first:
        kind = "shell"
    if kind is None and path is None and first.lower().startswith(("@echo", "rem ")):
        kind = "batch"
    if kind is None and path and path.suffix == "" and entries(text):
        kind = "crontab"
    if kind is None and path and path.suffix.lower() == ".txt" and entries(text):
        kind = "crontab"
    kind = kind or usual
    if kind is None:
        message = _(
            "{path} is none of what --from takes: the XML of a task, a crontab, a .bat,"
            " .cmd or .sh file"
        )
        raise PythonRunnerError(message.format(path=named))
    return Origin(kind=kind, text=text, shown=named, path=path)


def entries_of(origin: Origin) -> list[Entry]:
    """Return the entries of a crontab."""
    name = origin.path.as_posix() if origin.path else ""
    system = True if name.startswith(_SYSTEM_FOLDERS) else None
    return entries(origin.text, system=system)


def taken_entry(entry: Entry, project: Path, origin: Origin) -> Taken:
    """Return what an entry of a crontab does."""
    read = _Reader(project, origin.path)
    return take_entry(entry, variables=_variables(), read=read, zone=_zone())


def taken_task(origin: Origin, project: Path) -> Task:
    """Return what a task does.

    Raises:
        PythonRunnerError: the text is no task.
    """
    read = _Reader(project, origin.path)
    try:
        return read_task(origin.text, variables=_variables(), read=read)
    except NoTask as error:
        message = _("{file} {problem}")
        problem = error.sentence.in_language(system_language())
        raise PythonRunnerError(
            message.format(file=origin.shown, problem=problem)
        ) from error


def taken_file(origin: Origin, project: Path) -> Taken:
    """Return what a batch file or a shell script does."""
    windows = origin.kind == "batch"
    folder = origin.path.parent if origin.path else None
    base = str(folder) if folder else None
    if windows != _WINDOWS and folder is not None:
        # Its paths are those of another system: they begin in the project.
        base = None
        with suppress(ValueError):
            inside = folder.relative_to(project)
            base = str(PureWindowsPath(inside)) if inside.parts else None
    recorder = Recorder(
        windows=windows,
        variables=_variables(),
        base=base,
        folder=None,
        read=_Reader(project, origin.path),
    )
    name = origin.path.name if origin.path else ""
    if windows:
        with suppress(Left):
            BatchReader(recorder).file(origin.text, base, None, name)
    else:
        script = str(origin.path) if origin.path else ""
        ShellReader(recorder).file(origin.text, script)
    return recorder.taken()


class _Reader:
    """Returns the texts of files that are called, a bounded number of them."""

    def __init__(self, project: Path, origin: Path | None) -> None:
        self._folders = [
            *([origin.parent] if origin else []),
            project,
            current_folder(),
        ]
        self._count = 0

    def __call__(self, path: str) -> str | None:
        """Return the text of a file, by its path, else by its name beside the first one."""
        self._count += 1
        if self._count > _MOST_FILES or "\0" in path:
            return None
        portable = path if _WINDOWS else path.replace("\\", "/")
        places = [Path(portable)] if Path(portable).is_absolute() else []
        places += [folder / portable.lstrip("/") for folder in self._folders]
        places += [folder / Path(portable).name for folder in self._folders]
        for place in places:
            if is_file(place):
                with suppress(OSError):
                    return decoded(read_regular(place, _LONGEST))
        return None


def _variables() -> dict[str, str]:
    """Return the variables that an entry of this account may rely on."""
    names = ("HOME", "USER", "LOGNAME")
    if _WINDOWS:
        return dict(os.environ)
    return {name: os.environ[name] for name in names if name in os.environ}


def _zone() -> str:
    from python_runner.due_times import local_zone  # noqa: PLC0415 - crontabs alone

    return str(local_zone())
