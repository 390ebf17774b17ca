"""Captured output, read while a script writes it and without known secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.masking import Masker

#: Bytes read at a time: a flood must not fill the memory.
_BLOCK = 65536


@dataclass(slots=True)
class GrowingOutput:
    """A file of output, read from its start to wherever it ends at the moment.

    When its script has ended the file is replaced by one without secrets, in which what
    comes next stands elsewhere: behind as many bytes as have been shown.
    """

    path: Path
    masker: Masker
    _position: int = 0
    _shown: int = 0
    _held: bytes = b""
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
        return text

    def rest(self) -> bytes:
        """Return what still waits, now that nothing follows."""
        held, self._held = self._held, b""
        return self.masker.data(held)

    def _next_block(self) -> bytes:
        # Opened each time: on Windows nobody could replace the file while we wait.
        try:
            with self.path.open("rb") as file:
                self._notice(os.fstat(file.fileno()).st_ino)
                file.seek(self._position)
                block = file.read(_BLOCK)
        except FileNotFoundError:
            return b""
        self._position += len(block)
        return block

    def _notice(self, file: int) -> None:
        """Find the place again in a file that has replaced the one before."""
        if self._file not in {None, file}:
            self._position, self._held = self._shown, b""
        self._file = file
