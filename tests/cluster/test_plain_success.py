"""The end of a success that has little to tell comes as an event."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.cluster.plain_success import plain_answer, plain_event
from python_runner.cluster.task import Answer
from python_runner.model import Attempt, Outcome
from python_runner.model.metrics import OutputNumber, ProducedFile, ScriptMetrics
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.pure

MOMENT = datetime(2024, 11, 27, 6, 0, 0, 123456, tzinfo=UTC)
METRICS = ScriptMetrics(
    output_bytes=41,
    output_lines=2,
    log_warnings=1,
    numbers=(
        OutputNumber(line="# lignes chargées", value=48210),
        OutputNumber(line="#", value=-0.5),
    ),
)
SUCCESS = Attempt(
    outcome=Outcome.SUCCESS,
    exit_code=0,
    started_at=MOMENT,
    duration=1.5,
    peak_memory=10_000,
    cpu_seconds=0.5,
    metrics=METRICS,
)
PLAIN = Answer(offer="1", attempt=SUCCESS)


@pytest.mark.parametrize(
    "attempt",
    [
        SUCCESS,
        replace(SUCCESS, metrics=None, peak_memory=None, cpu_seconds=None),
        replace(SUCCESS, metrics=replace(METRICS, numbers=())),
    ],
)
def test_a_plain_success_is_told_whole(attempt: Attempt) -> None:
    """What arrives as an event is what the task returns."""
    answer = replace(PLAIN, attempt=attempt)
    assert plain_answer(plain_event("t", answer)) == ("t", answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": Outcome.FAILURE, "exit_code": 1},
        {"outcome": Outcome.NOT_STARTED, "exit_code": None},
        {"warnings": (Sentence("it left a process behind"),)},
        {"output": "/srv/project/logs/other.log"},
        {"transient": True},
        {"hint": Sentence("do this")},
        {
            "metrics": replace(
                METRICS, files=(ProducedFile(path="a", size=1, modified_at=MOMENT),)
            )
        },
        {
            "metrics": replace(
                METRICS, numbers=(OutputNumber(line="#" * 5000, value=1.0),)
            )
        },
    ],
)
def test_what_an_event_cannot_tell_is_no_event(changes: Mapping[str, Any]) -> None:
    """A failure, and a success with anything more to say, comes as what a task returns."""
    assert plain_event("t", replace(PLAIN, attempt=replace(SUCCESS, **changes))) is None


def test_neither_output_nor_the_end_of_a_lease_is_an_event() -> None:
    """Output that comes back, an expired lease and a task that was refused are answers."""
    for answer in (
        replace(PLAIN, output=b"x"),
        replace(PLAIN, expired=True),
        replace(PLAIN, attempt=None),
    ):
        assert plain_event("t", answer) is None


def test_odd_events_tell_nothing() -> None:
    """An event with parts missing, of another type or out of range ends no task."""
    event = plain_event("t", PLAIN)
    assert event
    odd: list[object] = [None, "t", 3, [], {}, [*event], OSError()]
    for name in event:
        odd.append({key: value for key, value in event.items() if key != name})
        if name not in {"counts", "peak_memory", "cpu_seconds"}:
            odd.append(event | {name: None})
        odd += [event | {name: {"a": 1}}, event | {name: float("nan")}]
    odd += [
        event | {"counts": [1]},
        event | {"counts": [-1, 0, 0, 0, 0]},
        event | {"numbers": [["#"]]},
        event | {"numbers": [[1, 2]]},
        event | {"duration": -1},
        event | {"started_at": "yesterday"},
        event | {"offer": 7},
    ]
    assert [one for one in odd if plain_answer(one) is not None] == []
