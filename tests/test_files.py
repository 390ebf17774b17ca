"""Files are replaced whole, and with patience where Windows asks for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner import files


if TYPE_CHECKING:
    from pathlib import Path


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


def refused(winerror: int) -> OSError:
    """Return what Windows answers while a file is in use."""
    error = PermissionError(13, "in use", "file", winerror)
    if sys.platform != "win32":
        vars(error)["winerror"] = winerror
    return error
