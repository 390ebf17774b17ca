"""Tables and sparklines, in colour on a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_runner.cli.streams import show, stdout
from python_runner.texts.sanitize import flat
from python_runner.texts.wrapping import width


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


#: Between two columns; what continues a row is indented by it.
_GAP = "  "
#: Levels of a sparkline, lowest first.
BLOCKS = "▁▂▃▄▅▆▇█"
#: The same for streams that cannot write those.
ASCII_LEVELS = "_.-=+*#@"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; ``numbers`` are aligned to the right."""

    heading: str
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One value for each column; an ``alarming`` row is red on a terminal."""

    cells: tuple[str, ...]
    alarming: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print ``rows``; no value is ever cut."""
    heading = Row(tuple(column.heading for column in columns))
    table = [heading, *rows]
    blocks = table_lines(columns, [row.cells for row in table], stdout().columns)
    for row, lines in zip(table, blocks, strict=True):
        colour = "bold" if row is heading else "red" if row.alarming else None
        for line in lines:
            show(line, colour=colour)


def table_lines(
    columns: Sequence[Column], table: Sequence[Sequence[str]], room: int | None
) -> Iterator[list[str]]:
    """Yield the lines of each row of a table, the columns aligned.

    Columns that find no room on a line stand on the next one, in every row. A value that
    is wider than the terminal is left to be wrapped.

    Args:
        columns: the columns.
        table: a cell for each of them in every row, the headings too.
        room: columns of the terminal; None for any width.
    """
    table = [[flat(cell) for cell in row] for row in table]
    widths = [max(map(width, cells)) for cells in zip(*table, strict=True)]
    layout = list(_layout(widths, room))
    for row in table:
        cells = [
            _padded(cell, size, numbers=column.numbers)
            for cell, size, column in zip(row, widths, columns, strict=True)
        ]
        lines = [
            " " * indent + _GAP.join(cells[place] for place in places)
            for indent, places in layout
        ]
        yield [line.rstrip() for line in lines if line.strip()]


def _layout(widths: Sequence[int], room: int | None) -> Iterator[tuple[int, list[int]]]:
    """Yield each line's indent and columns, as many as find room on it."""
    indent, used = 0, 0
    places: list[int] = []
    for place, size in enumerate(widths):
        if places and room is not None and used + size > room:
            yield indent, places
            indent = used = len(_GAP)
            places = []
        places.append(place)
        used += size + len(_GAP)
    yield indent, places


def _padded(cell: str, size: int, *, numbers: bool) -> str:
    space = " " * (size - width(cell))
    return space + cell if numbers else cell + space


def sparkline(values: Sequence[float], encoding: str | None) -> str:
    """Return one character a value, from 0 to the largest: twice as long, twice as high.

    Args:
        values: what is drawn; none for nothing.
        encoding: of the stream it goes to.
    """
    levels = BLOCKS
    try:
        BLOCKS.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        levels = ASCII_LEVELS
    ceiling = max(values, default=0.0)
    if ceiling <= 0:
        return levels[0] * len(values)
    top = len(levels) - 1
    return "".join(levels[round(max(value, 0.0) / ceiling * top)] for value in values)
