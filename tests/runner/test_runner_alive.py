"""Whether a run's runner is alive: one answer, whoever asks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from socket import gethostname
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from python_runner import run_project
from python_runner.execution.orphans import is_alive, process_start
from python_runner.model import OpenRun, Run, RunStatus
from python_runner.records.locks import FileLock, Holder, project_lock
from python_runner.records.store import Store, open_store
from python_runner.runner.recovery import was_interrupted
from python_runner.runner.session import local_now
from tests.support import COMMAND, GENEROUS, Cli, MakeProject, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


RUN_ID = "1" * 13
#: Says that it runs, and goes on until a file is there or its runner's killer comes.
WAITS = """
import os, pathlib, time
print("begun", flush=True)
pathlib.Path("up").write_text(str(os.getpid()))
end = time.monotonic() + 60
while not pathlib.Path("go").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""
SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def lock_file(home: Path, folder: Path) -> Path:
    """Return the file of a project's lock."""
    return project_lock(home, folder).path


def rewrite(path: Path, **changes: Any) -> None:
    """Change what a lock file says."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def wait_for(path: Path) -> None:
    """Wait until a script has written a file; fail after a while."""
    wait_until(lambda: path.exists() and path.read_text("utf-8"))


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that does nothing, and end it at the end of the block."""
    with subprocess.Popen(SLEEP) as process:
        try:
            yield process
        finally:
            process.kill()


def configure(folder: Path, **keys: Any) -> None:
    """Change keys of a project's configuration."""
    path = folder / "exec_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | keys), "utf-8")


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that mails are written to."""
    folder = tmp_path / "mails"
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", str(folder))
    monkeypatch.setenv("MAIL_FROM", "robot@example.org")
    return folder


@pytest.fixture
def running(
    make_project: MakeProject,
    shielded: Path,
    mailbox: Path,  # noqa: ARG001 - set before it starts
) -> Iterator[Path]:
    """Return a project that is running its only script, until told to end."""
    folder = make_project(
        sources={"waits.py": WAITS},
        email_strategy="all",
        recipients=["office@example.org"],
    )
    with subprocess.Popen([*COMMAND, "run", "-q", folder]):
        wait_for(folder / "up")
        assert lock_file(shielded, folder).exists()
        yield folder
        (folder / "go").touch()


@pytest.fixture
def killed(make_project: MakeProject, shielded: Path) -> Path:
    """Return a project whose runner was killed, and its script with it."""
    folder = make_project(sources={"waits.py": WAITS})
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as process:
        wait_for(folder / "up")
        holder = project_lock(shielded, folder).holder()
        assert holder is not None
        tree = [psutil.Process(holder.pid), psutil.Process(process.pid)]
        tree += [psutil.Process(int((folder / "up").read_text("utf-8")))]
        for member in tree:
            # On Windows the members end with the first of them.
            with suppress(psutil.NoSuchProcess):
                member.kill()
    psutil.wait_procs(tree, timeout=GENEROUS)
    return folder


@pytest.mark.fault(
    "runner",
    "A dead runner's process number is taken by another program",
    "The run is shown as interrupted, not as running.",
)
def test_a_number_that_is_taken_again_is_no_living_runner(
    cli: Cli, killed: Path, shielded: Path
) -> None:
    """A younger process with a dead runner's number: history, show and follow agree."""
    with sleeper() as younger:
        rewrite(lock_file(shielded, killed), pid=younger.pid)
        row = cli("history", killed).stdout.splitlines()[1]
        run_id = row.split()[0]
        shown = cli("show", run_id)
        followed = subprocess.run(
            [*COMMAND, "output", "--follow", run_id],
            capture_output=True,
            encoding="utf-8",
            timeout=GENEROUS,
            check=False,
        )
        assert younger.poll() is None

    assert "  interrupted  " in row
    assert "was interrupted: its runner was killed" in shown.stdout
    assert followed.stdout == "begun\n"
    assert followed.returncode == 0


def test_a_clock_that_was_set_makes_no_runner_dead(
    cli: Cli, running: Path, shielded: Path
) -> None:
    """Nothing is compared with a time of day: not when the run began, by any clock."""
    for shift in (-1, 1):
        moment = local_now() + timedelta(days=shift)
        rewrite(lock_file(shielded, running), started_at=moment.isoformat())

        assert "  running  " in cli("history", running).stdout


@pytest.mark.sampled(4)
@pytest.mark.parametrize("content", [None, "", "{", '{"pid": 1}', "[]", "[" * 100_000])
def test_follow_ends_where_no_lock_names_a_runner(
    cli: Cli, killed: Path, shielded: Path, content: str | None
) -> None:
    """A lock file that is gone or says nothing keeps nobody waiting."""
    lock_file(shielded, killed).unlink()
    if content is not None:
        lock_file(shielded, killed).write_text(content, "utf-8")
    run_id = cli("history", killed).stdout.splitlines()[1].split()[0]

    done = cli("output", "--follow", run_id)

    assert (done.stdout, done.returncode) == ("begun\n", 0)


@pytest.mark.posix
@pytest.mark.fault(
    "runner",
    "The file of a project's lock is deleted during a run",
    "Later runs are skipped as before; the run goes on, and is told once.",
)
def test_a_runner_whose_lock_was_deleted_is_not_dead(
    running: Path, shielded: Path, mailbox: Path
) -> None:
    """Neither its scripts nor its records are touched, however often one looks."""
    lock_file(shielded, running).unlink()
    with open_store(shielded, local_now()) as store:
        (begun,) = store.open_runs()
        for _ in range(2):
            assert not was_interrupted(begun, store, shielded)
            second = run_project(running)
            assert second.status is RunStatus.SKIPPED
            assert f"(run {begun.run_id}, process" in str(second.error)
        assert not was_interrupted(begun, store, shielded)
        (running / "go").touch()
        wait_until(lambda: store.run(begun.run_id))

        third = run_project(running)

        assert (third.status, third.warnings) == (RunStatus.SUCCESS, ())
        ends = [run.status.value for run in store.runs()]
    assert ends == ["success", "skipped", "skipped", "success"]
    # The two that were skipped for one run are one report.
    assert len(list(mailbox.glob("*.eml"))) == 3


@pytest.mark.posix
def test_a_runner_whose_lock_was_deleted_is_waited_for(
    running: Path, shielded: Path
) -> None:
    """With ``overlap`` set so, the next run begins when that one has ended."""
    configure(running, overlap="wait")
    lock_file(shielded, running).unlink()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run_project, running, mail=False)
        wait_until(lambda: lock_file(shielded, running).exists())
        assert not waiting.done()
        (running / "go").touch()
        assert waiting.result(timeout=60).status is RunStatus.SUCCESS


@pytest.mark.posix
def test_a_run_whose_state_folder_was_moved_away_and_back_is_told_once(
    running: Path, shielded: Path, mailbox: Path
) -> None:
    """Its lock and its records come back: the lock says how it ended."""
    away = shielded.with_name("away")
    lock = lock_file(shielded, running).name
    shielded.rename(away)
    (running / "go").touch()
    wait_until(lambda: FileLock(away / "locks" / lock).read_unrecorded())
    wait_until(lambda: not FileLock(away / "locks" / lock).holder())
    shutil.rmtree(shielded, ignore_errors=True)
    away.rename(shielded)

    following = run_project(running)

    assert (following.status, following.warnings) == (RunStatus.SUCCESS, ())
    with open_store(shielded, local_now()) as store:
        assert [run.status.value for run in store.runs()] == ["success", "success"]
    assert len(list(mailbox.glob("*.eml"))) == 2
    assert not project_lock(shielded, running).read_unrecorded()


# The answer itself, with real records, real locks and this process as the runner.


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return records."""
    with open_store(shielded, local_now()) as opened:
        yield opened


@pytest.fixture
def open_run(store: Store, tmp_path: Path) -> OpenRun:
    """Return a run that has not ended."""
    run = OpenRun(run_id=RUN_ID, project="p", path=tmp_path, started_at=local_now())
    store.begin_run(run)
    return run


def holder(**changes: Any) -> Holder:
    """Return this process as the runner of the run."""
    values: dict[str, Any] = {
        "pid": os.getpid(),
        "host": gethostname(),
        "run_id": RUN_ID,
        "started_at": local_now(),
        "process_start": process_start(os.getpid()),
    }
    return Holder(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "interrupted"),
    [
        ({}, False),
        # The same program runs something else by now: a program that calls the library
        # lives longer than its runs.
        ({"run_id": "2" * 13}, True),
        ({"process_start": "another boot:1"}, True),
        ({"process_start": ""}, True),
        # The state folder is on a local disk: the machine was renamed, or its container
        # made anew.
        ({"host": "elsewhere"}, False),
        ({"host": "elsewhere", "process_start": "another boot:1"}, True),
        ({"host": "elsewhere", "process_start": ""}, True),
    ],
)
def test_a_runner_is_known_by_run_and_process(
    open_run: OpenRun,
    store: Store,
    shielded: Path,
    changes: dict[str, Any],
    interrupted: bool,
) -> None:
    """Only the very process that began the run counts as its runner."""
    with project_lock(shielded, open_run.path) as lock:
        assert lock.acquire(holder(**changes), wait=False)
        assert was_interrupted(open_run, store, shielded) is interrupted
    assert was_interrupted(open_run, store, shielded)


def test_a_run_that_ended_meanwhile_was_not_interrupted(
    open_run: OpenRun, store: Store, shielded: Path
) -> None:
    """Between the look at the records and the look at the lock a run may end."""
    ended = Run(
        run_id=RUN_ID,
        project="p",
        path=open_run.path,
        status=RunStatus.SUCCESS,
        started_at=open_run.started_at,
        duration=1.0,
    )
    assert was_interrupted(open_run, store, shielded)
    store.end_run(ended, [], local_now())

    assert not was_interrupted(open_run, store, shielded)


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    """A start stays the same while the process lives, and goes with it."""
    with sleeper() as first, sleeper() as second:
        starts = [process_start(p.pid) for p in (first, second)]
        assert all(starts)
        assert is_alive(first.pid, starts[0])
        assert not is_alive(first.pid, "")
        time.sleep(0.1)
        assert process_start(first.pid) == starts[0]
        first.kill()
        # A zombie, as long as nobody has waited for it, is no runner any more.
        wait_until(lambda: not process_start(first.pid))
        assert not is_alive(first.pid, starts[0])
    assert process_start(first.pid) != starts[0]
