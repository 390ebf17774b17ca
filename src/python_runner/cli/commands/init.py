"""``python-runner init``: writes a configuration from what a folder holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from python_runner.config.addresses import address_problems
from python_runner.config.project import CONFIG_FILE, absolute
from python_runner.files import replacing
from python_runner.policy import EXIT_SUCCESS, EXIT_USAGE
from python_runner.texts.sentence import translate as _


#: Python files that do not belong to a series.
_NO_SCRIPT = re.compile(r"(setup|conftest|__\w+__|test_.*|.*_test)\.py")


@click.command(
    help=_("Write an exec_config.json for PROJECT from the scripts found in it.")
)
@click.argument(
    "project", type=click.Path(exists=True, file_okay=False, path_type=Path)
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
        click.echo(_("{folder} holds no Python script").format(folder=folder), err=True)
        return EXIT_USAGE
    text = json.dumps(
        initial_config(folder, scripts, recipients), indent=2, ensure_ascii=False
    )
    try:
        with replacing(target, overwrite=False) as new:
            new.write(f"{text}\n".encode())
    except FileExistsError:
        message = _("{path} exists already and was left as it is")
        click.echo(message.format(path=target), err=True)
        return EXIT_USAGE
    except OSError as error:
        message = _("{path} cannot be written: {error}")
        click.echo(message.format(path=target, error=error.strerror), err=True)
        return EXIT_USAGE
    click.echo(_("{path} was written:").format(path=target))
    click.echo(text)
    click.echo(_("Check the order of the scripts, then run:"))
    click.echo(f"  python-runner check {project}")
    click.echo(f"  python-runner run {project}")
    return EXIT_SUCCESS


def find_scripts(folder: Path) -> list[str]:
    """Return the scripts at the top of a folder, in order of name."""
    return sorted(
        file.name
        for file in folder.glob("*.py")
        if file.is_file() and not _NO_SCRIPT.fullmatch(file.name)
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
        if (folder / name).exists():
            return name.removesuffix(".exe")
    return None
