"""What becomes of a script when its worker, the scheduler or the coordinator is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import psutil
import pytest

from python_runner.cluster.coordinator import Cluster
from python_runner.exceptions import PythonRunnerError
from python_runner.masking import Masker
from python_runner.model import Outcome
from python_runner.model.cluster import ClusterPlace
from tests.cluster.bench import LEASE, Bench
from tests.servers.cluster import DaskCluster
from tests.support import COMMAND, QUICK, wait_until, with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support import MakeProject


pytestmark = [
    pytest.mark.slow,
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

#: Each starts processes of Dask, which takes seconds; on each change some of them do.
weekly = pytest.mark.skipif(QUICK, reason="takes long; the weekly job runs it")


@pytest.mark.fault(
    "cluster",
    "A worker is killed while it runs a script",
    "The script is interrupted, its processes end, and no other worker runs it again.",
)
def test_a_killed_worker(bench: Bench, dask_cluster: DaskCluster) -> None:
    """A script whose worker dies ends with it; the other worker does not begin it."""
    first = dask_cluster.worker()
    thread = bench.begin()
    dask_cluster.worker()

    first.kill()
    thread.join()

    (attempt,) = bench.attempts
    assert attempt.outcome is Outcome.INTERRUPTED
    assert "the contact with the worker tcp://" in str(attempt.reason)
    assert len(bench.pids()) == 1
    assert bench.is_over()


@pytest.mark.fault(
    "cluster",
    "A worker is held, as by a debugger or a machine that sleeps",
    "Its guard ends the script; it is interrupted, and is not run again when the worker goes on.",
)
def test_a_paused_worker(bench: Bench, dask_cluster: DaskCluster) -> None:
    """A worker that is held renews nothing: the script ends meanwhile."""
    if sys.platform == "win32":
        pytest.skip("needs signals")
    worker = dask_cluster.worker()
    thread = bench.begin()

    worker.send_signal(signal.SIGSTOP)
    thread.join()
    # Its parent reaps nothing as long as it is held: a zombie runs no more.
    (pid,) = bench.pids()
    assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    worker.send_signal(signal.SIGCONT)
    wait_until(bench.is_over)

    assert bench.attempts[0].outcome is Outcome.INTERRUPTED
    assert len(bench.pids()) == 1


def test_a_success_is_told_before_it_is_fetched(
    bench: Bench, dask_cluster: DaskCluster
) -> None:
    """Its event says all that the task returns; a failure has none."""
    dask_cluster.worker()
    script = bench.project.path / "main.py"
    script.write_text("print('loaded 7 rows')", encoding="utf-8")
    told = bench.run()
    assert told.outcome is Outcome.SUCCESS
    assert told.metrics
    assert [one.value for one in told.metrics.numbers] == [7]
    script.write_text("raise SystemExit(3)", encoding="utf-8")
    assert bench.run().exit_code == 3
    topic = bench.cluster._topic  # noqa: SLF001
    events = bench.cluster.connect().client.get_events(topic)
    ends = [event for _, event in events if "duration" in event]
    assert [end["duration"] for end in ends] == [told.duration]


@weekly
@pytest.mark.fault(
    "cluster",
    "The scheduler ends while scripts run",
    "They are interrupted and end; the next ones are run once it is there again.",
)
def test_a_lost_scheduler(bench: Bench, tmp_path: Path) -> None:
    """Without a scheduler nobody learns how a script ended: it is ended."""
    own = DaskCluster(tmp_path)
    own.worker()
    place = ClusterPlace(address=own.address)
    with Cluster(place, tmp_path / "home", LEASE) as cluster:
        bench.cluster = cluster
        thread = bench.begin()
        own.close()
        thread.join()
    assert bench.attempts[0].outcome is Outcome.INTERRUPTED
    wait_until(bench.is_over)


@pytest.mark.fault(
    "cluster",
    "The coordinator is killed while its scripts run in a cluster",
    "The workers hear nothing of it any more and end the scripts, within 30 seconds.",
)
def test_a_killed_coordinator(
    bench: Bench, dask_cluster: DaskCluster, tmp_path: Path
) -> None:
    """A script does not outlive its coordinator by more than the lease."""
    dask_cluster.worker()
    code = (
        "import sys\n"
        "from tests.cluster.bench import *\n"
        "from python_runner.model.cluster import ClusterPlace\n"
        "from python_runner.cluster.coordinator import Cluster\n"
        "from pathlib import Path\n"
        "place = ClusterPlace(address=sys.argv[1])\n"
        "bench = Bench(Path(sys.argv[2]), Cluster(place, Path(sys.argv[3]), LEASE))\n"
        "bench.run()\n"
    )
    bench.output.parent.rmdir()
    paths = (bench.project.path, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, dask_cluster.address, *map(str, paths)],
        env=with_tests_importable(),
    ) as coordinator:
        wait_until(bench.pids)
        coordinator.kill()
    wait_until(bench.is_over)


def test_a_stop_ends_the_script(bench: Bench, dask_cluster: DaskCluster) -> None:
    """Who stops a run stops its scripts on the workers; what waits never begins."""
    dask_cluster.worker()
    first = bench.begin()
    # There is one thread: this one waits in the scheduler.
    second = Thread(target=lambda: bench.attempts.append(bench.run()))
    second.start()
    time.sleep(0.5)

    bench.stop.request()
    first.join()
    second.join()

    assert [attempt.outcome for attempt in bench.attempts] == [Outcome.STOPPED] * 2
    assert {str(a.reason) for a in bench.attempts} == {"stopped together with its run"}
    assert len(bench.pids()) == 1
    wait_until(bench.is_over)


#: Notes itself and a child in a session of its own; neither minds to be asked.
STUBBORN = """if True:
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    with open("begun", "a") as file:
        print(os.getpid(), child.pid, file=file, flush=True)
    time.sleep(600)
"""


@pytest.mark.fault(
    "cluster",
    "A script on a worker runs for longer than its `timeout`, and ignores SIGTERM",
    "It is stopped with all that it started, and *timed out*, as on one computer.",
)
def test_a_timeout_ends_the_whole_tree(bench: Bench, dask_cluster: DaskCluster) -> None:
    """The worker stops it: the coordinator need not say a word."""
    (bench.project.path / "main.py").write_text(STUBBORN, "utf-8")
    dask_cluster.worker()
    attempt = bench.run(timeout=3.0)
    assert attempt.outcome is Outcome.TIMEOUT
    wait_until(bench.is_over)


def test_the_command_stop_ends_the_whole_tree(
    make_project: MakeProject, dask_cluster: DaskCluster
) -> None:
    """Another process asks: the tree on the worker ends, what is next never begins."""
    source = STUBBORN.replace("signal.SIG_IGN", "signal.SIG_DFL")
    folder = make_project(
        sources={"main.py": source, "next.py": "open('next', 'w')"},
        scripts=["main.py", "next.py"],
    )
    dask_cluster.worker()
    with subprocess.Popen(
        [*COMMAND, "run", str(folder), "--on", dask_cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as runner:
        begun = folder / "begun"
        wait_until(lambda: begun.exists() and begun.read_text("utf-8").endswith("\n"))
        subprocess.run([*COMMAND, "stop", str(folder)], check=True, capture_output=True)
        said, _ = runner.communicate(timeout=120)
    assert runner.returncode == 128 + signal.SIGTERM, said
    assert "main.py: stopped" in said
    assert not (folder / "next").exists()
    pids = [*map(int, begun.read_text("utf-8").split())]
    assert len(pids) == 2
    wait_until(lambda: not any(map(psutil.pid_exists, pids)))


@weekly
def test_an_earlier_coordinator_left_a_script(
    bench: Bench, dask_cluster: DaskCluster, tmp_path: Path
) -> None:
    """Who holds the lock of a project ends what an earlier run of it has left there."""
    dask_cluster.worker()
    thread = bench.begin()
    place = ClusterPlace(address=dask_cluster.address)

    with Cluster(place, tmp_path / "home", LEASE) as another:
        another.end_earlier(bench.project)
    assert bench.is_over()
    thread.join()


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        pytest.param(
            "import python_runner.version as v; v.__version__ = '0.9'",
            "it has version 0.9 of Python Runner",
            id="another version",
        ),
        pytest.param(
            "import sys; sys.modules['python_runner'] = None",
            "it lacks this version of Python Runner",
            id="no package",
        ),
    ],
)
def test_a_worker_that_differs(
    bench: Bench, dask_cluster: DaskCluster, before: str, problem: str
) -> None:
    """A worker that could not run the scripts is named before anything runs."""
    dask_cluster.worker()
    dask_cluster.worker(before=before)
    with pytest.raises(PythonRunnerError) as caught:
        bench.cluster.examine(bench.project, {})
    assert problem in str(caught.value)
    assert str(caught.value).count("tcp://") == 2


def test_resources_and_interpreters(bench: Bench, dask_cluster: DaskCluster) -> None:
    """What no worker offers, and an interpreter that is not there, is told before."""
    dask_cluster.worker("--resources", "GPU=1")

    def problem(resources: Mapping[str, float], command: str | None = None) -> str:
        scripts = tuple(replace(s, resources=resources) for s in bench.project.scripts)
        project = replace(bench.project, scripts=scripts)
        if command:
            project = replace(project, python_command=command)
        try:
            bench.cluster.examine(project, {})
        except PythonRunnerError as error:
            return str(error)
        return ""

    assert problem({}) == problem({"GPU": 1}) == ""
    assert "main.py needs GPU=2, which no worker offers" in problem({"GPU": 2})
    assert "main.py needs DISK=1" in problem({"DISK": 1})
    assert "does not exist" in problem({}, "nowhere/bin/python")


def test_workers_with_another_tree(
    bench: Bench, dask_cluster: DaskCluster, tmp_path: Path
) -> None:
    """Paths are mapped; output comes back, bounded and masked, where it cannot be written."""
    there = tmp_path / "there" / "project_1"
    there.mkdir(parents=True)
    noise = (
        "import os; print(os.getcwd()); print('s3cret-of-ours'); print('x' * 200_000)"
    )
    (there / "main.py").write_text(noise, "utf-8")
    (bench.project.path / "main.py").write_text(noise, "utf-8")
    dask_cluster.worker()
    place = ClusterPlace(
        address=dask_cluster.address,
        paths={str(bench.project.path.parent): str(there.parent)},
    )
    with Cluster(place, tmp_path / "home", LEASE) as cluster:
        bench.cluster = cluster
        attempt = bench.run(masker=Masker(["s3cret-of-ours"]))

    assert attempt.outcome is Outcome.SUCCESS, attempt
    text = bench.output.read_text("utf-8")
    assert text.startswith(f"{there}\n***\nxxx")
    assert len(text) < 101_000
    assert "bytes of its output were left out" in " ".join(map(str, attempt.warnings))
    assert not (there / "logs").exists()


def test_a_file_that_a_worker_cannot_write(
    bench: Bench, dask_cluster: DaskCluster, tmp_path: Path
) -> None:
    """It writes into the folder, but not this file: the output comes back all the same."""
    there = tmp_path / "there" / "project_1"
    blocked = there / bench.output.relative_to(bench.project.path)
    blocked.mkdir(parents=True)
    (there / "main.py").write_text("print('x' * 100)", "utf-8")
    space = tmp_path / "space"
    space.mkdir()
    dask_cluster.worker(TMPDIR=str(space))
    place = ClusterPlace(
        address=dask_cluster.address,
        paths={str(bench.project.path.parent): str(there.parent)},
    )
    with Cluster(place, tmp_path / "home", LEASE) as cluster:
        bench.cluster = cluster
        attempt = bench.run()
    assert attempt.outcome is Outcome.SUCCESS, attempt
    assert attempt.output is None
    assert bench.output.read_text("utf-8") == "x" * 100 + "\n"
    assert not [*space.glob("python-runner-*")]


@weekly
def test_a_full_disk_of_a_worker(
    bench: Bench, dask_cluster: DaskCluster, tmp_path: Path, small_disk: Path
) -> None:
    """A script runs where there is no room for its output, which is not lost in silence."""
    there = tmp_path / "there" / "project_1"
    there.mkdir(parents=True)
    (there / "main.py").write_text("print('x' * 100)", "utf-8")
    dask_cluster.worker(TMPDIR=str(small_disk))
    with pytest.raises(OSError, match="28"):
        (small_disk / "filler").write_bytes(b"x" * 3_000_000)
    place = ClusterPlace(
        address=dask_cluster.address,
        paths={str(bench.project.path.parent): str(there.parent)},
    )
    with Cluster(place, tmp_path / "home", LEASE) as cluster:
        bench.cluster = cluster
        attempt = bench.run()
    assert attempt.outcome is Outcome.SUCCESS, attempt
    kept = bench.output.exists() and "xxx" in bench.output.read_text("utf-8")
    assert kept or attempt.warnings


@weekly
def test_nobody_there(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that cannot be reached, or has no worker, is one sentence."""
    monkeypatch.setattr("python_runner.cluster.connection._CONNECTING", 0.5)
    with pytest.raises(PythonRunnerError, match="has no worker: start one first"):
        bench.cluster.examine(bench.project, {})
    place = ClusterPlace(address="tcp://127.0.0.1:9")
    with (
        Cluster(place, tmp_path / "home") as cluster,
        pytest.raises(PythonRunnerError, match="cannot be reached"),
    ):
        cluster.examine(bench.project, {})


@pytest.mark.fault(
    "cluster",
    "The last worker that offers what a script needs is killed before it began",
    "The script is not started, and the reason names the resource; the run goes on.",
)
def test_nobody_offers_what_it_needs_any_more(
    bench: Bench, dask_cluster: DaskCluster
) -> None:
    """Workers that cannot run a script keep it waiting no more than none at all."""
    dask_cluster.worker()
    able = dask_cluster.worker("--resources", "GPU=1")
    bench.cluster.connect()
    able.kill()
    able.wait()
    (script,) = bench.project.scripts
    scripts = (replace(script, resources={"GPU": 1.0}),)
    bench.project = replace(bench.project, scripts=scripts)
    attempt = bench.run()
    assert attempt.outcome is Outcome.NOT_STARTED
    assert attempt.transient
    assert "no worker offers GPU=1 any more" in str(attempt.reason)
    assert not bench.pids()
