"""Finds secret values, and replaces them in texts and streams.

Output, errors and answers of servers end in logs, records and mails. A secret whose value
is known is replaced there, in each of the forms in which programs write values. A secret
that is unknown, encrypted or cut into pieces cannot be recognised; one that is cut by
nothing but colour codes and other characters that nobody sees, can.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from base64 import b64encode
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cached_property, lru_cache
from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from python_runner.patterns import lazy_pattern
from python_runner.texts.characters import SEQUENCE
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import DataclassInstance

    #: A form of a secret, and where it was found.
    Found = tuple[int, int]

Fact = TypeVar("Fact", bound="DataclassInstance")
Text = TypeVar("Text", str, bytes)

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
#: What shows as nothing: it is taken out where a text is shown, or no terminal draws it.
#: In bytes no NUL is: every second one of UTF-16 is one.
_UNSEEN = rf"(?:{SEQUENCE}|[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u200b-\u200f\u2060\ufeff])"
_UNSEEN_TEXT = lazy_pattern(f"{_UNSEEN}+")
#: Those beyond ASCII are as UTF-8 writes them.
_WIDE = r"\xc2[\x80-\x9f\xad]|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0|\xef\xbb\xbf"
_UNSEEN_DATA = lazy_pattern(
    rf"(?:{SEQUENCE}|[\x01-\x08\x0e-\x1f\x7f]|{_WIDE})+".encode()
)
#: One of these is in whatever shows as nothing: a quick look.
_UNSEEN_MARK = lazy_pattern(rb"[\x01-\x08\x0e-\x1f\x7f]")
#: The first bytes of one that the next block may complete.
_BEGUN_WIDE = r"\xc2\Z|\xe2[\x80\x81]?\Z|\xef\xbb?\Z"
_WIDE_MARK = lazy_pattern(rf"{_WIDE}|{_BEGUN_WIDE}".encode())
#: The same, and blanks: a line of a mail or a table shows one for many.
_UNSEEN_OR_BLANK = lazy_pattern(
    rf"(?P<blank>{_UNSEEN}*+\s(?:\s|{_UNSEEN})*+)|{_UNSEEN}+"
)
#: Of these, what stays when they stand inside of a secret.
_COLOUR = r"\x1b\[[0-9;:]*m"
_COLOUR_TEXT = lazy_pattern(_COLOUR)
_COLOUR_DATA = lazy_pattern(_COLOUR.encode())
#: A sequence that the next block may complete.
_BEGUN_SEQUENCE = lazy_pattern(
    rf"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\n]*\x1b?|[ -/]*)\Z|{_BEGUN_WIDE}".encode()
)
#: Bytes of a group by which forms are looked for, and forms from which on they are.
_GROUP = 4
_MANY = 128
#: Bytes that hold one whole group, wherever the groups begin.
_WINDOW = 2 * _GROUP - 1
#: Bytes of a sequence that is looked for at the end of a block.
_SEQUENCE_BYTES = 4096
#: Bytes of unseen characters for each byte of a secret that are reckoned with there.
_DENSITY = 64


class Masker:
    """Replaces known secrets, in plain and in encoded form, by ``***``.

    The work is in proportion to the text, whatever it holds and however many secrets
    there are: a secret has five forms or, with special characters, some sixty. It can be
    pickled.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets; those of fewer than four characters are left out."""
        values = looked_for(secrets)
        #: The third: as forms are where each run of blanks is shown as one; none has
        #: one: empty.
        self._texts, self._data, self._flat = _forms(tuple(values))

    def text(self, text: str) -> str:
        """Return ``text`` without the secrets, even if only its look holds one."""
        text = _replaced_all(text, _spans(text, self._texts, len(text)), MASK)
        unseen, forms = _UNSEEN_TEXT, self._texts
        if self._flat:
            unseen, forms = _UNSEEN_OR_BLANK, self._flat
        if not self._texts or not unseen.search(text):
            return text
        shown = unseen.sub(_shown_as, text)
        if found := _spans(shown, forms, len(shown)):
            places = _Places(text, unseen)
            return _replaced_all(text, [places.span(span) for span in found], MASK)
        return text

    def sentence(self, sentence: Sentence) -> Sentence:
        """Return a sentence whose values hold none of the secrets."""
        values = {key: self._value(value) for key, value in sentence.values.items()}
        return replace(sentence, values=values)

    def fact(self, fact: Fact) -> Fact:
        """Return a frozen dataclass whose texts, at any depth, hold none of the secrets.

        Paths stay as they are: they must still lead to their files.
        """
        if not self._texts:
            return fact
        # A run of a large series has 100,000 texts: one look at all of them is quick. No
        # sequence of a terminal goes on behind the end of a line.
        texts = "\n".join(_texts(fact))
        if self.text(texts) == texts:
            return fact
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
        return b"".join(self.stream([data])) if data else data

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

    def _found(self, data: bytes, end: int) -> list[Found]:
        """Return where secrets are that begin before ``end``, in order and apart."""
        found = _spans(data, self._data, end)
        if self._data and _has_unseen(data):
            shown = _UNSEEN_DATA.sub(b"", data)
            if seen := _spans(shown, self._data, len(shown)):
                places = _Places(data, _UNSEEN_DATA)
                spans = map(places.span, seen)
                found = _apart([*found, *(span for span in spans if span[0] < end)])
        return found

    def _overlap(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a secret."""
        if not self._data:
            return 0
        plain = self._data.begun(data)
        tail = data[-self._reach :]
        if not _has_unseen(tail):
            return plain
        begun = _BEGUN_SEQUENCE.search(tail, max(0, len(tail) - _SEQUENCE_BYTES))
        complete = tail[: begun.start()] if begun else tail
        shown = _UNSEEN_DATA.sub(b"", complete)
        if seen := self._data.begun(shown):
            start = _Places(complete, _UNSEEN_DATA).of(len(shown) - seen)
        else:
            # Half a sequence would show as text.
            start = len(complete)
        return max(plain, len(tail) - start)

    @property
    def _reach(self) -> int:
        """How far a secret may reach, with what shows as nothing inside of it."""
        return self._data.longest * _DENSITY + _SEQUENCE_BYTES

    def begun(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a secret."""
        return len(self._split(data, len(data) - self._overlap(data))[1])

    def ended(self, data: bytes) -> int:
        """Return how many bytes at the start may be the end of a secret."""
        if not self._data:
            return 0
        head = data[: self._reach]
        shown = _UNSEEN_DATA.sub(b"", head)
        turned = shown[: self._data.longest][::-1]
        end = max(_overlap(turned, form[::-1]) for form in self._data.all)
        if end and len(shown) != len(head):
            end = _Places(head, _UNSEEN_DATA).of(end - 1) + 1
        # Never to the middle of a whole one.
        return max([end, *(stop for _start, stop in self._found(data, end))])


def _has_unseen(data: bytes) -> bool:
    """Say whether data may hold what shows as nothing."""
    if _UNSEEN_MARK.search(data):
        return True
    return not data.isascii() and bool(_WIDE_MARK.search(data))


def _texts(fact: Any) -> list[str]:
    """Return the texts of a fact that may hold a secret, in any order."""
    texts: list[str] = []
    rest = [fact]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            # The texts of an enum are nobody's words, and part of the code.
            if not isinstance(value, Enum):
                texts.append(value)
        elif isinstance(value, Sentence):
            rest += value.values.values()
        elif isinstance(value, tuple):
            rest += value
        elif is_dataclass(value) and not isinstance(value, type):
            rest += [getattr(value, field.name) for field in fields(value)]
    return texts


class Forms(Generic[Text]):
    """Ways in which secrets are written, and which of them a text may hold.

    There may be thousands, of which most texts hold none. A text is taken apart into
    groups of four bytes, at every fourth place. Of seven bytes of a form one such group
    is a part, wherever the form begins. So one look at each group of the text tells
    which forms are worth looking for, however many there are.

    Attributes:
        all: the longest first.
    """

    def __init__(self, forms: Iterable[Text]) -> None:
        self.all: tuple[Text, ...] = tuple(
            sorted(dict.fromkeys(forms), key=len, reverse=True)
        )

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.all)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave out what can be found again from the forms."""
        return Forms, (self.all,)

    @property
    def longest(self) -> int:
        """The length of the longest form; 0 without any."""
        return len(self.all[0]) if self.all else 0

    @cached_property
    def _groups(self) -> tuple[list[Text], dict[int, list[Text]]]:
        """The forms that are too short for it, and the others by their groups."""
        encoded = {form: _encoded(form) for form in self.all}
        short = [form for form, data in encoded.items() if len(data) < _WINDOW]
        windows = {f: _windows(d) for f, d in encoded.items() if len(d) >= _WINDOW}
        # Secrets may begin or end alike: what few have in common tells more.
        counts = Counter(g for some in windows.values() for w in some for g in w)
        by_group: defaultdict[int, list[Text]] = defaultdict(list)
        for form, some in windows.items():
            for group in min(some, key=lambda w: max(counts[g] for g in w)):
                by_group[group].append(form)
        return short, dict(by_group)

    @cached_property
    def _heads(self) -> tuple[dict[Text, list[Text]], set[Text]]:
        """The forms by their first characters, and the beginnings shorter than that."""
        heads: defaultdict[Text, list[Text]] = defaultdict(list)
        starts: set[Text] = set()
        for form in self.all:
            heads[form[:_GROUP]].append(form)
            starts |= {form[:size] for size in range(1, min(_GROUP, len(form)))}
        return dict(heads), starts

    def perhaps_in(self, text: Text) -> Iterable[Text]:
        """Return the forms that ``text`` may hold; those left out it does not."""
        if len(self.all) < _MANY:
            return self.all
        short, by_group = self._groups
        data = _encoded(text)
        view = memoryview(data)[: len(data) // _GROUP * _GROUP].cast("I")
        perhaps = list(short)
        for group in by_group.keys() & set(view):
            perhaps += by_group[group]
        return dict.fromkeys(perhaps)

    def begun(self, data: Text) -> int:
        """Return how long the longest beginning of a form is that ends ``data``."""
        heads, starts = self._heads
        for place in range(max(0, len(data) - self.longest + 1), len(data)):
            head = data[place : place + _GROUP]
            if head in starts:
                return len(data) - place
            for form in heads.get(head, ()):
                if len(form) > len(data) - place and form.startswith(data[place:]):
                    return len(data) - place
        return 0


def _windows(data: bytes) -> list[list[int]]:
    """Return the groups at the start, in the middle and at the end of a form."""
    last = len(data) - _WINDOW
    return [
        [
            int.from_bytes(data[place : place + _GROUP], sys.byteorder)
            for place in range(start, start + _GROUP)
        ]
        for start in (0, last // 2, last)
    ]


def _encoded(text: str | bytes) -> bytes:
    """Return bytes in which each part of a text is as it is alone."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


class _Places:
    """Where the characters of a text are that are left when the unseen ones are out."""

    def __init__(self, text: Text, unseen: re.Pattern[Text]) -> None:
        #: Of each part between two unseen ones: where it begins, shown and in the text.
        self._shown = [0]
        self._real = [0]
        shown = end = 0
        for match in unseen.finditer(text):
            shown += match.start() - end
            end = match.end()
            if _shown_as(match):
                # The first blank of several stands for all.
                self._add(shown, match.start())
                shown += 1
            self._add(shown, end)

    def _add(self, shown: int, real: int) -> None:
        self._shown.append(shown)
        self._real.append(real)

    def of(self, shown: int) -> int:
        """Return the place in the text of a character that is shown."""
        part = bisect_right(self._shown, shown) - 1
        return self._real[part] + shown - self._shown[part]

    def span(self, span: Found) -> Found:
        """Return the place in the text of a part of what is shown."""
        return self.of(span[0]), self.of(span[1] - 1) + 1


def _shown_as(match: re.Match[Any]) -> str:
    return " " if match.lastgroup else ""


def _flat(text: str) -> str:
    return " ".join(text.split())


def _spans(text: Text, forms: Forms[Text], end: int) -> list[Found]:
    """Return where forms are that begin before ``end``: the first, of these the longest.

    Each form that may be there is looked for by itself, which takes linear time whatever
    the text holds; a pattern of all would try every form at every place.
    """
    nearest = [
        (start, -len(form), form)
        for form in forms.perhaps_in(text)
        if (start := text.find(form)) >= 0
    ]
    heapify(nearest)
    found: list[Found] = []
    position = 0
    while nearest and nearest[0][0] < end:
        start, length, form = nearest[0]
        if start >= position:
            position = start - length
            found.append((start, position))
        if (start := text.find(form, position)) >= 0:
            heapreplace(nearest, (start, length, form))
        else:
            heappop(nearest)
    return found


def _apart(spans: list[Found]) -> list[Found]:
    """Return the spans in order, those that overlap as one."""
    joined: list[Found] = []
    for start, stop in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def _replaced_all(text: str, spans: list[Found], mask: str) -> str:
    """Return ``text`` with the mask in the place of the spans; colours inside stay."""
    parts = []
    position = 0
    for start, stop in spans:
        parts += [text[position:start], mask, *_COLOUR_TEXT.findall(text[start:stop])]
        position = stop
    return "".join([*parts, text[position:]])


def _replaced(piece: tuple[bytes, bool]) -> bytes:
    data, secret = piece
    if not secret:
        return data
    # A line of UTF-16 with half of a character in it could not be read any more.
    mask = MASK.encode("utf-16-le" if b"\0" in data else "ascii")
    # A colour that ends inside of a secret still ends.
    return b"".join([mask, *_COLOUR_DATA.findall(data)])


def _overlap(data: bytes, form: bytes) -> int:
    """Return the length of the longest proper beginning of ``form`` that ends ``data``."""
    tail = data[-len(form) + 1 :] if len(form) > 1 else b""
    start = tail.find(form[:1])
    while start >= 0:
        if form.startswith(tail[start:]):
            return len(tail) - start
        start = tail.find(form[:1], start + 1)
    return 0


#: The secrets of a process seldom differ, and many look for them.
@lru_cache(maxsize=8)
def _forms(values: tuple[str, ...]) -> tuple[Forms[str], Forms[bytes], Forms[str]]:
    """Return the forms of some values: in texts, in bytes, and in texts of one line."""
    written = {form for value in values for form in _text_forms(value)}
    pages = (form for value in values for form in _pages(value))
    blanks = any(re.search(r"\s", value) for value in values)
    return (
        Forms(written),
        Forms((*map(_bytes, written), *pages)),
        Forms(map(_flat, written) if blanks else ()),
    )


def looked_for(secrets: Iterable[str]) -> dict[str, None]:
    """Return the values that are replaced where these secrets are known, in order."""
    return dict.fromkeys(part for secret in secrets for part in _parts(secret))


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
    import html  # noqa: PLC0415 - takes longer than a command without secrets may

    written = {value, html.escape(value), html.escape(value, quote=False)}
    # A list that is printed, and a message that quotes what was printed.
    for _ in range(2):
        written |= {form for text in written for form in _escaped(text)}
    yield from written
    data = _bytes(value)
    yield from _other_quotes(value)
    yield from _bytes_literals(data)
    yield from (data.hex(), data.hex().upper())
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


def _other_quotes(value: str) -> Iterator[str]:
    """Yield the text as other writers than Python's own quote and escape it."""
    import html  # noqa: PLC0415 - as above

    # Jinja, Django, PHP and XML have numbers or names for the quotes.
    markup = html.escape(value, quote=False)
    for double in ('"', "&#34;", "&quot;"):
        for single in ("'", "&#39;", "&#039;", "&apos;"):
            yield markup.replace('"', double).replace("'", single)
    # SQL, CSV, YAML and batch files double a quote; shells end the text before it.
    yield from (value.replace(sign, sign * 2) for sign in "'\"\\}")
    yield from (value.replace("'", escaped) for escaped in ("'\"'\"'", "'\\''"))
    # JSON of PHP, Go, .NET and of pages, where a sign may be a number.
    for document in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        plain = document[1:-1]
        slashes = plain.replace("/", "\\/")
        yield from (slashes, _numbered(plain, "&<>"), _numbered(slashes, "&<>"))
        for text in (plain, plain.replace('\\"', "\\u0022")):
            numbered = _numbered(text, "&<>'+`")
            yield from (numbered, _capital_numbers(numbered))
    # Some programs write an accent as a character of its own.
    yield from (unicodedata.normalize(form, value) for form in ("NFC", "NFD"))


def _numbered(text: str, signs: str) -> str:
    """Return a text of JSON with some signs by their numbers."""
    for sign in signs:
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _capital_numbers(text: str) -> str:
    return re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda match: match[0].upper(), text)


def _bytes_literals(data: bytes) -> Iterator[str]:
    """Yield bytes as Python prints them, alone and inside of a text that is quoted."""
    for literal in (repr(data)[2:-1], repr(data + b'"')[2:-2]):
        yield literal
        yield from _escaped(literal)


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
