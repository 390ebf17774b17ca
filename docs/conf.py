"""Sphinx's settings for the documentation site; ``python -m docs.build`` makes both languages.

The pages are those of the repository, as they lie there, so that one text serves both: the
README, the pages in this folder, the changes. A site has one language. What the repository
has in the other one, or in English only, is linked in the other site.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

from python_runner.version import __version__


if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

project = "Python Runner"
release = version = __version__
extensions = ["myst_parser"]
nitpicky = True
# Pages are set as they are written; a quotation mark of code stays what it is.
smartquotes = False
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]
myst_heading_anchors = 4
exclude_patterns = [".*", "build", "docs/pictures", "src", "tests"]

html_theme = "furo"
html_title = "Python Runner"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

_PROFILE = "benchmarks/profile%s.md"
#: What only people who change Python Runner read is in English.
_ENGLISH = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", _PROFILE % ""]
_FRENCH = ["README.fr.md", "docs/*.fr.md", _PROFILE % ".fr"]


#: Characters of code that fit a line of a telephone.
_SHORT_CODE = 25
#: Columns of a table whose second one needs no title.
_TITLED = 2


def setup(app: Sphinx) -> None:
    """Connect what makes a site of the repository's pages."""
    app.connect("config-inited", _choose_pages)
    app.connect("source-read", _write_generated_parts)
    app.connect("doctree-read", _link_the_other_site, priority=100)
    app.connect("doctree-read", _fit_telephones)
    app.connect("html-page-context", _keep_words_whole)
    app.connect("html-page-context", _offer_the_other_language)


def _choose_pages(app: Sphinx, config: Config) -> None:
    del app
    french = config.language == "fr"
    # In which the parts that are made from the code are worded.
    os.environ["LANGUAGE"] = config.language
    config["root_doc"] = "docs/index.fr" if french else "docs/index"
    config["include_patterns"] = _FRENCH if french else _ENGLISH
    if not french:
        config["exclude_patterns"] = [*exclude_patterns, "**.fr.md"]


def _write_generated_parts(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put what is made from the code in the place of what the repository shows there."""
    from docs.reference import generated_part  # noqa: PLC0415 - found by the path above

    source[0] = re.sub(
        r"<!-- generated: (\w+) -->.*?<!-- /generated -->",
        lambda match: generated_part(match[1]),
        source[0],
        flags=re.DOTALL,
    )
    if docname == app.config.root_doc:
        source[0] += "".join(
            _tables_of_contents(source[0], french=app.config.language == "fr")
        )


def _tables_of_contents(text: str, *, french: bool) -> list[str]:
    """Return the site's navigation: the lists of links of the first page, by section."""
    sections = re.findall(r"^## (.+)\n((?:(?!^#).*\n?)*)", text, re.MULTILINE)
    tables = []
    for title, body in sections:
        links = re.findall(r"^\* \[(.+?)\]\((.+?)\.md\)", body, re.MULTILINE)
        entries = [
            f"{name} <{target}>"
            for name, target in links
            if target.endswith(".fr") == french
        ]
        if entries:
            options = f":hidden:\n:caption: {title}\n\n" + "\n".join(entries)
            tables.append(f"\n```{{toctree}}\n{options}\n```\n")
    return tables


def _link_the_other_site(app: Sphinx, doctree: nodes.document) -> None:
    """Turn links to pages that this site lacks into links to the other one."""
    for node in list(doctree.findall(addnodes.pending_xref)):
        target = node["reftarget"]
        if node.get("refdomain") != "doc" or target in app.env.found_docs:
            continue
        if not (_ROOT / f"{target}.md").is_file():
            continue  # Sphinx says that it leads nowhere.
        uri = _in_the_other_site(app.env.docname, target)
        if anchor := node.get("reftargetid"):
            uri += f"#{anchor}"
        link = nodes.reference("", "", *node.children, refuri=uri, internal=False)
        node.replace_self(link)


def _fit_telephones(app: Sphinx, doctree: nodes.document) -> None:
    """Mark what ``site.css`` shows otherwise where a page is narrow.

    A table of words becomes a list there, in which a cell needs the heading of its
    column. A short piece of code is not broken, as behind the hyphens of an option.
    """
    del app
    for literal in doctree.findall(nodes.literal):
        if len(literal.astext()) <= _SHORT_CODE:
            literal["classes"].append("short")
    for table in doctree.findall(nodes.table):
        heads, *rows = table.findall(nodes.row)
        titles = [cell.astext() for cell in heads.findall(nodes.entry)]
        if any("text-right" in c["classes"] for c in table.findall(nodes.entry)):
            continue  # Figures are compared along their columns.
        table["classes"].append("list")
        for row in rows if len(titles) > _TITLED else ():
            cells = zip(row.findall(nodes.entry), titles, strict=True)
            for cell, title in list(cells)[1:]:
                for paragraph in cell.findall(nodes.paragraph) if cell.astext() else ():
                    paragraph.insert(0, nodes.inline("", title, classes=["title"]))
                    break


def _in_the_other_site(docname: str, target: str) -> str:
    site = "fr" if target.endswith(".fr") else "en"
    return f"{'../' * (docname.count('/') + 1)}{site}/{target}.html"


def _keep_words_whole(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: object,
) -> None:
    """Let no line end behind the hyphen of the French word for email."""
    del pagename, templatename, doctree
    if app.config.language == "fr" and "body" in context:
        between_tags = r"\be-mails?\b(?![^<]*>)"
        whole = r'<span class="whole">\g<0></span>'
        context["body"] = re.sub(between_tags, whole, context["body"])


def _offer_the_other_language(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: object,
) -> None:
    """Link each page to itself in the other language, or to the first page there."""
    del templatename, doctree
    french = app.config.language == "fr"
    other = pagename.removesuffix(".fr") if french else f"{pagename}.fr"
    if not (_ROOT / f"{other}.md").is_file():
        other = "docs/index" if french else "docs/index.fr"
    context["other_page"] = _in_the_other_site(pagename, other)
    context["other_language"] = "English" if french else "Français"
    context["other_code"] = "en" if french else "fr"
