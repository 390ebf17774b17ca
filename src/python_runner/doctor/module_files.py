"""Follows the imports of scripts through the project's own modules."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from python_runner.doctor.imports import Import, imports_of
from python_runner.facts import dataclass
from python_runner.files import is_file, is_folder, read_regular


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: Files of a project that are read, and bytes of each.
_MOST_FILES = 500
_LARGEST = 5_000_000
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
    for script in scripts:
        for wanted in _of_script(script):
            known = found.get(wanted.module)
            # The place where the script surely fails is the one to show.
            if known is None or (wanted.certain and not known.certain):
                found[wanted.module] = wanted
    return list(found.values())


def _of_script(script: Path) -> Iterator[Wanted]:
    """Yield what a script and the modules beside it import."""
    root = script.parent
    seen: set[tuple[Path, bool]] = set()
    waiting = deque([(script, True)])
    while waiting and len(seen) < _MOST_FILES:
        file, certain = waiting.popleft()
        if (file, certain) in seen:
            continue
        seen.add((file, certain))
        try:
            imports = imports_of(read_regular(file, _LARGEST))
        except OSError:
            continue
        # Where modules are looked for is only known once it runs.
        certain = certain and not imports.changes_path
        for one in imports.found:
            sure = certain and one.certain
            folder = _folder_of(file, one) if one.level else root
            if one.level or _is_own(root, one.module.partition(".")[0]):
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


def _folder_of(file: Path, relative: Import) -> Path:
    folder = file.parent
    for _ in range(relative.level - 1):
        folder = folder.parent
    return folder


def _is_own(folder: Path, name: str) -> bool:
    """Say whether a module lies in a folder, as a source, a package or compiled."""
    if is_file(folder / f"{name}.py") or is_folder(folder / name):
        return True
    try:
        return any(
            file.name.partition(".")[0] == name
            for pattern in _COMPILED
            for file in folder.glob(pattern)
        )
    except OSError:
        return False


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
