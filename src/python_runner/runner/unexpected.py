"""Says in one sentence what nobody foresaw, and keeps its details in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.records.error_details import keep_details
from python_runner.records.store import StoreError
from python_runner.texts.sanitize import cut_middle, one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker

#: Characters of an error's own words in a sentence, and bytes of its details.
_WORDS = 300
_DETAILS = 50_000


def explain(error: Exception, home: Path, now: datetime, masker: Masker) -> Sentence:
    """Return what went wrong, for people; nothing here raises an ``Exception``.

    An error of the product's own says it itself. Of any other the sentence names the
    file in the state folder ``home`` that holds the details.
    """
    if isinstance(error, StoreError):
        return error.reason
    if isinstance(error, PythonRunnerError):
        # In the user's language already.
        return Sentence.of("{error}", error=str(error))
    words = one_line(masker.text(_last_line(error)), _WORDS)
    try:
        import traceback  # noqa: PLC0415 - seldom needed

        details = masker.text("".join(traceback.format_exception(error)))
        file = keep_details(home, cut_middle(details, _DETAILS, "en"), now)
    except Exception as failure:  # noqa: BLE001 - there may be no memory, disk or descriptor
        template = N_(
            "unexpected error: {error} (its details could not be written: {reason})"
        )
        reason = one_line(masker.text(_last_line(failure)), _WORDS)
        return Sentence.of(template, error=words, reason=reason)
    template = N_("unexpected error: {error} (details are in {file})")
    return Sentence.of(template, error=words, file=str(file))


def _last_line(error: Exception) -> str:
    """Return type and message, also of an error that cannot be printed."""
    import traceback  # noqa: PLC0415 - as above

    return traceback.format_exception_only(error)[-1].strip()
