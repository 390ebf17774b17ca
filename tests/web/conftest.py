from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.asking import Dashboard


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dashboard(tmp_path: Path) -> Dashboard:
    """Return a dashboard over an empty state folder."""
    home = tmp_path / "home"
    home.mkdir()
    return Dashboard(home=home, folder=tmp_path / "projects")
