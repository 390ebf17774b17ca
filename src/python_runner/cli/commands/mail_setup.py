"""``python-runner mail setup``: chooses a way to send, and writes it to a ``.env`` file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.admin_letter import admin_letter
from python_runner.cli.streams import say, show, stderr
from python_runner.config.addresses import address_problems
from python_runner.config.env_edit import (
    read_text_of,
    set_by,
    with_variables,
    write_env,
)
from python_runner.config.mail_advice import (
    Administrator,
    Advice,
    Answers,
    Place,
    advise,
)
from python_runner.config.providers import is_microsoft, provider_of
from python_runner.config.settings import ENV_FILE
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder
from python_runner.installation import own_command
from python_runner.texts.sentence import N_, system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CHOICES: dict[str, dict[str, str]] = {
    "--administrator": {
        Administrator.ME: N_("me: I may change settings of its Microsoft 365"),
        Administrator.OTHER: N_("somebody else, whom I can write to"),
        Administrator.NOBODY: N_("nobody who would do anything for me"),
        Administrator.NONE: N_("it is not a mailbox of Microsoft 365"),
    },
    "--where": {
        Place.DESKTOP: N_("on a computer where I can use a browser"),
        Place.SERVER: N_("on a server without a browser"),
    },
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was given as options; None where it is to be asked.

    Attributes:
        asks: whether there is a terminal to ask at.
    """

    mailbox: str | None
    administrator: str | None
    where: str | None
    recipient: str | None
    server: str | None
    client: str
    tenant: str
    asks: bool


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options: one for each answer."""
    for option in reversed(
        (
            click.option(
                "--mailbox", metavar=_("ADDRESS"), help=_("The mailbox that sends.")
            ),
            click.option(
                "--administrator",
                type=click.Choice([choice.value for choice in Administrator]),
                help=_("Who administers the mailbox."),
            ),
            click.option(
                "--where",
                type=click.Choice([choice.value for choice in Place]),
                help=_("Where the scripts run."),
            ),
            click.option(
                "--recipient",
                metavar=_("ADDRESS"),
                help=_("Who gets the test email. Default: the mailbox itself."),
            ),
            click.option(
                "--server",
                metavar=_("NAME"),
                help=_("Mail server of a mailbox that is not Microsoft's."),
            ),
            click.option(
                "--client-id",
                "client",
                default="",
                metavar="ID",
                help=_("ID of the application, if there is one already."),
            ),
            click.option(
                "--tenant-id",
                "tenant",
                default="",
                metavar="ID",
                help=_("ID of the organisation, if you know it."),
            ),
            click.option(
                "--language",
                type=click.Choice(["en", "fr"]),
                help=_("Language of the letter. Default: the system's."),
            ),
            click.option(
                "--env-file",
                type=click.Path(path_type=Path, dir_okay=False, readable=False),
                metavar=_("FILE"),
                help=_("The file to write. Default: .env in the current directory."),
            ),
            click.option(
                "--yes",
                is_flag=True,
                help=_("Replace values that the file holds, without asking."),
            ),
        )
    ):
        function = option(function)
    return function


@click.command(
    help=_(
        "Choose a way to send email. Asks four questions, writes the lines of the .env"
        " file, and prints a letter for the administrator where one is needed."
    )
)
@_options
def command(
    language: str | None, env_file: Path | None, *, yes: bool, **options: Any
) -> int:
    """Ask what was not given, say which way fits and why, and write the file."""
    given = Given(**options, asks=_has_terminal())
    answers = _answers(given)
    recipient = _recipient(given, answers.mailbox)
    advice = advise(answers)
    show(advice.why.in_language(system_language()))
    variables = dict(advice.variables)
    if advice.hidden:
        variables[advice.hidden] = _secret(advice.hidden) if given.asks else ""
    target = absolute(env_file) if env_file else current_folder() / ENV_FILE
    if not _write(target, variables, yes=yes, asks=given.asks):
        return EXIT_USAGE
    if advice.letter:
        show()
        show(_("Letter for the administrator:"))
        show()
        letter = admin_letter(
            answers.mailbox, gethostname(), language or system_language()
        )
        for line in letter.splitlines():
            # It is to be copied, and its commands cannot be broken.
            say("{line}", line=line, whole=True)
    _show_next_steps(advice, recipient)
    return EXIT_SUCCESS


def _has_terminal() -> bool:
    """Say whether questions can be asked and answered."""
    return sys.stdin is not None and sys.stdin.isatty() and stderr().isatty()


def _answers(given: Given) -> Answers:
    """Return the answers; what was not given is asked.

    Raises:
        UsageError: there is no terminal to ask at, or an answer cannot be used.
    """
    missing: list[str] = []

    def ask(option: str, value: str | None, question: str) -> str:
        if value is not None:
            return value
        if not given.asks:
            missing.append(option)
            return ""
        return _choose(option, question) if option in _CHOICES else _prompt(question)

    mailbox = ask("--mailbox", given.mailbox, _("Which mailbox sends (its address)?"))
    if mailbox:
        _require_address(mailbox)
    provider = provider_of(mailbox)
    administrator: str = Administrator.NONE
    if provider is None:
        administrator = ask(
            "--administrator", given.administrator, _("Who administers this mailbox?")
        )
    where: str = Place.DESKTOP
    microsoft = provider is not None and is_microsoft(provider)
    if microsoft or (provider is None and administrator != Administrator.NONE):
        where = ask("--where", given.where, _("Where do the scripts run?"))
    server = given.server or ""
    if provider is None and administrator == Administrator.NONE:
        server = ask(
            "--server", given.server, _("What is the name of its mail server?")
        )
    if missing:
        message = _("there is no terminal to ask at; give the answers as {options}")
        raise click.UsageError(message.format(options=", ".join(missing)))
    return Answers(
        mailbox=mailbox,
        administrator=Administrator(administrator),
        place=Place(where),
        server=server,
        client=given.client,
        tenant=given.tenant,
    )


def _recipient(given: Given, mailbox: str) -> str:
    recipient = given.recipient
    if recipient is None and given.asks:
        recipient = _prompt(_("Who gets the test email?"), default=mailbox)
    recipient = recipient or mailbox
    _require_address(recipient)
    return recipient


def _require_address(address: str) -> None:
    for _place, message in address_problems([address]):
        raise click.UsageError(message)


def _prompt(question: str, default: str | None = None) -> str:
    return str(click.prompt(question, default=default, err=True)).strip()


def _choose(option: str, question: str) -> str:
    """Ask for one of the answers of an option, by its number."""
    choices = list(_CHOICES[option].items())
    say("{question}", question=question, err=True)
    for number, (_value, words) in enumerate(choices, 1):
        say("  {number}  {words}", number=number, words=_(words), err=True)
    number = click.prompt(_("Number"), type=click.IntRange(1, len(choices)), err=True)
    return choices[number - 1][0]


def _secret(name: str) -> str:
    question = _("{name} (not shown; Enter to fill it in later)").format(name=name)
    return str(
        click.prompt(
            question, default="", hide_input=True, show_default=False, err=True
        )
    )


def _write(
    target: Path, variables: Mapping[str, str], *, yes: bool, asks: bool
) -> bool:
    """Write the variables; False if values that are there may not be replaced.

    Raises:
        PythonRunnerError: the file cannot be read or written.
    """
    text = read_text_of(target)
    present = set_by(text, target)
    # What is to be filled in later stays as it is where it is filled in already.
    wanted = {
        name: value for name, value in variables.items() if value or name not in present
    }
    replaced = [
        name
        for name, value in wanted.items()
        if present.get(name) not in {None, "", value}
    ]
    if replaced and not yes:
        question = _("{file} sets {names} already. Replace?").format(
            file=target, names=", ".join(replaced)
        )
        if not asks:
            say(question, err=True)
            say(_("Nothing was written; --yes replaces."), err=True)
            return False
        if not click.confirm(question, err=True):
            say(_("Nothing was written."), err=True)
            return False
    new = with_variables(text, wanted)
    found = set_by(new, target)
    if any(found.get(name) != value for name, value in wanted.items()):
        message = _("{path} cannot be changed: a quote in it is not closed")
        raise PythonRunnerError(message.format(path=target))
    if new != text:
        try:
            write_env(target, new)
        except OSError as error:
            message = _("{path} cannot be written: {error}")
            reason = in_own_language(error)
            raise PythonRunnerError(
                message.format(path=target, error=reason)
            ) from error
    say(_("{path} sets {names}."), path=target, names=", ".join(variables))
    _tell_what_is_open(target, found, variables)
    return True


def _tell_what_is_open(
    target: Path, found: Mapping[str, str], variables: Mapping[str, str]
) -> None:
    """Say what is to be filled in, and what wins over the file."""
    if empty := [name for name in variables if not found.get(name)]:
        message = _("To be filled in there: {names}.")
        say(message, names=", ".join(empty))
    if found.get("SMTP_HOST") and "SMTP_HOST" not in variables:
        message = _("SMTP_HOST in {path} wins over the address: remove that line.")
        say(message, path=target, err=True)
    if winning := [
        n for n in variables if os.environ.get(n, found.get(n)) != found.get(n)
    ]:
        message = _("{names}: also set in the environment, which wins over the file.")
        say(message, names=", ".join(winning), err=True)


def _show_next_steps(advice: Advice, recipient: str) -> None:
    show()
    show(_("Then, in this order:"))
    # They are to be copied, and no terminal breaks them.
    line, command = "  {command} {rest}", own_command()
    if advice.sign_in:
        say(line, command=command, rest=advice.sign_in, whole=True)
    say(line, command=command, rest=f"mail test --to {recipient}", whole=True)
