from __future__ import annotations

import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from python_runner import (
    BadPythonInterpreter,
    BadRecipientList,
    InvalidConfiguration,
    MissingEnvironmentVariable,
    Runner,
    load_config,
)
from python_runner.records.store import open_store
from python_runner.runner.session import local_now
from tests.support import BAD, GENEROUS, GOOD, SERIES, MakeProject, mails, wait_until


def log_lines(folder: Path) -> list[str]:
    """Return the lines of a project's log."""
    log = folder / "logs" / f"{folder.name}.log"
    return log.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "command", ["", [], [""], ["python", 3], [None], 3, b"python", {"python"}, "a\0b"]
)
def test_a_wrong_interpreter_is_a_value_error(
    make_project: MakeProject, command: Any
) -> None:
    """It is told before anything runs, with both ways to write one."""
    folder = make_project()
    with pytest.raises(ValueError, match="python_command"):
        Runner(folder, []).run(
            ["main.py"], python_command=command, email_strategy="none"
        )
    assert not (folder / "logs").exists()


def test_an_interpreter_may_have_arguments_of_its_own(
    make_project: MakeProject,
) -> None:
    """They come before those that every script gets, and the records name them all."""
    folder = make_project(
        sources={"main.py": "import sys; assert sys.flags.dev_mode; print(*sys.argv)"}
    )
    for command in ([sys.executable, "-X", "dev"], (sys.executable, "-Xdev")):
        results = Runner(folder, []).run(
            ["main.py"], python_command=command, email_strategy="none"
        )
        assert [result["status"] for result in results] == ["success"]
        assert results[0]["traceback"] is None
    alone = Runner(folder, []).run(
        ["main.py"], python_command=Path(sys.executable), email_strategy="none"
    )
    assert "sys.flags.dev_mode" in str(alone[0]["traceback"])


def test_a_failing_script_between_two_good_ones(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """The original died here: now all three run, are logged, and are mailed."""
    folder = make_project(sources=SERIES)

    results = Runner(str(folder), ["a@example.org"]).run(
        list(SERIES), sys.executable, "all", include_traceback=True
    )

    assert [(r["script"], r["success"]) for r in results] == [
        ("first.py", True),
        ("bad.py", False),
        ("last.py", True),
    ]
    assert "KeyError: 'montant'" in str(results[1]["traceback"])
    lines = log_lines(folder)
    assert [line.split(" - ")[6] for line in lines] == ["success", "failure", "success"]
    assert "KeyError" in lines[1]
    (mail,) = mails(mail_dir)
    assert "bad.py" in mail["Subject"]
    assert "KeyError" in mail["Subject"]


def test_the_results_keep_the_originals_keys(make_project: MakeProject) -> None:
    """Each dictionary has the four old keys and the seven new ones, ready for JSON."""
    folder = make_project(sources={"a.py": "import sys; sys.exit(3)"})

    (result,) = Runner(folder, []).run(["a.py"], sys.executable, "none")

    assert list(result) == [
        "script",
        "success",
        "execution_time",
        "traceback",
        "status",
        "exit_code",
        "attempts",
        "run_id",
        "started_at",
        "output",
        "warnings",
    ]
    assert result["warnings"] == []
    assert result["exit_code"] == 3
    assert result["status"] == "failure"
    assert 0 < result["execution_time"] < 1
    assert len(result["run_id"]) == 13
    json.dumps(result)


def test_the_originals_example_runs_unchanged(
    make_project: MakeProject, tmp_path: Path, mail_dir: Path
) -> None:
    """Three projects in a loop, scripts joined to a relative folder, a .env file."""
    for name in ("project_1", "project_2", "project_3"):
        make_project(
            name,
            sources=SERIES if name == "project_2" else {"main.py": GOOD},
            recipients=["a@example.org"],
            email_strategy="failure_only",
        )
    (tmp_path / "example.py").write_text(
        """
import os

from python_runner import Runner
from python_runner.helpers import load_config

projects = [
    r"./project_1",
    r"./project_2",
    r"./project_3",
]

for project in projects:

    (
        scripts,
        python_command,
        recipients,
        email_strategy,
        include_traceback,
        logs_backup_count,
    ) = load_config(project)

    scripts_list = [os.path.join(project, script) for script in scripts]

    runner = Runner(project, recipients, logs_backup_count=logs_backup_count)

    runner.run(
        python_scripts=scripts_list,
        python_command=python_command,
        email_strategy=email_strategy,
        include_traceback=include_traceback,
    )
""",
        encoding="utf-8",
    )

    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, check=True
    )

    assert done.stdout == b""
    for name, count in (("project_1", 1), ("project_2", 3), ("project_3", 1)):
        assert len(log_lines(tmp_path / name)) == count
    (mail,) = mails(mail_dir)
    assert "project_2" in mail["Subject"]
    body = mail.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "bad.py" in text
    assert "first.py" not in text


def test_the_working_directory_is_the_project(make_project: MakeProject) -> None:
    """A script finds the files beside it, wherever the runner was started."""
    folder = make_project(sources={"sub/a.py": "print(open('data.txt').read())"})
    (folder / "data.txt").write_text("found", encoding="utf-8")

    (result,) = Runner(folder, []).run(["sub/a.py"], None, "none")

    assert result["success"]
    assert "found" in Path(str(result["output"])).read_text(encoding="utf-8")


def test_a_missing_script_is_a_result(make_project: MakeProject) -> None:
    """The next scripts still run."""
    folder = make_project(sources={"a.py": GOOD})

    results = Runner(folder, []).run(["gone.py", "a.py"], None, "none")

    assert [r["status"] for r in results] == ["not_started", "success"]
    assert results[0]["traceback"] == "script not found: gone.py"
    assert results[0]["exit_code"] is None


def test_options_of_the_file_hold_for_the_library(make_project: MakeProject) -> None:
    """A time-out in exec_config.json stops a script that the example's loop runs."""
    folder = make_project(
        sources={"slow.py": "import time; time.sleep(60)", "b.py": GOOD},
        scripts=[{"path": "slow.py", "timeout": 0.5}, "b.py"],
    )
    config = load_config(folder)

    began = time.monotonic()
    results = Runner(str(folder), []).run(
        [os.path.join(folder, s) for s in config.scripts],  # noqa: PTH118
        config.python_command,
        "none",
    )

    assert [r["status"] for r in results] == ["timeout", "success"]
    assert time.monotonic() - began < GENEROUS


def test_two_scripts_of_one_name_are_told_apart(make_project: MakeProject) -> None:
    """Where two share a file name, they are called by their path in the project."""
    folder = make_project(sources={"a/main.py": GOOD, "b/main.py": GOOD})

    results = Runner(folder, []).run(
        [folder / "a/main.py", str(folder / "b/main.py")], None, "none"
    )

    assert [r["script"] for r in results] == ["a/main.py", "b/main.py"]
    assert [line.split(" - ")[5] for line in log_lines(folder)] == [
        "a/main.py",
        "b/main.py",
    ]


def test_secrets_stay_with_the_runner(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script inherits the environment without the mailbox's password."""
    monkeypatch.setenv("PASSWORD_MAIL", "canary-1")
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "canary-2")
    monkeypatch.setenv("OFFICE", "Lyon")
    folder = make_project(sources={"a.py": "import os; print(dict(os.environ))"})

    (result,) = Runner(folder, []).run(["a.py"], None, "none")

    output = Path(str(result["output"])).read_text(encoding="utf-8")
    assert "Lyon" in output
    assert "canary" not in output


def test_a_log_of_another_name(make_project: MakeProject) -> None:
    """log_filename names the log; .log is added."""
    folder = make_project()

    Runner(folder, [], log_filename="night").run(["main.py"], None, "none")

    assert (folder / "logs" / "night.log").is_file()


@pytest.mark.parametrize(
    "name",
    [
        *("x\x1b]0;y\x07", "a\nb", "a\tb", "\x7f", "a\u2028b", "a\u202eb", "a\ud800b"),
        *("x" * 197, "x" * 300, "é" * 100, "x" * 300 + ".log"),
        *(
            "CON",
            "con.log",
            "nul.2024",
            "COM1",
            "lpt9.log",
            "Aux",
            "PRN .log",
            "COM\u00b9",
        ),
        *("a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", " a"),
    ],
    ids=ascii,
)
def test_a_log_name_is_one_on_every_platform(
    make_project: MakeProject, name: str
) -> None:
    """What one platform refuses, or no terminal can show, is refused at once."""
    with pytest.raises(ValueError, match="log_filename"):
        Runner(make_project(), [], log_filename=name)


@pytest.mark.parametrize(
    "name", ["night", "a b", "console", "com10", "null", "x" * 196, "a - b", ".a", "é"]
)
def test_an_ordinary_log_name_is_taken(make_project: MakeProject, name: str) -> None:
    """Names that only look like those are fine."""
    Runner(make_project(), [], log_filename=name)


@pytest.mark.parametrize("name", ["../x", "a/b.log", "C:\\x.log", "", ".", 3])
def test_a_log_name_is_never_a_path(make_project: MakeProject, name: Any) -> None:
    """A path as log_filename is a ValueError."""
    with pytest.raises(ValueError, match="not a path"):
        Runner(make_project(), [], log_filename=name)


@pytest.mark.parametrize("count", [-1, 1.5, True, "3", None])
def test_a_backup_count_is_a_whole_number(
    make_project: MakeProject, count: Any
) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError, match="0 or more"):
        Runner(make_project(), [], logs_backup_count=count)


@pytest.mark.parametrize("path", ["", None, 3])
def test_a_project_path_is_a_path(path: Any) -> None:
    """Anything else is a ValueError, as in the original."""
    with pytest.raises(ValueError, match="path of a folder"):
        Runner(path, [])


def test_a_project_must_exist(tmp_path: Path) -> None:
    """A missing folder is a ValueError, as in the original."""
    with pytest.raises(InvalidConfiguration, match="is not a folder"):
        Runner(tmp_path / "gone", [])


@pytest.mark.parametrize(
    "recipients", ["a@example.org", None, [1], ["a@example.org; b@example.org"]]
)
def test_recipients_are_a_list_of_addresses(
    make_project: MakeProject, recipients: Any
) -> None:
    """A text or two addresses in one entry are refused before anything runs."""
    with pytest.raises(BadRecipientList):
        Runner(make_project(), recipients)


def test_a_mail_wants_recipients(make_project: MakeProject) -> None:
    """A strategy that mails and nobody to mail to do not fit."""
    with pytest.raises(BadRecipientList, match="email_strategy"):
        Runner(make_project(), []).run(["main.py"])


def test_an_unknown_strategy_is_refused(make_project: MakeProject) -> None:
    """The three strategies are told."""
    with pytest.raises(ValueError, match="failure_only"):
        Runner(make_project(), []).run(["main.py"], None, "sometimes")  # type: ignore[arg-type]


def test_missing_mail_variables_stop_before_any_script(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A mail may be due and could not leave: nothing has run."""
    monkeypatch.chdir(tmp_path)
    folder = make_project(sources={"a.py": "open('ran', 'w')"})

    with pytest.raises(MissingEnvironmentVariable, match="LOGIN_MAIL, PASSWORD_MAIL"):
        Runner(folder, ["a@example.org"]).run(["a.py"])
    assert not (folder / "ran").exists()


def test_a_missing_interpreter_stops_before_any_script(
    make_project: MakeProject,
) -> None:
    """The interpreter is looked for first."""
    with pytest.raises(BadPythonInterpreter, match="no_such_python"):
        Runner(make_project(), []).run(["main.py"], "no_such_python", "none")


def test_an_unwritable_home_stops_no_script(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a place for records and locks the scripts still run and are logged."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(blocked / "home"))
    folder = make_project()

    (result,) = Runner(folder, []).run(["main.py"], None, "none")

    assert result["success"]
    assert len(log_lines(folder)) == 1


def test_without_records_the_report_still_leaves(
    make_project: MakeProject,
    mail_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Where nothing can be queued the report is sent at once, and says why."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(blocked / "home"))

    Runner(make_project(), ["a@example.org"]).run(["main.py"])

    (mail,) = mails(mail_dir)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "no records are kept" in body.get_content()
    assert "nothing prevents a second run of a project" in body.get_content()
    assert body.get_content().count("no folder") <= 1


def test_records_that_break_on_the_way_stop_nothing(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """A database destroyed in the middle of a run: scripts, log and report go on."""
    files = [str(shielded / f"records.sqlite3{end}") for end in ("", "-wal")]
    destroy = f"for file in {files}: open(file, 'wb').write(b'x' * 20000)"
    folder = make_project(sources={"a.py": destroy, "b.py": GOOD})

    results = Runner(folder, ["a@example.org"]).run(["a.py", "b.py"])
    Runner(folder, ["a@example.org"]).run(["b.py"])

    assert all(result["success"] for result in results)
    assert len(log_lines(folder)) == 3
    first, second = mails(mail_dir)
    told, after = first.get_body(("plain",)), second.get_body(("plain",))
    assert told is not None
    assert after is not None
    # Its own connection knows the pages it wrote: the next one finds the damage.
    assert "the records are" not in told.get_content()
    assert "records.sqlite3.corrupt-" in after.get_content()
    assert len(list(shielded.glob("records.sqlite3.corrupt-*"))) == 1


def test_a_log_that_cannot_be_written_stops_no_script(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """The scripts run, and the report says that the log is incomplete."""
    folder = make_project()
    (folder / "logs").mkdir()
    (folder / "logs" / "project_1.log").mkdir()

    (result,) = Runner(folder, ["a@example.org"]).run(["main.py"])

    assert result["success"]
    (mail,) = mails(mail_dir)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "the log is incomplete" in body.get_content()


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_to_the_users_program_accounts_for_everything(
    make_project: MakeProject, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """The running script is stopped, the next is skipped, both are logged."""
    folder = make_project(
        sources={"slow.py": "open('up', 'w'); import time; time.sleep(60)", "b.py": ""}
    )
    program = tmp_path / "program.py"
    program.write_text(
        "from python_runner import Runner\n"
        f"Runner({str(folder)!r}, []).run(['slow.py', 'b.py'], None, 'none')\n",
        encoding="utf-8",
    )

    with subprocess.Popen(
        [sys.executable, program], cwd=tmp_path, stderr=subprocess.PIPE
    ) as process:
        wait_until((folder / "up").exists)
        process.send_signal(number)
        process.communicate(timeout=GENEROUS)

    # An uncaught KeyboardInterrupt ends Python with the signal itself.
    assert process.returncode in {code, -number}
    assert [line.split(" - ")[5:7] for line in log_lines(folder)] == [
        ["slow.py", "failure"],
        ["b.py", "skipped"],
    ]


def stored(home: Path, statement: str) -> list[tuple[object, ...]]:
    """Return, or change, what the records hold."""
    with closing(sqlite3.connect(home / "records.sqlite3")) as database, database:
        return database.execute(statement).fetchall()


def test_an_interpreter_is_asked_once(
    make_project: MakeProject, shielded: Path
) -> None:
    """Its version is remembered until one of its files changes."""
    runner = Runner(make_project(), [])
    version = "SELECT interpreter_version FROM run ORDER BY started_at DESC LIMIT 1"

    runner.run(["main.py"], sys.executable, "none")
    assert stored(shielded, version) == [(platform.python_version(),)]
    stored(shielded, "UPDATE interpreter SET version = 'as remembered'")
    runner.run(["main.py"], sys.executable, "none")
    assert stored(shielded, version) == [("as remembered",)]
    stored(shielded, "UPDATE interpreter SET stamp = 'of another file'")
    runner.run(["main.py"], sys.executable, "none")
    assert stored(shielded, version) == [(platform.python_version(),)]


def test_what_the_log_alone_knows_is_recalled(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """Ends that could not be recorded are taken from the log, not called interrupted."""
    folder = make_project(sources={"a.py": GOOD, "b.py": BAD, "c.py": GOOD})
    names = ["a.py", "b.py", "c.py"]
    (done, *_) = Runner(folder, []).run(names, None, "none", include_traceback=True)
    # As if the disk had been full from the first start of a script on.
    stored(shielded, "UPDATE run SET status = NULL")
    stored(shielded, "DELETE FROM attempt")
    stored(shielded, "UPDATE result SET state = iif(number = 1, 'running', 'planned')")
    log = folder / "logs" / "project_1.log"
    first_two = log.read_bytes().splitlines(keepends=True)[:2]
    log.write_bytes(b"".join(first_two))

    Runner(folder, ["a@example.org"]).run(["c.py"])

    with open_store(shielded, local_now()) as store:
        run = store.run(done["run_id"])
    assert run is not None
    assert [r.outcome for r in run.scripts] == ["success", "failure", "skipped"]
    assert "KeyError" in (run.scripts[1].traceback or "")
    first, _second = mails(mail_dir)
    assert "interrupted" in first["subject"]
    told = [line.split(" - ")[3:6:2] for line in log_lines(folder)]
    assert told[:3] == [[done["run_id"], name] for name in names]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_the_past_is_settled_by_any_path(
    make_project: MakeProject, shielded: Path, tmp_path: Path
) -> None:
    """Who holds a project's lock settles its runs, also those by way of a link."""
    folder = make_project()
    link = tmp_path / "link"
    link.symlink_to(folder)
    Runner(link, []).run(["main.py"], None, "none")
    stored(shielded, "UPDATE run SET status = NULL")

    Runner(folder, []).run(["main.py"], None, "none")

    # All its scripts had ended: it has the status of their results.
    assert stored(shielded, "SELECT status FROM run ORDER BY id") == [
        ("success",),
        ("success",),
    ]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_program_that_ignores_its_children_learns_how_scripts_end(
    make_project: MakeProject,
) -> None:
    """Some frameworks ignore SIGCHLD, and go on doing so afterwards."""
    folder = make_project(sources={"good.py": "pass", "bad.py": "raise SystemExit(3)"})
    program = (
        "import signal, sys\n"
        "from python_runner import Runner\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "results = Runner(sys.argv[1], []).run(['good.py', 'bad.py'], email_strategy='none')\n"
        "print([r['exit_code'] for r in results])\n"
        "print(signal.getsignal(signal.SIGCHLD).name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, folder],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.splitlines() == ["[0, 3]", "SIG_IGN"]
