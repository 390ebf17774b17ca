from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest

from python_runner.config.keys import json_schema
from tests.support import (
    GOOD,
    Cli,
    MakeProject,
)


if TYPE_CHECKING:
    from pathlib import Path


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


def test_init_asks_the_interpreter_that_it_found(cli: Cli, tmp_path: Path) -> None:
    """One that runs nothing is written all the same, with a warning that says why."""
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
