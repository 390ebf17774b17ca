"""Unusual successes of real runs: what is kept of them, who is told, and when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import Attempt, Outcome, Run, RunStatus, ScriptResult
from python_runner.model.metrics import ScriptMetrics
from python_runner.records.store import Store, open_store
from python_runner.runner.project_run import run_project
from python_runner.runner.session import local_now, open_session
from tests.support import BAD, GOOD, MakeProject, mails


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli

ANN = ["ann@example.org"]
#: More runs than tell whether a success may be unusual.
MANY = 60


def remember(
    store: Store, folder: Path, count: int, *, duration: float = 720.0
) -> None:
    """Record so many runs of ``main.py``, one a day up to yesterday."""
    for days in range(count, 0, -1):
        began = local_now() - timedelta(days=days)
        attempt = Attempt(
            outcome=Outcome.SUCCESS, exit_code=0, started_at=began, duration=duration
        )
        result = ScriptResult(
            script="main.py",
            run_id=f"{days:013x}",
            number=1,
            outcome=Outcome.SUCCESS,
            started_at=began,
            duration=duration,
            attempts=(attempt,),
            metrics=ScriptMetrics(output_bytes=5, output_lines=1),
        )
        run = Run(
            run_id=result.run_id,
            project=folder.name,
            path=folder,
            status=RunStatus.SUCCESS,
            started_at=began,
            duration=duration,
            scripts=(result,),
        )
        store.end_run(run, [], began + timedelta(seconds=duration))


def runs(folder: Path, *sources: str) -> list[Run]:
    """Run a project, its script changed before each; return the runs."""
    done = []
    for source in sources:
        (folder / "main.py").write_text(source, encoding="utf-8")
        with open_session(load_settings()) as session:
            done.append(run_project(load_project(folder), session))
    return done


def kept(home: Path, run: Run) -> ScriptResult:
    """Return what the records hold of the script of a run."""
    with open_store(home, local_now()) as store:
        found = store.run(run.run_id)
    assert found is not None
    return found.scripts[0]


def project(
    make_project: MakeProject, home: Path, count: int = MANY, **keys: Any
) -> Path:
    """Return a project with so many runs of 12 minutes behind it."""
    folder = make_project(**{"recipients": ANN, "email_strategy": "all"} | keys)
    with open_store(home, local_now()) as store:
        remember(store, folder, count)
    return folder


def test_an_unusual_success_is_kept_and_told(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """It is a success: status, exit code and log line stay what they are."""
    folder = project(make_project, shielded)
    (run,) = runs(folder, GOOD)

    (reason,) = kept(shielded, run).unusual
    assert str(reason).startswith("took 0.")
    assert str(reason).endswith(" s, usually 12 min")
    assert (run.status, run.scripts[0].outcome) == (RunStatus.SUCCESS, Outcome.SUCCESS)
    (mail,) = mails(mail_dir)
    assert mail["Subject"].startswith(f"[project_1] unusual: main.py - {reason}")
    line = (folder / "logs" / "project_1.log").read_text("utf-8").splitlines()[-1]
    assert line.endswith(" - main.py - success")


def test_nothing_is_unusual_before_ten_runs(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """Nobody knows yet what is usual."""
    (run,) = runs(project(make_project, shielded, count=9), GOOD)
    assert kept(shielded, run).unusual == ()
    assert mails(mail_dir)[0]["Subject"].startswith("[project_1] succeeded: 1 script")


def test_with_failure_only_it_is_mailed_once_for_each_time_it_begins(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """Not while the same thing goes on, a failure between or not; then again."""
    folder = project(make_project, shielded, email_strategy="failure_only")
    first, second, failed, third = runs(folder, GOOD, GOOD, BAD, GOOD)
    assert [bool(run.unusual_scripts) for run in (first, second, third)] == [True] * 3
    sent = [run.mail_status.value for run in (first, second, failed, third)]
    assert sent == ["sent", "none", "sent", "none"]
    # What has been told so often has become usual.
    (fourth,) = runs(folder, GOOD)
    assert not fourth.unusual_scripts
    subjects = [mail["Subject"].split()[1] for mail in mails(mail_dir)]
    assert subjects == ["unusual:", "failed:"]


def test_with_failure_only_it_is_mailed_again_after_it_was_usual(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """What has ended and begins again is news."""
    folder = project(make_project, shielded, email_strategy="failure_only")
    (first,) = runs(folder, GOOD)
    (result,) = first.scripts
    usual = replace(result, run_id="f" * 13, duration=720.0, unusual=())
    with open_store(shielded, local_now()) as store:
        store.end_run(
            replace(first, run_id=usual.run_id, scripts=(usual,)), [], local_now()
        )
    (again,) = runs(folder, GOOD)
    assert (first.mail_status, again.mail_status) == ("sent", "sent")
    assert len(mails(mail_dir)) == 2


@pytest.mark.parametrize(
    ("keys", "marked", "sent"),
    [
        ({"email_strategy": "failure_only", "unusual": "mail"}, True, 1),
        ({"email_strategy": "failure_only", "unusual": "mark"}, True, 0),
        ({"email_strategy": "failure_only", "unusual": "ignore"}, False, 0),
        ({"email_strategy": "none", "unusual": "mail"}, True, 0),
        ({"email_strategy": "all", "unusual": "mark"}, True, 1),
        ({"email_strategy": "all", "unusual": "ignore"}, False, 1),
    ],
)
def test_the_key_says_what_comes_of_it(
    keys: dict[str, Any],
    sent: int,
    make_project: MakeProject,
    mail_dir: Path,
    shielded: Path,
    *,
    marked: bool,
) -> None:
    """Mailed, marked, or not looked for at all; without reports there is none."""
    (run,) = runs(project(make_project, shielded, **keys), GOOD)
    assert bool(run.unusual_scripts) is bool(kept(shielded, run).unusual) is marked
    found = mails(mail_dir) if mail_dir.exists() else []
    assert len(found) == sent
    if sent:
        assert ("unusual" in found[0]["Subject"]) is marked


def test_many_runs_speak_for_a_success_that_few_accuse(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """Two months ago every run was as quick: the program is the old one again."""
    folder = make_project(recipients=ANN, email_strategy="all")
    with open_store(shielded, local_now()) as store:
        remember(store, folder, 120, duration=0.1)
        remember(store, folder, 55)
    (run,) = runs(folder, GOOD)
    assert kept(shielded, run).unusual == ()
    assert len(mails(mail_dir)) == 1


#: What a script does that finds rows, and one that finds none and says so.
FULL = """
from pathlib import Path
for row in range(40): print("row", row)
Path("out.csv").write_text("a,b\\n" * 5000)
print("loaded 48210 rows")
"""
EMPTY = """
import logging
from pathlib import Path
logging.basicConfig()
logging.error("could not reach the server, nothing loaded")
Path("out.csv").write_text("a,b\\n")
print("loaded 0 rows")
"""


def test_what_a_script_prints_logs_and_makes_is_judged(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """From real output and real files, ten runs later."""
    folder = make_project(
        scripts=[{"path": "main.py", "outputs": ["out.csv"]}],
        recipients=ANN,
        email_strategy="failure_only",
    )
    *usual, odd = runs(folder, *[FULL] * 10, EMPTY)
    assert not any(run.unusual_scripts for run in usual)
    assert [str(reason) for reason in kept(shielded, odd).unusual] == [
        "loaded 0 rows, usually 48,210",
        "logged 1 error, usually none",
        "out.csv has 4 bytes, usually 20 kB",
        "printed 2 lines, usually 41",
    ]
    (mail,) = mails(mail_dir)
    assert "unusual: main.py - loaded 0 rows, usually 48,210" in mail["Subject"]


@pytest.mark.slow
def test_every_command_tells_of_it(
    cli: Cli, make_project: MakeProject, shielded: Path
) -> None:
    """The terminal of the run, its document, and what is asked later; exit code 0."""
    folder = project(make_project, shielded, email_strategy="none")
    done = cli("run", folder)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "unusual" in said
    assert "usually 12 min" in said
    done = cli("run", folder, "--json", "--quiet")
    (script,) = json.loads(done.stdout)["runs"][0]["scripts"]
    assert (done.returncode, script["status"]) == (0, "success")
    assert script["unusual"][0].endswith("usually 12 min")
    for arguments in (("status", folder), ("history", folder), ("show", folder)):
        done = cli(*arguments)
        assert "unusual: " in done.stdout
        assert "usually 12 min" in done.stdout
    (status,) = json.loads(cli("status", folder, "--json").stdout)["projects"]
    assert status["status"] == "success"
    assert status["unusual"][0].startswith("main.py: took 0.")
    done = cli("digest", folder)
    assert "1 of 1 projects unusual" in done.stdout
    assert "main.py: took 0." in done.stdout
    (told,) = json.loads(cli("digest", folder, "--json").stdout)["projects"]
    assert told["standing"] == "unusual"
    assert told["unusual"][0].startswith("main.py: took 0.")
