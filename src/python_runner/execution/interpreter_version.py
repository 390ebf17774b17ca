"""Asks an interpreter for its version."""

from __future__ import annotations

import os
import subprocess
import sys
from ast import literal_eval
from typing import TYPE_CHECKING

from python_runner.model import Interpreter


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Seconds an answer may take: a cold disk, or a network drive.
PATIENCE = 10.0
if sys.platform == "win32":
    #: A runner without a console must not open one for this.
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0

# In ASCII: folders have accents, and nobody knows the encoding of its streams.
_QUESTION = """
import sys
base = getattr(sys, "_base_executable", sys.executable)
answer = repr((sys.version.split()[0], sys.executable, base))
print(answer.encode("ascii", "backslashreplace").decode("ascii"))
"""
#: Bytes of an answer; a longer one is ignored.
_LONGEST = 10_000


def ask_version(
    interpreter: Path, folder: Path, environ: Mapping[str, str]
) -> Interpreter:
    """Ask an interpreter for its version: as long as its bare start, 10 s at most.

    Args:
        interpreter: the interpreter to ask.
        folder: where the scripts will run; launchers may look there.
        environ: the whole environment of the scripts.
    """
    path = str(interpreter)
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that runs the scripts
            [interpreter, "-E", "-s", "-S", "-c", _QUESTION],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=_FLAGS,
            timeout=PATIENCE,
            check=True,
        )
        answer = literal_eval(done.stdout[:_LONGEST].decode("ascii").strip())
        version, executable, base = map(str, answer)
    except (OSError, ValueError, TypeError, SyntaxError, subprocess.SubprocessError):
        return Interpreter(path=path)
    itself = os.path.normcase(executable) == os.path.normcase(path)
    return Interpreter(
        path=path,
        version=version,
        base=base,
        stamp=stamp_of(path, base) if itself else None,
    )


def still_holds(known: Interpreter) -> bool:
    """Say whether an answer of earlier would be given again: no file has changed."""
    return known.base is not None and known.stamp == stamp_of(known.path, known.base)


def stamp_of(*files: str) -> str | None:
    """Return what changes when one of ``files`` does; None where one is missing."""
    try:
        found = [os.stat(file) for file in files]  # noqa: PTH116 - plain texts
    except (OSError, ValueError):
        return None
    return " ".join(f"{status.st_size}:{status.st_mtime_ns}" for status in found)
