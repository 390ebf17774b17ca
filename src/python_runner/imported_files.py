"""Which files a script is made of: its own, and those of people that it imports.

These lie in the project, or in a folder beside it that PYTHONPATH names or to which a link
to the script leads. Others may be shares that do not answer.
Nothing is executed. A source is searched for statements that import, each of which is
parsed alone: it may be of an older or a newer Python than this one, and have errors.
"""

from __future__ import annotations

import ast
import os
import sys
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from python_runner.facts import dataclass
from python_runner.files import read_regular
from python_runner.hashes import sha1
from python_runner.model.provenance import ScriptProvenance, SourceFile
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Files that a script is made of at most, bytes of them all, and of one.
_MOST_FILES, _MOST_BYTES, _LARGEST = 300, 20_000_000, 2_000_000
#: Bytes of a script's own file; it may be a whole program in one.
_LARGEST_SCRIPT = 50_000_000
#: Statements of a source that are looked at, and bytes of each.
_MOST_STATEMENTS, _LONGEST_STATEMENT = 1000, 10_000
#: A module that is imported by its name.
_BY_NAME = lazy_pattern(
    rb"""(?:import_module|__import__)\(\s*["']([.\w]{1,200})["']\s*[,)]"""
)
#: What may stand before a statement in its line: ``try: import x``.
_STATEMENT = lazy_pattern(r"(?:^|[;:])\s*((?:import|from)\b[^;:]*)")
_COMMENT = lazy_pattern(rb"#[^\n]*")
_CONTINUED = lazy_pattern(rb"\\\r?\n")
#: Folders of what is installed, and of Python itself.
_INSTALLED = lazy_pattern(
    r"(?i)(?:^|[\\/])(?:site-packages|dist-packages|python\d[\d.]*[\\/]?$|lib[\\/]python\d)"
)
#: Folders of a project in which modules lie often, beside that of the script.
_USUAL_FOLDERS = ("", "src")


class _Import(NamedTuple):
    """One module that is imported.

    Attributes:
        parts: of its dotted name; of a relative one what stands behind the dots.
        names: what is taken from it: attributes, or modules in it.
        level: the dots of a relative import; 0 for others.
    """

    parts: tuple[str, ...]
    names: tuple[str, ...] = ()
    level: int = 0


@dataclass(frozen=True, slots=True)
class _Source:
    """A file as it was read; ``size`` in bytes."""

    size: int
    digest: str
    imports: tuple[_Import, ...]


class Sources:
    """Tells what scripts of a project are made of.

    What scripts import is read once while it stays the same: its size and time tell.
    May be used from several threads.
    """

    def __init__(self, project: Path, environment: Mapping[str, str]) -> None:
        """Take the project's folder, and the variables that its scripts get."""
        self._project = os.path.abspath(project)  # noqa: PTH100 - plain texts are quicker
        self._inside = self._project.rstrip(os.sep) + os.sep
        named = environment.get("PYTHONPATH", "").split(os.pathsep)
        self._folders = [
            os.path.normpath(os.path.join(self._project, folder))  # noqa: PTH118
            for folder in (*filter(None, named), *_USUAL_FOLDERS)
        ]
        self._known: dict[str, tuple[tuple[int, int], _Source]] = {}
        self._within = [self._inside, *self._begins(self._folders)]

    def of_script(self, file: Path) -> ScriptProvenance:
        """Return the files that a script is made of, as they are now."""
        script = os.path.abspath(file)  # noqa: PTH100
        try:
            source = _read(script, _LARGEST_SCRIPT)
        except (OSError, ValueError):
            return ScriptProvenance()
        own = SourceFile(path=self._shown(script), digest=source.digest)
        imports = self._followed(script, source) if source.imports else ()
        return ScriptProvenance(script=own, imports=imports)

    def _followed(self, script: str, source: _Source) -> tuple[SourceFile, ...]:
        """Return the files of the project that a script imports, and those import."""
        roots = self._roots(script)
        modules = _Modules(roots)
        within = tuple({*self._within, *self._begins(roots[:1])})
        found: dict[str, SourceFile] = {}
        seen, left, waiting = {script}, _MOST_BYTES, deque([(script, source)])
        while waiting:
            importer, source = waiting.popleft()
            for file in modules.of(importer, source.imports):
                if file in seen or not file.startswith(within):
                    continue
                seen.add(file)
                if len(found) == _MOST_FILES or left <= 0:
                    return _sorted(found)
                if read := self._imported(file):
                    left -= read.size
                    shown = self._shown(file)
                    found[shown] = SourceFile(path=shown, digest=read.digest)
                    waiting.append((file, read))
        return _sorted(found)

    def _roots(self, script: str) -> list[str]:
        """Return the folders in which the modules of a script are looked for.

        Python looks first beside the file that a link leads to, but on Windows.
        """
        real = script if sys.platform == "win32" else os.path.realpath(script)
        folders = [os.path.dirname(real), os.path.dirname(script), *self._folders]  # noqa: PTH120
        return [f for f in dict.fromkeys(folders) if self._begins((f,))]

    def _begins(self, folders: Iterable[str]) -> list[str]:
        """Return how the paths of files begin that are in the project, or beside it."""
        parent = os.path.dirname(self._project)  # noqa: PTH120
        # Beside a folder of the root lies the whole computer.
        beside = parent + os.sep if os.path.dirname(parent) != parent else self._inside  # noqa: PTH120
        begins = (folder.rstrip(os.sep) + os.sep for folder in folders)
        return [
            one
            for one in begins
            if one.startswith(self._inside)
            or (one.startswith(beside) and one != beside and not _INSTALLED.search(one))
        ]

    def _shown(self, file: str) -> str:
        path = file.removeprefix(self._inside)
        return path.replace(os.sep, "/")

    def _imported(self, file: str) -> _Source | None:
        """Return what a module is; None where it cannot be read or is too large."""
        try:
            status = os.stat(file)  # noqa: PTH116
            stamp = (status.st_size, status.st_mtime_ns)
            known, source = self._known.get(file, (None, None))
            if source and known == stamp:
                return source
            source = _read(file, _LARGEST)
        except (OSError, ValueError):
            return None
        self._known[file] = stamp, source
        return source


def _read(file: str, limit: int) -> _Source:
    """Read a source.

    Raises:
        OSError: it cannot be read, or is too large.
        ValueError: no system knows such a path.
    """
    content = read_regular(file, limit)
    return _Source(len(content), digest_of(content), imports_of(content))


def digest_of(content: bytes) -> str:
    """Return how Git names a file with this content."""
    head = b"blob %d\0" % len(content)
    return sha1(head + content)


def imports_of(source: bytes) -> tuple[_Import, ...]:
    """Return what the statements of a source import, whichever of them are reached."""
    if b"import" not in source or len(source) > _LARGEST:
        return ()
    found = dict[_Import, None]()
    for statement in _statements(source):
        found |= dict.fromkeys(_parsed(statement))
    by_name = b"import_module" in source or b"__import__" in source
    for name in _BY_NAME.findall(source) if by_name else ():
        module = name.decode("utf-8", "replace").strip(".")
        found[_Import(tuple(module.split(".")))] = None
    return tuple(found)


def _statements(source: bytes) -> Iterator[str]:
    """Yield the statements that may import something, each in one line."""
    count, place = 0, source.find(b"import")
    while place >= 0 and count < _MOST_STATEMENTS:
        count += 1
        begin = source.rfind(b"\n", 0, place) + 1
        # Its first line may be one before.
        while begin and source[max(0, begin - 3) : begin].endswith(
            (b"\\\n", b"\\\r\n")
        ):
            begin = source.rfind(b"\n", 0, begin - 1) + 1
        end = source.find(b"\n", place)
        end = len(source) if end < 0 else end
        line = source[begin:end]
        if b"\\" in line or b"(" in line:
            line = _whole(source[begin : begin + _LONGEST_STATEMENT])
        yield line.decode("utf-8", "replace")
        place = source.find(b"import", end)


def _whole(text: bytes) -> bytes:
    """Return the first statement of a text, on one line; there are no strings in it."""
    text = _CONTINUED.sub(b" ", _COMMENT.sub(b"", text))
    line, _, _ = text.partition(b"\n")
    if b"(" in line and b")" not in line:
        line = text.partition(b")")[0].replace(b"\r", b"").replace(b"\n", b" ") + b")"
    return line


@lru_cache(maxsize=2048)
def _parsed(line: str) -> tuple[_Import, ...]:
    found: list[list[_Import]] = []
    for statement in _STATEMENT.findall(line.strip("\ufeff \t\f\r")):
        # Of one that has errors nothing is known; others stand right.
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            found += map(_import, ast.parse(statement.strip()).body)
    return tuple(one for several in found for one in several)


def _import(node: ast.stmt) -> list[_Import]:
    if isinstance(node, ast.Import):
        return [_Import(tuple(alias.name.split("."))) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        parts = tuple(node.module.split(".")) if node.module else ()
        names = tuple(alias.name for alias in node.names)
        return [_Import(parts, names, node.level)]
    return []


class _Modules:
    """Finds the files of modules; looks at each place once."""

    def __init__(self, roots: Sequence[str]) -> None:
        """Take the folders in which modules are looked for, in their order."""
        self._roots = roots
        self._found: dict[_Import, list[str]] = {}
        self._files: dict[tuple[str, str], list[str]] = {}
        self._folders: dict[str, bool] = {}

    def of(self, importer: str, imports: Iterable[_Import]) -> Iterator[str]:
        """Yield the files that the imports of a file run."""
        for one in imports:
            if one.level:
                folder = importer
                for _ in range(one.level):
                    folder = os.path.dirname(folder)  # noqa: PTH120
                yield from self._in(folder, one)
                continue
            if one not in self._found:
                places = (list(self._in(root, one)) for root in self._roots)
                self._found[one] = next(filter(None, places), [])
            yield from self._found[one]

    def _in(self, folder: str, one: _Import) -> Iterator[str]:
        for part in one.parts:
            yield from self._module(folder, part)
            folder = f"{folder}{os.sep}{part}"
            if folder not in self._folders:
                self._folders[folder] = os.path.isdir(folder)  # noqa: PTH112
            if not self._folders[folder]:
                return
        if not one.parts:
            yield from self._existing(folder, "__init__.py")
        for name in one.names:
            yield from self._module(folder, name)

    def _module(self, folder: str, name: str) -> list[str]:
        package = self._existing(f"{folder}{os.sep}{name}", "__init__.py")
        return package or self._existing(folder, f"{name}.py")

    def _existing(self, folder: str, name: str) -> list[str]:
        place = (folder, name)
        if place not in self._files:
            file = f"{folder}{os.sep}{name}"
            self._files[place] = [file] if os.path.isfile(file) else []  # noqa: PTH113
        return self._files[place]


def _sorted(found: Mapping[str, SourceFile]) -> tuple[SourceFile, ...]:
    return tuple(found[path] for path in sorted(found))
