"""What becomes of a script when the contact is lost, and when what comes back is odd."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from socket import create_server
from threading import Thread
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from python_runner.cluster.coordinator import Cluster
from python_runner.exceptions import PythonRunnerError
from python_runner.model import Outcome
from python_runner.model.cluster import ClusterPlace
from tests.cluster.bench import LEASE, Bench
from tests.servers.cluster import DaskCluster
from tests.servers.silent_proxy import SilentProxy
from tests.support import COMMAND, QUICK, wait_until, with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Iterator
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


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    """Return a scheduler that may be killed."""
    cluster = DaskCluster(tmp_path)
    yield cluster
    cluster.close()


@pytest.fixture
def proxy(dask_cluster: DaskCluster) -> Iterator[SilentProxy]:
    """Return the way to the scheduler, which can be cut."""
    proxy = SilentProxy(dask_cluster.port)
    yield proxy
    proxy.close()


@pytest.mark.fault(
    "cluster",
    "The network between coordinator and scheduler is cut while scripts run and wait",
    "What runs is ended and interrupted; what waits is not started, and never begins later.",
)
def test_what_waits_never_begins_once_it_was_given_up(
    bench: Bench,
    dask_cluster: DaskCluster,
    proxy: SilentProxy,
    make_project: MakeProject,
    tmp_path: Path,
) -> None:
    """A task that comes out of the queue too late is refused, on either side of the cut."""
    dask_cluster.worker()
    direct = bench.cluster
    place = ClusterPlace(address=f"tcp://127.0.0.1:{proxy.port}")
    with Cluster(place, tmp_path / "home", LEASE) as cluster:
        bench.cluster = cluster
        first = bench.begin()
        # There is one thread: this one waits in the scheduler.
        second = Thread(target=lambda: bench.attempts.append(bench.run()))
        second.start()
        wait_until(lambda: len(cluster._pending) == 2)  # noqa: SLF001
        proxy.cut()
        first.join()
        second.join()
        outcomes = sorted(attempt.outcome for attempt in bench.attempts)
        assert outcomes == [Outcome.INTERRUPTED, Outcome.NOT_STARTED]
        assert bench.is_over()
        proxy.mend()

        # Who gets the thread after it shows that its turn has passed.
        other = Bench(
            make_project("project_2", sources={"main.py": "print(1)"}), direct
        )
        assert other.run().outcome is Outcome.SUCCESS
    assert len(bench.pids()) == 1


@weekly
@pytest.mark.fault(
    "cluster",
    "The scheduler is killed and started again while scripts run and wait",
    "What runs is interrupted, what waits is not started; the next script runs, none beside another.",
)
def test_a_restarted_scheduler(bench: Bench, own_cluster: DaskCluster) -> None:
    """What it has forgotten lets no script run twice: it never decided that."""
    own_cluster.worker()
    place = ClusterPlace(address=own_cluster.address)
    with Cluster(place, own_cluster.folder / "home", LEASE) as cluster:
        bench.cluster = cluster
        first = bench.begin()
        second = Thread(target=lambda: bench.attempts.append(bench.run()))
        second.start()
        wait_until(lambda: len(cluster._pending) == 2)  # noqa: SLF001
        own_cluster.restart()
        first.join()
        second.join()
        outcomes = sorted(attempt.outcome for attempt in bench.attempts)
        assert outcomes == [Outcome.INTERRUPTED, Outcome.NOT_STARTED]
        assert bench.is_over()

        own_cluster.worker()
        again = Thread(target=lambda: bench.attempts.append(bench.run()))
        again.start()
        wait_until(lambda: len(bench.pids()) == 2)
        bench.stop.request(kill=True)
        again.join()
    assert len(bench.pids()) == 2
    assert bench.attempts[-1].outcome is Outcome.STOPPED


@weekly
def test_a_scheduler_restarted_before_a_worker_came(
    bench: Bench, own_cluster: DaskCluster
) -> None:
    """What nobody has begun is not started, and may be tried again."""
    place = ClusterPlace(address=own_cluster.address)
    worker = own_cluster.worker()
    with Cluster(place, own_cluster.folder / "home", LEASE) as cluster:
        cluster.connect()
        worker.kill()
        worker.wait()
        bench.cluster = cluster
        thread = Thread(target=lambda: bench.attempts.append(bench.run()))
        thread.start()
        wait_until(lambda: cluster._pending)  # noqa: SLF001
        own_cluster.restart()
        own_cluster.worker()
        thread.join()
    (attempt,) = bench.attempts
    assert attempt.outcome is Outcome.NOT_STARTED
    assert attempt.transient
    assert not bench.pids()


ODD = (
    "import python_runner.cluster.worker as w; real = w.run_task; "
    # What it returns is its only word.
    "w.plain_event = lambda *_: None; "
)
#: What a worker with an odd package does, and what its script comes to.
ODD_WORKERS = {
    "no answer": f"{ODD} w.run_task = lambda task: 42",
    "another type": f"{ODD} w.run_task = lambda task: (real(task), 42)[1]",
    "out of range": (
        f"{ODD} from dataclasses import replace as r; "
        "w.run_task = lambda t: (lambda a: r(a, attempt=r(a.attempt, exit_code='0')))(real(t))"
    ),
    "not readable": (
        f"{ODD} import types; Odd = type('Odd', (), {{'__module__': 'nowhere'}}); "
        "w.run_task = lambda task: (real(task), Odd())[1]"
    ),
    "another task's": (
        f"{ODD} from dataclasses import replace as r; "
        "w.run_task = lambda task: r(real(task), offer='1')"
    ),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kind", ODD_WORKERS)
@pytest.mark.fault(
    "cluster",
    "A worker answers what makes no sense",
    "The script is interrupted, once it has surely ended.",
)
def test_an_odd_answer_is_interrupted(
    bench: Bench, dask_cluster: DaskCluster, kind: str
) -> None:
    """Nobody can say how the script ended, and nothing is repeated before it has."""
    (bench.project.path / "main.py").write_text(
        "open('begun', 'a').write('1 ')", "utf-8"
    )
    dask_cluster.worker(before=ODD_WORKERS[kind])
    attempt = bench.run()
    assert attempt.outcome is Outcome.INTERRUPTED, attempt
    assert len(bench.pids()) <= 1
    assert attempt.duration > LEASE


@weekly
@pytest.mark.parametrize(
    "answer", ["None", "42", "'all'", "[[]]", "{}", "object()", "[b'']", "1 / 0"]
)
def test_an_odd_word_renews_nothing(
    bench: Bench, dask_cluster: DaskCluster, answer: str
) -> None:
    """Who never says that a script runs is lost; the next words are sent all the same."""
    odd = f"import python_runner.cluster.worker as w; w.renew = lambda t: {answer}"
    first = dask_cluster.worker(before=odd)
    thread = bench.begin()
    thread.join()
    assert bench.attempts[0].outcome is Outcome.INTERRUPTED
    wait_until(bench.is_over)
    first.kill()
    first.wait()
    dask_cluster.worker()
    (bench.project.path / "main.py").write_text("print(1)", "utf-8")
    assert bench.run().outcome is Outcome.SUCCESS


@weekly
def test_a_cancelled_future(bench: Bench, dask_cluster: DaskCluster) -> None:
    """Who cancels all tasks of a scheduler stops what they have started."""
    import distributed  # noqa: PLC0415 - an extra

    library: Any = distributed

    def cancel(dask_scheduler: Any) -> None:
        for key in [*dask_scheduler.tasks]:
            for client in [*dask_scheduler.clients]:
                dask_scheduler.stimulus_cancel(
                    [key], client=client, force=True, reason="test", msg="test"
                )

    dask_cluster.worker()
    thread = bench.begin()
    with library.Client(dask_cluster.address, set_as_default=False) as client:
        client.run_on_scheduler(cancel)
        thread.join()
    assert bench.attempts[0].outcome is Outcome.INTERRUPTED
    assert bench.is_over()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.sampled(1)
def test_ctrl_c_while_it_connects(
    make_project: MakeProject, number: signal.Signals
) -> None:
    """Who stops a run that waits for a silent scheduler waits no longer."""
    with create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with subprocess.Popen(
            [*COMMAND, "run", str(make_project()), "--on", f"tcp://127.0.0.1:{port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            connection, _address = listener.accept()
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
            connection.close()
    assert process.returncode == 128 + number, said
    assert "cannot be reached" not in said


@weekly
def test_a_silent_scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that accepts and says nothing is told as one that does not answer."""
    monkeypatch.setattr("python_runner.cluster.connection._CONNECTING", 0.5)
    with create_server(("127.0.0.1", 0)) as listener:
        place = ClusterPlace(address=f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        with (
            Cluster(place, tmp_path / "home") as cluster,
            pytest.raises(PythonRunnerError, match="it does not answer"),
        ):
            cluster.connect()


def _as_root(*command: str) -> None:
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip(f"needs the right to: {' '.join(command)}")


def test_a_worker_that_does_not_see_the_project(
    bench: Bench, dask_cluster: DaskCluster
) -> None:
    """A worker with another file tree is named before anything runs."""
    _as_root("unshare", "--mount", "true")
    hide = 'mount -t tmpfs none "$0" && exec "$@"'
    folder = str(bench.project.path.parent)
    dask_cluster.worker(prefix=("unshare", "--mount", "sh", "-c", hide, folder))
    with pytest.raises(PythonRunnerError) as caught:
        bench.cluster.examine(bench.project, {})
    assert "it does not see the folder" in str(caught.value)


@weekly
def test_a_cut_cable_of_a_worker(bench: Bench, tmp_path: Path) -> None:
    """A worker on another network that is cut off ends its script, and is told."""
    name, net = f"pr{tmp_path.stat().st_ino % 10_000}", "10.213.7"
    _as_root("ip", "netns", "add", name)
    try:
        _as_root("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}w")
        _as_root("ip", "link", "set", f"{name}w", "netns", name)
        _as_root("ip", "addr", "add", f"{net}.1/24", "dev", name)
        _as_root("ip", "link", "set", name, "up")
        within = ("ip", "netns", "exec", name)
        _as_root(*within, "ip", "addr", "add", f"{net}.2/24", "dev", f"{name}w")
        _as_root(*within, "ip", "link", "set", f"{name}w", "up")
        _as_root(*within, "ip", "link", "set", "lo", "up")
        own = DaskCluster(tmp_path, "--host", f"{net}.1")
        try:
            own.worker("--host", f"{net}.2", prefix=within)
            place = ClusterPlace(address=own.address)
            with Cluster(place, tmp_path / "home", LEASE) as cluster:
                bench.cluster = cluster
                thread = bench.begin()
                _as_root("ip", "link", "set", name, "down")
                thread.join()
            assert bench.attempts[0].outcome is Outcome.INTERRUPTED
            assert f"{net}.2" in str(bench.attempts[0].reason)
            assert bench.is_over()
        finally:
            own.close()
    finally:
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


#: Notes itself, and fails where another attempt of it runs; the first runs for long.
BESIDE = """if True:
    import os, sys, time
    from pathlib import Path
    others = Path("begun").read_text().split() if Path("begun").exists() else []
    print(os.getpid(), file=open("begun", "a"), flush=True)
    if any(Path("/proc", other).exists() for other in others):
        sys.exit("another attempt of this script is running")
    while not others:
        time.sleep(1)
"""


@weekly
@pytest.mark.fault(
    "cluster",
    "A worker is killed while it runs a script with retries",
    "The next attempt runs on another worker, never beside the first.",
)
def test_retries_across_lost_workers(
    dask_cluster: DaskCluster, make_project: MakeProject
) -> None:
    """The next attempt begins once the one before has surely ended: with the usual lease."""
    folder = make_project(sources={"main.py": BESIDE}, retries=2, retry_delay=0.1)
    first = dask_cluster.worker()
    with subprocess.Popen(
        [*COMMAND, "run", str(folder), "--on", dask_cluster.address, "--json"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=with_tests_importable(),
    ) as process:
        begun = folder / "begun"
        wait_until(lambda: begun.exists() and begun.read_text("utf-8"))
        dask_cluster.worker()
        first.kill()
        said, _ = process.communicate(timeout=240)
    (script,) = json.loads(said)["runs"][0]["scripts"]
    assert script["status"] == "success", script
    assert len(begun.read_text("utf-8").split()) == 2


@weekly
def test_output_is_followed_live(make_project: MakeProject) -> None:
    """``run -v`` shows what a script on a worker prints while it runs."""
    source = (
        "import os, time\nprint('so far')\n"
        "while not os.path.exists('go'):\n    time.sleep(0.05)\nprint('done')\n"
    )
    folder = make_project(sources={"main.py": source})
    with subprocess.Popen(
        [*COMMAND, "run", str(folder), "-v", "--on", "local:1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        # It prints the rest when this has been seen.
        seen = next(line for line in process.stdout if "so far" in line)
        with subprocess.Popen(
            [*COMMAND, "output", str(folder), "--follow"],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as follower:
            assert follower.stdout
            followed = next(line for line in follower.stdout if "so far" in line)
            (folder / "go").touch()
            rest = follower.stdout.read()
        said = process.stdout.read()
    assert seen
    assert followed
    assert "done" in said
    assert "done" in rest
    assert process.returncode == 0
    with suppress(psutil.Error):
        assert not psutil.pid_exists(process.pid)
