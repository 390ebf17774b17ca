"""Tables of the pages in ``docs/``, in both languages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.compare import Row
    from benchmarks.curves import Curve
    from benchmarks.ratios import Spread

#: What the tables say in French; in English it stands here as it is.
FRENCH = {
    "runner": "lanceur",
    "median ratio": "rapport médian",
    "least to most": "du plus petit au plus grand",
    "rounds": "tours",
    "added ms a script": "ms de plus par script",
    "peak MiB": "Mio au plus",
    "scripts that ran": "scripts lancés",
    "exit code": "code de sortie",
    "version": "version",
    "fact": "donnée",
    "value": "valeur",
    "processors": "processeurs",
    "memory": "mémoire",
    "system": "système",
    "file system": "système de fichiers",
    "sync": "synchronisation",
    "busy": "charge moyenne au début",
    "growth": "croissance",
    "not measured": "non mesuré",
    "sh loop": "boucle sh",
    "sh loop that logs": "boucle sh avec journal",
    "subprocess.run loop": "boucle subprocess.run",
    "the original": "l'original",
    "Python Runner, warm": "Python Runner, à chaud",
    "Python Runner, warm, preload": "Python Runner, à chaud, préchargé",
    "scripts": "scripts",
    "runs": "exécutions",
    "MB": "Mo",
    "secrets": "secrets",
    "folders of output": "dossiers de sortie",
    "sleeping processes": "processus qui dorment",
    "at a time": "à la fois",
    "processor times": "fois le processeur",
    "xargs -P 8, wall": "xargs -P 8, temps réel",
    "opening": "ouverture",
    "history of a project": "history d'un projet",
    "history of all": "history de tout",
    "independent": "indépendants",
    "a chain": "une chaîne",
    "none of them in it": "aucun ne s'y trouve",
    "one in it": "l'un s'y trouve",
    "all of them young": "tous récents",
    "all of them old": "tous anciens",
    "removed": "supprimés",
    "wall": "temps réel",
    "times": "fois",
    "times the ideal": "fois l'idéal",
    "recorded too long": "enregistré en trop",
    "CPU s": "s de processeur",
    "CPU ms": "ms de processeur",
    "CPU ms a script": "ms de processeur par script",
    "CPU µs a script": "µs de processeur par script",
    "wall ms a script": "ms de temps réel par script",
    "CPU ms a run": "ms de processeur par exécution",
    "CPU ms a MB": "ms de processeur par Mo",
    "nothing but its run": "rien d'autre que son exécution",
    "one at a time only": "un seul à la fois",
    "nothing to import ahead": "rien à importer d'avance",
    "pip cannot install it on this machine": "pip ne peut pas l'installer sur cette machine",
    "projects": "projets",
    "number": "nombre",
    "false marks a project and year": "fausses alertes par projet et par an",
    "faults found": "pannes trouvées",
    "fault": "panne",
    "found": "trouvée",
    "found, held out": "trouvée, projets à part",
    "developed with": "pour la mise au point",
    "held out": "mis à part",
    "steady": "constant",
    "noise": "bruit",
    "weekdays": "jours de la semaine",
    "holidays": "jours fériés",
    "month ends": "fins de mois",
    "seasons": "saisons",
    "bursts": "pointes",
    "days without work": "jours sans travail",
    "a handful": "une poignée",
    "hourly": "toutes les heures",
    "changes that stay": "changements durables",
    "backlog": "arriéré",
    "twice a month": "deux fois par mois",
    "full and partial": "complet et partiel",
    "everything at once": "tout à la fois",
    "caches": "caches",
    "seldom": "rare",
    "holiday seasons": "périodes de congés",
    "no rows": "aucune ligne lue",
    "early exit": "fin immédiate",
    "no output": "rien d'affiché",
    "errors logged": "erreurs signalées",
    "far too slow": "bien trop lent",
    "file cut": "fichier coupé",
    "costs": "coûts",
    "a run": "une exécution",
    "a script": "un script",
    "a report": "un rapport",
    "deleting": "suppression",
    "bytes a script": "octets par script",
    "in the records": "dans l'historique",
    "in the log": "dans le journal",
    "in its output": "dans sa sortie",
    "scripts a day": "scripts par jour",
    "runs at the same time, at most": "exécutions simultanées, au plus",
    "places so that none waits more than 15 min": "places pour qu'aucune n'attende plus de 15 min",
    "processors taken by Python Runner": "part des processeurs prise par Python Runner",
    "longest wait for a processor": "plus longue attente d'un processeur",
    "emails": "e-mails",
    "longest wait of an email": "plus longue attente d'un e-mail",
    "memory of all runs at once": "mémoire de toutes les exécutions simultanées",
    "GiB": "Gio",
    "GB": "Go",
    "all that is kept": "tout ce qui est gardé",
    "deleting what is old": "suppression de ce qui est ancien",
    "what stops": "ce qui arrête",
    "the scripts' own work": "le travail des scripts eux-mêmes",
    "mailbox": "boîte aux lettres",
    "disk": "disque",
    "mailbox, for a while": "boîte aux lettres, par moments",
    "processors, for a while": "processeurs, par moments",
    "its installation broke off": "son installation a été interrompue",
}
_BLOCK = "<!-- {name} -->\n{text}\n<!-- /{name} -->"


def said(text: str, language: str) -> str:
    """Return a word of the tables in a language, or two with a colon between them."""
    if language != "fr":
        return text
    return "\N{NO-BREAK SPACE}: ".join(
        FRENCH.get(part, part) for part in text.split(": ")
    )


def number(value: float, language: str, digits: int = 2) -> str:
    """Return a number with three figures or so, as a language writes it."""
    # Measured, not counted: further digits would say nothing.
    digits = digits if abs(value) < 10 else 1 if abs(value) < 100 else 0  # noqa: PLR2004
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "fr" else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def comparison(
    rows: Sequence[Row], language: str, *, scripts: int, failing: bool = False
) -> str:
    """Return the table of one comparison, the quickest first, and what is missing."""
    head = ["runner", "median ratio", "least to most", "rounds"]
    if scripts:
        head += ["added ms a script", "peak MiB"]
    if failing:
        head += ["scripts that ran", "exit code"]
    lines = []
    measured = [(row.ratio, row) for row in rows if row.ratio]
    for ratio, row in sorted(measured, key=lambda pair: pair[0].median):
        cells = [_name(row.peer, language), *_ratio(ratio, language)]
        if scripts:
            cells += [number(row.added, language, 1), f"{row.peak:.0f}"]
        if failing:
            cells += [f"{row.ran}/{scripts}", str(row.code)]
        lines.append(cells)
    text = table([said(word, language) for word in head], lines)
    missing = [row for row in rows if not row.ratio]
    if missing:
        colon = "\N{NO-BREAK SPACE}:" if language == "fr" else ":"
        named = "; ".join(
            f"{said(row.peer, language)} ({said(row.reason, language)})"
            for row in missing
        )
        text += f"\n\n{said('not measured', language).capitalize()}{colon} {named}."
    return text.replace(";", "\N{NO-BREAK SPACE};") if language == "fr" else text


def _name(peer: str, language: str) -> str:
    name = said(peer, language)
    return f"**{name}**" if peer.startswith("Python Runner") else name


def _ratio(ratio: Spread, language: str) -> list[str]:
    least, most = number(ratio.least, language), number(ratio.most, language)
    return [number(ratio.median, language), f"{least} – {most}", str(ratio.count)]  # noqa: RUF001


def pairs(values: Mapping[str, str], head: tuple[str, str], language: str) -> str:
    """Return a table of names and values."""
    comma = "," if language == "fr" else "."
    rows = [
        [said(name, language), re.sub(r"^(\d+)\.(\d+)(?= |$)", rf"\1{comma}\2", value)]
        if name in {"sync", "busy"}
        else [said(name, language), value]
        for name, value in values.items()
    ]
    return table([said(word, language) for word in head], rows)


def whole(count: int, language: str) -> str:
    """Return a count with its thousands apart, as a language writes it."""
    text = f"{count:,}"
    return text.replace(",", "\N{NO-BREAK SPACE}") if language == "fr" else text


def curve(found: Curve, language: str, *, growing: bool = True) -> str:
    """Return the table of one curve: a column a size, and how it grows."""
    head = [said(found.what, language), *(whole(n, language) for n in found.sizes)]
    lines = []
    for name, costs in found.costs.items():
        if growing:
            measured = [number(c, language) if c is not None else "" for c in costs]
            cells = [*measured, _growth(found, name, language)]
        else:
            cells = [_cell(cost, language) for cost in costs]
        lines.append([said(name, language), *cells])
    return table([*head, said("growth", language)] if growing else head, lines)


def _cell(cost: float | None, language: str) -> str:
    if cost is None:
        return ""
    counted = isinstance(cost, int)
    return whole(int(cost), language) if counted else number(cost, language)


def _growth(found: Curve, name: str, language: str) -> str:
    power = found.power(name)
    return "" if power is None else f"n^{number(power, language)}"


def replace(page: str, name: str, text: str) -> str:
    """Return a page with another text between the marks of a name.

    Raises:
        ValueError: it has no such marks.
    """
    pattern = rf"<!-- {re.escape(name)} -->\n.*?<!-- /{re.escape(name)} -->"
    new, count = re.subn(
        pattern,
        lambda _match: _BLOCK.format(name=name, text=text),
        page,
        flags=re.DOTALL,
    )
    if not count:
        raise ValueError(f"the page has no place for {name}")
    return new
