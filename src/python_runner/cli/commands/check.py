"""``python-runner check``: validates projects without running them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.lookup import sign_in_notice
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.targets import env_file_option, find_targets, projects_argument
from python_runner.cli.wording import formats, labelled
from python_runner.config import permissions
from python_runner.config.foreign_packages import package_problems
from python_runner.config.keys import json_schema
from python_runner.config.settings import load_settings
from python_runner.doctor.examination import as_problems, brief, examine, summary
from python_runner.doctor.fleet import fleet_problems
from python_runner.doctor.mail import closing_passwords
from python_runner.doctor.surroundings import (
    open_permissions,
    readable_secrets,
    unwritable,
)
from python_runner.exceptions import Problem
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.files import current_folder
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from python_runner.doctor.examination import Examination
    from python_runner.model import Settings


@click.command(
    help=_(
        "Validate each PROJECT: configuration, interpreter, scripts, mail settings."
        " No script is run and nothing is sent."
    )
)
@projects_argument
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@click.option(
    "--schema", is_flag=True, help=_("Print the JSON Schema of exec_config.json.")
)
@env_file_option
def command(
    projects: tuple[Path, ...], as_json: bool, schema: bool, env_file: Path | None
) -> int:
    """Print the problems of each project; 0 when there is none, else 2."""
    if schema:
        show_document(json_schema())
        return EXIT_SUCCESS
    targets = find_targets(projects)
    settings = load_settings(env_file)
    examined = [
        examine(folder, targets.defaults, settings) for folder in targets.projects
    ]
    warnings = list(permission_problems(examined, settings))
    warnings += package_problems(current_folder())
    warnings += as_problems(settings.warnings)
    warnings += (warning for one in examined for warning in one.warnings)
    warnings += password_problems(settings)
    warnings += sign_in_problems(settings)
    warnings += fleet_problems(targets.fleet)
    told = {problem.key for one in examined for problem in one.problems}
    # Wrong for all that, though no project of these mails anything.
    warnings += (p for p in settings.mail.problems if p.key not in told)
    if as_json:
        show_document(_document(examined, warnings))
    else:
        _print(examined, settings)
        for warning in warnings:
            say(labelled(_("warning"), warning), err=True)
    wrong = any(one.problems for one in examined)
    return EXIT_USAGE if wrong else EXIT_SUCCESS


def permission_problems(
    examined: Sequence[Examination], settings: Settings
) -> Iterator[Problem]:
    """Yield who may change or read too much of what a run uses, or this user too little."""
    yield from permissions.root_problem()
    yield from open_permissions(examined, settings)
    yield from unwritable([one.folder for one in examined], settings)
    yield from readable_secrets(examined, settings)


def sign_in_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what keeps mail from leaving in the name of a user, or soon will."""
    if message := sign_in_notice(settings.mail):
        yield Problem(_("environment"), "LOGIN_MAIL", message)


def password_problems(settings: Settings) -> Iterator[Problem]:
    """Yield that a mailbox takes no password, where one is to be sent to it."""
    for wants in closing_passwords(settings.mail):
        message = wants.in_language(system_language())
        yield Problem(_("environment"), "MAIL_TRANSPORT", message)


def _document(
    examined: Iterable[Examination], warnings: Iterable[Problem]
) -> dict[str, Any]:
    return {
        "warnings": [_as_dict(warning) for warning in warnings],
        "projects": [
            {
                "path": str(one.folder),
                "ok": not one.problems,
                "problems": [_as_dict(problem) for problem in one.problems],
            }
            for one in examined
        ],
    }


def _as_dict(problem: Problem) -> dict[str, str]:
    return {"file": problem.file, "key": problem.key, "message": problem.message}


def _print(examined: Sequence[Examination], settings: Settings) -> None:
    # A root has no name.
    names = Counter(one.folder.name for one in examined if one.folder.name)
    shown = [
        one.folder.name if names[one.folder.name] == 1 else str(one.folder)
        for one in examined
    ]
    width = max(map(len, shown))
    for one, name in zip(examined, shown, strict=True):
        values = {"name": name.ljust(width), "folder": one.folder}
        if not one.problems:
            text = summary(one, settings)
            show("✓ {name}  {checked}", colour="green", **values, checked=text)
            continue
        count = len(one.problems)
        if all(Path(problem.file) == one.folder for problem in one.problems):
            # Each of them names the folder.
            for problem in one.problems:
                told = brief(problem, one.folder)
                show("✗ {name}  {problem}", colour="red", **values, problem=told)
            continue
        problems = formats().ngettext(
            "{count} problem in {folder}",
            "{count} problems in {folder}",
            count,
        )
        show("✗ {name}  " + problems, colour="red", **values, count=count)
        for problem in one.problems:
            show("    {problem}", problem=brief(problem, one.folder))
