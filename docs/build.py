"""``python -m docs.build FOLDER``: makes the documentation site, in English and French.

Warnings are errors. Then every page is read as a browser reads it, from files alone: each
link inside of the site leads to a page and a place on it, and nothing is loaded from
elsewhere.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("en", "fr")
#: Opens the site: the first page of one language, which links the other.
_FIRST_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Python Runner</title>
<meta http-equiv="refresh" content="0; url=en/docs/index.html">
<p><a href="en/docs/index.html">English</a> · <a href="fr/docs/index.fr.html" lang="fr">Français</a></p>
"""
#: What a browser fetches by itself, by the element and its attribute.
_FETCHED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


def build(folder: Path) -> bool:
    """Make both languages at the same time; say whether neither had a warning."""
    with tempfile.TemporaryDirectory() as read:
        started = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n"),
                    *("-c", str(ROOT / "docs"), "-D", f"language={language}"),
                    *("-d", f"{read}/{language}", str(ROOT), str(folder / language)),
                ]
            )
            for language in LANGUAGES
        ]
        codes = [process.wait() for process in started]
    (folder / "index.html").write_text(_FIRST_PAGE, encoding="utf-8")
    return not any(codes)


class _Page(HTMLParser):
    """What a page links, what it fetches, and the places on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if _FETCHED.get(tag) in given:
            self.fetched.append(given[_FETCHED[tag]])
        if tag == "link" and given.get("rel") != "canonical":
            self.fetched.append(given["href"])


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the links of a site, and what it fetches from elsewhere."""
    page = cache(_Page)
    found = []
    for path in sorted(folder.rglob("*.html")):
        read = page(path)
        found += [
            f"{path}: loads {link}" for link in read.fetched if _is_elsewhere(link)
        ]
        for link in read.links + read.fetched:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            place = unquote(address.fragment)
            target = path
            if address.path:
                target = (path.parent / unquote(address.path)).resolve()
            if not target.is_file():
                found.append(f"{path}: {link} leads to no file")
            elif (
                place and target.suffix == ".html" and place not in page(target).places
            ):
                found.append(f"{path}: {link} leads to no place on that page")
    for path in sorted(folder.rglob("*.css")):
        addresses = re.findall(r"url\([\"']?([^\"')]+)", path.read_text("utf-8"))
        found += [f"{path}: loads {link}" for link in addresses if _is_elsewhere(link)]
    return found


def _is_elsewhere(link: str) -> bool:
    address = urlsplit(link)
    return bool(address.netloc or address.scheme) and address.scheme != "data"


def main() -> int:
    """Make the site in the folder that is named; 0 if nothing is wrong with it."""
    (name,) = sys.argv[1:]
    folder = Path(name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    good = build(folder)
    found = problems(folder)
    if found:
        print("\n".join(found))
    elif good:
        print(folder / "index.html")
    return 0 if good and not found else 1


if __name__ == "__main__":
    sys.exit(main())
