"""Makes mutants: a module with one small defect each, for tests that should see it."""

from __future__ import annotations

import ast
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass


_MOST_IN_A_LINE = 2
_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "//",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
}
_FUNCTIONS = {"any": "all", "all": "any", "min": "max", "max": "min"}
#: What a mutant of these would change is a word, or nothing at all.
_PASSED_OVER = frozenset({"N_", "_", "field", "TypeVar", "TypeError", "gettext"})
_SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\s")
#: What is replaced in a statement of SQL, and by what.
_CLAUSES = (
    (r"\bORDER BY [^()\"']+?(?=\s+LIMIT\b|\s*[)\"'])", ""),
    (r"\bLIMIT (?::\w+|\?|\d+)", ""),
    (r" DESC\b", ""),
    (r"\bAND\b", "OR"),
    (r"\bOR\b(?! IGNORE| REPLACE)", "AND"),
    (r">=", ">"),
    (r"<(?![=>])", "<="),
    (r"\bIS NULL\b", "IS NOT NULL"),
    (r"\bIS NOT NULL\b", "IS NULL"),
    (r"\bmax\(", "min("),
)
#: The first alternative of a regular expression, and any further one.
_ALTERNATIVES = (
    (r"(?<=[(:^\"'])[\w .~-]{2,}\|", ""),
    (r"\|[\w .:~-]{2,}(?=[|)\"'])", ""),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one defect.

    Attributes:
        name: the function, what stood there, and what stands there now; the same after
            a change elsewhere in the module.
        line: where that is.
        source: the module's whole text.
    """

    name: str
    line: int
    source: str


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def mutants_of(source: str) -> list[Mutant]:
    """Return every mutant of a module, in the order of its lines."""
    data = source.encode()
    starts = [0]
    for row in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    counts: Counter[str] = Counter()
    mutants = []
    for place, edit in sorted(
        _Finder(data, starts).edits, key=lambda found: (found[1].start, found[1].end)
    ):
        text = (data[: edit.start] + edit.text.encode() + data[edit.end :]).decode()
        if not _compiles(text):
            continue
        line = data.count(b"\n", 0, edit.start) + 1
        # The rest of the line tells mutants of one function apart.
        whole = data.splitlines()[line - 1].decode().strip()
        before = " ".join(data[edit.start : edit.end].decode().split())
        name = f"{place}: {before} -> {' '.join(edit.text.split())} in {whole}"
        counts[name] += 1
        if counts[name] > 1:
            name += f" (number {counts[name]})"
        mutants.append(Mutant(name, line, text))
    return mutants


def sample(mutants: list[Mutant], size: int, seed: str) -> list[Mutant]:
    """Return ``size`` of them at most, two of a line at most, the same for one seed."""
    shuffled = random.Random(seed).sample(mutants, len(mutants))  # noqa: S311
    lines: defaultdict[int, int] = defaultdict(int)
    chosen: list[Mutant] = []
    for mutant in shuffled:
        if len(chosen) < size and lines[mutant.line] < _MOST_IN_A_LINE:
            lines[mutant.line] += 1
            chosen.append(mutant)
    return sorted(chosen, key=lambda mutant: (mutant.line, mutant.name))


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Collects the edits of a module, each with the function it is in."""

    def __init__(self, data: bytes, starts: list[int]) -> None:
        self.edits: list[tuple[str, _Edit]] = []
        self._data = data
        self._starts = starts
        self._place: list[str] = []
        self.visit(ast.parse(data))

    def _span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self._data[start:end].decode()

    def _edit(self, start: int, end: int, text: str) -> None:
        place = ".".join(self._place) or "module"
        self.edits.append((place, _Edit(start, end, text)))

    def _replace(self, node: ast.expr, text: str) -> None:
        self._edit(*self._span(node), text)

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """Replace the operator between two operands, parentheses kept."""
        start, end = self._span(left)[1], self._span(right)[0]
        gap = self._data[start:end].decode()
        pattern = rf"\b{old}\b" if old.isalpha() else re.escape(old)
        if found := re.search(pattern, gap):
            before = len(gap[: found.start()].encode())
            self._edit(start + before, start + before + len(found[0]), new)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._place.append(node.name)
        # Neither decorators nor annotations: they change no behaviour of ours.
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        self._body(node.body)
        self._place.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._place.append(node.name)
        self._body(node.body)
        self._place.pop()

    def visit_Module(self, node: ast.Module) -> None:
        self._body(node.body)

    def _body(self, body: list[ast.stmt]) -> None:
        for statement in body:
            text = isinstance(statement, ast.Expr) and isinstance(
                statement.value, ast.Constant
            )
            if not text and not isinstance(statement, ast.Assert):
                self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node.test, (ast.Name, ast.Attribute, ast.Call)):
            self._replace(node.test, f"not {self._text(node.test)}")
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        # A loop whose condition is turned mostly never ends: tests see that late.
        for child in (*node.body, *node.orelse):
            self.visit(child)
        if not isinstance(node.test, ast.Constant):
            self.visit(node.test)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        if "sys.platform" not in ast.unparse(node.test):
            self._replace(node.test, f"(not ({self._text(node.test)}))")
            self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        value = node.value
        if value is None:
            return
        if not isinstance(value, ast.Constant):
            self._replace(value, "None")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if "sys.platform" in ast.unparse(node):
            return
        lefts = [node.left, *node.comparators]
        for left, operator, right in zip(
            lefts, node.ops, node.comparators, strict=False
        ):
            old = ast.unparse(ast.Compare(ast.Name("a"), [operator], [ast.Name("b")]))
            old = old.removeprefix("a ").removesuffix(" b")
            for new in _COMPARISONS[type(operator)]:
                self._between(left, right, old, new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new)
        for operand in node.values:
            self._replace(operand, "True" if old == "and" else "False")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.Not, ast.USub)):
            self._replace(node, f"({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        plain = not any(_is_text(side) for side in (node.left, node.right))
        if plain and (new := _ARITHMETIC.get(type(node.op))):
            self._between(node.left, node.right, _symbol(node.op), new)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        called = ast.unparse(function).rpartition(".")[2]
        if called in _PASSED_OVER:
            return
        if isinstance(function, ast.Name) and function.id in _FUNCTIONS:
            self._replace(function, _FUNCTIONS[function.id])
        for keyword in node.keywords:
            if keyword.arg:
                start, end = self._span(keyword)
                rest = re.match(rb"\s*,", self._data[end:])
                before = re.search(rb",\s*$", self._data[:start])
                if rest:
                    self._edit(start, end + rest.end(), "")
                elif before:
                    self._edit(before.start(), end, "")
                else:
                    self._edit(start, end, "")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        # Its words are for people; what raises it is mutated already.
        del node

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if (
                isinstance(key, ast.Constant)
                and isinstance(value, ast.Constant)
                and isinstance(value.value, str)
            ):
                self._replace(value, repr("XX" + value.value))
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._inside_text(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if value is True or value is False:
            self._replace(node, str(not value))
        elif isinstance(value, int):
            self._replace(node, str(value + 1))
        elif isinstance(value, float):
            self._replace(node, repr(value + 1))
        elif isinstance(value, str):
            self._inside_text(node)

    def _inside_text(self, node: ast.Constant | ast.JoinedStr) -> None:
        start, _end = self._span(node)
        literal = self._text(node)
        rules = _CLAUSES if _SQL.match(literal.lstrip("f\"'")) else _ALTERNATIVES
        for pattern, new in rules:
            for found in re.finditer(pattern, literal):
                before = start + len(literal[: found.start()].encode())
                self._edit(before, before + len(found[0].encode()), new)


def _symbol(operator: ast.operator) -> str:
    text = ast.unparse(ast.BinOp(ast.Name("a"), operator, ast.Name("b")))
    return text.removeprefix("a ").removesuffix(" b")


def _is_text(node: ast.expr) -> bool:
    """Say whether a minus behind it would be an error that every test sees."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, bytes))
    return isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple))
