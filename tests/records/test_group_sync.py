"""Who commits while another one waits for the disk waits with the next one, once."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from python_runner.records.database import Database
from python_runner.records.group_sync import GroupSync
from tests.support import GENEROUS


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    """Return an open file."""
    return os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)


def test_those_who_come_meanwhile_wait_once(descriptor: int) -> None:
    """Nine commits during one sync need one more; each is on the disk when told so."""
    written, syncs = 0, []
    may_end, begun = threading.Event(), threading.Event()

    def sync(_descriptor: int) -> None:
        kept = written
        begun.set()
        assert may_end.wait(GENEROUS)
        syncs.append(kept)

    together = GroupSync(descriptor, sync)

    def wait(number: int) -> None:
        together.wait(number)
        assert max(syncs) >= number

    with ThreadPoolExecutor(10) as pool:
        written = together.commit()
        first = pool.submit(wait, 1)
        assert begun.wait(GENEROUS)
        for _ in range(9):
            written = together.commit()
        others = [pool.submit(wait, number) for number in range(2, 11)]
        may_end.set()
        for one in (first, *others):
            one.result(GENEROUS)
    assert syncs == [1, 10]
    together.close()


def test_what_did_not_reach_the_disk_is_told(descriptor: int) -> None:
    """A sync that fails is no success for anybody; nor is one of a closed file."""
    syncs: list[int] = []

    def sync(number: int) -> None:
        syncs.append(number)
        if len(syncs) != 2:
            raise OSError(5, "Input/output error")

    together = GroupSync(descriptor, sync)
    first = together.commit()
    with pytest.raises(OSError, match="Input/output"):
        together.wait(first)
    together.wait(first)
    second = together.commit()
    together.close()
    with pytest.raises(OSError, match="descriptor"):
        together.wait(second)
    together.wait(first)
    with pytest.raises(OSError):  # noqa: PT011 - each platform has its own words
        os.fstat(descriptor)


def test_threads_that_write_at_once_sync_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All they wrote is there, and the disk was waited for less often than they wrote."""
    if sys.platform != "linux":
        pytest.skip("SQLite syncs alone there")
    syncs: list[int] = []
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        syncs.append(descriptor)
        real(descriptor)
        # As long as others need to come.
        threading.Event().wait(0.02)

    monkeypatch.setattr(os, "fdatasync", slow)

    def prepare(opened: Database) -> None:
        with opened.write() as connection:
            connection.execute("CREATE TABLE t (x)")

    records = Database(tmp_path / "records", prepare)

    def write(number: int) -> None:
        for _ in range(5):
            with records.write() as connection:
                connection.execute("INSERT INTO t VALUES (?)", (number,))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with records.read() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 40
    records.close()
    assert 0 < len(syncs) < 30
