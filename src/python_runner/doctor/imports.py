"""Which modules the sources of a project import; nothing of them is run.

Text in, facts out. What a source imports only where it can do without it is left out: an
import that is tried, one for type checkers, one for another system or version of Python.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Errors whose handler expects that a module is missing.
_EXPECTED = frozenset(
    {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
)
#: Words of conditions that choose by what there is, not by what the script is to do: by
#: system, by version, by module. Each is one word or several.
_CHOOSES = (
    frozenset({"platform"}),
    frozenset({"os", "name"}),
    frozenset({"version_info"}),
    frozenset({"implementation"}),
    frozenset({"PY2"}),
    frozenset({"PY3"}),
    frozenset({"find_spec"}),
    frozenset({"find_loader"}),
)
#: Calls that end a script.
_ENDS = frozenset({"exit", "quit", "_exit", "abort"})
#: Texts of a source that may name folders.
_MOST_TEXTS, _LONGEST_TEXT = 200, 200
#: Statements whose body is run when they are reached.
_AT_ONCE = (ast.With, ast.AsyncWith, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a source imports.

    Attributes:
        module: its dotted name; of a relative import what stands behind the dots.
        names: what is taken from it: attributes, or modules in it.
        line: where.
        certain: whether the import is made as soon as the source runs.
        level: the dots of a relative import; 0 for others.
    """

    module: str
    names: tuple[str, ...]
    line: int
    certain: bool
    level: int = 0


@dataclass(frozen=True, slots=True)
class Imports:
    """What a source imports.

    Attributes:
        found: each import, in order.
        changes_path: whether it changes where modules are looked for.
        folders: then, texts of it that may name a folder of modules.
    """

    found: tuple[Import, ...] = ()
    changes_path: bool = False
    folders: tuple[str, ...] = ()


def imports_of(source: bytes) -> Imports:
    """Return what a source imports; nothing where this Python cannot read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        reader = _Reader(choosing=frozenset(_choosing(tree)))
        found = tuple(reader.imports(tree.body, certain=True))
        changes = any(map(_is_path, ast.walk(tree)))
        folders = tuple(dict.fromkeys(_texts(tree))) if changes else ()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # The interpreter of the project has the say about that.
        return Imports()
    return Imports(found, changes, folders[:_MOST_TEXTS])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads the statements of one source.

    Attributes:
        choosing: names of it that say what there is: ``HAS_PANDAS``, ``IS_WINDOWS``.
    """

    choosing: frozenset[str]

    def imports(self, body: Iterable[ast.AST], *, certain: bool) -> Iterator[Import]:
        """Yield what statements import; ``certain``: whether they are reached for sure."""
        for node in body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, (), node.lineno, certain)
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names if alias.name != "*")
                module, level = node.module or "", node.level
                yield Import(module, names, node.lineno, certain, level=level)
            elif isinstance(node, ast.If):
                yield from self._of_condition(node, certain=certain)
            elif isinstance(node, (ast.Try, ast.TryStar)):
                yield from self._of_attempt(node, certain=certain)
            elif not _suppresses(node):
                sure = certain and isinstance(node, _AT_ONCE)
                yield from self.imports(_statements(node), certain=sure)

    def _of_condition(self, node: ast.If, *, certain: bool) -> Iterator[Import]:
        words = set(_words(node.test))
        if "TYPE_CHECKING" in words:
            yield from self.imports(node.orelse, certain=certain)
        elif "__name__" in words:
            yield from self.imports(node.body, certain=certain)
            yield from self.imports(node.orelse, certain=False)
        elif not _chooses(words) and words.isdisjoint(self.choosing):
            yield from self.imports((*node.body, *node.orelse), certain=False)

    def _of_attempt(
        self, node: ast.Try | ast.TryStar, *, certain: bool
    ) -> Iterator[Import]:
        if not any(map(_expects, node.handlers)):
            yield from self.imports(node.body, certain=certain)
            for handler in node.handlers:
                yield from self.imports(handler.body, certain=False)
            yield from self.imports(node.orelse, certain=False)
        # Behind an import that was tried stands what needs it, or does without.
        yield from self.imports(node.finalbody, certain=certain)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.stmt, ast.match_case)):
            yield child


def _chooses(words: set[str]) -> bool:
    return any(needed <= words for needed in _CHOOSES)


def _choosing(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a source gives what there is, or is not, on this computer."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Try, ast.TryStar)):
            if any(map(_expects, node.handlers)):
                for inner in ast.walk(node):
                    yield from _named(inner)
        elif isinstance(node, ast.Assign) and _chooses(set(_words(node.value))):
            yield from _named(node)


def _named(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement gives."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.Assign):
        yield from (one.id for one in node.targets if isinstance(one, ast.Name))


def _texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of a source, and those of each expression as parts of one path."""
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Constant, ast.Call, ast.BinOp)):
            continue
        parts = [
            one
            for one in ast.walk(node)
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        parts.sort(key=lambda one: (one.lineno, one.col_offset))
        text = "/".join(str(one.value) for one in parts)
        if 0 < len(text) <= _LONGEST_TEXT and "\n" not in text and "\0" not in text:
            yield text


def _expects(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler goes on without the module."""
    expected = handler.type is None or not _EXPECTED.isdisjoint(_words(handler.type))
    return expected and not _ends_script(handler.body[-1])


def _ends_script(node: ast.stmt) -> bool:
    """Say whether a statement raises, or is a call that ends the script."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return isinstance(node, ast.Raise)
    return not _ENDS.isdisjoint(_words(node.value.func))


def _suppresses(node: ast.AST) -> bool:
    """Say whether a statement is a ``with`` that passes over missing modules."""
    if not isinstance(node, (ast.With, ast.AsyncWith)):
        return False
    words = {word for item in node.items for word in _words(item.context_expr)}
    return "suppress" in words and not _EXPECTED.isdisjoint(words)


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def _is_path(node: ast.AST) -> bool:
    """Say whether a part of a source changes where modules are looked for."""
    if isinstance(node, ast.Attribute):
        named = ast.unparse(node)
        return named in {"sys.path", "sys.meta_path", "site.addsitedir"}
    if isinstance(node, ast.ImportFrom):
        names = {alias.name for alias in node.names}
        return (node.module == "sys" and "path" in names) or "addsitedir" in names
    return False
