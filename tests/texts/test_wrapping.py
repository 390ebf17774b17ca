"""Lines for a terminal: nothing is lost, nothing that counts is broken."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.wrapping import indent_of_rest, width, wrap


pytestmark = pytest.mark.pure

WORDS = st.sampled_from(
    [
        "failed",
        "8.1 s",
        "12 min",
        "100 %",
        "3 files",
        "日本語",
        "é",
        "/srv/jobs/main.py",
        "two",
    ]
)
LINES = st.tuples(st.integers(0, 6), st.lists(WORDS, min_size=1, max_size=20)).map(
    lambda parts: " " * parts[0] + " ".join(parts[1])
)


@given(LINES, st.integers(30, 60))
def test_a_line_fits_and_says_the_same(line: str, columns: int) -> None:
    """Each part fits, is filled as far as its words go, and is indented but the first."""
    parts = wrap(line, columns)
    hang = " " * indent_of_rest(line, columns)

    assert " ".join(parts).split() == line.split()
    assert all(width(part) <= columns for part in parts)
    assert all(part.startswith(hang) for part in parts[1:])
    for above, below in pairwise(parts):
        first = below.split()[0]
        if first[0].isdigit():
            first = " ".join(below.split()[:2])
        assert width(f"{above} {first}") > columns


@given(LINES, st.integers(30, 60))
def test_a_number_stays_with_its_unit(line: str, columns: int) -> None:
    """A reader takes both in at once; what is counted may stand on the next line."""
    for part in wrap(line, columns):
        assert part.split()[0] not in {"s", "min", "%"}


@pytest.mark.parametrize(
    ("line", "columns", "parts"),
    [
        ("", 10, [""]),
        ("one two", 7, ["one two"]),
        ("one two", 6, ["one", " two"]),
        ("    one two", 8, ["    one", "  two"]),
        ("one  two", 4, ["one", " two"]),
        # Whoever copies a path gets it in one piece.
        ("at /srv/jobs/main.py", 8, ["at", "  /srv/jobs/main.py"]),
        ("/srv/jobs/main.py", 8, ["/srv/jobs/main.py"]),
        # A letter of East Asia takes two columns, an accent none.
        ("日本 語", 6, ["日本", " 語"]),
        ("e\u0301e\u0301 e\u0301", 4, ["e\u0301e\u0301 e\u0301"]),
    ],
)
def test_where_a_line_is_broken(line: str, columns: int, parts: list[str]) -> None:
    """Between words; a quarter of a narrow terminal is indented at most."""
    assert wrap(line, columns) == parts
