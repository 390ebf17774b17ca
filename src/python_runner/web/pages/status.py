"""One line for other monitors: ``OK``, or ``FAIL`` and which projects need somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import RunStatus
from python_runner.records.store import StoreError
from python_runner.texts.sanitize import one_line
from python_runner.web.site import PlainText
from python_runner.web.states import State


if TYPE_CHECKING:
    from python_runner.web.reading.overview import Overview, Row, Surveyor
    from python_runner.web.site import Question

#: Characters of a name.
_NAME = 100


def page(_question: Question, surveyor: Surveyor) -> PlainText:
    """Return the line, in English; 503 where nobody can know."""
    try:
        overview = surveyor.overview()
    except StoreError as error:
        return PlainText(content=f"FAIL records: {error.reason}\n", status=503)
    return PlainText(content=f"{line(overview)}\n")


def line(overview: Overview) -> str:
    """Return ``OK``, or ``FAIL 2 factures/import.py exports(silent)``."""
    if not overview.rows:
        # Another state folder than the one that was meant looks like this.
        return "FAIL no project is recorded"
    bad = [row for row in overview.rows if row.needs_somebody]
    if not bad:
        return "OK"
    return " ".join(("FAIL", str(len(bad)), *map(_name, bad)))


def _name(row: Row) -> str:
    name = one_line(row.name, _NAME)
    if row.state is State.SILENT:
        return f"{name}(silent)"
    last = row.last if row.last and not row.left else None
    # Where nothing was begun, no script is to blame.
    failure = (
        last.failure if last and last.status is not RunStatus.NOT_STARTED else None
    )
    return f"{name}/{one_line(failure.script, _NAME)}" if failure else name
