"""``python -m tests.fault_matrix``: writes ``docs/reliability.md`` from the tests.

A test that holds a promise is marked with ``fault(area, what, promise)``: what goes wrong,
and what users may rely on then. A promise that no test holds is printed nowhere.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"


@dataclass(frozen=True, slots=True)
class Area:
    """A kind of faults, with its title and its summary in both languages."""

    title: str
    summary: str
    titre: str
    resume: str


@dataclass(frozen=True, slots=True, order=True)
class Promise:
    """What holds when something goes wrong, and the test that holds it."""

    area: str
    what: str
    promise: str
    test: str


AREAS = {
    "scripts": Area(
        "Scripts",
        "A script that fails, hangs, crashes, floods the disk or leaves processes behind"
        " is a result. The next scripts and the other projects run.",
        "Scripts",
        "Un script qui échoue, se bloque, plante, remplit le disque ou laisse des"
        " processus derrière lui est un résultat. Les scripts suivants et les autres"
        " projets s'exécutent.",
    ),
    "cluster": Area(
        "A cluster",
        "A worker, a scheduler or a coordinator that is lost ends the scripts that it had,"
        " and no script is run twice but by `retries`.",
        "Un cluster",
        "Un worker, un scheduler ou un coordinateur perdu met fin aux scripts qu'il avait,"
        " et aucun script ne s'exécute deux fois sinon par `retries`.",
    ),
    "machine": Area(
        "The computer",
        "A disk that is full or read-only, a folder that vanishes, a refused thread or"
        " descriptor and a missing home folder stop no other script, and are reported.",
        "L'ordinateur",
        "Un disque plein ou en lecture seule, un dossier qui disparaît, un fil"
        " d'exécution ou un descripteur refusé et un dossier personnel absent n'arrêtent"
        " aucun autre script, et sont signalés.",
    ),
    "streams": Area(
        "The runner's own output",
        "A terminal or a pipe that is missing, full, closed or not read changes no exit"
        " code and holds up no script.",
        "La sortie du lanceur lui-même",
        "Un terminal ou un tube absent, plein, fermé ou que personne ne lit ne change"
        " aucun code de sortie et ne retarde aucun script.",
    ),
    "runner": Area(
        "The runner's end",
        "A runner that is killed at any moment leaves records and a log that the next"
        " run completes; each script and each report counts once.",
        "La fin du lanceur",
        "Un lanceur tué à n'importe quel moment laisse un historique et un journal"
        " que l'exécution suivante complète\u00a0; chaque script et chaque rapport compte une"
        " seule fois.",
    ),
    "records": Area(
        "Records",
        "Records that are locked, damaged, read-only or deleted stop no script. What they"
        " miss is filled in from the log.",
        "L'historique",
        "Un historique verrouillé, endommagé, en lecture seule ou supprimé"
        " n'arrête aucun script. Ce qui y manque est complété d'après le journal.",
    ),
    "clocks": Area(
        "Clocks",
        "A clock that is wrong or jumps deletes no history and repeats no success.",
        "L'horloge",
        "Une horloge fausse ou qui saute ne supprime aucun historique et ne répète aucun"
        " succès.",
    ),
    "delivery": Area(
        "Mail servers and other services",
        "A service that refuses, hangs, lies or never stops answering changes no run."
        " Reports wait and are sent later; none is lost silently.",
        "Serveurs de messagerie et autres services",
        "Un service qui refuse, se bloque, ment ou ne cesse de répondre ne change aucune"
        " exécution. Les rapports attendent et sont envoyés plus tard\u00a0; aucun n'est perdu sans"
        " que ce soit dit.",
    ),
    "files": Area(
        "Files of others",
        "A special file, an endless file, a planted link or an odd configuration ends in"
        " a sentence, and only for its own project.",
        "Les fichiers des autres",
        "Un fichier spécial, un fichier sans fin, un lien placé par autrui ou une"
        " configuration étrange aboutit à une phrase, et seulement pour son projet.",
    ),
    "secrets": Area(
        "Secrets",
        "Known secrets appear in no log, record, report, page or message, and the"
        " runner's own reach no script through it.",
        "Les secrets",
        "Les secrets connus n'apparaissent dans aucun journal, historique, rapport,"
        " page ou message, et ceux du lanceur n'atteignent aucun script par lui.",
    ),
}

_HEAD = {
    "en": "# What holds when something goes wrong\n\n"
    "*[Résumé en français](reliability.fr.md)*\n\n"
    "`python -m tests.fault_matrix` writes this page from the tests. Each row names a"
    " fault,\nwhat holds then, and the test that holds it.\n",
    "fr": "# Ce qui tient quand quelque chose tourne mal\n\n"
    "`python -m tests.fault_matrix` écrit cette page à partir des tests. Le détail de"
    " chaque\npanne, avec le test qui garantit la promesse, se trouve dans le\n"
    "[tableau complet, en anglais](reliability.md).\n",
}


@cache
def promises() -> tuple[Promise, ...]:
    """Return what the tests promise, in the order of the areas and of the tests."""
    order = list(AREAS)
    found = sorted(
        (p for path in TESTS.rglob("test_*.py") for p in _promises_of(path)),
        key=lambda p: (order.index(p.area), p.test, p.what),
    )
    return tuple(found)


def _promises_of(path: Path) -> Iterator[Promise]:
    text = path.read_text("utf-8")
    if "mark.fault" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(
                "mark.fault"
            ):
                area, what, promise = (ast.literal_eval(a) for a in mark.args)
                name = f"{path.relative_to(TESTS).as_posix()}::{node.name}"
                yield Promise(area, what, promise, name)


def page() -> str:
    """Return ``docs/reliability.md``."""
    parts = [_HEAD["en"]]
    held = promises()
    for key, area in AREAS.items():
        rows = [
            f"| {p.what} | {p.promise} | `{p.test}` |" for p in held if p.area == key
        ]
        table = "\n".join(
            ["| What goes wrong | What holds | Held by |", "|---|---|---|", *rows]
        )
        parts.append(f"## {area.title}\n\n{area.summary}\n\n{table}\n")
    return "\n".join(parts)


def french_page() -> str:
    """Return ``docs/reliability.fr.md``, the summary in French."""
    counts = [p.area for p in promises()]
    parts = [_HEAD["fr"]]
    parts += [
        f"## {area.titre}\n\n{area.resume}"
        f" ({counts.count(key)} promesses tenues par des tests.)\n"
        for key, area in AREAS.items()
    ]
    return "\n".join(parts)


def main() -> None:
    """Write both pages."""
    (DOCS / "reliability.md").write_text(page(), "utf-8")
    (DOCS / "reliability.fr.md").write_text(french_page(), "utf-8")


if __name__ == "__main__":
    main()
