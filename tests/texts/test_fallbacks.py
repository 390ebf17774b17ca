from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.fallbacks import encodable
from python_runner.texts.formats import Formats


pytestmark = pytest.mark.pure

#: What redirected streams of Windows and bare POSIX accounts have.
ENCODINGS = ("utf-8", "cp1252", "cp850", "cp437", "latin-1", "cp1250", "ascii")


@given(st.text(), st.sampled_from(ENCODINGS))
def test_what_is_encodable_can_be_encoded(text: str, encoding: str) -> None:
    """Every text can be written, and what could be written before is left alone."""
    shown = encodable(text, encoding)

    shown.encode(encoding)
    assert encodable(shown, encoding) == shown
    for char in text:
        if char.isascii():
            assert char in shown


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("0,13\u202fs", "cp1252", "0,13\u00a0s"),
        ("0,13\u202fs", "cp850", "0,13\u00a0s"),
        ("0,13\u202fs", "ascii", "0,13 s"),
        ("1\u2009234", "cp1252", "1 234"),
        ("l\u2019été \u2013 fini\u2026", "ascii", "l'ete - fini..."),
        ("e\u0301te\u0301", "cp1252", "été"),
        ("cœur naïf", "ascii", "coeur naif"),
        ("cœur", "latin-1", "coeur"),
        ("✓ ✗ ✅ ❌", "cp1252", "+ x + x"),
        ("✓ ✗", "cp437", "√ x"),
        ("⚠️ a → b", "cp1252", "! a -> b"),
        ("«\u00a0oui\u00a0»", "ascii", '" oui "'),
        ("12 €", "cp850", "12 EUR"),
        ("5 \u00d7 3 ≤ 20", "ascii", "5 x 3 <= 20"),
        ("ﬁn ½", "ascii", "fin 1/2"),
        ("Łódź", "cp1252", "Lódz"),
        ("日本 😀", "cp1252", "?? ?"),
        ("🟢 20 °C, 3 µm", "ascii", "* 20 degC, 3 um"),
        ("▶ 1 ★ ∞", "cp1252", "> 1 * inf"),
        ("\udc80", "utf-8", "?"),
        ("été", "no-such-encoding", "ete"),
    ],
)
def test_what_comes_near(text: str, encoding: str, shown: str) -> None:
    """A question mark is left for what nothing comes near."""
    assert encodable(text, encoding) == shown


@given(st.floats(0, 1e7), st.sampled_from(ENCODINGS), st.sampled_from(["fr", "en"]))
def test_numbers_have_no_question_mark(
    value: float, encoding: str, language: str
) -> None:
    """Durations and sizes can be read on every stream."""
    formats = Formats(language)
    for text in (formats.duration(value), formats.number(value, 2)):
        assert "?" not in encodable(text, encoding)
