from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.sanitize import (
    OutputCleaner,
    clean,
    cut_middle,
    flat,
    json_safe,
    one_line,
)


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
    note = re.compile(r"([\d,]+) bytes? left out\]\n")
    while not note.match(rest):
        more, sign, rest = rest.partition("\n[")
        assert sign
        head += "\n[" + more
    found = note.match(rest)
    assert found
    missing, tail = int(found[1].replace(",", "")), rest[found.end() :]
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


SGR = re.compile(r"\x1b\[[0-9;:]*m")
#: Pieces of which hostile output is made.
PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            " ",
            "\n",
            "\t",
            "\x1b",
            "[",
            "]",
            "0;",
            "31",
            "m",
            "\x1b[31m",
            "\x1b[0m",
            "\x1b[2J",
            "\x1b]0;title\x07",
            "\x1b]52;c;aGk=\x1b\\",
            "\\",
            "\x07",
            "\x9b31m",
            "\x9d",
            "\x1bP",
            "\x1bc",
            "\u202e",
            "\u2066",
            "\x00",
            "\x7f",
            "\udc80",
        ]
    ),
    max_size=12,
).map("".join)


def shown(*blocks: str, colours: bool) -> str:
    """Return what is shown of blocks of output."""
    cleaner = OutputCleaner(colours=colours)
    return "".join(map(cleaner.clean, blocks)) + cleaner.end()


@given(st.lists(PIECES, max_size=6))
def test_of_a_scripts_sequences_only_colours_pass(blocks: list[str]) -> None:
    """However a block is cut; and colours end with the output."""
    text = shown(*blocks, colours=True)

    rest = SGR.sub("", text)
    assert clean(rest) == rest
    assert shown(*blocks, colours=False) == clean(shown(*blocks, colours=False))
    if colours := SGR.findall(text):
        assert colours[-1].strip("\x1b[m;0") == ""


@given(PIECES, st.data())
def test_a_seam_between_blocks_is_not_seen(text: str, data: st.DataObject) -> None:
    """A sequence is one, whichever blocks it comes in."""
    place = data.draw(st.integers(0, len(text)))

    assert shown(text[:place], text[place:], colours=True) == shown(text, colours=True)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (["\x1b[1;38:5:9mred\x1b[0m"], "\x1b[1;38:5:9mred\x1b[0m"),
        (["\x1b[3", "1mred"], "\x1b[31mred\x1b[0m"),
        (["\x1b]0;PW", "NED\x07text"], "text"),
        (["\x1b]52;c;aGk=\x1b", "\\text"], "text"),
        (["\x1b[2J\x1b[H\x1b[?25ltext"], "text"),
        (["\x9b31mtext\x85"], "\\x9b31mtext\\x85"),
        (["end\x1b"], "end\\x1b"),
        (["\x1b[8mhidden", "\nnext"], "\x1b[8mhidden\nnext\x1b[0m"),
    ],
)
def test_output_block_by_block(blocks: list[str], expected: str) -> None:
    """What comes out of some blocks."""
    assert shown(*blocks, colours=True) == expected


def test_an_endless_sequence_holds_nothing_back() -> None:
    """What begins like a sequence and never ends is text after some thousand letters."""
    cleaner = OutputCleaner(colours=True)
    held = sum(len(cleaner.clean("\x1b[" + "1" * 5000)) for _ in range(100))

    assert held > 400_000


@given(ANYTHING)
def test_a_flat_text_is_one_line(text: str) -> None:
    """No name forges a second line."""
    assert len(flat(text).splitlines()) <= 1


@given(ANYTHING)
def test_a_document_means_what_it_meant(text: str) -> None:
    """A terminal obeys nothing in it, and a program reads the same."""
    document = json_safe(json.dumps({"a": text}, ensure_ascii=False))

    assert clean(document) == document
    assert json.loads(document) == {"a": text}
