"""Captures the output of a script in a file, within a limit.

The script writes to the file itself: no byte passes through the runner. While it writes,
what is beyond the limit is given back to the disk; at the end it is cut out.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import field
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_runner.execution.disk import disk_full, free_space, punch_hole
from python_runner.facts import dataclass
from python_runner.files import (
    FILE_MODE,
    PRIVATE_FILE_MODE,
    appending,
    changing,
    make_folder,
    private_folder,
    reading,
    remove,
    replacing,
    set_mode,
)
from python_runner.masking import Masker
from python_runner.output_metrics import OutputMeter
from python_runner.output_text import OutputText
from python_runner.texts.carriage_returns import settled
from python_runner.texts.excerpt import cut, left_out, torn_end, torn_start
from python_runner.texts.sentence import N_, Sentence, counted
from python_runner.texts.system_errors import system_error
from python_runner.texts.utf8 import UTF8


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.model.metrics import ScriptMetrics

    #: Of a file: ranges of it, and bytes between them.
    Parts = Sequence[bytes | tuple[int, int]]

#: The end of the output that is searched for a traceback, in bytes.
TAIL = 1024 * 1024
#: Seconds between two looks at the file: usually, and while a flood comes in.
_CALM = 0.5
_ALERT = 0.05
#: How far a cut moves at most for the sake of a whole line, in bytes.
_LINE = 4096
_CHUNK = 1024 * 1024
#: Bytes that are counted at once: a flood must not be kept waiting.
_COUNTED_AT_ONCE = 32 * _CHUNK
#: How many times its limit an output may grow on a disk that takes no part of it back.
_MOST_TIMES = 1000


@dataclass(frozen=True, slots=True)
class Readable:
    """How output becomes text that may be shown.

    Attributes:
        masker: knows what must not stay in it.
        encoding: name of the codec of what is not UTF-8.
    """

    masker: Masker = field(default_factory=Masker)
    encoding: str = UTF8

    def text(self) -> OutputText:
        """Return what turns one output into text."""
        return OutputText(self.masker, self.encoding)


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """What a disk must have left, in bytes.

    Attributes:
        reserve: with less free space, only ``scarce`` of an output is kept.
        floor: with less free space, nothing is written.
        near: with less free space, an output is looked at all the time.
        scarce: output kept on a disk that is nearly full.
        longest: of an output that cannot be bounded while it is written; 1000 times
            its limit, if that is more.
    """

    reserve: int = 100_000_000
    floor: int = 10_000_000
    near: int = 4_000_000_000
    scarce: int = 1_000_000
    longest: int = 1_000_000_000


_DISK = DiskLimits()


class FileCapture:
    """The output of one attempt, in a file that may hold earlier ones.

    Attributes:
        refused: why it could not be written where it was wanted, or None.
        warnings: what became of output that could not be kept.
        flood: why the script must be stopped: its output fills the disk, because none of
            it can be given back or it comes in faster; or None.
    """

    refused: OSError | None = None
    flood: Sentence | None = None

    def __init__(
        self,
        wanted: Path,
        limit: int,
        now: float,
        place: Path | None = None,
        readable: Readable | None = None,
        *,
        disk: DiskLimits = _DISK,
    ) -> None:
        """Open ``place`` for the output that should go to ``wanted``.

        Raises:
            OSError: the file cannot be written, or its disk is full.
        """
        self.warnings: list[Sentence] = []
        self._wanted = wanted
        self._path = place or wanted
        self._limit = limit
        self._readable = readable or Readable()
        self._masker = self._readable.masker
        free = free_space(self._path.parent)
        if free < disk.floor:
            raise disk_full(self._path.parent)
        # Not the script's descriptor: all that inherit it share its position.
        self._file: BinaryIO = appending(self._path, PRIVATE_FILE_MODE)
        # Nobody else reads secrets before they are masked, in a further attempt either.
        set_mode(self._path, PRIVATE_FILE_MODE)
        self._writer = appending(self._path)
        self._start = self._size()
        self._hole: tuple[int, int] | None = None
        self._boundless = False
        self._disk = disk
        self._scarce = free < max(disk.reserve, limit)
        self._seen = self._start
        self._meter = OutputMeter()
        #: Up to where the output is counted.
        self._counted = self._start
        #: The whole output, where tail() has read it, and whether people may get it as it is.
        self._whole: bytes | None = None
        self._fit = False
        self._next_look = now + (_ALERT if free < disk.near else _CALM)

    @property
    def descriptor(self) -> int:
        """The descriptor that the script writes to."""
        return self._writer.fileno()

    @property
    def elsewhere(self) -> Path | None:
        """The file with the output, where that is not the one that was wanted."""
        return self._path if self._path != self._wanted else None

    def watch(self, now: float) -> float:
        """Bound the space that the output takes on the disk, where that can be done.

        Args:
            now: a monotonic time in seconds.

        Returns:
            Seconds until the next look, when a call before would do nothing.
        """
        if now < self._next_look:
            return self._next_look - now
        try:
            size = self._size()
        except OSError:
            # A share that is gone, perhaps for a moment; close() warns if it stays away.
            return _CALM
        free = self._free()
        self._scarce |= free < max(self._disk.reserve, self._limit)
        keep = min(self._limit, self._disk.scarce) if self._scarce else self._limit
        if self._bound(size, keep):
            free = self._free()
        grown = size - self._seen
        self.flood = self.flood or self._flood(size, grown, keep, free)
        calm = grown < keep and not self._scarce and free >= self._disk.near
        pause = _CALM if calm else _ALERT
        self._next_look = now + pause
        self._seen = size
        return pause

    def _free(self) -> float:
        """Return the free bytes of the disk; as many as you like where nobody knows."""
        try:
            return free_space(self._path.parent)
        except OSError:
            return inf

    def tail(self) -> str:
        """Return the end of this attempt's output as text, without known secrets.

        Of a line that was written over, what stood there last.
        """
        kept = self._hole[1] if self._hole else self._start
        try:
            size = self._size()
            start = max(kept, self._start, size - TAIL)
            content = self._read(start, size)
        except OSError:
            return ""
        if not content:
            return ""
        whole = start == self._start
        if not whole:
            content = content[self._masker.ended(content) :]
        output = self._readable.text()
        text = b"".join(output.blocks([content]))
        if whole:
            self._whole, self._fit = content, not output.changed
        return settled(text.decode("utf-8", "backslashreplace"))

    def metrics(self, text: str) -> ScriptMetrics | None:
        """Return what all of this attempt's output amounts to, also what is not kept.

        Args:
            text: its end, as :meth:`tail` returns it.

        Returns:
            None where the file cannot be read any more.
        """
        try:
            self._count(self._size())
        except OSError:
            return None
        return self._meter.metrics(text)

    def _count(self, end: int) -> None:
        """Count the output up to ``end``; of a flood what is behind the first bytes."""
        until = min(end, self._counted + _COUNTED_AT_ONCE)
        if self._counted == self._start and self._is_known(end):
            self._meter.feed(self._whole or b"")
        else:
            for block in self._blocks([(self._counted, until)]):
                self._meter.feed(block)
        self._meter.skip(max(0, end - until))
        self._counted = max(end, self._counted)

    def _is_known(self, end: int) -> bool:
        """Say whether all of the output up to ``end`` has been read."""
        return self._whole is not None and end - self._start == len(self._whole)

    def close(self) -> None:
        """Put the output where it was wanted: cut, in UTF-8, without secrets."""
        self._writer.close()
        with self._file:
            try:
                self._finish()
                # As open as its folder, which the umask has made.
                set_mode(self._path, self._path.parent.stat().st_mode & FILE_MODE)
            except OSError as error:
                self._warn_not_rewritten(error)
                self._overwrite_secrets(self._path)

    def _finish(self) -> None:
        size, limit, moved = self._size(), self._limit, self._path != self._wanted
        if moved:
            limit = min(limit, free_space(self._wanted.parent) // 2)
        gone = not moved and not self._has_its_name()
        parts: list[bytes | tuple[int, int]] = [(0, size)]
        if size - self._start > limit or self._hole:
            head, tail = self._cut(size, limit)
            # What is left out may be what filled the disk, and the rest needs space.
            self._punch(head, tail)
            parts = [(0, head), self._note(head, tail), (tail, size)]
            self._warn_cut(tail - head, scarce=self._scarce or limit < self._limit)
        if gone:
            self._write_again(parts)
        elif moved:
            self._append(parts)
        elif len(parts) > 1 or (size > self._start and self._must_change(size)):
            self._rewrite(parts)

    def _has_its_name(self) -> bool:
        """Say whether the file still is where it was; what ran may have removed it."""
        if sys.platform == "win32":
            return True  # nobody removes or renames an open file there
        try:
            found = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._file.fileno()))

    def _write_again(self, parts: Parts) -> None:
        """Write the file anew: its text can be read as long as it is open.

        What was moved elsewhere is somebody's by now, but no secret stays in it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with appending(self._path) as file:
            file.writelines(self._readable_parts(parts))
        if os.fstat(self._file.fileno()).st_nlink:
            self._overwrite_secrets(Path(f"/proc/self/fd/{self._file.fileno()}"))
        self._file.close()

    def _must_change(self, size: int) -> bool:
        if self._is_known(size):
            return not self._fit
        text = self._readable.text()
        blocks = text.blocks(self._blocks([(self._start, size)]))
        return any(text.changed for _block in blocks) or text.changed

    def _overwrite_secrets(self, path: Path) -> None:
        """Overwrite secrets where they stand, in a file that could not be replaced."""
        position = 0
        try:
            with (
                reading(path) as source,
                changing(path) as target,
            ):
                blocks = iter(lambda: source.read(_CHUNK), b"")
                for piece, secret in self._masker.pieces(blocks):
                    if secret:
                        target.seek(position)
                        target.write(b"*" * len(piece))
                    position += len(piece)
        except OSError as error:
            template = N_("secrets may be left in its output: {error}")
            self._warn(template, error=system_error(error))

    def _warn_cut(self, count: int, *, scarce: bool) -> None:
        forms = counted(
            "{count} byte of its output was left out: its limit is {limit} bytes",
            "{count} bytes of its output were left out: its limit is {limit} bytes",
        )
        if scarce:
            forms = counted(
                "{count} byte of its output was left out: the disk is nearly full",
                "{count} bytes of its output were left out: the disk is nearly full",
            )
        self.warnings.append(Sentence.about(forms, count, limit=self._limit))

    def _warn_not_rewritten(self, error: OSError) -> None:
        if self._path == self._wanted:
            template = N_("its output could not be rewritten: {error}")
        else:
            template = N_("its output is in {file}: {error}")
            error = self.refused or error
        self.warnings = []
        self._warn(template, file=str(self._path), error=system_error(error))

    def _warn(self, template: str, **values: object) -> None:
        self.warnings.append(Sentence.of(template, **values))

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _read(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(max(0, end - start)) or b""

    def _bound(self, size: int, keep: int) -> bool:
        """Punch a hole between the head and the newest ``keep`` bytes, if it is time."""
        start = min(self._start + keep // 2, *(self._hole or (size,)))
        end = size - keep
        done = self._hole[1] if self._hole else start
        # Twice the limit is allowed: the work is done now and then, not all the time.
        if end - done <= keep:
            return False
        # Nobody reads any more what is given back.
        with suppress(OSError):
            self._count(end)
        self._hole = self._punch(start, end) or self._hole
        return True

    def _flood(self, size: int, grown: int, keep: int, free: float) -> Sentence | None:
        """Say why a script must be stopped whose output nothing bounds; None if not.

        Args:
            size: of the file, in bytes.
            grown: bytes that came in since the last look.
            keep: bytes of the output that may stay on the disk.
            free: bytes that the disk has left, after some were given back.
        """
        # What others write fills the disk as well, and is no reason to stop this one.
        floods = self._boundless or grown > keep
        if floods and free - 2 * grown < self._disk.floor:
            forms = counted(
                "stopped because its output was about to fill the disk: {count} byte"
                " so far, {free} bytes free",
                "stopped because its output was about to fill the disk: {count} bytes"
                " so far, {free} bytes free",
            )
            return Sentence.about(forms, size - self._start, free=int(free))
        taken = size - (self._hole[1] if self._hole else self._start)
        if self._boundless and taken > max(
            _MOST_TIMES * self._limit, self._disk.longest
        ):
            forms = counted(
                "stopped because its output kept growing: {count} byte so far, its"
                " limit is {limit} bytes",
                "stopped because its output kept growing: {count} bytes so far, its"
                " limit is {limit} bytes",
            )
            return Sentence.about(forms, size - self._start, limit=self._limit)
        return None

    def _punch(self, start: int, end: int) -> tuple[int, int] | None:
        """Give whole blocks back to the disk: the edges of others would become zeros."""
        block = getattr(os.fstat(self._file.fileno()), "st_blksize", 1)
        start, end = -(-start // block) * block, end // block * block
        if start >= end:
            return None
        done = punch_hole(self._file.fileno(), start, end)
        # For now: on Windows another program may have locked those bytes.
        self._boundless = not done
        return (start, end) if done else None

    def _cut(self, size: int, limit: int) -> tuple[int, int]:
        """Return where the head ends and where the tail starts."""
        head, tail = cut(size, limit, head=2)
        head += self._start
        if self._hole:
            head, tail = min(head, self._hole[0]), max(tail, self._hole[1])
        before = self._read(max(self._start, head - _near(head - self._start)), head)
        after = self._read(tail, min(size, tail + _near(size - tail)))
        head, tail = head - torn_end(before), tail + torn_start(after)
        # Of a secret that is cut in two, neither part could be recognised later.
        before = self._read(max(self._start, head - _CHUNK), head)
        after = self._read(tail, min(size, tail + _CHUNK))
        return head - self._masker.begun(before), tail + self._masker.ended(after)

    def _note(self, head: int, tail: int) -> bytes:
        new_line = b"" if self._read(max(0, head - 1), head) in {b"", b"\n"} else b"\n"
        return b"%b%b\n" % (new_line, left_out(tail - head))

    def _rewrite(self, parts: Parts) -> None:
        """Replace the file by ``parts`` of it; a kill leaves the old one or the new."""
        with replacing(self._path) as new:
            new.writelines(self._readable_parts(parts))
            new.flush()
            # Windows replaces no file that is open.
            self._file.close()

    def _append(self, parts: Parts) -> None:
        """Add ``parts`` to the file that was wanted, which may hold earlier attempts."""
        with appending(self._wanted) as file:
            file.writelines(self._readable_parts(parts))
        self._file.close()
        remove(self._path)
        self._path = self._wanted

    def _readable_parts(self, parts: Parts) -> Iterator[bytes]:
        return self._readable.text().blocks(self._blocks(parts))

    def _blocks(self, parts: Parts) -> Iterator[bytes]:
        for part in parts:
            if isinstance(part, bytes):
                yield part
                continue
            start, end = part
            for position in range(start, end, _CHUNK):
                yield self._read(position, min(end, position + _CHUNK))


class NullCapture:
    """Discards the output where it can be kept nowhere; the script still runs."""

    elsewhere = None
    flood = None

    def __init__(self, error: OSError) -> None:
        self._writer = open(os.devnull, "ab", buffering=0)  # noqa: PTH123, SIM115
        template = N_("its output could not be kept: {error}")
        self.warnings = [Sentence.of(template, error=system_error(error))]

    @property
    def descriptor(self) -> int:
        """The descriptor that the script writes to."""
        return self._writer.fileno()

    def watch(self, _now: float) -> float:
        """Do nothing."""
        return _CALM

    def tail(self) -> str:
        """Return no text."""
        return ""

    def metrics(self, _text: str) -> None:
        """Return nothing: the output has gone."""

    def close(self) -> None:
        """Close the descriptor."""
        self._writer.close()


def open_capture(
    wanted: Path,
    limit: int,
    now: float,
    readable: Readable | None = None,
    *,
    spare: Path | None = None,
    disk: DiskLimits = _DISK,
) -> FileCapture | NullCapture:
    """Open the file for a script's output.

    ``now`` is a monotonic time, as for :meth:`FileCapture.watch`; ``readable`` is how
    it becomes text.

    Where ``wanted`` cannot be written (read-only folder, full disk), the private file
    ``spare`` or else a temporary one takes the output first, which is moved at the end
    if that works by then.

    Raises:
        OSError: not even the null device can be opened.
    """
    try:
        # Where the folder is missing, why it cannot be made is the reason.
        make_folder(wanted.parent)
        return FileCapture(wanted, limit, now, readable=readable, disk=disk)
    except OSError as refused:
        for place in (partial(_private, spare), _temporary):
            with suppress(OSError):
                capture = FileCapture(wanted, limit, now, place(), readable, disk=disk)
                capture.refused = refused
                return capture
        return NullCapture(refused)


def _private(file: Path | None) -> Path:
    """Make the folder of the spare file.

    Raises:
        OSError: it cannot be made, or there is no such file.
    """
    if file is None:
        raise FileNotFoundError
    private_folder(file.parent)
    return file


def _temporary() -> Path:
    import tempfile  # noqa: PLC0415 - rarely needed

    descriptor, name = tempfile.mkstemp(".log", "python-runner-")
    os.close(descriptor)
    return Path(name)


def put_away(path: Path, readable: Readable) -> None:
    """Do what a runner does at the end of an output, for one that was killed before.

    Raises:
        OSError: the file cannot be read or replaced.
    """

    def blocks(text: OutputText) -> Iterator[bytes]:
        with reading(path) as file:
            yield from text.blocks(iter(lambda: file.read(_CHUNK), b""))

    text = readable.text()
    if any(text.changed for _block in blocks(text)) or text.changed:
        with replacing(path) as new:
            new.writelines(blocks(readable.text()))


def _near(length: int) -> int:
    """Return how far a cut may move at the end of a part of this length."""
    return max(4, min(_LINE, length // 4))
