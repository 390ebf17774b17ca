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
    assert shown == ["start", "all 9/9", "one 9/9", "end", "of", "all", ""]


def test_lines_are_shown_at_once_when_nested_bars_have_ended() -> None:
    """Only as long as the text may move up are lines kept back."""
    lines = SettledLines()
    lines.part(f"{NESTED}\n\n")
    assert lines.part("a\nb\nc\n").endswith("a\nb\nc\n")
    assert lines.part("d\n") == "d\n"
    assert lines.rest() == ""


def test_a_bar_that_has_ended_is_shown_when_nothing_follows() -> None:
    """Or a text that is no bar, or the next bar has moved: that one is none below it."""
    lines = SettledLines()
    assert lines.part(f"start\n{BAR}\n") == "start\n"
    assert lines.paused() == "100%|##########| 100/100\n"
    assert lines.paused() == ""
    assert lines.part(f"{BAR}\nplain") == "100%|##########| 100/100\n"
    assert lines.part(f"\n{BAR}\n\r  1%") == "plain\n"
    assert lines.part("\r  2%\r  3%") == "100%|##########| 100/100\n"
    assert lines.rest() == "  3%"


def test_lines_of_windows_are_shown_at_once() -> None:
    """Their ends are no bars."""
    lines = SettledLines()
    assert lines.part("one\r\ntwo\r\n\r\n") == "one\ntwo\n\n"


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_bars_of_any_depth_are_shown_once(depth: int) -> None:
    """However they come, one write after the other."""
    writes = ["start\n"]
    for place in range(depth):
        for step in range(4):
            writes += ["\n"] * place
            writes += [f"\rbar {place} {step}/3"]
            writes += ["\x1b[A"] * place
    writes += ["\n"] * depth + ["end\n"]
    lines = SettledLines()
    shown = "".join(map(lines.part, writes)) + lines.rest()
    assert shown.split("\n")[:-1] == [
        "start",
        *[f"bar {place} 3/3" for place in range(depth)],
        "end",
    ]
