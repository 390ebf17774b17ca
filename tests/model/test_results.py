"""What a result says of its failure, in one line and in its text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from python_runner.model import Attempt, Outcome, ScriptResult, Traceback
from python_runner.texts.sentence import Sentence


pytestmark = pytest.mark.pure

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CAUGHT = Traceback(text="T\nE: 1", exception="E: 1", file="sub/a.py", line=3)
LOGGED = Traceback(text="T\nE: 1", exception=None)


@pytest.mark.parametrize(
    ("outcome", "traceback", "exception", "place", "text"),
    [
        (Outcome.SUCCESS, None, None, None, None),
        (Outcome.FAILURE, CAUGHT, "E: 1", "sub/a.py:3", "T\nE: 1"),
        (Outcome.FAILURE, LOGGED, "why", None, "T\nE: 1\nwhy"),
        (Outcome.FAILURE, None, "why", None, "why"),
        (Outcome.TIMEOUT, None, "why", None, "why"),
    ],
)
def test_the_cause_of_a_result(
    outcome: Outcome,
    traceback: Traceback | None,
    exception: str | None,
    place: str | None,
    text: str | None,
) -> None:
    """The exception that ended it, else the reason; what was logged stands above that."""
    reason = None if outcome.succeeded else Sentence.of("why")
    attempt = Attempt(
        outcome=outcome,
        exit_code=0 if outcome.succeeded else 2,
        started_at=NOON,
        duration=1.0,
        reason=reason,
        traceback=traceback,
    )
    result = ScriptResult(
        script="a.py",
        run_id="39be3d37aed64",
        number=1,
        outcome=outcome,
        started_at=NOON,
        attempts=(attempt,),
        reason=reason,
    )
    document = result.to_document()
    assert (document["exception"], document["place"]) == (exception, place)
    assert document["traceback"] == text


def test_what_was_only_logged_makes_no_fingerprint() -> None:
    """Two failures with an exit code are the same, whatever was logged before."""
    assert LOGGED.fingerprint is None
    assert CAUGHT.fingerprint == "E@sub/a.py:None"
