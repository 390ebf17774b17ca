"""How a table finds room: columns that have none stand on the next line of each row."""

from __future__ import annotations

import pytest

from python_runner.cli.tables import Column, table_lines


pytestmark = pytest.mark.portable("it makes lines of texts")

COLUMNS = (Column("run"), Column("project"), Column("took", numbers=True))
TABLE = [
    ("run", "project", "took"),
    ("1a", "日本", "8.1 s"),
    ("2b", "ventes", ""),
    ("3c", "", "12 min"),
]


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (
            None,
            [
                ["run  project    took"],
                ["1a   日本      8.1 s"],
                ["2b   ventes"],
                ["3c            12 min"],
            ],
        ),
        (20, "as without a limit"),
        (
            19,
            [
                ["run  project", "    took"],
                ["1a   日本", "   8.1 s"],
                ["2b   ventes"],
                ["3c", "  12 min"],
            ],
        ),
        (
            11,
            [
                ["run", "  project", "    took"],
                ["1a", "  日本", "   8.1 s"],
                ["2b", "  ventes"],
                ["3c", "  12 min"],
            ],
        ),
    ],
)
def test_a_table_takes_as_many_lines_as_it_needs(
    room: int | None, lines: list[list[str]] | str
) -> None:
    """The same columns stand below each other in every row; no empty line is left."""
    if isinstance(lines, str):
        lines = list(table_lines(COLUMNS, TABLE, None))

    assert list(table_lines(COLUMNS, TABLE, room)) == lines


def test_a_value_is_one_line() -> None:
    """A name with a line break makes no row of its own."""
    assert list(table_lines(COLUMNS, [("1a", "a\nb", "3 s")], None)) == [
        ["1a  a b  3 s"]
    ]
