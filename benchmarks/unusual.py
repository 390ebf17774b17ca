"""How often :mod:`python_runner.unusual` is wrong, and how much it finds."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import TYPE_CHECKING

from benchmarks.simulated import FAULTS, HELD_OUT, KINDS, START
from python_runner.unusual import ALL, ENOUGH, RECENT, reasons


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.simulated import Project
    from python_runner.model import PastResult, ScriptResult
    from python_runner.texts.sentence import Sentence

#: Faults of each kind that are tried in a project.
TRIALS = 6


@dataclass
class Measured:
    """What came of some projects.

    Attributes:
        years: of projects.
        marks: of healthy runs that were called unusual, by kind of project.
        projects: how many there are of each kind.
        faults, found: by kind of fault.
        kinds: found and tried by kind of project.
        words: what was said of healthy runs.
    """

    years: float = 0.0
    marks: Counter[str] = field(default_factory=Counter)
    projects: Counter[str] = field(default_factory=Counter)
    kind_years: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    words: Counter[str] = field(default_factory=Counter)
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def false_marks(self) -> float:
        """False marks a project and year."""
        return self.marks.total() / self.years

    @property
    def detection(self) -> float:
        """Share of the faults that were found."""
        return self.found.total() / self.faults.total()


def judged(result: ScriptResult, past: Sequence[PastResult]) -> tuple[Sentence, ...]:
    """Judge a result as a run does: by few earlier ones, and by all where these accuse.

    ``past`` is oldest first here.
    """
    found = reasons(result, past[: -RECENT - 1 : -1])
    return reasons(result, past[: -ALL - 1 : -1]) if found else ()


def measure(
    kinds: Sequence[Callable[[random.Random], Project]], count: int, seed: int
) -> Measured:
    """Simulate so many projects of these kinds in turn, and judge them."""
    measured = Measured()
    for number, kind in enumerate(islice(cycle(kinds), count)):
        project = kind(random.Random(f"{seed} {number}"))
        _measure_one(project, random.Random(f"faults {seed} {number}"), measured)
    return measured


def _measure_one(project: Project, rng: random.Random, measured: Measured) -> None:
    healthy = list(project.runs())
    # Oldest first: the newest are taken from the end.
    past: list[PastResult] = []
    first = next((n for n in range(len(healthy)) if n >= ENOUGH + 2), 0)
    chosen: dict[int, list[str]] = defaultdict(list)
    if len(healthy) > first + 1:
        for name in FAULTS:
            for _ in range(TRIALS):
                chosen[rng.randrange(first, len(healthy))].append(name)
    for number, run in enumerate(healthy):
        found = judged(run.result, past)
        if found:
            measured.marks[project.kind] += 1
            for sentence in found:
                measured.words[f"{project.kind}: {sentence.template}"] += 1
        for name in chosen.get(number, ()):
            faulty = FAULTS[name](project, run, rng)
            if faulty is None or run.failed:
                continue
            hit = bool(judged(faulty.result, past))
            measured.faults[name] += 1
            measured.found[name] += hit
            measured.kinds[project.kind][0] += hit
            measured.kinds[project.kind][1] += 1
            if not hit:
                measured.missed[project.kind, name] += 1
        past.append(run.past(unusual=bool(found)))
    years = (healthy[-1].at - START).days / 365.25
    measured.years += years
    measured.projects[project.kind] += 1
    measured.kind_years[project.kind] += years


if __name__ == "__main__":
    import sys
    import time

    held = "held" in sys.argv
    count = int(sys.argv[1])
    began = time.monotonic()
    m = measure(HELD_OUT if held else KINDS, count, 2 if held else 1)
    print(f"{time.monotonic() - began:.0f} s; {m.false_marks:.2f} false marks a project and year, {m.detection:.1%} found")
    for kind in m.projects:
        hit, tried = m.kinds[kind]
        print(f"  {kind:20} {m.marks[kind] / m.kind_years[kind]:.2f}  {hit / max(1, tried):.1%}")
    for name in m.faults:
        print(f"  {name:20} {m.found[name] / m.faults[name]:.1%} of {m.faults[name]}")
    print(m.words.most_common(25))
    print(m.missed.most_common(25))
