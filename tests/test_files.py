"""Files are replaced whole, and with patience where Windows asks for it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from python_runner import files


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
