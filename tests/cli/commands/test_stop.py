from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from python_runner.cli.commands import stop as stop_command
from python_runner.execution.orphans import foreign_account, process_start
from python_runner.execution.stop import StopRequest
from python_runner.model import Outcome
from python_runner.records.locks import Holder, project_lock
from python_runner.records.stop_file import (
    StopWish,
    forget_wish,
    read_wish,
    stop_file,
    write_wish,
)
from python_runner.runner import stop_watch
from tests.support import (
    GENEROUS,
    GOOD,
    TODAY,
    Cli,
    MakeProject,
    keep,
    last_run_id,
    started,
    wait_until,
)


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store

#: Says that it runs, and does not listen to anybody who asks it to end.
DEAF = (
    "import pathlib, signal, time\n"
    "for name in ('SIGTERM', 'SIGINT', 'SIGBREAK'):\n"
    "    if hasattr(signal, name): signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
    "pathlib.Path('up').touch()\n"
    "time.sleep(120)\n"
)
#: The command, whose polite way takes longer than a test does.
PATIENT = """
from python_runner.cli import main
from python_runner.runner import script_run
script_run.GRACE = 600.0
main()
"""
SLOW = "import pathlib, time; pathlib.Path('up').touch(); time.sleep(60)"


def test_stop_ends_the_run_of_one_project(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """What was asked from elsewhere is recorded as stopped; the next project still runs."""
    folder = make_project(sources={"slow.py": SLOW, "never.py": GOOD})
    other = make_project("other", {"a.py": GOOD})

    with started(tmp_path, "run", "--json", folder, other) as process:
        wait_until((folder / "up").exists)
        done = cli("stop", folder)
        document, _errors = process.communicate(timeout=60)
    first, second = json.loads(document)["runs"]

    assert done.returncode == 0
    assert f"run {first['run_id'][:7]} has been asked to stop" in done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("project_1: stopped · 1 stopped")]
    assert process.returncode == 143
    assert first["status"] == "stopped"
    assert [script["status"] for script in first["scripts"]] == ["stopped", "skipped"]
    assert second["status"] == "success"
    assert [*(tmp_path / "home").rglob("*.stop")] == []


@pytest.mark.slow
def test_asked_once_more_it_kills(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """A script that does not listen ends with the second request, or with --now."""
    folder = make_project(sources={"deaf.py": DEAF})

    with started(
        tmp_path, "run", folder, command=(sys.executable, "-c", PATIENT)
    ) as process:
        wait_until((folder / "up").exists)
        with started(tmp_path, "stop", folder) as first:
            assert first.stdout
            assert "has been asked to stop" in first.stdout.readline()
            second = cli("stop", folder)
            said, _errors = first.communicate(timeout=GENEROUS)
        process.communicate(timeout=GENEROUS)

    assert (first.returncode, second.returncode, process.returncode) == (0, 0, 143)
    assert "project_1: stopped" in said


def test_now_kills_at_once() -> None:
    """The first request is the last one."""
    stop = StopRequest()
    stop.request()
    assert not stop.urgent
    stop.request(kill=True)
    assert stop.urgent


def test_the_watcher_hears_its_own_run_alone(tmp_path: Path) -> None:
    """A request for another run, or what is none, stops nothing; the file goes."""
    file = tmp_path / "p.stop"
    told: list[bool] = []
    for content in (b"", b"{", b"[]", b'{"run_id": 1}', b'{"run_id": "other"}'):
        file.write_bytes(content)
        stop = StopRequest()
        with stop_watch.watching(file, "mine", stop, told.append):
            assert not stop.wait(2 * stop_watch.INTERVAL)
        assert not file.exists()
    stop = StopRequest()
    assert told == []
    with stop_watch.watching(file, "mine", stop, told.append):
        write_wish(file, StopWish("mine"))
        assert stop.wait(60)
        assert not stop.urgent
        write_wish(file, StopWish("mine", kill=True))
        wait_until(lambda: told == [False, True])
        assert stop.urgent


def test_a_wish_is_read_as_it_was_written(tmp_path: Path) -> None:
    """It lies beside the lock, and may be gone at any time."""
    file = stop_file(tmp_path / "p-0123.lock")
    assert file == tmp_path / "p-0123.stop"
    assert read_wish(file) is None
    for wish in (StopWish("a"), StopWish("b", kill=True)):
        write_wish(file, wish)
        assert read_wish(file) == wish
    forget_wish(file)
    forget_wish(file)
    assert read_wish(file) is None


def test_stop_says_that_nothing_runs(cli: Cli, store: Store, tmp_path: Path) -> None:
    """Nothing to stop is no error; what is no project at all is one."""
    keep(store, "1" * 13, tmp_path / "gone", Outcome.SUCCESS)
    (tmp_path / "new").mkdir()

    for name in ("gone", "new"):
        done = cli("stop", name)
        assert (done.stdout, done.returncode) == (f"{name}: no run is active\n", 0)
    nowhere = cli("stop", "nowhere")
    assert nowhere.returncode == 2
    assert f"{tmp_path / 'nowhere'} is not a folder" in nowhere.stderr
    assert cli("stop").returncode == 2


def test_stop_tells_of_a_run_whose_runner_died(cli: Cli, orphaned: Path) -> None:
    """It is not active: the next run closes it, as always."""
    run_id = last_run_id()

    done = cli("stop", orphaned)

    assert done.returncode == 0
    assert f"Run {run_id} was interrupted: its runner was killed" in done.stdout
    assert " interrupted " in cli("history", orphaned).stdout


def held(pid: int) -> Holder:
    """Return what a lock says of a runner."""
    return Holder(
        pid=pid,
        host="here",
        run_id="a" * 13,
        started_at=TODAY,
        process_start=process_start(pid),
    )


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="needs another account"
)
def test_stop_refuses_another_accounts_run(
    cli: Cli, shielded: Path, tmp_path: Path
) -> None:
    """A sentence names whose run it is; nothing is asked."""
    with subprocess.Popen(["sleep", "60"], user="nobody") as other:
        try:
            with project_lock(shielded, tmp_path) as lock:
                lock.acquire(held(other.pid), wait=False)
                done = cli("stop", tmp_path)
                asked = stop_file(lock.path).exists()
        finally:
            other.kill()

    assert done.returncode == 2
    assert "belongs to another account (nobody)" in done.stderr
    assert not asked


def test_whose_process_it_is() -> None:
    """One's own is nobody else's, and what has ended is nobody's."""
    assert foreign_account(os.getpid()) is None
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert foreign_account(child.pid) is None


def test_a_runner_that_does_not_answer_is_told(
    shielded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The wait is bounded, and the code is 1; the request stands."""
    monkeypatch.setattr(stop_command, "_PATIENCE", 0.5)
    with project_lock(shielded, tmp_path) as lock:
        lock.acquire(held(os.getpid()), wait=False)
        code = run_app(["stop", "--now", str(tmp_path)])
        wish = read_wish(stop_file(lock.path))

    assert code == 1
    assert "stop --now" in capfd.readouterr().err
    assert wish == StopWish("a" * 13, kill=True)


def test_stop_leaves_with_ctrl_c(
    shielded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits no more has asked all the same."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with project_lock(shielded, tmp_path) as lock:
        lock.acquire(held(os.getpid()), wait=False)
        monkeypatch.setattr(time, "sleep", interrupt)
        code = run_app(["stop", str(tmp_path)])
        wish = read_wish(stop_file(lock.path))

    assert code == 130
    assert wish == StopWish("a" * 13)
