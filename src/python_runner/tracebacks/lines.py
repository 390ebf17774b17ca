"""The lines of an output as people see them, and where in them a traceback may begin."""

from __future__ import annotations

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.texts.carriage_returns import settled
from python_runner.tracebacks.json_lines import without_json_lines


_ANSI = lazy_pattern(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?)")
#: Blocks that are looked at, at most: what ended a script is near its end.
_MOST_MARKS = 2000
#: One of these is on the first line of every block; in the order of the alphabet.
_MARKS = (
    "  +-+---------------- 1 --",
    "Fatal Python error: ",
    "IndentationError: ",
    "SyntaxError: ",
    "TabError: ",
    "Timeout (",
    "Traceback (most recent call last)",
    "Windows fatal exception: ",
    "─ Traceback (",
)


@dataclass(frozen=True, slots=True)
class Output:
    """The end of a script's output.

    Attributes:
        lines: without colours, and without blank ones at the end.
        marks: numbers of the lines where a block of a traceback may begin, ascending; of
            very many, the last ones.
    """

    lines: list[str]
    marks: list[int]


def output_of(text: str) -> Output:
    """Return the lines of ``text``, and where a traceback may begin in them."""
    shown = shown_text(without_json_lines(text)).rstrip()
    return Output(shown.split("\n") if shown else [], _marked_lines(shown))


def shown_text(text: str) -> str:
    r"""Return what a reader sees of ``text``; its lines end with ``\n`` alone.

    Not for ``splitlines``: Python ends a line of a traceback with nothing else.
    """
    text = settled(text)
    return _ANSI.sub("", text) if "\x1b" in text else text


def _marked_lines(text: str) -> list[int]:
    places = []
    for mark in _MARKS:
        place = text.rfind(mark)
        for _ in range(_MOST_MARKS):
            if place < 0:
                break
            places.append(place)
            place = text.rfind(mark, 0, place)
    places = sorted(places)[-_MOST_MARKS:]
    numbers: list[int] = []
    line = seen = 0
    for place in places:
        line += text.count("\n", seen, place)
        seen = place
        if not numbers or numbers[-1] != line:
            numbers.append(line)
    return numbers
