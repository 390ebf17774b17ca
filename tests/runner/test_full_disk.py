"""The records on a disk that is full, or that cannot be written, for real.

Each test mounts a small file system in the place of the state folder.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from mmap import PAGESIZE
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import RunStatus
from python_runner.records.store import DATABASE_NAME
from python_runner.runner.events import Event, ScriptEnded, ScriptStarted
from python_runner.runner.project_run import run_project
from python_runner.runner.session import open_session


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support import Cli, MakeProject


pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does"),
]
QUIET = "open('{name}.done', 'a').write('x')"
FILL = """
with open({path!r}, "wb", buffering=0) as file:
    for size in (65536, 4096, 1):
        try:
            while file.write(bytes(size)):
                pass
        except OSError:
            pass
"""
NO_SPACE = "there is no space left for "


def mount(*arguments: object) -> None:
    """Mount something; a machine that does not allow it skips the test, CI fails."""
    done = subprocess.run(
        ["mount", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def home(shielded: Path) -> Iterator[Path]:
    """Return the state folder, on a disk of 2 MB of its own."""
    shielded.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", shielded)
    yield shielded
    subprocess.run(["umount", "-l", shielded], check=True)


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    """Return a project of three scripts that print nothing, reported."""
    return a_project(make_project, "project_1")


def a_project(make_project: MakeProject, name: str, **changed: str) -> Path:
    """Make such a project, with some scripts changed."""
    sources = {f"{n}.py": QUIET.format(name=n) for n in "abc"} | changed
    return make_project(
        name, sources=sources, recipients=["a@example.org"], email_strategy="all"
    )


def fill(folder: Path) -> None:
    """Leave not one byte on the disk of ``folder``."""
    exec(FILL.format(path=str(folder / "filler")), {})  # noqa: S102 - as the scripts do


def free(folder: Path) -> None:
    """Undo :func:`fill`; the records must be sound then."""
    (folder / "filler").unlink()
    check(folder)


def check(home: Path) -> None:
    """Let SQLite itself say whether the records are sound."""
    with closing(sqlite3.connect(home / DATABASE_NAME)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def reports(folder: Path) -> list[str]:
    """Return the text of every report, oldest first."""
    found = []
    for path in sorted(folder.glob("*.eml"), key=lambda p: p.stat().st_mtime_ns):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        found.append(" ".join(body.get_content().split()))
    return found


def logged(folder: Path) -> list[str]:
    """Return the script and status of each line of the log."""
    log = folder / "logs" / f"{folder.name}.log"
    lines = filter(None, log.read_text("utf-8").splitlines())
    return [" ".join(line.split(" - ")[5:7]) for line in lines]


def counts(folder: Path) -> dict[str, int]:
    """Return how often each script ran."""
    return {path.stem: path.stat().st_size for path in folder.glob("*.done")}


def past(cli: Cli) -> list[tuple[str, list[str]]]:
    """Return how each run and its scripts ended, newest first."""
    runs: list[dict[str, Any]] = json.loads(cli("history", "--json").stdout)["runs"]
    return [(r["status"], [s["status"] for s in r["scripts"]]) for r in runs]


GOOD = ("success", ["success"] * 3)
ALL = ["a.py success", "b.py success", "c.py success"]


@pytest.mark.fault(
    "machine",
    "The disk is full before a run",
    "Scripts, log, report and exit code are as ever; the report says what is missing.",
)
def test_a_disk_that_is_full_before_the_run(
    cli: Cli, project: Path, home: Path, mail_dir: Path
) -> None:
    """Scripts, log, report and exit code are as ever; the report says what is missing."""
    assert cli("run", project).returncode == 0
    fill(home)

    full = cli("run", project)

    assert full.returncode == 0
    assert counts(project) == {"a": 2, "b": 2, "c": 2}
    assert logged(project) == ALL * 2
    assert NO_SPACE in full.stderr
    assert NO_SPACE in reports(mail_dir)[1]
    free(home)
    assert cli("run", project).returncode == 0
    assert NO_SPACE not in reports(mail_dir)[2]


def test_records_that_cannot_even_begin(
    cli: Cli, project: Path, home: Path, mail_dir: Path
) -> None:
    """The first run of all finds the disk full: it runs without records."""
    fill(home)

    full = cli("run", project)

    assert full.returncode == 0
    assert logged(project) == ALL
    assert "no records are kept" in reports(mail_dir)[0]
    free(home)
    assert cli("run", project).returncode == 0
    assert past(cli)[0] == GOOD


def test_a_disk_that_fills_up_between_transitions(
    cli: Cli, make_project: MakeProject, home: Path, mail_dir: Path
) -> None:
    """What the records missed is taken from the log; nothing is run a second time."""
    filling = QUIET.format(name="b") + FILL.format(path=str(home / "filler"))
    project = a_project(make_project, "project_1", **{"b.py": filling})

    full = cli("run", project)

    assert full.returncode == 0
    assert logged(project) == ALL
    assert NO_SPACE in reports(mail_dir)[0]
    free(home)
    assert "nothing to resume" in cli("run", "--resume", project).stdout
    ((_status, scripts),) = past(cli)
    assert scripts == ["success"] * 3
    assert counts(project) == {"a": 1, "b": 1, "c": 1}
    assert logged(project) == ALL


@pytest.mark.fault(
    "machine",
    "The disk fills up at any moment of a run",
    "The scripts run on, and the next run completes the records.",
)
@pytest.mark.parametrize(
    "moment", [(ScriptStarted, "a.py"), (ScriptEnded, "b.py"), (ScriptEnded, "c.py")]
)
def test_a_disk_that_fills_up_at_any_event(
    cli: Cli,
    project: Path,
    home: Path,
    mail_dir: Path,
    moment: tuple[type[ScriptStarted | ScriptEnded], str],
) -> None:
    """Before a script's end, before the next start, before the close: it is settled."""
    kind, name = moment

    def listener(event: Event) -> None:
        match event:
            case ScriptStarted(script=script) if kind is ScriptStarted:
                here = script.name
            case ScriptEnded(result=result) if kind is ScriptEnded:
                here = result.script
            case _:
                return
        if here == name:
            fill(home)

    with open_session(load_settings(), listener=listener) as session:
        run = run_project(load_project(project), session)

    assert run.status is RunStatus.SUCCESS
    assert NO_SPACE in " ".join(map(str, run.warnings))
    assert NO_SPACE in reports(mail_dir)[0]
    free(home)
    assert cli("run", project).returncode == 0
    assert [scripts for _status, scripts in past(cli)] == [["success"] * 3] * 2
    assert logged(project) == ALL * 2


def full(home: Path) -> None:
    """Let the records be on a full disk."""
    fill(home)


def read_only(home: Path) -> None:
    """Let the records be where nothing can be written."""
    subprocess.run(["mount", "-o", "remount,ro", home], check=True)


def writable(home: Path) -> None:
    """Undo either."""
    subprocess.run(["mount", "-o", "remount,rw", home], check=True)
    (home / "filler").unlink(missing_ok=True)
    check(home)


@pytest.mark.fault(
    "records",
    "A run could not be recorded at all",
    "The next run takes it from the log.",
)
@pytest.mark.usefixtures("mail_dir")
@pytest.mark.parametrize("spoil", [full, read_only])
@pytest.mark.parametrize("earlier", [0, 1], ids=["first-run", "second-run"])
def test_a_run_that_the_records_never_saw_is_taken_from_the_log(
    cli: Cli,
    project: Path,
    home: Path,
    spoil: Callable[[Path], None],
    earlier: int,
) -> None:
    """Once the records can be written again they hold each run that the log holds."""
    for _ in range(earlier):
        assert cli("run", project).returncode == 0
    spoil(home)
    assert cli("run", project).returncode == 0
    writable(home)
    assert cli("run", project).returncode == 0

    assert logged(project) == ALL * (earlier + 2)
    assert past(cli) == [GOOD] * (earlier + 2)


@pytest.mark.fault(
    "records",
    "A failure stands in the log only",
    "`--resume` runs it again, and nothing else.",
)
@pytest.mark.usefixtures("mail_dir")
def test_what_failed_while_the_records_were_full_is_resumed(
    cli: Cli, project: Path, home: Path
) -> None:
    """A failure that only the log knows is run again, and nothing else is."""
    assert cli("run", project).returncode == 0
    script = project / "c.py"
    source = script.read_text("utf-8")
    script.write_text("1/0", "utf-8")
    fill(home)
    assert cli("run", project).returncode == 1
    free(home)
    script.write_text(source, "utf-8")

    assert cli("run", "--resume", project).returncode == 0
    assert counts(project) == {"a": 2, "b": 2, "c": 2}


@pytest.mark.fault(
    "records",
    "A run's end could not be recorded",
    "It is recorded later as it was reported, and no second mail follows.",
)
def test_a_run_whose_end_the_records_missed_ended_as_it_was_reported(
    cli: Cli, make_project: MakeProject, home: Path, mail_dir: Path
) -> None:
    """All its scripts succeeded: so did the run, and one report is enough."""
    filling = QUIET.format(name="b") + FILL.format(path=str(home / "filler"))
    project = a_project(make_project, "project_1", **{"b.py": filling})
    assert cli("run", project).returncode == 0
    # People have read the report: no command says anything else meanwhile.
    waiting = cli("history", project).stdout
    assert "succeeded" in waiting
    assert "interrupted" not in waiting
    run_id = waiting.splitlines()[1].split()[0]
    assert "could not be written to the records" in cli("show", run_id).stderr
    free(home)

    cli("run", "--resume", project)

    assert past(cli) == [GOOD]
    assert len(reports(mail_dir)) == 1


@pytest.mark.fault(
    "machine",
    "Log and records lie on a full disk",
    "The scripts run, the report tells of both, and the next run records this one.",
)
def test_a_disk_that_is_full_for_everything(
    cli: Cli, make_project: MakeProject, home: Path, mail_dir: Path, tmp_path: Path
) -> None:
    """Log and records on the full disk: the scripts run, and the report tells of both."""
    elsewhere = {
        f"{name}.py": f"open({str(tmp_path / name)!r} + '.done', 'a').write('x')"
        for name in "abc"
    }
    project = a_project(make_project, "home/project_1", **elsewhere)
    assert cli("run", project).returncode == 0
    fill(home)
    with (project / "logs" / "project_1.log").open("ab", buffering=0) as log:
        while log.tell() % PAGESIZE:
            log.write(b"\n")

    full = cli("run", project)

    assert full.returncode == 0
    assert counts(tmp_path) == {"a": 2, "b": 2, "c": 2}
    assert "the log is incomplete" in reports(mail_dir)[1]
    assert NO_SPACE in reports(mail_dir)[1]
    free(home)
    assert cli("run", project).returncode == 0
    # The file of the project's lock has kept its room.
    assert past(cli) == [GOOD, GOOD, GOOD]


@pytest.mark.fault(
    "records",
    "The records are read-only",
    "No script is stopped; the records can be read, and go on when they can.",
)
def test_a_folder_that_cannot_be_written(
    cli: Cli, project: Path, home: Path, mail_dir: Path
) -> None:
    """Read-only records stop no script, are read as ever, and go on when they can."""
    assert cli("run", project).returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", home], check=True)

    locked = cli("run", project)
    shown = past(cli)
    subprocess.run(["mount", "-o", "remount,rw", home], check=True)

    assert locked.returncode == 0
    assert logged(project) == ALL * 2
    assert str(home) in reports(mail_dir)[1]
    assert shown == [GOOD]
    check(home)
    assert cli("run", project).returncode == 0
    assert past(cli)[0] == past(cli)[-1] == GOOD
