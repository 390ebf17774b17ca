"""How often an unusual success is a false alarm: a small part of what the page publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.simulated import FAULTS, HELD_OUT, KINDS
from benchmarks.unusual import measure


if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from benchmarks.simulated import Project

pytestmark = [pytest.mark.slow, pytest.mark.portable("what is judged is simulated")]

#: Every kind but those that are started hourly: a year of these takes as long as all others.
QUICK = [kind for kind in KINDS if kind.__name__ != "all_day"]


@pytest.mark.parametrize(
    ("kinds", "seed"), [(QUICK, 11), (HELD_OUT, 12)], ids=["known", "held out"]
)
def test_a_project_has_one_false_mark_a_year_at_most(
    kinds: Sequence[Callable[[random.Random], Project]], seed: int
) -> None:
    """And at least nine of ten silent failures are found, each kind of them mostly."""
    measured = measure(kinds, len(kinds), seed)
    assert measured.false_marks() <= 1.0
    assert measured.detection() >= 0.9
    for fault in FAULTS:
        assert measured.detection(fault=fault) >= 0.7
