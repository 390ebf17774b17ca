"""What several pages look up in the same way: a run, its project, what masks its texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.records import overview
from python_runner.web.site import Gone, NotFound


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.web.site import Question

#: Digits of the largest number that the records take.
_DIGITS = 18
_RUN_ID = lazy_pattern(r"[0-9a-f]{13}")


def no_run(question: Question) -> Exception:
    """Return what is answered for a run that is not recorded."""
    _ = question.formats.gettext
    keep, run_id = question.site.keep_days, question.values["run"]
    if not _RUN_ID.fullmatch(run_id):
        return NotFound(_("There is no such run here."))
    if keep is None:
        return NotFound(_("No run {run} is recorded.").format(run=run_id))
    words = question.formats.ngettext(
        "The run {run} is not recorded, or was deleted after {count} day (keep_days).",
        "The run {run} is not recorded, or was deleted after {count} days (keep_days).",
        keep,
    )
    return Gone(words.format(run=run_id, count=question.formats.number(keep)))


def require_shown(question: Question, folder: Path) -> None:
    """Refuse what belongs to a project that this dashboard is not about.

    Raises:
        NotFound: it does.
    """
    if not question.projects.shows(folder):
        raise NotFound(question.formats.gettext("There is no such run here."))


def project_filter(question: Question) -> tuple[str, int | None]:
    """Return the project that the filter of an address names, and its number.

    Raises:
        NotFound: there is no such project.
    """
    key = question.query.get("project", "")
    if not key:
        return "", None
    folder = question.projects.by_key.get(key)
    if folder is None:
        raise NotFound(question.formats.gettext("There is no such project here."))
    with question.store.view() as view:
        # One that has never run has no runs, and no number.
        return key, overview.number_of(view, folder) or 0


def whole_number(text: str, default: int) -> int:
    """Return a number of an address; what is none, or too large, is the default."""
    number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if number else default
