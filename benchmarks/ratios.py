"""Statistics: what a handful of rounds says."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of several rounds; one of them stands for itself.

    Attributes:
        median: half of the figures are not above it.
        least: the smallest one.
        most: the largest one.
        count: how many they are, at least 1.
    """

    median: float
    least: float
    most: float
    count: int


def spread(figures: Sequence[float]) -> Spread:
    """Return median and extremes of ``figures``.

    Raises:
        ValueError: there is none.
    """
    if not figures:
        raise ValueError("no round was measured")
    return Spread(statistics.median(figures), min(figures), max(figures), len(figures))


def ratios(
    figures: Sequence[float | None], reference: Sequence[float | None]
) -> list[float]:
    """Return each round's figure in times of the reference of the same round.

    Rounds in which either is missing are passed over.
    """
    return [
        figure / base
        for figure, base in zip(figures, reference, strict=True)
        if figure is not None and base
    ]


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """Return the power of the size by which costs grow: 0 is flat, 1 linear.

    It is the slope between the last two points, for small sizes are mostly start-up.
    None where there are fewer than two points, or one of the two is nothing.
    """
    if not sizes[1:] or min(*costs[-2:], sizes[-2]) <= 0:
        return None
    return math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])
