"""The records for who only reads them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from python_runner.model import Outcome
from python_runner.records.read_only import NoRecords, open_reader
from python_runner.records.schema import MIGRATIONS
from python_runner.records.store import DATABASE_NAME, StoreError, open_store
from tests.support import GENEROUS, TODAY, keep


if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_made_where_there_are_no_records(tmp_path: Path) -> None:
    """Whoever looks leaves no trace, and finds them when they are there."""
    store, database = open_reader(tmp_path)
    for ask in (store.projects, database.changes, store.open_runs):
        with pytest.raises(NoRecords):
            ask()
    assert list(tmp_path.iterdir()) == []
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
    assert [path.name for path in store.projects()] == ["p"]
    database.close()


def test_nothing_can_be_written(tmp_path: Path) -> None:
    """Neither by the store's own methods nor by SQL."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
    store, database = open_reader(tmp_path)
    with pytest.raises(StoreError):
        keep(store, "b" * 13, tmp_path / "p", Outcome.SUCCESS)
    with pytest.raises(StoreError, match="read-only"), database.read() as connection:
        connection.execute("DELETE FROM run")
    assert [run.run_id for run in store.runs()] == ["a" * 13]
    database.close()


def test_a_reader_keeps_no_writer_waiting(tmp_path: Path) -> None:
    """A question that is under way sees its moment, and a run ends all the same."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
        store, database = open_reader(tmp_path)
        with database.read() as connection:
            count = connection.execute("SELECT count(*) FROM run").fetchone()[0]
            keep(writer, "b" * 13, tmp_path / "p", Outcome.SUCCESS)
            again = connection.execute("SELECT count(*) FROM run").fetchone()[0]
        assert (count, again, len(store.runs())) == (1, 1, 2)
        database.close()


def test_changes_tell_of_writers_alone(tmp_path: Path) -> None:
    """The mark differs after a write of somebody else, and not after a question."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
        store, database = open_reader(tmp_path)
        first = database.changes()
        store.runs()
        assert database.changes() == first
        keep(writer, "b" * 13, tmp_path / "p", Outcome.SUCCESS)
        assert database.changes() != first
        database.close()


def test_records_that_are_replaced_are_read_anew(tmp_path: Path) -> None:
    """Damaged records are set aside by a run; a dashboard that is open goes on."""
    for home, run_id in ((tmp_path / "a", "a" * 13), (tmp_path / "b", "b" * 13)):
        home.mkdir()
        with open_store(home, TODAY) as writer:
            keep(writer, run_id, tmp_path / "p", Outcome.SUCCESS)
    store, database = open_reader(tmp_path / "a")
    first = database.changes()
    assert [run.run_id for run in store.runs()] == ["a" * 13]
    if os.name == "nt":
        database.close()
    (tmp_path / "b" / DATABASE_NAME).replace(tmp_path / "a" / DATABASE_NAME)
    for beside in (tmp_path / "a").glob(f"{DATABASE_NAME}-*"):
        beside.unlink()
    assert [run.run_id for run in store.runs()] == ["b" * 13]
    assert database.changes() != first
    database.close()


#: A dashboard of an account that may only read; it looks again as often as it is asked.
READER = """
import sys
from pathlib import Path
from python_runner.records.read_only import open_reader
store, database = open_reader(Path(sys.argv[1]))
for _ in range(2):
    print(len(store.runs()), database.changes(), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.posix
def test_who_may_write_nothing_sees_what_is_written_later(tmp_path: Path) -> None:
    """Also who began to look while no run was active."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
    _let_only_read(tmp_path)
    with subprocess.Popen(
        [*_WITHOUT_PRIVILEGES, sys.executable, "-c", READER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin
        assert reader.stdout
        count, first = reader.stdout.readline().split()
        tmp_path.chmod(0o755)
        (tmp_path / DATABASE_NAME).chmod(0o644)
        with open_store(tmp_path, TODAY) as writer:
            keep(writer, "b" * 13, tmp_path / "p", Outcome.SUCCESS)
        _let_only_read(tmp_path)
        reader.stdin.write("\n")
        reader.stdin.flush()
        later, second = reader.stdout.readline().split()
        reader.stdin.close()
    tmp_path.chmod(0o755)
    assert (count, later) == ("1", "2")
    assert first != second


#: An administrator may write whatever is forbidden, unless that is taken from it.
_WITHOUT_PRIVILEGES = (
    ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    if hasattr(os, "geteuid") and os.geteuid() == 0
    else ()
)


def _let_only_read(home: Path) -> None:
    for path, mode in ((home / DATABASE_NAME, 0o444), (home, 0o555)):
        path.chmod(mode)


@pytest.mark.parametrize("is_open", [False, True], ids=["from the start", "later"])
@pytest.mark.parametrize(
    ("form", "words"),
    [(len(MIGRATIONS) + 1, "newer version"), (len(MIGRATIONS) - 1, "older version")],
)
def test_records_of_another_form_are_told(
    tmp_path: Path, form: int, words: str, *, is_open: bool
) -> None:
    """They are not changed for who only reads them, also who has read them before."""
    open_store(tmp_path, TODAY).close()
    store, database = open_reader(tmp_path)
    if is_open:
        database.changes()
        store.projects()
    _set_form(tmp_path, form)
    for ask in (store.projects, database.changes):
        with pytest.raises(StoreError, match=words):
            ask()
    _set_form(tmp_path, len(MIGRATIONS))
    assert store.projects() == []
    database.changes()
    database.close()


def _set_form(home: Path, form: int) -> None:
    with closing(sqlite3.connect(home / DATABASE_NAME)) as connection:
        connection.execute(f"PRAGMA user_version = {form}")


def test_each_question_has_a_connection(tmp_path: Path) -> None:
    """Two questions are under way at the same time."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
    store, database = open_reader(tmp_path)
    found: list[int] = []
    with database.read():
        thread = threading.Thread(target=lambda: found.append(len(store.runs())))
        thread.start()
        thread.join(GENEROUS)
    assert found == [1]
    database.close()


def test_threads_that_have_ended_leave_nothing_open(tmp_path: Path) -> None:
    """A dashboard that is open for weeks looks at its folders in threads that end."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
    store, database = open_reader(tmp_path)
    store.runs()
    before = _opened()
    for _ in range(50):
        thread = threading.Thread(target=store.runs)
        thread.start()
        thread.join(GENEROUS)
    assert _opened() < before + 50
    database.close()


def test_a_question_under_way_outlasts_the_end(tmp_path: Path) -> None:
    """A connection is never closed under somebody who reads, and stays open for nobody."""
    with open_store(tmp_path, TODAY) as writer:
        keep(writer, "a" * 13, tmp_path / "p", Outcome.SUCCESS)
    before = _opened()
    store, database = open_reader(tmp_path)
    with database.read() as connection:
        store.runs()
        database.close()
        assert connection.execute("SELECT count(*) FROM run").fetchone()[0] == 1
    assert _opened() <= before


def _opened() -> int:
    """Return how many files, or whatever else, this process has open."""
    if sys.platform == "win32":
        return psutil.Process().num_handles()
    return psutil.Process().num_fds()
