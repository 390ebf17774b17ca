"""Tables and sparklines, in colour on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.cli.streams import show_pieces, stdout
from python_runner.facts import dataclass
from python_runner.texts.sanitize import flat
from python_runner.texts.wrapping import shortened, width


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


#: Between two columns; what continues a row is indented by it.
_GAP = "  "
#: Columns of the terminal that a remark wants beside the other columns.
_REMARK = 30
#: Columns to which a name is cut at most.
_NAME = 12
#: Levels of a sparkline, lowest first.
BLOCKS = "▁▂▃▄▅▆▇█"
#: The same for streams that cannot write those.
ASCII_LEVELS = "_.-=+*#@"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: what stands above it.
        numbers: whether its values are aligned to the right.
        name: whether the middle of a value may be left out on a terminal.
        remark: whether its values, of the last column, may stand below the others, and
            their ends may be left out, on a terminal.
        beside: whether such values rather lose their ends than stand below.
        optional: whether a terminal shows it only where a row has such a value.
    """

    heading: str = ""
    numbers: bool = False
    name: bool = False
    remark: bool = False
    beside: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a table.

    Attributes:
        text: the value.
        colour: in which a terminal shows it.
        shorter: what may stand for it on a terminal, each shorter than the one before.
    """

    text: str
    colour: str | None = None
    shorter: tuple[str, ...] = ()

    def form(self, level: int) -> str:
        """Return the value in its form of a level: 0 is the longest."""
        forms = (self.text, *self.shorter)
        return flat(forms[min(level, len(forms) - 1)])


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print ``rows`` below their headings; without any heading, rows alone.

    What is not for a terminal holds every value whole, one row a line.
    """
    stream, rows = stdout(), list(rows)
    kept = [
        place
        for place, column in enumerate(columns)
        if stream.columns is None
        or not column.optional
        or any(row[place].text for row in rows)
    ]
    columns = [columns[place] for place in kept]
    table = [[row[place] for place in kept] for row in rows]
    if any(column.heading for column in columns):
        table.insert(0, [Cell(column.heading, "bold") for column in columns])
    for line in table_lines(columns, table, stream.columns, stream.encoding):
        show_pieces(*line)


#: Parts of a line, each with its colour or none.
Line = list[tuple[str, str | None]]


def table_lines(
    columns: Sequence[Column],
    table: Sequence[Sequence[Cell]],
    room: int | None,
    encoding: str = "utf-8",
) -> Iterator[Line]:
    """Yield the lines of a table, the columns aligned.

    Where the terminal is too narrow values get shorter forms first. Then a remark stands
    on a line of its own below its row, and the middle of names is left out. Where that
    does not do, the columns that find no room stand on the next line, in every row.

    Args:
        columns: the columns.
        table: a cell for each of them in every row, the headings too.
        room: columns of the terminal; None for any width.
        encoding: of the stream it goes to.
    """
    mark = "…" if _can_write("…", encoding) else "..."
    texts, layout = _fitted(columns, table, room, mark)
    widths = [max(map(width, cells)) for cells in zip(*texts, strict=True)]
    for row, cells in zip(table, texts, strict=True):
        for indent, places in layout:
            line = list(_line(columns, row, cells, widths, places))
            if _stripped(line):
                yield [(" " * indent, None), *line] if indent else line


def _line(
    columns: Sequence[Column],
    row: Sequence[Cell],
    texts: Sequence[str],
    widths: Sequence[int],
    places: Sequence[int],
) -> Iterator[tuple[str, str | None]]:
    for place in places:
        space = " " * (widths[place] - width(texts[place]))
        if place is not places[0]:
            yield _GAP, None
        if columns[place].numbers:
            yield space, None
        yield texts[place], row[place].colour
        if not columns[place].numbers:
            yield space, None


def _stripped(line: Line) -> Line:
    """Take the space at its end off a line; return it."""
    while line and not (text := line[-1][0].rstrip()):
        del line[-1]
    if line:
        line[-1] = (text, line[-1][1])
    return line


def _fitted(
    columns: Sequence[Column],
    table: Sequence[Sequence[Cell]],
    room: int | None,
    mark: str,
) -> tuple[list[list[str]], list[tuple[int, list[int]]]]:
    """Return the texts of a table that find room, and each line's indent and columns."""
    levels = max((len(cell.shorter) for row in table for cell in row), default=0)
    forms = [[[c.form(n) for c in row] for row in table] for n in range(levels + 1)]
    every = list(range(len(columns)))
    if room is None:
        return forms[0], [(0, every)]
    for texts in forms:
        if _size(texts, every) <= room:
            return texts, [(0, every)]
    if not columns[-1].remark:
        texts = _with_short_names(columns, forms, every, room, mark)
        return texts, list(_layout(texts, every, room))
    *others, last = every
    left = room - _size(forms[-1], others) - len(_GAP)
    if columns[last].beside and left >= _REMARK:
        return _cut(forms[-1], last, left, mark, tail=False), [(0, every)]
    texts = _with_short_names(columns, forms, others, room, mark)
    texts = _cut(texts, last, room - len(_GAP), mark, tail=False)
    if columns[last].heading:
        # What stands below its row is told by its words.
        texts[0][last] = ""
    return texts, [*_layout(texts, others, room), (len(_GAP), [last])]


def _with_short_names(
    columns: Sequence[Column],
    forms: Sequence[list[list[str]]],
    places: Sequence[int],
    room: int,
    mark: str,
) -> list[list[str]]:
    """Return the longest texts with which some columns find room on one line.

    Where that takes it names are cut; where nothing does, as far as they need a line.
    """
    for texts in forms:
        if _size(texts, places) <= room:
            return texts
    texts = forms[-1]
    names = [place for place in places if columns[place].name]
    for place in names:
        size = _size(texts, [place])
        least = min(size, max(_NAME, width(columns[place].heading)))
        wanted = max(size - (_size(texts, places) - room), least)
        texts = _cut(texts, place, wanted, mark, tail=True)
    if _size(texts, places) <= room:
        return texts
    texts = forms[-1]
    for place in names:
        texts = _cut(texts, place, room - len(_GAP), mark, tail=True)
    return texts


def _size(texts: Sequence[Sequence[str]], places: Sequence[int]) -> int:
    """Return the columns of the terminal that some columns of a table take."""
    widths = (max((width(row[place]) for row in texts), default=0) for place in places)
    return sum(widths) + len(_GAP) * max(len(places) - 1, 0)


def _cut(
    texts: Sequence[Sequence[str]], place: int, room: int, mark: str, *, tail: bool
) -> list[list[str]]:
    """Return the texts of a table, one column of them cut."""
    return [
        [
            *row[:place],
            shortened(row[place], max(room, width(mark)), mark, tail=tail),
            *row[place + 1 :],
        ]
        for row in texts
    ]


def _layout(
    texts: Sequence[Sequence[str]], columns: Sequence[int], room: int
) -> Iterator[tuple[int, list[int]]]:
    """Yield each line's indent and columns, as many as find room on it."""
    indent, used = 0, 0
    places: list[int] = []
    for place in columns:
        size = _size(texts, [place])
        if places and used + size > room:
            yield indent, places
            indent = used = len(_GAP)
            places = []
        places.append(place)
        used += size + len(_GAP)
    yield indent, places


def sparkline(values: Sequence[float], encoding: str | None) -> str:
    """Return one character a value, from 0 to the largest: twice as long, twice as high.

    Args:
        values: what is drawn; none for nothing.
        encoding: of the stream it goes to.
    """
    levels = BLOCKS if _can_write(BLOCKS, encoding) else ASCII_LEVELS
    ceiling = max(values, default=0.0)
    if ceiling <= 0:
        return levels[0] * len(values)
    top = len(levels) - 1
    return "".join(levels[round(max(value, 0.0) / ceiling * top)] for value in values)


def _can_write(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
