"""Where a block begins and ends, and what it names."""

from __future__ import annotations

import pytest

from python_runner.tracebacks.blocks import Block, Frame, Kind, block_at


pytestmark = pytest.mark.pure

SYNTAX = """\
  File "/srv/main.py", line 3
    total = (1 +
            ^
SyntaxError: '(' was never closed""".splitlines()
NOT_UTF_8 = (
    "SyntaxError: Non-UTF-8 code starting with '\\xe9' in file /srv/main.py on line 2,"
    " but no encoding declared; see https://peps.python.org/pep-0263/ for details"
)
FATAL = """\
Fatal Python error: Segmentation fault

Thread 0x00007f1 (most recent call first):
  File "/srv/wait.py", line 9 in wait

Current thread 0x00007f2 (most recent call first):
  File "/srv/load.py", line 12 in load
  File "/srv/main.py", line 3 in <module>

Extension modules: numpy, pandas (total: 2)""".splitlines()


@pytest.mark.parametrize("behind", [[], ["and more"]])
def test_a_script_that_cannot_be_read_is_named_by_its_last_line(
    behind: list[str],
) -> None:
    """Place, code and markers belong to it, and the line behind it does not."""
    lines = ["working", *SYNTAX, *behind]

    assert block_at(lines, 4, len(lines)) == Block(
        Kind.PYTHON,
        start=1,
        error=4,
        end=5,
        exception="SyntaxError: '(' was never closed",
        frames=(Frame("/srv/main.py", 3, None),),
    )


@pytest.mark.parametrize(
    "above",
    [
        ["Traceback (most recent call last):", '  File "/srv/main.py", line 1, in f'],
        ["Traceback (most recent call last):"],
    ],
)
def test_a_module_that_cannot_be_read_belongs_to_the_traceback_above(
    above: list[str],
) -> None:
    """It is an error of the import, which has a header."""
    lines = [*above, *SYNTAX]

    assert block_at(lines, len(lines) - 1, len(lines)) is None
    block = block_at(lines, 0, len(lines))
    assert block is not None
    assert (block.error, block.end) == (len(lines) - 1, len(lines))


def test_a_script_in_another_encoding_is_named_by_its_message() -> None:
    """Python shows neither place nor code of it."""
    lines = ["working", NOT_UTF_8, "done"]

    block = block_at(lines, 1, len(lines))

    assert block is not None
    assert (block.start, block.error, block.end) == (1, 1, 2)
    assert block.frames == (Frame("/srv/main.py", 2, None),)


def test_a_crash_has_the_frames_of_the_thread_that_crashed() -> None:
    """The outermost first, as everywhere; the other threads are not to blame."""
    lines = [*FATAL, "next"]

    assert block_at(lines, 0, len(lines)) == Block(
        Kind.FATAL,
        start=0,
        error=0,
        end=len(FATAL),
        exception="Fatal Python error: Segmentation fault",
        frames=(
            Frame("/srv/main.py", 3, "<module>"),
            Frame("/srv/load.py", 12, "load"),
        ),
    )
