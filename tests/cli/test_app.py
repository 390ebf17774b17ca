from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from python_runner.cli import main
from python_runner.cli.app import COMMANDS, OTHER_NAMES, make_app, run_app
from python_runner.version import __version__
from tests.support import (
    COMMAND,
    Cli,
    MakeProject,
)


if TYPE_CHECKING:
    from collections.abc import Iterator


def test_version_and_help(cli: Cli) -> None:
    """Both print and succeed; help lists the commands."""
    assert cli("--version").stdout.strip().endswith(__version__)
    done = cli("--help")
    assert done.returncode == 0
    for command in ("run", "check", "init", "mail", "demo", "completion"):
        assert f"  {command} " in done.stdout
    assert cli("no-such-command").returncode == 2


def test_the_version_is_the_same_with_nothing_loaded(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The short way says what the command says, and leaves a lost stream to it."""
    monkeypatch.setattr("sys.argv", ["python-runner", "--version"])
    main()
    shortly = capfd.readouterr().out.splitlines()
    assert run_app(["--version"]) == 0
    assert capfd.readouterr().out.splitlines() == shortly != []

    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def test_help_speaks_french(cli: Cli) -> None:
    """Our words and click's own follow the account's language."""
    done = cli("run", "--help", LANGUAGE="fr")

    assert done.stdout.startswith("Utilisation\xa0: python-runner run")
    assert "Affiche cette aide, puis quitte." in done.stdout
    assert "Run the series" not in done.stdout
    wrong = cli("rum", LANGUAGE="fr")
    assert (
        "La commande «\xa0rum\xa0» n'existe pas. Vouliez-vous dire 'run'\xa0?"
        in wrong.stderr
    )


def parameters(command: click.Command) -> Iterator[click.Parameter]:
    """Yield the parameters of a command and of those below it."""
    yield from command.params
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from parameters(found)


def helps(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield the commands below a group, each with its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield f"{path}{name}", found
        if isinstance(found, click.Group):
            yield from helps(found, f"{path}{name} ")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_help_is_whole_and_in_words(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line of a list is cut off, no range is a formula, no French an infinitive."""
    monkeypatch.setenv("LANGUAGE", language)
    wrong = []
    for name, command in helps(make_app()):
        context = click.Context(command, info_name=name, terminal_width=80)
        text = command.get_help(context)
        lines = text.splitlines()
        wrong += [line for line in lines if re.search(r"\w\.\.\.$|[<>]=", line)]
        options = (p.get_help_record(context) for p in command.get_params(context))
        told = [command.help or "", command.short_help or ""]
        told += [record[1] for record in options if record]
        if language == "fr":
            wrong += [
                one for one in told if re.match(r"(?!Fichier)\w+(?:er|ir)\b", one)
            ]

    assert wrong == []


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (["help"], ["--help"]),
        (["help", "run"], ["run", "--help"]),
        (["help", "mail", "test"], ["mail", "test", "--help"]),
        (["version"], ["--version"]),
        (["-V"], ["--version"]),
    ],
)
def test_what_other_programs_call_help_and_version(
    arguments: list[str], same: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """They are understood; a command that help does not know is an error."""
    assert run_app(same) == 0
    expected = capfd.readouterr().out
    assert run_app(arguments) == 0
    assert capfd.readouterr().out == expected != ""
    assert run_app(["help", "nothing"]) == 2


def test_each_other_name_leads_to_a_command() -> None:
    """Of the command that exists, and none of them is a command itself."""
    context = click.Context(make_app())
    for name, meant in OTHER_NAMES.items():
        assert name not in COMMANDS
        first, _, rest = meant.partition(" ")
        command = make_app().get_command(context, first)
        assert command is not None, name
        options = [option for p in command.params for option in p.opts]
        commands = getattr(command, "commands", {})
        assert not rest or rest in options or rest in commands, name


@pytest.mark.parametrize(
    "command",
    [
        *("run", "check", "status", "history", "show", "output", "output --grep x"),
        *("logs", "stop", "why", "doctor", "digest"),
    ],
)
def test_a_file_in_place_of_its_project(
    command: str, make_project: MakeProject, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whoever completes one name too many is told which folder to name."""
    folder = make_project("sales")

    code = run_app([*command.split(), str(folder / "exec_config.json")])

    done = capfd.readouterr()
    wanted = "is a file: name the folder of the project, "
    # A digest cuts long reasons.
    wanted += "" if command == "digest" else str(folder)
    assert wanted in " ".join((done.out + done.err).split()), done
    assert code == (0 if command == "digest" else 2)


def test_no_path_is_judged_by_click() -> None:
    """It would say in English alone, and of all projects, what is wrong with one."""
    paths = [p for p in parameters(make_app()) if isinstance(p.type, click.Path)]
    assert len(paths) > 5
    for parameter in paths:
        assert isinstance(parameter.type, click.Path)
        judges = type(parameter.type).__name__ == "Path"
        assert not (judges and parameter.type.readable), parameter


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
    assert "été +: main.py: succeeded (".encode("cp1252") in done.stdout
    assert b"?" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "p"], 0, ""),
        (["run", "-v", "p"], 0, ""),
        (["run", "--json", "p"], 5, "the JSON document could not be written"),
        (["demo"], 0, None),
        (["history"], 1, ""),
        (["check", "p"], 1, ""),
        (["--help"], 1, ""),
        (["completion", "fish"], 1, ""),
    ],
)
def test_a_reader_that_leaves_is_no_error(
    make_project: MakeProject, arguments: list[str], code: int, words: str | None
) -> None:
    """Runs are what counts; a command that only shows something ends quietly."""
    folder = make_project("p")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=folder.parent,
            stdout=writing,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    finally:
        os.close(writing)

    assert done.returncode == code, done.stderr
    if words is not None:
        lines = done.stderr.splitlines()
        told = [line for line in lines if not re.search("started|runs as root", line)]
        assert any(words in line for line in told) if words else not told
    if arguments[0] == "run":
        assert len((folder / "logs" / "p.log").read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["history"], ["show", "1"], ["mail", "list"], ["run", "--resume", "p"]],
)
def test_records_that_cannot_be_opened_are_a_sentence(
    cli: Cli, shielded: Path, make_project: MakeProject, arguments: list[str]
) -> None:
    """A file in the place of the folder: exit 2, words, and no script is run."""
    folder = make_project("p")
    shielded.write_text("", "utf-8")

    done = cli(*arguments)

    assert done.returncode == 2
    assert str(shielded) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "logs").exists()


def test_the_command_is_installed_with_and_without_a_console() -> None:
    """Windows opens no window for the second one."""
    project = tomllib.loads(
        Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8")
    )["project"]

    assert project["scripts"]["python-runner"] == "python_runner.cli:main"
    assert project["gui-scripts"]["python-runnerw"] == "python_runner.cli:main"
