"""The command line: arguments, progress, and the one place that prints and exits."""

from __future__ import annotations

import gc
import os
import sys

from python_runner.version import __version__


#: New objects until unused ones are looked for: more than a command loads.
_GARBAGE = 100_000


def main() -> None:
    """Be the ``python-runner`` command."""
    if sys.argv[1:] == ["--version"] and _told_version():
        return
    # What is loaded stays. To look through it for garbage again and again, and once more
    # at the end, takes a quarter of a short command's time.
    gc.set_threshold(_GARBAGE)
    from python_runner.cli.app import run_app  # noqa: PLC0415 - keeps the import cheap

    code = run_app()
    gc.freeze()
    sys.exit(code)


def _told_version() -> bool:
    """Write the version without loading anything; say whether that was possible.

    Nothing is written where it was not: the command does it then, and knows what to do
    with a stream that is missing, full or left by its reader.
    """
    try:
        line = f"python-runner, version {__version__}{os.linesep}"
        os.write(sys.stdout.fileno(), line.encode(sys.stdout.encoding))
    except (AttributeError, OSError, ValueError):
        return False
    return True
