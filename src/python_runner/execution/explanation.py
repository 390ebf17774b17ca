"""What the output of a script tells of its end, read with the script beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.files import read_regular, resolved
from python_runner.texts.sentence import N_, Sentence
from python_runner.tracebacks.cause import read_background_errors, read_cause
from python_runner.tracebacks.endings import Ending
from python_runner.tracebacks.place import Project
from python_runner.tracebacks.source import LONGEST, Source, read_source


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.model import Command
    from python_runner.tracebacks.endings import Cause

#: Names of modules that are looked for beside a script, and modules that are read, to
#: know its last words.
_MOST_IMPORTS = 60
_MOST_MODULES = 10


def cause_of(text: str, command: Command, ending: Ending) -> Cause:
    """Return what the output of a failed script tells."""
    source = _source(command) if ending is Ending.EXCEPTION else None
    return read_cause(text, ending, _project(command), source)


def background_errors(text: str, command: Command) -> Iterator[Sentence]:
    """Yield what a script that succeeded wrote of exceptions that ended nothing."""
    template = N_("succeeded despite an error: {exception}")
    for exception in read_background_errors(text, _project(command)):
        yield Sentence.of(template, exception=exception)


def _project(command: Command) -> Project:
    """Return the folder whose frames are the user's own, as a masked text names it."""
    masker, folder = command.masker, Path(command.project)
    names = command.project, resolved(command.project)
    script = command.argv[1] if len(command.argv) > 1 else None

    def exists(file: str) -> bool:
        try:
            return (folder / file).exists()
        except (OSError, ValueError):
            return False

    return Project(
        names=tuple(map(masker.text, names)),
        script=None if script is None else masker.text(script),
        exists=exists,
    )


def _source(command: Command) -> Source | None:
    """Return what a script says about its end, with the modules beside it.

    None if it cannot be read.
    """
    script = Path(*command.argv[1:2])
    source = _read_source(script, command)
    if source is None:
        return None
    read = 0
    for name in source.imports[:_MOST_IMPORTS]:
        module = script.parent.joinpath(*name.split("."))
        for file in (module.with_suffix(".py"), module / "__init__.py"):
            if read < _MOST_MODULES and (found := _read_source(file, command)):
                source = source.with_module(found)
                read += 1
    return source


def _read_source(file: Path, command: Command) -> Source | None:
    try:
        data = read_regular(file, LONGEST)
    except (OSError, ValueError):
        return None
    return read_source(command.masker.data(data))
