from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import psutil
import pytest

from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Callable

    MakeProject = Callable[..., Path]
    Cli = Callable[..., subprocess.CompletedProcess[str]]

COMMAND = (sys.executable, "-m", "python_runner")
GOOD = "print('fine')"
BAD = "def load():\n    raise KeyError('montant')\n\nload()\n"
SERIES = {"first.py": GOOD, "bad.py": BAD, "last.py": GOOD}


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
    assert "2 of 3 succeeded" in done.stdout
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
        "it succeeded, but there was an error: ZeroDivisionError: division by zero"
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

    done = cli("run", "--json", "broken", "nowhere", "no_python", "good")
    runs = {run["project"]: run for run in json.loads(done.stdout)["runs"]}

    assert done.returncode == 2
    assert runs["good"]["status"] == "success"
    assert {runs[n]["status"] for n in ("broken", "nowhere", "no_python")} == {
        "not_started"
    }
    assert "malformed JSON" in runs["broken"]["error"]
    assert "is not a folder" in runs["nowhere"]["error"]
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
    make_project("shared/b", sources={"slow.py": "import time; time.sleep(60)"})
    (tmp_path / "python-runner.toml").write_text(
        'projects = ["shared/*"]\n[defaults]\ntimeout = "1s"\n', encoding="utf-8"
    )

    done = cli("run")

    assert done.returncode == 1
    assert "a: main.py: succeeded" in done.stdout
    assert "b: slow.py: timed out" in done.stdout


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
    assert time.monotonic() - began < 60


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
        wait_for(folder / "up")
        # On Windows the interpreter of a virtual environment is a redirector: the
        # runner is its child.
        family = psutil.Process(first.pid).children(recursive=True)
        second = cli("run", "--json", folder)
        (folder / "go").touch()
        assert first.wait(30) == 0

    (run,) = json.loads(second.stdout)["runs"]
    assert second.returncode == 3
    assert run["status"] == "skipped"
    assert run["scripts"][0]["status"] == "skipped"
    named = re.search(r"process (\d+) on ", run["error"])
    assert named
    assert int(named[1]) in {first.pid, *(member.pid for member in family)}
    log = (folder / "logs" / "project_1.log").read_text(encoding="utf-8")
    assert run["run_id"] in log


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
        wait_for(folder / "up")
        process.send_signal(signal.Signals[name])
        output, _ = process.communicate(timeout=40)

    runs = json.loads(output)["runs"]
    assert process.returncode == code
    assert [run["status"] for run in runs] == ["stopped", "stopped"]
    assert [s["status"] for run in runs for s in run["scripts"]] == [
        "stopped",
        "skipped",
        "skipped",
    ]


def wait_for(path: Path) -> None:
    """Wait until a script has made a file; fail after a while."""
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.02)


def test_check_tells_everything_and_runs_nothing(
    cli: Cli, make_project: MakeProject
) -> None:
    """Scripts, interpreter and mail variables are looked at, nothing else happens."""
    folder = make_project(
        scripts=["main.py", "gone.py"],
        python_command="no_such_python",
        recipients=["a@example.org"],
        email_strategy="all",
    )
    make_project("good")

    done = cli("check", "project_1", "good")

    assert done.returncode == 2
    assert f"{folder}: 3 problem(s)" in done.stdout
    assert "python_command: " in done.stdout
    assert "scripts[1]: script not found: gone.py" in done.stdout
    assert "email_strategy: " in done.stdout
    assert "good: ready to run" in done.stdout
    assert not (folder / "logs").exists()


def test_check_json_is_for_programs(cli: Cli, make_project: MakeProject) -> None:
    """Each project has ok and its problems, with file, key and message."""
    make_project()
    make_project("bad", timeout="soon")

    done = cli("check", "--json", "project_1", "bad", "nowhere")
    good, bad, nowhere = json.loads(done.stdout)["projects"]

    assert (good["ok"], good["problems"]) == (True, [])
    assert [p["key"] for p in bad["problems"]] == ["timeout"]
    assert nowhere["ok"] is False


def test_check_schema_prints_the_schema(cli: Cli) -> None:
    """The printed schema is valid and knows the required keys."""
    schema = json.loads(cli("check", "--schema").stdout)

    jsonschema.Draft202012Validator.check_schema(schema)
    assert "scripts" in schema["$defs"]["ExecConfig"]["required"]


def test_init_writes_what_check_accepts(cli: Cli, tmp_path: Path) -> None:
    """The scripts of a folder become a series that runs at once."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("b.py", "a.py", "test_a.py", "setup.py", "__init__.py"):
        (folder / name).write_text(GOOD, encoding="utf-8")

    done = cli("init", "mine")
    config = json.loads((folder / "exec_config.json").read_text(encoding="utf-8"))

    assert done.returncode == 0
    assert config["scripts"] == ["a.py", "b.py"]
    assert config["email_strategy"] == "none"
    assert cli("check", "mine").returncode == 0
    assert cli("run", "mine").returncode == 0


def test_init_takes_recipients_and_the_projects_interpreter(
    cli: Cli, tmp_path: Path
) -> None:
    """A virtual environment in the folder is found, in its platform's place."""
    (tmp_path / "a.py").write_text(GOOD, encoding="utf-8")
    (tmp_path / ".venv" / "Scripts").mkdir(parents=True)
    (tmp_path / ".venv" / "Scripts" / "python.exe").touch()

    cli("init", ".", "--recipient", "a@example.org", "--recipient", "b@example.org")
    config = json.loads((tmp_path / "exec_config.json").read_text(encoding="utf-8"))

    assert config["recipients"] == ["a@example.org", "b@example.org"]
    assert config["email_strategy"] == "all"
    assert config["python_command"] == ".venv/Scripts/python"


def test_init_never_overwrites(cli: Cli, make_project: MakeProject) -> None:
    """An existing configuration stays as it is."""
    folder = make_project()
    before = (folder / "exec_config.json").read_bytes()

    done = cli("init", folder)

    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert (folder / "exec_config.json").read_bytes() == before


def test_init_wants_scripts_and_right_addresses(cli: Cli, tmp_path: Path) -> None:
    """An empty folder and a wrong address are told, nothing is written."""
    (tmp_path / "empty").mkdir()

    assert "no Python script" in cli("init", "empty").stderr
    wrong = cli("init", "empty", "--recipient", "nobody")
    assert wrong.returncode == 2
    assert "not a mail address" in wrong.stderr
    assert not (tmp_path / "empty" / "exec_config.json").exists()


def test_demo_needs_nothing_and_shows_everything(cli: Cli, tmp_path: Path) -> None:
    """Log lines, outputs and the mail's text are on screen; one script fails."""
    done = cli("demo", TMPDIR=str(tmp_path), TEMP=str(tmp_path))

    assert done.returncode == 0
    assert " - import_amounts.py - failure - " in done.stdout
    assert "KeyError: 'amount'" in done.stdout
    assert "[sales]" in done.stdout
    assert len(re.findall(r"\.eml", done.stdout)) == 2
    assert "python-runner init" in done.stdout


def test_mail_test_walks_to_a_folder(cli: Cli, tmp_path: Path) -> None:
    """With the file transport the test mail is a file."""
    done = cli(
        "mail",
        "test",
        "--to",
        "a@example.org",
        MAIL_TRANSPORT="file",
        MAIL_DIR=str(tmp_path / "mails"),
    )

    assert done.returncode == 0
    assert "a@example.org" in done.stdout
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 1


def test_mail_test_names_the_step_that_fails(cli: Cli) -> None:
    """A server that is not there fails at TCP, with words and exit code 1."""
    done = cli(
        "mail",
        "test",
        LOGIN_MAIL="x@example.org",
        PASSWORD_MAIL="canary-9",
        SMTP_HOST="127.0.0.1",
        SMTP_PORT="9",
    )

    assert done.returncode == 1
    assert "TCP" in done.stderr
    assert "canary-9" not in done.stdout + done.stderr


def test_mail_test_wants_its_variables(cli: Cli) -> None:
    """Without a mailbox the missing variables are named; a wrong address is refused."""
    done = cli("mail", "test")
    assert done.returncode == 2
    assert "LOGIN_MAIL, PASSWORD_MAIL" in done.stderr

    wrong = cli("mail", "test", "--to", "x", MAIL_TRANSPORT="file", MAIL_DIR="m")
    assert wrong.returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_for_each_shell(cli: Cli, shell: str) -> None:
    """Each script names the command and the variable that drives it."""
    done = cli("completion", shell)

    assert done.returncode == 0
    assert "_PYTHON_RUNNER_COMPLETE" in done.stdout


def test_completion_completes(cli: Cli) -> None:
    """The variable makes the command print its sub-commands."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="bash_complete",
        COMP_WORDS="python-runner ",
        COMP_CWORD="1",
    )

    assert "plain,run" in done.stdout
    assert "plain,check" in done.stdout


def test_version_and_help(cli: Cli) -> None:
    """Both print and succeed; help lists the commands."""
    assert cli("--version").stdout.strip().endswith(__version__)
    done = cli("--help")
    assert done.returncode == 0
    for command in ("run", "check", "init", "mail", "demo", "completion"):
        assert f"  {command} " in done.stdout
    assert cli("no-such-command").returncode == 2


def test_help_speaks_french(cli: Cli) -> None:
    """Our words and click's own follow the account's language."""
    done = cli("run", "--help", LANGUAGE="fr")

    assert done.stdout.startswith("Utilisation : python-runner run")
    assert "Affiche cette aide et termine." in done.stdout
    assert "Run the series" not in done.stdout
    wrong = cli("rum", LANGUAGE="fr")
    assert "La commande 'rum' n'existe pas. Vouliez-vous dire 'run' ?" in wrong.stderr


def test_a_stream_that_knows_few_characters(make_project: MakeProject) -> None:
    """A redirected Windows stream (cp1252) never makes the runner fail."""
    make_project("été ✓")

    done = subprocess.run(
        [*COMMAND, "run", "été ✓"],
        cwd=make_project().parent,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert "été ?".encode("cp1252") in done.stdout


def test_a_reader_that_leaves_is_no_error(make_project: MakeProject) -> None:
    """Output into a closed pipe ends quietly; the runs are what counts."""
    folder = make_project()
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, "run", folder],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)

    assert b"Traceback" not in done.stderr
    assert (folder / "logs" / "project_1.log").is_file()
