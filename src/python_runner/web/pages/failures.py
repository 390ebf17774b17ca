"""What is answered where there is no page: each case is a sentence and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.records.read_only import NoRecords
from python_runner.records.store import StoreError
from python_runner.web.site import Gone, NotFound, Page, Withheld
from python_runner.web.states import State


if TYPE_CHECKING:
    from python_runner.texts.sentence import Sentence
    from python_runner.web.site import Question


def page(question: Question, error: Exception) -> Page:
    """Return the page for something that is not there, or cannot be read."""
    _ = question.formats.gettext
    if isinstance(error, Withheld):
        return _failure(
            str(error), 403, advice=error.advice, link=error.link, label=error.label
        )
    if isinstance(error, Gone):
        return _failure(str(error), 410, link=error.link, label=error.label)
    if isinstance(error, NotFound):
        return _failure(str(error), 404)
    if isinstance(error, NoRecords):
        return _failure(_("No runs are recorded yet."), 404)
    if isinstance(error, StoreError):
        said = error.reason.in_language(question.language)
        return _failure(
            _("The records cannot be read: {reason}").format(reason=said),
            503,
            advice=_(
                "Runs go on all the same. `python-runner doctor` says what to do; this"
                " page tries again by itself."
            ),
        )
    raise error


def no_page(question: Question, code: int) -> Page:
    """Return the page for an address that is none of ours; ``code`` is the status."""
    return _failure(question.formats.gettext("There is no such page here."), code)


def broken(question: Question, told: Sentence) -> Page:
    """Return the page for an error that nobody expected."""
    _ = question.formats.gettext
    return _failure(
        _("This page could not be made."),
        500,
        advice=told.in_language(question.language),
    )


def _failure(
    sentence: str, status: int, *, advice: str = "", link: str = "", label: str = ""
) -> Page:
    return Page(
        template="failure.html.j2",
        title=str(status),
        values={"sentence": sentence, "advice": advice, "to": link, "label": label},
        state=State.FAILED,
        status=status,
        # The records may come back, and a script ends.
        refresh=30 if status in {403, 503} else 0,
    )
