"""The imports of a project are followed through its own modules, which are not run."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.doctor.module_files import wanted_modules
from python_runner.execution.module_search import search_modules
from python_runner.execution.start_time import StartTime, measure_start, slowest_of


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write sources; return the first."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / next(iter(files))


@pytest.mark.portable("it reads files")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"main.py": "import helper", "helper.py": "import far"}, {"far": True}),
        ({"main.py": "import pack.a", "pack/a.py": "import far"}, {"far": True}),
        (
            {"main.py": "from pack import a", "pack/a.py": "import far"},
            {"far": True},
        ),
        (
            {
                "main.py": "import pack",
                "pack/__init__.py": "from .a import x",
                "pack/a.py": "from ..other import y\nimport far",
            },
            {"far": True},
        ),
        (
            {"main.py": "def f():\n    import helper", "helper.py": "import far"},
            {"far": False},
        ),
        ({"main.py": "import loop", "loop.py": "import main"}, {}),
        ({"main.py": "import fast", "fast.cpython-311-x86.so": ""}, {}),
        (
            {"main.py": "import sys\nsys.path.append('lib')\nimport far"},
            {"sys": False, "far": False},
        ),
        ({"main.py": "import far\nimport far"}, {"far": True}),
    ],
)
def test_a_project_s_own_modules_are_followed(
    files: Mapping[str, str], expected: Mapping[str, bool], tmp_path: Path
) -> None:
    """What they import counts as if the script did; they themselves are there."""
    found = wanted_modules([write(tmp_path, files)])
    assert {one.module: one.certain for one in found} == expected


def test_the_interpreter_says_what_it_finds_and_imports_nothing(
    tmp_path: Path,
) -> None:
    """Packages with and without a file, modules in them, and what is not there."""
    trap = "raise SystemExit('imported')"
    lib = tmp_path / "lib"
    write(
        lib,
        {
            "trap.py": trap,
            "real/__init__.py": trap,
            "space/inner/deep.py": trap,
            "space/solid/__init__.py": trap,
        },
    )
    # What lies in the working folder is no package of the interpreter's.
    write(tmp_path, {"stray.py": trap})
    environ = os.environ | {"PYTHONPATH": str(lib)}
    there = ["os", "sys", "json.decoder", "trap", "real", "real.made_when_imported"]
    there += ["space", "space.inner", "space.inner.deep", "space.solid.anything"]
    gone = ["no_such_module", "no_such.part", "space.gone", "space.inner.gone"]
    gone += ["stray"]

    found = search_modules([sys.executable], [*there, *gone], tmp_path, environ)

    assert found is not None
    assert found.missing == set(gone)
    assert found.bits == (64 if sys.maxsize > 2**32 else 32)


def test_what_is_no_python_does_not_answer(tmp_path: Path) -> None:
    """Nothing is concluded from that."""
    assert search_modules(["no_such_program"], ["os"], tmp_path, {}) is None
    failing = [sys.executable, "-c", "pass"]
    assert search_modules(failing, ["os"], tmp_path, dict(os.environ)) is None


LISTING = """\
import time: self [us] | cumulative | imported package
import time:       150 |        150 |   _io
import time:       210 |      90000 | zipimport
import time:       210 |        210 |     numpy.core
import time:    600000 |     700000 |   numpy
import time:     30000 |      30000 |   sitecustomize
import time:       900 |     999000 |   os
import time:       100 |      12345 |   tiny
import time:      1200 |     900000 | site
"""


@pytest.mark.portable("reads text")
def test_the_slowest_of_what_each_start_loads_is_named() -> None:
    """What Python itself needs is not, nor what takes no time."""
    assert slowest_of(LISTING) == ("numpy", "sitecustomize")
    assert slowest_of("Fatal Python error") == ()


@pytest.mark.portable("it computes only")
@pytest.mark.parametrize(
    ("whole", "bare", "slow"),
    [(0.02, 0.01, False), (0.6, 0.01, True), (0.6, 0.2, False), (3.0, 2.0, False)],
)
def test_a_slow_start_is_one_that_packages_make_slow(
    whole: float, bare: float, *, slow: bool
) -> None:
    """A slow disk or computer is slow without them too."""
    assert StartTime(whole, bare).is_slow is slow


@pytest.mark.slow
def test_a_file_that_every_start_runs_is_found(tmp_path: Path) -> None:
    """Sitecustomize that waits makes every start slow, and is named."""
    source = "import time; time.sleep(2.0)\n"
    write(tmp_path, {"sitecustomize.py": source})
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}

    found = measure_start([sys.executable], tmp_path, environ)

    assert found is not None
    assert found.is_slow
    assert "sitecustomize" in found.slowest
    assert measure_start(["no_such_program"], tmp_path, environ) is None
