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
        self.folder = folder
        self.variables = variables
        self._begun = 0
        self._workers: list[subprocess.Popen[bytes]] = []
        self._file = folder / "scheduler.json"
        self._options = options
        self.scheduler = self._start_scheduler(0)
        self.address: str = json.loads(self._file.read_text("utf-8"))["address"]
        self.port = int(self.address.rpartition(":")[2])

    def _start_scheduler(self, port: int) -> subprocess.Popen[bytes]:
        host = ["--host", "127.0.0.1", "--no-dashboard", "--no-show"]
        self._file.unlink(missing_ok=True)
        process = self._start(
            *("", "scheduler", *host, "--port", str(port)),
            *(*self._scheduler_file(), *self._options),
        )
        wait_until(self._file.exists)
        wait_until(self._file.read_text)
        return process

    def restart(self) -> None:
        """Kill the scheduler, and start another one at its address."""
        self.scheduler.kill()
        self.scheduler.wait()
        self.scheduler = self._start_scheduler(self.port)

    def worker(
        self,
        *options: str,
        before: str = "",
        address: str = "",
        prefix: tuple[str, ...] = (),
        **variables: str,
    ) -> subprocess.Popen[bytes]:
        """Start a worker; it runs ``before`` first, below the command ``prefix``."""
        known = self._count()
        process = self._start(
            before,
            *("worker", address or self.address, "--no-nanny", "--no-dashboard"),
            *("--nthreads", "1", "--host", "127.0.0.1"),
            *("--local-directory", str(self.folder / "space"), *options),
            prefix=prefix,
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
        self,
        before: str,
        *arguments: str,
        prefix: tuple[str, ...] = (),
        **variables: str,
    ) -> subprocess.Popen[bytes]:
        self._begun += 1
        log = self.folder / f"{self._begun}_{arguments[0]}.log"
        with log.open("wb") as stream:
            return subprocess.Popen(
                [*prefix, sys.executable, "-c", f"{before}\n{_START}", *arguments],
                env=os.environ | self.variables | variables,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _count(self) -> int:
        """Return how many workers have told that they are there."""
        logs = self.folder.glob("*_worker.log")
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
