"""Finds the files that a pattern of a path names: ``out/**/sales_*.csv``.

``pathlib`` differs between the versions of Python in what ``**`` is at the end, recurses
as deep as the folders do, and knows no other form of an accented letter.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from contextlib import suppress
from typing import TYPE_CHECKING
from unicodedata import normalize


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_ALL = "**"
_IGNORE_CASE = re.IGNORECASE if os.name == "nt" else 0


def matching(folder: Path, pattern: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield what a pattern names below a folder, each once: its path in it, its status.

    Links are followed, but not by ``**``; a ``**`` at the end is all files below. Brackets
    are a choice of characters or stand for themselves. Names match in any Unicode form,
    and on Windows in any case. What cannot be looked at is left out.
    """
    parts = _parts(pattern)
    seen: set[tuple[str, int]] = set()
    # The folders do not have to be less deep than Python recurses.
    left = [("", 0)]
    while left:
        place = at, index = left.pop()
        if place in seen:
            continue
        seen.add(place)
        if index == len(parts):
            with suppress(OSError):
                yield at, (folder / at).stat()
        elif parts[index] == _ALL:
            left.append((at, index + 1))
            left += [(name, index) for name in _folders(folder, at)]
        else:
            last = index + 1 == len(parts)
            names = _named(folder, at, parts[index], folders=not last)
            left += [(name, index + 1) for name in names]


def _parts(pattern: str) -> Sequence[str]:
    """Return the parts of a pattern; both slashes separate them on every system."""
    parts = [p for p in pattern.replace("\\", "/").split("/") if p not in {"", "."}]
    return [*parts, "*"] if parts[-1:] == [_ALL] else parts


def _named(folder: Path, at: str, part: str, *, folders: bool) -> Iterator[str]:
    """Yield what has such a name in the folder ``at``."""
    there = folder / at
    if not re.search(r"[*?\[]", part) and (
        part.isascii() or os.path.lexists(there / part)
    ):
        yield _joined(at, part)
        return
    wanted = normalize("NFC", part)
    match = re.compile(fnmatch.translate(wanted), _IGNORE_CASE).match
    with suppress(OSError), os.scandir(there) as entries:
        for entry in entries:
            name = normalize("NFC", entry.name)
            if match(name) or name == wanted:
                with suppress(OSError):
                    if not folders or entry.is_dir():
                        yield _joined(at, entry.name)


def _folders(folder: Path, at: str) -> Iterator[str]:
    with suppress(OSError), os.scandir(folder / at) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False) and not _is_junction(entry):
                    yield _joined(at, entry.name)


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Say whether this is a folder of Windows that shows another place."""
    tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
    return bool(tag) and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


def _joined(at: str, name: str) -> str:
    return f"{at}/{name}" if at else name
