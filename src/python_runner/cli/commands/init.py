"""``python-runner init``: writes a configuration from what a folder or an entry holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.parameters import at_least
from python_runner.cli.project_folder import (
    find_scripts,
    here,
    interpreters,
    why_no_interpreter,
)
from python_runner.cli.questions import ask, choose, has_terminal
from python_runner.cli.streams import say, show
from python_runner.cli.switching import tell_how_to_switch
from python_runner.cli.takeover_source import (
    Origin,
    entries_of,
    read_origin,
    taken_entry,
    taken_file,
    taken_task,
)
from python_runner.cli.wording import labelled
from python_runner.config.addresses import address_problems
from python_runner.config.env_template import env_template
from python_runner.config.keys import json_schema
from python_runner.config.project import CONFIG_FILE, problems_of
from python_runner.config.settings import ENV_FILE, can_mail, load_settings
from python_runner.due_times import expression_problem
from python_runner.exceptions import InvalidConfiguration, Problem, PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import (
    FILE_MODE,
    PRIVATE_FILE_MODE,
    absolute,
    current_folder,
    replacing,
)
from python_runner.installation import own_command
from python_runner.takeover.configuration import concerns, configuration
from python_runner.takeover.recorder import without_secrets
from python_runner.texts.sanitize import clean, json_safe
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from python_runner.takeover.crontab import Entry
    from python_runner.takeover.facts import Note, Taken
    from python_runner.takeover.task_xml import Task

#: Beside the configuration, so that an editor finds it without a network, and on every
#: computer that the project is copied to.
SCHEMA_FILE = "exec_config.schema.json"
#: Characters of an entry that people choose by.
_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proposal:
    """What is to be written, and what is to be said of it.

    Attributes:
        keys: of the configuration; those that are required may be absent.
        notes: what is not carried over.
        warnings: what is odd about the interpreter.
        origin: what is taken over, or None.
        taken: what it does.
        entry: of a crontab, or None.
        task: of the Task Scheduler, or None.
    """

    keys: dict[str, Any]
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()
    origin: Origin | None = None
    taken: Taken | None = None
    entry: Entry | None = None
    task: Task | None = None


@click.command(
    help=_(
        "Write an exec_config.json for PROJECT from the scripts found in it, or from an"
        " existing task, crontab, batch file or shell script, which is left as it is."
    )
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
@click.option(
    "--from",
    "source",
    metavar=_("SOURCE"),
    type=click.Path(readable=False),
    help=_(
        "Take over a task (its XML file, or \\Folder\\Task on Windows), a crontab (a file,"
        " crontab for this user's, - for standard input), a .bat, .cmd or .sh file."
    ),
)
@click.option(
    "--entry",
    "number",
    type=at_least(1),
    metavar="N",
    help=_("Which entry of the crontab; default: the one that concerns PROJECT."),
)
@click.option(
    "--dry-run", is_flag=True, help=_("Print the configuration, write nothing.")
)
def command(
    project: Path,
    recipients: tuple[str, ...],
    source: str | None,
    number: int | None,
    *,
    dry_run: bool,
) -> int:
    """Write the file, never over an existing one, and print the next steps."""
    folder = absolute(project)
    target = folder / CONFIG_FILE
    for _place, message in address_problems(recipients):
        raise click.UsageError(message)
    if number is not None and source is None:
        raise click.UsageError(_("--entry needs --from"))
    if not dry_run and _exists(target):
        return EXIT_USAGE
    if source is None:
        proposal = _proposed(folder)
    else:
        proposal = _taken_over(folder, read_origin(source), number)
    if proposal is None:
        return EXIT_USAGE
    asks = has_terminal() and not dry_run and source != "-"
    config = _completed(proposal, recipients, asks=asks)
    if problems := problems_of(folder, config):
        _tell_notes(proposal.notes)
        raise InvalidConfiguration(problems)
    text = _as_json(config)
    if dry_run:
        show(text.rstrip())
        _tell_notes(proposal.notes)
        return EXIT_SUCCESS
    if not _written(target, text):
        return EXIT_USAGE
    for reason in proposal.warnings:
        warning = Problem(str(target), "python_command", clean(reason))
        say(labelled(_("warning"), warning), err=True)
    _write_schema(folder / SCHEMA_FILE)
    _write_env()
    _tell_notes(proposal.notes)
    _tell_next_steps(project, proposal)
    return EXIT_SUCCESS


# --- What is proposed -----------------------------------------------------------------


def _proposed(folder: Path) -> _Proposal | None:
    """Return what the scripts of a folder and its environment propose; None: nothing."""
    scripts = find_scripts(folder)
    if not scripts:
        say(_("{folder} contains no Python script"), err=True, folder=folder)
        return None
    command, warnings = _interpreter(folder)
    return _Proposal(
        keys={"scripts": scripts, "python_command": command}, warnings=warnings
    )


def _interpreter(folder: Path) -> tuple[str | list[str] | None, tuple[str, ...]]:
    """Return the first interpreter of a folder that starts, and why others do not."""
    warnings: list[str] = []
    for candidate in interpreters(folder):
        reason = why_no_interpreter(folder, candidate)
        if reason is None:
            found = candidate.command
            # What is used in the place of a broken one is worth a word, what is not is none.
            return list(found) if isinstance(found, tuple) else found, tuple(warnings)
        warnings.append(reason)
    return None, tuple(warnings)


def _taken_over(folder: Path, origin: Origin, number: int | None) -> _Proposal | None:
    """Return what an existing entry does; None where there is nothing, which is told."""
    entry = task = None
    if origin.kind == "crontab":
        entry = _chosen(folder, origin, number)
        if entry is None:
            return None
        taken = taken_entry(entry, folder, origin)
    elif number is not None:
        raise click.UsageError(_("--entry is for a crontab"))
    elif origin.kind == "task":
        task = taken_task(origin, folder)
        taken = task.taken
    else:
        taken = taken_file(origin, folder)
    carried = configuration(taken, here(folder))
    if not carried.keys["scripts"]:
        _tell_notes(carried.notes, err=True)
        message = _("{source} starts no Python script that can be carried over")
        say(message, err=True, source=origin.shown)
        return None
    reason = why_no_interpreter(folder, None, carried.keys["python_command"])
    return _Proposal(
        keys=carried.keys,
        notes=carried.notes,
        warnings=(reason,) if reason else (),
        origin=origin,
        taken=taken,
        entry=entry,
        task=task,
    )


def _chosen(folder: Path, origin: Origin, number: int | None) -> Entry | None:
    """Return the entry of a crontab that is meant; None where it cannot be told."""
    found = entries_of(origin)
    if number is not None:
        if number > len(found):
            message = _("{source} has no entry {number}")
            raise click.UsageError(message.format(source=origin.shown, number=number))
        return found[number - 1]
    place = here(folder)
    sure = {
        entry.number: concerns(taken_entry(entry, folder, origin), place)
        for entry in found
    }
    best = max(sure.values(), default=0)
    own = [entry for entry in found if sure[entry.number] == best and best]
    if len(own) == 1:
        return own[0]
    if not own and len(found) == 1:
        return found[0]
    if not found:
        say(_("{source} has no entry"), err=True, source=origin.shown)
        return None
    among = own or found
    if has_terminal() and origin.shown != "-":
        lines = [_line_of(entry) for entry in among]
        return among[choose(_("Which entry?"), lines) - 1]
    message = (
        _("several entries concern {folder}; choose one by --entry:")
        if own
        else _("no entry concerns {folder}; choose one by --entry:")
    )
    say(message, err=True, folder=folder)
    for entry in among:
        say("  {number}  {line}", err=True, number=entry.number, line=_line_of(entry))
    return None


def _line_of(entry: Entry) -> str:
    text = without_secrets(entry.source)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


# --- What is asked --------------------------------------------------------------------


def _completed(
    proposal: _Proposal, recipients: tuple[str, ...], *, asks: bool
) -> dict[str, Any]:
    """Return the whole configuration; at a terminal people have answered for a part."""
    keys = dict(proposal.keys)
    given = list(recipients)
    if not given:
        listed = keys.get("recipients", [])
        wrong = {place for place, _message in address_problems(listed)}
        given = [text for place, text in enumerate(listed) if place not in wrong]
    strategy = None
    if asks:
        if proposal.origin is None:
            keys["scripts"] = _asked_scripts(keys["scripts"])
        given = given or _asked_recipients()
        strategy = _asked_strategy() if given else None
        if "schedule" not in keys and (schedule := _asked_schedule()):
            keys["schedule"] = schedule
    required = {
        "scripts": keys.pop("scripts"),
        "python_command": keys.pop("python_command"),
        "recipients": given,
        "email_strategy": strategy or ("all" if given else "none"),
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    keys.pop("recipients", None)
    return {"$schema": f"./{SCHEMA_FILE}", **required, **keys}


def _asked_scripts(scripts: list[str]) -> list[str]:
    """Ask which scripts run, and in which order."""
    if len(scripts) == 1:
        return scripts
    say(_("Scripts, in this order:"), err=True)
    for number, script in enumerate(scripts, 1):
        say("  {number}  {script}", err=True, number=number, script=script)

    def check(answer: str) -> list[str]:
        numbers = [int(word) for word in re.findall(r"\d{1,6}", answer)]
        if not numbers or not all(1 <= number <= len(scripts) for number in numbers):
            message = _("numbers from 1 to {last}, such as 2 1")
            raise click.UsageError(message.format(last=len(scripts)))
        return [scripts[number - 1] for number in dict.fromkeys(numbers)]

    every = " ".join(str(number) for number in range(1, len(scripts) + 1))
    return ask(_("Which of them, in which order? (Enter: all)"), check, every)


def _asked_recipients() -> list[str]:
    def check(answer: str) -> list[str]:
        addresses = [part.strip() for part in re.split(r"[,;]", answer) if part.strip()]
        for _place, message in address_problems(addresses):
            raise click.UsageError(message)
        return addresses

    return ask(_("Who gets the report by email? (Enter: nobody)"), check, "")


def _asked_strategy() -> str:
    choices = [_("after every run"), _("only when a script failed")]
    number = choose(_("When is an email sent?"), choices)
    return ("all", "failure_only")[number - 1]


def _asked_schedule() -> str:
    def check(answer: str) -> str:
        text = answer.strip()
        if match := re.fullmatch(r"([01]?\d|2[0-3])[:hH]([0-5]\d)?", text):
            return f"{int(match[2] or 0)} {int(match[1])} * * *"
        if text and (problem := expression_problem(text)):
            raise click.UsageError(problem.in_language(system_language()))
        return text

    question = _(
        "When does it run by itself? (06:00, or a cron expression such as 0 6 * * 1-5;"
        " Enter: not yet)"
    )
    return ask(question, check, "")


# --- What is written and told ---------------------------------------------------------


def _exists(target: Path) -> bool:
    """Say whether something is there already, and tell it."""
    if not target.exists() and not target.is_symlink():
        return False
    say(_("{path} already exists; it was not changed"), err=True, path=target)
    return True


def _written(target: Path, text: str) -> bool:
    """Write the configuration and show it; tell why it could not be written."""
    try:
        _write_new(target, text)
    except FileExistsError:
        message = _("{path} already exists; it was not changed")
        say(message, err=True, path=target)
        return False
    except OSError as error:
        _tell_unwritten(target, error)
        return False
    say(_("{path} was written:"), path=target)
    say(text.rstrip())
    return True


def _tell_notes(notes: tuple[Note, ...], *, err: bool = False) -> None:
    """Tell what is not carried over, each with its line."""
    if not notes:
        return
    say(_("Not carried over:"), err=err)
    for note in notes:
        say("- {note}", err=err, note=note.sentence().in_language(system_language()))


def _tell_next_steps(project: Path, proposal: _Proposal) -> None:
    say(_("Check the order of the scripts, then run:"))
    for verb in ("check", "run"):
        say(
            "  {command} {verb} {folder}",
            command=own_command(),
            verb=verb,
            folder=project,
        )
    if proposal.origin is not None and proposal.taken is not None:
        tell_how_to_switch(
            project,
            proposal.origin,
            proposal.taken,
            entry=proposal.entry,
            task=proposal.task,
        )


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
