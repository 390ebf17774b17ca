from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from python_runner.model import (
    Outcome,
)
from python_runner.records.store import DATABASE_NAME, Store
from tests.support import (
    Cli,
    keep,
)


if TYPE_CHECKING:
    from pathlib import Path


def test_backup_makes_a_copy_that_can_be_used(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """The copy is a whole database; another file is never overwritten."""
    keep(store, "1" * 13, tmp_path, Outcome.SUCCESS)

    done = cli("backup", "copy.db")
    again = cli("backup", "copy.db")

    assert done.returncode == 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT run_id FROM run").fetchall() == [("1" * 13,)]
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert again.returncode == 2
    assert "already exists" in again.stderr
    assert cli("backup", "gone/copy.db").returncode == 2


def test_backup_of_no_records_is_refused(
    cli: Cli, shielded: Path, tmp_path: Path
) -> None:
    """A wrong home must not lead to empty backups, nor to new records."""
    done = cli("backup", "copy.db")

    assert done.returncode == 2
    assert DATABASE_NAME in done.stderr
    assert not (tmp_path / "copy.db").exists()
    assert not shielded.exists()
