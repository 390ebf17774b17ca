"""The last lines of a terminal, drawn anew several times a second."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.texts.wrapping import breaks, indent_of_rest, width


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from python_runner.cli.streams import Stream

#: Parts of a line, each with its colour or none; see :meth:`Stream.painted`.
Line = list[tuple[str, str | None]]
#: Seconds between two drawings.
_INTERVAL = 0.2


class LiveLines:
    """Lines that move, below what is printed and stays.

    Each of them fits the terminal, in columns: what is longer is not drawn. Where the
    reader takes nothing, drawings are dropped like everything else.

    Args:
        stream: a terminal that moves its cursor.
        render: returns the lines as they are now, for so many columns and lines.
    """

    def __init__(
        self, stream: Stream, render: Callable[[int, int], Sequence[Line]]
    ) -> None:
        self._stream = stream
        self._render = render
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        #: How wide each line is that stands there now.
        self._drawn: list[int] = []

    def start(self) -> None:
        """Begin to draw; without a thread to be had, only with what is printed."""
        thread = threading.Thread(target=self._draw_on, name="live", daemon=True)
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """Wipe the lines that move, and draw no more."""
        self._ended.set()
        with self._lock:
            if self._stream.put(self._wiped()):
                self._drawn = []

    def print(self, text: str, *, wait: bool = False) -> None:
        """Print lines that stay, each with its end; ``wait`` as in :meth:`Stream.put`."""
        with self._lock:
            self._put(text, wait=wait)

    def _draw_on(self) -> None:
        while not self._ended.wait(_INTERVAL):
            with self._lock:
                if not self._ended.is_set():
                    self._put("")

    def _put(self, text: str, *, wait: bool = False) -> None:
        columns, rows = self._stream.size
        lines = [] if self._ended.is_set() else self._render(columns - 1, rows - 1)
        drawn = [width("".join(part for part, _colour in line)) for line in lines]
        if not (text or drawn or self._drawn):
            return
        moving = "".join(f"{painted(self._stream, line)}\n" for line in lines)
        if self._stream.put(self._wiped() + text + moving, wait=wait):
            self._drawn = drawn

    def _wiped(self) -> str:
        """Return what wipes the lines that stand there, however wide the terminal is now."""
        columns, _rows = self._stream.size
        height = sum(max(1, -(-wide // columns)) for wide in self._drawn)
        return f"\x1b[{height}A\r\x1b[J" if height else ""


def painted(stream: Stream, line: Line) -> str:
    """Return a line in its colours."""
    return "".join(stream.painted(text, colour) for text, colour in line)


def broken(stream: Stream, line: Line) -> str:
    """Return a line in its colours, on as many lines as it takes, each with its end."""
    plain = "".join(text for text, _colour in line)
    columns = stream.columns
    places = breaks(plain, columns) if columns else []
    hang = " " * indent_of_rest(plain, columns) if columns and places else ""
    parts: list[Line] = [[]]
    position = 0
    for text, colour in line:
        for character in text:
            if position in places:
                # Space at the end of a line is none.
                parts.append([(hang, None)])
            parts[-1].append((character, colour))
            position += 1
    return "".join(painted(stream, _joined(part)) + "\n" for part in parts)


def _joined(part: Line) -> Line:
    """Return the pieces of a line with equal neighbours as one, without space behind."""
    joined: Line = []
    for text, colour in part:
        if joined and joined[-1][1] == colour:
            joined[-1] = (joined[-1][0] + text, colour)
        else:
            joined.append((text, colour))
    while joined and not joined[-1][0].strip():
        joined.pop()
    if joined:
        joined[-1] = (joined[-1][0].rstrip(), joined[-1][1])
    return joined
