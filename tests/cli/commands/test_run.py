from __future__ import annotations

import json
import platform
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from python_runner.model import (
    Outcome,
)
from python_runner.records.locks import Holder, project_lock
from tests.support import (
    BAD,
    COMMAND,
    GENEROUS,
    GOOD,
    SERIES,
    TODAY,
    Cli,
    MakeProject,
    keep,
    mails,
    started,
    wait_until,
)


if TYPE_CHECKING:
    from python_runner.records.store import Store


def test_run_reports_each_script_and_exits_with_1(
    cli: Cli, make_project: MakeProject
) -> None:
    """A failing script between two good ones: all run, the code says it, so do lines."""
    folder = make_project(sources=SERIES)

    done = cli("run", folder)

    assert done.returncode == 1
    assert "project_1: first.py: succeeded" in done.stdout
    assert "project_1: bad.py: failed" in done.stdout
    assert "project_1: last.py: succeeded" in done.stdout
    assert "2 succeeded, 1 failed" in done.stdout
    assert "KeyError: 'montant'" in done.stderr
    assert "bad.py:2" in done.stderr
    assert "02_bad.py.log" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_run_json_prints_the_document_alone(
    cli: Cli, make_project: MakeProject
) -> None:
    """Programs get one document on stdout; people's lines go to stderr."""
    folder = make_project(sources=SERIES)

    done = cli("run", "--json", folder)
    (run,) = json.loads(done.stdout)["runs"]

    assert run["project"] == "project_1"
    assert run["path"] == str(folder)
    assert run["status"] == "failure"
    assert run["mail"] == "none"
    assert run["error"] is None
    assert re.fullmatch(r"[0-9a-f]{13}", run["run_id"])
    assert re.search(r"[+-]\d\d:\d\d$", run["started_at"])
    assert [s["status"] for s in run["scripts"]] == ["success", "failure", "success"]
    assert run["scripts"][1]["exit_code"] == 1
    assert "KeyError" in run["scripts"][1]["traceback"]
    assert Path(run["scripts"][0]["output"]).read_text(encoding="utf-8").strip() == (
        "fine"
    )
    assert "bad.py: failed" in done.stderr


def test_a_success_with_an_error_is_marked(cli: Cli, make_project: MakeProject) -> None:
    """What went wrong in a thread changes no exit code, but nobody misses it."""
    source = "import threading; threading.Thread(target=lambda: 1 / 0).start()"
    folder = make_project(sources={"main.py": source})

    done = cli("run", "--json", folder)
    (script,) = json.loads(done.stdout)["runs"][0]["scripts"]

    assert done.returncode == 0
    assert script["status"] == "success"
    assert script["warnings"] == [
        "succeeded despite an error: ZeroDivisionError: division by zero"
    ]
    assert script["warnings"][0] in done.stderr


def test_one_broken_project_keeps_no_other_from_running(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Configuration, interpreter and folder errors are results; the rest runs."""
    broken = make_project("broken")
    (broken / "exec_config.json").write_text("{", encoding="utf-8")
    make_project("no_python", python_command="no_such_python")
    make_project("good")
    (tmp_path / "file").write_text("", encoding="utf-8")

    done = cli("run", "--json", "broken", "nowhere", "file", "no_python", "good")
    runs = {run["project"]: run for run in json.loads(done.stdout)["runs"]}

    assert done.returncode == 2
    assert runs["good"]["status"] == "success"
    assert {runs[n]["status"] for n in ("broken", "nowhere", "file", "no_python")} == {
        "not_started"
    }
    assert "malformed JSON" in runs["broken"]["error"]
    assert "is not a folder" in runs["nowhere"]["error"]
    assert "is a file: name the folder of the project" in runs["file"]["error"]
    assert "no_such_python" in runs["no_python"]["error"]
    assert (tmp_path / "no_python" / "logs" / "no_python.log").is_file()


def test_a_project_that_cannot_start_is_reported_by_mail(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """At 8 a.m. somebody must read that the interpreter is gone."""
    make_project(
        python_command="no_such_python",
        recipients=["a@example.org"],
        email_strategy="failure_only",
    )

    done = cli("run", "project_1", MAIL_TRANSPORT="file", MAIL_DIR="mails")

    assert done.returncode == 2
    (mail,) = (tmp_path / "mails").glob("*.eml")
    assert b"no_such_python" in mail.read_bytes()


def test_projects_of_the_workspace_run_without_arguments(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """python-runner.toml lists the projects and common defaults."""
    make_project("shared/a")
    make_project("shared/b", sources={"b.py": "import os; exit(int(os.environ['N']))"})
    (tmp_path / "python-runner.toml").write_text(
        'projects = ["gone/*", "shared/*"]\n[defaults.env]\nN = "7"\n', encoding="utf-8"
    )

    done = cli("run")

    assert done.returncode == 2
    assert "a: main.py: succeeded" in done.stdout
    assert "exit code 7" in done.stdout
    # A share that does not answer is told, and keeps no other project from running.
    assert "no folder with an exec_config.json matches" in done.stderr


def test_jobs_run_projects_side_by_side(cli: Cli, make_project: MakeProject) -> None:
    """Two projects that wait for each other's file end only if both run at once."""
    source = (
        "import pathlib, time\n"
        "pathlib.Path('up').touch()\n"
        "end = time.monotonic() + 20\n"
        "while not pathlib.Path('../{other}/up').exists():\n"
        "    assert time.monotonic() < end\n"
        "    time.sleep(0.02)\n"
    )
    make_project("a", sources={"main.py": source.format(other="b")})
    make_project("b", sources={"main.py": source.format(other="a")})

    assert cli("run", "--jobs", "2", "a", "b").returncode == 0


@pytest.mark.portable("which scripts are chosen is decided from names alone")
def test_only_runs_the_named_scripts(cli: Cli, make_project: MakeProject) -> None:
    """--only picks from the series and forgets needs outside of it."""
    make_project(
        sources=SERIES,
        scripts=["first.py", "bad.py", {"path": "last.py", "needs": ["bad.py"]}],
    )

    done = cli("run", "project_1", "--only", "last.py", "--json")
    (run,) = json.loads(done.stdout)["runs"]

    assert [s["script"] for s in run["scripts"]] == ["last.py"]
    assert run["status"] == "success"
    unknown = cli("run", "project_1", "--only", "gone.py")
    assert unknown.returncode == 2
    assert "first.py, bad.py, last.py" in unknown.stderr


def test_dry_run_shows_and_runs_nothing(cli: Cli, make_project: MakeProject) -> None:
    """The plan tells interpreter, files and options."""
    folder = make_project(sources={"a.py": "open('ran', 'w')"}, timeout="5m", retries=2)

    done = cli("run", "--dry-run", folder, "nowhere")

    assert done.returncode == 2
    assert sys.executable in done.stdout
    assert "a.py, at most 5 min, up to 2 retries" in done.stdout
    assert "nowhere is not a folder" in done.stderr
    assert not (folder / "ran").exists()
    assert not (folder / "logs").exists()


def test_an_interpreter_with_arguments_is_planned_run_and_recorded(
    cli: Cli, make_project: MakeProject
) -> None:
    """Everywhere it is what people would type."""
    source = "import sys; assert sys.flags.dev_mode and sys.argv[1:] == ['-X']"
    folder = make_project(
        sources={"a.py": source},
        scripts=[{"path": "a.py", "args": ["-X"]}],
        python_command=[sys.executable, "-X", "dev"],
    )

    assert cli("check", folder).returncode == 0
    assert "-X dev" in cli("run", "--dry-run", folder).stdout
    (run,) = json.loads(cli("run", "--json", folder).stdout)["runs"]

    assert run["status"] == "success"
    assert run["interpreter"].endswith("-X dev")
    assert run["interpreter_version"] == platform.python_version()


@pytest.mark.portable("what is said and to whom follows from options alone")
def test_quiet_prints_failures_only(cli: Cli, make_project: MakeProject) -> None:
    """Cron mails what a command prints: nothing when all is well."""
    make_project("good")
    make_project("bad", sources=SERIES)

    well = cli("run", "-q", "good")
    ill = cli("run", "-q", "bad")

    assert (well.stdout, well.stderr) == ("", "")
    assert ill.stdout == ""
    assert "KeyError" in ill.stderr


def test_verbose_shows_output_as_it_comes(cli: Cli, make_project: MakeProject) -> None:
    """-v gives every line of every script with its name."""
    make_project(sources={"a.py": "print('one'); print('two', end='')"})

    done = cli("run", "-v", "project_1")

    assert "project_1: a.py | one\n" in done.stdout
    assert "project_1: a.py | two\n" in done.stdout


@pytest.mark.portable("what is said and to whom follows from options alone")
def test_no_mail_sends_none_and_wants_no_mailbox(
    cli: Cli, make_project: MakeProject
) -> None:
    """--no-mail runs a project whose mail variables are not there."""
    make_project(recipients=["a@example.org"], email_strategy="all")

    assert cli("run", "project_1").returncode == 2
    assert cli("run", "--no-mail", "project_1").returncode == 0


def test_a_dead_mail_server_delays_nobody(cli: Cli, make_project: MakeProject) -> None:
    """The report is queued, the next project runs, the code is that of the scripts."""
    for name in ("a", "b"):
        make_project(name, recipients=["a@example.org"], email_strategy="all")

    began = time.monotonic()
    done = cli(
        "run",
        "--json",
        "a",
        "b",
        LOGIN_MAIL="x@example.org",
        PASSWORD_MAIL="pw",
        SMTP_HOST="127.0.0.1",
        SMTP_PORT="9",
    )

    assert done.returncode == 0
    assert [r["mail"] for r in json.loads(done.stdout)["runs"]] == ["queued"] * 2
    assert time.monotonic() - began < GENEROUS


def test_nothing_named_is_a_usage_error(cli: Cli) -> None:
    """Without project and without python-runner.toml the sentence says what to do."""
    done = cli("run")

    assert done.returncode == 2
    assert "python-runner.toml" in done.stderr


def test_a_project_named_twice_runs_once(cli: Cli, make_project: MakeProject) -> None:
    """Two ways to write one folder are one project."""
    make_project()

    done = cli("run", "--json", "project_1", "./project_1/")

    assert len(json.loads(done.stdout)["runs"]) == 1


def test_a_second_run_is_skipped_and_says_why(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Overlap: exit code 3, a line in the log, and the first run named."""
    folder = make_project(
        sources={
            "slow.py": "import pathlib, time\n"
            "pathlib.Path('up').touch()\n"
            "while not pathlib.Path('go').exists(): time.sleep(0.02)\n"
        },
        timeout=60,
    )
    with subprocess.Popen([*COMMAND, "run", "-q", folder], cwd=tmp_path) as first:
        wait_until((folder / "up").exists)
        # On Windows the interpreter of a virtual environment is a redirector: the
        # runner is its child.
        family = psutil.Process(first.pid).children(recursive=True)
        second = cli("run", "--json", folder)
        (folder / "go").touch()
        assert first.wait(GENEROUS) == 0

    (run,) = json.loads(second.stdout)["runs"]
    assert second.returncode == 3
    assert run["status"] == "skipped"
    assert run["scripts"][0]["status"] == "skipped"
    named = re.search(r"process (\d+) on ", run["error"])
    assert named
    assert int(named[1]) in {first.pid, *(member.pid for member in family)}
    log = (folder / "logs" / "project_1.log").read_text(encoding="utf-8")
    assert run["run_id"] in log


def test_a_skipped_run_is_one_line_of_the_log(
    cli: Cli, make_project: MakeProject, shielded: Path
) -> None:
    """A scheduler that comes too often fills no log, and no script has failed."""
    folder = make_project(sources={f"{name}.py": GOOD for name in "abc"})
    with project_lock(shielded, folder) as lock:
        holder = Holder(pid=1, host="elsewhere", run_id="0" * 13, started_at=TODAY)
        assert lock.acquire(holder, wait=False)
        done = cli("run", "--json", folder)

    (run,) = json.loads(done.stdout)["runs"]
    assert (done.returncode, run["status"]) == (3, "skipped")
    (line,) = (folder / "logs" / "project_1.log").read_text("utf-8").splitlines()
    fields = line.split(" - ")
    assert [fields[n] for n in (1, 3, 5, 6)] == [
        "WARNING",
        run["run_id"],
        "*",
        "skipped",
    ]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)]
)
def test_a_signal_ends_with_every_project_accounted_for(
    make_project: MakeProject,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    name: str,
    code: int,
) -> None:
    """Running scripts are stopped, the rest is skipped, in all projects."""
    # Where these tests run under nohup, what they start would ignore it too.
    previous = signal.signal(signal.Signals[name], signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.Signals[name], previous))
    folder = make_project(
        "a",
        sources={"slow.py": "open('up','w'); import time; time.sleep(60)", "b.py": ""},
    )
    make_project("z")

    with subprocess.Popen(
        [*COMMAND, "run", "--json", "a", "z"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_until((folder / "up").exists)
        process.send_signal(signal.Signals[name])
        output, _ = process.communicate(timeout=GENEROUS)

    runs = json.loads(output)["runs"]
    assert process.returncode == code
    assert runs[0]["status"] == "stopped"
    assert [s["status"] for run in runs for s in run["scripts"]] == [
        "stopped",
        "skipped",
        "skipped",
    ]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_stop_is_no_news_for_a_project_that_never_began(
    make_project: MakeProject, tmp_path: Path, mail_dir: Path
) -> None:
    """One Ctrl-C with ten projects is no ten mails."""
    told = {"recipients": ["a@example.org"], "email_strategy": "all"}
    slow = "open('up','w'); import time; time.sleep(60)"
    folder = make_project("a", sources={"slow.py": slow}, **told)
    make_project("z", **told)

    with started(tmp_path, "run", "--json", "a", "z") as process:
        wait_until((folder / "up").exists)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)

    assert [run["status"] for run in json.loads(output)["runs"]] == [
        "stopped",
        "not_started",
    ]
    assert len(mails(mail_dir)) == 1


@pytest.mark.portable("what is left to do is decided from the records alone")
def test_keep_days_of_the_workspace_forgets_what_is_older(
    cli: Cli, store: Store, make_project: MakeProject, tmp_path: Path
) -> None:
    """A command that runs projects forgets old runs of all; without keep_days, none."""
    folder = make_project()
    for digit, days in (("2", 4), ("1", 2)):
        keep(store, digit * 13, folder, Outcome.SUCCESS, ago=timedelta(days=days))
    workspace = tmp_path / "python-runner.toml"

    workspace.write_text('projects = ["project_1"]\n', "utf-8")
    cli("run", "-q")
    assert len(store.runs()) == 3
    workspace.write_text('projects = ["project_1"]\nkeep_days = 3\n', "utf-8")
    cli("run", "-q")

    assert "2" * 13 not in {run.run_id for run in store.runs()}
    assert len(store.runs()) == 3


COUNTED = "open('{name}.count', 'a').write('x')\n"


def counts(folder: Path) -> dict[str, int]:
    """Return how often each script ran."""
    return {p.stem: len(p.read_text("utf-8")) for p in folder.glob("*.count")}


@pytest.mark.slow
@pytest.mark.portable("what is left to do is decided from the records alone")
def test_resume_runs_what_did_not_succeed(cli: Cli, make_project: MakeProject) -> None:
    """The last run goes on, as often as it takes; needs that are met stay met."""
    folder = make_project(
        sources={
            "a.py": COUNTED.format(name="a"),
            "b.py": COUNTED.format(name="b") + "assert open('mended')",
            "c.py": COUNTED.format(name="c"),
            "d.py": COUNTED.format(name="d"),
        },
        scripts=[
            "a.py",
            {"path": "b.py", "needs": ["a.py"]},
            {"path": "c.py", "needs": ["a.py", "b.py"]},
            "d.py",
        ],
    )
    assert cli("run", "-q", folder).returncode == 1
    planned = cli("run", "--resume", "--dry-run", folder).stdout
    assert [line.split(",")[0] for line in planned.splitlines()[1:]] == [
        f"  {folder / 'b.py'}",
        f"  {folder / 'c.py'}",
    ]

    still_bad = cli("run", "--resume", "--json", folder)
    (folder / "mended").touch()
    mended = cli("run", "--resume", "--json", folder)

    assert still_bad.returncode == 1
    (run,) = json.loads(mended.stdout)["runs"]
    assert mended.returncode == 0
    assert [script["script"] for script in run["scripts"]] == ["b.py", "c.py"]
    assert counts(folder) == {"a": 1, "b": 3, "c": 1, "d": 1}


def undone(cli: Cli, folder: Path) -> list[str]:
    """Return the scripts that a continuation would run."""
    planned = cli("run", "--resume", "--dry-run", folder).stdout.splitlines()
    return [Path(line.split(",")[0].strip()).name for line in planned[1:]]


@pytest.mark.slow
@pytest.mark.portable("what is left to do is decided from the records alone")
def test_resume_knows_all_that_did_not_succeed(
    cli: Cli, make_project: MakeProject
) -> None:
    """Neither a run of other scripts, nor one that failed again, makes them forgotten."""
    sources = {"a.py": GOOD, "b.py": BAD, "c.py": BAD}
    folder = make_project(sources=sources)
    cli("run", "-q", folder)
    assert undone(cli, folder) == ["b.py", "c.py"]

    (folder / "b.py").write_text(GOOD, "utf-8")
    cli("run", "-q", "--only", "b.py", folder)
    assert undone(cli, folder) == ["c.py"]
    cli("run", "-q", "--only", "a.py", folder)
    assert undone(cli, folder) == ["c.py"]
    cli("run", "-q", "--resume", folder)
    assert undone(cli, folder) == ["c.py"]

    # What was added since has not succeeded, and what was taken out is not missed.
    (folder / "d.py").write_text(GOOD, "utf-8")
    make_project(sources={"a.py": GOOD, "b.py": GOOD, "d.py": GOOD})
    done = cli("run", "--resume", "--json", folder)
    (run,) = json.loads(done.stdout)["runs"]
    assert [script["script"] for script in run["scripts"]] == ["d.py"]
    assert "nothing to resume" in cli("run", "--resume", folder).stdout


@pytest.mark.portable("what is left to do is decided from the records alone")
def test_what_could_not_be_started_is_resumed(
    cli: Cli, make_project: MakeProject
) -> None:
    """A success of an earlier day does not make up for a run that did not begin."""
    folder = make_project()
    cli("run", "-q", folder)
    make_project(python_command="nonexistent")
    assert cli("run", "-q", folder).returncode == 2
    make_project()

    assert undone(cli, folder) == ["main.py"]


@pytest.mark.not_wine
def test_a_series_is_resumed_by_another_path(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """What one path of a folder left undone, another one takes up."""
    folder = make_project(sources={"bad.py": BAD})
    cli("run", "-q", folder)
    link = tmp_path / "link"
    try:
        link.symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("this user may make no links here")

    assert undone(cli, link) == ["bad.py"]
    assert "nothing to resume" not in cli("run", "--resume", link).stdout


def test_a_continuation_that_waits_looks_again(
    cli: Cli, patient: Path, tmp_path: Path
) -> None:
    """What the run before it has done meanwhile is not done twice."""
    with started(tmp_path, "run", "--resume", patient) as waiting:
        time.sleep(1.5)
        (patient / "go").touch()
        told, _ = waiting.communicate(timeout=GENEROUS)

    assert told == "project_1: nothing to resume\n"
    assert waiting.returncode == 0
    assert len(json.loads(cli("history", "--json", patient).stdout)["runs"]) == 1


@pytest.mark.portable("what is left to do is decided from the records alone")
def test_nothing_to_resume_runs_nothing(cli: Cli, make_project: MakeProject) -> None:
    """A project that never ran, or ran well last, is left alone and no failure."""
    folder = make_project()

    never = cli("run", "--resume", folder)
    assert never.stdout == "project_1: nothing to resume\n"
    assert never.returncode == 0
    cli("run", "-q", folder)
    well = cli("run", "--resume", "--json", folder)
    assert json.loads(well.stdout) == {"runs": []}
    assert "nothing to resume" in well.stderr
    assert well.returncode == 0
    assert cli("run", "--resume", "-q", folder).stdout == ""
    planned = cli("run", "--resume", "--dry-run", folder)
    assert planned.stdout == "project_1: nothing to resume\n"
    assert len(list(folder.glob("logs/runs/*"))) == 1


@pytest.mark.portable("what is left to do is decided from the records alone")
def test_resume_looks_at_each_project_by_itself(
    cli: Cli, make_project: MakeProject
) -> None:
    """One has work left, one has none, one is broken."""
    for name, source in (("good", GOOD), ("bad", BAD)):
        cli("run", "-q", make_project(name, sources={"main.py": source}))

    done = cli("run", "--resume", "--json", "good", "bad", "nowhere")
    runs = json.loads(done.stdout)["runs"]

    assert done.returncode == 2
    assert [(run["project"], run["status"]) for run in runs] == [
        ("bad", "failure"),
        ("nowhere", "not_started"),
    ]


@pytest.mark.slow
def test_resume_goes_on_after_a_runner_was_killed(cli: Cli, orphaned: Path) -> None:
    """The killed run is settled, and what it had not done is done now."""
    (orphaned / "go").touch()

    resumed = cli("run", "--resume", "--json", orphaned)
    (run,) = json.loads(resumed.stdout)["runs"]

    assert [script["script"] for script in run["scripts"]] == ["slow.py", "c.py"]
    assert run["status"] == "success"
    _, killed = json.loads(cli("history", "--json", orphaned).stdout)["runs"]
    assert killed["status"] == "interrupted"
    assert [script["status"] for script in killed["scripts"]] == [
        "success",
        "interrupted",
        "skipped",
    ]
    again = cli("run", "--resume", orphaned)
    assert "nothing to resume" in again.stdout
    # The last words of what was interrupted are not lost.
    assert "begun" in cli("output", killed["run_id"], "slow.py").stdout


@pytest.mark.portable("which scripts are chosen is decided from names alone")
def test_resume_and_only_exclude_each_other(cli: Cli) -> None:
    """Which scripts run cannot be said twice."""
    done = cli("run", "--resume", "--only", "a.py", "p")

    assert done.returncode == 2
    assert "--only" in done.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("good", "good.py"), ("Good.py", "good.py"), ("godo.py", "good.py")],
)
def test_a_script_that_is_nearly_called_so_is_named(
    cli: Cli, make_project: MakeProject, typed: str, meant: str
) -> None:
    """Who leaves the ending out need not read the whole series."""
    done = cli(
        "run", "--dry-run", make_project(sources={"good.py": GOOD}), "--only", typed
    )

    assert done.returncode == 2
    assert f"script {typed} in the series; did you mean {meant}?" in done.stderr


def test_a_folder_that_is_none_is_an_error_in_one_line(cli: Cli) -> None:
    """No empty line above, and no other word for it than elsewhere."""
    done = cli("run", "nowhere")

    [line] = [line for line in done.stderr.split("\n")[:-1] if "warning" not in line]
    assert line.startswith("error: ")
    assert line.count("nowhere") == 1
    assert line.endswith("is not a folder")
