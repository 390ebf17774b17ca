from __future__ import annotations

import pytest

from python_runner.model.script_names import display_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.py", "sub/b.py"], ("a.py", "b.py")),
        (["a/main.py", "b/main.py", "c.py"], ("a/main.py", "b/main.py", "c.py")),
        (["a\\main.py", "b\\main.py"], ("a/main.py", "b/main.py")),
        (["C:\\x\\load.py"], ("load.py",)),
        (["a.py", "a.py"], ("a.py (1)", "a.py (2)")),
        ([], ()),
    ],
)
def test_names_are_unique_and_short(paths: list[str], names: tuple[str, ...]) -> None:
    """A script is its file name, its path where two share it, numbered where equal."""
    assert display_names(paths) == names
