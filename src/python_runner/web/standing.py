"""Pages that are made without a server: one run for a file, and what a whole site is made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import escape

from python_runner.computer import host_name
from python_runner.web import times
from python_runner.web.addresses import Links
from python_runner.web.layout import render, static_files
from python_runner.web.pages import run
from python_runner.web.reading.projects import Configurations, Projects
from python_runner.web.site import Question
from python_runner.web.still import Still, stand_still


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.records.store import Store
    from python_runner.texts.formats import Formats
    from python_runner.web.site import Page, Site

#: Stands for the moment of writing, at the top of a page: no text of a page holds it.
WRITTEN = "<!--written-->"


def question_for(site: Site, store: Store) -> Question:
    """Return what asks for a page on behalf of a file: no filters, the site's language."""
    return Question(
        site=site,
        store=store,
        projects=Projects(
            store,
            site.settings,
            listed=site.projects,
            configurations=Configurations(site.defaults),
        ),
        language=site.language,
        links=Links(),
        now=site.clock(),
    )


def run_page(site: Site, store: Store, run_id: str) -> str:
    """Return the page of a run that needs no other file, whether it has ended or not.

    Raises:
        NotFound: there is no such run; Gone: there may have been one.
        StoreError: the records cannot be read.
    """
    question = question_for(site, store)
    question = replace(question, path=f"/r/{run_id}", values={"run": run_id})
    made = as_file(run.page(question), question, lambda _address: None)
    return made.replace(WRITTEN, written_words(question), 1)


def as_file(
    page: Page,
    question: Question,
    address: Callable[[str], str | None],
    *,
    sheet: Callable[[str], str | None] | None = None,
    refresh: int = 0,
) -> str:
    """Return a page for a file; :data:`WRITTEN` is in it.

    Args:
        page: what it says.
        question: what it was asked for.
        address: see :class:`~python_runner.web.still.Still`.
        sheet: likewise.
        refresh: seconds after which a browser reads it again; 0: never.
    """
    live = render(replace(page, live=False, refresh=0), question, "")
    formats, now = question.formats, question.now
    still = Still(
        address=address,
        style=style,
        moment=lambda iso, form: _moment(iso, form, now, formats),
        sheet=sheet,
        written=WRITTEN,
        refresh=refresh,
    )
    return stand_still(live, still)


def written_words(question: Question) -> str:
    """Return when and by which computer a page was written, as HTML."""
    words = question.formats.gettext("written {moment} by {computer}")
    moment = _said(question.now, question.now, question.formats)
    return str(escape(words.format(moment=moment, computer=host_name())))


def style(address: str) -> str:
    """Return a style sheet of the pages, by its address."""
    return static_files()[sheet_name(address)].content.decode()


def sheet_name(address: str) -> str:
    """Return the name of a style sheet: ``/static/dashboard.css?v=1``."""
    return address.partition("?")[0].removeprefix("/static/")


def _moment(iso: str, form: str, now: datetime, formats: Formats) -> str | None:
    """Return a moment that is true whenever it is read; None where the words are."""
    if form not in {"moment", "ago"}:
        return None
    return _said(datetime.fromisoformat(iso), now, formats)


def _said(when: datetime, now: datetime, formats: Formats) -> str:
    local = when.astimezone()
    day = times.day_of(when, now, formats)
    return f"{day} {local:%H:%M} {times.zone_of(when)}"
