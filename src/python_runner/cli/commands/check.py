"""``python-runner check``: validates projects without running them."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.streams import say, show, show_document
from python_runner.cli.targets import env_file_option, find_targets, projects_argument
from python_runner.cli.wording import labelled
from python_runner.config import permissions
from python_runner.config.keys import json_schema
from python_runner.config.project import CONFIG_FILE, load_project
from python_runner.config.settings import load_settings, require_mail
from python_runner.config.workspace import WORKSPACE_FILE
from python_runner.delivery.transports import missing_extra
from python_runner.exceptions import InvalidConfiguration, Problem, PythonRunnerError
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import ask
from python_runner.execution.interpreters import (
    find_command,
    find_script,
    why_missing,
)
from python_runner.execution.script_sources import source_problems
from python_runner.files import (
    absolute,
    current_folder,
    exists,
    is_file,
    is_folder,
    may_write_in,
)
from python_runner.masking import Masker
from python_runner.model import EmailStrategy
from python_runner.policy import EXIT_SUCCESS, EXIT_USAGE
from python_runner.records.outputs import private_logs
from python_runner.runner.context import configuration_warnings
from python_runner.texts.sanitize import clean
from python_runner.texts.sentence import Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from python_runner.config.workspace import Workspace
    from python_runner.model import Project, Settings


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
    warnings = list(permission_problems(targets, settings))
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
    interpreter: tuple[str, ...] = ()
    language = system_language()
    try:
        interpreter = find_command(
            project.python_command, project.path, environ=settings.environ
        )
    except PythonRunnerError as error:
        yield Problem(file, "python_command", masked(str(error)))
    if reason := _why_no_interpreter(project, interpreter, settings):
        message = masked(reason.in_language(language))
        yield Problem(file, "python_command", message)
    reasons = dict(_script_problems(project, interpreter, settings))
    for place, reason in sorted(reasons.items()):
        message = masked(reason.in_language(language))
        yield Problem(file, f"scripts[{place}]", message)
    if project.recipients and project.email_strategy is not EmailStrategy.NONE:
        yield from _mail_problems(settings, file)


def _why_no_interpreter(
    project: Project, interpreter: Sequence[str], settings: Settings
) -> Sentence | None:
    """Say why what was found to run the scripts is no Python; None if it is one."""
    if not interpreter:
        return None
    program, *arguments = interpreter
    environ = child_environment(settings.environ, project.env, run_id="")
    return ask(Path(program), project.path, environ, arguments).problem


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


def _script_problems(
    project: Project, interpreter: Sequence[str], settings: Settings
) -> Iterator[tuple[int, Sentence]]:
    """Yield what is wrong with scripts, with their places in the series."""
    found: dict[int, Path] = {}
    for place, script in enumerate(project.scripts):
        if file := find_script(script.path, project.path):
            found[place] = file
        else:
            yield place, why_missing(script.path, project.path)
    if not interpreter:
        return
    program, *arguments = interpreter
    environ = child_environment(settings.environ, project.env, run_id="")
    files = list(found.values())
    reasons = {
        problem.file: problem.reason
        for problem in source_problems(Path(program), files, environ, arguments)
    }
    for place, file in found.items():
        if reason := reasons.get(file):
            name = project.scripts[place].name
            yield place, Sentence.of("{script}: {reason}", script=name, reason=reason)


def permission_problems(targets: Workspace, settings: Settings) -> Iterator[Problem]:
    """Yield what other users may change or read of all that a run believes and runs."""
    mail = settings.mail
    believed = [current_folder(), *mail.looked_in, absolute(WORKSPACE_FILE)]
    believed += filter(None, (mail.smtp_ca_file, mail.oauth_certificate))
    believed += permissions.import_folders(settings.environ)
    believed += permissions.parts_of_state(settings.home)
    secret = [settings.env_file] if settings.env_file else []
    for folder in targets.projects:
        believed += permissions.parts_of_project(folder)
        # What is wrong with it is told as a problem.
        with suppress(PythonRunnerError):
            project = load_project(folder, defaults=targets.defaults)
            believed += _executed(project, settings)
            secret += [folder / project.env_file] if project.env_file else []
    yield from permissions.root_problem()
    yield from permissions.changeable(believed)
    yield from unwritable(targets, settings)
    for file in dict.fromkeys(secret):
        yield from permissions.readable_secrets(file)


def unwritable(targets: Workspace, settings: Settings) -> Iterator[Problem]:
    """Yield the folders that a run writes to and this user may not."""
    if not may_write_in(settings.home):
        message = _(
            "this user may not write it: no records are kept, and no second run of a"
            " project is kept out; let PYTHON_RUNNER_HOME name another folder"
        )
        yield Problem(str(settings.home), "", message)
    for folder in targets.projects:
        logs = folder / "logs"
        for part in (logs, logs / "runs"):
            if not is_folder(folder) or may_write_in(part):
                continue
            other = exists(part) and not is_folder(part)
            reason = (
                _("it is not a folder") if other else _("this user may not write it")
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


def _executed(project: Project, settings: Settings) -> Iterator[Path]:
    found = (find_script(script.path, project.path) for script in project.scripts)
    scripts = [script for script in found if script]
    interpreter = None
    with suppress(PythonRunnerError):
        program, *_arguments = find_command(
            project.python_command, project.path, environ=settings.environ
        )
        interpreter = Path(program)
    return permissions.what_is_run(project, scripts, interpreter)


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
