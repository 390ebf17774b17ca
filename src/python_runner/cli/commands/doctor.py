"""``python-runner doctor``: finds out before the night what would go wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.diagnosis_words import mail_diagnosis, verdict
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.targets import chosen_targets, env_file_option, projects_argument
from python_runner.cli.wording import labelled
from python_runner.config.addresses import address_problems
from python_runner.config.settings import load_settings
from python_runner.config.workspace import WORKSPACE_FILE
from python_runner.doctor.diagnosis import diagnose
from python_runner.doctor.finding import Severity
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS, EXIT_USAGE
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from python_runner.doctor.diagnosis import Diagnosis
    from python_runner.doctor.finding import Finding

_MARKS = {
    Severity.PROBLEM: ("✗", "red"),
    Severity.WARNING: ("!", "yellow"),
    Severity.FINE: ("✓", "green"),
}


@click.command(
    help=_(
        "Look at everything that each PROJECT needs to run and to report, on this"
        " computer and beyond: configuration, interpreter, imports, disks, records,"
        " emails as far as a login, schedules. Say what is wrong, why that matters and what to"
        " do. No script is run and nothing is sent."
    )
)
@projects_argument
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@click.option(
    "--mail-me",
    "mail_to",
    is_flag=False,
    flag_value="",
    default=None,
    metavar=_("[ADDRESS]"),
    help=_("Also send the result by email, to ADDRESS or else to the sender itself."),
)
@env_file_option
def command(
    projects: tuple[Path, ...],
    *,
    as_json: bool,
    mail_to: str | None,
    env_file: Path | None,
) -> int:
    """Print what was found; 2 where a configuration is wrong, 1 for other problems."""
    if mail_to and "@" not in mail_to:
        # The option stands before a project: the address was left out.
        projects, mail_to = (Path(mail_to), *projects), ""
    for _place, message in address_problems([mail_to] if mail_to else []):
        raise click.UsageError(message)
    targets = chosen_targets(projects)
    settings = load_settings(env_file)
    diagnosis = diagnose(targets.projects, targets.defaults, settings, targets.fleet)
    code = _exit_code(diagnosis)
    if as_json:
        show_document(_document(diagnosis))
    else:
        _print(diagnosis)
    if mail_to is None or mail_diagnosis(
        diagnosis, mail_to, settings, targets.defaults
    ):
        return code
    return code or EXIT_FAILURE


def _exit_code(diagnosis: Diagnosis) -> int:
    if diagnosis.is_usage:
        return EXIT_USAGE
    return EXIT_FAILURE if diagnosis.count(Severity.PROBLEM) else EXIT_SUCCESS


def _document(diagnosis: Diagnosis) -> dict[str, Any]:
    language = system_language()
    return {
        "verdict": verdict(diagnosis),
        "problems": diagnosis.count(Severity.PROBLEM),
        "warnings": diagnosis.count(Severity.WARNING),
        "projects": [str(folder) for folder in diagnosis.projects],
        "findings": [one.to_document(language) for one in diagnosis.findings],
    }


def _print(diagnosis: Diagnosis) -> None:
    show("{verdict}", verdict=verdict(diagnosis))
    if not diagnosis.projects:
        say(
            _(
                "No project was looked at: name the folder of one, or list projects in a"
                " {file} in the current folder."
            ),
            err=True,
            file=WORKSPACE_FILE,
        )
    for folder in (None, *diagnosis.projects):
        findings = diagnosis.of(folder)
        if not findings:
            continue
        title = _("This computer") if folder is None else str(folder)
        show()
        show("{title}", title=title)
        for one in findings:
            _print_finding(one)


def _print_finding(one: Finding) -> None:
    language = system_language()
    mark, colour = _MARKS[one.severity]
    what = one.what.in_language(language)
    show("  {mark} {what}", colour=colour, mark=mark, what=what)
    if one.why:
        show("    {why}", why=one.why.in_language(language))
    if one.fix:
        show("    {fix}", fix=labelled(_("To do"), one.fix.in_language(language)))
