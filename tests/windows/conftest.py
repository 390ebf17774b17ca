from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def venv_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a real virtual environment and return its interpreter."""
    folder = tmp_path_factory.mktemp("environment") / ".venv"
    base = str(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "Scripts" / "python.exe"
