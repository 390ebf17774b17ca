from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import venv
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from python_runner.config.keys import json_schema
from tests.cli.terminal import on_terminal
from tests.support import (
    GOOD,
    Cli,
    MakeProject,
)


if TYPE_CHECKING:
    from pathlib import Path


def read_config(folder: Path) -> dict[str, Any]:
    """Return what init wrote."""
    config: dict[str, Any] = json.loads(
        (folder / "exec_config.json").read_text(encoding="utf-8")
    )
    return config


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
    """A virtual environment that is found by default needs no name."""
    (tmp_path / "a.py").write_text(GOOD, encoding="utf-8")
    make_venv(tmp_path / ".venv")

    cli("init", ".", "--recipient", "a@example.org", "--recipient", "b@example.org")
    config = json.loads((tmp_path / "exec_config.json").read_text(encoding="utf-8"))

    assert config["recipients"] == ["a@example.org", "b@example.org"]
    assert config["email_strategy"] == "all"
    assert config["python_command"] is None
    assert cli("check", ".", MAIL_TRANSPORT="file", MAIL_DIR="m").returncode == 0


def make_venv(folder: Path) -> None:
    """Make a virtual environment without packages, in half of no time."""
    venv.create(folder, symlinks=sys.platform != "win32")


def test_init_names_an_environment_that_has_another_name(
    cli: Cli, tmp_path: Path
) -> None:
    """It starts, and is the one that the project's packages are in."""
    (tmp_path / "a.py").write_text(GOOD, encoding="utf-8")
    make_venv(tmp_path / "env-sales")

    cli("init", ".")
    config = read_config(tmp_path)

    end = "Scripts/python" if sys.platform == "win32" else "bin/python"
    assert config["python_command"] == f"env-sales/{end}"
    assert cli("check", ".").returncode == 0


def test_init_asks_the_interpreter_that_it_found(cli: Cli, tmp_path: Path) -> None:
    """One that runs nothing is not written; a warning says why."""
    (tmp_path / "a.py").write_text(GOOD, encoding="utf-8")
    own = ".venv/Scripts/python.exe" if sys.platform == "win32" else ".venv/bin/python"
    (tmp_path / own).parent.mkdir(parents=True)
    (tmp_path / own).write_bytes(b"no program of any system")
    (tmp_path / own).chmod(0o755)

    done = cli("init", ".")

    assert done.returncode == 0
    assert "warning: " in done.stderr
    assert "python_command: " in done.stderr
    assert "cannot be started" in done.stderr
    assert read_config(tmp_path)["python_command"] is None


def test_init_never_overwrites(cli: Cli, make_project: MakeProject) -> None:
    """An existing configuration stays as it is."""
    folder = make_project()
    before = (folder / "exec_config.json").read_bytes()

    done = cli("init", folder)

    assert done.returncode == 2
    assert "already exists" in done.stderr
    assert (folder / "exec_config.json").read_bytes() == before


def test_init_wants_scripts_and_right_addresses(cli: Cli, tmp_path: Path) -> None:
    """An empty folder and a wrong address are told, nothing is written."""
    (tmp_path / "empty").mkdir()

    assert "no Python script" in cli("init", "empty").stderr
    wrong = cli("init", "empty", "--recipient", "nobody")
    assert wrong.returncode == 2
    assert "not an email address" in wrong.stderr
    assert not (tmp_path / "empty" / "exec_config.json").exists()


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_a_script_whose_name_is_no_text_is_left_out(cli: Cli, tmp_path: Path) -> None:
    """A name that no configuration can hold neither breaks it nor empties it."""
    (tmp_path / "a.py").touch()
    (tmp_path / os.fsdecode(b"\xff.py")).touch()

    done = cli("init", ".")

    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "exec_config.json").read_text(encoding="utf-8"))
    assert config["scripts"] == ["a.py"]


def test_init_describes_the_keys_to_an_editor(cli: Cli, tmp_path: Path) -> None:
    """The schema lies beside the configuration: no network, and no path of this machine."""
    (tmp_path / "a.py").write_text(GOOD, encoding="utf-8")

    cli("init", ".")
    config = json.loads((tmp_path / "exec_config.json").read_text("utf-8"))
    schema = json.loads((tmp_path / config["$schema"]).read_text("utf-8"))

    assert schema == json_schema()
    jsonschema.validate(config, schema)


def test_init_writes_an_env_file_where_commands_look_for_it(
    cli: Cli, tmp_path: Path
) -> None:
    """It is this user's alone, in this user's language, and found by the next command."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.py").write_text(GOOD, encoding="utf-8")

    done = cli("init", "mine", "--recipient", "a@example.org", LANGUAGE="fr")
    env = tmp_path / ".env"
    checked = cli("check", "mine")

    assert str(env) in done.stdout
    assert "# Boîte aux lettres d'envoi" in env.read_text("utf-8")
    assert f"{env} does not set them" in checked.stdout
    if sys.platform != "win32":
        assert stat.S_IMODE(env.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "way",
    [
        *("file", "wrong file", "variables", "relay"),
        # wine does not see a link that leads nowhere.
        pytest.param("link", marks=pytest.mark.not_wine),
    ],
)
def test_init_leaves_settings_as_they_are(cli: Cli, tmp_path: Path, way: str) -> None:
    """Whoever has said how mails leave, rightly or wrongly, is not told to."""
    (tmp_path / "a.py").write_text(GOOD, encoding="utf-8")
    env = tmp_path / ".env"
    variables = {}
    if way == "file":
        env.write_text("A=1\n", encoding="utf-8")
    elif way == "wrong file":
        env.mkdir()
    elif way == "variables":
        variables = {"LOGIN_MAIL": "robot@example.org", "PASSWORD_MAIL": "x"}
    elif way == "relay":
        variables = {"MAIL_FROM": "robot@example.org", "SMTP_HOST": "localhost"}
    elif way == "link":
        try:
            env.symlink_to(tmp_path / "nowhere")
        except OSError:
            pytest.skip("this user may not make links")
    before = os.path.lexists(env) and (env.is_symlink(), env.is_dir())

    done = cli("init", ".", **variables)

    assert done.returncode == 0, done.stderr
    assert (os.path.lexists(env) and (env.is_symlink(), env.is_dir())) == before
    assert not (tmp_path / "nowhere").exists()
    assert "mailbox" not in done.stdout
    if way == "file":
        assert env.read_text("utf-8") == "A=1\n"


def test_init_tells_what_to_type_next(cli: Cli, tmp_path: Path) -> None:
    """The commands that it names work in this folder, however it was started itself."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.py").write_text(GOOD, encoding="utf-8")

    *_, check, run = cli("init", "mine").stdout.splitlines()
    for line in (check, run):
        answer = subprocess.run(  # noqa: S602 - as people paste it
            line.strip(),
            shell=True,
            cwd=tmp_path,
            check=False,
            capture_output=True,
        )
        assert answer.returncode == 0, answer.stderr


def test_init_finds_what_a_colleague_would(cli: Cli, tmp_path: Path) -> None:
    """Modules, tests, tools and folders of tools are left out; numbers are in order."""
    files = {
        "10_report.py": GOOD,
        "2_load.py": "import helpers\n" + GOOD,
        "1_extract.py": GOOD,
        "helpers.py": GOOD,
        "constants.py": "RATE = 0.2\n",
        "test_load.py": GOOD,
        "conftest.py": "",
        "noxfile.py": GOOD,
        "migrations/0001_init.py": GOOD,
        ".hidden/a.py": GOOD,
        "build/b.py": GOOD,
        "pkg/__init__.py": "",
        "pkg/c.py": GOOD,
    }
    for name, text in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    assert cli("init", "mine").returncode == 0
    expected = ["1_extract.py", "2_load.py", "10_report.py"]
    assert read_config(tmp_path / "mine")["scripts"] == expected

    # Without scripts at its top, those of its folders are found.
    for name in ("10_report.py", "2_load.py", "1_extract.py", "helpers.py"):
        (tmp_path / "mine" / name).unlink()
    (tmp_path / "mine" / "constants.py").unlink()
    (tmp_path / "mine" / "jobs").mkdir()
    (tmp_path / "mine" / "jobs" / "daily.py").write_text(GOOD, encoding="utf-8")
    done = cli("init", "mine", "--dry-run")
    assert json.loads(done.stdout)["scripts"] == ["jobs/daily.py"]


def test_init_asks_at_a_terminal(tmp_path: Path, in_folder: Path) -> None:
    """Which scripts, who gets the report and when, and when it runs: Enter is no answer."""
    del in_folder
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    answers = {
        "in which order?": b"2 1\n",
        "Who gets the report": b"ann@example.org\n",
        "When is an email sent?": b"2\n",
        "When does it run": b"6:30\n",
    }

    def answer(seen: str) -> bytes:
        for question in list(answers):
            if question in seen and (
                "Number" in seen.split(question)[1] or "email sent" not in question
            ):
                return answers.pop(question)
        return b""

    code, _written = on_terminal("init", ".", answer=answer)

    assert code == 0
    config = read_config(tmp_path)
    assert config["scripts"] == ["b.py", "a.py"]
    assert config["recipients"] == ["ann@example.org"]
    assert config["email_strategy"] == "failure_only"
    assert config["schedule"] == "30 6 * * *"


TASK = r"""<?xml version="1.0" encoding="UTF-16"?>
<Task xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><URI>\Sales\Daily</URI></RegistrationInfo>
  <Triggers><CalendarTrigger>
    <StartBoundary>2024-01-01T06:00:00</StartBoundary>
    <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>
  </CalendarTrigger></Triggers>
  <Actions><Exec><Command>python</Command>
    <Arguments>D:\Jobs\sales\extract.py --all</Arguments>
    <WorkingDirectory>D:\Jobs\sales</WorkingDirectory></Exec></Actions>
</Task>
"""


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """Return a project with two scripts and no configuration."""
    folder = tmp_path / "sales"
    folder.mkdir()
    for name in ("extract.py", "load.py"):
        (folder / name).write_text(GOOD, encoding="utf-8")
    return folder


def test_init_takes_a_task_over(cli: Cli, sales: Path, tmp_path: Path) -> None:
    """Its file in UTF-16, as Windows writes it; the switch is told, nothing is done."""
    (tmp_path / "daily task.xml").write_text(TASK, encoding="utf-16")

    done = cli("init", "sales", "--from", "daily task.xml", LANGUAGE="en")
    config = read_config(sales)

    assert done.returncode == 0, done.stderr
    assert config["scripts"] == [{"path": "extract.py", "args": ["--all"]}]
    assert config["schedule"] == "0 6 * * *"
    off = done.stdout.index(r'schtasks /Change /TN "\Sales\Daily" /DISABLE')
    assert off < done.stdout.index("schedule install sales")


@pytest.mark.posix
def test_init_takes_the_crontab_entry_of_the_project(
    cli: Cli, sales: Path, tmp_path: Path
) -> None:
    """Of several, the one that concerns it; its line is to be commented out."""
    line = (
        f"15 6 * * 1-5 cd {sales} && python3 extract.py && python3 load.py >> log 2>&1"
    )
    (tmp_path / "table").write_text(
        f"MAILTO=ann@example.org\n0 5 * * * /usr/bin/backup\n{line}\n", encoding="utf-8"
    )

    done = cli("init", "sales", "--from", "table", LANGUAGE="fr")
    config = read_config(sales)

    assert done.returncode == 0, done.stderr
    assert config["scripts"] == ["extract.py", "load.py"]
    assert config["on_failure"] == "stop"
    assert config["schedule"] == "15 6 * * 1-5"
    assert config["recipients"] == ["ann@example.org"]
    assert f"# {line}" in done.stdout
    assert "ligne 3" in done.stdout


@pytest.mark.posix
def test_init_does_not_guess_between_entries(
    cli: Cli, sales: Path, tmp_path: Path
) -> None:
    """They are listed by their numbers, and nothing is written."""
    (tmp_path / "table").write_text(
        f"0 5 * * * python3 {sales}/extract.py\n0 6 * * * python3 {sales}/load.py\n",
        encoding="utf-8",
    )

    done = cli("init", "sales", "--from", "table")
    assert done.returncode == 2
    assert "--entry" in done.stderr
    assert "  2  0 6 * * *" in done.stderr
    assert not (sales / "exec_config.json").exists()

    assert cli("init", "sales", "--from", "table", "--entry", "3").returncode == 2
    assert cli("init", "sales", "--from", "table", "--entry", "2").returncode == 0
    assert read_config(sales)["scripts"] == ["load.py"]


def test_init_takes_a_batch_file_over(cli: Cli, sales: Path) -> None:
    """With what it does beside, each with its line."""
    (sales / "run.bat").write_bytes(
        b"@echo off\r\ncd /d %~dp0\r\npython extract.py || exit /b 1\r\n"
        b"for %%f in (*.csv) do echo %%f\r\npython load.py\r\npause\r\n"
    )

    done = cli("init", "sales", "--from", "sales/run.bat", LANGUAGE="en")

    assert done.returncode == 0, done.stderr
    assert read_config(sales)["scripts"] == ["extract.py", "load.py"]
    assert "- line 4: the loop for" in done.stdout
    assert "- line 6: pause" in done.stdout


def test_init_from_prints_and_writes_nothing_on_a_dry_run(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Also where a configuration is there already."""
    folder = make_project()
    before = sorted(tmp_path.rglob("*"))
    script = tmp_path / "run.sh"
    script.write_text("python3 main.py\n", encoding="utf-8")

    done = cli("init", folder, "--from", "run.sh", "--dry-run")

    assert json.loads(done.stdout)["scripts"] == ["main.py"]
    assert sorted(tmp_path.rglob("*")) == sorted([*before, script])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.xml", None),
        ("bomb.xml", '<!DOCTYPE a [<!ENTITY b "c">]><Task>&b;</Task>'),
        ("page.xml", "<html></html>"),
        ("empty.bat", "@echo off\n"),
        ("empty.sh", "ls\n"),
        ("notes.txt", "hello\n"),
        ("script.py", GOOD),
        ("nul.bat", "python a.py \0\n"),
        ("large.bat", "rem x\n" * 200_000),
    ],
)
def test_what_cannot_be_taken_over_is_a_sentence(
    cli: Cli, sales: Path, tmp_path: Path, name: str, content: str | None
) -> None:
    """Nothing is written then."""
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")

    done = cli("init", "sales", "--from", name)

    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert not (sales / "exec_config.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there it is asked for")
def test_a_task_by_its_name_needs_windows(cli: Cli, sales: Path) -> None:
    """Elsewhere a sentence says how to bring it here."""
    done = cli("init", "sales", "--from", r"\Sales\Daily", LANGUAGE="en")

    assert done.returncode == 2
    assert "schtasks /Query" in done.stderr
    assert not (sales / "exec_config.json").exists()
