"""How a table finds room: shorter forms, a line below, cut names, and more lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.cli.tables import Cell, Column, table_lines
from python_runner.texts.wrapping import shortened, width
from tests.support import examples


pytestmark = pytest.mark.portable("it makes lines of texts")

COLUMNS = (Column("run"), Column("project"), Column("took", numbers=True))
TABLE = [
    ("run", "project", "took"),
    ("1a", "日本", "8.1 s"),
    ("2b", "ventes", ""),
    ("3c", "", "12 min"),
]
REMARKS = (
    Column("id"),
    Column("start"),
    Column("project", name=True),
    Column("n", numbers=True),
    Column("reason", remark=True),
)
LONG = "rapport_mensuel_des_ventes"


def lines_of(
    columns: tuple[Column, ...],
    rows: list[tuple[str | Cell, ...]],
    room: int | None,
    encoding: str = "utf-8",
) -> list[str]:
    """Return the lines of a table without colours."""
    cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in rows]
    lines = table_lines(columns, cells, room, encoding)
    return ["".join(text for text, _colour in line) for line in lines]


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (
            None,
            [
                "run  project    took",
                "1a   日本      8.1 s",
                "2b   ventes",
                "3c            12 min",
            ],
        ),
        (20, "as without a limit"),
        (
            19,
            [
                *("run  project", "    took"),
                *("1a   日本", "   8.1 s"),
                "2b   ventes",
                *("3c", "  12 min"),
            ],
        ),
        (
            11,
            [
                *("run", "  project", "    took"),
                *("1a", "  日本", "   8.1 s"),
                *("2b", "  ventes"),
                *("3c", "  12 min"),
            ],
        ),
    ],
)
def test_a_table_takes_as_many_lines_as_it_needs(
    room: int | None, lines: list[str] | str
) -> None:
    """The same columns stand below each other in every row; no empty line is left."""
    rows: list[tuple[str | Cell, ...]] = [*TABLE]
    if isinstance(lines, str):
        lines = lines_of(COLUMNS, rows, None)

    assert lines_of(COLUMNS, rows, room) == lines


@pytest.mark.parametrize(
    ("room", "lines"),
    [
        (
            86,
            [
                "id  start             project                      n  reason",
                "1a  2026-11-26 10:19  rapport_mensuel_des_ventes  12  b.py: KeyError: 'montant'",
                "2b  2026-11-26 10:20  stock                        3",
            ],
        ),
        (
            # What is shorter without being cut comes first.
            75,
            [
                "id  start  project                      n  reason",
                "1a  10:19  rapport_mensuel_des_ventes  12  b.py: KeyError: 'montant'",
                "2b  10:20  stock                        3",
            ],
        ),
        (
            60,
            [
                "id  start             project                      n",
                "1a  2026-11-26 10:19  rapport_mensuel_des_ventes  12",
                "  b.py: KeyError: 'montant'",
                "2b  2026-11-26 10:20  stock                        3",
            ],
        ),
        (
            35,
            [
                "id  start  project                n",
                "1a  10:19  rapport_me…es_ventes  12",
                "  b.py: KeyError: 'montant'",
                "2b  10:20  stock                  3",
            ],
        ),
        (
            24,
            [
                *("id  start", "  project", "   n"),
                *("1a  10:19", "  rapport_men…des_ventes", "  12"),
                "  b.py: KeyError: 'mont…",
                *("2b  10:20", "  stock", "   3"),
            ],
        ),
    ],
)
def test_what_gives_way_first(room: int, lines: list[str]) -> None:
    """Forms are shortened, then the remark goes below, then the middle of names is left out."""
    rows: list[tuple[str | Cell, ...]] = [
        ("id", "start", "project", "n", "reason"),
        (
            "1a",
            Cell("2026-11-26 10:19", shorter=("10:19",)),
            LONG,
            "12",
            "b.py: KeyError: 'montant'",
        ),
        ("2b", Cell("2026-11-26 10:20", shorter=("10:20",)), "stock", "3", ""),
    ]

    assert lines_of(REMARKS, rows, room) == lines


TEXTS = st.text(st.sampled_from("abé日本_- 12…"), max_size=40)


@examples(100)
@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), min_size=1, max_size=5),
    room=st.integers(20, 200),
)
def test_no_line_is_wider_than_the_terminal_where_names_and_remarks_give_way(
    rows: list[tuple[str, ...]], room: int
) -> None:
    """Whatever the names are; what is never cut has at most so many columns here."""
    table: list[tuple[str | Cell, ...]] = [
        (a[:10].ljust(1, "x"), b[:5], name, n[:3], reason)
        for a, b, name, n, reason in rows
    ]
    lines = lines_of(REMARKS, [("id", "start", "project", "n", "reason"), *table], room)

    assert max(map(width, lines)) <= room
    assert all(line.strip() and line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("text", "columns", "tail", "expected"),
    [
        ("short", 5, False, "short"),
        ("longer", 5, False, "long…"),
        ("two words", 5, False, "two…"),
        ("rapport_nord", 9, True, "rapp…nord"),
        ("日本語の名", 6, False, "日本…"),
        ("日本語の名", 6, True, "日…名"),
        ("e\u0301e\u0301e\u0301", 2, False, "e\u0301…"),
        ("abc", 1, True, "…"),
    ],
)
def test_a_text_is_shortened(
    text: str, columns: int, tail: bool, expected: str
) -> None:
    """By the columns that it takes; a name keeps both of its ends."""
    assert shortened(text, columns, tail=tail) == expected


def test_a_stream_without_dots_gets_three() -> None:
    """What stands for the rest takes its room in every encoding."""
    columns = (Column("project", name=True),)

    assert lines_of(columns, [(LONG,)], 14, "ascii") == ["rappor...entes"]


def test_a_remark_that_stays_beside_is_cut_there() -> None:
    """One line a row, as long as there is room for some of it."""
    columns = (Column(), Column(remark=True, beside=True))
    rows: list[tuple[str | Cell, ...]] = [("a.py", "word " * 12)]

    assert lines_of(columns, rows, 40) == ["a.py  word word word word word word wor…"]
    assert lines_of(columns, rows, 30)[0] == "a.py"


def test_a_value_is_one_line() -> None:
    """A name with a line break makes no row of its own."""
    assert lines_of(COLUMNS, [("1a", "a\nb", "3 s")], None) == ["1a  a b  3 s"]


def test_colours_are_those_of_their_values() -> None:
    """What aligns the columns has none."""
    table = [[Cell("1a"), Cell("failed", "red"), Cell("3")]]

    (line,) = table_lines(COLUMNS, table, None)

    assert [part for part in line if part[1]] == [("failed", "red")]
