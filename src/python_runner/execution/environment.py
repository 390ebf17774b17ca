"""Builds the environment of a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from python_runner.secret_values import OWN_SECRETS


if TYPE_CHECKING:
    from collections.abc import Mapping

#: Marks every process of a run.
RUN_MARKER = "PYTHON_RUNNER_RUN_ID"

#: Colours are for terminals; 3.13 puts them into tracebacks when this one asks for it.
_UNWANTED = frozenset({"FORCE_COLOR"})

_FIXED = {
    # A script that prints at a console must not fail under a scheduler. PYTHONUTF8 would do it as
    # well, but change open() in the users' scripts too.
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    # Otherwise the last output of a killed script is lost, and stderr precedes stdout.
    "PYTHONUNBUFFERED": "1",
    # A crash prints where it happened.
    "PYTHONFAULTHANDLER": "1",
    "NO_COLOR": "1",
    "PYTHON_COLORS": "0",
}


def child_environment(
    base: Mapping[str, str], extra: Mapping[str, str], *, run_id: str
) -> dict[str, str]:
    """Return the environment of a script.

    Args:
        base: what it inherits; the runner's own secrets are taken out.
        extra: what the user configured; wins over everything but the marker.
        run_id: the run it belongs to, which marks all its descendants.
    """
    dropped = OWN_SECRETS | _UNWANTED
    inherited = {k: v for k, v in _folded(base).items() if k not in dropped}
    return {**inherited, **_FIXED, **_folded(extra), RUN_MARKER: run_id}


def _folded(variables: Mapping[str, str]) -> dict[str, str]:
    if sys.platform == "win32":
        # Path and PATH are one variable there.
        return {name.upper(): value for name, value in variables.items()}
    return dict(variables)
