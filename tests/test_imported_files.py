"""Which files of a project a script is made of; nothing of it is executed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from python_runner import imported_files
from python_runner.files import read_regular
from python_runner.imported_files import Sources, digest_of
from python_runner.model.provenance import ScriptProvenance


def put(folder: Path, sources: dict[str, str]) -> Path:
    """Write a project; return its folder."""
    for name, text in sources.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    return folder


def paths(made_of: ScriptProvenance) -> list[str]:
    """Return the paths of what a script imports."""
    return [file.path for file in made_of.imports]


LIBRARY = dict.fromkeys(
    (
        *("load.py", "save.py", "lib/__init__.py", "lib/a.py", "lib/b/__init__.py"),
        *("lib/b/c.py", "names/d.py", "src/e.py", "été.py", "lib/b/load.py"),
    ),
    "",
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import load", ["load.py"]),
        ("import load as x, save", ["load.py", "save.py"]),
        ("import os, load", ["load.py"]),
        ("from load import rows", ["load.py"]),
        ("from load import *", ["load.py"]),
        ("import lib", ["lib/__init__.py"]),
        ("import lib.a", ["lib/__init__.py", "lib/a.py"]),
        ("from lib import a, value", ["lib/__init__.py", "lib/a.py"]),
        ("from lib.b import c", ["lib/__init__.py", "lib/b/__init__.py", "lib/b/c.py"]),
        ("import names.d", ["names/d.py"]),
        ("from names import d", ["names/d.py"]),
        ("import names", []),
        ("import e", ["src/e.py"]),
        ("import été", ["été.py"]),
        ("import save; import load", ["load.py", "save.py"]),
        ("from lib import (\n    a,\n    value,\n)", ["lib/__init__.py", "lib/a.py"]),
        (
            "from lib import (  # the (only) one\n    a,\r\n)",
            ["lib/__init__.py", "lib/a.py"],
        ),
        ("from lib import \\\n    a", ["lib/__init__.py", "lib/a.py"]),
        ("from \\\n    lib import a", ["lib/__init__.py", "lib/a.py"]),
        ("def f():\n\timport load\n", ["load.py"]),
        ("try: import load\nexcept ImportError: pass", ["load.py"]),
        ("if True:\r\n    import load\r\n", ["load.py"]),
        ("\ufeffimport load", ["load.py"]),
        (
            "import importlib\nimportlib.import_module('lib.a')",
            ["lib/__init__.py", "lib/a.py"],
        ),
        ('x = __import__("load")', ["load.py"]),
        # Of no Python, of an older one, of a newer one: what stands right is found.
        ("print 'a'\nimport load\nexec 'x'", ["load.py"]),
        ("import load\nmatch x:\n  case (\n", ["load.py"]),
        ("import load\nx = 'never ends", ["load.py"]),
        ("type X[T = int] = list[T]\nimport load", ["load.py"]),
        ("import\nimport load", ["load.py"]),
        ("import load.py\nfrom . import\nimport 3", ["load.py"]),
        ("from lib import (a", ["lib/__init__.py", "lib/a.py"]),
        ("# import load", []),
        ("print('import load')", []),
        ("important = load", []),
        ("", []),
        ("\0import load", []),
        ("import nothing, pandas.core", []),
        ("from ... import load", []),
        ("from " + "." * 5000 + " import load", []),
        ("import " + "a." * 5000 + "b", []),
        ("from lib import (" + "a, " * 20_000 + ")", ["lib/__init__.py", "lib/a.py"]),
    ],
)
def test_the_imports_of_a_script_are_found(
    tmp_path: Path, source: str, expected: list[str]
) -> None:
    """Whatever surrounds them, and however they are written."""
    folder = put(tmp_path / "p", {**LIBRARY, "main.py": source})

    made_of = Sources(folder, {}).of_script(folder / "main.py")

    assert made_of.script is not None
    assert made_of.script.path == "main.py"
    assert paths(made_of) == expected


def test_imports_are_followed_round_in_circles_and_by_dots(tmp_path: Path) -> None:
    """Each file is named once, whoever imports it, and the script itself is no import."""
    folder = put(
        tmp_path / "p",
        {
            "steps/main.py": "import steps.main, one, common\nfrom lib import x",
            "steps/one.py": "import two",
            "steps/two.py": "import one, main",
            "common.py": "",
            "lib/__init__.py": "from .inner import deep",
            "lib/x.py": "from . import y\nfrom .. import common",
            "lib/y.py": "from .inner.deep import z",
            "lib/inner/__init__.py": "",
            "lib/inner/deep.py": "from ..x import a\nfrom ... import common",
        },
    )

    made_of = Sources(folder, {}).of_script(folder / "steps" / "main.py")

    assert paths(made_of) == [
        "common.py",
        "lib/__init__.py",
        "lib/inner/__init__.py",
        "lib/inner/deep.py",
        "lib/x.py",
        "lib/y.py",
        "steps/one.py",
        "steps/two.py",
    ]


def test_a_module_beside_the_script_comes_first(tmp_path: Path) -> None:
    """As Python finds it; then those of PYTHONPATH, then those of the project."""
    folder = put(
        tmp_path / "p",
        {
            "steps/main.py": "import load, save, a",
            "steps/load.py": "",
            "load.py": "",
            "more/save.py": "",
            "save.py": "",
            "a.py": "",
        },
    )
    there = os.pathsep.join(["more", str(tmp_path)])

    found = Sources(folder, {"PYTHONPATH": there}).of_script(folder / "steps/main.py")

    assert paths(found) == ["a.py", "more/save.py", "steps/load.py"]


def test_files_outside_of_the_project_are_not_its_own(tmp_path: Path) -> None:
    """A script from elsewhere is known by its whole path, its neighbours are not."""
    folder = put(tmp_path / "p", {"load.py": "from ... import other"})
    put(tmp_path, {"main.py": "import load, other", "other.py": ""})

    made_of = Sources(folder, {"PYTHONPATH": ".."}).of_script(tmp_path / "main.py")

    assert made_of.script is not None
    assert made_of.script.path == (tmp_path / "main.py").as_posix()
    assert paths(made_of) == ["load.py"]


def test_modules_that_projects_share_count(tmp_path: Path) -> None:
    """They lie beside the project, where PYTHONPATH or a link to the script leads."""
    shared = put(tmp_path / "shared", {"common.py": "import deep", "deep.py": ""})
    put(tmp_path / "lib/python3/site-packages", {"installed.py": ""})
    folder = put(tmp_path / "p", {"main.py": "import common, installed, other"})
    put(tmp_path, {"other.py": ""})
    installed = tmp_path / "lib/python3/site-packages"
    there = os.pathsep.join(["../shared", str(installed), str(tmp_path)])

    found = Sources(folder, {"PYTHONPATH": there}).of_script(folder / "main.py")

    assert paths(found) == [(shared / n).as_posix() for n in ("common.py", "deep.py")]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not follow them")
def test_modules_beside_the_target_of_a_link_count(tmp_path: Path) -> None:
    """Python looks there first."""
    shared = put(tmp_path / "shared", {"main.py": "import common", "common.py": ""})
    folder = put(tmp_path / "p", {})
    folder.mkdir(exist_ok=True)
    (folder / "main.py").symlink_to(shared / "main.py")

    found = Sources(folder, {}).of_script(folder / "main.py")

    assert paths(found) == [(shared / "common.py").as_posix()]


def test_what_changes_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module is read once as long as its size and its time stay the same."""
    folder = put(tmp_path / "p", {"main.py": "import load", "load.py": "x = 1"})
    reads: list[str] = []

    def counted(path: str | Path, limit: int) -> bytes:
        reads.append(Path(path).name)
        return read_regular(path, limit)

    monkeypatch.setattr(imported_files, "read_regular", counted)
    sources = Sources(folder, {})
    first = sources.of_script(folder / "main.py")

    assert sources.of_script(folder / "main.py") == first
    assert reads == ["main.py", "load.py", "main.py"]

    put(folder, {"load.py": "x = 10"})
    second = sources.of_script(folder / "main.py")
    assert second.script == first.script
    assert second.imports != first.imports
    assert reads[3:] == ["main.py", "load.py"]

    (folder / "load.py").unlink()
    assert paths(sources.of_script(folder / "main.py")) == []
    (folder / "main.py").unlink()
    assert sources.of_script(folder / "main.py") == ScriptProvenance()


@pytest.mark.fault(
    "scripts",
    "A project imports thousands of files, or very large ones",
    "Only so many are hashed, and the script starts without delay.",
)
def test_a_huge_project_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many files, and so many bytes; what is too large is left out, not read."""
    names = [f"m{number:03}" for number in range(320)]
    sources = {f"{name}.py": "" for name in names}
    folder = put(tmp_path / "p", {**sources, "main.py": f"import {', '.join(names)}"})
    assert len(paths(Sources(folder, {}).of_script(folder / "main.py"))) == 300

    put(folder, {"main.py": "import m001, m002, m003", "m001.py": "#" * 3000})
    monkeypatch.setattr(imported_files, "_LARGEST", 2000)
    assert paths(Sources(folder, {}).of_script(folder / "main.py")) == [
        "m002.py",
        "m003.py",
    ]
    monkeypatch.setattr(imported_files, "_LARGEST", 5000)
    monkeypatch.setattr(imported_files, "_MOST_BYTES", 1000)
    assert paths(Sources(folder, {}).of_script(folder / "main.py")) == ["m001.py"]
    monkeypatch.setattr(imported_files, "_LARGEST_SCRIPT", 3)
    assert Sources(folder, {}).of_script(folder / "main.py") == ScriptProvenance()


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A pipe would be waited for; a link is followed."""
    folder = put(
        tmp_path / "p",
        {"main.py": "import load, save", "real.py": "import a", "a.py": ""},
    )
    if sys.platform == "win32":
        pytest.skip("Windows has no such files")
    os.mkfifo(folder / "load.py")
    (folder / "save.py").symlink_to("real.py")

    made_of = Sources(folder, {}).of_script(folder / "main.py")

    assert paths(made_of) == ["a.py", "save.py"]


def test_a_digest_is_the_name_by_which_git_gives_the_file_back(tmp_path: Path) -> None:
    """So an earlier text of a file can be had of its repository."""
    assert digest_of(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    content = b"print('caf\xc3\xa9')\n"
    (tmp_path / "main.py").write_bytes(content)
    try:
        done = subprocess.run(
            ["git", "hash-object", "--no-filters", tmp_path / "main.py"],
            capture_output=True,
            check=True,
            encoding="ascii",
        )
    except OSError:
        pytest.skip("needs git")
    assert digest_of(content) == done.stdout.strip()
