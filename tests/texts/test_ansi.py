from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.ansi import Colours, Span, plain


pytestmark = pytest.mark.pure

NAMES = {"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"}
FRONT = NAMES | {f"bright-{name}" for name in NAMES}
KNOWN = FRONT | {f"on-{name}" for name in FRONT}
KNOWN |= {"bold", "dim", "italic", "underline", "inverse", "strike"}


@pytest.mark.parametrize(
    ("line", "spans"),
    [
        ("plain", [Span("plain")]),
        ("", []),
        ("\x1b[31mred\x1b[0m not", [Span("red", ("red",)), Span(" not")]),
        ("\x1b[1;32mok", [Span("ok", ("bold", "green"))]),
        ("\x1b[1mA\x1b[22mB", [Span("A", ("bold",)), Span("B")]),
        ("\x1b[91;104mx", [Span("x", ("bright-red", "on-bright-blue"))]),
        ("\x1b[41mx\x1b[49my", [Span("x", ("on-red",)), Span("y")]),
        ("\x1b[38;5;9mx", [Span("x", ("bright-red",))]),
        ("\x1b[48;5;2mx", [Span("x", ("on-green",))]),
        # What has no name is passed with its numbers: 1 is not bold there.
        ("\x1b[38;5;201mx", [Span("x")]),
        ("\x1b[38;2;1;1;1mx", [Span("x")]),
        ("\x1b[38;2;1;1;1;4mx", [Span("x", ("underline",))]),
        ("\x1b[38mx", [Span("x")]),
        # Titles, links, the cursor, and what begins and never ends.
        ("\x1b]0;title\x07x", [Span("x")]),
        ("\x1b]8;;http://evil/\x1b\\x", [Span("x")]),
        ("\x1b[2Jx\x1b[10Ay", [Span("x"), Span("y")]),
        ("a\x07b\x00", [Span("a\\x07b\\x00")]),
        ("\u202egnp.exe", [Span("\\u202egnp.exe")]),
        ("<b>&\"'</b>", [Span("<b>&\"'</b>")]),
    ],
)
def test_known_colours_become_names(line: str, spans: list[Span]) -> None:
    """Everything else that a terminal obeys is dropped, or shown as its number."""
    assert Colours().spans(line) == spans


def test_a_colour_lasts_to_its_end_on_a_later_line() -> None:
    """As on a terminal."""
    colours = Colours()
    assert colours.spans("\x1b[31mone") == [Span("one", ("red",))]
    assert colours.spans("two") == [Span("two", ("red",))]
    assert colours.spans("\x1b[39mthree") == [Span("three")]


@given(st.text(alphabet="\x1b[]0123456789;:mABab \x07\t\u202e") | st.text())
def test_any_text_has_known_names_only(line: str) -> None:
    """Whatever a script prints, no name of a class comes from it, and no escape passes."""
    spans = Colours().spans(line)
    assert {name for span in spans for name in span.names} <= KNOWN
    text = "".join(span.text for span in spans)
    assert text == plain(line)
    assert "\x1b" not in text
    text.encode()
