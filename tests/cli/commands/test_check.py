from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema


if TYPE_CHECKING:
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
