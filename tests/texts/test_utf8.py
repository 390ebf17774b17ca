from __future__ import annotations

import codecs
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.utf8 import Utf8Stream, codec_name, to_utf8


pytestmark = pytest.mark.pure

ENCODINGS = ["utf-8", "cp1252", "iso8859-1", "cp1251", "cp932", "gbk"]
#: What programs print, in every encoding, and what they print when nobody looks.
PIECES = st.sampled_from(
    [
        *(b"a", b"\n", b"\r", b"\r\n", b"\0", b"\n\0", b"\xff", b"\xfe", b"x" * 70_000),
        *("été".encode(encoding) for encoding in ("utf-8", "cp1252", "utf-16-le")),
        *("Prix : 3 €\r\n".encode(e) for e in ("utf-8", "cp1252", "utf-16-le")),
        *("日本\n".encode(encoding) for encoding in ("utf-8", "cp932", "utf-16-le")),
        *(codecs.BOM_UTF16_LE, "é".encode()[:1], "日".encode("cp932")[:1]),
    ]
)


@given(
    st.lists(PIECES, max_size=12),
    st.lists(st.integers(0, 400)),
    st.sampled_from(ENCODINGS),
)
def test_the_parts_in_which_it_comes_do_not_matter(
    pieces: list[bytes], cuts: list[int], encoding: str
) -> None:
    """Who follows a script while it prints sees what the file holds in the end."""
    data = b"".join(pieces)
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    stream = Utf8Stream(encoding)
    parts = [stream.part(data[start:end]) for start, end in pairwise(places)]
    assert b"".join(parts) + stream.rest() == to_utf8(data, encoding)
    assert stream.changed == (to_utf8(data, encoding) != data)


@given(st.lists(PIECES, max_size=12), st.sampled_from(ENCODINGS))
def test_doing_it_twice_does_nothing_more(pieces: list[bytes], encoding: str) -> None:
    """What was put away can be read as what is still being written."""
    once = to_utf8(b"".join(pieces).replace(b"\0", b""), encoding)
    assert to_utf8(once, encoding) == once


@given(st.binary(), st.sampled_from(ENCODINGS[1:]))
def test_the_result_is_utf8_where_the_locale_is_not(data: bytes, encoding: str) -> None:
    """A file that is put away there can be read by anybody."""
    to_utf8(data, encoding).decode()


@given(st.text(), st.sampled_from(ENCODINGS))
def test_what_is_utf8_stays_as_it_is(text: str, encoding: str) -> None:
    """Whatever the locale: a child may print it on purpose."""
    data = text.replace("\0", "").encode("utf-8", "ignore")
    assert to_utf8(data, encoding) == data


@given(
    st.text(st.characters(codec="cp1252", exclude_categories=["Cc"]), max_size=60),
    st.sampled_from(["\n", "\r\n"]),
)
def test_utf16_is_recognised(line: str, end: str) -> None:
    """A line of a program that prints UTF-16, between lines of one that does not."""
    text = f"Bonjour {line}{end}"
    data = b"before\n" + text.encode("utf-16-le") * 2 + b"behind\n"
    assert to_utf8(data, "cp1252") == f"before\n{text}{text}behind\n".encode()
    assert to_utf8(data, "utf-8") == f"before\n{text}{text}behind\n".encode()


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        ("Société\n".encode("cp1252"), "cp1252", "Société\n"),
        # A script and its child, each in an encoding of its own.
        ("é\n".encode("cp1252") + "é\n".encode(), "cp1252", "é\né\n"),
        ("50 %\r".encode("cp1252") + "100 % été".encode("cp1252"), "cp1252", "50 %\r100 % été"),
        (b"caf\xe9\n", "utf-8", b"caf\xe9\n"),
        (b"caf\x81\n", "cp1252", "caf\\x81\n"),
        (codecs.BOM_UTF16_LE + "Язык\n\nдля\n".encode("utf-16-le"), "utf-8", "Язык\n\nдля\n"),
        # Its first line was not seen from the start.
        ("été\r\nNom\r\n".encode("utf-16-le")[3:], "utf-8", "é\r\nNom\r\n"),
        (bytes(range(256)), "utf-8", bytes(range(256))),
        (b"a\0b\0c\n", "utf-8", b"a\0b\0c\n"),
        (b"", "cp1252", ""),
    ],
)  # fmt: skip
def test_lines_of_several_programs(
    data: bytes, encoding: str, expected: str | bytes
) -> None:
    """Each line is judged by itself; what nobody can read is kept."""
    wanted = expected if isinstance(expected, bytes) else expected.encode()
    assert to_utf8(data, encoding) == wanted


def test_what_comes_is_not_held_back_without_need() -> None:
    """Who follows sees a question whose line has not ended."""
    latin, plain = Utf8Stream("cp1252"), Utf8Stream("utf-8")
    assert latin.part(b"Continue? ") == b"Continue? "
    assert latin.part(b"10 %\r20 %\r") == b"10 %\r20 %\r"
    assert latin.part(b"pr\xe9") == b"pr"
    assert latin.part(b"nom\n") == "énom\n".encode()
    assert plain.part("é".encode() * 2) == "é".encode() * 2


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf-8"),
        ("ISO-8859-1", "iso8859-1"),
        ("cp1252", "cp1252"),
        ("ANSI_X3.4-1968", "utf-8"),
        ("utf-16", "utf-8"),
        ("cp037", "utf-8"),
        ("base64", "utf-8"),
        ("no such thing", "utf-8"),
        ("nul\0", "utf-8"),
        ("", "utf-8"),
    ],
)
def test_only_an_encoding_that_says_more_counts(name: str, codec: str) -> None:
    """ASCII, the unknown, and what writes ASCII in another way are taken for UTF-8."""
    assert codec_name(name) == codec
