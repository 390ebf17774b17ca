"""What the operating system says of an error, in each reader's language.

Its words are English wherever a program does not ask for others. The usual ones are
sentences of the catalogues. Others are quoted as they are.
"""

from __future__ import annotations

import re

from python_runner.texts.sentence import N_, Sentence, counted, system_language


#: Of POSIX and of the C library of Windows; what `files` says itself stands behind them.
_WORDS = frozenset(
    {
        N_("Argument list too long"),
        N_("Bad file descriptor"),
        N_("Broken pipe"),
        N_("Cannot allocate memory"),
        N_("Connection refused"),
        N_("Connection reset by peer"),
        N_("Connection timed out"),
        N_("Device or resource busy"),
        N_("Directory not empty"),
        N_("Disk quota exceeded"),
        N_("File exists"),
        N_("File name too long"),
        N_("File too large"),
        N_("Filename too long"),
        N_("Host is down"),
        N_("Improper link"),
        N_("Input/output error"),
        N_("Invalid argument"),
        N_("Invalid cross-device link"),
        N_("Is a directory"),
        N_("Network is unreachable"),
        N_("No such device or address"),
        N_("No such file or directory"),
        N_("No route to host"),
        N_("No space left on device"),
        N_("Not a directory"),
        N_("Not enough space"),
        N_("Operation not permitted"),
        N_("Permission denied"),
        N_("Read-only file system"),
        N_("Resource temporarily unavailable"),
        N_("Stale file handle"),
        N_("Text file busy"),
        N_("Too many levels of symbolic links"),
        N_("Too many open files"),
        N_("Too many open files in system"),
        N_("MAIL_DIR is not set"),
        N_("is a link of another user"),
        N_("is not a regular file"),
    }
)
_TOO_LARGE = re.compile(r"is larger than ([\d,]+) bytes")


def system_error(error: OSError) -> Sentence:
    """Return why the system refused something, as a value of another sentence."""
    return words_of_system(error.strerror or str(error) or type(error).__name__)


def words_of_system(words: str) -> Sentence:
    """Return what the system said as a sentence: English stays as it is."""
    if words in _WORDS:
        return Sentence.of(words)
    if match := _TOO_LARGE.fullmatch(words):
        forms = counted("is larger than {count} byte", "is larger than {count} bytes")
        return Sentence.about(forms, int(match[1].replace(",", "")))
    return Sentence.of(N_("{words_of_system}"), words_of_system=words)


def in_own_language(error: OSError) -> str:
    """Return why the system refused something, in the language of the account."""
    return translated(error.strerror or str(error))


def translated(words: str) -> str:
    """Return what the system said in the language of the account."""
    return words_of_system(words).in_language(system_language())
