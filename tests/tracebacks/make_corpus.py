"""Remakes the corpus: runs the programs of ``cases/`` and keeps what they print.

For each case a real interpreter runs ``main.py`` in a neutral folder, as Python Runner
would run it. The interpreters, one virtual environment a version, need the packages of
``packages.txt``; the versions that were there are noted in ``outputs/versions.json``::

    python tests/tracebacks/make_corpus.py 3.12=/path/to/python 3.13=/path/to/other

Names of cases behind them make these alone.

What a person said of each case (cause and place) is in ``cases/`` and is never remade.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


HERE = Path(__file__).parent
OUTPUTS = HERE / "outputs"
#: What the outputs have instead of the real folders. The real ones have as many
#: characters: programs draw frames around paths.
PROJECT = "/srv/jobs/accounting/monthly-closing"
PYTHON = "/opt/pythons/environment-of-the-scripts"
#: Bytes of an output that are kept: what is read of a script is its end.
MOST = 40_000
SECONDS = 120


def main(pythons: dict[str, str], names: list[str]) -> None:
    """Run the cases of the versions that have a Python, and keep what they print.

    Args:
        pythons: interpreter by version.
        names: of the cases; empty for all.
    """
    file = OUTPUTS / "versions.json"
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for version, python in pythons.items():
        with tempfile.TemporaryDirectory() as place:
            own = _environment(python, place)
            for name, case in cases().items():
                wanted = not names or name in names
                if wanted and version in case.get("pythons", ["3.12"]):
                    _make(f"{name}.{version}", case, own)
        known[version] = _versions(python)
    file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")


def cases() -> dict[str, Any]:
    """Return all cases by name."""
    found: dict[str, Any] = {}
    for file in sorted((HERE / "cases").glob("*.toml")):
        found |= tomllib.loads(file.read_text("utf-8"))
    return found


def _environment(python: str, place: str) -> str:
    """Return the interpreter under a path as long as the neutral one."""
    prefix = Path(python).parents[1]
    link = Path(place, "x" * (len(PYTHON) - len(place) - 1))
    assert len(str(link)) == len(PYTHON), f"{place} is too long"
    link.symlink_to(prefix)
    return str(link / "bin" / "python")


def _make(name: str, case: dict[str, Any], python: str) -> None:
    root = Path(tempfile.mkdtemp())
    project = root / ("p" * (len(PROJECT) - len(str(root)) - 1))
    project.mkdir()
    for file, source in case["files"].items():
        path = project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    base = {k: os.environ[k] for k in ("PATH",)}
    own = {
        "HOME": str(root / "home"),
        "LC_ALL": "C.UTF-8",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "NO_COLOR": "1",
        "PYTHON_COLORS": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    output = root / "output"
    with output.open("wb") as stream:
        done = subprocess.run(
            [python, str(project / "main.py")],
            cwd=project,
            env=base | own | case.get("env", {}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            timeout=SECONDS,
            check=False,
        )
    text = output.read_bytes().decode("utf-8", "backslashreplace")
    prefix = str(Path(python).parents[1])
    for real, neutral in (
        (str(project), PROJECT),
        (prefix, PYTHON),
        (os.path.realpath(prefix), PYTHON),
        (str(root), "/home/jobs"),
        (sys.base_prefix, "/usr"),
    ):
        text = text.replace(real, neutral)
    text = _without_users_pythons(text)
    expected = case.get("exit_code", 1)
    if done.returncode != expected:
        problem = f"{name}: exit code {done.returncode} instead of {expected}\n{text}"
        sys.stderr.write(problem)
    OUTPUTS.mkdir(exist_ok=True)
    (OUTPUTS / f"{name}.txt").write_text(text[-MOST:], "utf-8", newline="")
    shutil.rmtree(root)


def _without_users_pythons(text: str) -> str:
    """Replace the folder of an interpreter that a user installed by hand."""
    versions = Path.home() / ".pyenv" / "versions"
    for folder in versions.glob("*") if versions.exists() else ():
        text = text.replace(str(folder), "/usr")
    return text


def _versions(python: str) -> dict[str, str]:
    """Return the exact version of a Python and of the packages that it has."""
    code = "import sys; print(*sys.path, sep='\\n'); print(sys.version.split()[0])"
    asked = [python, "-c", code]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True)
    *paths, exact = answer.stdout.splitlines()
    wanted = set((HERE / "packages.txt").read_text("utf-8").split())
    sites = [path for path in paths if "site-packages" in path]
    found = {d.name: d.version for d in distributions(path=sites)}
    return {"python": exact} | {n: v for n, v in found.items() if n.lower() in wanted}


if __name__ == "__main__":
    given = [argument.partition("=") for argument in sys.argv[1:]]
    main(
        {version: python for version, equals, python in given if equals},
        [name for name, equals, _ in given if not equals],
    )
