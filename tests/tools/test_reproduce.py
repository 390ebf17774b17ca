"""Two builds of one source are the same bytes; where they differ it is said in what."""

from __future__ import annotations

import tarfile
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
import time_machine

from tools.reproduce import NotTheSame, compare


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.source

hatch_build = pytest.importorskip("hatch_build", reason="needs hatchling")


def wheel(path: Path, files: dict[str, bytes], day: int = 1, mode: int = 0o644) -> Path:
    """Return an archive of such files."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, day, 0, 0, 0))
            entry.external_attr = mode << 16
            archive.writestr(entry, data)
    return path


def sdist(path: Path, files: dict[str, bytes], modified: int = 1) -> Path:
    """Return another kind of archive of such files."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(data), modified
            archive.addfile(entry, BytesIO(data))
    return path


FILES = {"a.py": b"1", "b.mo": b"2"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"files": {"a.py": b"1", "b.mo": b"3"}}, "b.mo"),
        ({"files": {"a.py": b"1"}}, "b.mo"),
        ({"files": FILES, "day": 2}, "a.py, b.mo"),
        ({"files": FILES, "mode": 0o600}, "a.py, b.mo"),
        ({"files": dict(reversed(FILES.items()))}, "the order or the archive itself"),
    ],
)
def test_what_differs_in_a_wheel_is_named(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """Content, names, times, permissions, order."""
    one = wheel(tmp_path / "one/x.whl", FILES)
    other = wheel(tmp_path / "other/x.whl", **change)  # type: ignore[arg-type]

    with pytest.raises(NotTheSame, match=f"built elsewhere: {said}$"):
        compare(one, other, "built elsewhere")


def test_what_differs_in_an_sdist_is_named(tmp_path: Path) -> None:
    """Its times among it."""
    one = sdist(tmp_path / "one/x.tar.gz", FILES)

    with pytest.raises(NotTheSame, match=r"a\.py, b\.mo"):
        compare(one, sdist(tmp_path / "two/x.tar.gz", FILES, modified=2), "again")
    with pytest.raises(NotTheSame, match="is called"):
        compare(one, sdist(tmp_path / "two/y.tar.gz", FILES), "again")


def test_the_same_archive_is_the_same(tmp_path: Path) -> None:
    """Nothing is raised."""
    compare(wheel(tmp_path / "1/x", FILES), wheel(tmp_path / "2/x", FILES), "again")


@pytest.mark.parametrize(
    "source",
    sorted(hatch_build.LOCALE.glob("*/LC_MESSAGES/*.po")),
    ids=lambda path: path.stem,
)
def test_a_compiled_catalogue_does_not_tell_when_it_was_made(source: Path) -> None:
    """Whenever it is made it is the same."""
    with time_machine.travel("2026-01-01 00:00 +0000"):
        early = hatch_build.compiled(source)
    with time_machine.travel("2036-06-01 12:00 +0900"):
        late = hatch_build.compiled(source)

    assert early == late
    assert b"Plural-Forms" in early
