"""Hints about what only Windows does: a file that another program has open."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.hints.raised import Raised
from tests.hints.test_raised import WORDS, attempt_of


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.windows,
    pytest.mark.skipif(sys.platform != "win32", reason="needs Windows"),
]

#: Opens a file as Excel does: nobody else may open or delete it meanwhile.
HELD = """
import ctypes, os
make = ctypes.windll.kernel32.CreateFileW
make.restype = ctypes.c_void_p
assert make(os.path.abspath("sales.xlsx"), 0xC0000000, 0, None, 2, 128, None)
"""


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("open(os.path.abspath('sales.xlsx'), 'w')", "office-file-open"),
        ("os.remove('sales.xlsx')", "file-open"),
        ("os.rename('sales.xlsx', 'old.xlsx')", "file-open"),
        ("open('Q:/exports/sales.csv')", "drive"),
    ],
)
def test_a_real_refusal_of_windows(action: str, name: str, tmp_path: Path) -> None:
    """The error of the C library and that of Windows lead to their hints."""
    attempt = attempt_of(Raised(HELD + action), tmp_path)
    assert attempt.hint is not None
    assert attempt.hint.template == WORDS[name]
