"""How the cost of one thing grows with its size."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.ratios import exponent


@dataclass(slots=True)
class Curve:
    """Costs at growing sizes.

    Attributes:
        name: of its table.
        what: what there is more and more of.
        sizes: growing.
        costs: by what is counted, one a size; None where it was not measured.
    """

    name: str
    what: str
    sizes: tuple[int, ...]
    costs: dict[str, list[float | None]] = field(default_factory=dict)

    def add(self, name: str, cost: float | None) -> None:
        """Note the cost at the next size."""
        self.costs.setdefault(name, []).append(cost)

    def power(self, name: str) -> float | None:
        """Return the power of the size by which a cost grows at last; None: unknown."""
        measured = [
            (size, cost)
            for size, cost in zip(self.sizes, self.costs[name], strict=False)
            if cost is not None
        ]
        sizes, costs = zip(*measured, strict=True) if measured else ((), ())
        return exponent(sizes, costs)
