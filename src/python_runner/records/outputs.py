"""Files of captured output: their names, their removal, reading their ends."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from python_runner.files import appending, reading
from python_runner.texts.characters import CONTROLS, SURROGATES
from python_runner.texts.excerpt import cut, left_out, torn_character, torn_start


if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

_STAMP = "%Y-%m-%d_%H-%M-%S"
_RUN_FOLDER = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}-[0-9]{2})_([0-9a-f]{13})"
)
#: What Windows or POSIX allows in no file name, or what no terminal shows.
_UNSAFE = re.compile(rf'[<>:"/\\|?*{CONTROLS}{SURROGATES}]')
#: Bytes of a script's name in a file name; 255 is what common file systems allow, and
#: Windows counts the folders before it as well.
_NAME_LIMIT = 100


def output_folder(logs: Path, run_id: str, started_at: datetime) -> Path:
    """Return the folder of a run's output below ``logs``, named by its local start."""
    return logs / "runs" / f"{started_at.astimezone():{_STAMP}}_{run_id}"


def output_file(folder: Path, number: int, script: str) -> Path:
    """Return the file for the output of the ``number``-th script of a run.

    The number in front keeps names apart that differ in case only, and makes none of
    them a device of Windows (``CON``). Of a long name the end is kept.
    """
    name = _UNSAFE.sub("_", script).encode()[-_NAME_LIMIT:].decode("utf-8", "ignore")
    return folder / f"{number:02d}_{name}.log"


def files_of(logs: Path, run_id: str) -> list[Path]:
    """Return the files that hold output of a run, below ``logs``."""
    return list((logs / "runs").glob(f"*_{run_id}/*.log"))


def mark_attempt(path: Path, attempt: int, attempts: int) -> None:
    """Begin a further attempt's part of an output file with a line that says so."""
    # Where the file cannot be written the attempts run on into each other.
    with suppress(OSError), appending(path) as file:
        file.write(f"\n--- attempt {attempt} of {attempts} ---\n".encode())


def delete_old_outputs(
    logs: Path, keep_days: int, now: datetime, *, keep: Container[str] = ()
) -> int:
    """Remove the output of runs that began more than ``keep_days`` days ago.

    Only folders named as :func:`output_folder` does are removed, never what a link points
    to. What is in use is left for next time, and runs with the ids ``keep`` stay
    whatever their age. Returns how many folders are gone.
    """
    try:
        oldest = now.astimezone().replace(tzinfo=None) - timedelta(days=keep_days)
    except OverflowError:
        # Further back than the calendar goes: all is kept.
        return 0
    removed = 0
    for folder in _run_folders(logs / "runs"):
        stamp, _, run_id = folder.name.rpartition("_")
        began = _moment(stamp)
        if began and began < oldest and run_id not in keep:
            # It refuses links and junctions, here and further down.
            shutil.rmtree(folder, ignore_errors=True)
            removed += not folder.exists()
    return removed


def _run_folders(runs: Path) -> list[Path]:
    with suppress(OSError), os.scandir(runs) as entries:
        return [
            runs / entry.name
            for entry in entries
            if _RUN_FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    return []


def _moment(stamp: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.strptime(stamp, _STAMP)  # noqa: DTZ007 - local, as written
    return None


def read_tail(path: Path, limit: int) -> str:
    r"""Return the last ``limit`` bytes of a file as text, from the start of a line on.

    A line longer than that is cut between two characters. Bytes that are not UTF-8 are
    shown as ``\xNN``; control characters stay as they are.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as file:
        size = file.seek(0, os.SEEK_END)
        # One byte more tells whether a line begins right behind it.
        file.seek(max(0, size - limit - 1))
        content = file.read(limit + 1)
    if size > limit:
        content = _from_boundary(content[:1], content[1:])
    return content.decode("utf-8", "backslashreplace")


def read_ends(path: Path, limit: int) -> bytes:
    """Return a file's content, of a longer one head and tail: ``limit`` bytes at most.

    The tail gets three quarters: errors stand at the end. A line between them says how
    much is missing.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size <= limit:
            return file.read(limit)
        head_end, tail_start = cut(size, limit, head=4)
        head = file.read(head_end)
        file.seek(tail_start)
        tail = file.read(limit - len(head))
    return b"%b\n%b\n%b" % (head, left_out(tail_start - len(head)), tail)


def _from_boundary(before: bytes, content: bytes) -> bytes:
    if before == b"\n":
        return content
    return content[torn_start(content) :] or content[torn_character(content) :]
