"""Every sentence for people exists in French, and none is left over."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.texts import sentence as texts


if TYPE_CHECKING:
    from collections.abc import Iterable


pytestmark = pytest.mark.source

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "python_runner"
PO = SOURCE / "locale" / "fr" / "LC_MESSAGES" / "python_runner.po"
HOW = "babel.cfg says how to bring the catalogue up to date"

#: What marks a sentence, and one with a plural, for the catalogues.
MARKS = ("N_", "translate", "counted:1,2")

pofile = pytest.importorskip("babel.messages.pofile")


def _forms(message: str | Iterable[str]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


@pytest.fixture(scope="module")
def french() -> dict[tuple[str, ...], Any]:
    """Return the French catalogue: its messages by their English forms."""
    with PO.open("rb") as file:
        catalog = pofile.read_po(file, locale="fr")
    assert not catalog.obsolete
    return {_forms(m.id): m for m in catalog if m.id}


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, ...]]:
    """Return every sentence the package's source marks for translation."""
    target = tmp_path_factory.mktemp("catalogue") / "messages.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract"]
    marks = [word for mark in MARKS for word in ("-k", mark)]
    options = ["-F", str(ROOT / "babel.cfg"), *marks, "-o", str(target)]
    subprocess.run([*command, *options, str(SOURCE)], check=True, timeout=60)
    with target.open("rb") as file:
        return {_forms(m.id) for m in pofile.read_po(file) if m.id}


def test_every_sentence_has_its_french(
    sentences: set[tuple[str, ...]], french: dict[tuple[str, ...], Any]
) -> None:
    """Nobody who chose French reads English, and the catalogue holds nothing else."""
    assert sentences - french.keys() == set(), HOW
    assert french.keys() - sentences == set(), HOW
    for english, message in french.items():
        assert all(_forms(message.string)), english
        assert not message.fuzzy, english


def test_no_value_gets_lost_in_translation(
    french: dict[tuple[str, ...], Any],
) -> None:
    """A translation has the placeholders of its original, each of them."""

    def fields(text: str) -> list[str]:
        return sorted(re.findall(r"\{[a-z_]+\}", text))

    for english, message in french.items():
        for form in _forms(message.string):
            assert fields(form) in [fields(text) for text in english], english


def test_french_can_be_shown_on_a_console_of_windows(
    french: dict[tuple[str, ...], Any],
) -> None:
    """Both code pages of a French Windows hold every character used."""
    for message in french.values():
        for form in _forms(message.string):
            form.encode("cp850")
            form.encode("cp1252")


#: One word for one thing, on the terminal, in mails and on pages.
OTHER_WORDS = re.compile(
    r"compte[s ]+rendu|courriel|mél\b|\bmails?\b|lancement|\bregistre|enregistrement",
    re.IGNORECASE,
)
#: What is said in English on purpose: commands, values, the names of Microsoft's rights.
VERBATIM = re.compile(r"`[^`]*`|\"mail\"|python-runner mail|Mail\.Send")
#: Punctuation that French sets apart by a space at which no line breaks. (A colon behind
#: a quotation mark is JSON.)
TOO_CLOSE = re.compile(r"(?<![\u00a0\"])[:;!?»](?=[\s\u00a0]|$)|«(?!\u00a0)")
CATALOGUES = sorted(PO.parent.glob("*.po"))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_french_has_its_typography_and_one_word_for_one_thing(path: Path) -> None:
    """A report is a *rapport*, a mail an *e-mail*; a space stands before a colon."""
    with path.open("rb") as file:
        catalog = pofile.read_po(file, locale="fr")
    for message in catalog:
        for form in _forms(message.string) if message.id else ():
            said = re.sub("e-mail", "", VERBATIM.sub("", form), flags=re.IGNORECASE)
            assert not OTHER_WORDS.search(said), form
            assert not TOO_CLOSE.search(form), form


#: A number and what it counts; units, "more", verbs and prepositions need no plural.
COUNTED = re.compile(
    r"\{(?:count|size|limit|free|days|runs|times|total|done|sent|retries|attempts)\} "
    r"(?!(?:more|of|being|sent|waiting|given|failed|succeeded|at|and|in|MB|s|min|h)\b)[a-z]+"
)


def test_what_is_counted_has_a_singular_and_a_plural(
    french: dict[tuple[str, ...], Any],
) -> None:
    """Nobody reads "1 problems" or "problem(s)"; French has the singular for 0 and 1."""
    for english, message in french.items():
        for form in (*english, *_forms(message.string)):
            assert not re.search(r"\w\(e?s\)", form), form
        if len(english) == 1:
            assert not COUNTED.search(english[0]), english[0]
        else:
            assert re.search(r"\{(count|scripts)\}", english[1]), english


#: What stands for something in an example of code, and is translated there.
EXAMPLES = {
    "NAME": "NOM",
    '"key"': '"clé"',
    '"value"': '"valeur"',
    '"today 06:00"': '"aujourd\'hui 06:00"',
    '"yesterday 06:00"': '"hier 06:00"',
}


def test_french_quotes_are_its_own(french: dict[tuple[str, ...], Any]) -> None:
    """Straight quotes stand around code alone, and code is the same in English."""
    for english, message in french.items():
        said = " ".join(english)
        for example in EXAMPLES.items():
            said = said.replace(*example)
        code = re.findall(r'"[^"]*"', said)
        for form in _forms(message.string):
            for quoted in re.findall(r'"[^"]*"', form):
                assert quoted in code, (quoted, form)
            assert not re.search(
                r"(?<!\w)'[^' ]+'(?!\w)|[\u2018\u2019\u201c\u201d\u2026]", form
            ), form


@pytest.mark.parametrize(
    ("english", "french_word"),
    [
        (r"\breports?\b(?! the|s it| it)", "rapport|rend(re)? compte"),
        (r"\b[Rr]ecords\b(?!\})", "historique"),
        (r"\bruns of\b|\brun \{run_id", "exécution"),
    ],
)
def test_one_english_word_is_one_french_word(
    french: dict[tuple[str, ...], Any], english: str, french_word: str
) -> None:
    """What has one name in English has one name in French."""
    for forms, message in french.items():
        if re.search(english, forms[0]):
            for form in _forms(message.string):
                assert re.search(french_word, form), (forms[0], form)


def test_the_compiled_catalogue_is_the_written_one(
    french: dict[tuple[str, ...], Any],
) -> None:
    """What readers get is what the source says: the catalogue was compiled since."""
    compiled = texts.catalogue("fr")
    for english, message in french.items():
        if len(english) == 1:
            assert compiled.gettext(english[0]) == message.string, HOW
        else:
            shown = [
                compiled.ngettext(english[0], english[1], count) for count in (0, 1, 2)
            ]
            one, many = message.string
            assert shown == [one, one, many], HOW


def test_no_sentence_hides_from_the_extraction() -> None:
    """Babel does not look inside f-strings: a sentence there would stay English."""
    for path in SOURCE.rglob("*.py"):
        assert not re.search(r"""\{_\(['"]""", path.read_text(encoding="utf-8")), path
