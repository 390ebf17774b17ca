"""Where a traceback of IPython begins and ends, and what it names."""

from __future__ import annotations

import pytest

from python_runner.tracebacks.blocks import Frame
from python_runner.tracebacks.notebooks import cell_block_at


pytestmark = pytest.mark.pure

HEADER = "ValueError                                Traceback (most recent call last)"
CELL = "Cell In[2], line 3, in load(path)"
TRACEBACK = f"""\
{HEADER}
Cell In[2], line 1
----> 1 load("orders.csv")

File /srv/load.py:12, in load(path)
     11 def load(path):
---> 12     raise ValueError(path)

File /srv/plain.py:7
      6 x = 1
----> 7 y = x

ValueError: orders.csv""".split("\n")


def test_frames_and_exception_are_those_of_the_traceback() -> None:
    """From the header to the line of the exception, wherever in an output it stands."""
    lines = ["working", *TRACEBACK, "done"]
    block = cell_block_at(lines, 1, len(lines))

    assert block is not None
    assert (block.start, block.error, block.end) == (1, 13, 14)
    assert block.exception == "ValueError: orders.csv"
    assert block.frames == (
        Frame("/srv/load.py", 12, "load"),
        Frame("/srv/plain.py", 7, "<module>"),
    )


@pytest.mark.parametrize("first", [CELL, "Input In [2], in <cell line: 1>()"])
def test_the_place_may_have_each_of_its_forms(first: str) -> None:
    """A cell, an input, as older ones call it, or a file outside the notebook."""
    for place in (first, "File /srv/load.py:12, in load(path)"):
        lines = [HEADER, place, "----> 1 load()", "ValueError"]
        block = cell_block_at(lines, 0, len(lines))

        assert block is not None
        assert (block.exception, block.end) == ("ValueError", 4)
        assert len(block.frames) == place.startswith("File")


def test_a_frame_may_stand_right_below_the_header_and_above_the_exception() -> None:
    """No line between them is passed over."""
    lines = [HEADER, "File /srv/a.py:1", "File /srv/b.py:2", "ValueError: 1"]
    block = cell_block_at(lines, 0, len(lines))

    assert block is not None
    assert [frame.file for frame in block.frames] == ["/srv/a.py", "/srv/b.py"]


@pytest.mark.parametrize(
    "lines",
    [
        [HEADER],
        [HEADER, "something else", "ValueError: 1"],
        [HEADER, CELL, "KeyError: 1"],
        [HEADER, CELL, "ValueErrors: 1"],
        ["Traceback (most recent call last):", CELL, "ValueError: 1"],
    ],
)
def test_what_is_none_is_not_taken_for_one(lines: list[str]) -> None:
    """It needs the place below its header, and the exception that the header names."""
    assert cell_block_at(lines, 0, len(lines)) is None


def test_what_lies_beyond_the_limit_is_not_read() -> None:
    """The search for the exception ends where it is told to."""
    assert cell_block_at(TRACEBACK, 0, len(TRACEBACK) - 1) is None
    assert cell_block_at([HEADER, CELL, "ValueError"], 0, 1) is None
