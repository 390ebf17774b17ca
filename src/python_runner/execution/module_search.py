"""Asks an interpreter which modules it would find; none of those asked for is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

#: Seconds that an answer may take.
_PATIENCE = 30.0
#: The answer comes last, whatever the start of the interpreter prints.
_MARK = "python-runner:"
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0

# Only a package without a file of its own, such as ``google``, is looked into: to look
# into another one would import it.
_QUESTION = f"""
import json, sys
from importlib.util import find_spec
from importlib.machinery import PathFinder
sys.path[:] = [folder for folder in sys.path if folder]

def is_there(name):
    parts = name.split(".")
    try:
        spec = find_spec(parts[0])
        for count in range(2, len(parts) + 1):
            if spec is None or spec.origin not in (None, "namespace"):
                break
            places = spec.submodule_search_locations
            if places is None:
                break
            # By its last name alone: a whole one asks for its parent, which is not there.
            places = list(getattr(places, "_path", places))
            spec = PathFinder.find_spec(parts[count - 1], places)
    except Exception:
        return True
    return spec is not None

missing = [name for name in json.loads(sys.stdin.read()) if not is_there(name)]
answer = json.dumps({{"missing": missing, "bits": 64 if sys.maxsize > 2 ** 32 else 32}})
sys.__stdout__.write("\\n{_MARK}" + answer + "\\n")
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What an interpreter answered.

    Attributes:
        missing: the names of modules that it would not find.
        bits: of its addresses: 32 or 64.
    """

    missing: frozenset[str]
    bits: int


def search_modules(
    command: Sequence[str],
    names: Collection[str],
    folder: Path,
    environ: Mapping[str, str],
) -> Search | None:
    """Ask an interpreter for modules; None where it does not answer.

    Args:
        command: the interpreter, and arguments of its own.
        names: dotted; modules of the scripts' own folders are not asked for.
        folder: where the scripts run; launchers may look there.
        environ: the whole environment of the scripts.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that runs the scripts
            [*command, "-c", _QUESTION],
            cwd=folder,
            env=environ,
            input=json.dumps(sorted(names)).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=_FLAGS,
            timeout=_PATIENCE,
            check=False,
        )
        _, mark, answer = done.stdout.decode("utf-8", "replace").rpartition(_MARK)
        found = json.loads(answer) if mark else {}
        return Search(frozenset(map(str, found["missing"])), int(found["bits"]))
    except (OSError, ValueError, TypeError, KeyError, subprocess.TimeoutExpired):
        return None
