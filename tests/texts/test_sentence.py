from __future__ import annotations

import pytest

from python_runner.records.outputs import with_translated_attempts
from python_runner.texts.sentence import Sentence, counted


pytestmark = pytest.mark.pure

BYTES = counted("is larger than {count} byte", "is larger than {count} bytes")


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "is larger than 0 bytes", "dépasse 0 octet"),
        (1, "is larger than 1 byte", "dépasse 1 octet"),
        (2, "is larger than 2 bytes", "dépasse 2 octets"),
        (1234567, "is larger than 1,234,567 bytes", "dépasse 1 234 567 octets"),
    ],
)
def test_a_noun_agrees_with_its_number(count: int, english: str, french: str) -> None:
    """None and one are singular in French; long numbers are grouped."""
    sentence = Sentence.about(BYTES, count)
    assert str(sentence) == english
    assert sentence.in_language("fr").replace("\u202f", " ") == french


@pytest.mark.parametrize(
    ("value", "french"),
    [
        ("2026-11-25 21:56:47", "25/11/2026 21:56:47"),
        ("2026-11-25 21:57", "25/11/2026 21:57"),
        ("2026-11-25", "2026-11-25"),
        ("at 2026-11-25 21:57", "at 2026-11-25 21:57"),
        (20261125, "20261125"),
    ],
)
def test_a_moment_in_a_sentence_is_written_as_its_reader_writes_it(
    value: object, french: str
) -> None:
    """A value that is one, and nothing else; English keeps the order of the log."""
    sentence = Sentence.of("since {since}", since=value)
    assert sentence.in_language("fr") == f"since {french}"
    assert str(sentence) == f"since {value}"


def test_a_sentence_within_a_sentence_is_translated_too() -> None:
    """Both are what the reader's language says."""
    inner = Sentence.of("Permission denied")
    sentence = Sentence.of("cannot be read: {error}", error=inner)
    assert sentence.in_language("fr") == "lecture impossible\u00a0: Permission refusée"


def test_the_lines_between_attempts_are_in_the_language_of_the_reader() -> None:
    """Those that Python Runner writes; what a script prints stays as it is."""
    text = (
        "a\n--- attempt 2 of 3 ---\nb --- attempt 2 of 3 ---\n--- attempt x of 3 ---\n"
    )
    french = text.replace("\n--- attempt 2 of 3 ---\n", "\n--- tentative 2 sur 3 ---\n")
    assert with_translated_attempts(text, "fr") == french
    assert with_translated_attempts(text, "en") == text
