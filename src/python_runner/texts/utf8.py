"""Turns the output of scripts into UTF-8.

A script prints in the encoding of its locale, what it starts may print in another one, and
some programs of Windows print UTF-16. Each line is judged by itself: what is UTF-8 already
stays as it is, so doing it twice does nothing more. Everything here is pure but
:func:`local_encoding`.
"""

from __future__ import annotations

import codecs
import locale
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UTF8 = "utf-8"

#: Bytes without the end of a line that are judged together at most; even, for UTF-16.
_LONGEST = 65536
_BOM = codecs.BOM_UTF16_LE
_WIDE_END = b"\n\0"
_LINE_END = lazy_pattern(rb"[\r\n]")
_NOT_ASCII = lazy_pattern(rb"[\x80-\xff]")
#: Control characters of ordinary text.
_CONTROLS = "\t\n\r\x1b"


def local_encoding() -> str:
    """Return the encoding in which scripts print here, unless told otherwise."""
    return codec_name(locale.getencoding())


@cache
def codec_name(encoding: str) -> str:
    """Return the name of an encoding's codec; ``utf-8`` if it says nothing more.

    That is so for ASCII, for what is unknown, and for what writes ASCII in another way.
    """
    ascii_text = "".join(map(chr, range(32, 127)))
    try:
        name = codecs.lookup(encoding).name
        if ascii_text.encode().decode(name) == ascii_text and name != "ascii":
            return name
    except (LookupError, UnicodeError, ValueError):
        pass
    return UTF8


def to_utf8(data: bytes, encoding: str) -> bytes:
    r"""Return ``data`` in UTF-8; ``encoding`` is what it has where it is something else.

    Bytes that are no text in that encoding either become ``\xNN``; where the encoding is
    UTF-8 they stay as they are.
    """
    return b"".join(utf8_blocks([data], encoding))


def utf8_blocks(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the blocks in UTF-8, wherever they begin and end."""
    stream = Utf8Stream(encoding)
    for block in blocks:
        yield stream.part(block)
    yield stream.rest()


class Utf8Stream:
    """Turns bytes into UTF-8 as they come; the result does not depend on their parts.

    Attributes:
        changed: whether anything was something else.
    """

    def __init__(self, encoding: str = UTF8) -> None:
        """Take the name of a codec, as :func:`codec_name` returns it."""
        self.changed = False
        self._encoding = encoding
        #: What cannot be judged before more comes.
        self._held = b""
        #: Whether the line in front of it has begun, and has one byte a character.
        self._inside = False
        #: Whether the line before was UTF-16.
        self._wide = False

    def part(self, data: bytes) -> bytes:
        """Return what can be judged by now, in UTF-8."""
        return self._take(self._held + data, final=False)

    def rest(self) -> bytes:
        """Return what was held back, now that nothing follows."""
        return self._take(self._held, final=True) if self._held else b""

    def drop(self) -> int:
        """Forget what was held back, with its line; return how many bytes it was."""
        held, self._held = len(self._held), b""
        self._inside = self._wide = False
        return held

    def _take(self, data: bytes, *, final: bool) -> bytes:
        if self._is_plain(data):
            end = self._plain_end(data, final=final)
            self._held = data[end:]
            return data[:end]
        done: list[bytes] = []
        position = 0
        while position < len(data):
            taken = self._line(data, position, done, final=final)
            if not taken:
                break
            position += taken
        self._held = data[position:]
        return b"".join(done)

    def _is_plain(self, data: bytes) -> bool:
        """Say whether there is nothing to judge: the usual case, and a quick look."""
        if self._wide or b"\0" in data or _BOM in data:
            return False
        return self._encoding == UTF8 or data.isascii()

    def _plain_end(self, data: bytes, *, final: bool) -> int:
        if not data:
            return 0
        start = data.rfind(b"\n") + 1
        begun = self._inside if start == 0 else False
        self._inside = begun or start < len(data)
        if not final and not begun and start + 1 == len(data):
            # The first byte of a line: the second tells whether it is UTF-16.
            self._inside = False
            return start
        return len(data)

    def _line(
        self, data: bytes, position: int, done: list[bytes], *, final: bool
    ) -> int:
        """Judge what begins at ``position``; return how many bytes that were.

        0: that cannot be said before more comes.
        """
        if not self._inside:
            taken = self._wide_line(data, position, done, final=final)
            if taken is not None:
                return taken
            self._inside = True
        return self._narrow(data, position, done, final=final)

    def _wide_line(
        self, data: bytes, position: int, done: list[bytes], *, final: bool
    ) -> int | None:
        """Judge a line of UTF-16; None: it is none."""
        ahead = data[position : position + 3]
        needed = 3 if ahead[:1] == b"\0" else 2
        if len(ahead) < needed and not final and (ahead != b"\n" or self._wide):
            return 0
        if ahead[:1] == ahead[2:] == b"\0" != ahead[1:2]:
            # The second half of a line end: the line before was not seen whole.
            self.changed = True
            return 1
        if not self._wide and not _begins_wide(ahead):
            return None
        line = _whole_line(data, position, final=final)
        if line is None:
            return 0
        self._wide = _is_wide(line)
        if not self._wide:
            return None
        self.changed = True
        done.append(line.removeprefix(_BOM).decode("utf-16-le").encode())
        return len(line)

    def _narrow(
        self, data: bytes, position: int, done: list[bytes], *, final: bool
    ) -> int:
        """Judge the rest of a line of one or more bytes a character."""
        match = _LINE_END.search(data, position)
        end = match.end() if match else len(data)
        ascii_end = end
        if self._encoding != UTF8 and (high := _NOT_ASCII.search(data, position, end)):
            ascii_end = high.start()
        done.append(data[position:ascii_end])
        if ascii_end < end:
            stop = min(end, ascii_end + _LONGEST)
            whole = (match is not None or final) and stop == end
            if not whole and stop - ascii_end < _LONGEST:
                return ascii_end - position
            end = stop - self._decode(data[ascii_end:stop], done, whole=whole)
        self._inside = data[end - 1 : end] != b"\n"
        return end - position

    def _decode(self, piece: bytes, done: list[bytes], *, whole: bool) -> int:
        """Judge a piece; return how many bytes at its end belong to what follows."""
        for name, errors in ((UTF8, "strict"), (self._encoding, "backslashreplace")):
            decoder = codecs.getincrementaldecoder(name)(errors)
            try:
                text = decoder.decode(piece, final=whole)
            except UnicodeDecodeError:
                self.changed = True
                continue
            done.append(text.encode("utf-8", "backslashreplace"))
            return len(decoder.getstate()[0])
        return 0


def _begins_wide(ahead: bytes) -> bool:
    return ahead.startswith(_BOM) or (ahead[1:2] == b"\0" and ahead[0] not in b"\0\n")


def _whole_line(data: bytes, position: int, *, final: bool) -> bytes | None:
    """Return a line that may be UTF-16; None where its end has not come."""
    end = data.find(b"\n", position, position + _LONGEST) + 1
    if not end:
        if len(data) - position < _LONGEST and not final:
            return None
        return data[position : position + _LONGEST]
    if end == len(data) and not final:
        return None
    if data[end : end + 1] == b"\0":
        end += 1
    return data[position:end]


def _is_wide(line: bytes) -> bool:
    """Say whether a line is text in UTF-16, little endian."""
    body = line.removeprefix(_BOM)
    if not body.endswith(_WIDE_END) and body[1::2].count(0) * 4 < len(body):
        return False
    try:
        text = body.decode("utf-16-le")
    except UnicodeDecodeError:
        return False
    return all(character in _CONTROLS or _is_text(character) for character in text)


def _is_text(character: str) -> bool:
    """Say whether text has such a character: no control, and one that there is."""
    return unicodedata.category(character) not in {"Cc", "Cn", "Co", "Cs"}
