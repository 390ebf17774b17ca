"""What the source of a script says about its end, where its output alone cannot tell.

Nothing in an output marks where the message of ``sys.exit`` begins, or whether a ``try`` of
the module has caught an exception. The source shows both.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Bytes of a source that is read; what is longer was made by a program.
LONGEST = 128 * 1024
#: What a source is called while it is read, and the warnings that this may bring: the
#: script has had them already.
_NAME = "<script of a run>"
warnings.filterwarnings("ignore", module=re.escape(_NAME))
#: Letters that the fixed parts of a text must have to be recognised in an output.
_LETTERS = 4
#: Lines that may follow a text at the end of an output: functions run at exit print.
_LINES_BEHIND = 10
#: Names that stand for one another, from a call to its text, at most.
_STEPS = 3
#: Values of one name that are looked at.
_VALUES = 20
_EXITS = frozenset({"exit", "quit", "SystemExit", "_exit"})
_PRINTS = frozenset(
    {
        *("print", "write", "echo", "secho", "rprint", "log"),
        *("debug", "info", "warning", "error", "critical", "exception", "fatal"),
    }
)
_DEDENTS = frozenset({"dedent", "cleandoc"})
_STRIPS = frozenset({"strip", "lstrip", "rstrip"})
#: Stands for a value in a text that a function changes.
_GAP = "\0"
#: A value in a template of ``%``, and in one of ``format``.
_VALUE = lazy_pattern(r"%(?:\(\w*\))?[-#0 +]*[\d.*]*[a-zA-Z]|\{[^{}]*\}")

#: A text as its fixed parts; None stands for a value.
Template = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Guarded:
    """Lines of a module whose exceptions a ``try`` catches and does not pass on.

    Attributes:
        first, last: the lines.
        names: what is caught, by the last part of its name; empty for everything.
    """

    first: int
    last: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """What the source of a script says.

    Attributes:
        exits: texts that it may end with.
        prints: texts that it may print.
        guarded: lines of its module in which exceptions are caught.
        unknown_exit: whether it may end with a text that it does not spell out.
        unknown_print: whether it may print one.
        exit_of_lines: whether it may end with lines that it joins.
        imports: modules that it may import, by their names.
    """

    exits: tuple[Template, ...] = ()
    prints: tuple[Template, ...] = ()
    guarded: tuple[Guarded, ...] = ()
    unknown_exit: bool = False
    unknown_print: bool = False
    exit_of_lines: bool = False
    imports: tuple[str, ...] = ()

    def with_module(self, module: Source) -> Source:
        """Return what the source says together with a module that it imports."""
        return replace(
            self,
            exits=self.exits + module.exits,
            prints=self.prints + module.prints,
            unknown_exit=self.unknown_exit or module.unknown_exit,
            unknown_print=self.unknown_print or module.unknown_print,
            exit_of_lines=self.exit_of_lines or module.exit_of_lines,
        )

    def catches(self, line: int, exception: str) -> bool:
        """Whether the module catches such an exception where it raised on ``line``."""
        name = exception.partition(":")[0].rpartition(".")[2].strip()
        families = _families(name)
        return any(
            g.first <= line <= g.last and (not g.names or g.names & families)
            for g in self.guarded
        )

    def exit_text(self, text: str) -> int | None:
        """Return where in ``text`` the last text begins that the script ends with."""
        found = [place for t in self.exits if (place := find(t, text)) is not None]
        return max(found, default=None)

    def printed(self, line: str) -> bool:
        """Whether the script prints a line like this one."""
        return any(_holds(line, t) for t in (*self.prints, *self.exits))


def read_source(source: str | bytes) -> Source | None:
    """Return what a source says; None if it cannot be read."""
    try:
        return _source_of(ast.parse(source, _NAME))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _source_of(tree: ast.Module) -> Source:
    nodes = list(ast.walk(tree))
    named = _named_values(nodes)
    exits, unknown_exit = _texts(nodes, _EXITS, named)
    prints, unknown_print = _texts(nodes, _PRINTS, named)
    return Source(
        exits=exits,
        prints=prints,
        guarded=tuple(_guarded(tree)),
        unknown_exit=unknown_exit,
        unknown_print=unknown_print,
        exit_of_lines=any(map(_joins_lines, _values(nodes, _EXITS, named))),
        imports=tuple(dict.fromkeys(_imports(nodes))),
    )


def _imports(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _named_values(nodes: list[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return what is assigned to each name, and what each function returns (``name()``)."""
    named: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                named.setdefault(_last_name(target), []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and node.value:
            named.setdefault(_last_name(node.target), []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            returned = [n.value for n in ast.walk(node) if isinstance(n, ast.Return)]
            values = [value for value in returned if value]
            named.setdefault(f"{node.name}()", []).extend(values)
    return named


def _texts(
    nodes: list[ast.AST],
    functions: frozenset[str],
    named: dict[str, list[ast.expr]],
) -> tuple[tuple[Template, ...], bool]:
    """Return the texts that functions are called with, and whether there may be others."""
    found: dict[Template, None] = {}
    unknown = False
    for values in _values(nodes, functions, named):
        templates = [_template(value) for value in values]
        known = [template for template in templates if _is_telling(template)]
        found.update(dict.fromkeys(known))
        spelled_out = len(known) == len(templates) or all(map(_is_number, values))
        unknown |= not spelled_out
    return tuple(found), unknown


def _values(
    nodes: list[ast.AST],
    functions: frozenset[str],
    named: dict[str, list[ast.expr]],
) -> Iterator[list[ast.expr]]:
    """Yield what the first argument of each call of some functions may be."""
    for node in nodes:
        if (
            isinstance(node, ast.Call)
            and node.args
            and _last_name(node.func) in functions
        ):
            values = [node.args[0]]
            # sys.exit(main()), where it returns a name: both are looked up.
            for _ in range(_STEPS):
                values = [v for value in values for v in _meant(value, named)][:_VALUES]
            yield values


def _meant(value: ast.expr, named: dict[str, list[ast.expr]]) -> list[ast.expr]:
    """Return what a name stands for, or a call of a function of the source."""
    if isinstance(value, ast.Name):
        return named.get(value.id, [value])
    if isinstance(value, ast.Call):
        return named.get(f"{_last_name(value.func)}()", [value])
    return [value]


def _joins_lines(values: list[ast.expr]) -> bool:
    """Whether one of the values is made of lines that the source joins."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "join"
        and isinstance(node.value, ast.Constant)
        and "\n" in str(node.value.value)
        for value in values
        for node in ast.walk(value)
    )


def find(template: Template, text: str) -> int | None:
    """Return where the last text like ``template`` begins in ``text``."""
    first = next(n for n, part in enumerate(template) if part)
    place = len(text)
    # Near the end is where it stands; a text that is found further up stood there before.
    for _ in range(3):
        place = text.rfind(template[first] or "", 0, place)
        if place < 0:
            return None
        # A progress bar may have left its line open: a text need not begin a line.
        begin = place if first == 0 else text.rfind("\n", 0, place) + 1
        after = place
        for part in template[first:]:
            if part is None:
                continue
            after = text.find(part, after)
            if after < 0:
                break
            after += len(part)
        else:
            # What has much behind it stood there before the end.
            open_end = not template[-1]
            if open_end or text.count("\n", after) <= _LINES_BEHIND:
                return begin
    return None


def _holds(line: str, template: Template) -> bool:
    """Whether a line holds the fixed parts of a text, one behind the other."""
    place = 0
    for part in template:
        place = line.find(part or "", place)
        if place < 0:
            return False
        place += len(part or "")
    return True


def _template(value: ast.expr) -> Template:
    """Return the fixed parts of a text, as far as the source spells it out."""
    parts = list(_parts(value))
    # An output has no blank lines at its end, and those above a text say nothing.
    if parts[0]:
        parts[0] = parts[0].lstrip("\n")
    if parts[-1]:
        parts[-1] = parts[-1].rstrip()
    return tuple(parts)


def _parts(value: ast.expr) -> Iterator[str | None]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        for part in value.values:
            yield from _parts(part)
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        yield from _parts(value.left)
        yield from _parts(value.right)
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
        yield from _split(value.left)
    elif (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == "format"
    ):
        yield from _split(value.func.value)
    elif (
        isinstance(value, ast.Call)
        and value.args
        and _last_name(value.func) in _DEDENTS
    ):
        yield from _changed(value.args[0], textwrap.dedent)
    elif (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in _STRIPS
    ):
        yield from _changed(value.func.value, str.strip)
    else:
        yield None


def _changed(value: ast.expr, change: Callable[[str], str]) -> Iterator[str | None]:
    """Yield the parts of a text that a function changes, as if values were letters."""
    text = "".join(_GAP if part is None else part for part in _parts(value))
    yield from _with_gaps(change(text).split(_GAP))


def _with_gaps(texts: list[str]) -> Iterator[str | None]:
    """Yield fixed parts, with None for each value between two of them."""
    yield texts[0] or None
    for text in texts[1:]:
        yield None
        yield text or None


def _split(value: ast.expr) -> Iterator[str | None]:
    if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        yield None
        return
    yield from _with_gaps(_VALUE.split(value.value))


def _is_telling(template: Template) -> bool:
    return sum(c.isalnum() for part in template if part for c in part) >= _LETTERS


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    return isinstance(value, ast.Constant) and not isinstance(value.value, str)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _guarded(tree: ast.AST) -> Iterator[Guarded]:
    """Yield what the module guards; a function is its own world."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if isinstance(node, ast.Try):
            first, last = node.body[0].lineno, node.body[-1].end_lineno or 0
            for handler in node.handlers:
                if any(isinstance(inner, ast.Raise) for inner in ast.walk(handler)):
                    # It may be passed on: nobody knows.
                    continue
                yield Guarded(first, last, _caught(handler.type))
        yield from _guarded(node)


def _caught(type_: ast.expr | None) -> frozenset[str]:
    if type_ is None:
        return frozenset()
    types = type_.elts if isinstance(type_, ast.Tuple) else [type_]
    names = frozenset(map(_last_name, types))
    return frozenset() if names & {"Exception", "BaseException"} else names


def _families(name: str) -> frozenset[str]:
    """Return the names under which an exception may be caught."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type):
        return frozenset(base.__name__ for base in kind.__mro__)
    return frozenset({name})
