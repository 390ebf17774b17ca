from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.sanitize import clean, cut_middle, one_line


pytestmark = pytest.mark.pure


#: Any text a decoder with ``surrogateescape`` may give, with more of the bad ones.
ANYTHING = st.text(
    st.one_of(
        st.characters(),
        st.characters(categories=["Cc", "Cs", "Cf"]),
        st.sampled_from("\x1b[]m;0\r\n\x00\x07\x85\u2028\u202e\udc80"),
    )
)


@given(ANYTHING)
def test_cleaned_text_is_harmless(text: str) -> None:
    """Cleaned text can be encoded and holds no control but line breaks and tabs."""
    cleaned = clean(text)
    cleaned.encode()
    controls = {c for c in cleaned if unicodedata.category(c) in {"Cc", "Cs"}}
    assert controls <= {"\n", "\t"}
    assert clean(cleaned) == cleaned


@given(ANYTHING, st.integers(1, 300))
def test_a_header_line_is_one_short_line(text: str, limit: int) -> None:
    """Nothing gets a second line into a header, by whatever character."""
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert line == line.strip()


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 400))
def test_what_is_cut_is_counted_to_the_byte(text: str, limit: int) -> None:
    """Head, tail and the number between them add up to the whole."""
    cut = cut_middle(text, limit, "en")
    if len(text.encode()) <= limit:
        assert cut == text
        return
    head, _, rest = cut.partition("\n[")
    while " bytes left out]\n" not in rest.partition("\n[")[0]:
        more, _, rest = rest.partition("\n[")
        head += "\n[" + more
    note, _, tail = rest.partition(" bytes left out]\n")
    missing = int(note.replace(",", ""))
    kept = len(head.encode()) + len(tail.encode())
    assert kept + missing == len(text.encode())
    assert kept <= limit
    assert text.startswith(head)
    assert text.endswith(tail)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Btext\x1b=", "text"),
        ("10%\r20%\r\nend", "10%\n20%\nend"),
        ("nul\x00 bell\x07", "nul\\x00 bell\\x07"),
        ("half \udc80", "half \\udc80"),
        ("exe\u202egpj.py", "exe\\u202egpj.py"),
        ("accents: é à €", "accents: é à €"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_terminal_sequences_go_and_controls_show(text: str, expected: str) -> None:
    """Colours vanish; what is left of control characters can be seen."""
    assert clean(text) == expected
