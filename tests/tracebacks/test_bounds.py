"""What reading an output costs grows as the output does: counted, not timed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.texts.carriage_returns import SettledLines, settled
from python_runner.tracebacks.cause import read_background_errors, read_cause
from python_runner.tracebacks.endings import Ending
from python_runner.tracebacks.excerpt import excerpt, fold_repeated_lines
from python_runner.tracebacks.parts import without_recursion
from python_runner.tracebacks.place import Project


if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

pytestmark = pytest.mark.portable("it computes only")

HEADER = "Traceback (most recent call last):\n"
PROJECT = Project(("/p",), "/p/main.py", lambda _file: True)
#: What outputs are made of, n times.
PIECES: dict[str, Callable[[int], str]] = {
    "words": lambda n: "".join(f"row {k} of {n}\n" for k in range(n)),
    "same line": lambda n: "retrying\n" * n,
    "blank": lambda n: "\n" * n,
    "frames": lambda n: (
        HEADER
        + "".join(f'  File "/p/{k}.py", line {k}, in f\n    g({k})\n' for k in range(n))
        + "E: x\n"
    ),
    "recursion": lambda n: (
        HEADER
        + '  File "/p/a.py", line 1, in f\n    g()\n  File "/p/b.py", line 2, in g\n'
        "    f()\n" * n + "E: x\n"
    ),
    # Whatever takes turns ends in something else before it is often enough.
    "nearly": lambda n: "".join("a\nb\na\nb\n" + f"{k}\n" for k in range(n)),
    "tracebacks": lambda n: (HEADER + '  File "/p/a.py", line 1, in f\nE: x\n') * n,
    "links": lambda n: (
        (
            f"{HEADER}  File '/p/a.py', line 1, in f\nE: {'x' * 600}\n\nDuring handling of the above"
            " exception, another exception occurred:\n\n"
        )
        * n
    ),
    "bar": lambda n: "".join(f"\r{k}%" for k in range(n)),
    "bars": lambda n: "".join(f"\r{k}%\n" for k in range(n)),
    "nested": lambda n: "".join(f"\rall {k}\n\rone {k}\x1b[A" for k in range(n)),
}


def followed(text: str) -> str:
    """Settle a text that comes in parts."""
    lines = SettledLines()
    parts = (text[at : at + 400] for at in range(0, len(text), 400))
    return "".join(map(lines.part, parts)) + lines.rest()


USES: dict[str, Callable[[str], object]] = {
    "cause": lambda text: read_cause(text, Ending.EXCEPTION, PROJECT),
    "code": lambda text: read_cause(text, Ending.CODE, PROJECT),
    "warnings": lambda text: read_background_errors(text, PROJECT),
    "excerpt": lambda text: excerpt(text, "/p", "en"),
    "fold": lambda text: fold_repeated_lines(text, "en"),
    "recursion": without_recursion,
    "settled": settled,
    "followed": followed,
}


def steps(act: Callable[[str], object], text: str) -> int:
    """Return how many lines of Python are run, and functions called."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("pieces", PIECES)
def test_the_work_grows_as_the_output_does(use: str, pieces: str) -> None:
    """Twice as long an output takes at most twice the steps, and a little."""
    short, long = (steps(USES[use], PIECES[pieces](n)) for n in (150, 600))
    assert long <= 4.4 * short + 2000
