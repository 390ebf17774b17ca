"""Follows the imports of scripts through the project's own modules."""

from __future__ import annotations

import sys
from collections import deque
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.doctor.imports import Import, Imports, imports_of
from python_runner.facts import dataclass
from python_runner.files import is_file, is_folder, read_regular, resolved


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: Files of a project that are read, and bytes of each.
_MOST_FILES = 500
_LARGEST = 5_000_000
#: Folders above a source in which its texts are looked up.
_MOST_ABOVE = 4
#: What Python imports besides sources and folders.
_COMPILED = ("*.so", "*.pyd", "*.pyc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A module that is not the project's own, and where it is imported.

    Attributes:
        file: the source that imports it.
        names: the modules to look for: of ``from google.cloud import storage`` also
            ``google.cloud.storage``, which counts where ``google.cloud`` has no file.
        certain: whether the script cannot run without it.
    """

    file: Path
    line: int
    module: str
    names: tuple[str, ...]
    certain: bool


def wanted_modules(scripts: Iterable[Path]) -> list[Wanted]:
    """Return which modules that are not their own some scripts import, each once."""
    found: dict[str, Wanted] = {}
    folders = _Folders()
    for script in scripts:
        for wanted in _of_script(script, folders):
            known = found.get(wanted.module)
            # The place where the script surely fails is the one to show.
            if known is None or (wanted.certain and not known.certain):
                found[wanted.module] = wanted
    return list(found.values())


class _Folders:
    """Reads each source and each folder once, however many scripts share it."""

    def __init__(self) -> None:
        self.imports_of: Callable[[Path], Imports | None] = cache(_imports_of)
        self.is_own: Callable[[Path, str], bool] = cache(self._is_own)
        self._compiled: Callable[[Path], frozenset[str]] = cache(_compiled_in)

    def _is_own(self, folder: Path, name: str) -> bool:
        """Say whether a module lies in a folder, as a source, a package or compiled."""
        source = is_file(folder / f"{name}.py") or is_folder(folder / name)
        return source or name in self._compiled(folder)


def _of_script(script: Path, folders: _Folders) -> Iterator[Wanted]:
    """Yield what a script and the modules beside it import."""
    # Where Python looks first: beside the file that a link leads to, but on Windows.
    real = script if sys.platform == "win32" else Path(resolved(script))
    roots = {real.parent: None}
    seen: set[tuple[Path, bool]] = set()
    waiting = deque([(script, True)])
    while waiting and len(seen) < _MOST_FILES:
        file, certain = waiting.popleft()
        if (file, certain) in seen:
            continue
        seen.add((file, certain))
        imports = folders.imports_of(file)
        if imports is None:
            continue
        # Where modules are looked for is only known once it runs.
        certain = certain and not imports.changes_path
        roots |= dict.fromkeys(_added_folders(file, imports))
        for one in imports.found:
            sure = certain and one.certain
            top = one.module.partition(".")[0]
            folder = (
                _folder_of(file, one)
                if one.level
                else next((root for root in roots if folders.is_own(root, top)), None)
            )
            if folder is not None:
                waiting += ((own, sure) for own in _own_files(folder, one))
            else:
                names = (one.module, *(f"{one.module}.{name}" for name in one.names))
                yield Wanted(
                    file=file,
                    line=one.line,
                    module=one.module,
                    names=names,
                    certain=sure,
                )


def _added_folders(file: Path, imports: Imports) -> Iterator[Path]:
    """Yield folders where a source that changes the search may have modules looked for.

    Those above it, and what its texts name in one of them.
    """
    if not imports.changes_path:
        return
    above = list(file.parents)[:_MOST_ABOVE]
    named = (base / text for text in imports.folders for base in above)
    for folder in (*above, *filter(is_folder, named)):
        # At the root of a disk lie folders of the system: ``/sys`` is no module.
        if Path(resolved(folder)) != Path(folder.anchor):
            yield folder


def _folder_of(file: Path, relative: Import) -> Path:
    folder = file.parent
    for _ in range(relative.level - 1):
        folder = folder.parent
    return folder


def _imports_of(file: Path) -> Imports | None:
    try:
        return imports_of(read_regular(file, _LARGEST))
    except OSError:
        return None


def _compiled_in(folder: Path) -> frozenset[str]:
    """Return the modules that lie in a folder without their sources."""
    try:
        return frozenset(
            file.name.partition(".")[0]
            for pattern in _COMPILED
            for file in folder.glob(pattern)
        )
    except OSError:
        return frozenset()


def _own_files(folder: Path, one: Import) -> Iterator[Path]:
    """Yield the sources that an import of a project's own module runs."""
    place = folder
    for part in one.module.split(".") if one.module else ():
        yield from _source(place, part)
        place /= part
    for name in one.names:
        yield from _source(place, name)


def _source(folder: Path, name: str) -> Iterator[Path]:
    for file in (folder / name / "__init__.py", folder / f"{name}.py"):
        if is_file(file):
            yield file
            return
