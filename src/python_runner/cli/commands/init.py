"""``python-runner init``: writes a configuration from what a folder holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from python_runner.cli.streams import say
from python_runner.config.addresses import address_problems
from python_runner.config.project import CONFIG_FILE
from python_runner.config.validation import can_be_passed
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.files import absolute, exists, is_file, replacing
from python_runner.texts.sanitize import json_safe
from python_runner.texts.sentence import translate as _


#: Python files that do not belong to a series.
_NO_SCRIPT = re.compile(r"(setup|conftest|__\w+__|test_.*|.*_test)\.py")


@click.command(
    help=_("Write an exec_config.json for PROJECT from the scripts found in it.")
)
@click.argument(
    "project",
    type=click.Path(exists=True, file_okay=False, readable=False, path_type=Path),
)
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="ADDRESS",
    help=_("Who gets the report; may be repeated. Without one, no mail is sent."),
)
def command(project: Path, recipients: tuple[str, ...]) -> int:
    """Write the file, never over an existing one, and print the next steps."""
    folder = absolute(project)
    target = folder / CONFIG_FILE
    for _place, message in address_problems(recipients):
        raise click.UsageError(message)
    scripts = find_scripts(folder)
    if not scripts:
        say(_("{folder} holds no Python script"), err=True, folder=folder)
        return EXIT_USAGE
    config = initial_config(folder, scripts, recipients)
    text = json_safe(json.dumps(config, indent=2, ensure_ascii=False))
    try:
        with replacing(target, overwrite=False) as new:
            new.write(f"{text}\n".encode())
    except FileExistsError:
        message = _("{path} exists already and was left as it is")
        say(message, err=True, path=target)
        return EXIT_USAGE
    except OSError as error:
        message = _("{path} cannot be written: {error}")
        say(message, err=True, path=target, error=error.strerror)
        return EXIT_USAGE
    say(_("{path} was written:"), path=target)
    say(text)
    say(_("Check the order of the scripts, then run:"))
    say("  python-runner check {project}", project=project)
    say("  python-runner run {project}", project=project)
    return EXIT_SUCCESS


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
    """Return the required keys, with values from what the folder holds."""
    return {
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
