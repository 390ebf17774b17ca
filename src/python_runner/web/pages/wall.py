"""The page for a screen on the wall: only what is not well, readable from afar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.web.pages.overview import row_view, sentence, tab_title
from python_runner.web.site import Page
from python_runner.web.states import State


if TYPE_CHECKING:
    from python_runner.web.reading.overview import Surveyor
    from python_runner.web.site import Question

#: Projects that find room on a screen.
_MOST = 12


def page(question: Question, surveyor: Surveyor) -> Page:
    """Return the page."""
    overview = surveyor.overview()
    formats, now = question.formats, question.now
    told = [row for row in overview.rows if row.state not in {State.WELL, State.NEVER}]
    return Page(
        template="wall.html.j2",
        title=tab_title(overview),
        values={
            "sentence": sentence(overview, now, formats),
            "state": overview.state if overview.rows else State.NEVER,
            "rows": [row_view(row, now, formats) for row in told[:_MOST]],
            "more": len(told) - _MOST,
            "overview": overview,
        },
        state=overview.state,
        refresh=30,
        live=True,
    )
