"""Two processes meet at every step of a run: while one stands there, the other goes on.

Each process is the real command, stopped at a named step by files. Whatever they meet in,
each run ends in one way, is told once, and has one line a script in the log.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from python_runner.model import MailStatus, RunStatus
from python_runner.records.log_reader import read_log
from python_runner.records.store import open_store
from python_runner.runner.session import local_now
from tests.instruments.cases import LONG
from tests.support import wait_until, with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import MakeProject

pytestmark = [
    pytest.mark.instrument,
    pytest.mark.slow,
    pytest.mark.usefixtures("mail_dir"),
]

CHILD = Path(__file__).with_name("gated_child.py")
#: Says that it is up, and goes on once nobody holds it.
GATED = """
import os, pathlib, time
pathlib.Path("new").write_text(str(os.getpid()))
os.replace("new", "up")
end = time.monotonic() + 60
while pathlib.Path("hold").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""

RECORDER = "runner.recorder:RunRecorder"
RUN = "runner.project_run"
#: Steps of a run that is skipped.
SKIPPING = {
    "refused": f"{RUN}:why_locked@before",
    "logged": f"{RECORDER}.log_unstarted@after",
    "ending": f"{RECORDER}.end_run@before",
    "ended": f"{RECORDER}.end_run@after",
    "delivering": f"{RUN}:deliver@before",
}
#: Steps of a run that recovers another one; it holds the lock.
RECOVERING = {
    "locked": f"{RUN}:recover@before",
    "interrupted": f"{RECORDER}.log_missing@before",
    "logged": f"{RECORDER}.log_missing@after",
    "recovered": f"{RECORDER}.end_run@after",
    "begins": f"{RUN}:recover@after",
}
#: Steps at the end of a run; it holds the lock until it lets go of it.
ENDING = {
    "last-script": f"{RECORDER}.end_scripts@after",
    "ending": f"{RECORDER}.end_run@before",
    "ended": f"{RECORDER}.end_run@after",
    "delivering": f"{RUN}:deliver@before",
    "letting-go": "records.locks:FileLock.release@before",
}
QUEUE = "records.message_queue:MessageQueue"
#: Steps of the delivery of a report.
DELIVERING = {
    "queued": f"{RUN}:deliver@before",
    "claimed": f"{QUEUE}.claim_due@got",
    "sending": "delivery.transports.file:FileTransport.send@before",
    "sent": "delivery.transports.file:FileTransport.send@after",
    "told": f"{QUEUE}.record_receipts@after",
}
MEETINGS = {
    f"{kind}-{name}": (kind, step)
    for kind, steps in (
        ("skipping", SKIPPING),
        ("recovering", RECOVERING),
        ("killed-recovering", RECOVERING),
        ("ending", ENDING),
        ("killed-ending", ENDING),
        ("flush", DELIVERING),
    )
    for name, step in steps.items()
}
QUICK = {
    *("skipping-refused", "skipping-logged", "skipping-ending", "skipping-delivering"),
    *("recovering-interrupted", "killed-recovering-logged"),
    *("killed-recovering-recovered", "ending-ending", "killed-ending-ending"),
    *("killed-ending-delivering", "flush-claimed", "flush-sent"),
}


class Stage:
    """A project of two scripts, and the processes that meet in it."""

    def __init__(self, folder: Path, gates: Path, home: Path) -> None:
        self.folder = folder
        self.gates = gates
        self.home = home
        self.processes: dict[str, subprocess.Popen[str]] = {}
        #: How each run ended that told of itself, by its id.
        self.told: dict[str, str] = {}
        gates.mkdir()

    def start(self, name: str, *arguments: object, step: str = "") -> None:
        """Start a command; with a step, return when it stands there."""
        command = arguments or ("run", "--json", self.folder)
        self.processes[name] = subprocess.Popen(
            [sys.executable, CHILD, self.gates, name, step, *map(str, command)],
            cwd=self.gates,
            env=with_tests_importable(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        if step:
            self.wait_for(name, self.gates / f"{name}.at")

    def start_with_script(self, name: str) -> None:
        """Start a run, and return when its first script is up; it stays up."""
        (self.folder / "hold").touch()
        self.start(name)
        self.wait_for(name, self.folder / "up")

    def wait_for(self, name: str, path: Path) -> None:
        """Wait for a file that a process makes, and no longer than it lives."""
        process = self.processes[name]
        wait_until(lambda: path.exists() or process.poll() is not None)
        assert path.exists(), f"{name} ended with {process.returncode}"

    def release(self) -> None:
        """Let the script end."""
        (self.folder / "hold").unlink()

    def finish(self, name: str) -> None:
        """Let a command end by itself, and keep what it tells of its run."""
        (self.gates / f"{name}.go").touch()
        output, _ = self.processes[name].communicate(timeout=60)
        if output.startswith("{"):
            for run in json.loads(output)["runs"]:
                self.told[run["run_id"]] = run["status"]

    def kill(self, name: str) -> None:
        """Kill a command."""
        self.processes[name].kill()
        self.processes[name].communicate()

    def kill_with_script(self, name: str) -> None:
        """Kill a runner while its script is up; the script ends, too."""
        script = int((self.folder / "up").read_text("utf-8"))
        self.kill(name)
        self.release()
        wait_until(lambda: has_ended(script))

    def judge(self, *expected: RunStatus) -> None:
        """Compare records, log and reports with what became of the runs, in any order."""
        with open_store(self.home, local_now()) as store:
            runs = store.runs(limit=100)
            active = store.open_runs()
        assert active == []
        assert sorted(run.status for run in runs) == sorted(expected)
        recorded = {run.run_id: run.status.value for run in runs}
        assert self.told.items() <= recorded.items()
        lines = Counter(
            (line.run_id, line.script)
            for line in read_log(self.folder / "logs", "project_1.log")
        )
        assert set(lines.values()) == {1}
        assert lines.keys() == {
            (run.run_id, "*" if run.status is RunStatus.SKIPPED else result.script)
            for run in runs
            for result in run.scripts
        }
        assert {run.mail_status for run in runs} <= {MailStatus.SENT, MailStatus.NONE}
        sent = (self.gates / "sent").read_text("utf-8").splitlines()
        assert {
            (run.run_id, "interrupted" if run.status is RunStatus.INTERRUPTED else "")
            for run in runs
            if run.mail_status is MailStatus.SENT
        } == {
            (line[1:14], "interrupted" if " interrupted: " in line else "")
            for line in sent
        }
        assert len(sent) == len({line[1:14] for line in sent})


def has_ended(pid: int) -> bool:
    """Say whether a process is gone, or only its parent does not know it."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


#: What happens in each kind of meeting: who does what, in this order, and how the runs
#: end. Who stands does so at the step that is tried, until it is finished or killed.
SCENES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[RunStatus, ...]]] = {
    # A run is being skipped; meanwhile the active one ends, and the next one runs.
    "skipping": (
        (
            ("start_with_script", "active"),
            ("stand", "skipped"),
            ("release", ""),
            ("finish", "active"),
            ("run", "next"),
            ("finish", "skipped"),
        ),
        (RunStatus.SUCCESS, RunStatus.SKIPPED, RunStatus.SUCCESS),
    ),
    # A run recovers a dead one; meanwhile another one comes, and is skipped.
    "recovering": (
        (
            ("start_with_script", "dead"),
            ("kill_with_script", "dead"),
            ("stand", "recovers"),
            ("run", "skipped"),
            ("finish", "recovers"),
        ),
        (RunStatus.INTERRUPTED, RunStatus.SUCCESS, RunStatus.SKIPPED),
    ),
    # A run dies while it recovers a dead one; the next one finds them both.
    "killed-recovering": (
        (
            ("start_with_script", "dead"),
            ("kill_with_script", "dead"),
            ("stand", "recovers"),
            ("kill", "recovers"),
            ("run", "next"),
        ),
        (RunStatus.INTERRUPTED, RunStatus.SUCCESS),
    ),
    # A run ends; meanwhile another one comes, and is skipped.
    "ending": (
        (("stand", "ends"), ("run", "skipped"), ("finish", "ends")),
        (RunStatus.SUCCESS, RunStatus.SKIPPED),
    ),
    # A run dies when its last script has ended; the next one tells it as it was.
    "killed-ending": (
        (("stand", "ends"), ("kill", "ends"), ("run", "next")),
        (RunStatus.SUCCESS, RunStatus.SUCCESS),
    ),
    # A run delivers its report; meanwhile somebody flushes the outbox.
    "flush": (
        (("stand", "delivers"), ("flush", "flush"), ("finish", "delivers")),
        (RunStatus.SUCCESS,),
    ),
}


def play(stage: Stage, scene: str, step: str) -> None:
    """Let the processes of a scene meet at a step, and judge what they leave."""
    acts, expected = SCENES[scene]
    for act, name in acts:
        match act:
            case "stand":
                stage.start(name, step=step)
            case "run":
                stage.start(name)
                stage.finish(name)
            case "flush":
                stage.start(name, "mail", "flush")
                stage.finish(name)
            case "release":
                stage.release()
            case _:
                getattr(stage, act)(name)
    stage.judge(*expected)


@pytest.fixture
def stage(make_project: MakeProject, tmp_path: Path, shielded: Path) -> Iterator[Stage]:
    """Return a project whose every run is reported; no process outlives the test."""
    folder = make_project(
        sources={"main.py": GATED},
        recipients=["a@example.org"],
        email_strategy="all",
    )
    made = Stage(folder, tmp_path / "gates", shielded)
    yield made
    (folder / "hold").unlink(missing_ok=True)
    for name, process in made.processes.items():
        if process.poll() is None:
            made.kill(name)


@pytest.mark.fault(
    "runner",
    "Two processes meet at any step of skipping, recovery and closing",
    "Each run ends in one way, and is told once.",
)
@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", [n for n in MEETINGS if LONG or n in QUICK])
def test_whoever_meets_each_run_ends_in_one_way(stage: Stage, name: str) -> None:
    """Records, log, reports and what each process told of itself agree."""
    kind, step = MEETINGS[name]
    play(stage, kind, step)
