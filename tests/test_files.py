"""Files are replaced whole, and with patience where Windows asks for it."""

from __future__ import annotations

import errno
import genericpath
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import pytest

from python_runner import files


if TYPE_CHECKING:
    from collections.abc import Callable


def test_replace_waits_for_a_busy_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that Windows says is in use is replaced as soon as it is free."""
    (tmp_path / "new").write_text("new", encoding="utf-8")
    refusals = [refused(32), refused(5), refused(33)]
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if refusals:
            raise refusals.pop()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    files.replace(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text(encoding="utf-8") == "new"


def test_replace_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience has an end, and there is none for other errors."""
    monkeypatch.setattr(files, "_PATIENCE", (0.0, 0.0))
    with pytest.raises(FileNotFoundError):
        files.replace(tmp_path / "none", tmp_path / "old")
    calls = []

    def replace(*_: object) -> None:
        calls.append(1)
        raise refused(32)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(PermissionError):
        files.replace(tmp_path / "new", tmp_path / "old")
    assert len(calls) == 3


@pytest.mark.parametrize("number", [errno.EBUSY, errno.ETXTBSY])
@pytest.mark.parametrize("refusals", [0, 1, 3, 4])
@pytest.mark.parametrize(
    "use",
    [
        lambda path: files.read_regular(path, 10),
        lambda path: files.reading(path).close(),
        lambda path: files.appending(path).close(),
        lambda path: files.changing(path).close(),
        lambda path: os.close(files.open_regular(path)),
        lambda path: files.private_file(path.with_name("new")),
        files.remove,
        lambda path: raise_all(files.remove_all([path])),
        lambda path: raise_all(files.remove_all([path.parent])),
    ],
    ids=str.split("read reading appending changing open new remove file folder"),
)
def test_whatever_is_held_is_waited_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[Path], object],
    refusals: int,
    number: int,
) -> None:
    """To read, to write and to delete: one patience for all, and no more of it."""
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.touch()
    monkeypatch.setattr(files, "_PATIENCE", (0.0,) * 3)
    left = [refusals]
    for name in ("open", "unlink"):
        real = getattr(os, name)

        def refuse(path: Any, *args: Any, real: Any = real, **how: Any) -> Any:
            if left[0] and str(path).endswith(("file", "new")):
                left[0] -= 1
                raise OSError(number, "held", str(path))
            return real(path, *args, **how)

        monkeypatch.setattr(os, name, refuse)
    if refusals > 3:
        with pytest.raises(OSError, match="held"):
            use(path)
    else:
        use(path)
    assert left == [0]


def raise_all(refused: dict[Path, OSError]) -> None:
    """Raise the first of the errors."""
    for error in refused.values():
        raise error


def test_what_is_forbidden_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only file costs no run 2.5 seconds a line."""
    calls = []

    def refuse(*args: object) -> NoReturn:
        calls.append(args)
        raise PermissionError(errno.EACCES, "forbidden")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        files.appending(tmp_path / "file")
    assert len(calls) == 1


def test_many_held_files_are_waited_for_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes is gone, and the rest is told, each with its reason."""
    pauses: list[float] = []
    paths = [tmp_path / name for name in "abcdef"]
    for path in paths:
        path.touch()
    real = os.unlink

    def refuse(path: Path, **how: Any) -> None:
        if Path(path).name in "bd":
            raise OSError(errno.EBUSY, "held", str(path))
        real(path, **how)

    monkeypatch.setattr(os, "unlink", refuse)
    refused = files.remove_all(paths, pauses.append)
    assert list(refused) == [tmp_path / "b", tmp_path / "d"]
    assert sorted(tmp_path.iterdir()) == list(refused)
    assert sum(pauses) == pytest.approx(2.5)


def test_moving_leaves_nothing_behind_when_it_fails(tmp_path: Path) -> None:
    """A rename that cannot be done takes no name."""
    with pytest.raises(FileNotFoundError):
        files.move(tmp_path / "missing", tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """The old content is there until the new file is complete."""
    target = tmp_path / "page.html"
    for content in ("old", "new"):
        with files.replacing(target) as new:
            new.write(content.encode())
            assert Path(new.name).suffix != target.suffix
            assert not target.exists() or target.read_text(encoding="utf-8") == "old"
    assert target.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    """Half a file takes nobody's place, and does not stay either."""
    target = tmp_path / "page.html"
    target.write_text("old", encoding="utf-8")

    def fail() -> None:
        with files.replacing(target) as new:
            new.write(b"ne")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_must_stay_is_not_replaced(tmp_path: Path) -> None:
    """Who asks for it never overwrites what somebody made in between."""
    target = tmp_path / "copy"

    def make() -> None:
        with files.replacing(target, overwrite=False) as new:
            new.write(b"new")
            target.write_text("theirs", encoding="utf-8")

    with pytest.raises(FileExistsError):
        make()
    assert target.read_text(encoding="utf-8") == "theirs"
    assert list(tmp_path.iterdir()) == [target]


def refused(winerror: int) -> OSError:
    """Return what Windows answers while a file is in use."""
    error = PermissionError(13, "in use", "file", winerror)
    if sys.platform != "win32":
        vars(error)["winerror"] = winerror
    return error


@pytest.mark.not_wine
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is replaced, there already or not."""
    for name in ("old", "missing"):
        target, link = tmp_path / "real" / name, tmp_path / f"link-{name}"
        target.parent.mkdir(exist_ok=True)
        try:
            link.symlink_to(target)
        except OSError:
            pytest.skip("this user may make no links here")
        if name == "old":
            target.write_text("old", encoding="utf-8")

        with files.replacing(link) as new:
            new.write(b"new")

        assert link.is_symlink()
        assert target.read_text(encoding="utf-8") == "new"
    assert len(list((tmp_path / "real").iterdir())) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400, 0o666])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """What was private stays private, at every moment; others may write nothing."""
    target = tmp_path / "page.html"
    target.write_text("old", encoding="utf-8")
    target.chmod(mode)

    with files.replacing(target) as new:
        new.write(b"new")
        assert stat.S_IMODE(os.fstat(new.fileno()).st_mode) == 0o600

    assert stat.S_IMODE(target.stat().st_mode) == mode & ~0o022


if sys.platform != "win32":

    def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
        """A pipe, a device, and what the shell makes of ``>(...)`` stay what they are."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        reading, writing = os.pipe()
        try:
            for target in (pipe, Path(f"/dev/fd/{writing}"), Path("/dev/null")):
                with files.replacing(target) as new:
                    assert Path(new.name) == target
                    new.write(b"all")
            assert os.read(reader, 10) == b"all"
            assert os.read(reading, 10) == b"all"
        finally:
            for descriptor in (reader, reading, writing):
                os.close(descriptor)
        assert pipe.is_fifo()
        assert list(tmp_path.iterdir()) == [pipe]
        with pytest.raises(IsADirectoryError), files.replacing(tmp_path) as new:
            new.write(b"all")


# --- questions about paths ---

#: What a system may answer instead of what is at a path.
REFUSALS = [
    errno.EACCES,
    errno.EIO,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EPERM,
    errno.ETIMEDOUT,
    *([errno.ESTALE] if hasattr(errno, "ESTALE") else []),
]


@pytest.fixture(params=REFUSALS, ids=lambda number: errno.errorcode[number])
def refusing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the system refuse every look at a path; return its words."""
    number: int = request.param

    def refuse(path: object, *_args: object, **_options: object) -> NoReturn:
        raise OSError(number, os.strerror(number), path)

    for name in ("stat", "lstat", "readlink"):
        monkeypatch.setattr(os, name, refuse)
    for name in ("isfile", "isdir", "exists"):
        # Newer Pythons ask Windows without them, and answer False as well.
        monkeypatch.setattr(os.path, name, getattr(genericpath, name))
    return os.strerror(number)


def test_a_path_that_cannot_be_looked_at_is_told(refusing: str) -> None:
    """Whatever the error number: an answer, and the reason."""
    for ask in (files.is_file, files.is_folder, files.exists):
        assert ask("/any/path") is False
    assert files.why_unseen("/any/path") == refusing


@pytest.mark.parametrize(
    "path", ["n" * 300, "with\0nothing", "half \ud800", "file/below"], ids=ascii
)
def test_a_path_that_can_be_none_is_told(path: str, in_folder: Path) -> None:
    """Texts that no file can be called are answered like any other."""
    (in_folder / "file").touch()
    assert not files.is_file(path)
    assert not files.is_folder(path)
    assert not files.exists(path)
    files.why_unseen(path)
    assert files.real_folder(path)


def test_what_is_there_or_not_is_seen(in_folder: Path) -> None:
    """No reason is given where the system answers."""
    (in_folder / "file").touch()
    assert files.why_unseen("file") is None
    assert files.why_unseen("nothing") is None
    assert files.why_unseen("file/below") is None
    assert files.is_file("file")
    assert files.is_folder(in_folder)
    assert files.exists("file")


@pytest.mark.parametrize("error", [OSError(1231, "away"), ValueError("null")])
def test_a_path_that_leads_nowhere_is_compared_as_written(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A share that is away, or anything else that Windows does not forgive."""

    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise error

    monkeypatch.setattr(os.path, "realpath", refuse)
    written = os.path.join(tmp_path, "x", "..", "p")  # noqa: PTH118 - as written
    assert files.real_folder(written) == os.path.normcase(tmp_path / "p")


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="keeps its current folder")
def test_a_current_folder_that_has_gone_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absolute paths are what they were; nothing is at a relative one."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert files.absolute(tmp_path / "x" / "..") == tmp_path
    assert files.absolute("p") == Path("p")
    assert not files.exists(files.current_folder() / "p")
    assert files.real_folder("p") == "p"
    assert files.real_folder(tmp_path) == os.path.realpath(tmp_path)


@pytest.mark.parametrize(
    ("path", "usual"),
    [
        (r"\\?\C:\p", r"C:\p"),
        ("//?/C:/p", r"C:\p"),
        (r"\\?\UNC\server\share\p", r"\\server\share\p"),
        (r"\\?\unc\server\share", r"\\server\share"),
        (r"\\?\Volume{b75e2c83-0000-0000-0000-602f00000000}\p",) * 2,
        (r"\\server\share",) * 2,
        (r"C:\p",) * 2,
        ("C:/p",) * 2,
        (r"\\.\COM1",) * 2,
        ("",) * 2,
    ],
)
def test_the_form_of_a_long_path_of_windows(path: str, usual: str) -> None:
    """A folder is the same one with and without the mark of long paths."""
    assert files.usual_form(path) == usual


# --- what others may have put there ---

if sys.platform != "win32":
    from tests.support import make_special

    needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives away")
    #: A user who is neither this one nor root.
    STRANGER = 65534

    @pytest.mark.posix
    @pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "device"])
    @pytest.mark.parametrize(
        "use",
        [
            lambda path: files.read_regular(path, 10),
            files.reading,
            files.appending,
            files.changing,
        ],
    )
    def test_what_is_no_regular_file_is_refused_at_once(
        tmp_path: Path, kind: str, use: Callable[[Path], object]
    ) -> None:
        """Nobody waits for a pipe, fills the memory from a device, or changes one."""
        make_special(tmp_path / "it", kind)
        with pytest.raises(OSError, match=r"regular|directory"):
            use(tmp_path / "it")

    @pytest.mark.posix
    @pytest.mark.parametrize(
        ("read", "size"), [("read", -1), ("read", 100), ("readline", -1)]
    )
    def test_reading_never_waits(
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        read: str,
        size: int,
    ) -> None:
        """What the kernel presents as a file may have nothing to say yet."""
        silent, end = os.pipe()
        os.set_blocking(silent, False)
        monkeypatch.setattr(files, "open_regular", lambda _path: silent)
        try:
            with (
                files.reading(tmp_path) as file,
                pytest.raises(OSError, match="temporarily unavailable"),
            ):
                getattr(file, read)(size)
        finally:
            os.close(end)

    @needs_root
    @pytest.mark.posix
    @pytest.mark.parametrize("there", [True, False])
    @pytest.mark.parametrize("use", [files.appending, files.changing])
    def test_a_foreign_link_is_not_written_through(
        tmp_path: Path, use: Callable[[Path], object], there: bool
    ) -> None:
        """Whoever plants one in a shared folder changes none of our files."""
        precious, link = tmp_path / "precious", tmp_path / "link"
        if there:
            precious.write_text("ours", encoding="utf-8")
        link.symlink_to(precious)
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        with pytest.raises(PermissionError, match="link of another user"):
            use(link)
        assert precious.exists() == there

    @needs_root
    @pytest.mark.posix
    @pytest.mark.fault(
        "files",
        "Another user plants a second name of somebody's file where we write",
        "That file is left as it is, and the report says so.",
    )
    @pytest.mark.parametrize(
        ("owner", "mode", "refused"),
        [
            (STRANGER, 0o755, True),
            (0, 0o777, True),
            (0, 0o1777, True),
            # Nobody else can have made it: a copy of ours made of links.
            (0, 0o755, False),
        ],
    )
    @pytest.mark.parametrize("use", [files.appending, files.changing])
    def test_a_planted_hard_link_is_not_written_to(
        tmp_path: Path,
        use: Callable[[Path], BinaryIO],
        owner: int,
        mode: int,
        refused: bool,
    ) -> None:
        """Whoever may add a name to a shared folder changes none of our files."""
        precious, shared = tmp_path / "precious", tmp_path / "shared"
        precious.write_text("ours", encoding="utf-8")
        shared.mkdir()
        os.link(precious, shared / "p.log")
        shared.chmod(mode)
        os.chown(shared, owner, owner)
        if refused:
            with pytest.raises(PermissionError, match="link of another user"):
                use(shared / "p.log")
        else:
            use(shared / "p.log").close()

    @needs_root
    @pytest.mark.posix
    @pytest.mark.parametrize("below", ["", "runs", "runs/today"])
    def test_no_folder_is_made_behind_a_foreign_link(
        tmp_path: Path, below: str
    ) -> None:
        """Whoever may add a link to a folder does not say where our files come to lie."""
        (tmp_path / "elsewhere").mkdir()
        link = tmp_path / "logs"
        link.symlink_to(tmp_path / "elsewhere")
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        with pytest.raises(PermissionError, match="link of another user"):
            files.make_folder(link / below)
        assert not files.may_write_in(link / below)
        assert not list((tmp_path / "elsewhere").iterdir())

        # In a folder of its own it is as good as the folder.
        os.chown(tmp_path, STRANGER, STRANGER)
        files.make_folder(link / below)
        assert (tmp_path / "elsewhere" / below).is_dir()

    @needs_root
    @pytest.mark.posix
    def test_a_foreign_link_is_replaced_itself(tmp_path: Path) -> None:
        """What it leads to stays as it was; a page takes the place of the link."""
        precious, link = tmp_path / "precious", tmp_path / "page.html"
        precious.write_text("ours", encoding="utf-8")
        link.symlink_to(precious)
        os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
        with files.replacing(link) as new:
            new.write(b"page")
        assert precious.read_text(encoding="utf-8") == "ours"
        assert not link.is_symlink()
        assert link.read_text(encoding="utf-8") == "page"

    @pytest.mark.posix
    def test_an_own_link_is_followed(tmp_path: Path) -> None:
        """Logs that lie on another disk are where this user put them."""
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with files.appending(tmp_path / "link") as file:
            file.write(b"line\n")
        assert (tmp_path / "real").read_bytes() == b"line\n"


@pytest.mark.parametrize(("size", "fits"), [(0, True), (10, True), (11, False)])
def test_a_file_is_read_up_to_its_limit(tmp_path: Path, size: int, fits: bool) -> None:
    """What is larger is an error, and not half a file."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    if fits:
        assert files.read_regular(path, 10) == b"x" * size
    else:
        with pytest.raises(OSError, match="larger than 10 bytes"):
            files.read_regular(path, 10)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "x" * 300, "none"], ids=ascii)
def test_a_path_that_cannot_be_opened_is_an_error_of_the_system(
    tmp_path: Path, name: str
) -> None:
    """Whatever the text, it is the kind of error that everybody expects."""
    with pytest.raises(OSError, match=r"."):
        files.read_regular(tmp_path / name, 10)


def test_the_name_of_a_new_file_cannot_be_known_before(tmp_path: Path) -> None:
    """Nobody puts a link where the next unfinished file will be."""
    names = set()
    for _ in range(3):
        with files.replacing(tmp_path / "page.html") as new:
            names.add(new.name)
    assert len(names) == 3
