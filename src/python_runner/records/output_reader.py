"""Reads captured output while a script writes it: in UTF-8, without known secrets."""

from __future__ import annotations

import os
from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.output_text import OutputText
from python_runner.texts.excerpt import left_out
from python_runner.texts.utf8 import local_encoding


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from python_runner.masking import Masker

#: Bytes read at a time: a flood must not fill the memory.
_BLOCK = 65536
#: Bytes shown last by which the place is known again.
_MEMORY = 256


@dataclass(slots=True)
class OutputReader:
    """A file of output, read from its start to wherever it ends at the moment.

    When an attempt has ended the file is replaced by one without secrets, in which what
    comes next stands elsewhere: behind as many bytes as have been shown. If it was cut as
    well it goes on at its end.
    """

    path: Path
    masker: Masker
    _position: int = 0
    _shown: int = 0
    _last: bytes = b""
    _torn: bool = False
    _file: int | None = None
    _text: OutputText = field(init=False)

    def __post_init__(self) -> None:
        self._text = OutputText(self.masker, local_encoding())

    def read(self) -> bytes:
        """Return what comes next; nothing where there is no more, or not yet.

        What may be the beginning of a secret waits for what follows it.

        Raises:
            OSError: the file is there but cannot be read.
        """
        text = b""
        while not text and (block := self._next_block()):
            text = self._text.part(block)
        self._shown += len(text)
        self._last = (self._last + text)[-_MEMORY:]
        return text

    def follow(
        self,
        is_growing: Callable[[], bool],
        pause: Callable[[], object],
        failed: Callable[[OSError], None],
    ) -> Iterator[bytes]:
        """Yield what there is, and what is added as long as the file grows.

        Nothing (an empty block) is yielded for a look that found nothing.

        Args:
            is_growing: says whether something may be added yet; asked before each look.
            pause: waits between two looks.
            failed: takes the error where the file is there and cannot be read; it may
                raise one of its own, else there is another look.
        """
        while True:
            last_look = not is_growing()
            seen = False
            try:
                while block := self.read():
                    seen = True
                    yield block
            except OSError as error:
                failed(error)
            if last_look:
                yield self.rest()
                return
            if not seen:
                yield b""
            pause()

    def rest(self) -> bytes:
        """Return what still waits, now that nothing follows."""
        return self._text.rest()

    def _next_block(self) -> bytes:
        # Opened each time: on Windows nobody could replace the file while we wait.
        try:
            with reading(self.path) as file:
                identity = os.fstat(file.fileno()).st_ino
                if self._file not in {None, identity}:
                    self._find_place(file)
                self._file = identity
                block, position = read_on(file, self._position, _BLOCK)
        except FileNotFoundError:
            return b""
        missing, self._position = position - self._position, position
        if missing and not block:
            return self._over_hole(missing)
        if self._torn and block:
            self._torn = False
            # The next attempt writes already, and this may be the middle of a secret.
            return block[self.masker.ended(block) :]
        return block

    def _over_hole(self, missing: int) -> bytes:
        """Tell how much of a flood is gone, with it what a secret may begin with."""
        self._torn = True
        return b"\n%b\n" % left_out(missing + self._text.drop())

    def _find_place(self, file: BinaryIO) -> None:
        """Find the place again in a file that has replaced the one before."""
        file.seek(self._shown - len(self._last))
        self._torn = file.read(len(self._last)) != self._last or (
            self._shown > 0 and not self._last
        )
        if self._torn:
            self._shown = min(self._shown, os.fstat(file.fileno()).st_size)
            self._last = b""
        self._position = self._shown
        self._text.drop()


def read_on(file: BinaryIO, position: int, limit: int) -> tuple[bytes, int]:
    """Return what follows ``position`` in a file that may grow, and where to go on.

    What has been given back to the disk while a flood comes in (a hole of the file) is
    passed over: nothing, and the place behind it.

    Raises:
        OSError: the file cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
    if position >= size:
        return b"", position
    file.seek(position)
    content = file.read(limit)
    if not hasattr(os, "SEEK_HOLE"):
        # Windows does not tell where holes are: they read as zeros, which no text holds.
        while content and not content.strip(b"\0"):
            position += len(content)
            content = file.read(limit)
        return content, position + len(content)
    # Asked after reading: what is no hole now was none then.
    hole = _seek(file.fileno(), position, "SEEK_HOLE", size)
    if hole > position:
        content = content[: hole - position]
        return content, position + len(content)
    return b"", _seek(file.fileno(), position, "SEEK_DATA", size)


def _seek(descriptor: int, position: int, what: str, size: int) -> int:
    """Return where the next hole or the next data is; not every platform has holes."""
    if not hasattr(os, what):
        return size
    try:
        return os.lseek(descriptor, position, getattr(os, what))
    except OSError:
        return size
