"""The log of a project: one line a script, in files that cover some days each.

A log is set aside under the project's lock. Lines may come from others as well: a run
that was skipped says so while the lock is held elsewhere. Nothing keeps the file open:
on Windows an open log cannot be set aside.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import (
    appending,
    is_diverted,
    is_held,
    make_folder,
    move,
    patiently,
    read_block,
    write_all,
)
from python_runner.records.file_locks import brief_lock
from python_runner.records.log_line import format_log_line
from python_runner.records.log_rotation import delete_old_archives, is_due, set_aside
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from python_runner.records.log_line import LogLine

#: Characters of a traceback's end that are written where all of it finds no room.
_SHORTEST = 120


class Shortened(OSError):
    """Lines were written, but of their tracebacks the ends alone."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log of one project.

    Attributes:
        folder: the project's ``logs``; made when missing.
        filename: name of the log in it.
        backup_count: archives to keep; 0 keeps all.
        rotation_days: calendar days one file covers, at least 1.
        patient: whether a program that has the log open is waited for, 2.5 seconds.
    """

    folder: Path
    filename: str
    backup_count: int
    rotation_days: int
    patient: bool = True

    def rotate(
        self,
        now: datetime,
        *,
        rename: Callable[[Path, Path], None] = move,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Sentence | None:
        """Set the log aside when it is old enough; called once, when a run starts.

        The caller holds the project's lock.

        Returns:
            Why the log was not set aside though it should have been, or why an old
            archive stays, or None. The next run tries again.
        """
        if is_diverted(self.folder):
            # Writing says so; nothing there is ours to move or to remove.
            return None
        log = self.folder / self.filename
        warning = None
        try:
            if is_due(log, self.rotation_days, now):
                set_aside(log, now, rename=rename, sleep=sleep)
        except NotADirectoryError:
            return None
        except OSError as error:
            warning = Sentence.of(
                N_(
                    "the log {file} could not be archived; writing continues in it:"
                    " {error}"
                ),
                file=self.filename,
                error=system_error(error),
            )
        stays = delete_old_archives(self.folder, self.filename, self.backup_count, now)
        if stays is not None and warning is None:
            warning = Sentence.of(
                N_("old archives of the log could not be deleted: {file}: {error}"),
                file=os.path.basename(stays.filename or self.filename),  # noqa: PTH119
                error=system_error(stays),
            )
        return warning

    def write(self, *lines: LogLine) -> None:
        """Append ``lines``, whole or not at all; others may write before and behind them.

        Where they do not fit they are written without all but the end of their
        tracebacks: a failure must not be missing where a success still finds room.

        Raises:
            Shortened: they were not written whole.
            OSError: they were not written.
        """
        make_folder(self.folder)
        append = partial(_append, self.folder / self.filename)
        try:
            if self.patient:
                patiently(partial(append, _encoded(lines)), passes=is_held)
            else:
                append(_encoded(lines))
        except OSError as error:
            short = [_shortened(line) for line in lines]
            refusal: OSError = error
            if short != [*lines] and not is_held(error):
                with suppress(OSError):
                    append(_encoded(short))
                    refusal = Shortened(error.errno, error.strerror)
            raise refusal from None


def _encoded(lines: Iterable[LogLine]) -> bytes:
    return "".join(f"{format_log_line(line)}\n" for line in lines).encode()


def _shortened(line: LogLine) -> LogLine:
    """Return the line with the end of its traceback: the last line of it."""
    if line.traceback is None:
        return line
    end = line.traceback.rstrip().rpartition("\n")[2]
    return replace(line, traceback=end[:_SHORTEST])


def _append(path: Path, lines: bytes) -> None:
    # The patience is that of the whole write: another program may lock a part of the log.
    with appending(path, patient=False) as file, brief_lock(file.fileno()):
        size = file.seek(0, os.SEEK_END)
        if size and _last_byte(file.fileno()) != b"\n":
            # Torn by a full disk, or edited by hand: our line gets one of its own.
            lines = b"\n" + lines
        try:
            write_all(file.fileno(), lines, patient=False)
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


def _last_byte(descriptor: int) -> bytes:
    os.lseek(descriptor, -1, os.SEEK_END)
    return read_block(descriptor, 1, patient=False)
