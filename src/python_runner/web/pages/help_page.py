"""The page of keys, signs and addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.web.site import Page
from python_runner.web.states import State


if TYPE_CHECKING:
    from python_runner.web.site import Question


def page(question: Question) -> Page:
    """Return the page."""
    _ = question.formats.gettext
    return Page(
        template="help.html.j2",
        title=_("Help"),
        values={"states": list(State), "home": question.site.settings.home},
    )
