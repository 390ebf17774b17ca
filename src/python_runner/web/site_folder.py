"""Writes the files of a site into a folder, which may lie on a share.

A reader never sees half a page: each file is written beside its place and moved there. A list
of the files lies with them. Only what is in it is ever replaced or removed, and it is written
before them, so that none is forgotten where this process is killed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import (
    PRIVATE_FILE_MODE,
    make_folder,
    private_folder,
    put,
    read_regular,
    real_folder,
    remove,
)
from python_runner.texts.sentence import translate as _
from python_runner.web.standing import WRITTEN
from python_runner.web.static_site import FOLDERS, MISSING, NAME, STATUS, TOP


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from python_runner.web.static_site import Sheet

MANIFEST = "python-runner-site.json"
#: Bytes of a list that is read, and what one of ours has in it.
_LONGEST, _FORMAT = 1 << 24, 1
#: The ends of names that a writer which was killed has left; hours after which they go.
_TEMPORARY, _LEFT = ".new", 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was done in the folder."""

    written: int
    unchanged: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who writes a site.

    Attributes:
        computer: its name.
        home: its state folder; what is known of each site lies there.
        words: when and by which computer, as HTML, for the top of the pages.
    """

    computer: str
    home: Path
    words: str

    @property
    def key(self) -> str:
        """What tells it from other writers."""
        place = f"{self.computer}\0{real_folder(self.home)}"
        return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def publish(
    folder: Path, sheets: Sequence[Sheet], author: Author, count: Callable[[], None]
) -> Published:
    """Bring a folder up to date; what is as it should be is not touched.

    Args:
        folder: it is there.
        sheets: the files, in the order in which they are written.
        author: who writes them.
        count: called as often as something has been done.

    Raises:
        OSError: the folder does not let itself be written to.
        PythonRunnerError: it is not there, or holds what is somebody else's.
    """
    _require_folder(folder)
    before = _read_list(folder, author)
    known = _known_versions(folder, author)
    there = dict(_files(folder))
    count()
    names = [sheet.name for sheet in sheets]
    _write_list(folder, author, before | {n: "" for n in names if n not in before})
    for name in FOLDERS:
        _make_own(folder / name)
    after, versions = dict[str, str](), dict[str, str]()
    written = 0
    for sheet in sheets:
        count()
        size = there.get(sheet.name, -1)
        same = sheet.version and known.get(sheet.name) == f"{sheet.version} {size}"
        if same and sheet.name in before:
            after[sheet.name] = before[sheet.name]
            versions[sheet.name] = known[sheet.name]
            continue
        try:
            content = sheet.make()
        except MISSING:
            # It has been deleted since; no page leads to it the next time.
            continue
        digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:20]
        # Of another size is what somebody else has put there.
        known_as = f"{digest} {size}"
        data = content.replace(WRITTEN, author.words).encode("utf-8", "replace")
        # Who looks at these is to see how old they are.
        fresh = sheet.name in {*TOP.values(), STATUS}
        if fresh or before.get(sheet.name) != known_as:
            put(folder / sheet.name, data)
            size = len(data)
            written += 1
        after[sheet.name] = f"{digest} {size}"
        if sheet.version:
            versions[sheet.name] = f"{sheet.version} {size}"
    old = [name for name in before if name not in after and name in there]
    for name in old:
        remove(folder / name)
        count()
    _write_list(folder, author, after)
    _keep_versions(folder, author, versions)
    return Published(written=written, unchanged=len(after) - written, removed=len(old))


def _require_folder(folder: Path) -> None:
    # Nobody makes it: without its share a folder of that name would be another one.
    try:
        mode = os.stat(folder).st_mode  # noqa: PTH116 - is_dir() raises nothing
    except FileNotFoundError:
        mode = 0
    if not stat.S_ISDIR(mode):
        message = _("{folder} is no folder; make it first")
        raise PythonRunnerError(message.format(folder=folder))


def _make_own(folder: Path) -> None:
    # On a share all links may be called this user's, whoever has made them.
    if folder.is_symlink():
        raise PermissionError(errno.EPERM, "is a link", str(folder))
    make_folder(folder)


def _read_list(folder: Path, author: Author) -> dict[str, str]:
    """Return the files that we have written there, with hash and size of their contents.

    Raises:
        PythonRunnerError: there is no list, and something else; or another computer's.
    """
    try:
        document: Any = json.loads(read_regular(folder / MANIFEST, _LONGEST))
    except FileNotFoundError:
        found = [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208
        if found:
            message = _(
                "{folder} holds {name}, which is none of these pages; choose an empty folder"
            )
            name = min(found)
            raise PythonRunnerError(message.format(folder=folder, name=name)) from None
        return {}
    except ValueError:
        document = None
    form = document.get("format") if isinstance(document, dict) else None
    files = document.get("files") if isinstance(document, dict) else None
    if form != _FORMAT or not isinstance(files, dict):
        message = _("{file} cannot be read; choose an empty folder")
        raise PythonRunnerError(message.format(file=folder / MANIFEST))
    if document.get("author") != author.key:
        message = _(
            "{folder} is written by {computer} or with another state folder; give each"
            " a folder of its own"
        )
        computer = str(document.get("computer"))[:80]
        raise PythonRunnerError(message.format(folder=folder, computer=computer))
    return {name: str(digest) for name, digest in files.items() if NAME.fullmatch(name)}


def _write_list(folder: Path, author: Author, files: Mapping[str, str]) -> None:
    document = {
        "format": _FORMAT,
        "computer": author.computer,
        "author": author.key,
        "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": dict(sorted(files.items())),
    }
    put(folder / MANIFEST, json.dumps(document, indent=0).encode())


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the files that are there, with their sizes; what was left half-written goes."""
    now = time.time()
    for prefix in ("", *(f"{name}/" for name in FOLDERS)):
        if prefix and (folder / prefix).is_symlink():
            continue
        with suppress(FileNotFoundError), os.scandir(folder / prefix) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):
                    continue
                status = entry.stat(follow_symlinks=False)
                if _is_left(entry.name, prefix) and now - status.st_mtime > _LEFT:
                    with suppress(OSError):
                        remove(folder / prefix / entry.name)
                else:
                    yield f"{prefix}{entry.name}", status.st_size


def _is_left(name: str, prefix: str) -> bool:
    """Say whether a file is one of ours that was not finished."""
    if not (name.startswith(".") and name.endswith(_TEMPORARY)):
        return False
    target = name[1:].removesuffix(_TEMPORARY).rpartition(".")[0]
    return NAME.fullmatch(f"{prefix}{target}") is not None or target == MANIFEST[:40]


def _versions_file(folder: Path, author: Author) -> Path:
    place = hashlib.sha256(os.fsencode(real_folder(folder))).hexdigest()[:32]
    return author.home / "sites" / f"{place}.json"


def _known_versions(folder: Path, author: Author) -> dict[str, str]:
    """Return what the files there were made of, and their sizes; nothing where that is lost."""
    try:
        found = json.loads(read_regular(_versions_file(folder, author), _LONGEST))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): str(version) for name, version in found.items()}


def _keep_versions(folder: Path, author: Author, versions: Mapping[str, str]) -> None:
    # Here and not beside the pages: secrets are part of what the versions are made of.
    file = _versions_file(folder, author)
    with suppress(OSError):
        private_folder(file.parent)
        put(file, json.dumps(versions).encode(), PRIVATE_FILE_MODE)
