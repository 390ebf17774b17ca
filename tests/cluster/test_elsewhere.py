"""What a runner that is gone has left in a cluster that the next run does not ask."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from python_runner import run_project
from python_runner.model import Outcome
from tests.support import COMMAND, QUICK, wait_until


if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.bench import Bench
    from tests.servers.cluster import DaskCluster
    from tests.support import MakeProject

pytestmark = [
    pytest.mark.slow,
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

#: Says what is there beside it: who runs it holds a lock until its end.
ALONE = """if True:
    import fcntl, sys, time
    from pathlib import Path
    file = open("alone", "a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another one is running")
    first = not Path("begun").exists()
    Path("begun").touch()
    time.sleep(600 if first else 0)
"""


def _killed(folder: Path, address: str, prefix: tuple[str, ...] = ()) -> None:
    """Kill a coordinator whose script runs."""
    with subprocess.Popen(
        [*prefix, *COMMAND, "run", str(folder), "--on", address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as runner:
        wait_until((folder / "begun").exists)
        runner.kill()


@pytest.mark.fault(
    "cluster",
    "The coordinator is killed, and the next run of the project is not in that cluster",
    "It waits until what the workers may be running has surely ended, and says so.",
)
def test_a_run_here_waits_for_the_leases(
    make_project: MakeProject,
    dask_cluster: DaskCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workers are other computers: their processes hold no lock of this one."""
    monkeypatch.setattr("python_runner.cluster.coordinator.ENDED_AFTER", 1.5)
    dask_cluster.worker()
    folder = make_project(sources={"main.py": ALONE})
    _killed(folder, dask_cluster.address)

    begin = time.monotonic()
    result = run_project(folder)
    assert time.monotonic() - begin > 1.5
    assert result.scripts[0].status is Outcome.SUCCESS
    (said,) = [text for text in map(str, result.warnings) if "did not wait" in text]
    assert dask_cluster.address in said

    # Once is enough.
    assert not [w for w in map(str, run_project(folder).warnings) if "did not" in w]


@pytest.mark.skipif(QUICK, reason="takes long; the weekly job runs it")
def test_a_worker_whose_processes_are_not_seen(
    make_project: MakeProject, dask_cluster: DaskCluster
) -> None:
    """Of another computer, as far as processes go: nothing runs beside itself."""
    alone = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs the right to make namespaces")
    dask_cluster.worker()
    folder = make_project(sources={"main.py": ALONE})
    _killed(folder, dask_cluster.address, alone)
    done = subprocess.run(
        [*alone, *COMMAND, "run", str(folder)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_who_does_not_wait_leaves_a_note(
    bench: Bench, dask_cluster: DaskCluster
) -> None:
    """Ctrl-C twice while a worker is silent: the cluster knows what it has left."""
    if sys.platform == "win32":
        pytest.skip("needs signals")
    worker = dask_cluster.worker()
    thread = bench.begin()
    assert not bench.cluster.has_left(bench.project)
    worker.send_signal(signal.SIGSTOP)
    bench.stop.request(kill=True)
    thread.join()
    assert bench.cluster.has_left(bench.project)
