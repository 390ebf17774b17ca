"""What the operating system says of an error, in each reader's language."""

from __future__ import annotations

import errno
import os

import pytest

from python_runner.texts.sentence import Sentence
from python_runner.texts.system_errors import system_error


pytestmark = pytest.mark.portable("the words of each platform are asked of it")


@pytest.mark.parametrize(
    "code",
    [errno.EACCES, errno.ENOSPC, errno.ENOENT, errno.EMFILE, errno.EROFS, errno.EISDIR],
)
def test_a_usual_error_has_words_in_each_language(code: int) -> None:
    """English is what the system says; French has nothing left of it."""
    error = OSError(code, os.strerror(code), "x")
    sentence = Sentence.of("{error}", error=system_error(error))

    assert str(sentence) == os.strerror(code)
    assert os.strerror(code) not in sentence.in_language("fr")


@pytest.mark.parametrize("words", ["Gerät {nicht} bereit", "100 %", "no such {0}", ""])
def test_other_words_stand_in_quotes_in_a_sentence_of_another_language(
    words: str,
) -> None:
    """They are shown as they are, whatever they hold."""
    told = system_error(OSError(9999, words))

    assert (words or "9999") in str(told)
    assert told.in_language("fr").startswith("«\u00a0")


def test_a_size_is_told_in_each_language() -> None:
    """What this product says itself is translated as well."""
    told = system_error(OSError(errno.EFBIG, "is larger than 1,000 bytes"))

    assert str(told) == "is larger than 1,000 bytes"
    assert told.in_language("fr") == "dépasse 1\u202f000 octets"
