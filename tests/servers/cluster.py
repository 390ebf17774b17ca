"""A real Dask scheduler and real worker processes, on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Starts dask's own command; what stands before it makes the process odd.
_START = "from dask.__main__ import main; main()"


class DaskCluster:
    """A scheduler, and workers that a test starts, holds and kills.

    Attributes:
        scheduler: its process.
        address: of the scheduler.
        variables: what all processes get beside the environment.
    """

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        self._folder = folder
        self.variables = variables
        self._begun = 0
        self._workers: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        host = ["--host", "127.0.0.1", "--no-dashboard", "--no-show"]
        self.scheduler = self._start(
            "", "scheduler", *host, "--port", "0", *self._scheduler_file(), *options
        )
        wait_until(self._file.exists)
        wait_until(self._file.read_text)
        self.address: str = json.loads(self._file.read_text("utf-8"))["address"]

    def worker(
        self, *options: str, before: str = "", **variables: str
    ) -> subprocess.Popen[bytes]:
        """Start a worker; it runs ``before`` first."""
        known = self._count()
        process = self._start(
            before,
            *("worker", self.address, "--no-nanny", "--no-dashboard"),
            *("--nthreads", "1", "--host", "127.0.0.1"),
            *("--local-directory", str(self._folder / "space"), *options),
            **variables,
        )
        self._workers.append(process)
        wait_until(lambda: self._count() > known)
        return process

    def close(self) -> None:
        """End all processes."""
        self.end_workers()
        self.scheduler.kill()
        self.scheduler.wait()

    def end_workers(self) -> None:
        """End the workers, also those that are held."""
        for process in self._workers:
            process.kill()
            process.wait()
        self._workers.clear()

    def _scheduler_file(self) -> tuple[str, str]:
        return "--scheduler-file", str(self._file)

    def _start(
        self, before: str, *arguments: str, **variables: str
    ) -> subprocess.Popen[bytes]:
        self._begun += 1
        log = self._folder / f"{self._begun}_{arguments[0]}.log"
        with log.open("wb") as stream:
            return subprocess.Popen(
                [sys.executable, "-c", f"{before}\n{_START}", *arguments],
                env=os.environ | self.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _count(self) -> int:
        """Return how many workers have told that they are there."""
        logs = self._folder.glob("*_worker.log")
        return sum(b"Registered to:" in log.read_bytes() for log in logs)


@pytest.fixture(scope="module")
def dask_scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """Return a scheduler that the tests of a module share."""
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    yield cluster
    cluster.close()


@pytest.fixture
def dask_cluster(dask_scheduler: DaskCluster) -> Iterator[DaskCluster]:
    """Return a scheduler without workers."""
    yield dask_scheduler
    dask_scheduler.end_workers()
