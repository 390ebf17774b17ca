from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from python_runner.records.store import Store, open_store
from tests.support import (
    GOOD,
    TODAY,
    MakeProject,
    started,
    wait_until,
)


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


#: Says that it runs, and goes on until it is told to end.
PATIENT = (
    "import pathlib, time\n"
    "print('begun', flush=True)\n"
    "pathlib.Path('up').touch()\n"
    "end = time.monotonic() + 60\n"
    "while not pathlib.Path('go').exists() and time.monotonic() < end:\n"
    "    time.sleep(0.02)\n"
    "print('ended')\n"
)


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return the records that the command reads."""
    with open_store(shielded, TODAY) as store:
        yield store


@pytest.fixture
def patient(make_project: MakeProject, tmp_path: Path) -> Iterator[Path]:
    """Return a project that is running its first script of two, until told to end."""
    folder = make_project(sources={"slow.py": PATIENT, "last.py": GOOD}, overlap="wait")
    with started(tmp_path, "run", folder):
        wait_until((folder / "up").exists)
        yield folder
        (folder / "go").touch()


@pytest.fixture
def orphaned(make_project: MakeProject, tmp_path: Path) -> Iterator[Path]:
    """Return a project whose runner was killed while the second of three scripts ran.

    Where the script survives its runner, it ends when told to.
    """
    folder = make_project(
        sources={"a.py": GOOD, "slow.py": PATIENT, "c.py": GOOD}, overlap="wait"
    )
    with started(tmp_path, "run", folder) as process:
        wait_until((folder / "up").exists)
        process.kill()
    yield folder
    (folder / "go").touch()
