"""The files that the documents call provided are there, and work as they stand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from python_runner.config.env_template import env_template
from tests.support import BAD, GOOD, Cli, MakeProject, mails


pytestmark = pytest.mark.source

ROOT = Path(__file__).parents[1]


def test_the_example_runs_two_projects_from_any_folder(
    make_project: MakeProject, tmp_path: Path, mail_dir: Path
) -> None:
    """Copied beside the projects it runs both, prints the outcomes and mails."""
    for name, source in (("project_1", BAD), ("project_2", GOOD)):
        make_project(
            name,
            {"main.py": source},
            recipients=["a@example.org"],
            email_strategy="all",
        )
    shutil.copy(ROOT / "example.py", tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = subprocess.run(
        [sys.executable, tmp_path / "example.py"],
        cwd=elsewhere,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    one, two = tmp_path / "project_1", tmp_path / "project_2"
    assert done.stdout.splitlines() == [
        f"{one}: main.py: failure",
        f"{two}: main.py: success",
    ]
    assert len(mails(mail_dir)) == 2


def test_the_example_of_a_configuration_is_taken(cli: Cli, tmp_path: Path) -> None:
    """Renamed and put beside such scripts it is right, and the original could read it."""
    project = tmp_path / "project"
    (project / "reports").mkdir(parents=True)
    for script in ("main.py", "reports/monthly.py"):
        (project / script).write_text(GOOD, encoding="utf-8")
    shutil.copy(ROOT / "exec_config.example.json", project / "exec_config.json")
    python = Path(sys.executable).parent
    variables = {"PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    variables |= {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(tmp_path / "mails")}

    checked = cli("check", project, **variables)
    ran = cli("run", project, **variables)

    assert checked.returncode == 0, checked.stdout
    assert ran.returncode == 0, ran.stdout
    text = (ROOT / "exec_config.example.json").read_text("utf-8")
    assert list(json.loads(text)) == [
        "scripts",
        "python_command",
        "recipients",
        "email_strategy",
        "include_traceback",
        "logs_backup_count",
    ]


def test_the_example_of_an_env_file_is_what_init_writes() -> None:
    """There is one text of it, whichever way people get it."""
    assert (ROOT / ".env.example").read_text("utf-8") == env_template()


@pytest.mark.parametrize("filled", [False, True])
def test_the_example_of_an_env_file_is_taken(
    *, cli: Cli, make_project: MakeProject, tmp_path: Path, filled: bool
) -> None:
    """As it stands it sets nothing and is named; filled in, reports can leave."""
    make_project(recipients=["a@example.org"], email_strategy="all")
    text = (ROOT / ".env.example").read_text("utf-8")
    if filled:
        text = text.replace("LOGIN_MAIL=", "LOGIN_MAIL=robot@example.org")
        text = text.replace("PASSWORD_MAIL=''", "PASSWORD_MAIL='p$1 #\"é'")
    (tmp_path / ".env").write_text(text, encoding="utf-8")

    done = cli("check", "project_1")

    assert "sets nothing" not in done.stderr
    if filled:
        assert done.returncode == 0, done.stdout
    else:
        assert done.returncode == 2
        assert "LOGIN_MAIL, PASSWORD_MAIL" in done.stdout
        assert f"{tmp_path / '.env'} does not set them" in done.stdout
