"""Renders what `doctor` has found as a report: subject, plain text and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.report.render import Report, templates
from python_runner.report.summary import LINE
from python_runner.report.view import BAD, GOOD, IDLE, MARKS, moment_of
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, one_line
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: Characters of a sentence, and findings of each group that are shown.
_SENTENCE = 1000
_MOST_ROWS = 100
#: The colours of the signs; the sign alone says the same.
_INKS = {BAD: "#b10e1c", IDLE: "#8a5300", GOOD: "#0b6a0b"}
_SIGNS = MARKS | {IDLE: "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finding as a report shows it; empty texts are left out.

    Attributes:
        kind: ``bad`` for a problem, ``idle`` for a warning, ``good`` for what is fine.
    """

    kind: str
    what: str
    why: str = ""
    fix: str = ""

    @property
    def mark(self) -> str:
        """The sign in front of it."""
        return _SIGNS[self.kind]

    @property
    def ink(self) -> str:
        """The colour of the sign."""
        return _INKS[self.kind]


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one project, or of this computer."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All findings as a report shows them; the attributes are those of a run's view."""

    kind: str
    title: str
    preview: str
    moment: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    cause: str = ""
    product: str = f"Python Runner {__version__}"

    @property
    def mark(self) -> str:
        """The sign in front of the title."""
        return MARKS[self.kind]


def render_findings(
    verdict: str,
    groups: Sequence[Group],
    *,
    moment: datetime,
    host: str,
    language: str,
) -> Report:
    """Return the report of what was found, in a language.

    Args:
        verdict: how many problems and warnings there are, in that language.
        groups: what was found, the worst first in each.
        moment: when; aware.
        host: the computer.
        language: of everything that is said.
    """
    formats = Formats(language)
    shown = tuple(map(_bounded, groups))
    kinds = {row.kind for group in groups for row in group.rows}
    page = Page(
        kind=BAD if BAD in kinds else GOOD,
        title=verdict,
        preview=one_line(_first(shown) or verdict, LINE),
        moment=moment_of(moment, None, host, formats),
        groups=shown,
    )
    template = formats.gettext("Python Runner: {verdict} ({host})")
    subject = one_line(template.format(verdict=verdict, host=host), LINE)
    values = {"page": page, "subject": subject, "language": language}
    text, html = (
        templates(language).get_template(f"findings.{kind}.j2").render(values)
        for kind in ("txt", "html")
    )
    return Report(subject, text, html, language)


def _bounded(group: Group) -> Group:
    rows = (
        Row(
            kind=row.kind,
            what=one_line(clean(row.what), _SENTENCE),
            why=one_line(clean(row.why), _SENTENCE),
            fix=one_line(clean(row.fix), _SENTENCE),
        )
        for row in group.rows[:_MOST_ROWS]
    )
    return Group(one_line(group.title, LINE), tuple(rows))


def _first(groups: Sequence[Group]) -> str:
    """Return the first problem, which a list of mails shows behind the subject."""
    rows = (row for group in groups for row in group.rows if row.kind == BAD)
    found = next(rows, None)
    return found.what if found else ""
