"""Which imports of a source are to be found, and how sure they are."""

from __future__ import annotations

import pytest

from python_runner.doctor.imports import imports_of
from python_runner.hints.packages import package_of


pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a", {"a": True}),
        ("import a.b as c, d", {"a.b": True, "d": True}),
        ("from a.b import c", {"a.b": True}),
        ("from a import *", {"a": True}),
        ("from __future__ import annotations", {"__future__": True}),
        ("def f():\n    import a", {"a": False}),
        ("async def f():\n    import a", {"a": False}),
        ("class A:\n    import a", {"a": True}),
        ("class A:\n    def f(self):\n        import a", {"a": False}),
        ("with open('x') as f:\n    import a", {"a": True}),
        ("for x in y:\n    import a", {"a": False}),
        ("while x:\n    import a\nelse:\n    import b", {"a": False, "b": False}),
        ("if x:\n    import a\nelse:\n    import b", {"a": False, "b": False}),
        ("match x:\n    case 1:\n        import a", {"a": False}),
        ("if __name__ == '__main__':\n    import a", {"a": True}),
        # What a script can do without, or what another system or version has.
        ("try:\n    import a\nexcept ImportError:\n    a = None", {}),
        ("try:\n    import a\nexcept ModuleNotFoundError:\n    import b", {}),
        ("try:\n    import a\nexcept (KeyError, ImportError):\n    pass", {}),
        ("try:\n    import a\nexcept builtins.ImportError:\n    pass", {}),
        ("try:\n    import a\nexcept Exception:\n    pass", {}),
        ("try:\n    import a\nexcept:\n    pass", {}),
        ("try:\n    import a\nexcept ImportError:\n    b\nelse:\n    import c", {}),
        ("try:\n    x\nexcept* ImportError:\n    import a", {}),
        ("with suppress(ImportError):\n    import a", {}),
        ("with contextlib.suppress(ImportError):\n    import a", {}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b": True}),
        ("if typing.TYPE_CHECKING:\n    import a", {}),
        ("if sys.platform == 'win32':\n    import winreg", {}),
        ("if os.name == 'nt':\n    import msvcrt", {}),
        ("if sys.version_info >= (3, 11):\n    import a\nelse:\n    import b", {}),
        ("if find_spec('a'):\n    import a", {}),
        (
            "try:\n    import a\nexcept ImportError:\n    a = None\nif a:\n    import b",
            {},
        ),
        (
            "try:\n    HAS = True\nexcept ImportError:\n    b\nif not HAS:\n    import c",
            {},
        ),
        ("W = platform.system() == 'Windows'\nif W:\n    import a", {}),
        ("W = args.name\nif W:\n    import a", {"a": False}),
        # Who cannot go on without it says so, and ends.
        ("try:\n    import a\nexcept ImportError:\n    sys.exit(1)", {"a": True}),
        ("try:\n    import a\nexcept ImportError:\n    b\n    raise", {"a": True}),
        (
            "try:\n    import a\nexcept ImportError as e:\n    raise SystemExit(2) from e",
            {"a": True},
        ),
        ("try:\n    import a\nexcept Exception:\n    os._exit(1)", {"a": True}),
        # What is tried for another reason must be there.
        ("try:\n    a\nexcept OSError:\n    b\nelse:\n    import c", {"c": False}),
        ("try:\n    import a\nexcept OSError:\n    import b", {"a": True, "b": False}),
        ("try:\n    import a\nfinally:\n    import b", {"a": True, "b": True}),
        ("with suppress(KeyError):\n    import a", {"a": True}),
        ("x = 'import a'  # import b", {}),
        ("not python at all", {}),
        ("import a\0", {}),
    ],
)
def test_what_a_source_cannot_do_without(
    source: str, expected: dict[str, bool]
) -> None:
    """An import is certain, may be made, or is one that the source can do without."""
    found = imports_of(source.encode()).found
    assert {one.module: one.certain for one in found} == expected


def test_a_relative_import_says_how_far_up_it_looks() -> None:
    """It never names a package that could be installed."""
    found = imports_of(b"from . import a\nfrom ..b.c import d\n").found
    assert [(one.module, one.names, one.level) for one in found] == [
        ("", ("a",), 1),
        ("b.c", ("d",), 2),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nsys.path.insert(0, 'lib')",
        "from sys import path\npath.append('lib')",
        "import site\nsite.addsitedir('lib')",
        "def f():\n    sys.path += ['lib']",
    ],
)
def test_where_modules_are_looked_for_may_be_changed(source: str) -> None:
    """Then nobody knows before the source runs what it finds."""
    assert imports_of(source.encode()).changes_path
    assert not imports_of(b"import os\nos.path.join('a', 'b')\n").changes_path


def test_an_encoding_of_its_own_is_read() -> None:
    """A source in Latin-1 that says so is as good as any other."""
    found = imports_of("# coding: latin-1\nimport é".encode("latin-1")).found
    assert [one.module for one in found] == ["é"]


@pytest.mark.parametrize(
    ("module", "package"),
    [("yaml", "PyYAML"), ("cv2.data", "opencv-python"), ("pandas", "pandas")],
)
def test_what_to_install_has_its_own_name(module: str, package: str) -> None:
    """Where the name of a package is known to differ, it is the one to install."""
    assert package_of(module) == package
