"""Where a traceback may begin: on every line that has such words, and on no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.tracebacks.lines import output_of


pytestmark = pytest.mark.pure

#: First lines of tracebacks; the box has the words of two kinds.
FIRST = (
    "Traceback (most recent call last):",
    "ERROR - Traceback (most recent call last):",
    "  + Exception Group Traceback (most recent call last):",
    "  +-+---------------- 1 ----------------",
    "╭───── Traceback (most recent call last) ─────╮",
    "SyntaxError: invalid syntax",
    "IndentationError: unexpected indent",
    "TabError: inconsistent use of tabs",
    "Fatal Python error: Segmentation fault",
    "Windows fatal exception: access violation",
    "Timeout (0:00:03)!",
)
#: Lines of an output, of which the last has to have a text.
LINES = st.lists(st.sampled_from(FIRST) | st.sampled_from(["", "done", "a: b"]))


@given(LINES)
def test_each_first_line_is_marked_once(lines: list[str]) -> None:
    """In their order; blank lines at the end are none of the output."""
    output = output_of("\n".join(lines))

    assert output.marks == [n for n, line in enumerate(lines) if line in FIRST]
    assert output.lines == lines[: len(output.lines)]
    assert not any(lines[len(output.lines) :])


def test_of_very_many_the_last_ones_are_marked() -> None:
    """What ended a script is near the end of its output, of whichever kind it is."""
    lines = ["SyntaxError: x"] * 1500 + ["Traceback (most recent call last):"] * 1500

    assert output_of("\n".join(lines)).marks == list(range(1000, 3000))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", []),
        ("\n \n", []),
        ("plain", ["plain"]),
        ("\x1b[1;31mred\x1b[0m and plain", ["red and plain"]),
        ("\x1b]8;;http://localhost\x07link\x1b]8;;\x07", ["link"]),
        ("a\r\nb\n\n", ["a", "b"]),
    ],
)
def test_lines_are_those_that_people_see(text: str, shown: list[str]) -> None:
    """Without colours and links, and without blank lines at the end."""
    assert output_of(text).lines == shown
