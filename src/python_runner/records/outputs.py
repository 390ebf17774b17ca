"""Files of captured output: their names, their removal, reading their ends."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import (
    appending,
    exists,
    is_diverted,
    is_file,
    is_held,
    reading,
    remove_all,
)
from python_runner.patterns import lazy_pattern
from python_runner.records.state_names import state_name
from python_runner.texts.carriage_returns import settled
from python_runner.texts.characters import CONTROLS, SURROGATES
from python_runner.texts.excerpt import cut, left_out, torn_character, torn_start
from python_runner.texts.sentence import N_, catalogue
from python_runner.texts.utf8 import local_encoding, to_utf8


if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from python_runner.model import Run

_STAMP = "%Y-%m-%d_%H-%M-%S"
#: Folders that one run removes: a report must not wait for thousands.
_DELETED_AT_MOST = 500
_RUN_FOLDER = lazy_pattern(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}-[0-9]{2})_([0-9a-f]{13})"
)
_OUTPUT_FILE = lazy_pattern(r"([0-9]{2,9})_(.*)\.log", re.DOTALL)
#: What Windows or POSIX allows in no file name, or what no terminal shows.
_SIGNS = frozenset('<>:"/\\|?*')
_UNSAFE = lazy_pattern(rf'[<>:"/\\|?*{CONTROLS}{SURROGATES}]')
#: Bytes that are read for the end of an output with progress bars.
_BAR = 1024 * 1024
#: Bytes of a script's name in a file name; 255 is what common file systems allow, and
#: Windows counts the folders before it as well.
_NAME_LIMIT = 100


def private_logs(home: Path, project: Path) -> Path:
    """Return what stands in for a project's ``logs`` in the state folder ``home``.

    It takes the output of the scripts where ``logs`` cannot be written.
    """
    return home / "outputs" / state_name(project)


def output_folder(logs: Path, run_id: str, started_at: datetime) -> Path:
    """Return the folder of a run's output below ``logs``, named by its local start."""
    return logs / "runs" / f"{started_at.astimezone():{_STAMP}}_{run_id}"


def output_file(folder: Path, number: int, script: str) -> Path:
    """Return the file for the output of the ``number``-th script of a run.

    The number in front keeps names apart that differ in case only, and makes none of
    them a device of Windows (``CON``). Of a long name the end is kept.
    """
    # What is printable holds neither control characters nor surrogates.
    plain = script.isprintable() and _SIGNS.isdisjoint(script)
    name = script if plain else _UNSAFE.sub("_", script)
    name = name.encode()[-_NAME_LIMIT:].decode("utf-8", "ignore")
    return folder / f"{number:02d}_{name}.log"


def files_of(logs: Path, run_id: str) -> list[Path]:
    """Return the files that hold output of a run, below ``logs``."""
    return list((logs / "runs").glob(f"*_{run_id}/*.log"))


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file of output that was found on the disk.

    Attributes:
        path: the file.
        begun: when its run began, by the local time of whoever ran it.
        run_id: its run.
        number: the place of its script in the series, from 1.
        script: the script as the file's name holds it.
    """

    path: Path
    begun: datetime
    run_id: str
    number: int
    script: str

    def is_of(self, script: str) -> bool:
        """Say whether it may hold the output of the script of this name."""
        return output_file(self.path.parent, self.number, script) == self.path


def kept_outputs(logs: Path) -> Iterator[OutputFile]:
    """Yield the files below ``logs`` that hold output, in no order."""
    for folder in _run_folders(logs / "runs"):
        stamp, _, run_id = folder.name.rpartition("_")
        if not _is_stamp(stamp):
            continue
        begun = datetime.strptime(stamp, _STAMP).astimezone()
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if match := _OUTPUT_FILE.fullmatch(entry.name):
                    number, script = match.groups()
                    path = folder / entry.name
                    yield OutputFile(path, begun, run_id, int(number), script)


def is_kept(output: Path | None) -> bool:
    """Say whether there is such a file of output; a run may have been cleaned up."""
    return output is not None and is_file(output)


def as_kept(run: Run) -> Run:
    """Return a run that names no file of output which is not there."""
    scripts = tuple(
        replace(result, output=None)
        if result.output and not is_kept(result.output)
        else result
        for result in run.scripts
    )
    return replace(run, scripts=scripts)


#: The line before a further attempt's output.
_ATTEMPT = N_("--- attempt {attempt} of {total} ---")
_ATTEMPT_LINE = lazy_pattern(r"^--- attempt (\d+) of (\d+) ---$", re.MULTILINE)


def mark_attempt(path: Path, attempt: int, attempts: int) -> None:
    """Begin a further attempt's part of an output file with a line that says so."""
    # Where the file cannot be written the attempts run on into each other.
    with suppress(OSError), appending(path) as file:
        file.write(f"\n{_ATTEMPT.format(attempt=attempt, total=attempts)}\n".encode())


def with_translated_attempts(text: str, language: str) -> str:
    """Return output with the lines that begin its attempts in a reader's language."""
    words = catalogue(language).gettext(_ATTEMPT)
    return _ATTEMPT_LINE.sub(
        lambda line: words.format(attempt=line[1], total=line[2]), text
    )


def delete_old_outputs(
    logs: Path,
    keep_days: int,
    now: datetime,
    *,
    keep: Container[str] = (),
    stays: Callable[[OSError], object] | None = None,
) -> int:
    """Remove the output of runs that began more than ``keep_days`` days ago.

    Only folders named as :func:`output_folder` does are removed, never what a link points
    to. What is in use is left for next time, so are more than some hundred folders, and
    runs with the ids ``keep`` stay whatever their age. ``stays`` is told why one that
    should go stays for good. Returns how many folders are gone.
    """
    try:
        oldest = now.astimezone().replace(tzinfo=None) - timedelta(days=keep_days)
    except OverflowError:
        # Further back than the calendar goes: all is kept.
        return 0
    # As it stands in the names, in whole seconds: there may be tens of thousands.
    if oldest.microsecond:
        oldest += timedelta(seconds=1)
    first = oldest.isoformat("_", "seconds").replace(":", "-")
    runs = logs / "runs"
    old = [] if is_diverted(runs) else _run_folders(runs, before=first)
    # Always the same ones would keep all others, where those can never be removed.
    first_of_old = int(now.timestamp()) % len(old) if len(old) > _DELETED_AT_MOST else 0
    # Only as many are looked at closely as are removed.
    gone = (
        folder
        for folder in chain(old[first_of_old:], old[:first_of_old])
        for stamp, _, run_id in [folder.name.rpartition("_")]
        if _is_stamp(stamp) and run_id not in keep
    )
    chosen = list(islice(gone, _DELETED_AT_MOST))
    # It refuses links and junctions, here and further down.
    refused = [error for error in remove_all(chosen).values() if not is_held(error)]
    if refused and stays is not None:
        stays(refused[0])
    return sum(not exists(folder) for folder in chosen)


def _run_folders(runs: Path, before: str = "~") -> list[Path]:
    """Return the folders of runs whose names stand before a text: all, without one."""
    with suppress(OSError), os.scandir(runs) as entries:
        return [
            runs / entry.name
            for entry in entries
            if entry.name < before
            and _RUN_FOLDER.fullmatch(entry.name)
            and entry.is_dir(follow_symlinks=False)
        ]
    return []


def _is_stamp(text: str) -> bool:
    try:
        datetime.strptime(text, _STAMP)  # noqa: DTZ007 - only its form matters
    except ValueError:
        return False
    return True


def read_tail(path: Path, limit: int) -> str:
    r"""Return the last ``limit`` bytes of a file as text, from the start of a line on.

    A line longer than that is cut between two characters. Of a line that was written over,
    only what stood there last counts. Bytes that are not UTF-8 are shown as ``\xNN``,
    where the locale has no other encoding; control characters stay as they are.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as file:
        content = _end_of(file, limit)
        if bars := b"\r" in content:
            # What a progress bar wrote over must not take the place of other lines.
            content = _end_of(file, max(limit, _BAR))
    content = to_utf8(content, local_encoding())
    text = settled(content.decode("utf-8", "backslashreplace"))
    if bars and len(data := text.encode()) > limit:
        text = _from_boundary(data[-limit - 1 :][:1], data[-limit:]).decode()
    return text


def _end_of(file: BinaryIO, limit: int) -> bytes:
    """Return the last bytes of a file, from the start of a line or character on."""
    size = file.seek(0, os.SEEK_END)
    # One byte more tells whether a line begins right behind it.
    file.seek(max(0, size - limit - 1))
    content = file.read(limit + 1)
    return _from_boundary(content[:1], content[1:]) if size > limit else content


def read_ends(path: Path, limit: int) -> bytes:
    """Return a file's content, of a longer one head and tail: of ``limit`` bytes at most.

    The tail gets three quarters: errors stand at the end. A line between them says how
    much is missing.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size <= limit:
            return to_utf8(file.read(limit), local_encoding())
        head_end, tail_start = cut(size, limit, head=4)
        head = file.read(head_end)
        file.seek(tail_start)
        tail = file.read(limit - len(head))
    note = left_out(tail_start - len(head))
    return to_utf8(b"%b\n%b\n%b" % (head, note, tail), local_encoding())


def _from_boundary(before: bytes, content: bytes) -> bytes:
    if before == b"\n":
        return content
    return content[torn_start(content) :] or content[torn_character(content) :]
