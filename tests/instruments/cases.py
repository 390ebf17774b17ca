"""Cases that are known to fail stay in sight: each is expected to, with its reason."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Whether there is time for everything.
LONG = os.environ.get("PYTHON_RUNNER_LONG") == "1"


def cases(
    keys: Iterable[str], known: Mapping[str, str], *, strict: bool = True
) -> list[object]:
    """Return a parameter a key; those that are known to fail must fail.

    Args:
        keys: names of the cases.
        known: reason by name, or by a pattern of names as the shell writes them.
        strict: False where a measured time decides, and so the machine.
    """
    return [_case(key, known, strict=strict) for key in keys]


def asked_for(request: pytest.FixtureRequest, name: str = "case") -> list[str]:
    """Return those cases of a test file that are run this time, by their parameter."""
    return [
        str(item.callspec.params[name])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
        and name in item.callspec.params
    ]


def reasons_for(key: str, known: Mapping[str, str]) -> list[str]:
    """Return why a case is known to fail; nothing if it is not."""
    return [why for name, why in known.items() if fnmatchcase(key, name)]


def _case(key: str, known: Mapping[str, str], *, strict: bool) -> object:
    reasons = reasons_for(key, known)
    if not reasons:
        return pytest.param(key, id=key)
    mark = pytest.mark.xfail(strict=strict, reason="; ".join(reasons))
    return pytest.param(key, id=key, marks=mark)
