"""Looks at paths without raising; makes and replaces files whole, with patience.

The state folder is readable by its user alone: on POSIX by the modes set here, on Windows
by the permissions of the user's profile, which new files inherit.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds to wait, one after the other, for a program that has a file open (virus
#: scanner, indexer, backup, viewer): 2.5 in all.
_PATIENCE = (0.05, 0.15, 0.5, 0.8, 1.0)


#: What a path begins with on Windows that is longer than 260 characters, or may be.
_VERBATIM, _VERBATIM_SHARE = "\\\\?\\", "\\\\?\\UNC\\"


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path, symbolic links and case left as people wrote them.

    A relative path stays one where the current folder has gone: nothing is there.
    """
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    except OSError:
        return Path(path)


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path, with ``~`` as the home of a user where one is known."""
    return absolute(os.path.expanduser(path))  # noqa: PTH111 - that of pathlib raises


def current_folder() -> Path:
    """Return the current folder; ``.`` where it has gone."""
    return absolute(os.curdir)


def is_file(path: str | os.PathLike[str]) -> bool:
    """Say whether a path leads to a file; False where nobody can tell."""
    # Those of pathlib raise for a share that is away or a folder that is closed.
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Say whether a path leads to a folder; False where nobody can tell."""
    return os.path.isdir(path)  # noqa: PTH112


def exists(path: str | os.PathLike[str]) -> bool:
    """Say whether a path leads to anything; False where nobody can tell."""
    return os.path.exists(path)  # noqa: PTH110


def resolved(path: str | os.PathLike[str]) -> str:
    """Return where a path leads, links followed; as written where nobody can tell.

    It may lie on a share that is away, or where nobody may look.
    """
    try:
        found = os.path.realpath(path)
    except (OSError, ValueError):
        found = str(absolute(path))
    return usual_form(found) if sys.platform == "win32" else found


def real_folder(path: str | os.PathLike[str]) -> str:
    """Return what all the ways to write a folder's path have in common.

    Links are followed, and what the platform ignores is the same: case, slashes and the
    form of a long path on Windows. It is the path as written where it leads nowhere that
    can be told.
    """
    return os.path.normcase(resolved(path))


def usual_form(path: str) -> str:
    """Return a path of Windows without the mark that switches off its limit of length."""
    plain = path.replace("/", "\\")
    if plain[: len(_VERBATIM_SHARE)].upper() == _VERBATIM_SHARE:
        return "\\\\" + plain[len(_VERBATIM_SHARE) :]
    rest = plain.removeprefix(_VERBATIM)
    # A volume without a letter has no other form.
    return rest if rest != plain and rest[1:2] == ":" else path


def why_unseen(path: str | os.PathLike[str]) -> str | None:
    """Say why the system does not tell what is at ``path``; None where it does.

    That nothing is there is an answer.
    """
    try:
        os.stat(path)  # noqa: PTH116 - may be any text
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return None


def private_folder(path: Path) -> None:
    """Make a folder where it is missing, and those above it.

    Raises:
        OSError: it cannot be made.
    """
    # mkdir() would give the folders above the usual mode.
    if path.parent != path and not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file where it is missing; never open one that is there.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextmanager
def replacing(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield the path of a new file, which takes the place of ``target`` at the end.

    The block writes the file, in the folder of ``target``, and closes it. A kill leaves
    ``target`` as it was or as it will be, and so does an error, which leaves no new file
    either. A link stays one: what it leads to is replaced, and keeps its mode (POSIX).
    A pipe or a device cannot be replaced: its own path is yielded, and written to.

    Args:
        target: the file, there or not.
        overwrite: whether a file that is there is replaced.

    Raises:
        FileExistsError: ``target`` is there and must not be replaced.
        OSError: it cannot be replaced, or the block raised it.
    """
    mode = _mode(target) if overwrite else None
    if mode is not None and not stat.S_ISREG(mode):
        yield target
        return
    if overwrite and target.is_symlink():
        target = Path(os.path.realpath(target))
    # The suffix differs, so that a program which looks for *.eml never picks up an
    # unfinished file.
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        if mode is not None:
            # Nobody reads meanwhile what only the owner may read.
            private_file(new)
        yield new
        if overwrite:
            if mode is not None and sys.platform != "win32":
                # A share may know no modes.
                with suppress(OSError):
                    new.chmod(stat.S_IMODE(mode))
            replace(new, target)
        else:
            patiently(partial(move, new, target))
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int | None:
    """Return type and mode of what a path leads to; None where nothing is there."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def replace(source: Path, target: Path) -> None:
    """Put ``source`` in the place of ``target``, at once or not at all.

    Raises:
        OSError: it cannot be done, after some patience where it is refused.
    """
    patiently(lambda: os.replace(source, target))  # noqa: PTH105 - the same on all platforms


if sys.platform == "win32":

    def move(source: Path, target: Path) -> None:
        """Rename a file, or raise ``FileExistsError`` where the name is taken."""
        source.rename(target)

else:

    def move(source: Path, target: Path) -> None:
        """Rename a file, or raise ``FileExistsError`` where the name is taken."""
        # rename(2) replaces what bears the name; an empty file of ours, made
        # exclusively, leaves nothing to replace. (A hard link would do as well, but not
        # every file system has them.)
        target.touch(exist_ok=False)
        try:
            source.rename(target)
        except OSError:
            target.unlink()
            raise


def patiently(
    act: Callable[[], None], sleep: Callable[[float], None] = time.sleep
) -> None:
    """Rename or replace a file by ``act``; try again while it is refused.

    Windows, and a share that lies on one, refuse it while another program has the file
    open.

    Args:
        act: what to do.
        sleep: pauses between two attempts, for a number of seconds.

    Raises:
        PermissionError: it stayed refused, for 2.5 seconds.
        OSError: another error, at the first attempt that met it.
    """
    for pause in _PATIENCE:
        with suppress(PermissionError):
            act()
            return
        sleep(pause)
    act()
