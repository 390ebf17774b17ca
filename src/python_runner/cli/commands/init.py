"""``python-runner init``: writes a configuration from what a folder holds."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import click

from python_runner.cli.streams import say
from python_runner.cli.wording import labelled
from python_runner.config.addresses import address_problems
from python_runner.config.env_template import env_template
from python_runner.config.keys import json_schema
from python_runner.config.project import CONFIG_FILE
from python_runner.config.settings import ENV_FILE, can_mail, load_settings
from python_runner.config.validation import can_be_passed
from python_runner.exceptions import BadPythonInterpreter, Problem, PythonRunnerError
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import ask
from python_runner.execution.interpreters import find_command
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.files import (
    FILE_MODE,
    PRIVATE_FILE_MODE,
    absolute,
    current_folder,
    exists,
    is_file,
    replacing,
)
from python_runner.installation import own_command
from python_runner.texts.sanitize import clean, json_safe
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


#: Beside the configuration, so that an editor finds it without a network, and on every
#: computer that the project is copied to.
SCHEMA_FILE = "exec_config.schema.json"
#: Python files that do not belong to a series.
_NO_SCRIPT = re.compile(r"(setup|conftest|__\w+__|test_.*|.*_test)\.py")


@click.command(
    help=_("Write an exec_config.json for PROJECT from the scripts found in it.")
)
@click.argument(
    "project",
    type=click.Path(exists=True, file_okay=False, readable=False, path_type=Path),
    metavar=_("PROJECT"),
)
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar=_("ADDRESS"),
    help=_("Recipient of the report; may be repeated. Without one, no email is sent."),
)
def command(project: Path, recipients: tuple[str, ...]) -> int:
    """Write the file, never over an existing one, and print the next steps."""
    folder = absolute(project)
    target = folder / CONFIG_FILE
    for _place, message in address_problems(recipients):
        raise click.UsageError(message)
    scripts = find_scripts(folder)
    if not scripts:
        say(_("{folder} contains no Python script"), err=True, folder=folder)
        return EXIT_USAGE
    config = initial_config(folder, scripts, recipients)
    text = _as_json(config)
    try:
        _write_new(target, text)
    except FileExistsError:
        message = _("{path} already exists; it was not changed")
        say(message, err=True, path=target)
        return EXIT_USAGE
    except OSError as error:
        _tell_unwritten(target, error)
        return EXIT_USAGE
    say(_("{path} was written:"), path=target)
    say(text.rstrip())
    if reason := why_no_interpreter(folder, config["python_command"]):
        warning = Problem(str(target), "python_command", clean(reason))
        say(labelled(_("warning"), warning), err=True)
    _write_schema(folder / SCHEMA_FILE)
    _write_env()
    say(_("Check the order of the scripts, then run:"))
    for verb in ("check", "run"):
        say(
            "  {command} {verb} {folder}",
            command=own_command(),
            verb=verb,
            folder=project,
        )
    return EXIT_SUCCESS


def why_no_interpreter(folder: Path, command: str | None) -> str | None:
    """Say why what was found in a folder runs no script; None if it does.

    None as ``command`` is the interpreter that asks.
    """
    if command is None:
        return None
    environ = child_environment(os.environ, {}, run_id="")
    try:
        program, *arguments = find_command(command, folder, environ=environ)
    except BadPythonInterpreter as error:
        return str(error)
    problem = ask(Path(program), folder, environ, arguments).problem
    return problem.in_language(system_language()) if problem else None


def _write_schema(target: Path) -> None:
    """Write what an editor completes and checks the configuration by."""
    try:
        _write_new(target, _as_json(json_schema()))
    except FileExistsError:
        pass
    except OSError as error:
        _tell_unwritten(target, error)


def _write_env() -> None:
    """Write a ``.env`` file to fill in, where a later command in this folder looks first.

    Only where no file and no variable says how mails leave.
    """
    try:
        settings = load_settings()
    except PythonRunnerError:
        # There is a file, which `check` tells to be wrong.
        return
    if settings.env_file or settings.mail.problems or can_mail(settings.mail):
        return
    target = current_folder() / ENV_FILE
    try:
        _write_new(target, env_template(), PRIVATE_FILE_MODE)
    except FileExistsError:
        return
    except OSError as error:
        _tell_unwritten(target, error)
        return
    say(
        _("{path} was written; to send emails, fill in the mailbox that sends them"),
        path=target,
    )


def _as_json(document: dict[str, Any]) -> str:
    return json_safe(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _write_new(target: Path, text: str, mode: int = FILE_MODE) -> None:
    """Write a file that is not there yet.

    Raises:
        FileExistsError: something is there.
        OSError: it cannot be written.
    """
    with replacing(target, overwrite=False, mode=mode) as new:
        new.write(text.encode())


def _tell_unwritten(target: Path, error: OSError) -> None:
    message = _("{path} cannot be written: {error}")
    say(message, err=True, path=target, error=in_own_language(error))


def find_scripts(folder: Path) -> list[str]:
    """Return the scripts at the top of a folder, in order of name.

    A name that no configuration can hold is left out.
    """
    return sorted(
        file.name
        for file in folder.glob("*.py")
        if is_file(file)
        and not _NO_SCRIPT.fullmatch(file.name)
        and can_be_passed(file.name)
    )


def initial_config(
    folder: Path, scripts: list[str], recipients: tuple[str, ...]
) -> dict[str, Any]:
    """Return the required keys, with values from what the folder holds.

    Their description is named as well.
    """
    return {
        "$schema": f"./{SCHEMA_FILE}",
        "scripts": scripts,
        "python_command": _own_interpreter(folder),
        "recipients": list(recipients),
        "email_strategy": "all" if recipients else "none",
        "include_traceback": True,
        "logs_backup_count": 0,
    }


def _own_interpreter(folder: Path) -> str | None:
    """Return the project's own interpreter, else null: the one the runner runs on."""
    for name in (".venv/Scripts/python.exe", ".venv/bin/python"):
        if exists(folder / name):
            return name.removesuffix(".exe")
    return None
