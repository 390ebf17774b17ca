"""Where in the project it happened: the line that its owner can mend."""

from __future__ import annotations

import ntpath
import posixpath
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from python_runner.tracebacks.blocks import Frame

_FOREIGN_FOLDERS = frozenset({".venv", "venv", "site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class Project:
    """The folder whose files are the user's own.

    Attributes:
        names: ways to write its path (a link has two); the text may be masked, and so
            must these be.
        script: file that was run, as it was given to the interpreter; None if unknown.
        exists: whether the project has a file, whose path in it (with slashes) is given.
    """

    names: tuple[str, ...]
    script: str | None
    exists: Callable[[str], bool]

    def own_file(self, file: str) -> str | None:
        """Return the path in the project of a frame's file; None if it is no such file."""
        for name in self.names:
            path = inside(file, name)
            if path is not None and self.exists(path):
                return path
        return None

    def is_script(self, file: str) -> bool:
        """Whether a frame's file is what was run; a folder or an archive has files."""
        if self.script is None:
            return True
        flavour = _flavour(self.script)
        script, file = (
            flavour.normcase(flavour.normpath(path)) for path in (self.script, file)
        )
        if file == script or file.startswith(script + flavour.sep):
            return True
        own = {path for name in self.names if (path := inside(file, name))}
        return any(inside(self.script, name) in own for name in self.names)


def place_of(frames: Iterable[Frame], project: Project) -> Frame | None:
    """Return the last frame in a file of the project, its file relative to the project."""
    for frame in reversed(tuple(frames)):
        if file := project.own_file(frame.file):
            return type(frame)(file, frame.line, frame.function)
    return None


def inside(file: str, project: str) -> str | None:
    """Return ``file`` relative to ``project``; None if it is none of its own files.

    A relative name is taken as one: compiled libraries name their sources so, and only
    a look tells whether the project has such a file.
    """
    path = _flavour(project)
    if file.startswith("<"):
        return None
    folder = path.normpath(project)
    full = path.normpath(path.join(folder, file))
    prefix = folder.rstrip(path.sep) + path.sep
    if not path.normcase(full).startswith(path.normcase(prefix)):
        return None
    relative = full[len(prefix) :].replace(path.sep, "/")
    return None if _FOREIGN_FOLDERS & set(relative.split("/")) else relative


def _flavour(path: str) -> ModuleType:
    windows = "\\" in path or ntpath.splitdrive(path)[0]
    return ntpath if windows else posixpath
