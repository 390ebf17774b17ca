from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support import COMMAND, GENEROUS, MakeProject, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Runs until it finds a file, and says where it is.
WAITS = """
import os, pathlib, time
pathlib.Path("up").write_text(str(os.getpid()))
end = time.monotonic() + 60
while not pathlib.Path("go").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""


def wait_for(path: Path) -> None:
    """Wait until a script has made a file; fail after a while."""
    wait_until(lambda: path.exists() and path.read_text())


def run(folder: Path, *arguments: str) -> Any:
    """Run a project with the real command; return its exit code and its run."""
    done = subprocess.run(
        [*COMMAND, "run", "--json", *arguments, folder],
        capture_output=True,
        check=False,
        timeout=90,
    )
    return done.returncode, json.loads(done.stdout)["runs"][0]


@pytest.fixture
def waiting(make_project: MakeProject) -> Iterator[Path]:
    """Return a project whose first script waits for a file ``go``."""
    folder = make_project(sources={"waits.py": WAITS, "after.py": ""})
    yield folder
    (folder / "go").touch()
    if (folder / "up").exists():
        with suppress(psutil.Error, ValueError):
            psutil.Process(int((folder / "up").read_text())).wait(GENEROUS)


def test_a_second_run_waits_when_told_to(
    waiting: Path, make_project: MakeProject
) -> None:
    """Overlap wait: the second run begins when the first one has ended."""
    make_project(overlap="wait", scripts=["waits.py", "after.py"])
    with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as first:
        wait_for(waiting / "up")
        with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as second:
            time.sleep(1)
            assert second.poll() is None
            (waiting / "go").touch()
            assert first.wait(GENEROUS) == 0
            assert second.wait(GENEROUS) == 0

    lines = (waiting / "logs" / "project_1.log").read_text("utf-8").splitlines()
    runs = [line.split(" - ")[3] for line in lines]
    assert runs[0] == runs[1] != runs[2] == runs[3]


@pytest.mark.fault(
    "runner",
    "The runner is killed and its script lives on",
    "No second run starts beside the script, which is named.",
)
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="the job ends scripts with it")
def test_nothing_starts_beside_the_scripts_of_a_killed_runner(waiting: Path) -> None:
    """Kill -9 of the runner: the next run waits for the script and names it."""
    with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as first:
        wait_for(waiting / "up")
        first.kill()
    orphan = int((waiting / "up").read_text())

    code, skipped = run(waiting)

    assert code == 3
    assert skipped["status"] == "skipped"
    assert f"{orphan} (" in skipped["error"]
    assert "was killed" in skipped["error"]

    (waiting / "go").touch()
    psutil.Process(orphan).wait(GENEROUS)
    code, after = run(waiting)

    assert code == 0
    assert after["status"] == "success"


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="the job ends scripts with it")
def test_what_a_killed_runner_left_without_the_lock_is_ended(
    make_project: MakeProject, tmp_path: Path
) -> None:
    """Who lets go of the lock is found by its marker, stopped and named."""
    folder = make_project(
        sources={"waits.py": "import os; os.closerange(3, 1024)\n" + WAITS}
    )
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as first:
        wait_for(folder / "up")
        first.kill()
    orphan = psutil.Process(int((folder / "up").read_text()))
    make_project(sources={"main.py": "print('fine')"})

    done = subprocess.run(
        [*COMMAND, "run", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0
    with suppress(psutil.NoSuchProcess):
        assert orphan.status() == psutil.STATUS_ZOMBIE
    assert f"process {orphan.pid} (" in done.stderr
    assert "was still running and was stopped" in done.stderr
    assert list(tmp_path.glob("project_1/logs/runs/*/*main.py.log"))


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="the job ends scripts with it")
def test_what_holds_the_lock_of_a_dead_runner_is_named_without_its_mark(
    make_project: MakeProject,
) -> None:
    """A program that cleared its environment still runs: that runner is not active."""
    helper = "import os; os.execve('/bin/sleep', ['sleep', '60'], {})"
    folder = make_project(sources={"main.py": helper})
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as first:
        family = psutil.Process(first.pid)

        def sleeps() -> list[psutil.Process]:
            return [p for p in family.children(recursive=True) if p.name() == "sleep"]

        wait_until(lambda: bool(sleeps()))
        (helper_process,) = sleeps()
        first.kill()
    try:
        code, skipped = run(folder)
    finally:
        helper_process.kill()

    assert code == 3
    assert "was killed" in skipped["error"]
    assert f"{helper_process.pid} (sleep" in skipped["error"]


@pytest.mark.fault(
    "runner",
    "A run whose runner was killed is found",
    "It is ended as interrupted, logged and mailed once.",
)
def test_a_killed_run_is_settled_by_the_next_one(
    waiting: Path,
    make_project: MakeProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was under way is interrupted, logged, and told by mail, once."""
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", str(tmp_path / "mails"))
    make_project(
        scripts=["waits.py", "after.py"],
        recipients=["a@example.org"],
        email_strategy="failure_only",
    )
    with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as first:
        wait_for(waiting / "up")
        first.kill()
    with suppress(psutil.NoSuchProcess):
        script = psutil.Process(int((waiting / "up").read_text()))
        if sys.platform != "win32":  # there the job ends it
            script.kill()
        script.wait(GENEROUS)
    (waiting / "go").touch()

    code, after = run(waiting)
    run(waiting)

    assert code == 0
    lines = (waiting / "logs" / "project_1.log").read_text("utf-8").splitlines()
    told = [line.split(" - ")[3:7] for line in lines]
    killed = told[0][0]
    assert killed != after["run_id"]
    assert [(run_id == killed, name, how) for run_id, _m, name, how in told[:4]] == [
        (True, "waits.py", "failure"),
        (True, "after.py", "skipped"),
        (False, "waits.py", "success"),
        (False, "after.py", "success"),
    ]
    assert "the runner was killed while the script was running" in lines[0]
    (mail,) = (tmp_path / "mails").glob("*.eml")
    assert killed.encode() in mail.read_bytes()


def test_without_locks_nobody_is_taken_for_dead(waiting: Path, shielded: Path) -> None:
    """Where nothing can be locked runs may meet, but none ends another's scripts."""
    shielded.mkdir(exist_ok=True)
    (shielded / "locks").write_text("no folder")
    with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as first:
        wait_for(waiting / "up")
        code, second = run(waiting, "--only", "after.py")
        (waiting / "go").touch()
        assert first.wait(GENEROUS) == 0

    assert code == 0
    assert second["status"] == "success"


def test_two_projects_of_one_name_do_not_meet(
    make_project: MakeProject, waiting: Path
) -> None:
    """The lock belongs to the folder, not to its name."""
    other = make_project("elsewhere/project_1")
    with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as first:
        wait_for(waiting / "up")
        assert run(other)[0] == 0
        (waiting / "go").touch()
        assert first.wait(GENEROUS) == 0


@pytest.mark.fault(
    "files",
    "A project is started by a link to its folder",
    "One run of the project at a time holds all the same.",
)
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_two_ways_to_one_folder_are_one_project(waiting: Path, tmp_path: Path) -> None:
    """A symbolic link does not get around the lock."""
    (tmp_path / "link").symlink_to(waiting)
    with subprocess.Popen([*COMMAND, "run", "-q", waiting]) as first:
        wait_for(waiting / "up")
        assert run(tmp_path / "link")[0] == 3
        (waiting / "go").touch()
        assert first.wait(GENEROUS) == 0
