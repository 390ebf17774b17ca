"""Tables and sparklines: drawn on a terminal, plain columns elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_runner.cli.streams import show, stdout
from python_runner.texts.sanitize import flat


if TYPE_CHECKING:
    from collections.abc import Sequence


#: Levels of a sparkline, lowest first.
BLOCKS = "▁▂▃▄▅▆▇█"
#: The same for streams that cannot write those.
ASCII_LEVELS = "_.-=+*#@"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: what stands above it.
        numbers: whether its values are aligned like numbers.
        whole: whether its values stay on one line while others can be broken.
    """

    heading: str
    numbers: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One value for each column; an ``alarming`` row is red on a terminal."""

    cells: tuple[str, ...]
    alarming: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print ``rows``; no value is ever cut."""
    if stdout().isatty():
        _draw(columns, rows)
        return
    for line in plain_lines(columns, rows):
        show(line)


def plain_lines(columns: Sequence[Column], rows: Sequence[Row]) -> list[str]:
    """Return heading and rows with their columns aligned, two spaces apart."""
    headings = [column.heading for column in columns]
    table = [headings, *([flat(cell) for cell in row.cells] for row in rows)]
    widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column.numbers else cell.ljust(width)
            for cell, width, column in zip(cells, widths, columns, strict=True)
        ).rstrip()
        for cells in table
    ]


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


def _draw(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a terminal is
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.numbers else "left",
            no_wrap=column.whole,
            overflow="fold",
        )
    for row in rows:
        style = "red" if row.alarming else None
        table.add_row(*(Text(flat(cell)) for cell in row.cells), style=style)
    Console(highlight=False).print(table)
