from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.carriage_returns import SettledLines, settled


pytestmark = pytest.mark.pure

BAR = "".join(f"\r{n:3}%|{'#' * (n // 10):10}| {n}/100" for n in range(101))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\nlines\n", "plain\nlines\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("one\r\r\n", "one\n"),
        ("10%\r20%\r\nend", "20%\nend"),
        ("10%\r20%", "20%"),
        ("10%\r20%\r", "20%"),
        # A bar that clears its line at the end.
        ("10%\r20%\r    \r", "20%"),
        ("10%\r\x1b[2K\r\x1b[32m20%\x1b[0m\r\x1b[K", "\x1b[32m20%\x1b[0m"),
        ("\r\r\r", ""),
        ("\rfirst", "first"),
        (f"start\n{BAR}\nTraceback", "start\n100%|##########| 100/100\nTraceback"),
        # Two bars, one below the other, as tqdm writes them into a file as well.
        ("\rall 0%\n\rone 5%\x1b[A\n\rone 9%\x1b[A\rall 1%", "all 1%\none 9%"),
        ("\rall 0%\n\rone 5%\x1b[A\n\nend", "all 0%\none 5%\nend"),
        ("\rall 0%\n\rone 5%\x1b[A\nTraceback (", "all 0%\nTraceback ("),
        ("a\nb\nc\x1b[2A\rX\n\nlast", "X\nb\nlast"),
        ("\x1b[9Ax\ny", "x\ny"),
        (f"{BAR}Traceback (most", "100%|##########| 100/100Traceback (most"),
    ],
)
def test_of_a_line_what_stood_at_its_end_is_shown(text: str, shown: str) -> None:
    """As a person at the terminal has seen it last."""
    assert settled(text) == shown
    assert settled(shown) == shown


@given(st.text("ab \r\n\x1b[K"), st.lists(st.integers(0, 50)))
def test_the_parts_in_which_it_comes_do_not_matter(text: str, cuts: list[int]) -> None:
    """Who follows sees what is shown afterwards."""
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    lines = SettledLines()
    parts = [lines.part(text[start:end]) for start, end in pairwise(places)]
    assert "".join(parts) + lines.rest() == settled(text)


def test_a_bar_of_any_length_is_not_kept() -> None:
    """Neither a line that never ends takes memory without end."""
    lines = SettledLines()
    assert lines.part(BAR * 2000) == ""
    assert lines.rest() == "100%|##########| 100/100"
    assert lines.part("x" * 100_000) == "x" * 100_000


#: Two bars, one below the other, and what follows them.
NESTED = "".join(
    f"\rall {outer}/9" + "".join(f"\n\rone {n}/9\x1b[A" for n in range(10))
    for outer in range(10)
)


@given(st.lists(st.integers(0, 10_000)))
def test_steps_of_nested_bars_are_no_lines(cuts: list[int]) -> None:
    """Who follows sees bars below one another as who reads afterwards."""
    text = f"start\n{NESTED}\n\nend\nof\nall\n"
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    lines = SettledLines()
    parts = [lines.part(text[start:end]) for start, end in pairwise(places)]
    shown = ("".join(parts) + lines.rest()).split("\n")
    # Nobody knows, when the first bar's line ends, that the text will move up again.
    known = shown[:1] + shown[1 + (shown[1] == "all 0/9" and len(shown) > 7) :]
    assert known == ["start", "all 9/9", "one 9/9", "end", "of", "all", ""]


def test_lines_are_shown_at_once_when_nested_bars_have_ended() -> None:
    """Only as long as the text may move up are lines kept back."""
    lines = SettledLines()
    lines.part(f"{NESTED}\n\n")
    assert lines.part("a\nb\nc\n").endswith("a\nb\nc\n")
    assert lines.part("d\n") == "d\n"
    assert lines.rest() == ""
