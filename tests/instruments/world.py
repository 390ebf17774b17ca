"""What instruments that start the command share: samples, and a plain world."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.instruments.cases import LONG


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

#: In CI a missing component is a failure, elsewhere a reason to skip.
IN_CI = bool(os.environ.get("CI"))


def sample(points: Sequence[T], quick: int, seed: int = 0) -> list[T]:
    """Return all points in the long profile, else ``quick`` of them, in their order."""
    if LONG or quick >= len(points):
        return list(points)
    chosen = random.Random(seed).sample(range(len(points)), quick)  # noqa: S311
    return [points[index] for index in sorted(chosen)]


def known(point: str, table: Mapping[str, str]) -> str | None:
    """Return why a point is known to fail; the table's keys are patterns of points."""
    return next((why for like, why in table.items() if fnmatchcase(point, like)), None)


def missing(component: str) -> None:
    """Skip for want of a component; in CI, fail."""
    if IN_CI:
        pytest.fail(f"needs {component}")
    pytest.skip(f"needs {component}")


def plain_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a plain world whose state is in ``folder``.

    Nothing of the developer's machine is in it, and no measuring of coverage: what an
    instrument starts, it starts hundreds of times.
    """
    if sys.platform == "win32":
        base = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COVERAGE_", "MAIL_", "SMTP_", "OAUTH_"))
        }
    else:
        base = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder)}
    return base | {
        "LANGUAGE": "en",
        "PYTHON_RUNNER_HOME": str(folder / "home"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def make_locale(folder: Path) -> None:
    """Compile a locale of one byte a character."""
    folder.mkdir()
    if shutil.which("localedef") is None:
        missing("localedef")
    done = subprocess.run(
        ["localedef", "-i", "fr_FR", "-f", "ISO-8859-1", folder / "fr_FR.ISO-8859-1"],
        capture_output=True,
        check=False,
    )
    # Warnings of localedef are no failure.
    if not any(folder.iterdir()):
        missing(f"the sources of locales ({done.stderr.decode()!r})")
