"""Judges what comes from workers before it is used.

Any process may join a cluster, with any version of any package: what comes back may be of
another type, out of every range or as large as memory. What is not sound is as good as no
answer at all, and never ends the run.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from python_runner.cluster.task import Answer, Examined, Offer
from python_runner.model import Attempt, Interpreter, Outcome, Traceback
from python_runner.model.metrics import OutputNumber, ScriptMetrics
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Collection

#: Outcomes that a worker may tell of.
_OUTCOMES = frozenset(Outcome) - {Outcome.SKIPPED, Outcome.INTERRUPTED}
#: Most characters of a name, an address, a path or a sentence; a traceback; how many
#: warnings or numbers there are.
_NAME = 10_000
_TEXT = 4_000_000
_MANY = 1_000
#: Most bytes beside the kept output: what says how much was left out, of each attempt.
_NOTES = 100_000
#: More than any exit code, number of bytes or seconds is.
_MOST = 2**63
_LARGEST = sys.float_info.max
#: How a worker is called; the scheduler is asked to connect to it.
_ADDRESS = lazy_pattern(r"[a-z]+://[^\s/]{1,300}")


def sound_offer(message: object) -> Offer | None:
    """Return the offer that an event tells; None where it tells none."""
    if not isinstance(message, dict) or message.keys() != _OFFER:
        return None
    texts = [message[name] for name in ("token", "worker", "offer")]
    turn = message["turn"]
    if not all(_is_text(text, 400) for text in texts) or not _is_number(turn, int):
        return None
    return Offer(**message) if _ADDRESS.fullmatch(message["worker"]) else None


_OFFER = {"token", "worker", "offer", "turn"}


def sound_tokens(answer: object, asked: Collection[str]) -> set[str] | None:
    """Return which tasks a worker names; of ``asked``, where there are any.

    None where it is no list of names.
    """
    if not isinstance(answer, (list, tuple)) or not all(
        isinstance(token, str) for token in answer
    ):
        return None
    return {token for token in answer if not asked or token in asked}


def sound_examined(answer: Any) -> Examined | None:
    """Return what a worker found; None where it told nothing that makes sense."""
    if not isinstance(answer, Examined):
        return None
    problem: object = answer.problem
    if problem is not None:
        return answer if _is_sentence(problem) else None
    found: Any = answer.interpreter
    if not isinstance(found, Interpreter) or not _is_text(found.path) or not found.path:
        return None
    others: tuple[object, ...] = (found.version, found.base, found.stamp)
    return answer if all(o is None or _is_text(o) for o in others) else None


def sound_answer(answer: object, limit: int) -> Answer | None:
    """Return what became of a task; None where nobody can say.

    Args:
        answer: whatever came back.
        limit: most bytes of output that were to be kept.
    """
    if not isinstance(answer, Answer) or not _is_text(answer.offer):
        return None
    output: object = answer.output
    if output is not None and not (
        isinstance(output, bytes) and len(output) <= limit + _NOTES
    ):
        return None
    if not isinstance(answer.expired, bool):
        return None
    if answer.attempt is None:
        return answer
    return answer if _is_attempt(answer.attempt) else None


def _is_attempt(attempt: object) -> bool:
    if not isinstance(attempt, Attempt) or attempt.outcome not in _OUTCOMES:
        return False
    code = attempt.exit_code
    if code is not None and not _is_number(code, int, least=-_MOST):
        return False
    if attempt.outcome is Outcome.SUCCESS and (code != 0 or attempt.reason):
        return False
    numbers = (attempt.peak_memory, attempt.cpu_seconds)
    hints = (attempt.reason, attempt.hint)
    return (
        _is_moment(attempt.started_at)
        and _is_number(attempt.duration)
        and all(number is None or _is_number(number) for number in numbers)
        and all(hint is None or _is_sentence(hint) for hint in hints)
        and _all(attempt.warnings, _is_sentence)
        and (attempt.traceback is None or _is_traceback(attempt.traceback))
        and (attempt.metrics is None or _is_metrics(attempt.metrics))
        # It is no file of the coordinator, whoever may read that there.
        and attempt.output is None
        and isinstance(attempt.transient, bool)
    )


def _is_traceback(value: object) -> bool:
    if not isinstance(value, Traceback) or not _is_text(value.text, _TEXT):
        return False
    texts = (value.exception, value.file, value.function)
    line = value.line
    return (line is None or _is_number(line, int)) and all(
        text is None or _is_text(text, _TEXT) for text in texts
    )


def _is_metrics(value: object) -> bool:
    if not isinstance(value, ScriptMetrics):
        return False
    counts = (
        *(value.output_bytes, value.output_lines),
        *(value.log_warnings, value.log_errors, value.log_criticals),
    )
    # Its files are looked at by the coordinator.
    return (
        value.files == ()
        and all(_is_number(count, int) for count in counts)
        and _all(value.numbers, _is_output_number)
    )


def _is_output_number(value: object) -> bool:
    return (
        isinstance(value, OutputNumber)
        and _is_text(value.line)
        and _is_number(value.value, least=-_LARGEST, most=_LARGEST)
    )


def _is_sentence(value: object) -> bool:
    """Say whether it is a sentence that can be read, in any language."""
    if not isinstance(value, Sentence) or not isinstance(value.template, str):
        return False
    try:
        return all(len(value.in_language(one)) <= _TEXT for one in ("en", "fr"))
    except Exception:  # noqa: BLE001 - whatever its values are
        return False


def _is_text(value: object, most: int = _NAME) -> bool:
    return isinstance(value, str) and len(value) <= most


def _is_number(
    value: Any, kind: type[float] = float, *, least: float = 0, most: float = _MOST
) -> bool:
    """Say whether it is a number that is no truth value, and neither endless nor none."""
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        return False
    return least <= value <= most


def _is_moment(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _all(values: object, fits: Any) -> bool:
    return isinstance(values, tuple) and len(values) <= _MANY and all(map(fits, values))
