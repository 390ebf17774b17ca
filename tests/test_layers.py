from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import python_runner


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.support import MakeProject


pytestmark = pytest.mark.source

PACKAGE = Path(python_runner.__file__).parent
#: The layers, from the top down. A package imports itself, ``python_runner`` packages of
#: lower layers, and nothing of its own layer or above.
LAYERS = (
    {"__main__"},
    {"cli"},
    {"doctor", "web"},
    {"scheduling"},
    {"__init__"},
    {"helpers"},
    {"runner"},
    {"delivery", "cluster"},
    {"report", "config", "takeover", "fleet"},
    {
        "records",
        "execution",
        "policy",
        "trends",
        "unusual",
        "days_off",
        "due_times",
        "expected_files",
        "differences",
        "source_diff",
        "imported_files",
    },
    {"tracebacks", "hints", "output_metrics", "unusual_bounds"},
    {"model"},
    {"output_text", "source_text"},
    {"source_places"},
    {"masking"},
    {"exceptions"},
    {
        *("texts", "files", "channels", "secret_values", "exit_codes"),
        *("computer", "installation", "version", "waiting"),
    },
    {"patterns", "file_patterns", "facts", "hashes"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
#: Which packages may import these modules, and so may do what they do.
ALONE = {
    "sqlite3": {"records"},
    "subprocess": {"execution", "scheduling"},
    "psutil": {"execution"},
    # Whoever imports one of these can open a connection.
    "socket": {"delivery", "web"},
    "ssl": {"delivery"},
    "http.client": {"delivery"},
    "smtplib": {"delivery"},
    "urllib.request": {"delivery"},
    "msal": {"delivery"},
    "msal_extensions": {"delivery"},
    "http.server": {"delivery"},
    "socketserver": {"delivery"},
    # Only the library itself can judge the addresses of its services.
    "apprise": {"delivery", "config"},
    "jinja2": {"report", "web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "click": {"cli"},
    "distributed": {"cluster"},
}
#: Names that anybody may take from such a module.
HARMLESS = {
    "socket.gethostname",  # asks the machine for its name, and opens no connection
    "socket.socketpair",  # nobody else can connect to either of the two
    "socket.send_fds",
}
#: How a statement of SQL begins, inside a literal of any form.
SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM"
    r"|PRAGMA\s+\w+|WITH\s+\w+\s+AS\s*\()",
    re.DOTALL | re.IGNORECASE,
)
MODULES = sorted(PACKAGE.rglob("*.py"))


def package_of(path: Path) -> str:
    """Return the package, or the module beside them, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path, *, lazy: bool = True) -> Iterator[str]:
    """Yield the dotted names a module imports, those for types alone included.

    ``from a import b`` is ``a.b``, whether that is a module or a name in one. Without
    ``lazy`` the imports inside functions are left out.
    """
    for node in nodes_of(ast.parse(path.read_text(encoding="utf-8")), lazy=lazy):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def nodes_of(tree: ast.AST, *, lazy: bool) -> Iterator[ast.AST]:
    """Yield all nodes of a tree; without ``lazy`` none that a function holds."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if lazy or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from nodes_of(node, lazy=lazy)


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_cycle(graph: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return modules that import each other in a circle; none where there is none."""
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def literals_of(path: Path) -> Iterator[str]:
    """Yield the strings of a module; each value in an f-string becomes a question mark."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "?"
                for part in node.values
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A package imports only itself and the packages of lower layers."""
    own = package_of(path)
    for name in imports_of(path):
        package, _, rest = name.partition(".")
        if package != "python_runner" or not rest:
            continue
        other = rest.partition(".")[0]
        assert other == own or LEVEL[other] > LEVEL[own], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_some_packages_import_it(path: Path) -> None:
    """Only delivery opens connections, only execution looks at processes, and so on."""
    for name in set(imports_of(path)) - HARMLESS:
        for module, owners in ALONE.items():
            if f"{name}.".startswith(f"{module}."):
                assert package_of(path) in owners, f"{path.name}: {name}"


def test_no_modules_import_each_other() -> None:
    """Inside a package, too, imports point one way, those for types alone included."""
    names = {name_of(path) for path in MODULES}

    def imported(path: Path) -> set[str]:
        found = set(imports_of(path, lazy=False))
        return (found | {name.rpartition(".")[0] for name in found}) & names

    graph = {name_of(path): imported(path) - {name_of(path)} for path in MODULES}
    assert find_cycle(graph) == ()


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_records_speak_sql(path: Path) -> None:
    """No statement of SQL stands outside the records, not even as a text."""
    if package_of(path) != "records":
        assert [text for text in literals_of(path) if SQL.match(text)] == []


def test_only_the_command_line_prints_and_exits() -> None:
    """The library never prints and never ends the process."""
    for path in MODULES:
        # What lies in "startup" runs inside of scripts' interpreters.
        if package_of(path) in {"cli", "__main__"} or path.parent.name == "startup":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"print", "sys.exit", "exit", "os._exit"}, path


def test_the_command_line_prints_in_one_place() -> None:
    """A stream may be missing, full or unread: one module knows what to do then."""
    # ``--version`` loads no streams; it writes where nothing stands in the way, or not.
    aware = {"streams.py", "__init__.py"}
    direct = {"print", "click.echo", "click.secho", "sys.stdout", "sys.stderr"}
    for path in MODULES:
        if package_of(path) != "cli" or (
            path.parent.name == "cli" and path.name in aware
        ):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Name, ast.Attribute)):
                assert ast.unparse(node) not in direct, path


def test_a_run_without_an_application_signs_nothing_in(
    make_project: MakeProject, tmp_path: Path
) -> None:
    """What only the token transports need is not loaded by a run that sends a mail."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")
    environ = os.environ | {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(tmp_path / "m")}
    code = (
        "import sys; from python_runner import Runner;"
        f"Runner({str(folder)!r}, ['ann@example.org']).run(['main.py']);"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert list((tmp_path / "m").glob("*.eml"))
    assert not {"msal", "requests", "http.client"} & set(loaded)


def test_exported_names_are_sorted_and_there() -> None:
    """__all__ lists what can be imported, in order."""
    assert python_runner.__all__ == sorted(python_runner.__all__)
    for name in python_runner.__all__:
        assert getattr(python_runner, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        python_runner.nothing  # noqa: B018


def test_the_architecture_page_names_files_that_exist() -> None:
    """Who looks for the place of a change is sent to a file that is there."""
    page = Path(__file__).parents[1].joinpath("docs/architecture.md").read_text("utf-8")
    table = page[page.index("## I want to change") : page.index("## Decisions")]
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.py|\.po|/))`", table, re.IGNORECASE)

    assert len(named) > 40
    assert [file for file in named if not (PACKAGE / file).exists()] == []


def test_the_architecture_page_names_each_dependency() -> None:
    """Each has its reason there, those of tests and development as well."""
    root = Path(__file__).parents[1]
    page = root.joinpath("docs/architecture.md").read_text("utf-8")
    reasons = page[page.index("## Dependencies") : page.index("## Releases")].lower()
    project = tomllib.loads(root.joinpath("pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    wanted += [line for extra in extras.values() for line in extra]
    names = {re.split(r"[\[<>=;~ ]", line)[0] for line in wanted}
    aliases = {"myst-parser": "myst", "python-series-runner": ""}

    assert len(names) > 30
    assert [n for n in sorted(names) if aliases.get(n, n) not in reasons] == []
