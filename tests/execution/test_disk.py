"""Space of a file that goes back to the disk while a program appends to it."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.execution import disk


if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 2**20
CONTENT = bytes(range(1, 256)) * (8 * MEGABYTE // 255)


def punched(path: Path) -> bool:
    """Punch a hole into the middle of a file, and append to it; say whether it worked."""
    path.write_bytes(CONTENT)
    with path.open("r+b", buffering=0) as file:
        done = disk.punch_hole(file.fileno(), MEGABYTE, 7 * MEGABYTE)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
    return done


def on_disk(path: Path) -> int:
    """Return the bytes that a file takes of its disk."""
    if sys.platform != "win32":
        return path.stat().st_blocks * 512
    size = ctypes.WinDLL("kernel32").GetCompressedFileSizeW
    size.restype = ctypes.c_uint32
    high = ctypes.c_uint32()
    low = size(ctypes.c_wchar_p(str(path)), ctypes.byref(high))
    return int(high.value << 32 | low)


@pytest.mark.not_wine
@pytest.mark.skipif(sys.platform == "darwin", reason="Linux and Windows punch holes")
def test_a_hole_takes_no_space_and_moves_nothing(tmp_path: Path) -> None:
    """The file keeps its size and what is beside the hole; the hole reads as zeros."""
    assert punched(tmp_path / "file")
    content = (tmp_path / "file").read_bytes()
    assert content[:MEGABYTE] == CONTENT[:MEGABYTE]
    assert not any(content[MEGABYTE : 7 * MEGABYTE])
    assert content[7 * MEGABYTE :] == CONTENT[7 * MEGABYTE :] + b"end"
    assert on_disk(tmp_path / "file") < 3 * MEGABYTE


def test_a_file_without_holes_is_as_it_was(tmp_path: Path) -> None:
    """Where a file system refuses (wine does), nothing of the file is lost."""
    done = punched(tmp_path / "file")
    assert done or (tmp_path / "file").read_bytes() == CONTENT + b"end"


def control_code(function: int, access: int) -> int:
    """Return the ``CTL_CODE`` of a file system's function, its data in buffers."""
    file_system, buffered = 9, 0
    return file_system << 16 | access << 14 | function << 2 | buffered


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="Windows only")
def test_windows_is_asked_as_it_wants_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First to make the file sparse, then with a range of two 64 bit numbers."""
    if sys.platform != "win32":
        pytest.skip("Windows only")
    import msvcrt  # noqa: PLC0415 - Windows only

    asked: list[tuple[int, int, bytes]] = []

    class Kernel:
        """What takes the place of the system."""

        @staticmethod
        def DeviceIoControl(  # noqa: N802 - its name
            file: int, code: int, data: Any, size: int, *_rest: object
        ) -> int:
            """Note what was asked, as bytes in memory."""
            address = ctypes.cast(data, ctypes.c_void_p).value if data else None
            given = ctypes.string_at(address, size) if address else b""
            asked.append((file, code, given))
            return 1

    monkeypatch.setattr(disk, "_kernel32", Kernel)
    with (tmp_path / "file").open("wb") as file:
        handle = msvcrt.get_osfhandle(file.fileno())
        assert disk.punch_hole(file.fileno(), 2**33 + 5, 2**33 + 9)

    wanted = (2**33 + 5).to_bytes(8, "little") + (2**33 + 9).to_bytes(8, "little")
    may_write = 2
    assert asked == [
        (handle, control_code(49, 0), b""),
        (handle, control_code(50, may_write), wanted),
    ]
