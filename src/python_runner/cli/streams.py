"""The user's two streams. All that the commands print goes through here.

A stream may be missing (``pythonw.exe``), on a full disk, a pipe that nobody reads or a
terminal that is gone. What a command *does* must not depend on that: :func:`say` never
raises, and waits only while its reader reads. What a command is *for*, as a list of runs,
goes through :func:`show`: it waits for its reader, and ends with it.

Both escape what a terminal would obey: a name can hold anything.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, cast

from python_runner.texts.fallbacks import encodable
from python_runner.texts.sanitize import clean, flat, json_safe
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language
from python_runner.texts.wrapping import breaks, indent_of_rest, width, wrap


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: Characters of one write: not more than a console takes at once, and few where each
#: shows that somebody reads.
_CHUNK = 4096
_QUEUED_CHUNK = 1024
#: Bytes that may wait for a reader. Progress gets all of that, the rest half.
_ROOM = 1 << 20
#: Seconds without a byte taken after which nobody reads.
STALLED = 2.0
#: The same for a document, whose reader may have to start first; and after a signal.
_DOCUMENT_PATIENCE = 10.0
_LAST_PATIENCE = 1.0
#: Seconds between two looks at a reader.
_PAUSE = 0.1
#: Columns of a terminal that does not tell how many it has.
_COLUMNS = 80
_LINES = 24
#: How a reader that has left shows itself, on Windows too; a full disk is told about.
_LEFT = {errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EINVAL}
_COLOURS = {
    "red": "\x1b[31m",
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "cyan": "\x1b[36m",
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
}
_RESET = "\x1b[0m"


class OutputLost(Exception):
    """What a command is for could not be written.

    Attributes:
        reason: the system's, in its language; None where the reader has just left.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.reason = None if error.errno in _LEFT else in_own_language(error)


class Stream(io.TextIOBase):
    """One of the user's streams; None for one that is missing, and takes everything.

    The file that Python has opened is passed over: it would keep what could not be
    written, and try again when the interpreter ends.
    """

    def __init__(self, target: TextIO | None) -> None:
        self._target = target
        buffer = getattr(target, "buffer", None)
        self._raw = getattr(buffer, "raw", buffer)
        self._encoding = getattr(target, "encoding", None) or "utf-8"
        self._encoder = codecs.getincrementalencoder(self._encoding)("replace")
        self._error: OSError | None = None
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._moved = 0.0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the stream."""
        return self._encoding

    @property
    def buffer(self) -> _Bytes:
        """Return the stream as a file of bytes."""
        return _Bytes(self)

    def fileno(self) -> int:
        """Return the descriptor.

        Raises:
            OSError: there is none.
        """
        if self._target is None:
            raise io.UnsupportedOperation("fileno")
        return self._target.fileno()

    def writable(self) -> bool:
        """Say that text can be written, whatever becomes of it."""
        return True

    def isatty(self) -> bool:
        """Say whether a terminal is there."""
        with suppress(OSError, ValueError, AttributeError):
            return self._target is not None and self._target.isatty()
        return False

    @property
    def columns(self) -> int | None:
        """How many columns the terminal has; None where there is none."""
        return self.size[0] if self.isatty() else None

    @property
    def size(self) -> tuple[int, int]:
        """The columns and lines of the terminal, as far as they are known."""
        import shutil  # noqa: PLC0415 - a pipe has no size

        columns, lines = shutil.get_terminal_size((_COLUMNS, _LINES))
        # That is the size of stdout, which may be another one.
        with suppress(OSError, ValueError, AttributeError):
            own = os.get_terminal_size(self.fileno())
            columns = columns if os.environ.get("COLUMNS") else own.columns
            lines = lines if os.environ.get("LINES") else own.lines
        return columns or _COLUMNS, lines or _LINES

    def wrapped(self, text: str) -> str:
        """Return a text whose lines fit the terminal, as far as their words do."""
        if (columns := self.columns) is None:
            return text
        lines = text.split("\n")
        return "\n".join(part for line in lines for part in wrap(line, columns))

    @cached_property
    def draws(self) -> bool:
        """Whether a terminal is there that moves its cursor and has colours."""
        if not self.isatty() or os.environ.get("TERM") == "dumb":
            return False
        return sys.platform != "win32" or _enable_sequences(self.fileno())

    @property
    def coloured(self) -> bool:
        """Whether colours are wanted, and shown: NO_COLOR, then FORCE_COLOR decide."""
        if os.environ.get("NO_COLOR"):
            return False
        forced = os.environ.get("FORCE_COLOR", "").lower()
        if forced in {"0", "false"}:
            return False
        # A console that knows no sequences would show them.
        return self.draws or bool(forced and not self._is_old_console())

    def _is_old_console(self) -> bool:
        """Say whether this is a console of Windows that does not obey sequences."""
        return sys.platform == "win32" and self.isatty() and not self.draws

    def painted(self, text: str, colour: str | None) -> str:
        """Return a text in a colour, or in two as ``bold red``, where it has colours."""
        if not (text and colour and self.coloured):
            return text
        codes = "".join(_COLOURS[name] for name in colour.split())
        return codes + text + _RESET

    def write(self, text: str) -> int:
        """Write ``text`` and wait until it is written, however long that takes.

        Raises:
            OutputLost: it was not; not for a stream that is missing.
        """
        _require_text(text)
        self.settle(float("inf"))
        self._error = None
        for data in self._encoded(text, _CHUNK):
            self._write(data)
            if self._error is not None:
                raise OutputLost(self._error)
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are.

        Raises:
            OutputLost: see :meth:`write`.
        """
        self.settle(float("inf"))
        self._error = None
        self._write(data)
        if self._error is not None:
            raise OutputLost(self._error)

    def put(self, text: str, *, wait: bool = False) -> bool:
        """Have ``text`` written by a thread; drop it where no room is left.

        Args:
            text: what to write, whole or not at all.
            wait: whether to wait for room while the reader reads.

        Returns:
            Whether there was room.
        """
        if self._raw is None:
            return False
        room = _ROOM // 2 if wait else _ROOM
        with self._changed:
            data = self._encoded(text, _QUEUED_CHUNK)
            size = sum(map(len, data))
            while wait and self._size and self._size + size > room:
                if self._is_stalled(STALLED):
                    break
                self._changed.wait(_PAUSE)
            if self._size and self._size + size > _ROOM:
                return False
            if not self._queue:
                self._moved = time.monotonic()
            self._queue.extend(data)
            self._size += size
            if self._has_thread():
                self._changed.notify_all()
                return True
        self._write_next()
        return True

    def deliver(self, text: str, patience: float) -> OSError | None:
        """Write ``text``, as long as its reader takes some of it every few seconds.

        Args:
            text: what to write whole.
            patience: most seconds without a byte taken.

        Returns:
            Why it was not written whole; None if it was.
        """
        if self._raw is None:
            return OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._error = None
        if not (self.put(text, wait=True) and self.settle(patience)):
            return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        return self._error

    def settle(self, patience: float) -> bool:
        """Wait until nothing waits any more, at most ``patience`` without a byte taken."""
        with self._changed:
            while self._queue and not self._is_stalled(patience):
                self._changed.wait(_PAUSE)
            return not self._queue

    def _is_stalled(self, seconds: float) -> bool:
        return bool(self._queue) and time.monotonic() - self._moved > seconds

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(
                target=self._write_all, name="output", daemon=True
            )
            # Without a thread to be had, whoever prints writes by himself.
            with suppress(RuntimeError):
                thread.start()
                self._thread = thread
        return self._thread is not None

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
            self._write_next()

    def _write_next(self) -> None:
        """Write what waits, chunk after chunk."""
        with self._writing:
            while self._queue:
                # It stays there until it is written: whoever settles waits for it.
                data = self._queue[0]
                self._write(data)
                with self._changed:
                    self._queue.popleft()
                    self._size -= len(data)
                    self._moved = time.monotonic()
                    self._changed.notify_all()

    def _encoded(self, text: str, chunk: int) -> list[bytes]:
        if self._raw is None:
            return []
        text = encodable(text, self._encoding)
        if sys.platform == "win32" and isinstance(self._raw, io.RawIOBase):
            text = text.replace("\n", "\r\n")
        places = range(0, len(text), chunk)
        return [self._encoder.encode(text[place : place + chunk]) for place in places]

    def _write(self, data: bytes) -> None:
        """Write bytes, or take note of why they are lost; what comes later is tried."""
        rest = memoryview(data)
        try:
            while rest and self._raw is not None:
                count = self._raw.write(rest)
                if count is None:
                    # A pipe that somebody has set to refuse instead of to block.
                    time.sleep(_PAUSE / 10)
                else:
                    rest = rest[count:]
        except OSError as error:
            self._error = error
        except ValueError:
            self._error = OSError(errno.EBADF, os.strerror(errno.EBADF))


class Unhurried(io.TextIOBase):
    """A stream as a file on which nobody waits; for libraries that want a file."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Return the encoding of the stream."""
        return self.stream.encoding

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self.stream.fileno()

    def isatty(self) -> bool:
        """Say whether a terminal is there."""
        return self.stream.isatty()

    def writable(self) -> bool:
        """Say that text can be written, whatever becomes of it."""
        return True

    def write(self, text: str) -> int:
        """Have ``text`` written, or drop it."""
        _require_text(text)
        self.stream.put(text)
        return len(text)


class _Bytes(io.RawIOBase):
    """A stream as a file of bytes, which click asks for."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        """Say that bytes can be written."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes as they are; see :meth:`Stream.write_bytes`."""
        self._stream.write_bytes(bytes(data))
        return len(data)


def _require_text(text: object) -> None:
    """Refuse bytes, as text files do: click asks so what kind of file it has.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected str, not {type(text).__name__}")


def stdout() -> Stream:
    """Return the user's stdout."""
    return cast("Stream", sys.stdout)


def stderr() -> Stream:
    """Return the user's stderr."""
    return cast("Unhurried", sys.stderr).stream


@contextmanager
def attached_streams() -> Iterator[None]:
    """Take over the process's streams; whoever prints on them prints through us."""
    _fill_closed_descriptors()
    before = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", Unhurried(err))
    try:
        yield
    finally:
        try:
            out.settle(STALLED)
            err.settle(STALLED)
        finally:
            sys.stdout, sys.stderr = before


def say(
    text: str = "",
    *,
    err: bool = False,
    colour: str | None = None,
    whole: bool = False,
    **values: object,
) -> None:
    """Tell people something; never raises, and waits for nobody who does not read.

    Args:
        text: one or several lines; a template where there are values.
        err: whether it goes to stderr.
        colour: keys of ``_COLOURS``, for a terminal.
        whole: whether the line is left to the terminal to break: it is to be copied.
        values: names and other foreign texts, each shown on one line.
    """
    stream, other = (stderr(), stdout()) if err else (stdout(), stderr())
    # Both may be the same terminal, where the order counts.
    other.settle(STALLED)
    stream.put(_line(stream, text, colour, values, whole=whole), wait=True)


def show(text: str = "", *, colour: str | None = None, **values: object) -> None:
    """Print what a command is for; the arguments are those of :func:`say`.

    Raises:
        OutputLost: its reader has left, or the disk is full.
    """
    stderr().settle(STALLED)
    stream = stdout()
    stream.write(_line(stream, text, colour, values))


def show_pieces(*pieces: tuple[str, str | None]) -> None:
    """Print a line of parts, each with its colour or none, broken where a line may be.

    Raises:
        OutputLost: see :func:`show`.
    """
    stderr().settle(STALLED)
    stream = stdout()
    parts = [(flat(text), colour) for text, colour in pieces]
    line = "".join(text for text, _colour in parts)
    columns = stream.columns or width(line)
    hang = "\n" + " " * indent_of_rest(line, columns)
    ends = [*breaks(line, columns), len(line)]
    begin, lines = 0, []
    for end in ends:
        # Space before a break would itself find no room.
        stop = begin + len(line[begin:end].rstrip(" "))
        lines.append(_between(stream, parts, begin, stop))
        begin = end
    stream.write(hang.join(lines) + "\n")


def _between(
    stream: Stream, parts: list[tuple[str, str | None]], begin: int, end: int
) -> str:
    """Return a part of a line of parts, in colour."""
    shown, place = "", 0
    for text, colour in parts:
        piece = text[max(0, begin - place) : max(0, end - place)]
        shown += stream.painted(piece, colour)
        place += len(text)
    return shown


def show_document(document: object) -> None:
    """Print the document that a command was asked for.

    Raises:
        OutputLost: see :func:`show`.
    """
    stderr().settle(STALLED)
    stdout().write(_document(document))


def show_lists(lists: Mapping[str, Iterable[object]]) -> None:
    """Print a document that holds lists, each item of them as it comes.

    It is what :func:`show_document` prints of them, and may be larger than the memory.

    Raises:
        OutputLost: see :func:`show`.
    """
    stderr().settle(STALLED)
    for piece in _pieces_of_lists(lists):
        stdout().write(json_safe(piece))


def _pieces_of_lists(lists: Mapping[str, Iterable[object]]) -> Iterator[str]:
    before = "{"
    for name, items in lists.items():
        before += f"\n  {json.dumps(name)}: ["
        empty = True
        for item in items:
            # No text in JSON holds the end of a line as it is.
            text = json.dumps(item, indent=2).replace("\n", "\n    ")
            yield f"{before}\n    {text}"
            before, empty = ",", False
        before = f"{before}]," if empty else "\n  ],"
    yield before.removesuffix(",") + "\n}\n"


def deliver_document(document: object, *, hurry: bool) -> bool:
    """Print the document about runs; say on stderr why it could not be written whole.

    Args:
        document: what is printed.
        hurry: whether the command was asked to end.

    Returns:
        Whether it was written whole.
    """
    stderr().settle(STALLED)
    patience = _LAST_PATIENCE if hurry else _DOCUMENT_PATIENCE
    error = stdout().deliver(_document(document), patience)
    if error is not None:
        say(
            _("the JSON document could not be written: {error}"),
            err=True,
            error=in_own_language(error),
        )
    return error is None


def _document(document: object) -> str:
    return json_safe(json.dumps(document, indent=2)) + "\n"


def _line(
    stream: Stream,
    text: str,
    colour: str | None,
    values: dict[str, Any],
    *,
    whole: bool = False,
) -> str:
    if values:
        shown = {name: flat(str(value)) for name, value in values.items()}
        text = text.format(**shown)
    text = clean(text) if whole else stream.wrapped(clean(text))
    return stream.painted(text, colour) + "\n"


def _fill_closed_descriptors() -> None:
    """Open what stands in for closed streams, lest a file of ours gets their number."""
    if sys.platform == "win32":
        return
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


if sys.platform == "win32":
    import ctypes
    import msvcrt

    _ENABLE_VIRTUAL_TERMINAL_PROCESSING = 0x0004

    def _enable_sequences(descriptor: int) -> bool:
        """Let a console obey terminal sequences; False where it never will."""
        kernel32 = ctypes.WinDLL("kernel32")
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        mode = ctypes.c_uint32()
        if not kernel32.GetConsoleMode(handle, ctypes.byref(mode)):
            return False
        wanted = mode.value | _ENABLE_VIRTUAL_TERMINAL_PROCESSING
        return bool(kernel32.SetConsoleMode(handle, ctypes.c_uint32(wanted)))

else:

    def _enable_sequences(_descriptor: int) -> bool:
        """Return that there is nothing to do."""
        return True
