"""The command line: arguments, progress, and the one place that prints and exits."""

from __future__ import annotations

import sys


def main() -> None:
    """Be the ``python-runner`` command."""
    from python_runner.cli.app import run_app  # noqa: PLC0415 - keeps the import cheap

    sys.exit(run_app())
