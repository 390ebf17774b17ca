"""``python -m tests.hint_table``: writes the tables of the pages about hints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.hints import data, endings, files, modules, network, session
from python_runner.texts.sentence import catalogue
from tests.hints.examples import EXAMPLES
from tests.hints.raised import RAISED, WINDOWS_CASES


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.hints.endings import EndRule
    from python_runner.hints.rule import Rule
    from tests.hints.examples import Example

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"en": DOCS / "hints.md", "fr": DOCS / "hints.fr.md"}
GROUPS: dict[str, Iterable[Rule | EndRule]] = {
    "modules": modules.RULES,
    "session": session.RULES,
    "files": files.RULES,
    "data": data.RULES,
    "network": network.RULES,
    "endings": (*endings.RULES, *endings.ANY_END, *endings.NO_EXCEPTION),
}
HEADS = {
    "en": ("what is seen", "hint", "known from"),
    "fr": ("ce qui apparaît", "conseil", "connu par"),
}
BEGIN, END = "<!-- hints: {group} -->", "<!-- end of hints -->"
#: How a rule is known to be right, by language.
RAISED_WORDS = {"en": "a test raises it", "fr": "un test la provoque"}
ON_WINDOWS = {
    "en": "a test raises it on Windows",
    "fr": "un test la provoque sous Windows",
}
SEEN = {"en": "seen: {source}", "fr": "vu\u00a0: {source}"}
QUOTED = {"en": "quoted: {source}", "fr": "cité\u00a0: {source}"}
EXIT_CODE = {"en": "exit code {code}", "fr": "code de sortie {code}"}
TIMED_OUT = {"en": "timed out", "fr": "délai dépassé"}
#: Exit codes from here on are numbers of Windows.
_WINDOWS = 0x80000000
#: Characters of a message that are shown.
_MOST = 110


def _shown(example: Example, language: str) -> str:
    if example.line or isinstance(example.end, str):
        line = example.line or str(example.end)
        if line == "timeout":
            return TIMED_OUT[language]
        line = " ".join(line.split())
        shown = line if len(line) <= _MOST else f"{line[: _MOST - 1]}…"
        return f"`{shown}`"
    code = f"0x{example.end:08X}" if example.end >= _WINDOWS else str(example.end)
    return EXIT_CODE[language].format(code=code)


def _source(name: str, language: str) -> str:
    example = EXAMPLES[name]
    if name in RAISED:
        return (ON_WINDOWS if name in WINDOWS_CASES else RAISED_WORDS)[language]
    words = QUOTED if example.quoted else SEEN
    return words[language].format(source=example.source)


def table(group: str, language: str) -> str:
    """Return the table of some rules in a language."""
    words = catalogue(language).gettext
    rows = [HEADS[language], ("---",) * len(HEADS[language])]
    for rule in GROUPS[group]:
        # The values of a sentence are only known where it is said.
        hint = re.sub(r"\{\w+\}", "…", words(rule.words))
        rows.append(
            (_shown(EXAMPLES[rule.name], language), hint, _source(rule.name, language))
        )
    cells = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def written(page: str, language: str) -> str:
    """Return a page with its tables made anew."""
    for group in GROUPS:
        begin = BEGIN.format(group=group)
        before, _mark, rest = page.partition(begin)
        _old, _mark, after = rest.partition(END)
        page = f"{before}{begin}\n\n{table(group, language)}\n{END}{after}"
    return page


if __name__ == "__main__":
    for language, path in PAGES.items():
        path.write_text(written(path.read_text("utf-8"), language), encoding="utf-8")
