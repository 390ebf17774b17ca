"""Captured output, read while a script writes it and without known secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_runner.records.outputs import left_out, read_on


if TYPE_CHECKING:
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
    _held: bytes = b""
    _torn: bool = False
    _file: int | None = None

    def read(self) -> bytes:
        """Return what comes next; nothing where there is no more, or not yet.

        What may be the beginning of a secret waits for what follows it.

        Raises:
            OSError: the file is there but cannot be read.
        """
        text = b""
        while not text and (block := self._next_block()):
            text, self._held = self.masker.part(self._held + block)
        self._shown += len(text)
        self._last = (self._last + text)[-_MEMORY:]
        return text

    def rest(self) -> bytes:
        """Return what still waits, now that nothing follows."""
        held, self._held = self._held, b""
        return self.masker.data(held)

    def _next_block(self) -> bytes:
        # Opened each time: on Windows nobody could replace the file while we wait.
        try:
            with self.path.open("rb") as file:
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
        missing, self._held, self._torn = missing + len(self._held), b"", True
        return left_out(missing)

    def _find_place(self, file: BinaryIO) -> None:
        """Find the place again in a file that has replaced the one before."""
        file.seek(self._shown - len(self._last))
        self._torn = file.read(len(self._last)) != self._last or (
            self._shown > 0 and not self._last
        )
        if self._torn:
            self._shown = min(self._shown, os.fstat(file.fileno()).st_size)
            self._last = b""
        self._position, self._held = self._shown, b""
