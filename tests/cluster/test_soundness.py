"""What comes from workers is judged before it is used."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from python_runner.cluster.soundness import (
    sound_answer,
    sound_examined,
    sound_offer,
    sound_tokens,
)
from python_runner.cluster.task import Answer, Examined, Offer
from python_runner.model import Attempt, Interpreter, Outcome, Traceback
from python_runner.model.metrics import OutputNumber, ScriptMetrics
from python_runner.texts.sentence import Sentence


pytestmark = pytest.mark.pure

METRICS = ScriptMetrics(
    output_bytes=1, output_lines=1, numbers=(OutputNumber(line="# rows", value=-3.5),)
)
SUCCESS = Attempt(
    outcome=Outcome.SUCCESS,
    exit_code=0,
    started_at=datetime(2024, 11, 27, tzinfo=UTC),
    duration=1.5,
    peak_memory=10_000,
    cpu_seconds=0.5,
    metrics=METRICS,
)
FAILURE = replace(
    SUCCESS,
    outcome=Outcome.FAILURE,
    exit_code=-9,
    reason=Sentence.of("killed by {name}", name="SIGKILL"),
    traceback=Traceback(text="Traceback", exception="E: x", file="a.py", line=1),
    warnings=(Sentence("odd"),),
)


def answer(attempt: Any, **changes: Any) -> Answer:
    """Return an answer with any attempt."""
    return replace(Answer(offer="1", attempt=attempt), **changes)


@pytest.mark.parametrize(
    "value",
    [
        answer(SUCCESS),
        answer(FAILURE),
        answer(None),
        answer(SUCCESS, output=b"x" * 1000, expired=True),
    ],
)
def test_a_sound_answer_is_taken(value: Answer) -> None:
    """What the worker of this version sends is taken as it is."""
    assert sound_answer(value, 1000) is value


NO_NUMBER: Any = {"numbers": (1,)}
NO_FILES: Any = {"files": None}
BAD_NUMBER: Any = {"numbers": (OutputNumber(line="#", value=float("-inf")),)}
#: Of another type, out of range, or too large.
ODD: list[object] = [
    *(None, 0, "done", b"", [], {}, object(), TimeoutError(), SUCCESS),
    answer(SUCCESS, offer=7),
    answer(SUCCESS, offer="x" * 100_000),
    answer(SUCCESS, output="text"),
    answer(SUCCESS, output=b"x" * 300_000),
    answer(SUCCESS, expired=None),
    answer("success"),
    answer({"outcome": "success"}),
    *(
        answer(replace(SUCCESS, **changes))
        for changes in (
            {"outcome": "done"},
            {"outcome": None},
            {"outcome": Outcome.SKIPPED},
            {"exit_code": 1},
            {"exit_code": None},
            {"exit_code": True},
            {"reason": Sentence("but")},
            {"started_at": None},
            {"started_at": datetime(2024, 11, 27)},  # noqa: DTZ001 - it is odd
            {"duration": float("nan")},
            {"duration": float("inf")},
            {"duration": -1},
            {"duration": "1"},
            {"duration": 10**400},
            {"peak_memory": -1},
            {"cpu_seconds": "much"},
            {"warnings": None},
            {"warnings": ["odd"]},
            {"warnings": (Sentence("odd"),) * 100_000},
            {"output": 3},
            {"output": "/etc/passwd"},
            {"transient": "no"},
            {"metrics": 3},
            {"metrics": replace(METRICS, output_bytes=-1)},
            {"metrics": replace(METRICS, **NO_NUMBER)},
            {"metrics": replace(METRICS, **NO_FILES)},
        )
    ),
    *(
        answer(replace(FAILURE, **changes))
        for changes in (
            {"exit_code": "1"},
            {"exit_code": 2**70},
            {"reason": "why"},
            {"reason": Sentence.of("{missing}")},
            {"reason": Sentence.of("{a.b}", a=1)},
            {"reason": Sentence("x" * 5_000_000)},
            {"reason": Sentence(None)},  # type: ignore[arg-type]
            {"hint": 1},
            {"traceback": "Traceback"},
            {"traceback": Traceback(text="x" * 5_000_000, exception=None)},
            {"traceback": Traceback(text="x", exception=None, line=-1)},
        )
    ),
]


def test_an_odd_answer_is_none() -> None:
    """Another type, a value out of range or one that is too large is no answer."""
    assert [one for one in ODD if sound_answer(one, 1000) is not None] == []


OFFER = {"token": "t", "worker": "tcp://127.0.0.1:1", "offer": "1", "turn": 0}


def test_offers() -> None:
    """An event is an offer where it has the four parts of one, and nothing else."""
    assert sound_offer(OFFER) == Offer(**OFFER)  # type: ignore[arg-type]
    odd = [
        None,
        "offer",
        [*OFFER],
        {},
        OFFER | {"more": 1},
        *(OFFER | {name: None} for name in OFFER),
        OFFER | {"turn": -1},
        OFFER | {"turn": "0"},
        OFFER | {"worker": "nowhere"},
        OFFER | {"token": "x" * 1000},
    ]
    assert [sound_offer(one) for one in odd] == [None] * len(odd)


def test_tokens() -> None:
    """Of tasks that were asked for those count that a worker names; no other."""
    assert sound_tokens(["a", "b", "c"], ["a", "c"]) == {"a", "c"}
    assert sound_tokens(("a",), ()) == {"a"}
    assert sound_tokens([], ()) == set()
    odd: list[object] = [None, "abc", 3, [3], [[]], {"a": 1}, TimeoutError()]
    assert [sound_tokens(one, ()) for one in odd] == [None] * len(odd)


def test_what_a_worker_found() -> None:
    """An interpreter, or a sentence that says why there is none."""
    good = (
        Examined(interpreter=Interpreter(path="/usr/bin/python3", version="3.11.9")),
        Examined(problem=Sentence("no")),
    )
    assert [sound_examined(one) for one in good] == [*good]
    odd: list[Any] = [
        None,
        "python3",
        Examined(),
        Examined(interpreter="python3"),  # type: ignore[arg-type]
        Examined(interpreter=Interpreter(path="")),
        Examined(interpreter=Interpreter(path=3)),  # type: ignore[arg-type]
        Examined(interpreter=Interpreter(path="p", version=3)),  # type: ignore[arg-type]
        Examined(problem="no"),  # type: ignore[arg-type]
    ]
    assert [sound_examined(one) for one in odd] == [None] * len(odd)
