"""Whether a success may be unusual at all, by the least and the most of those before it.

Nearly every success is none: this look at a few numbers saves the look at all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.history import ENOUGH_SUCCESSES


if TYPE_CHECKING:
    from python_runner.model import ScriptResult
    from python_runner.model.history import Bounds, PastBounds
    from python_runner.model.metrics import ScriptMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How far is far, for one kind of quantity.

    Attributes:
        offset: added before the logarithm: differences below it are noise.
        floor: the least spread that is believed, of the logarithm.
        factor: how many times the usual, or which part of it, a value must be.
        difference: and how far from it.
        zero: whether 0 is far from whatever was never 0.
        counts: whether it is a small number of things that happen by chance.
    """

    offset: float
    floor: float
    factor: float
    difference: float
    zero: bool = False
    counts: bool = False


QUICK = Scale(offset=0.3, floor=0.15, factor=4.0, difference=1.0)
SLOW = Scale(offset=0.3, floor=0.15, factor=3.0, difference=30.0)
FEW_LINES = Scale(offset=1.0, floor=0.1, factor=4.0, difference=5.0, zero=True)
MANY_LINES = Scale(offset=1.0, floor=0.1, factor=5.0, difference=50.0)
FEW_BYTES = Scale(offset=20.0, floor=0.1, factor=10.0, difference=500.0)
MANY_BYTES = Scale(offset=20.0, floor=0.1, factor=10.0, difference=50_000.0)
MANY_ERRORS = Scale(offset=1.0, floor=0.1, factor=3.0, difference=1.0, counts=True)
SMALL_NUMBER = Scale(offset=1.0, floor=0.1, factor=10.0, difference=0.0, zero=True)
SMALL_FILE = Scale(offset=100.0, floor=0.1, factor=10.0, difference=500.0)


def may_be_far(value: float, bounds: Bounds, scale: Scale, side: int) -> bool:
    """Say at little cost whether a value can be far from any usual one.

    Args:
        value: the present one.
        bounds: the least and the most of the values before.
        scale: how far is far.
        side: 1 where more is looked for, -1 where less is.
    """
    least, most = bounds
    if side > 0:
        return value >= scale.factor * least and value - least >= scale.difference
    if scale.zero and value == 0:
        return most > 0
    return most >= scale.factor * value and most - value >= scale.difference


def may_be_unusual(result: ScriptResult, past: PastBounds) -> bool:
    """Say whether ``unusual.reasons`` may find any for a result.

    Args:
        result: of a script.
        past: of its latest results, as many as tell whether it may be unusual.
    """
    if not result.succeeded or past.successes < ENOUGH_SUCCESSES:
        return False
    # The last attempt is judged; those before are told of all attempts, which take longer.
    last = result.attempts[-1].duration if result.attempts else result.duration
    if _is_outside(last, past.duration, QUICK, None):
        return True
    if _is_outside(result.duration, past.duration, None, SLOW):
        return True
    return result.metrics is not None and _metrics_may_be(result.metrics, past)


def _metrics_may_be(metrics: ScriptMetrics, past: PastBounds) -> bool:
    errors = metrics.log_errors + metrics.log_criticals
    return (
        # Few scripts name files: theirs are compared one by one.
        bool(metrics.files)
        or (errors > 0 and _is_outside(errors, past.errors, None, MANY_ERRORS))
        or _is_outside(metrics.output_lines, past.output_lines, FEW_LINES, MANY_LINES)
        or _is_outside(metrics.output_bytes, past.output_bytes, FEW_BYTES, MANY_BYTES)
        or any(
            _is_outside(number.value, past.numbers.get(number.line), SMALL_NUMBER, None)
            for number in metrics.numbers
        )
    )


def _is_outside(
    value: float, bounds: Bounds | None, few: Scale | None, many: Scale | None
) -> bool:
    if bounds is None:
        return False
    return (few is not None and may_be_far(value, bounds, few, -1)) or (
        many is not None and may_be_far(value, bounds, many, 1)
    )
