"""A success that has little to tell, as an event.

What a task returns lies on its worker until the coordinator asks for it, which takes two
more ways over the scheduler. Most scripts succeed, and what there is to say of that fits
into an event. The scheduler keeps the last thousand of them, so they are small; all else
comes as what the task returns.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from python_runner.cluster.soundness import sound_answer
from python_runner.cluster.task import Answer
from python_runner.model import Attempt, Outcome
from python_runner.model.metrics import OutputNumber, ScriptMetrics


#: Most characters of all lines with numbers that an event tells.
_WIDTH = 2000


def plain_event(token: str, answer: Answer) -> dict[str, Any] | None:
    """Return what tells the end of a task; None where an event cannot tell all of it."""
    attempt = answer.attempt
    if attempt is None:
        return None
    metrics, counts = attempt.metrics, None
    numbers: list[list[Any]] = []
    if metrics is not None:
        counts = [
            *(metrics.output_bytes, metrics.output_lines),
            *(metrics.log_warnings, metrics.log_errors, metrics.log_criticals),
        ]
        numbers = [[one.line, one.value] for one in metrics.numbers]
    if sum(len(line) for line, _ in numbers) > _WIDTH:
        return None
    event = {
        "token": token,
        "offer": answer.offer,
        "started_at": attempt.started_at.isoformat(),
        "duration": attempt.duration,
        "peak_memory": attempt.peak_memory,
        "cpu_seconds": attempt.cpu_seconds,
        "counts": counts,
        "numbers": numbers,
    }
    return event if plain_answer(event) == (token, answer) else None


def plain_answer(event: object) -> tuple[str, Answer] | None:
    """Return the task that an event tells of, and its answer; None where it tells none."""
    # Whatever is missing in it, or is of another type.
    with suppress(LookupError, TypeError, ValueError):
        parts: Any = event
        metrics = None
        if parts["counts"] is not None:
            output_bytes, lines, warnings, errors, criticals = parts["counts"]
            metrics = ScriptMetrics(
                output_bytes=output_bytes,
                output_lines=lines,
                log_warnings=warnings,
                log_errors=errors,
                log_criticals=criticals,
                numbers=tuple(
                    OutputNumber(line=line, value=value)
                    for line, value in parts["numbers"]
                ),
            )
        attempt = Attempt(
            outcome=Outcome.SUCCESS,
            exit_code=0,
            started_at=datetime.fromisoformat(parts["started_at"]),
            duration=parts["duration"],
            peak_memory=parts["peak_memory"],
            cpu_seconds=parts["cpu_seconds"],
            metrics=metrics,
        )
        answer = sound_answer(Answer(offer=parts["offer"], attempt=attempt), 0)
        if answer and isinstance(parts["token"], str):
            return parts["token"], answer
    return None
