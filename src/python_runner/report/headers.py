"""Header fields as RFC 2047 and RFC 5322 want them: ASCII, folded, whole characters.

The email library's own folding loses spaces between encoded words and cuts characters in
two, another way in each version of Python.
"""

from __future__ import annotations

import re
from base64 import b64encode
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, NamedTuple

from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from python_runner.model import Mailbox

#: Characters of an encoded word, and of a line that holds one, at most (RFC 2047, 2).
_WORD, _LINE = 75, 76
#: Characters of an encoded word that are not its text: ``=?utf-8?b?`` and ``?=``.
_AROUND = 12
#: What may stay as it is. A longer word would not fit beside the name of its header, and
#: what looks like an encoded word would be decoded.
_PLAIN = lazy_pattern(r"(?!.*=\?)[!-~]{1,60}")
#: Characters of a name that stays as it is: a line has 998 at most (RFC 5322, 2.1.1).
_LONGEST_NAME = 400
_ATOMS = lazy_pattern(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
#: What ``q`` leaves as it is, also in a name (RFC 2047, 5).
_SAFE = lazy_pattern(r"[A-Za-z0-9!*+/-]")


def text_field(name: str, text: str) -> str:
    """Return a header that holds ``text``, one line of any characters, to the letter."""
    words = text.split(" ")
    odd = [place for place, word in enumerate(words) if not _PLAIN.fullmatch(word)]
    # Space between encoded words does not count: it is encoded as well.
    first, end = (odd[0], odd[-1] + 1) if odd else (len(words), len(words))
    if "" in words:
        first, end = 0, len(words)
    field = _Field(name)
    field.add(*words[:first])
    field.encode(" ".join(words[first:end]))
    field.add(*words[end:])
    return str(field)


def mailbox_field(name: str, mailboxes: Sequence[Mailbox]) -> str:
    """Return a header that names mailboxes."""
    field = _Field(name)
    for place, mailbox in enumerate(mailboxes, start=1):
        address = mailbox.ascii
        if mailbox.name:
            _add_name(field, mailbox.name)
            address = f"<{address}>"
        field.add(f"{address}," if place < len(mailboxes) else address)
    return str(field)


def word_field(name: str, words: Iterable[str]) -> str:
    """Return a header of words that are ASCII and must not be encoded, one a line."""
    return f"{name}: " + "\r\n ".join(words) + "\r\n"


def _add_name(field: _Field, name: str) -> None:
    if not name.isascii() or "=?" in name or len(name) > _LONGEST_NAME:
        field.encode(name)
    elif _ATOMS.fullmatch(name):
        field.add(*name.split(" "))
    else:
        # In one piece: not all readers put the lines of a quoted name together.
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        field.add(f'"{escaped}"')


class _Encoding(NamedTuple):
    """One of the two ways to write an encoded word."""

    letter: str
    encode: Callable[[str], str]
    #: What a character takes, of the room that an encoded text of some length has.
    cost: Callable[[str], int]
    room: Callable[[int], int]


_BASE64 = _Encoding(
    "b",
    lambda text: b64encode(_bytes(text)).decode("ascii"),
    lambda char: len(_bytes(char)),
    lambda length: length // 4 * 3,
)
_QUOTED = _Encoding(
    "q",
    lambda text: "".join(map(_quoted, text)),
    lambda char: len(_quoted(char)),
    lambda length: length,
)


class _Field:
    """A header while it is written, line by line; none is empty."""

    def __init__(self, name: str) -> None:
        self._lines = [f"{name}:"]
        self._nothing = len(self._lines[0])

    def __str__(self) -> str:
        return "\r\n".join(self._lines) + "\r\n"

    def add(self, *words: str) -> None:
        """Add words as they are, each on a line that has room for it."""
        for word in words:
            if self._room < len(word):
                self._fold()
            self._put(word)

    def encode(self, text: str) -> None:
        """Add a text as encoded words, in the encoding that is shorter."""
        encoding = min(_QUOTED, _BASE64, key=lambda e: len(e.encode(text)))
        length = len(encoding.encode(text)) + _AROUND
        if text and self._room < length <= _WORD:
            self._fold()
        while text:
            part = self._fitting(text, encoding)
            if part:
                self._put(f"=?utf-8?{encoding.letter}?{encoding.encode(part)}?=")
            text = text[len(part) :]
            if text:
                self._fold()

    def _fitting(self, text: str, encoding: _Encoding) -> str:
        """Return the beginning of a text that one encoded word can hold on the line."""
        room = encoding.room(min(self._room, _WORD) - _AROUND)
        sums = accumulate(map(encoding.cost, text))
        part = text[: sum(1 for _ in takewhile(lambda total: total <= room, sums))]
        if part == text or " " not in part:
            return part
        # Some readers put a space between the encoded words of a name.
        return part[: part.rindex(" ") + 1]

    @property
    def _room(self) -> int:
        """Characters that a word may still have on the line, beside its space."""
        return _LINE - len(self._lines[-1]) - 1

    def _fold(self) -> None:
        if len(self._lines[-1]) > self._nothing:
            self._lines.append("")
            self._nothing = 0

    def _put(self, word: str) -> None:
        self._lines[-1] += f" {word}"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _quoted(char: str) -> str:
    if char == " ":
        return "_"
    if _SAFE.fullmatch(char):
        return char
    return "".join(f"={byte:02X}" for byte in _bytes(char))
