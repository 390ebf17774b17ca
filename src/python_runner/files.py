"""Opens, makes and replaces files in folders where others may have put something.

A question about a path is answered and raises nothing. Only regular files are opened,
without waiting: nobody may write to a pipe for ever. A link is not followed in writing
where another user has made it. What is made here is never writable by other users,
whatever the umask; who may read it is the umask's to say.
The state folder is readable by its user alone: on POSIX by the modes set here, on Windows
by the permissions of the user's profile, which new files inherit.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import ReadableBuffer, WriteableBuffer

_Done = TypeVar("_Done")

#: Modes of what other users may read, where the umask lets them, and never write.
FILE_MODE = 0o644
FOLDER_MODE = 0o755
#: Modes of what nobody else may read.
PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700

#: What keeps opening from waiting, from taking over a terminal and from changing bytes;
#: each platform has some of them.
_OPENING = (
    getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

#: Seconds to wait, one after the other, for a program that has a file open (virus
#: scanner, indexer, backup, viewer): 2.5 in all.
_PATIENCE = (0.05, 0.15, 0.5, 0.8, 1.0)
#: Errors of Windows for such a file: its sharing, or a range of it that is locked. And
#: those by which other systems tell it of a file on a share.
_HELD = frozenset({32, 33})
_BUSY = frozenset({errno.EBUSY, errno.ETXTBSY})
#: Error of Windows for a file that is read-only, and for much else.
_DENIED = 5

#: Bytes that are read at a time of a file that is read whole.
_BLOCK = 2**18
#: What a path begins with on Windows that is longer than 260 characters, or may be.
_VERBATIM, _VERBATIM_SHARE = "\\\\?\\", "\\\\?\\UNC\\"


def portable(path: str) -> str:
    """Return a path of a configuration as this system writes it.

    One that was written on Windows travels; no POSIX file has such a name.
    """
    return path if sys.platform == "win32" else path.replace("\\", "/")


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


def may_write_in(path: Path) -> bool:
    """Say whether this user may make files in a folder, or else make the folder.

    Whether a disk is full is not asked.
    """
    if is_diverted(path):
        return False
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    real = os.access in os.supports_effective_ids
    return is_folder(path) and os.access(path, os.W_OK | os.X_OK, effective_ids=real)


def may_write(path: Path) -> bool:
    """Say whether this user may write to what is there."""
    real = os.access in os.supports_effective_ids
    return os.access(path, os.W_OK, effective_ids=real)


class NotRegular(OSError):
    """What was to be opened is a pipe, a device or a socket."""


def open_regular(
    path: str | Path, flags: int = os.O_RDONLY, mode: int = 0, *, patient: bool = True
) -> int:
    """Return a descriptor of a regular file; anything else is not waited for.

    Args:
        path: the file. A link is followed, in writing and in making a file only one of
            this user or of root.
        flags: as of ``os.open``.
        mode: of a file that is made, before the umask takes from it.
        patient: whether another program that has it open is waited for, 2.5 seconds.

    Raises:
        NotRegular: it is a pipe, a device or a socket.
        OSError: it cannot be opened, or no platform knows such a path.
    """
    try:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes:
            flags |= _NO_LINK
        # Asked before as well: to open a device may do something.
        with suppress(FileNotFoundError):
            status = os.lstat(path) if writes else None
            if status and stat.S_ISLNK(status.st_mode):
                path, status = _own_target(path, status), None
            _require_regular(status or os.stat(path), path)  # noqa: PTH116 - may be any text
        descriptor = opened(path, flags | _OPENING, mode, patient=patient)
    except ValueError as error:
        # A NUL, or half a character.
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    try:
        status = os.fstat(descriptor)
        _require_regular(status, path)
        if writes:
            _require_own_name(status, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result, path: str | Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        code = errno.EISDIR
        raise IsADirectoryError(code, os.strerror(code), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(errno.EINVAL, "is not a regular file", str(path))


def _require_own_name(status: os.stat_result, path: str | Path) -> None:
    """Refuse a file with several names, one of which a stranger may have made.

    What lies in a folder that its owner alone may write got its names from that user: a
    copy made of links, for instance.

    Raises:
        PermissionError: it is such a file.
    """
    if sys.platform == "win32" or status.st_nlink <= 1:
        return
    folder = os.stat(os.path.dirname(os.path.realpath(path)))  # noqa: PTH116, PTH120
    trusted = folder.st_uid in {0, os.geteuid(), status.st_uid}
    if not trusted or folder.st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EPERM, "is a link of another user", str(path))


def _own_target(path: str | Path, link: os.stat_result) -> str:
    """Return where a link leads, if it is this user who made it.

    Raises:
        PermissionError: it is a link of another user, who may not decide what we write.
    """
    if _is_foreign(link):
        raise PermissionError(errno.EPERM, "is a link of another user", str(path))
    return os.path.realpath(path)


if sys.platform == "win32":

    def is_foreign_link(path: str | Path) -> bool:  # noqa: ARG001
        """Say whether a path is a link that another user has made."""
        # To make one there takes a right that users do not have.
        return False

    def _is_foreign(_link: os.stat_result) -> bool:
        return False

else:

    def is_foreign_link(path: str | Path) -> bool:
        """Say whether a path is a link that another user has made."""
        try:
            status = os.lstat(path)
        except OSError:
            return False
        return stat.S_ISLNK(status.st_mode) and _is_foreign(status)

    def _is_foreign(link: os.stat_result) -> bool:
        return link.st_uid not in {0, os.geteuid()}


def read_regular(path: str | Path, limit: int) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises:
        NotRegular: it is a pipe, a device or a socket.
        OSError: it is longer, or cannot be read.
    """
    descriptor = open_regular(path)
    try:
        return _content(descriptor, path, limit)
    finally:
        os.close(descriptor)


def read_with_time(path: str | Path, limit: int) -> tuple[bytes, float]:
    """Return the content of a regular file that is no link, and when it was written.

    The time is that of the file system, in seconds since 1970.

    Raises:
        OSError: as of :func:`read_regular`; or it is a link (POSIX).
    """
    descriptor = open_regular(path, os.O_RDONLY | _NO_LINK, patient=False)
    try:
        return _content(descriptor, path, limit), os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)


def _content(descriptor: int, path: str | Path, limit: int) -> bytes:
    # In blocks: to read takes the memory that was asked for, however short the file is.
    blocks, size = list[bytes](), 0
    while block := read_block(descriptor, min(_BLOCK, limit + 1 - size)):
        blocks.append(block)
        size += len(block)
        if size > limit:
            reason = f"is larger than {limit:,} bytes"
            raise OSError(errno.EFBIG, reason, str(path))
    return b"".join(blocks)


def reading(path: str | Path) -> BinaryIO:
    """Open a regular file to read it, as large as it may be.

    Raises:
        OSError: as of :func:`open_regular`. Reading raises it as well where the kernel
            presents something as a file that has nothing to say yet, and where another
            program keeps a part of it locked.
    """
    return io.BufferedReader(_PatientFile(open_regular(path), "rb"))


def appending(
    path: str | Path, mode: int = FILE_MODE, *, patient: bool = True
) -> BinaryIO:
    """Open a regular file, made where it is missing, to append to it and to read it.

    Nothing is buffered.

    Args:
        path: the file; a link of another user is not followed.
        mode: of a new file, before the umask takes from it.
        patient: as of :func:`open_regular`.

    Raises:
        OSError: as of :func:`open_regular`.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    return of_descriptor(open_regular(path, flags, mode, patient=patient), "a+b")


def changing(path: str | Path) -> BinaryIO:
    """Open a regular file that is there, to overwrite parts of it; not buffered.

    Raises:
        OSError: as of :func:`open_regular`.
    """
    return of_descriptor(open_regular(path, os.O_RDWR), "r+b")


def of_descriptor(descriptor: int, mode: str) -> BinaryIO:
    """Return the open file of a descriptor, which it closes; nothing is buffered.

    What it reads and writes has the patience of :func:`read_block`.
    """
    if sys.platform != "win32":
        # Scripts inherit some of these.
        os.set_blocking(descriptor, True)
    return cast("BinaryIO", _PatientFile(descriptor, mode))


class _PatientFile(io.FileIO):
    """An open file; reading raises where there is nothing yet, and writing writes all."""

    def readinto(self, buffer: WriteableBuffer) -> int:
        with memoryview(buffer).cast("B") as view:
            block = read_block(self.fileno(), len(view))
            view[: len(block)] = block
        return len(block)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return self.readall()
        return read_block(self.fileno(), size)

    def readall(self) -> bytes:
        return b"".join(iter(partial(read_block, self.fileno(), _BLOCK), b""))

    def write(self, data: ReadableBuffer) -> int:
        return write_all(self.fileno(), data)


def read_block(descriptor: int, size: int, *, patient: bool = True) -> bytes:
    """Return up to ``size`` bytes of an open file; none at its end.

    On Windows any program may lock a part of a file that another one has open.

    Args:
        descriptor: of the file.
        size: in bytes.
        patient: whether a part that is locked is waited for, 2.5 seconds.

    Raises:
        OSError: they cannot be read; a part that is locked is told by Windows' own words.
    """
    return _waiting(partial(os.read, descriptor, size), patient=patient)


def write_all(descriptor: int, data: ReadableBuffer, *, patient: bool = True) -> int:
    """Write all of ``data`` to an open file; return how many bytes that is.

    Args:
        descriptor: of the file.
        data: bytes.
        patient: as of :func:`read_block`.

    Raises:
        OSError: they cannot be written; a part of them may have been.
    """
    with memoryview(data).cast("B") as view:
        done = 0
        while done < len(view):
            write = partial(os.write, descriptor, view[done:])
            done += _waiting(write, patient=patient)
    return done


def _waiting(act: Callable[[], _Done], *, patient: bool) -> _Done:
    """Return what a call of the C runtime does, with patience for a file that is held."""

    def act_now() -> _Done:
        try:
            return act()
        except OSError as error:
            raise named(error) from None

    return patiently(act_now, passes=is_held) if patient else act_now()


def is_diverted(path: Path) -> bool:
    """Say whether a folder, or one above it, is a link that leads where a stranger wants.

    Who owns the folder in which a link lies may make one there: what is in it is that
    user's anyway.
    """
    # Asked three times for each script: texts take a tenth of the time of paths.
    place = str(path)
    while place:
        if is_foreign_link(place):
            above = os.path.dirname(place)  # noqa: PTH120
            with suppress(OSError):
                if os.lstat(place).st_uid == os.stat(above or ".").st_uid:  # noqa: PTH116
                    place = above
                    continue
            return True
        place = place.rpartition(os.sep)[0]
    return False


def make_folder(path: Path, mode: int = FOLDER_MODE) -> None:
    """Make a folder where it is missing, and those above it, all of the same mode.

    Raises:
        NotADirectoryError: something else has its name.
        OSError: it cannot be made, or it is reached by a link of another user.
    """
    if is_diverted(path):
        raise PermissionError(errno.EPERM, "is a link of another user", str(path))
    if is_folder(path):
        return
    # mkdir() would give the folders above the usual mode.
    if path.parent != path and not path.parent.exists():
        make_folder(path.parent, mode)
    try:
        path.mkdir(mode=mode, exist_ok=True)
    except FileExistsError:
        code = errno.ENOTDIR
        raise NotADirectoryError(code, os.strerror(code), str(path)) from None


def private_folder(path: Path) -> None:
    """Make a folder where it is missing, and those above it, for this user alone.

    Raises:
        OSError: it cannot be made.
    """
    make_folder(path, PRIVATE_FOLDER_MODE)


def private_file(path: Path) -> None:
    """Make an empty file where it is missing; never open one that is there.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(_new_file(path, PRIVATE_FILE_MODE))


def _new_file(path: Path, mode: int) -> int:
    """Make a file that is not there, nor as a link to nothing."""
    return opened(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _NO_LINK | _OPENING, mode)


@contextmanager
def replacing(
    target: Path, *, overwrite: bool = True, mode: int = FILE_MODE
) -> Iterator[BinaryIO]:
    """Yield a new file, which takes the place of ``target`` at the end.

    The block writes the file, which lies in the folder of ``target``, and may close it.
    A kill leaves ``target`` as it was or as it will be, and so does an error, which
    leaves no new file either. A link of this user stays one: what it leads to is
    replaced. One of another user is replaced itself. A file that is replaced keeps its
    mode (POSIX), except that others may not write. A pipe or a device cannot be
    replaced: it is written to.

    Args:
        target: the file, there or not.
        overwrite: whether a file that is there is replaced.
        mode: of the new file where none is replaced, before the umask takes from it.

    Raises:
        FileExistsError: ``target`` is there and must not be replaced.
        OSError: it cannot be replaced, or the block raised it.
    """
    if overwrite and not is_foreign_link(target):
        old = _mode(target)
        if old is not None and not stat.S_ISREG(old):
            with target.open("wb") as file:
                yield file
            return
        target = Path(os.path.realpath(target)) if target.is_symlink() else target
    else:
        old = None
    # Nobody can make this name before us. The suffix differs, so that a program which
    # looks for *.eml never picks up an unfinished file.
    new = target.with_name(f".{target.name[:40]}.{os.urandom(8).hex()}.new")
    # Nobody reads meanwhile what only the owner may read.
    descriptor = _new_file(new, PRIVATE_FILE_MODE if old is not None else mode)
    try:
        raw = _PatientFile(new, "w+b", opener=lambda *_: descriptor)
        with io.BufferedRandom(raw) as file:
            yield file
        if overwrite:
            if old is not None:
                set_mode(new, stat.S_IMODE(old) & ~_OTHERS_WRITE)
            replace(new, target)
        else:
            patiently(partial(move, new, target))
    except BaseException:
        with suppress(OSError):
            remove(new)
        raise


def put(target: Path, data: bytes, mode: int = FILE_MODE) -> None:
    """Write a file whole, in the place of whatever bears its name; no link is followed.

    For folders in which others may have put something.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    new = target.with_name(f".{target.name[:40]}.{os.urandom(8).hex()}.new")
    descriptor = _new_file(new, mode)
    try:
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        replace(new, target)
    except BaseException:
        with suppress(OSError):
            remove(new)
        raise


def set_mode(path: Path, mode: int) -> None:
    """Give a file its mode, on POSIX and where the file system knows modes."""
    if sys.platform != "win32":
        with suppress(OSError):
            path.chmod(mode)


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


if sys.platform == "win32":
    import ctypes

    def named(error: OSError) -> OSError:
        """Return an error of the C runtime with the number that Windows gave.

        The runtime makes one error of many: only the number tells whether waiting helps.
        To be called before anything else fails.
        """
        if not isinstance(error, PermissionError) or error.winerror is not None:
            return error
        number = _last_error().contents.value
        if number not in _HELD:
            return error
        reason = ctypes.FormatError(number).strip()
        return PermissionError(errno.EACCES, reason, error.filename, number)

    _last_error = ctypes.CDLL("ucrtbase")["__doserrno"]
    _last_error.restype = ctypes.POINTER(ctypes.c_ulong)

    def _unlink(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except PermissionError as error:
            _delete_read_only(os.unlink, path, error)

    def _delete_read_only(
        delete: Callable[[Path], object], path: Path, error: OSError
    ) -> None:
        """Delete what only its attribute protects, as on other systems."""
        if error.winerror != _DENIED:
            raise error
        path.chmod(stat.S_IWRITE)
        delete(path)

else:

    def named(error: OSError) -> OSError:
        """Return an error as it is: only Windows says more than errno does."""
        return error

    def _unlink(path: Path) -> None:
        path.unlink(missing_ok=True)

    def _delete_read_only(
        _delete: Callable[[Path], object], _path: Path, error: OSError
    ) -> None:
        raise error


def opened(path: str | Path, flags: int, mode: int, *, patient: bool = True) -> int:
    """Return a descriptor as ``os.open`` does, with patience; links are followed.

    Raises:
        OSError: it cannot be opened; one that is held is told by Windows' own words.
    """
    return _waiting(partial(os.open, path, flags, mode), patient=patient)


def is_held(error: OSError) -> bool:
    """Say whether another program has a file open in a way that keeps this one out.

    It may be closed soon. What is forbidden is no such case.
    """
    return getattr(error, "winerror", None) in _HELD or error.errno in _BUSY


def _is_refused(error: OSError) -> bool:
    # A rename onto an open file is answered like one that is forbidden.
    return isinstance(error, PermissionError) or is_held(error)


def patiently(
    act: Callable[[], _Done],
    sleep: Callable[[float], None] = time.sleep,
    *,
    passes: Callable[[OSError], bool] = _is_refused,
) -> _Done:
    """Return what ``act`` does; try again while it is refused, for 2.5 seconds.

    Windows, and a share that lies on one, refuse much while another program has a file
    open. All that opens, writes, renames and deletes files has this patience.

    Args:
        act: what to do; it is done from its start each time.
        sleep: pauses between two attempts, for a number of seconds.
        passes: whether an error may be gone soon; by default as for renames.

    Raises:
        OSError: it stayed refused, or another error at the first attempt that met it.
    """
    for pause in _PATIENCE:
        try:
            return act()
        except OSError as error:
            if not passes(error):
                raise
        sleep(pause)
    return act()


def remove(path: Path) -> None:
    """Delete a file, also one that is read-only; it may be gone already.

    Raises:
        OSError: it stays, after some patience where another program has it open.
    """
    patiently(partial(_unlink, path), passes=is_held)


def remove_all(
    paths: Iterable[Path], sleep: Callable[[float], None] = time.sleep
) -> dict[Path, OSError]:
    """Delete files and folders; return those that stay, each with the reason.

    A folder goes with what is in it, and no link is followed. What other programs have
    open is waited for once, whatever their number.
    """
    left = list(paths)
    refused: dict[Path, OSError] = {}

    def remove_left() -> None:
        refused.clear()
        for path in left:
            try:
                _remove(path)
            except OSError as error:
                refused[path] = error
        left[:] = refused
        if held := next(filter(is_held, refused.values()), None):
            raise held

    with suppress(OSError):
        patiently(remove_left, sleep, passes=is_held)
    return refused


def _remove(path: Path) -> None:
    """Delete a file or a folder now."""
    if path.is_symlink() or not is_folder(path):
        _unlink(path)
        return
    import shutil  # noqa: PLC0415 - most commands remove no folder

    errors: list[OSError] = []

    def go_on(delete: Callable[[Path], object], name: str, error: object) -> None:
        found = error[1] if isinstance(error, tuple) else error
        if not isinstance(found, OSError):
            return
        try:
            if delete not in {os.unlink, os.rmdir}:
                raise found
            _delete_read_only(delete, Path(name), found)
        except FileNotFoundError:
            pass
        except OSError as refusal:
            errors.append(refusal)

    if sys.version_info >= (3, 12):
        shutil.rmtree(path, onexc=go_on)
    else:
        shutil.rmtree(path, onerror=go_on)
    if errors and os.path.lexists(path):
        raise errors[0]
