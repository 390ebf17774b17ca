"""Makes of a page of the dashboard one that lies in a file; text in, text out.

Such a page has no script and asks nobody for anything: its links lead to files beside it or
are plain text, what only works with a server is left out, and its moments are whole, because
nothing lets them tick.
"""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable

#: Elements that need a script or a server; all that is in them goes with them.
_LEFT_OUT = {"script", "noscript", "form", "button", "template"}
_VOID = {"meta", "link", "input", "br", "hr", "img", "col", "wbr"}
#: The attribute of other elements that do, and of some that need none.
SERVER = "data-server"
#: Attributes that only scripts read; these do not.
_DATA, _KEPT_DATA = "data-", {"data-page", "data-n"}
#: Classes of paragraphs and menus that are nothing but links.
_LINKS = {"links", "pager", "gap", "menu"}
#: Stands for a link that has been left out, until its list is complete.
_GONE = "\0"
_GONE_LINKS = lazy_pattern("\0(\\s*[·/-]\\s*)?")
_LAST_SIGN = lazy_pattern(r"(\s*[·/-])+\s*$")
#: Nothing is loaded, run or sent, whatever a page should come to hold.
POLICY = "default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """How a page is made to stand alone.

    Attributes:
        address: returns where the page of an address of the dashboard lies, relative to
            this one; None where it is nowhere.
        style: returns the content of a style sheet, by its address.
        sheet: returns the address of a style sheet beside the page, or None where the
            page does without it; None: it is written into the page.
        moment: returns a moment in words, by its ISO 8601 text and its form.
        written: HTML that says when it was written, below its first sentence.
        refresh: seconds after which a browser reads the file again; 0: it does not.
    """

    address: Callable[[str], str | None]
    style: Callable[[str], str]
    moment: Callable[[str, str], str | None]
    sheet: Callable[[str], str | None] | None = None
    written: str = ""
    refresh: int = 0


def stand_still(page: str, still: Still) -> str:
    """Return a page of the dashboard as one that lies in a file."""
    writer = _Writer(still)
    writer.feed(page.replace(_GONE, ""))
    writer.close()
    return writer.text


class _Writer(HTMLParser):
    """Reads the page of a template, whose elements are all closed, and writes it anew."""

    def __init__(self, still: Still) -> None:
        super().__init__(convert_charrefs=False)
        self._still = still
        #: What is written so far; while a list of links is read, that list comes last.
        self._written: list[list[str]] = [[]]
        #: For each element that is open: its name, and the end tag that is written.
        self._open: list[tuple[str, str]] = []
        #: How many elements are open in one that is left out, itself included.
        self._without = 0
        #: Whether the text of an element has been replaced, so that it is left out.
        self._replaced = False
        #: For each list of links that is open: how many elements were open.
        self._lists: list[int] = []

    @property
    def text(self) -> str:
        """The page."""
        return "".join(self._written[0])

    def handle_decl(self, decl: str) -> None:
        self._write(f"<!{decl}>")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        void = tag in _VOID
        if self._without or tag in _LEFT_OUT or SERVER in names:
            self._without += not void
            return
        if tag in {"meta", "link", "a"}:
            act = {"meta": self._meta, "link": self._style, "a": self._link}[tag]
            act(names)
            return
        self._write(self._tag(tag, names))
        if void:
            return
        self._open.append((tag, f"</{tag}>"))
        if tag in {"p", "nav"} and _LINKS & set((names.get("class") or "").split()):
            self._lists.append(len(self._open))
            self._written.append([])
        if tag == "head":
            self._head()
        if tag == "time":
            self._moment(names)

    def _moment(self, names: dict[str, str | None]) -> None:
        form, iso = names.get("data-as") or "", names.get("datetime") or ""
        if (told := self._still.moment(iso, form)) is not None:
            self._write(escape(told))
            self._replaced = True

    def _meta(self, names: dict[str, str | None]) -> None:
        # The charset, the width of the screen, the colours.
        if names.get("name") in {None, "viewport", "color-scheme"}:
            self._write(self._tag("meta", names))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if not self._without and SERVER not in names:
            self._write(self._tag(tag, names, closed=True))

    def handle_endtag(self, tag: str) -> None:
        if self._without:
            self._without -= tag not in _VOID
            return
        if not self._open or self._open[-1][0] != tag:
            return
        if self._lists and self._lists[-1] == len(self._open):
            self._end_list(tag)
            return
        self._replaced = False
        self._write(self._open.pop()[1])
        if tag == "h1" and self._still.written:
            self._write(f'\n<p class="written dim">{self._still.written}</p>')

    def handle_data(self, data: str) -> None:
        self._text(data)

    def handle_entityref(self, name: str) -> None:
        self._text(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._text(f"&#{name};")

    def _text(self, text: str) -> None:
        if not self._without and not self._replaced:
            self._write(text)

    def _write(self, text: str) -> None:
        self._written[-1].append(text)

    def _tag(
        self, tag: str, names: dict[str, str | None], *, closed: bool = False
    ) -> str:
        kept = [
            f" {name}" if value is None else f' {_cased(name)}="{escape(value)}"'
            for name, value in names.items()
            if not name.startswith((_DATA, "hx-", "on")) or name in _KEPT_DATA
        ]
        return f"<{tag}{''.join(kept)}{'/' if closed else ''}>"

    def _link(self, names: dict[str, str | None]) -> None:
        address = names.get("href") or ""
        if address.startswith("#"):
            target: str | None = address
        else:
            target = self._still.address(address) if address.startswith("/") else None
        if target is None and self._lists:
            self._write(_GONE)
            self._without = 1
            return
        if target is None:
            kept = {"class", "title"} & names.keys()
            self._write(self._tag("span", {name: names[name] for name in kept}))
            self._open.append(("a", "</span>"))
            return
        self._write(self._tag("a", names | {"href": target}))
        self._open.append(("a", "</a>"))

    def _end_list(self, tag: str) -> None:
        """End a list of links: nothing stands for those that have been left out."""
        self._lists.pop()
        content = "".join(self._written.pop())
        if _GONE in content:
            content = _LAST_SIGN.sub("", _GONE_LINKS.sub("", content))
        self._write(content)
        self._open.pop()
        self._write(f"</{tag}>")

    def _head(self) -> None:
        # A file beside the page has no origin that it could be the same as.
        styles = "'unsafe-inline'" if self._still.sheet is None else "'self' file:"
        policy = escape(POLICY.format(styles=styles))
        self._write(f'\n<meta http-equiv="Content-Security-Policy" content="{policy}">')
        if self._still.refresh:
            self._write(
                f'\n<meta http-equiv="refresh" content="{self._still.refresh}">'
            )

    def _style(self, names: dict[str, str | None]) -> None:
        address = names.get("href") or ""
        if names.get("rel") != "stylesheet":
            return
        if self._still.sheet is None:
            self._write(f"<style>\n{self._still.style(address)}</style>")
        elif sheet := self._still.sheet(address):
            self._write(f'<link rel="stylesheet" href="{escape(sheet)}">')


def _cased(name: str) -> str:
    """Return an attribute as SVG writes it: the parser has made it small."""
    return {"viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio"}.get(
        name, name
    )
