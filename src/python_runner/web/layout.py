"""Lays pages out: templates, words, signs, and the files that browsers need beside them."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import one_line
from python_runner.version import __version__
from python_runner.web import charts, times
from python_runner.web.site import LANGUAGES
from python_runner.web.states import State, state_of, word_of


if TYPE_CHECKING:
    from python_runner.web.site import Page, Question

_HERE = Path(__file__).parent
#: Characters of a name or of a message on one line.
_LINE = 200


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that belongs to the pages; its version changes with its content."""

    content: bytes
    kind: str
    version: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Return the files by their names: nothing else can be asked for."""
    found = {}
    folder = _HERE / "static"
    for path in sorted(folder.rglob("*")):
        if path.suffix not in {".css", ".js", ".svg"}:
            continue
        with reading(path) as file:
            content = file.read()
        kind = mimetypes.types_map.get(path.suffix, "text/plain")
        # What the system has registered for it may be anything (Windows).
        kind = {".js": "text/javascript", ".css": "text/css"}.get(path.suffix, kind)
        kind = "image/svg+xml" if path.suffix == ".svg" else f"{kind}; charset=utf-8"
        version = hashlib.sha256(content).hexdigest()[:10]
        name = path.relative_to(folder).as_posix()
        found[name] = StaticFile(content, kind, version)
    return found


def static(name: str) -> str:
    """Return the address of one of these files."""
    return f"/static/{name}?v={static_files()[name].version}"


def render(page: Page, question: Question, mark: str, *, again: bool = False) -> str:
    """Return the HTML of a page.

    Args:
        page: what it says.
        question: what it was asked for.
        mark: of the records when that was found out.
        again: whether it brings an open page up to date: its cells are swapped by id.
    """
    environment = _environment(question.language)
    template = environment.get_template(page.template)
    now, formats = question.now, question.formats
    tools = {
        "moment": lambda when: times.moment(when, now, formats),
        "day": lambda when: times.day(when, now, formats),
        "ago": lambda when: times.ago(when, now, formats),
        "lasting": lambda since: times.lasting(since, now, formats),
        "link": question.links,
        "oob": Markup('hx-swap-oob="innerHTML"') if again else "",
    }
    return template.render(
        {
            **tools,
            "live_run": "",
            **page.values,
            "page": page,
            "here": question.path,
            "now": now,
            "query": question.query,
            "language": question.language,
            "languages": LANGUAGES,
            "revision": mark,
            "has_fleet": question.site.fleet is not None,
        }
    )


@cache
def _environment(language: str) -> Environment:
    formats = Formats(language)
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals |= {
        "_": formats.gettext,
        "ngettext": formats.ngettext,
        "static": static,
        "version": __version__,
        "State": State,
        "state_of": state_of,
        "word_of": lambda ended: word_of(ended, formats),
        "state_word": lambda state: state.word(formats),
        "sparkline": lambda ends, most: charts.sparkline(
            [charts.Bar(state_of(end), duration) for end, duration in ends],
            most,
            formats,
        ),
        "progress": lambda share: charts.progress(share, formats),
    }
    filters: dict[str, Any] = {
        "number": formats.number,
        "duration": formats.duration,
        "size": formats.size,
        "line": lambda text, most=_LINE: one_line(str(text), most),
        "say": formats.say,
        "percent": lambda share: formats.number(share * 100) + "\N{NO-BREAK SPACE}%",
    }
    environment.filters |= filters
    return environment
