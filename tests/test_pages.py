"""The pages for users say the same in both languages, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


pytestmark = pytest.mark.source

ROOT = Path(__file__).parents[1]
#: The French one is short, and leads to the English one, which tests make.
SHORT = {"reliability.fr.md"}
FRENCH = sorted(
    path
    for path in (*ROOT.glob("*.fr.md"), *ROOT.glob("docs/*.fr.md"))
    if path.name not in SHORT
)
#: Pages for those who change Python Runner.
INNER = {"mutation.md", "windows-tests.md"}
#: Written by programs, or by many hands over time.
MADE = {
    *("reliability.md", "CHANGELOG.md", "CONTRIBUTING.md", "architecture.md"),
    *("hints.md", "hints.fr.md"),
}
PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


def prose(path: Path) -> str:
    """Return a page without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the addresses of a page's headings, as web pages of repositories make them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("french", FRENCH, ids=lambda path: path.name)
def test_a_page_has_the_same_parts_in_both_languages(french: Path) -> None:
    """Sections, rows of tables and blocks of code follow each other alike."""
    english = french.with_name(french.name.replace(".fr.md", ".md"))
    levels, rows, languages = (
        [
            re.findall(pattern, path.read_text("utf-8"), re.MULTILINE)
            for path in (english, french)
        ]
        for pattern in (r"^(#+) ", r"^ *\|(?=.)", r"^ *```(\w*)$")
    )

    assert levels[0] == levels[1]
    assert len(rows[0]) == len(rows[1])
    assert languages[0] == languages[1]


@pytest.mark.parametrize(
    "french", [*FRENCH, ROOT / "docs/reliability.fr.md"], ids=lambda path: path.name
)
def test_a_page_leads_to_itself_in_the_other_language(french: Path) -> None:
    """In the repository as in the site, on the first screen."""
    english = french.with_name(french.name.replace(".fr.md", ".md"))

    assert f"({english.name})" in french.read_text("utf-8")[:500]
    assert f"({french.name})" in english.read_text("utf-8")[:500]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """The file is there, and so is the heading."""
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page)):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", ["README.md", "README.fr.md"])
def test_a_readme_is_read_in_a_few_minutes(page: str) -> None:
    """It has 900 words at most; what is longer is a page in docs/, which it leads to."""
    text = (ROOT / page).read_text("utf-8")

    # Signs between blanks count as well, as ``wc -w`` has it.
    assert len(text.split()) <= 900
    assert page.replace("README", "docs/index") in text


@pytest.mark.parametrize("index", ["index.md", "index.fr.md"])
def test_the_first_page_leads_to_every_page(index: str) -> None:
    """What it lists is also the navigation of the documentation site."""
    text = (ROOT / "docs" / index).read_text("utf-8")
    listed = set(re.findall(r"^\* \[[^\]]+\]\(([^)#]+)\)$", text, re.MULTILINE))
    pages = {
        path.name
        for path in PAGES
        if path.parent.name == "docs"
        and path.name.endswith(".fr.md") == (".fr" in index)
    }

    assert pages - {index} <= listed


@pytest.mark.parametrize("page", FRENCH, ids=lambda path: path.name)
def test_signs_of_two_parts_follow_a_no_break_space(page: Path) -> None:
    """French sets one before ``: ; ! ? »`` and behind ``«``; code has its own rules."""
    text = re.sub(r"`[^`]+`", "", prose(page))

    assert re.findall(r".{0,20}(?: [:;!?»](?!\S)|« ).{0,20}", text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_is_set_like_print(page: Path) -> None:
    """Ellipses are one sign; French quotes are « », its apostrophes straight ones."""
    if page.name in INNER | MADE:
        return
    text = re.sub(r"`[^`]+`", "", prose(page))
    odd = r"\.\.\.|[\u2018\u2019" + (r"\u201c\u201d\"]" if page in FRENCH else "]")

    assert re.findall(rf".{{0,20}}(?:{odd}).{{0,20}}", text) == []


def test_pictures_are_light() -> None:
    """They load at once: less than 150 kB each."""
    pictures = list((ROOT / "docs/pictures").glob("*.png"))

    assert len(pictures) == 29
    assert all(picture.stat().st_size < 150_000 for picture in pictures)


def test_the_page_about_the_original_names_what_people_meet_first() -> None:
    """Working folder, captured output, exit codes, places of .env, addresses, rotation."""
    text = (ROOT / "docs/moving.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^*|]+?) \|", text, re.MULTILINE)
    for words in (
        *("current folder", "what a script prints", "exit code", "`.env`"),
        *(
            "addresses",
            "rotation",
            "variables of `.env`",
            "a server that cannot be reached",
        ),
    ):
        assert any(words in row for row in rows), words


def test_every_picture_is_shown_and_quickly_there() -> None:
    """None lies in the repository that no page shows; those of the dashboard are small."""
    pictures = set((ROOT / "docs/pictures").rglob("*.png"))
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", prose(page))
    }
    small = [path for path in pictures if path.parent.name == "dashboard"]

    assert pictures <= shown
    assert small
    assert sum(path.stat().st_size for path in small) < 3_000_000
