"""``python-runner check``: validates projects without running them."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.doctor.examination import as_problems, examine, summary
from python_runner.cli.lookup import sign_in_notice
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.targets import env_file_option, find_targets, projects_argument
from python_runner.cli.wording import formats, labelled
from python_runner.config import permissions
from python_runner.config.foreign_packages import package_problems
from python_runner.config.keys import json_schema
from python_runner.config.providers import is_microsoft
from python_runner.config.settings import load_settings
from python_runner.config.workspace import WORKSPACE_FILE
from python_runner.exceptions import Problem
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.files import (
    absolute,
    current_folder,
    exists,
    is_file,
    is_folder,
    may_write_in,
)
from python_runner.records.outputs import private_logs
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
    examined: Iterable[Examination], settings: Settings
) -> Iterator[Problem]:
    """Yield what other users may change or read of all that a run believes and runs."""
    mail, folders = settings.mail, [one.folder for one in examined]
    believed = [current_folder(), *mail.looked_in, absolute(WORKSPACE_FILE)]
    believed += filter(None, (mail.smtp_ca_file, mail.oauth_certificate))
    believed += permissions.import_folders(settings.environ)
    believed += permissions.parts_of_state(settings.home)
    secret = [settings.env_file] if settings.env_file else []
    for one in examined:
        believed += permissions.parts_of_project(one.folder)
        if project := one.project:
            believed += permissions.what_is_run(project, one.scripts, one.interpreter)
            secret += [one.folder / project.env_file] if project.env_file else []
    yield from permissions.root_problem()
    yield from permissions.changeable(believed)
    yield from unwritable(folders, settings)
    for file in dict.fromkeys(secret):
        yield from permissions.readable_secrets(file)


def password_problems(settings: Settings) -> Iterator[Problem]:
    """Yield that a mailbox takes no password, where one is to be sent to it."""
    for way in settings.mail.ways:
        if way.transport == "smtp" and way.provider and is_microsoft(way.provider):
            message = way.provider.wants.in_language(system_language())
            yield Problem(_("environment"), "MAIL_TRANSPORT", message)


def sign_in_problems(settings: Settings) -> Iterator[Problem]:
    """Yield what keeps mail from leaving in the name of a user, or soon will."""
    if message := sign_in_notice(settings.mail):
        yield Problem(_("environment"), "LOGIN_MAIL", message)


def unwritable(folders: Iterable[Path], settings: Settings) -> Iterator[Problem]:
    """Yield the places that a run writes to and this user may not."""
    if not may_write_in(settings.home):
        message = _(
            "this user may not write to it: no records are kept, and nothing prevents"
            " a second run of a project at the same time; set PYTHON_RUNNER_HOME to"
            " another folder"
        )
        yield Problem(str(settings.home), "", message)
    for folder in folders:
        logs = folder / "logs"
        for part in (logs, logs / "runs"):
            if not is_folder(folder) or may_write_in(part):
                continue
            other = exists(part) and not is_folder(part)
            reason = (
                _("it is not a folder") if other else _("this user may not write to it")
            )
            message = _(
                "{reason}: the log stays incomplete, and the output of the scripts goes"
                " to {folder}"
            )
            if part != logs:
                message = _("{reason}: the output of the scripts goes to {folder}")
            values = {"reason": reason, "folder": _instead_of_logs(folder, settings)}
            yield Problem(str(part), "", message.format(**values))
            break
        log = logs / f"{folder.name}.log"
        if exists(log) and not is_file(log):
            yield Problem(str(log), "", _("it is not a file: the log stays incomplete"))


def _instead_of_logs(folder: Path, settings: Settings) -> Path:
    """Return where the output of scripts lies if ``logs`` cannot be written."""
    if may_write_in(settings.home):
        return private_logs(settings.home, folder)
    return Path(tempfile.gettempdir())


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
                brief = _brief(problem, one.folder)
                show("✗ {name}  {problem}", colour="red", **values, problem=brief)
            continue
        problems = formats().ngettext(
            "{count} problem in {folder}",
            "{count} problems in {folder}",
            count,
        )
        show("✗ {name}  " + problems, colour="red", **values, count=count)
        for problem in one.problems:
            show("    {problem}", problem=_brief(problem, one.folder))


def _brief(problem: Problem, folder: Path) -> Problem:
    """Return a problem whose file is named as one sees it from the project."""
    file = Path(problem.file)
    if file == folder:
        # The sentence names it.
        return replace(problem, file="")
    if file.is_relative_to(folder):
        return replace(problem, file=str(file.relative_to(folder)))
    return problem
