"""What docs/moving.md says of the differences from the original holds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner import MissingEnvironmentVariable, Runner
from tests.support import GOOD, MakeProject, mails


if TYPE_CHECKING:
    from pathlib import Path


def test_scripts_run_in_the_project_and_are_found_from_the_callers_folder(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current folder is the project's; a script outside it is found all the same."""
    folder = make_project(sources={"main.py": "open('data.csv')"})
    (folder / "data.csv").touch()
    (tmp_path / "beside.py").write_text("open('data.csv')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    results = Runner(folder, []).run(["main.py", "beside.py"], sys.executable, "none")

    assert [result["success"] for result in results] == [True, True]


def test_a_script_listed_twice_is_numbered_and_a_folder_is_no_script(
    make_project: MakeProject,
) -> None:
    """Three results, in order; the folder is named."""
    folder = make_project(sources={"main.py": GOOD, "pkg/__main__.py": GOOD})

    results = Runner(folder, []).run(
        ["main.py", "main.py", "pkg"], sys.executable, "none"
    )

    assert [(r["script"], r["success"]) for r in results] == [
        ("main.py (1)", True),
        ("main.py (2)", True),
        ("pkg", False),
    ]
    assert "folder" in (results[2]["traceback"] or "")


def test_variables_of_the_env_file_reach_scripts_alone(
    make_project: MakeProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The calling program's environment stays, and so does its console."""
    (tmp_path / ".env").write_text("DB_HOST=db\nPASSWORD_MAIL='a$b'\n", "utf-8")
    source = "import os; print(os.environ['DB_HOST'], 'PASSWORD_MAIL' in os.environ)"
    folder = make_project(sources={"main.py": source})
    monkeypatch.chdir(tmp_path)

    (result,) = Runner(folder, []).run(["main.py"], sys.executable, "none")

    assert result["success"]
    assert "DB_HOST" not in os.environ
    assert capfd.readouterr() == ("", "")
    output = result["output"]
    assert output is not None
    with open(output, encoding="utf-8") as file:  # noqa: PTH123
        assert file.read().strip() == "db False"


def test_mail_variables_are_wanted_by_run_where_a_mail_may_be_due(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making a Runner wants none, nor does a run that mails nothing."""
    monkeypatch.chdir(tmp_path)
    runner = Runner(make_project(), ["a@example.org"])

    assert runner.run(["main.py"], sys.executable, "none")[0]["success"]
    with pytest.raises(MissingEnvironmentVariable, match="LOGIN_MAIL, PASSWORD_MAIL"):
        runner.run(["main.py"], sys.executable, "failure_only")


def test_failure_only_names_failures_only(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """The original named every script."""
    folder = make_project(sources={"good.py": GOOD, "bad.py": "raise KeyError('x')"})

    Runner(folder, ["a@example.org"]).run(
        ["good.py", "bad.py"], sys.executable, "failure_only"
    )

    (mail,) = mails(mail_dir)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "bad.py" in body.get_content()
    assert "good.py" not in body.get_content()
