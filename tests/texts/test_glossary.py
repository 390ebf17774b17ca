"""The sentences for people and the pages keep to the words of the glossary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome, RunStatus
from python_runner.texts.sentence import catalogue


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


pytestmark = pytest.mark.source

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "src/python_runner/locale/fr/LC_MESSAGES/python_runner.po"
#: Pages whose words are those of people who change Python Runner, or other people's.
INNER = {"architecture.md", "mutation.md", "windows-tests.md", "reliability.md"}
USERS = sorted(
    path
    for path in (*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md"))
    if path.name not in INNER and not path.name.startswith("glossary")
)
#: What keeps its own words: code, addresses, and the labels of Microsoft's screens.
VERBATIM = re.compile(
    r"```.*?```|`[^`]*`|python-runner(?: (?:mail )?[a-z]+)?|Python Runner|\{\w+\}"
    r"|\]\([^)]*\)|<[^>\n]*>|https?://\S+|\*[^*\n]+\*|\"[^\"\n]*\"|\u00ab[^\u00bb]*\u00bb"
    # Labels of Microsoft's screens.
    r"|'[A-Z][^']*'|admin center.*|Mail\.Send",
    re.DOTALL,
)

pofile = pytest.importorskip("babel.messages.pofile")


@dataclass(frozen=True, slots=True)
class Term:
    """One line of the glossary."""

    english: tuple[str, ...]
    not_english: tuple[str, ...]
    french: tuple[str, ...]
    not_french: tuple[str, ...]


def glossary(page: str) -> list[Term]:
    """Return the lines of the glossary's tables."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    rows = re.findall(r"^\| (?!anglais|English)(.*) \|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in row.split("|")] for row in rows]
    return [
        Term(*(tuple(filter(None, re.split(r"; ?", cell))) for cell in row[:4]))
        for row in cells
        if len(row) == 5
    ]


TERMS = glossary("glossary.md")


def words(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds one of several phrases: whole words, singular or plural."""
    endings = r"(?:s|x|es)?\b"
    found = "|".join(re.escape(phrase) + endings for phrase in phrases)
    return re.compile(rf"(?<![\w-])(?:{found})" if found else r"(?!)", re.IGNORECASE)


def stems(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds one of several phrases in any of its endings."""
    cut = [phrase[: -2 if len(phrase) > 5 else len(phrase)] for phrase in phrases]
    return re.compile("|".join(map(re.escape, cut)), re.IGNORECASE)


ENGLISH = tuple(phrase for term in TERMS for phrase in term.english)
FRENCH = tuple(phrase for term in TERMS for phrase in term.french)
NOT_ENGLISH = words(tuple(phrase for term in TERMS for phrase in term.not_english))
NOT_FRENCH = words(tuple(phrase for term in TERMS for phrase in term.not_french))


def wrong_words(text: str, *, french: bool) -> list[str]:
    """Return the words of a text that the glossary forbids, each with what is around it."""
    right, wrong = (FRENCH, NOT_FRENCH) if french else (ENGLISH, NOT_ENGLISH)
    longest_first = tuple(sorted(right, key=len, reverse=True))
    text = VERBATIM.sub(" _ ", text)
    # A phrase may hold a word that is wrong alone: "boîte d'envoi", "mail server".
    text = words(tuple(p for p in longest_first if " " in p or "-" in p)).sub("_", text)
    return [
        text[max(0, found.start() - 30) : found.end() + 20].replace("\n", " ")
        for found in wrong.finditer(text)
    ]


def sentences() -> Iterator[tuple[str, str]]:
    """Yield each English form with each French one."""
    with CATALOGUE.open("rb") as file:
        catalog = pofile.read_po(file, locale="fr")
    for message in catalog:
        if message.id:
            yield from zip(_forms(message.id), _forms(message.string), strict=True)


def _forms(message: str | Iterable[str]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


def test_the_glossary_is_the_same_in_both_languages() -> None:
    """Its terms, their translations and what is wrong; only the remarks differ."""
    assert glossary("glossary.fr.md") == TERMS
    assert len(TERMS) > 90
    assert len(set(ENGLISH)) == len(ENGLISH)


def test_the_catalogue_has_no_wrong_word() -> None:
    """Neither its English nor its French sentences."""
    found = [
        wrong
        for english, french in sentences()
        for wrong in (
            *wrong_words(english, french=False),
            *wrong_words(french, french=True),
        )
    ]
    assert found == []


def test_a_term_is_translated_by_its_own_word() -> None:
    """Where the English sentence has a term, the French one has one of its words."""
    missing = []
    for english, french in sentences():
        said = VERBATIM.sub(" _ ", english)
        for term in sorted(TERMS, key=lambda term: -len(term.english[0])):
            found = words(term.english).search(said)
            if found and not stems(term.french).search(french):
                missing.append((found[0], english, french))
            # The words of a longer term are no terms of their own.
            said = words(term.english).sub("_", said)
    assert missing == []


@pytest.mark.parametrize("page", USERS, ids=lambda path: path.name)
def test_a_page_has_no_wrong_word(page: Path) -> None:
    """What users read says what the terminal says."""
    text = page.read_text("utf-8")
    assert wrong_words(text, french=page.name.endswith(".fr.md")) == []


def test_each_way_to_end_has_its_one_word() -> None:
    """Of a script and of a run, in each language, on each page."""
    french = {word: term.french[0] for term in TERMS for word in term.english}
    for ended in (*Outcome, *RunStatus):
        assert catalogue("fr").gettext(ended.word) == french[ended.word]


def test_a_reason_begins_with_no_other_status() -> None:
    """A script is *skipped*, because of something: it is not *not started* as well."""
    words = {ended.word for ended in (*Outcome, *RunStatus)}
    words |= {catalogue("fr").gettext(word) for word in words}
    # What several projects or scripts have in common may stand before their names.
    status = re.compile(rf"(?:{'|'.join(sorted(words))})[\s\u00a0]?: (?!{{names}}$)")
    assert [pair for pair in sentences() if any(map(status.match, pair))] == []
