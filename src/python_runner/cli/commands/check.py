"""``python-runner check``: validates projects without running them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.streams import say, show, show_document
from python_runner.cli.targets import env_file_option, find_targets, projects_argument
from python_runner.cli.wording import labelled
from python_runner.config.keys import json_schema
from python_runner.config.permissions import open_to_others, readable_secrets
from python_runner.config.project import CONFIG_FILE, load_project
from python_runner.config.settings import load_settings, require_mail
from python_runner.delivery.transports import missing_extra
from python_runner.exceptions import InvalidConfiguration, Problem, PythonRunnerError
from python_runner.execution.interpreters import find_interpreter, find_script
from python_runner.masking import Masker
from python_runner.model import EmailStrategy
from python_runner.policy import EXIT_SUCCESS, EXIT_USAGE
from python_runner.runner.context import configuration_warnings
from python_runner.texts.sanitize import clean
from python_runner.texts.sentence import Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from python_runner.model import Project, Settings


@click.command(
    help=_(
        "Validate each PROJECT: configuration, interpreter, scripts, mail settings."
        " Nothing is run and nothing is sent."
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
    warnings = [w for folder in targets.projects for w in open_to_others(folder)]
    if settings.env_file:
        warnings += readable_secrets(settings.env_file)
    warnings += _file_problems(settings.warnings)
    found = {
        folder: list(_masked_problems(folder, targets.defaults, settings, warnings))
        for folder in targets.projects
    }
    told = {problem.key for problems in found.values() for problem in problems}
    # Wrong for all that, though no project of these mails anything.
    warnings += (p for p in settings.mail.problems if p.key not in told)
    if as_json:
        show_document(_document(found, warnings))
    else:
        _print(found)
        for warning in warnings:
            say(labelled(_("warning"), warning), err=True)
    return EXIT_USAGE if any(found.values()) else EXIT_SUCCESS


def _masked_problems(
    folder: Path,
    defaults: Mapping[str, Any],
    settings: Settings,
    warnings: list[Problem],
) -> Iterator[Problem]:
    """Yield a project's problems without the secrets of the environment."""
    masker = Masker(settings.secrets)
    try:
        project = load_project(folder, defaults=defaults)
    except InvalidConfiguration as error:
        problems: Iterable[Problem] = error.problems
    except PythonRunnerError as error:
        problems = [Problem(str(folder), "", str(error))]
    else:
        problems = project_problems(project, settings)
        mask = Masker((*settings.secrets, *project.secrets)).sentence
        file = str(folder / CONFIG_FILE)
        warnings += _file_problems(
            map(mask, configuration_warnings(project, settings)), file
        )
    for problem in problems:
        message = clean(masker.text(problem.message))
        yield replace(problem, key=clean(problem.key), message=message)


def _file_problems(warnings: Iterable[Sentence], file: str = "") -> Iterator[Problem]:
    """Yield warnings with the file that each names, or ``file``."""
    for warning in warnings:
        language = system_language()
        named, problem = warning.values.get("file"), warning.values.get("problem")
        if isinstance(problem, Sentence):
            yield Problem(str(named), "", problem.in_language(language))
        else:
            yield Problem(file, "", warning.in_language(language))


def project_problems(project: Project, settings: Settings) -> Iterator[Problem]:
    """Yield everything wrong with a project whose configuration is right."""
    file = str(project.path / CONFIG_FILE)
    masked = Masker(project.secrets).text
    try:
        find_interpreter(project.python_command, project.path, environ=settings.environ)
    except PythonRunnerError as error:
        yield Problem(file, "python_command", masked(str(error)))
    for place, script in enumerate(project.scripts):
        if find_script(script.path, project.path) is None:
            message = _("script not found: {path}").format(path=masked(script.path))
            yield Problem(file, f"scripts[{place}]", message)
    if project.recipients and project.email_strategy is not EmailStrategy.NONE:
        yield from _mail_problems(settings, file)


def _mail_problems(settings: Settings, file: str) -> Iterator[Problem]:
    try:
        require_mail(settings.mail)
    except InvalidConfiguration as error:
        yield from error.problems
    except PythonRunnerError as error:
        yield Problem(file, "email_strategy", str(error))
    if missing := missing_extra(settings.mail):
        message = missing.in_language(system_language())
        yield Problem(file, "email_strategy", message)


def _document(
    found: Mapping[Path, list[Problem]], warnings: list[Problem]
) -> dict[str, Any]:
    return {
        "warnings": [{"file": w.file, "message": w.message} for w in warnings],
        "projects": [
            {
                "path": str(folder),
                "ok": not problems,
                "problems": [
                    {"file": p.file, "key": p.key, "message": p.message}
                    for p in problems
                ],
            }
            for folder, problems in found.items()
        ],
    }


def _print(found: Mapping[Path, list[Problem]]) -> None:
    for folder, problems in found.items():
        if problems:
            message = _("{folder}: {count} problem(s)")
        else:
            message = _("{folder}: ready to run")
        show(message, folder=folder, count=len(problems))
        for problem in problems:
            where = f"{problem.key}: " if problem.key else ""
            show("  {where}{message}", where=where, message=problem.message)
