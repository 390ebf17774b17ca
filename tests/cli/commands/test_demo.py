from __future__ import annotations

import re
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import (
        Cli,
    )


def test_demo_needs_nothing_and_shows_everything(cli: Cli, tmp_path: Path) -> None:
    """Log lines, outputs and the mail's text are on screen; one script fails."""
    done = cli("demo", TMPDIR=str(tmp_path), TEMP=str(tmp_path))

    assert done.returncode == 0
    assert " - import_amounts.py - failure - " in done.stdout
    assert "KeyError: 'amount'" in done.stdout
    assert "[sales]" in done.stdout
    assert len(re.findall(r"\.eml", done.stdout)) == 2
    assert " init FOLDER " in done.stdout
