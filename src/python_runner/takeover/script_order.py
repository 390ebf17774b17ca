"""Which Python files of a folder are a series, and in which order they run."""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Python files that do not belong to a series.
_NO_SCRIPT = lazy_pattern(
    r"(?:setup|conftest|noxfile|fabfile|dodo|tasks|manage|wsgi|asgi|gunicorn_conf|gunicorn\.conf"
    r"|versioneer|sitecustomize|usercustomize|__\w+__|tests?|test_.*|.*_tests?|example_runner)"
    r"\.py",
    re.IGNORECASE,
)
#: Folders that hold no scripts of a series.
_NO_FOLDER = lazy_pattern(
    r"\..*|_.*|.*\.egg-info|v?env\d*|virtualenv|build|dist|sdist|wheels|node_modules"
    r"|site-packages|tests?|testing|docs?|migrations|alembic|versions|logs?|archives?|old"
    r"|anciens?|backups?|sauvegardes?|vendor|third_party|htmlcov|notebooks|conda|examples?",
    re.IGNORECASE,
)
#: Words of names by what a script of that name does, first to last. Stems of both
#: languages, without accents.
_STEPS = (
    "init initialise initialize prepare_env setup start debut demarrage",
    (
        "extract extraction extraire download telecharge telechargement "
        "telecharger fetch get import importe importer importation collect "
        "collecte ingest ingestion scrape crawl read lire lecture pull recupere "
        "recuperation recuperer acquisition"
    ),
    (
        "clean cleaning nettoie nettoyage nettoyer validate validation check "
        "controle verifie verification normalize normalise normalisation dedup "
        "dedupe"
    ),
    (
        "transform transformation transformer transforme process processing "
        "traite traitement traiter compute calcul calcule calculer convert "
        "convertir conversion merge fusion fusionne join aggregate agrege "
        "agregation enrich prepare preparation train model predict analyse "
        "analyze"
    ),
    (
        "load loading charge chargement charger insert store save write ecrit "
        "ecriture upsert sync synchronise integration integre"
    ),
    ("export exporte exporter exportation extract_out upload depot publie publish"),
    (
        "report reports rapport rapports reporting dashboard summary bilan plot "
        "graph graphique graphiques"
    ),
    ("send envoi envoie envoyer mail email notify notifie notification alert alerte"),
    "cleanup archive archivage archiver purge purger finish fin end clear",
)
_STEP_OF = {word: at for at, words in enumerate(_STEPS) for word in words.split()}
#: A name without such a word stands between what prepares data and what stores it.
_UNKNOWN = 3
_NUMBER = lazy_pattern(
    r"(?:(?:step|etape|job|script|phase|part|partie|s|p|e)[ _.-]?)?(\d+)(?!\d)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A Python file: its path in the project, with slashes, and its text."""

    path: str
    text: str


def may_be_script(name: str) -> bool:
    """Say whether a file's name is none of tools and tests."""
    return not _NO_SCRIPT.fullmatch(name)


def may_hold_scripts(name: str) -> bool:
    """Say whether a folder's name is none of environments, builds and tests."""
    return not _NO_FOLDER.fullmatch(name)


def series(sources: Sequence[Source]) -> list[str]:
    """Return the scripts among files, in the order in which they run.

    A script does something when it starts, and no other file imports it. Where no file is
    such a one, all that nobody imports are taken, else all.
    """
    parts = [(source, *_read(source.text)) for source in sources]
    imported = set[str]()
    for source, names, _works in parts:
        imported |= {name for name in names if name != _module(source.path)}
    free = [
        (source.path, works)
        for source, _names, works in parts
        if not _is_imported(source.path, imported)
    ]
    chosen = [path for path, works in free if works]
    chosen = chosen or [path for path, _works in free]
    return sorted(chosen or [source.path for source in sources], key=order_key)


def order_key(path: str) -> tuple[object, ...]:
    """Return what paths are sorted by: numbers, then known words, then names."""
    folder, _, name = path.rpartition("/")
    stem = _ascii(name.removesuffix(".py"))
    match = _NUMBER.match(stem)
    if match:
        return (_natural(folder), 0, int(match[1]), 0, _natural(stem), path)
    return (_natural(folder), 1, 0, _step(stem), _natural(stem), path)


def _step(stem: str) -> int:
    """Return the place of a name among the steps, by the first word that is known."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem)
    words = [word for word in re.split(r"[^a-z]+", spaced.lower()) if word]
    return next((_STEP_OF[word] for word in words if word in _STEP_OF), _UNKNOWN)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts ``2`` before ``10``."""
    parts = re.split(r"(\d+)", text.lower())
    return tuple(
        (1, int(part[:18]), "") if part.isdigit() and part.isascii() else (0, 0, part)
        for part in parts
        if part
    )


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char))


def _module(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".py")


def _is_imported(path: str, imported: Iterable[str]) -> bool:
    dotted = path.removesuffix(".py").replace("/", ".")
    names = {dotted, _module(path)}
    return any(name in names for name in imported)


def _read(text: str) -> tuple[set[str], bool]:
    """Return the modules that a file imports, and whether it does something."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Of another version of Python, or with a mistake: nobody can tell.
        return set(), bool(text.strip())
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names |= {f"{module}.{alias.name}".strip(".") for alias in node.names}
            names |= {module} if module else {alias.name for alias in node.names}
    return names, any(_does_something(node) for node in tree.body)


def _does_something(node: ast.stmt) -> bool:
    """Say whether a statement at the top of a file is work, and no definition."""
    quiet = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AnnAssign,
        ast.AugAssign,
        ast.Pass,
        ast.Global,
        ast.Assert,
        ast.Delete,
    )
    if isinstance(node, quiet):
        # Reading a file or a table at the top is work, a logger's name is none.
        return False
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant) and not _prepares(node.value)
    if isinstance(node, ast.If):
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return False
        return _is_guard(node) or any(map(_does_something, [*node.body, *node.orelse]))
    if isinstance(node, ast.Try):
        return any(map(_does_something, [*node.body, *node.orelse, *node.finalbody]))
    return True


def _is_guard(node: ast.If) -> bool:
    return "__name__" in ast.unparse(node.test)


def _prepares(value: ast.expr) -> bool:
    """Say whether a call only prepares: modules of helpers have such lines as well."""
    if not isinstance(value, ast.Call):
        return False
    name = ast.unparse(value.func)
    return name in {
        "logging.basicConfig",
        "load_dotenv",
        "dotenv.load_dotenv",
        "sys.path.append",
        "sys.path.insert",
        "warnings.filterwarnings",
        "warnings.simplefilter",
        "locale.setlocale",
        "random.seed",
        "np.random.seed",
    } or name.endswith(
        (".set_option", ".addHandler", ".setLevel", ".append", ".register")
    )
