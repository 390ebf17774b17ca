from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutation.__main__ import FURTHER, KNOWN, Module
from tests.mutation.mutants import mutants_of, sample


pytestmark = pytest.mark.source


SOURCE = '''\
"""Any module."""

KINDS = re.compile(r"(?:one|other|third)")


def chosen(items: list[int], limit: int | None = None) -> list[int]:
    """Return some."""
    if not items or limit == 0:
        return []
    rows = connection.execute("SELECT id FROM é WHERE a >= ? ORDER BY id LIMIT ?")
    return sorted(rows, key=len, reverse=any(items))[: limit - 1]
'''


@pytest.mark.parametrize(
    "changed",
    [
        "(?:other|third)",
        "(?:one|third)",
        "if (items) or limit == 0:",
        "if not items and limit == 0:",
        "if not items or limit != 0:",
        "if not items or limit == 1:",
        "WHERE a > ? ORDER BY id LIMIT ?",
        "WHERE a >= ?  LIMIT ?",
        'WHERE a >= ? ORDER BY id ")',
        "        return None\n    rows",
        "sorted(rows,  reverse=any(items))[: limit - 1]",
        "sorted(rows, key=len)[: limit - 1]",
        "reverse=all(items)",
        "[: limit + 1]",
        "[: limit - 2]",
    ],
)
def test_every_kind_of_defect_is_made(changed: str) -> None:
    """One at a time, and the rest of the module stays as it is."""
    made = [mutant.source for mutant in mutants_of(SOURCE)]
    assert sum(changed in source for source in made) == 1


def test_nothing_else_is_changed() -> None:
    """Neither a docstring nor an annotation; each mutant has a name of its own."""
    mutants = mutants_of(SOURCE)
    assert len({mutant.name for mutant in mutants}) == len(mutants)
    assert len({mutant.source for mutant in mutants} | {SOURCE}) == len(mutants) + 1
    for mutant in mutants:
        assert "def chosen(items: list[int], limit: int | None = None)" in mutant.source


def test_a_sample_is_the_same_for_one_seed() -> None:
    """It is no longer than asked for, and has two of a line at most."""
    mutants = mutants_of(SOURCE)
    chosen = sample(mutants, 6, "a")
    lines = [mutant.line for mutant in chosen]

    assert chosen == sample(mutants, 6, "a") != sample(mutants, 6, "b")
    assert len(chosen) == 6
    assert max(map(lines.count, lines)) <= 2


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", FURTHER)
def test_every_module_has_tests(name: str) -> None:
    """The modules are there, and so is each test file that the table names."""
    module = Module(name)
    assert mutants_of(module.source)
    assert module.tests
    assert set(module.tests) >= {
        Path(__file__).parents[1] / further for further in FURTHER[name]
    }


def test_a_judged_survivor_is_still_there() -> None:
    """What is judged harmless has a reason; one that the source lost is taken out."""
    for name, judged in json.loads(KNOWN.read_text("utf-8")).items():
        there = {mutant.name for mutant in mutants_of(Module(name).source)}
        assert set(judged) <= there
        assert all(judged.values())
