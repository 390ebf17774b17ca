from __future__ import annotations

import pytest

from benchmarks.curves import Curve
from benchmarks.ratios import Spread, exponent, ratios, spread


pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([2.0], Spread(2.0, 2.0, 2.0, 1)),
        ([3.0, 1.0, 2.0], Spread(2.0, 1.0, 3.0, 3)),
        ([4.0, 1.0, 2.0, 3.0], Spread(2.5, 1.0, 4.0, 4)),
    ],
)
def test_a_spread_has_median_and_extremes(
    figures: list[float], expected: Spread
) -> None:
    """One round stands for itself; the order of the rounds says nothing."""
    assert spread(figures) == expected


def test_no_round_is_no_figure() -> None:
    """What was not measured has no median."""
    with pytest.raises(ValueError, match="no round"):
        spread([])


def test_a_ratio_is_to_the_reference_of_its_own_round() -> None:
    """Rounds in which either was not measured are passed over."""
    assert ratios([2.0, None, 9.0, 8.0], [1.0, 2.0, None, 4.0]) == [2.0, 2.0]
    assert ratios([2.0], [0.0]) == []
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0], [])


@pytest.mark.parametrize("power", [0, 1, 2])
def test_growth_is_the_slope_between_the_last_two_sizes(power: int) -> None:
    """Small sizes are mostly start-up."""
    sizes = [1, 10, 100]
    assert exponent(
        sizes, [500, *(size**power for size in sizes[1:])]
    ) == pytest.approx(power)


@pytest.mark.parametrize(
    ("sizes", "costs"), [([], []), ([5], [1]), ([0, 5], [1, 2]), ([1, 5], [0, 2])]
)
def test_two_points_are_needed_for_growth(sizes: list[int], costs: list[float]) -> None:
    """Nothing has no logarithm."""
    assert exponent(sizes, costs) is None


def test_a_curve_passes_over_what_was_not_measured() -> None:
    """The last size may be left out for one of the costs."""
    curve = Curve("a", "scripts", (10, 100, 1000))
    for cost in (1.0, 10.0, None):
        curve.add("CPU", cost)
    assert curve.power("CPU") == pytest.approx(1)
