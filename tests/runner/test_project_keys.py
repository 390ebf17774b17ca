"""Keys of a project that shape its scripts: expected files, help, the current folder."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

from python_runner.config.project import configured_help


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli, MakeProject

HELP = "Call Anna, 4711.\nShe knows the bank."


def test_a_success_without_its_file_is_a_failure_with_help(
    make_project: MakeProject, cli: Cli, tmp_path: Path
) -> None:
    """The file is the reason, in the document, the log and the mail; the help is there."""
    folder = make_project(
        sources={
            "a.py": "print('done')",
            "b.py": "import os; open('b.txt', 'w').write(os.getcwd())",
        },
        scripts=[
            {"path": "a.py", "outputs": ["out/*.csv"], "help": HELP},
            {"path": "b.py", "outputs": ["work\\day\\b.txt"]},
        ],
        # It was written on Windows.
        working_directory="work\\day",
        help="Then call IT.",
        email_strategy="all",
        recipients=["ann@example.org"],
        include_traceback=True,
    )
    (folder / "work" / "day").mkdir(parents=True)
    variables = {
        "MAIL_TRANSPORT": "file",
        "MAIL_DIR": str(tmp_path / "mails"),
        "MAIL_FROM": "robot@example.org",
    }

    done = cli("run", "--json", folder, **variables)

    assert done.returncode == 1
    a, b = json.loads(done.stdout)["runs"][0]["scripts"]
    reason = "the expected file was not made: out/*.csv"
    assert (a["status"], a["exit_code"], a["exception"]) == ("failure", 0, reason)
    assert b["status"] == "success"
    assert (folder / "work" / "day" / "b.txt").read_text() == str(
        folder / "work" / "day"
    )
    log = (folder / "logs" / f"{folder.name}.log").read_text()
    assert f" - a.py - failure - {reason}" in log
    (mail,) = (tmp_path / "mails").rglob("*.eml")
    parsed = message_from_bytes(mail.read_bytes(), policy=policy.default)
    for kind in ("plain", "html"):
        body = parsed.get_body((kind,))
        assert body is not None
        text = body.get_content()
        assert text.count("What to do: Call Anna, 4711.") == 1
        assert text.count("She knows the bank.") == 1
        assert text.count("What to do: Then call IT.") == 1
    for shown in (done.stderr, cli("show", folder).stdout):
        assert "    what to do: Call Anna, 4711.\n    She knows the bank.\n" in shown
        assert "\nwhat to do: Then call IT.\n" in shown


def test_a_current_folder_that_is_not_there_is_told(
    make_project: MakeProject, cli: Cli
) -> None:
    """No script starts anywhere else."""
    folder = make_project(working_directory="work")

    assert "working_directory: there is no folder " in cli("check", folder).stdout
    done = cli("run", folder)
    assert done.returncode == 1
    assert f"there is no folder {folder / 'work'} (working_directory)" in done.stderr


def test_the_help_is_there_where_nothing_could_start(
    make_project: MakeProject, cli: Cli
) -> None:
    """The terminal tells it as the mail does: once, and without secrets."""
    folder = make_project(
        sources={"a.py": ""},
        scripts=[{"path": "a.py", "help": "\x1b[0m"}],
        python_command="/no/such/python",
        env={"DB_PASSWORD": "hunter2-hunter2"},
        help="Call Anna.\nThe password is hunter2-hunter2.",
    )
    told = "what to do: Call Anna.\n{indent}The password is ***."

    done = cli("run", folder)
    shown = cli("show", folder)

    assert done.stderr.count(told.format(indent="    ")) == 1
    assert shown.stdout.count(told.format(indent="")) == 1
    assert "unexpected" not in done.stderr + shown.stderr


def test_help_that_only_sets_colours_is_none(make_project: MakeProject) -> None:
    """Nothing is left of it to be shown."""
    folder = make_project(
        sources={"a.py": ""},
        scripts=[{"path": "a.py", "help": "\x1b[31m\x1b[0m"}],
        help="\x1b[1m \r\n",
    )

    assert configured_help(folder) == {}
