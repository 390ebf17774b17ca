"""Which packages an interpreter finds; none is started for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from python_runner.execution.installed_packages import (
    package_folders,
    read_packages,
    stamp_of,
)
from python_runner.model import Interpreter


WINDOWS = sys.platform == "win32"
VERSION = "{}.{}".format(*sys.version_info)


def environment_at(
    folder: Path, *, system: bool = False, version: str = "3.11"
) -> Path:
    """Make what looks like a virtual environment; return where its packages lie."""
    sites = folder / ("Lib" if WINDOWS else f"lib/python{version}") / "site-packages"
    program = folder / ("Scripts/python.exe" if WINDOWS else "bin/python")
    for made in (sites, program.parent):
        made.mkdir(parents=True)
    program.touch()
    text = f"home = /usr\ninclude-system-site-packages = {str(system).lower()}\n"
    (folder / "pyvenv.cfg").write_text(text)
    return sites


def interpreter_of(folder: Path, base: Path | None = None) -> Interpreter:
    """Return what the interpreter of an environment said."""
    program = folder / ("Scripts/python.exe" if WINDOWS else "bin/python")
    return Interpreter(
        path=str(program), version="3.11.9", base=str(base) if base else None
    )


def test_the_packages_of_an_environment_are_read_from_its_folder(
    tmp_path: Path,
) -> None:
    """By the names of what installers leave there, in the forms of all of them."""
    sites = environment_at(tmp_path / "venv")
    for name in (
        "numpy-2.1.0.dist-info",
        "Python_Dateutil-2.9.0.post0.dist-info",
        "ruamel.yaml-0.18.6.dist-info",
        "torch-2.4.1+cpu.dist-info",
        "odd-name-1.0rc1.dist-info",
        "PyYAML-6.0.1-py3.11.egg-info",
        "lxml-5.3.0-py3.11-linux-x86_64.egg",
        "~umpy-2.0.0.dist-info",
        "numpy",
        "__pycache__",
    ):
        (sites / name).mkdir()
    (sites / "six-1.16.0.egg-info").write_text("")
    said = sites / "told.dist-info"
    said.mkdir()
    (said / "METADATA").write_bytes(
        b"Metadata-Version: 2.1\r\nName: Told.By_File\r\nVersion: 3.0\r\n\r\nName: other\n"
    )
    (sites / "silent.dist-info").mkdir()

    folders = package_folders(interpreter_of(tmp_path / "venv"), {})
    packages = read_packages(folders)

    assert folders == (str(sites),)
    assert packages.versions == (
        ("lxml", "5.3.0"),
        ("numpy", "2.1.0"),
        ("odd-name", "1.0rc1"),
        ("python-dateutil", "2.9.0.post0"),
        ("pyyaml", "6.0.1"),
        ("ruamel-yaml", "0.18.6"),
        ("six", "1.16.0"),
        ("told-by-file", "3.0"),
        ("torch", "2.4.1+cpu"),
    )
    again = read_packages(folders)
    assert again == packages
    (sites / "numpy-2.1.0.dist-info").rename(sites / "numpy-2.1.1.dist-info")
    assert read_packages(folders).fingerprint != packages.fingerprint


def test_an_environment_may_share_the_packages_below_it(tmp_path: Path) -> None:
    """Its own come first, then the user's, then those of the Python behind it."""
    base = tmp_path / "base"
    below = environment_at(base)
    (base / "pyvenv.cfg").unlink()
    program = Path(interpreter_of(base).path)
    if WINDOWS:
        program = base / "python.exe"
        program.touch()
    home = tmp_path / "home"
    user = home / ("Python/Python311" if WINDOWS else ".local/lib/python3.11")
    (user / "site-packages").mkdir(parents=True)
    own = environment_at(tmp_path / "venv", system=True)
    variables = {"APPDATA": str(home), "HOME": str(home)}
    for folder, version in ((own, "1"), (user / "site-packages", "2"), (below, "3")):
        (folder / f"a-{version}.dist-info").mkdir()
    (below / "b-1.dist-info").mkdir()

    shared = package_folders(interpreter_of(tmp_path / "venv", program), variables)

    assert [os.path.normpath(f) for f in shared] == [
        os.path.normpath(f) for f in (own, user / "site-packages", below)
    ]
    assert read_packages(shared).versions == (("a", "1"), ("b", "1"))
    alone = package_folders(
        interpreter_of(tmp_path / "venv", program),
        {**variables, "PYTHONNOUSERSITE": "1"},
    )
    assert len(alone) == 2
    bare = Interpreter(path=str(program), version="3.11.9", base=str(program))
    assert len(package_folders(bare, variables)) == 2
    # A launcher has arguments of its own; what it starts is known.
    launched = Interpreter(path="py -3.11", version="3.11.9", base=str(program))
    assert package_folders(launched, {}) == (shared[2],)


def test_what_changes_in_a_folder_changes_its_stamp(tmp_path: Path) -> None:
    """Only then it is read again."""
    sites = environment_at(tmp_path / "venv")
    os.utime(sites, ns=(1, 1))
    before = stamp_of([str(sites)])

    assert stamp_of([str(sites)]) == before
    (sites / "a-1.dist-info").mkdir()
    assert stamp_of([str(sites)]) != before


@pytest.mark.parametrize(
    "interpreter",
    [
        Interpreter(path="perl"),
        Interpreter(path="python", version="3.11.9"),
        Interpreter(path="", version="3.11.9", base=""),
        Interpreter(path="a\0b", version="3.11.9", base=None),
        Interpreter(path=os.devnull, version="99.9", base=os.devnull),
    ],
)
def test_of_what_is_no_python_nothing_is_known(interpreter: Interpreter) -> None:
    """Another program, or one whose folders are nowhere."""
    assert package_folders(interpreter, {}) == ()


def test_it_finds_what_this_very_interpreter_finds() -> None:
    """By the names that the standard library gives them."""
    base = getattr(sys, "_base_executable", sys.executable)
    this = Interpreter(path=sys.executable, version=sys.version.split()[0], base=base)
    names = {
        name for name, _ in read_packages(package_folders(this, os.environ)).versions
    }
    question = (
        "import importlib.metadata as m, re;"
        "print(*{re.sub('[-_.]+', '-', d.metadata['Name']).lower()"
        " for d in m.distributions() if d.metadata['Name']})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", question],
        capture_output=True,
        check=True,
        encoding="utf-8",
    )

    assert set(done.stdout.split()) <= names
