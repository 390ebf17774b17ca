"""How often :mod:`python_runner.unusual` is wrong, and how much it finds.

Projects of two years are simulated, and each of their runs is judged by those before it:
what is called unusual there is a false mark. A fault is tried on a run beside its healthy
form, which is what the later ones know of.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import TYPE_CHECKING

from benchmarks.simulated import FAULTS, HELD_OUT, KINDS, START
from benchmarks.tables import number, said, table
from python_runner.model.history import ENOUGH_SUCCESSES, LATEST_RESULTS
from python_runner.unusual import ALL_RESULTS, reasons


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.simulated import Project
    from python_runner.model import PastResult, ScriptResult

#: Projects that are published, of both sets of kinds; and their seeds.
PROJECTS, HELD_OUT_PROJECTS = 240, 140
SEED, HELD_OUT_SEED = 1, 2
#: Faults of each kind that are tried in a project.
TRIALS = 6


@dataclass
class Measured:
    """What came of some projects.

    Attributes:
        years: of projects, by their kind.
        marks: healthy runs that were called unusual, by kind of project.
        tried, found: faults by kind of project, and by kind of fault.
        projects: how many there were.
    """

    years: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    projects: int = 0

    def false_marks(self, kind: str | None = None) -> float:
        """Return the false marks a project and year."""
        if kind is None:
            return self.marks.total() / sum(self.years.values())
        return self.marks[kind] / self.years[kind]

    def detection(self, kind: str | None = None, fault: str | None = None) -> float:
        """Return the share of the faults that were found."""
        tried = [key for key in self.tried if kind in {None, key[0]}]
        tried = [key for key in tried if fault in {None, key[1]}]
        found = sum(self.found[key] for key in tried)
        return found / max(1, sum(self.tried[key] for key in tried))


def measure(
    kinds: Sequence[Callable[[random.Random], Project]], count: int, seed: int
) -> Measured:
    """Simulate so many projects of these kinds in turn, and judge them."""
    measured = Measured(projects=count)
    for place, kind in enumerate(islice(cycle(kinds), count)):
        project = kind(random.Random(f"{seed} {place}"))  # noqa: S311 - no secret
        faults = random.Random(f"faults {seed} {place}")  # noqa: S311
        _measure_one(project, faults, measured)
    return measured


def _measure_one(project: Project, rng: random.Random, measured: Measured) -> None:
    healthy = list(project.runs())
    kind = project.kind
    tried: dict[int, list[str]] = defaultdict(list)
    for fault in FAULTS:
        for _ in range(TRIALS):
            tried[rng.randrange(ENOUGH_SUCCESSES + 2, len(healthy))].append(fault)
    # Oldest first: the newest are taken from the end.
    past: list[PastResult] = []
    for place, run in enumerate(healthy):
        for fault in tried.get(place, ()):
            faulty = FAULTS[fault](project, run, rng)
            if faulty is not None and not run.failed:
                measured.tried[kind, fault] += 1
                measured.found[kind, fault] += _is_unusual(faulty.result, past)
        unusual = _is_unusual(run.result, past)
        measured.marks[kind] += unusual
        past.append(run.past(unusual=unusual))
    measured.years[kind] += (healthy[-1].at - START).days / 365.25  # type: ignore[assignment]


def _is_unusual(result: ScriptResult, past: Sequence[PastResult]) -> bool:
    """Judge as a run does: by a few earlier ones, and by all where these accuse it."""
    few = reasons(result, past[: -LATEST_RESULTS - 1 : -1])
    return bool(few) and bool(reasons(result, past[: -ALL_RESULTS - 1 : -1]))


def published() -> Mapping[str, Callable[[str], str]]:
    """Measure what the page tells; return its tables by name."""
    known = measure(KINDS, PROJECTS, SEED)
    others = measure(HELD_OUT, HELD_OUT_PROJECTS, HELD_OUT_SEED)
    return {
        "unusual": lambda language: _totals(known, others, language),
        "unusual: kinds": lambda language: _kinds(known, others, language),
        "unusual: faults": lambda language: _faults(known, others, language),
    }


def _totals(known: Measured, others: Measured, language: str) -> str:
    head = ["projects", "number", "false marks a project and year", "faults found"]
    rows = [
        [
            said(name, language),
            str(one.projects),
            number(one.false_marks(), language),
            _percent(one.detection(), language),
        ]
        for name, one in (("developed with", known), ("held out", others))
    ]
    return table([said(word, language) for word in head], rows)


def _kinds(known: Measured, others: Measured, language: str) -> str:
    head = ["projects", "false marks a project and year", "faults found"]
    rows = [
        [
            said(kind, language) + ("" if one is known else " \\*"),
            number(one.false_marks(kind), language),
            _percent(one.detection(kind), language),
        ]
        for one in (known, others)
        for kind in one.years
    ]
    return table([said(word, language) for word in head], rows)


def _faults(known: Measured, others: Measured, language: str) -> str:
    head = ["fault", "found", "found, held out"]
    rows = [
        [
            said(fault, language),
            *(
                _percent(one.detection(fault=fault), language)
                for one in (known, others)
            ),
        ]
        for fault in FAULTS
    ]
    return table([said(word, language) for word in head], rows)


def _percent(share: float, language: str) -> str:
    space = "\N{NO-BREAK SPACE}" if language == "fr" else ""
    return f"{number(100 * share, language, 1)}{space}%"
