from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.cli.app import run_app
from python_runner.computer import host_name
from python_runner.execution.orphans import process_start
from python_runner.model import OpenRun, Outcome
from python_runner.records.locks import Holder, project_lock
from python_runner.records.messages import MessageState
from python_runner.records.store import open_store
from tests.support import TODAY, keep, mails


if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support import Cli, MakeProject

#: What depends on the machine that runs the tests, not on what is tested.
OF_THE_MACHINE = {
    *("account.root", "permissions.open", "disk.low", "interpreter.slow"),
    *("clock.zone", "interpreter.end_of_life", "package.foreign", "schedule.account"),
}

pytestmark = pytest.mark.usefixtures("in_folder")


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs the command and returns its document."""

    def run(*arguments: object, code: int | None = None) -> dict[str, Any]:
        capsys.readouterr()
        done = run_app(["doctor", "--json", *map(str, arguments)])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert code in {None, done}, document
        return document

    return run


def ids(document: dict[str, Any], *severities: str) -> set[str]:
    """Return what was found, as far as it is no fault of the machine."""
    wanted = severities or ("problem", "warning")
    return {
        one["id"] for one in document["findings"] if one["severity"] in wanted
    } - OF_THE_MACHINE


def finding(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the one finding of an id."""
    (found,) = (one for one in document["findings"] if one["id"] == name)
    assert isinstance(found, dict)
    return found


def test_a_project_without_fault_has_no_problem(
    doctor: Callable[..., dict[str, Any]], make_project: MakeProject
) -> None:
    """What is fine is told as well: people see what was looked at."""
    folder = make_project()

    document = doctor(folder, code=0)

    assert ids(document) == set()
    assert document["problems"] == 0
    assert document["projects"] == [str(folder)]
    ready = finding(document, "project.ready")
    assert ready["what"].startswith("1 script · Python 3.")
    assert ready["project"] == str(folder)
    assert finding(document, "records.sound")["project"] is None
    assert finding(document, "mail.unused")
    assert not (folder / "logs").exists()


def test_what_fails_tonight_is_told_today(
    doctor: Callable[..., dict[str, Any]], make_project: MakeProject
) -> None:
    """Exit 1: a module that is missing, with its place and what to type."""
    make_project(
        sources={
            "main.py": "import helper",
            "helper.py": "import json\nimport no_such_module",
            "late.py": "def f():\n    import yaml_of_nobody",
        },
        scripts=["main.py", "late.py"],
    )

    document = doctor("project_1", code=1)

    assert ids(document, "problem") == {"import.missing"}
    missing = finding(document, "import.missing")
    assert "helper.py imports no_such_module in line 2" in missing["what"]
    module = "no_such_module"
    assert f"-m pip install {module}`" in missing["fix"]
    assert "ModuleNotFoundError" in missing["why"]
    assert "late.py may import" in finding(document, "import.missing_later")["what"]
    assert document["verdict"].startswith("1 problem, ")


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"timeout": "soon"}, "configuration.wrong"),
        ({"python_command": "no_such_python"}, "interpreter.unusable"),
        ({"scripts": ["gone.py"]}, "script.wrong"),
        ({"email_strategy": "all", "recipients": ["a@b.org"]}, "configuration.wrong"),
    ],
)
def test_what_check_calls_a_problem_is_one_with_its_exit_code(
    config: dict[str, Any],
    found: str,
    doctor: Callable[..., dict[str, Any]],
    make_project: MakeProject,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 2, as of check, in the same words."""
    make_project(**config)
    assert run_app(["check", "--json", "project_1"]) == 2
    (checked,) = json.loads(capsys.readouterr().out)["projects"][0]["problems"]

    document = doctor("project_1", code=2)

    assert ids(document, "problem") == {found}
    assert checked["message"] in finding(document, found)["what"]


def test_without_a_project_this_computer_is_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And people are told how a project is named."""
    code = run_app(["doctor"])
    out, err = capsys.readouterr()

    assert code == 0
    assert out.splitlines()[0].endswith(" on this computer")
    assert "python-runner.toml" in err


def test_a_folder_that_is_none_is_told(
    doctor: Callable[..., dict[str, Any]],
) -> None:
    """The others are looked at all the same."""
    assert "configuration.wrong" in ids(doctor("nowhere", code=2))


def test_every_way_is_gone_as_far_as_the_login_and_nothing_is_sent(
    doctor: Callable[..., dict[str, Any]],
    make_project: MakeProject,
    serve: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A login that is refused is explained; the way that is left is none of its problems."""
    make_project(recipients=["ann@example.org"], email_strategy="all")
    make_project("quiet", email_strategy="none")
    answers = {"EHLO": "250-fake\r\n250 AUTH PLAIN"}
    server = serve(answers)
    variables = {
        "LOGIN_MAIL": "robot@example.org",
        "PASSWORD_MAIL": "càn4ry-càn4ry",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "SMTP_SECURITY": "none",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    good = doctor("project_1", code=0)
    answers["AUTH"] = "535 5.7.139 Authentication unsuccessful, càn4ry-càn4ry"
    bad = doctor("project_1", code=1)
    unused = doctor("quiet", code=0)
    monkeypatch.setenv("MAIL_TRANSPORT", "smtp,file")
    monkeypatch.setenv("MAIL_DIR", str(Path.cwd() / "mails"))
    other = doctor("project_1", code=0)

    assert "authenticated as robot@example.org" in finding(good, "mail.open")["what"]
    assert "AUTH" in finding(bad, "mail.closed")["what"]
    assert "AUTH" in finding(unused, "mail.closed_unused")["what"]
    assert ids(other, "problem") == set()
    assert ids(other) >= {"mail.way_closed"}
    assert not server.messages
    assert not {"MAIL", "RCPT", "DATA"} & set(server.verbs())
    assert not Path("mails").exists()
    assert "càn4ry" not in json.dumps([good, bad, other], ensure_ascii=False)


def test_records_runs_and_reports_are_told(
    doctor: Callable[..., dict[str, Any]],
    make_project: MakeProject,
    shielded: Path,
) -> None:
    """Damaged records that were set aside, and a clock that was ahead."""
    folder = make_project()
    with open_store(shielded, TODAY) as store:
        keep(store, "a" * 13, folder, Outcome.SUCCESS, ago=timedelta(days=-2))

    assert ids(doctor(folder, code=1)) == {"clock.behind"}

    (shielded / "records.sqlite3").write_bytes(b"no database" * 500)
    assert ids(doctor(folder, code=0)) == {"records.set_aside"}


def test_a_run_whose_runner_died_is_told(
    doctor: Callable[..., dict[str, Any]],
    make_project: MakeProject,
    shielded: Path,
) -> None:
    """And so are processes of it that are still there: the next run would be skipped."""
    folder = make_project()
    run = OpenRun(
        run_id="39be3d37aed64",
        project="project_1",
        path=folder,
        started_at=TODAY,
        scripts=(),
    )
    with open_store(shielded, TODAY) as store:
        store.begin_run(run)

    assert ids(doctor(folder, code=0)) == {"run.left"}

    marked = os.environ | {"PYTHON_RUNNER_RUN_ID": run.run_id}
    left = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        env=marked,
    )
    with left:
        document = doctor(folder, code=1)
    assert str(left.pid) in finding(document, "run.orphans")["what"]


@pytest.mark.parametrize(
    ("hours", "severity", "found"),
    [(0, "fine", "run.active"), (25, "warning", "run.long")],
)
def test_who_holds_the_lock_is_told_and_since_when(
    *,
    hours: int,
    severity: str,
    found: str,
    doctor: Callable[..., dict[str, Any]],
    make_project: MakeProject,
    shielded: Path,
) -> None:
    """A run that lasts for a day is a warning: those after it are skipped."""
    folder = make_project()
    holder = Holder(
        pid=os.getpid(),
        host=host_name(),
        run_id="39be3d37aed64",
        process_start=process_start(os.getpid()),
        started_at=TODAY - timedelta(hours=hours),
    )
    with project_lock(shielded, folder) as lock:
        assert lock.acquire(holder, wait=False)

        document = doctor(folder, code=0)

    told = finding(document, found)
    assert told["severity"] == severity
    assert "39be3d37aed64" in told["what"]
    assert str(os.getpid()) in told["what"]


@pytest.mark.parametrize("named", ["", "ann@example.org"])
def test_the_result_is_a_mail_on_request(
    named: str,
    mail_dir: Path,
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To the address, else to the mailbox itself; the verdict is its subject."""
    monkeypatch.setenv("LOGIN_MAIL", "robot@example.org")
    folder = make_project(sources={"main.py": "import no_such_module"})
    arguments = ["--mail-me", *([named] if named else [])]

    code = run_app(["doctor", *arguments, str(folder)])

    (mail,) = mails(mail_dir)
    first = capsys.readouterr().out.splitlines()[0]
    assert code == 1
    assert mail["To"] == (named or "robot@example.org")
    assert first in mail["Subject"]
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        text = body.get_content()
        assert "imports no_such_module" in text
        assert "To do" in text
        assert str(folder) in text


def test_a_mail_leaves_though_the_records_take_none(
    mail_dir: Path,
    make_project: MakeProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That is what people have to hear of."""
    monkeypatch.setenv("MAIL_FROM", "robot@example.org")
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(tmp_path / "file"))
    make_project()

    assert run_app(["doctor", "--mail-me", "ann@example.org", "project_1"]) == 1
    (mail,) = mails(mail_dir)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "PYTHON_RUNNER_HOME" in body.get_content()


def test_a_mail_that_cannot_leave_waits_and_is_told(
    shielded: Path,
    make_project: MakeProject,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 1: who reads mails would hear nothing."""
    monkeypatch.setenv("MAIL_FROM", "robot@example.org")
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("SMTP_PORT", str(free_port))
    make_project()

    code = run_app(["doctor", "--mail-me", "ann@example.org", "project_1"])

    assert code == 1
    told = capsys.readouterr().err
    assert "the email with the result was not sent yet; it waits in the outbox" in told
    with open_store(shielded, TODAY) as store:
        (waiting,) = store.messages.newest([MessageState.QUEUED], limit=9)
    assert [one.address for one in waiting.recipients] == ["ann@example.org"]
    assert run_app(["doctor", "--mail-me", "ann@", "project_1"]) == 2


def test_what_people_read_fits_a_terminal_and_speaks_french(
    cli: Cli, make_project: MakeProject
) -> None:
    """The verdict comes first, then each finding with its reason and its advice."""
    make_project(sources={"main.py": "import no_such_module"})

    done = cli("doctor", "project_1", LANGUAGE="fr", COLUMNS="80")

    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[0].startswith("1 problème")
    assert any(line.startswith("  ✗ main.py importe no_such_module") for line in lines)
    assert "    À faire\N{NO-BREAK SPACE}: " in done.stdout
    assert "This computer" not in done.stdout


def test_an_import_of_another_system_is_no_problem(
    doctor: Callable[..., dict[str, Any]], make_project: MakeProject
) -> None:
    """A script that looks where it runs has what it needs there."""
    source = "import sys\nif sys.platform == 'beos':\n    import beos\n"
    make_project(sources={"main.py": source}, python_command=sys.executable)
    assert ids(doctor("project_1", code=0)) == set()
