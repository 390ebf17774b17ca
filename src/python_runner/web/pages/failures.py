"""What is answered where there is no page: each case is a sentence and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.computer import account_name
from python_runner.records.database import Trouble
from python_runner.records.read_only import NoRecords
from python_runner.records.store import StoreError, database_path
from python_runner.texts.sentence import N_
from python_runner.version import __version__
from python_runner.web.site import Gone, NotFound, Page, Withheld
from python_runner.web.states import State


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.texts.sentence import Sentence
    from python_runner.web.site import Question


#: What to do where the records cannot be read.
_ADVICE = {
    Trouble.LOCKED: N_(
        "Another program keeps the file to itself: a backup, a virus scanner or a database"
        " tool. Runs wait for it and go on all the same. `python-runner doctor` tells more."
    ),
    Trouble.DAMAGED: N_(
        "Runs go on all the same. The next one keeps the file as `{file}.corrupt-DATE` and"
        " begins new records. Look at the disk; `python-runner doctor` tells more."
    ),
    Trouble.NEWER: N_(
        "This dashboard is of version {version}: install the newer one and start it again."
        " `python-runner doctor` tells more."
    ),
    Trouble.OLDER: N_(
        "The next run, or `python-runner doctor`, brings them up to date by itself."
    ),
    Trouble.REFUSED: N_(
        "This dashboard is run by {account}, who may not read the file: start it as the"
        " account that runs the projects. `python-runner doctor` tells more."
    ),
    Trouble.FULL: N_(
        "Make room on the disk of the file. Runs go on, and what they do may not be"
        " recorded. `python-runner doctor` tells more."
    ),
    Trouble.OTHER: N_(
        "Runs go on all the same. `python-runner doctor` says what to do."
    ),
}


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
        again = _("This page tries again by itself.")
        advice = _(_ADVICE[error.trouble]).format(
            version=__version__,
            account=account_name(),
            file=database_path(question.site.settings.home),
        )
        return _failure(
            _("The records cannot be read: {reason}").format(reason=said),
            503,
            advice=f"{advice} {again}",
            projects=question.site.projects,
        )
    raise error


def no_page(question: Question, code: int) -> Page:
    """Return the page for an address that is none of ours; ``code`` is the status."""
    return _failure(question.formats.gettext("There is no such page here."), code)


def late(question: Question) -> Page:
    """Return the page for one that looks at a folder which does not answer."""
    _ = question.formats.gettext
    return _failure(
        _("This page is not ready: a folder that it shows does not answer."),
        504,
        advice=_(
            "The project may lie on a share that is away, or the computer is very busy."
            " This page tries again by itself."
        ),
    )


def broken(question: Question, told: Sentence) -> Page:
    """Return the page for an error that nobody expected."""
    _ = question.formats.gettext
    return _failure(
        _("This page could not be made."),
        500,
        advice=told.in_language(question.language),
    )


def _failure(
    sentence: str,
    status: int,
    *,
    advice: str = "",
    link: str = "",
    label: str = "",
    projects: tuple[Path, ...] = (),
) -> Page:
    return Page(
        template="failure.html.j2",
        title=str(status),
        values={
            "sentence": sentence,
            "advice": advice,
            "to": link,
            "label": label,
            # Their logs lie in their folders.
            "projects": projects,
        },
        state=State.FAILED,
        status=status,
        # The records may come back, and a script ends.
        refresh=30 if status in {403, 503, 504} else 0,
    )
