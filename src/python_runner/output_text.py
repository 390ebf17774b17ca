"""Turns the bytes that a script printed into what people get: UTF-8, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.texts.utf8 import UTF8, Utf8Stream


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from python_runner.masking import Masker


class OutputText:
    """Takes output as it comes; the result does not depend on where its parts end.

    Attributes:
        changed: whether anything was secret, or not UTF-8.
    """

    def __init__(self, masker: Masker, encoding: str = UTF8) -> None:
        """Take what knows the secrets, and the name of the codec of the output."""
        self.changed = False
        self._masker = masker
        self._stream = Utf8Stream(encoding)
        # Masked first, because a secret is known in the encodings of other programs as
        # well; and once more, because only now it can be read in that of the output.
        self._raw = b""
        self._read = b""

    def part(self, data: bytes) -> bytes:
        """Return what follows; what may be the beginning of a secret waits."""
        data = self._raw + data
        text, self._raw = self._masker.part(data)
        self.changed |= len(text) + len(self._raw) != len(data)
        text = self._stream.part(text)
        if self._stream.changed:
            self.changed = True
            text, self._read = self._masker.part(self._read + text)
        return text

    def rest(self) -> bytes:
        """Return what waited, now that nothing follows."""
        text = self._masker.data(self._raw)
        self.changed |= len(text) != len(self._raw)
        text = (self._stream.part(text) if text else b"") + self._stream.rest()
        self.changed |= self._stream.changed
        text, self._raw, self._read = self._masker.data(self._read + text), b"", b""
        return text

    def drop(self) -> int:
        """Forget what waited, and the line it belongs to; return how many bytes it was."""
        missing = len(self._raw) + len(self._read) + self._stream.drop()
        self._raw = self._read = b""
        return missing

    def blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield all of the output."""
        yield from map(self.part, blocks)
        yield self.rest()
