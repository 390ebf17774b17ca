from __future__ import annotations

import json
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING

import jsonschema
import pytest

from python_runner.cli.app import run_app


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import (
        Cli,
        MakeProject,
    )


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
    assert f"✗ project_1  3 problems in {folder}\n" in done.stdout
    assert "exec_config.json: python_command: " in done.stdout
    assert "exec_config.json: scripts[1]: script not found: gone.py" in done.stdout
    assert "exec_config.json: email_strategy: " in done.stdout
    assert "✓ good       1 script · Python 3." in done.stdout
    assert not (folder / "logs").exists()


def test_check_reads_the_scripts(cli: Cli, make_project: MakeProject) -> None:
    """What cannot be run is told before the night, in the order of the series."""
    make_project(
        sources={"good.py": "1 / 0", "a.ipynb": "{}", "bad.py": "def f(:"},
        scripts=["good.py", "good.py --full", "a.ipynb", "bad.py"],
    )

    done = cli("check", "project_1")

    assert done.returncode == 2
    assert [line.split(":")[1].strip() for line in done.stdout.splitlines()[1:]] == [
        f"scripts[{place}]" for place in (1, 2, 3)
    ]
    assert 'write it as {"path": "good.py", "args": ["--full"]}' in done.stdout
    assert "a.ipynb: this is a Jupyter notebook" in done.stdout
    assert "bad.py: line 1: invalid syntax" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["-3.99"]])
def test_check_asks_the_interpreter_who_it_is(
    cli: Cli, make_project: MakeProject, arguments: list[str]
) -> None:
    """What is no Python is not ready, whatever it is called."""
    program = sys.executable if arguments else shutil.which("hostname")
    make_project(python_command=[program, *arguments])

    done = cli("check", "project_1")

    assert done.returncode == 2
    assert f"python_command: {program} does not answer like a Python" in done.stdout


def test_problems_are_counted_as_people_count(
    cli: Cli, make_project: MakeProject
) -> None:
    """One problem, two problems."""
    make_project("one", timeout="soon")
    make_project("two", timeout="soon", retries="many")

    done = cli("check", "one", "two")

    assert "one  1 problem in " in done.stdout
    assert "two  2 problems in " in done.stdout


def test_one_kind_of_problem_hides_no_other(
    cli: Cli, make_project: MakeProject
) -> None:
    """A wrong key, a missing script and a missing interpreter are told at once."""
    make_project(
        timeout="soon", scripts=["main.py", "gone.py"], python_command="no_such_python"
    )

    done = cli("check", "project_1")

    for key in ("timeout: ", "scripts[1]: ", "python_command: "):
        assert f"  exec_config.json: {key}" in done.stdout


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


def test_check_says_beforehand_what_cannot_be_written(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Neither a run without records nor output in another place is a surprise."""
    folder = make_project()
    (folder / "logs").touch()
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"

    done = cli("check", "--json", "project_1", PYTHON_RUNNER_HOME=str(home))

    assert done.returncode == 0
    told = {w["file"]: w["message"] for w in json.loads(done.stdout)["warnings"]}
    assert "no records are kept" in told[str(home)]
    assert told[str(folder / "logs")].startswith("it is not a folder: ")
    assert tempfile.gettempdir() in told[str(folder / "logs")]

    home = tmp_path / "home"
    done = cli("check", "--json", "project_1", PYTHON_RUNNER_HOME=str(home))

    told = {w["file"]: w["message"] for w in json.loads(done.stdout)["warnings"]}
    assert str(home / "outputs") in told[str(folder / "logs")]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LOGIN_MAIL": "ann@hotmail.fr"}, True),
        ({"LOGIN_MAIL": "ann@outlook.com", "MAIL_TRANSPORT": "file,smtp"}, True),
        ({"LOGIN_MAIL": "ann@outlook.com", "MAIL_TRANSPORT": "file"}, False),
        ({"LOGIN_MAIL": "ann@outlook.com", "SMTP_HOST": "relay.example.org"}, False),
        ({"LOGIN_MAIL": "ann@gmail.com"}, False),
    ],
)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_check_says_that_a_mailbox_takes_no_password(
    *,
    variables: dict[str, str],
    told: bool,
    language: str,
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before the first report is refused; where no password would be sent, nothing."""
    folder = make_project()
    everything = {
        "PASSWORD_MAIL": "x1y2z3w4",
        "MAIL_DIR": "mails",
        "LANGUAGE": language,
    }
    for name, value in (everything | variables).items():
        monkeypatch.setenv(name, value)
    assert run_app(["check", str(folder)]) == 0
    written = capsys.readouterr()
    said = written.out + written.err
    assert ("set MAIL_TRANSPORT=smtp-oauth2" in said) is (told and language == "en")
    assert ("support.microsoft.com" in said) is told
    assert "x1y2z3w4" not in said
