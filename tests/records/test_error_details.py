"""The files that hold the details of what nobody foresaw."""

from __future__ import annotations

import os
import stat
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.records import error_details
from python_runner.records.error_details import keep_details
from tests.support import NOW


if TYPE_CHECKING:
    from pathlib import Path


def test_a_day_has_one_file_for_its_owner_alone(tmp_path: Path) -> None:
    """What is told again is not written again."""
    first = keep_details(tmp_path / "home", "one \ud800", NOW)
    later = NOW + timedelta(hours=1)
    assert keep_details(tmp_path / "home", "two", later) == first
    assert keep_details(tmp_path / "home", "one \ud800", later) == first
    assert first.name == "2026-11-23.txt"
    text = first.read_text(encoding="utf-8")
    assert (text.count("one"), text.count("two"), text.count("---")) == (1, 1, 4)
    if sys.platform != "win32":
        assert stat.S_IMODE(first.stat().st_mode) == 0o600


@pytest.mark.fault(
    "machine",
    "Unforeseen errors happen day after day",
    "Their files keep to 1 MB each and to ten files.",
)
def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full file takes nothing more, and the oldest days go; nothing else does."""
    monkeypatch.setattr(error_details, "_MOST_BYTES", 100)
    other = tmp_path / "errors" / "notes.txt"
    for day in range(30):
        keep_details(tmp_path, "x" * 80, NOW + timedelta(days=day))
        other.touch()
    with pytest.raises(OSError, match=r"2026-12-22.txt"):
        keep_details(tmp_path, "y" * 80, NOW + timedelta(days=29))
    days = sorted(p.name for p in (tmp_path / "errors").iterdir() if p != other)
    assert len(days) == error_details._MOST_FILES  # noqa: SLF001
    assert days[-1] == "2026-12-22.txt"
    assert other.exists()
    # A clock that was ahead deletes nothing of today.
    assert keep_details(tmp_path, "z", NOW).exists()


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "file"])
def test_nothing_is_written_elsewhere(tmp_path: Path, kind: str) -> None:
    """What somebody put there is neither followed nor waited for."""
    (tmp_path / "errors").mkdir()
    target = tmp_path / "errors" / "2026-11-23.txt"
    if kind == "link":
        target.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe" and sys.platform != "win32":
        os.mkfifo(target)
    elif kind == "folder":
        target.mkdir()
    else:
        (tmp_path / "errors").rmdir()
        (tmp_path / "errors").touch()
    with pytest.raises(OSError, match=r"."):
        keep_details(tmp_path, "details", NOW)
    assert not (tmp_path / "elsewhere").exists()
