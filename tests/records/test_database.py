from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from python_runner.exceptions import PythonRunnerError
from python_runner.model import Run, RunStatus
from python_runner.records import damage as damage_
from python_runner.records import database
from python_runner.records.database import write_ahead_log
from python_runner.records.schema import MIGRATIONS, require_sqlite
from python_runner.records.store import DATABASE_NAME, Store, StoreError, open_store
from python_runner.records.write_lock import Occupied, WriteLock
from tests.support import GENEROUS, with_tests_importable


NOW = datetime(2026, 11, 24, 3, 0, 7, tzinfo=UTC)
#: Keeps processes from setting the same file aside; empty, and never deleted.
LOCK = f"{DATABASE_NAME}.lock"
SET_ASIDE = "records.sqlite3.corrupt-2026-11-24_03-00-07"

#: Writes runs into a folder and says so after each, often empties the write-ahead log,
#: and now and then closes the file.
WRITER = """
import sys
from pathlib import Path
from python_runner.records import database
from python_runner.records.store import open_store
from tests.records.test_database import NOW, a_run

database._WRITES = 3
home, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for ten in range(0, count, 10):
    with open_store(home, NOW) as store:
        for number in range(ten, ten + 10):
            store.end_run(a_run(f"{name}{number:06}", home, "p" * 2000), [], NOW)
            print(number, flush=True)
"""


def a_run(run_id: str, home: Path, project: str = "project_1") -> Run:
    """Return an ended run without scripts."""
    return Run(
        run_id=run_id,
        project=project,
        path=home,
        status=RunStatus.SUCCESS,
        started_at=NOW,
        duration=1.0,
    )


def fill(home: Path, runs: int = 1, project: str = "project_1") -> None:
    """Make records in ``home`` that hold some runs."""
    with open_store(home, NOW) as store:
        for number in range(runs):
            store.end_run(a_run(f"{number:x}", home, project), [], NOW)


def files(home: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in home.iterdir()}


def overwrite(path: Path, offset: int, junk: bytes) -> None:
    """Damage a file in place."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(junk)


def journal_mode(path: Path) -> str:
    """Return what a connection of its own finds."""
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def pragma(store: Store, name: str) -> object:
    """Return a setting of the store's own connection."""
    connection = store._database._connection  # noqa: SLF001 - asked of SQLite itself
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def refuse(path: Path) -> None:
    """Make no file."""
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def test_new_records_say_nothing(tmp_path: Path) -> None:
    """The folder is made, the file is begun, and there is nothing to tell."""
    home = tmp_path / "state" / "python-runner"
    with open_store(home, NOW) as store:
        assert store.notice is None
        assert store.runs() == []
    assert files(home) == {DATABASE_NAME, LOCK}


@pytest.mark.fault(
    "secrets",
    "Another account looks into the records",
    "It can read neither folder, database nor copy.",
)
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_records_are_private(tmp_path: Path) -> None:
    """Tracebacks may hold secrets: nobody else reads folder, file and copy."""
    home = tmp_path / "home"
    fill(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / DATABASE_NAME).stat().st_mode) == 0o600
    with open_store(home, NOW) as store:
        store.backup(home / "copy")
    assert stat.S_IMODE((home / "copy").stat().st_mode) == 0o600


def test_records_are_found_again(tmp_path: Path) -> None:
    """What one process wrote, the next one reads."""
    fill(tmp_path)
    with open_store(tmp_path, NOW) as store:
        assert store.notice is None
        assert [run.run_id for run in store.runs()] == ["0"]


@pytest.mark.fault(
    "records",
    "The database is damaged",
    "It is kept under a dated name, new records begin, and people are told.",
)
@pytest.mark.parametrize(
    ("offset", "junk"),
    [
        pytest.param(0, b"this is no database at all", id="not a database"),
        pytest.param(4096 + 8, b"\xff" * 64, id="page"),
        pytest.param(100, b"\xff" * 200, id="schema"),
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, offset: int, junk: bytes) -> None:
    """It keeps every byte under a dated name, new records begin, and people know."""
    fill(tmp_path)
    path = tmp_path / DATABASE_NAME
    overwrite(path, offset, junk)
    damaged = path.read_bytes()
    with open_store(tmp_path, NOW) as store:
        assert SET_ASIDE in str(store.notice)
        assert store.runs() == []
        store.end_run(a_run("a", tmp_path), [], NOW)
    assert (tmp_path / SET_ASIDE).read_bytes() == damaged
    with open_store(tmp_path, NOW) as store:
        assert store.notice is None
        assert len(store.runs()) == 1


def test_a_truncated_file_is_set_aside(tmp_path: Path) -> None:
    """A file that lost its end is damaged too."""
    fill(tmp_path, 50)
    path = tmp_path / DATABASE_NAME
    os.truncate(path, path.stat().st_size - 4096 - 100)
    with open_store(tmp_path, NOW) as store:
        assert store.notice is not None
    assert (tmp_path / SET_ASIDE).exists()


def test_a_journal_goes_with_its_file(tmp_path: Path) -> None:
    """What belongs to the damaged file lies beside it, not beside the new one."""
    path = tmp_path / DATABASE_NAME
    path.write_bytes(b"junk" * 1000)
    # Ended, but kept, as a program with another journal mode leaves it.
    path.with_name(f"{path.name}-journal").write_bytes(bytes(4096))
    with open_store(tmp_path, NOW) as store:
        assert store.notice is not None
    assert (tmp_path / f"{SET_ASIDE}-journal").read_bytes() == bytes(4096)
    assert f"{DATABASE_NAME}-journal" not in files(tmp_path)


@pytest.mark.parametrize("width", [10, 20_000], ids=["small", "large"])
@pytest.mark.fault(
    "records",
    "A copy is put in the place of records whose write-ahead log was left there",
    "The copy is used; the log is set aside, and the next run says so.",
)
def test_the_log_of_other_records_is_not_moved_into_a_copy(
    tmp_path: Path, width: int
) -> None:
    """A kill leaves a log; a copy that somebody puts back does not belong to it."""
    path, copy = tmp_path / DATABASE_NAME, tmp_path / "copy"
    fill(tmp_path, 90, project="x" * width)
    shutil.copyfile(path, copy)
    fill(tmp_path, 300, project="y" * width)
    with open_store(tmp_path, NOW) as store:
        for number in range(9):
            store.end_run(a_run(f"late{number}", tmp_path, "z" * width), [], NOW)
        left = write_ahead_log(path).read_bytes()
    write_ahead_log(path).write_bytes(left)
    shutil.copyfile(copy, path)

    with open_store(tmp_path, NOW) as store:
        assert "write-ahead log" in str(store.notice)
        assert len(store.runs(limit=1000)) == 90
        store.end_run(a_run("new", tmp_path), [], NOW)
    assert (tmp_path / f"{SET_ASIDE}-wal").read_bytes() == left
    assert (tmp_path / SET_ASIDE).read_bytes() == copy.read_bytes()
    with open_store(tmp_path, NOW) as store:
        assert (store.notice, len(store.runs(limit=1000))) == (None, 91)


def read_bytes() -> int:
    """Return how many bytes this process has read."""
    found = re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text("utf-8"))
    assert found
    return int(found[1])


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="it tells what a process has read")
@pytest.mark.parametrize("killed", [False, True])
def test_records_beside_a_reader_are_not_read_whole_at_each_opening(
    tmp_path: Path, *, killed: bool
) -> None:
    """A reader keeps the log, which a checkpoint leaves older than the database."""
    path = tmp_path / DATABASE_NAME
    fill(tmp_path, 300, project="p" * 2000)
    with open_store(tmp_path, NOW), open_store(tmp_path, NOW) as store:
        store.end_run(a_run("late", tmp_path), [], NOW)
        # Longer than the clock of the file system takes from one time to the next.
        time.sleep(0.05)
        if killed:
            store._database._connection.execute("PRAGMA wal_checkpoint")  # noqa: SLF001
        else:
            store.close()
        assert write_ahead_log(path).stat().st_size
        looks = []
        for _ in range(2):
            before = read_bytes()
            with open_store(tmp_path, NOW) as other:
                assert other.notice is None
            looks.append(read_bytes() - before)
    # After a checkpoint that was cut before its end one look is taken.
    assert (looks[0] > path.stat().st_size) is killed
    assert looks[1] < path.stat().st_size / 4


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_state_folders_that_share_records_by_a_link_share_their_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes through a link waits for who writes to the file itself."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    home, other = tmp_path / "home", tmp_path / "other"
    fill(home)
    other.mkdir()
    (other / DATABASE_NAME).symlink_to(home / DATABASE_NAME)
    with open_store(other, NOW) as store, WriteLock(home / DATABASE_NAME).held(0):
        assert len(store.runs()) == 1
        with pytest.raises(StoreError, match="locked by another program"):
            store.end_run(a_run("a", other), [], NOW)
    assert files(other) == {DATABASE_NAME}
    # What it leads to is what is damaged, and what is set aside.
    overwrite(home / DATABASE_NAME, 0, b"junk" * 100)
    with open_store(other, NOW) as store:
        assert (store.notice is None, store.runs()) == (False, [])
    assert (home / SET_ASIDE).is_file()
    assert (other / DATABASE_NAME).is_symlink()


@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_what_stands_in_the_place_of_a_companion_is_named(
    tmp_path: Path, companion: str
) -> None:
    """Nobody looks for what is wrong with a file that is sound."""
    fill(tmp_path)
    obstacle = tmp_path / f"{DATABASE_NAME}{companion}"
    obstacle.mkdir()
    with (
        pytest.raises(StoreError, match=re.escape(f"{obstacle} cannot be opened")),
        open_store(tmp_path, NOW) as store,
    ):
        store.end_run(a_run("a", tmp_path), [], NOW)
    obstacle.rmdir()
    with open_store(tmp_path, NOW) as store:
        assert (store.notice, len(store.runs())) == (None, 1)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_records_that_were_read_only_are_written_again(tmp_path: Path) -> None:
    """What was made beside them at that time has their mode, and gets the new one."""
    path = tmp_path / DATABASE_NAME
    fill(tmp_path)
    with open_store(tmp_path, NOW) as store:
        store.end_run(a_run("a", tmp_path), [], NOW)
        beside = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
        for companion in beside:
            companion.chmod(0o400)
        with open_store(tmp_path, NOW):
            modes = {stat.S_IMODE(companion.stat().st_mode) for companion in beside}
    assert modes == {0o600}


def test_a_log_that_belongs_to_its_records_is_kept(tmp_path: Path) -> None:
    """A whole folder that is put back, as a kill has left it, is looked at closely."""
    path = tmp_path / DATABASE_NAME
    fill(tmp_path, 90, project="x" * 20_000)
    with open_store(tmp_path, NOW) as store:
        store.end_run(a_run("late", tmp_path), [], NOW)
        left = write_ahead_log(path).read_bytes(), path.read_bytes()
    write_ahead_log(path).write_bytes(left[0])
    path.write_bytes(left[1])
    with open_store(tmp_path, NOW) as store:
        assert (store.notice, len(store.runs(limit=1000))) == (None, 91)


def test_two_damaged_files_of_one_second_are_both_kept(tmp_path: Path) -> None:
    """A name that is taken is not taken again."""
    for junk in (b"first " * 100, b"second " * 100, b"third " * 100):
        (tmp_path / DATABASE_NAME).write_bytes(junk)
        open_store(tmp_path, NOW).close()
    kept = [path.read_bytes()[:5] for path in sorted(tmp_path.glob("*corrupt*"))]
    assert kept == [b"first", b"secon", b"third"]


def test_damage_met_in_use_is_found_at_the_next_opening(tmp_path: Path) -> None:
    """A file too large to be checked each time is checked once it gave trouble."""
    fill(tmp_path, 400, project="x" * 20_000)
    path = tmp_path / DATABASE_NAME
    size = path.stat().st_size
    assert size > 4_000_000
    # Everything but the first pages: the schema is whole.
    overwrite(path, size // 2, b"\xff" * (size - size // 2))
    with open_store(tmp_path, NOW) as store:
        assert store.notice is None
        with pytest.raises(StoreError, match="is damaged"):
            store.runs(limit=1000)
    with open_store(tmp_path, NOW) as store:
        assert store.notice is not None
        assert store.runs() == []


def test_a_false_alarm_is_forgotten(tmp_path: Path) -> None:
    """A suspected file that proves sound goes on, and is not suspected again."""
    fill(tmp_path)
    database.suspicion(tmp_path / DATABASE_NAME).touch()
    with open_store(tmp_path, NOW) as store:
        assert store.notice is None
        assert len(store.runs()) == 1
    assert files(tmp_path) == {DATABASE_NAME, LOCK}


@pytest.mark.fault(
    "records",
    "Tables of the database are missing, or it is another program's",
    "It is kept under a dated name, new records begin, and people are told.",
)
@pytest.mark.parametrize(
    "damage",
    [
        *(f"DROP TABLE {table}" for table in ("log", "message", "project", "result")),
        "ALTER TABLE run DROP COLUMN mail",
        "ALTER TABLE attempt RENAME TO kept",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 0",
    ],
)
def test_a_database_that_is_not_ours_is_set_aside(tmp_path: Path, damage: str) -> None:
    """What SQLite finds sound may lack our tables: new records begin."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute(damage)
        connection.commit()
    with open_store(tmp_path, NOW) as store:
        assert SET_ASIDE in str(store.notice)
        store.end_run(a_run("a", tmp_path), [], NOW)
        assert [run.run_id for run in store.runs()] == ["a"]
    assert SET_ASIDE in files(tmp_path)


@pytest.mark.fault(
    "records",
    "The disk of the records is full or read-only when they are opened",
    "They can be read all the same.",
)
@pytest.mark.posix
@pytest.mark.parametrize("refusal", ["journal", "folder"])
def test_what_takes_nothing_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    """A full disk takes no journal, a folder that is read-only no file."""
    fill(tmp_path)
    if refusal == "folder":
        (tmp_path / LOCK).unlink()
        monkeypatch.setattr(damage_, "private_file", refuse)
    else:
        # SQLite cannot make it.
        (tmp_path / f"{LOCK}-journal").mkdir()
    with open_store(tmp_path, NOW) as store:
        assert len(store.runs()) == 1


@pytest.mark.fault(
    "records",
    "Several processes meet the damage at once",
    "One new database begins, and all share it.",
)
def test_processes_that_meet_damage_together_begin_one_new_file(tmp_path: Path) -> None:
    """However many find the damage, it is set aside once and all share the new file."""
    (tmp_path / DATABASE_NAME).write_bytes(b"junk" * 1000)
    code = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from python_runner.model import Run, RunStatus
from python_runner.records.store import open_store
home, run_id = Path(sys.argv[1]), sys.argv[2]
now = datetime.now(UTC)
sys.stdin.readline()
with open_store(home, now) as store:
    store.end_run(Run(run_id=run_id, project="p", path=home, duration=1.0,
        status=RunStatus.SUCCESS, started_at=now), [], now)
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), f"{number}"],
            stdin=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    assert len(list(tmp_path.glob("*corrupt*"))) == 1
    with open_store(tmp_path, NOW) as store:
        assert len(store.runs()) == 4


def test_many_open_new_records_at_once(tmp_path: Path) -> None:
    """Whoever comes second finds the tables made."""
    notices: list[object] = []
    together = threading.Barrier(8)

    def use() -> None:
        together.wait()
        with Store(tmp_path / DATABASE_NAME) as store:
            notices.append(store.notice)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notices == [None] * 8


@pytest.mark.fault(
    "records",
    "The database was written by a newer version",
    "It is not touched, and people know why.",
)
def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    """An older program does not touch what it may not understand."""
    fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer version of Python Runner"):
        open_store(tmp_path, NOW)
    assert files(tmp_path) == {DATABASE_NAME, LOCK}


def test_an_old_sqlite_is_refused() -> None:
    """It would take our tables for damage: nothing is opened, and people know why."""
    with pytest.raises(StoreError, match=r"SQLite 3\.37\.0 or newer.*has 3\.34\.1"):
        require_sqlite((3, 34, 1))


@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def test_every_journal_mode_becomes_a_write_ahead_log(
    tmp_path: Path, mode: str
) -> None:
    """Records of an older version, or that somebody switched, are switched."""
    fill(tmp_path)
    path = tmp_path / DATABASE_NAME
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
    with open_store(tmp_path, NOW) as store:
        assert len(store.runs()) == 1
        assert journal_mode(path) == "wal"
        store.end_run(a_run("a", tmp_path), [], NOW)
        assert write_ahead_log(path).stat().st_size > 0
    assert files(tmp_path) == {DATABASE_NAME, LOCK}


def test_an_older_version_takes_the_records_back(tmp_path: Path) -> None:
    """It switches the journal mode itself, and finds everything."""
    fill(tmp_path, 3)
    path = tmp_path / DATABASE_NAME
    with closing(sqlite3.connect(path)) as older:
        assert older.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        assert older.execute("SELECT count(*) FROM run").fetchone() == (3,)


def test_an_older_version_that_has_them_open_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it reads the mode stays, and what is written is as safe as ever."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.3)
    fill(tmp_path)
    path = tmp_path / DATABASE_NAME
    with closing(sqlite3.connect(path)) as older:
        older.execute("PRAGMA journal_mode = DELETE")
        older.execute("BEGIN")
        older.execute("SELECT count(*) FROM run").fetchone()
        with open_store(tmp_path, NOW) as store:
            assert pragma(store, "journal_mode") == "delete"
            assert pragma(store, "synchronous") == 3
            older.rollback()
            store.end_run(a_run("a", tmp_path), [], NOW)
    with open_store(tmp_path, NOW) as store:
        assert len(store.runs()) == 2
        assert pragma(store, "journal_mode") == "wal"


def test_a_network_drive_gets_no_write_ahead_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its index lies in the memory of one machine: what is moved there is switched back."""
    fill(tmp_path)
    monkeypatch.setattr(database, "is_remote", lambda _path: True)
    with open_store(tmp_path, NOW) as store:
        assert pragma(store, "journal_mode") == "delete"
        assert pragma(store, "synchronous") == 3
        store.end_run(a_run("a", tmp_path), [], NOW)
        assert files(tmp_path) == {DATABASE_NAME, LOCK}


def test_a_log_without_its_database_is_kept(tmp_path: Path) -> None:
    """SQLite would throw away what a killed process has committed there."""
    fill(tmp_path)
    path = tmp_path / DATABASE_NAME
    store = open_store(tmp_path, NOW)
    store.end_run(a_run("a", tmp_path), [], NOW)
    left = write_ahead_log(path).read_bytes()
    store.close()
    path.unlink()
    write_ahead_log(path).write_bytes(left)
    with open_store(tmp_path, NOW) as store:
        assert SET_ASIDE in str(store.notice)
        assert store.runs() == []
    assert (tmp_path / f"{SET_ASIDE}-wal").read_bytes() == left


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="nobody moves an open file there")
@pytest.mark.parametrize("way", ["moved", "deleted", "replaced"])
def test_what_was_written_stays_with_the_file_that_was_moved(
    tmp_path: Path, way: str
) -> None:
    """Nothing of a file that is gone gets into the one that takes its place."""
    other = tmp_path / "other"
    fill(other, 2)
    home, moved = tmp_path / "home", tmp_path / "moved"
    path = home / DATABASE_NAME
    with open_store(home, NOW) as store, open_store(home, NOW) as second:
        store.end_run(a_run("a", home), [], NOW)
        assert len(second.runs()) == 1
        path.rename(moved)
        if way == "replaced":
            (other / DATABASE_NAME).rename(path)
        store.end_run(a_run("b", home), [], NOW)
        second.end_run(a_run("c", home), [], NOW)
        found = {run.run_id for run in store.runs()}
        assert found == ({"0", "1", "b", "c"} if way == "replaced" else {"b", "c"})
        if way == "deleted":
            moved.unlink()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    if way != "deleted":
        with closing(sqlite3.connect(moved)) as connection:
            query = "SELECT run_id FROM run"
            assert connection.execute(query).fetchall() == [("a",)]


@pytest.mark.fault(
    "records",
    "A runner stops while it writes, and never goes on",
    "The others do without records after one wait, and say so.",
)
def test_a_writer_that_never_ends_costs_one_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited in vain waits less for each further write; reading goes on."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.3)
    monkeypatch.setattr(database, "_BUSY_AGAIN_SECONDS", 0.0)
    fill(tmp_path)
    stuck = WriteLock(tmp_path / DATABASE_NAME)
    with open_store(tmp_path, NOW) as store:
        with stuck.held(0.0):
            for _ in range(2):
                with pytest.raises(StoreError, match="locked by another program"):
                    store.end_run(a_run("a", tmp_path), [], NOW)
            assert store._database._patience == 0.0  # noqa: SLF001 - what it waits next
            assert len(store.runs()) == 1
        store.end_run(a_run("a", tmp_path), [], NOW)
        assert store._database._patience == 0.3  # noqa: SLF001 - likewise
    stuck.close()


def test_a_lock_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    """Whoever comes next locks the file that the others lock."""
    first, second = WriteLock(tmp_path / "r"), WriteLock(tmp_path / "r")
    with first.held(0.0):
        pass
    if sys.platform != "win32":
        (tmp_path / "r.lock").unlink()
    with second.held(0.0), pytest.raises(Occupied), first.held(0.01):
        pass
    first.close()
    second.close()


@pytest.mark.slow
def test_processes_write_at_once_and_one_is_killed(memory_folder: Path) -> None:
    """Each finds what it was told is kept; the database stays sound."""

    def start(name: str, count: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, memory_folder, name, str(count)],
            stdout=subprocess.PIPE,
            env=with_tests_importable(),
        )

    with start("a", 20) as one, start("b", 20) as two, start("c", 100_000) as victim:
        assert victim.stdout is not None
        for _ in range(15):
            victim.stdout.readline()
        victim.kill()
        told = 15 + len(victim.stdout.read().splitlines())
        for writer in (one, two):
            assert writer.communicate(timeout=GENEROUS)[0].count(b"\n") == 20
    with closing(sqlite3.connect(memory_folder / DATABASE_NAME)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with open_store(memory_folder, NOW) as store:
        kept = [run.run_id for run in store.runs(limit=100_000)]
    assert [sum(i.startswith(name) for i in kept) for name in "ab"] == [20, 20]
    # What it was killed in may have been kept, and not told.
    assert len(kept) - 40 - told in {0, 1}


def test_content_is_moved_with_no_writer_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that met a commit could lose pages, up to SQLite 3.51.2."""
    monkeypatch.setattr(database, "_WRITES", 3)
    met: list[str] = []
    writing = threading.Event()

    def trace(statement: str) -> None:
        if statement.startswith("BEGIN IMMEDIATE"):
            met.append("two writers" if writing.is_set() else "")
            writing.set()
        elif statement.startswith(("COMMIT", "ROLLBACK")):
            writing.clear()
        elif "wal_checkpoint" in statement:
            met.append("a writer" if writing.is_set() else "moved")

    def write(worker: int) -> None:
        with open_store(tmp_path, NOW) as store:
            store._database._connection.set_trace_callback(trace)  # noqa: SLF001
            for number in range(10):
                store.end_run(a_run(f"{worker}{number}", tmp_path), [], NOW)

    fill(tmp_path)
    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(met) == {"", "moved"}
    assert met.count("moved") >= 4 * (10 // 3)
    with open_store(tmp_path, NOW) as store:
        assert len(store.runs(limit=100)) == 41


def test_a_backup_is_one_file_that_needs_no_other(tmp_path: Path) -> None:
    """It can be read where nothing can be written beside it."""
    fill(tmp_path)
    with open_store(tmp_path, NOW) as store:
        store.backup(tmp_path / "copy")
    assert journal_mode(tmp_path / "copy") == "delete"
    assert files(tmp_path) == {DATABASE_NAME, LOCK, "copy"}


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    """What the file system refuses is a StoreError that names the file."""
    home = tmp_path / "home"
    home.write_text("not a folder", encoding="utf-8")
    with pytest.raises(StoreError, match=re.escape(str(home))) as caught:
        open_store(home, NOW)
    assert isinstance(caught.value, PythonRunnerError)
    assert caught.value.reason.values["file"] == str(home / DATABASE_NAME)


def test_a_file_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    """What cannot be opened is not damaged: nothing is set aside."""
    (tmp_path / DATABASE_NAME).mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path, NOW)
    assert files(tmp_path) == {DATABASE_NAME}


@pytest.mark.fault(
    "records",
    "Another program locks the database",
    "The run goes on without it after a wait, and says so.",
)
def test_a_locked_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits too long goes on without records, and nothing is set aside."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    fill(tmp_path)
    with (
        open_store(tmp_path, NOW) as store,
        closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked by another program"):
            store.end_run(a_run("a", tmp_path), [], NOW)
        # It keeps nobody from reading.
        assert len(store.runs()) == 1
        with open_store(tmp_path, NOW) as reader:
            assert len(reader.runs()) == 1
        other.rollback()
        store.end_run(a_run("a", tmp_path), [], NOW)
        assert len(store.runs()) == 2
    assert files(tmp_path) == {DATABASE_NAME, LOCK}


def test_who_waited_in_vain_waits_less_until_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run has many transactions; only the first of them waits as long as usual."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.7)
    fill(tmp_path)

    def patience(store: Store) -> int:
        with suppress(StoreError):
            store.end_run(a_run("a", tmp_path), [], NOW)
        # To read, nothing is waited for: it tells nothing.
        assert store.runs()
        connection = store._database._connection  # noqa: SLF001 - asked of SQLite itself
        return int(connection.execute("PRAGMA busy_timeout").fetchone()[0])

    with (
        open_store(tmp_path, NOW) as store,
        closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        assert patience(store) == patience(store) == 500
        other.rollback()
        assert patience(store) == 700


@pytest.mark.fault(
    "records",
    "Somebody reads the records all the time",
    "No run waits for it.",
)
def test_a_reader_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit does not wait for those who read; they see the moment at which they began."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.0)
    fill(tmp_path)
    with (
        open_store(tmp_path, NOW) as store,
        closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as reader,
    ):
        count = "SELECT count(*) FROM run"
        reader.execute("BEGIN")
        assert reader.execute(count).fetchone() == (1,)
        for number in range(3):
            store.end_run(a_run(f"a{number}", tmp_path), [], NOW)
        assert reader.execute(count).fetchone() == (1,)
        reader.rollback()
        assert reader.execute(count).fetchone() == (4,)


def test_a_closed_store_is_an_error(tmp_path: Path) -> None:
    """A late thread gets a StoreError, not a crash."""
    store = open_store(tmp_path, NOW)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.runs()


@pytest.mark.posix
@pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("setpriv"), reason="needs setpriv"
)
def test_another_account_reads_what_it_cannot_write() -> None:
    """A folder that takes no file of theirs is read as it is, and written by nobody."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home)
        assert journal_mode(home / DATABASE_NAME) == "wal"
        (home / DATABASE_NAME).chmod(0o444)
        home.chmod(0o555)
        read_as_another_user(home)


def read_as_another_user(home: Path) -> None:
    """Let an account that is nobody's read the one run, and fail to write."""
    code = f"""
from pathlib import Path
from python_runner.records.schema import migrate
from python_runner.records.store import Store, StoreError
with Store(Path({str(home / DATABASE_NAME)!r})) as store:
    print(len(store.runs()))
    try:
        store.begin_attempt("0", 1, None)
    except StoreError as error:
        print(error)
"""
    done = subprocess.run(
        [
            *("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"),
            *(sys.executable, "-c", code),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("another user cannot start this interpreter")
    count, _, refusal = done.stdout.partition("\n")
    assert count == "1", done.stderr
    assert "read-only" in refusal or "cannot be opened" in refusal


def test_a_read_only_file_is_an_error(tmp_path: Path) -> None:
    """Records that cannot be written can still be read."""
    fill(tmp_path)
    path = tmp_path / DATABASE_NAME
    path.chmod(stat.S_IREAD)
    try:
        if os.access(path, os.W_OK):
            pytest.skip("this account may write everything")
        with Store(path) as store:
            assert len(store.runs()) == 1
            with pytest.raises(StoreError, match="read-only"):
                store.end_run(a_run("a", tmp_path), [], NOW)
            with pytest.raises(StoreError, match="read-only"):
                store.require_writable()
    finally:
        path.chmod(stat.S_IREAD | stat.S_IWRITE)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="limits are POSIX")
def test_a_full_disk_costs_only_what_came_too_late(tmp_path: Path) -> None:
    """A write that finds no space is an error; what was there stays, all of it."""
    code = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from python_runner.model import Run, RunStatus
from python_runner.records.store import StoreError, open_store
home, now = Path(sys.argv[1]), datetime.now(UTC)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
written = 0
with open_store(home, now) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
    try:
        while True:
            store.end_run(Run(run_id=f"{written:x}", project="p" * 5_000, path=home,
                status=RunStatus.SUCCESS, started_at=now, duration=1.0), [], now)
            written += 1
    except StoreError as error:
        assert len(store.runs(limit=1000)) == written
        print(written, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    written, _, sentence = done.stdout.partition(" ")
    assert int(written) > 10
    assert str(tmp_path) in sentence
    with open_store(tmp_path, NOW) as store:
        assert store.notice is None
        assert len(store.runs(limit=1000)) == int(written)
        store.end_run(a_run("fff", tmp_path), [], NOW)


def test_errors_of_the_file_system_are_translated(tmp_path: Path) -> None:
    """The door turns an OSError into a sentence with the file and the reason."""
    with (
        pytest.raises(StoreError, match="No space left"),
        database.translated(tmp_path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
