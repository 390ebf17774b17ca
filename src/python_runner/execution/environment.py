"""Builds the environment of a script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from python_runner.secret_values import (
    OWN_SECRETS,
    holds_own_secret,
    is_own_secret,
    own_values,
)


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
        base: what it inherits; the runner's own secrets are taken out, whatever the
            variables are called that hold them.
        extra: what the user configured, but for these secrets; wins over everything but
            the marker.
        run_id: the run it belongs to, which marks all its descendants.
    """
    base, extra = _folded(base), _folded(extra)
    dropped = OWN_SECRETS | _UNWANTED
    withheld = set(withheld_variables(base, extra))
    inherited = {k: v for k, v in base.items() if k not in dropped | withheld}
    given = {k: v for k, v in extra.items() if k not in withheld}
    return {**inherited, **_FIXED, **given, RUN_MARKER: run_id}


def withheld_variables(base: Mapping[str, str], extra: Mapping[str, str]) -> list[str]:
    """Return which variables hold a secret of the runner's own under another name."""
    secrets = own_values(base)
    variables = {**_folded(base), **_folded(extra)}
    return sorted(
        name
        for name, value in variables.items()
        if holds_own_secret(value, secrets)
        and not (is_own_secret(name) and name not in extra)
    )


def _folded(variables: Mapping[str, str]) -> dict[str, str]:
    if sys.platform == "win32":
        # Path and PATH are one variable there.
        return {name.upper(): value for name, value in variables.items()}
    return dict(variables)
