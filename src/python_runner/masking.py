"""Finds secret values, and replaces them in texts and streams.

Output, errors and answers of servers end in logs, records and mails. A secret whose value
is known is replaced there, in each of the forms in which programs write values. A secret
that is unknown, encrypted or cut into pieces cannot be recognised.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import DataclassInstance

Fact = TypeVar("Fact", bound="DataclassInstance")

#: What stands in the place of a secret.
MASK = "***"
#: Characters from which on a value is masked: shorter ones are in every text.
SHORTEST = 4
#: What stands for "no secret" or switches one off and on.
_NO_VALUES = frozenset({"true", "false", "none", "null"})
#: Characters a line of a longer secret (a private key) must have to be one by itself.
_LINE = 16
#: What programs leave as it is in a URL: Python's two ways, and JavaScript's.
_URL_SAFE = ("", "/", "!~*'()", ";,/?:@&=+$!~*'()#")
#: Code pages in which programs of a western European Windows print.
_CODE_PAGES = ("cp1252", "cp850", "utf-16-le")


class Masker:
    """Replaces known secrets, in plain and in encoded form, by ``***``.

    Finding nothing costs less than a millisecond per form and megabyte; a secret has
    five forms or, with special characters, some sixty. It can be pickled.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets; those of fewer than four characters are left out."""
        values = dict.fromkeys(part for secret in secrets for part in _parts(secret))
        self._texts = _longest_first(form for v in values for form in _text_forms(v))
        self._data = _longest_first(
            form for v in values for form in (*map(_bytes, _text_forms(v)), *_pages(v))
        )
        self._text_pattern = re.compile("|".join(map(re.escape, self._texts)))
        self._data_pattern = re.compile(b"|".join(map(re.escape, self._data)))

    def text(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        if any(form in text for form in self._texts):
            return self._text_pattern.sub(MASK, text)
        return text

    def sentence(self, sentence: Sentence) -> Sentence:
        """Return a sentence whose values hold none of the secrets."""
        values = {key: self._value(value) for key, value in sentence.values.items()}
        return replace(sentence, values=values)

    def fact(self, fact: Fact) -> Fact:
        """Return a frozen dataclass whose texts, at any depth, hold none of the secrets.

        Paths stay as they are: they must still lead to their files.
        """
        values = {f.name: self._value(getattr(fact, f.name)) for f in fields(fact)}
        return replace(fact, **values)

    def _value(self, value: Any) -> Any:
        if isinstance(value, Sentence):
            return self.sentence(value)
        if isinstance(value, tuple):
            return tuple(map(self._value, value))
        if is_dataclass(value) and not isinstance(value, type):
            return self.fact(value)
        # The texts of an enum are nobody's words, and part of the code.
        if isinstance(value, str) and not isinstance(value, Enum):
            return self.text(value)
        return value

    def data(self, data: bytes) -> bytes:
        """Return ``data`` without the secrets."""
        return b"".join(self.stream([data]))

    def stream(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks without the secrets, wherever the blocks begin and end.

        Only what may be the beginning of a secret is held back until the next block.
        """
        yield from map(_replaced, self.pieces(blocks))

    def part(self, data: bytes) -> tuple[bytes, bytes]:
        """Return ``data`` without the secrets, and what may be the beginning of one.

        The latter belongs before whatever comes next.
        """
        pieces, rest = self._split(data, len(data) - self._overlap(data))
        return b"".join(map(_replaced, pieces)), rest

    def pieces(self, blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
        """Yield everything in pieces, and whether a piece is a secret."""
        rest = b""
        for block in blocks:
            data = rest + block
            pieces, rest = self._split(data, len(data) - self._overlap(data))
            yield from pieces
        yield from self._split(rest, len(rest))[0]

    def _split(self, data: bytes, end: int) -> tuple[list[tuple[bytes, bool]], bytes]:
        """Return the pieces of ``data`` that begin before ``end``, and what is left."""
        pieces = []
        position = 0
        for start, stop in self._found(data, end):
            pieces += [(data[position:start], False), (data[start:stop], True)]
            position = stop
        pieces.append((data[position:end], False))
        return pieces, data[max(position, end) :]

    def _found(self, data: bytes, end: int) -> list[tuple[int, int]]:
        # The pattern alone would try every form at every place.
        if not any(form in data for form in self._data):
            return []
        spans = (match.span() for match in self._data_pattern.finditer(data))
        return [span for span in spans if span[0] < end]

    def _overlap(self, data: bytes) -> int:
        return max((_overlap(data, form) for form in self._data), default=0)

    def begun(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a secret."""
        return len(self._split(data, len(data) - self._overlap(data))[1])

    def ended(self, data: bytes) -> int:
        """Return how many bytes at the start may be the end of a secret."""
        turned = data[: len(self._data[0])][::-1] if self._data else b""
        end = max((_overlap(turned, form[::-1]) for form in self._data), default=0)
        # Never to the middle of a whole one.
        return max([end, *(stop for _start, stop in self._found(data, end))])


def _replaced(piece: tuple[bytes, bool]) -> bytes:
    return MASK.encode() if piece[1] else piece[0]


def _overlap(data: bytes, form: bytes) -> int:
    """Return the length of the longest proper beginning of ``form`` that ends ``data``."""
    tail = data[-len(form) + 1 :] if len(form) > 1 else b""
    start = tail.find(form[:1])
    while start >= 0:
        if form.startswith(tail[start:]):
            return len(tail) - start
        start = tail.find(form[:1], start + 1)
    return 0


def _longest_first(forms: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(dict.fromkeys(forms), key=len, reverse=True))


def _parts(secret: str) -> Iterator[str]:
    """Yield what is looked for: the value, and the long lines of one with several."""
    secret = secret.strip()
    if len(secret) >= SHORTEST and secret.lower() not in _NO_VALUES:
        yield secret
    if len(lines := secret.splitlines()) > 1:
        for line in map(str.strip, lines):
            if len(line) >= _LINE and not line.startswith("-----"):
                yield line


def _text_forms(value: str) -> Iterator[str]:
    """Yield the ways in which programs write a value."""
    written = {value, html.escape(value), html.escape(value, quote=False)}
    # A list that is printed, and a message that quotes what was printed.
    for _ in range(2):
        written |= {form for text in written for form in _escaped(text)}
    yield from written
    data = _bytes(value)
    for safe in _URL_SAFE:
        for url in (quoted := quote(data, safe), quoted.replace("%20", "+")):
            yield url
            yield re.sub("%..", lambda match: match[0].lower(), url)
    yield from _base64_forms(data)


def _escaped(text: str) -> Iterator[str]:
    """Yield the text inside quotes, as Python and JSON write it."""
    # Which quotes repr() chooses depends on the rest of the text.
    for write in (repr, ascii):
        yield write(text)[1:-1]
        yield write(text + '"')[1:-2]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]


def _base64_forms(data: bytes) -> Iterator[str]:
    """Yield a value in base64: alone, and the part that is the same inside of others.

    Where a value begins in the middle of a group of three bytes, its first and last
    character also depend on its neighbours.
    """
    for altchars in (b"+/", b"-_"):
        yield b64encode(data, altchars).decode("ascii")
        for before in range(3):
            encoded = b64encode(b"\0" * before + data, altchars).decode("ascii")
            yield encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]


def _pages(value: str) -> Iterator[bytes]:
    for page in _CODE_PAGES:
        try:
            yield value.encode(page)
        except UnicodeError:
            continue


def _bytes(text: str) -> bytes:
    try:
        # POSIX: what the environment holds that is not UTF-8.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
