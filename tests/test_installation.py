"""Commands that a person copies from a message into a shell."""

from __future__ import annotations

import pytest

from python_runner.installation import quoted_inside


pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("path", "word"),
    [
        (r"C:\e\python.exe", r"C:\e\python.exe"),
        (
            r"C:\Program Files\Python\python.exe",
            r'C:\"Program Files"\Python\python.exe',
        ),
        (r"C:\Apps (x86)\python.exe", r'C:\"Apps (x86)"\python.exe'),
        (r"\\server\my share\p.exe", r'\\server\"my share"\p.exe'),
    ],
)
def test_a_program_of_windows_does_not_begin_with_a_quote(path: str, word: str) -> None:
    """PowerShell would print it as a text; cmd takes quotes anywhere."""
    assert quoted_inside(path) == word
