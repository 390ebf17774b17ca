"""``python-runner mail setup``: chooses a way to send, and writes it to a ``.env`` file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.admin_letter import admin_letter
from python_runner.cli.errors import writing
from python_runner.cli.questions import has_terminal
from python_runner.cli.streams import say, show
from python_runner.cli.wording import labelled
from python_runner.computer import host_name
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
from python_runner.config.settings import ENV_FILE, mail_settings
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder
from python_runner.installation import own_command, shell_word
from python_runner.model import parse_mailbox
from python_runner.texts.sentence import N_, system_language
from python_runner.texts.sentence import translate as _


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
    given = Given(**options, asks=has_terminal())
    answers = _answers(given)
    recipient = _recipient(given, answers.mailbox)
    advice = advise(answers)
    _require_usable(advice.variables)
    show(advice.why.in_language(system_language()))
    target = absolute(env_file) if env_file else current_folder() / ENV_FILE
    text = read_text_of(target)
    variables = dict(advice.variables)
    if advice.hidden and not _has_certificate(advice, set_by(text, target)):
        variables[advice.hidden] = _secret(advice.hidden) if given.asks else ""
    found = _write(target, text, variables, yes=yes, asks=given.asks)
    if found is None:
        return EXIT_USAGE
    _tell_what_is_open(found, variables)
    _tell_what_diverts(target, found, advice)
    if advice.letter:
        show()
        heading = _("Letter for the administrator:")
        if answers.administrator is Administrator.ME:
            heading = _("As the administrator, do what this letter asks for:")
        show(heading)
        show()
        letter = admin_letter(
            answers.mailbox, host_name(), language or system_language()
        )
        for line in letter.splitlines():
            # It is to be copied, and its commands cannot be broken.
            say("{line}", line=line, whole=True)
    file = f" --env-file {shell_word(str(env_file))}" if env_file else ""
    _show_next_steps(advice, shell_word(recipient), file)
    return EXIT_SUCCESS


def _answers(given: Given) -> Answers:
    """Return the answers; what was not given is asked.

    Raises:
        UsageError: there is no terminal to ask at, or an answer cannot be used.
    """
    missing: list[str] = []

    def ask(
        option: str,
        value: str | None,
        question: str,
        check: Callable[[str], str] = str.strip,
    ) -> str:
        if value is not None:
            return check(value)
        if not given.asks:
            missing.append(option)
            return ""
        if option in _CHOICES:
            return _choose(option, question)
        return _prompt(question, check)

    mailbox = ask(
        "--mailbox", given.mailbox, _("Which mailbox sends (its address)?"), _address
    )
    provider = provider_of(mailbox)
    administrator: str = given.administrator or Administrator.NONE
    if given.server and (
        administrator != Administrator.NONE or (provider and is_microsoft(provider))
    ):
        raise click.UsageError(_("--server is for a mailbox that is not Microsoft's"))
    if provider is None and not given.server:
        administrator = ask(
            "--administrator", given.administrator, _("Who administers this mailbox?")
        )
    where: str = Place.DESKTOP
    microsoft = provider is not None and is_microsoft(provider)
    if microsoft or (provider is None and administrator != Administrator.NONE):
        where = ask("--where", given.where, _("Where do the scripts run?"))
    server = (given.server or "").strip()
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
        client=given.client.strip(),
        tenant=given.tenant.strip(),
    )


def _recipient(given: Given, mailbox: str) -> str:
    if given.recipient is None and given.asks:
        return _prompt(_("Who gets the test email?"), _address, default=mailbox)
    return _address(given.recipient or mailbox)


def _address(text: str) -> str:
    """Return the address alone: a mailbox logs in without its name.

    Raises:
        UsageError: it is none.
    """
    for _place, message in address_problems([text]):
        raise click.UsageError(message)
    mailbox = parse_mailbox(text)
    return mailbox.address if mailbox else text


def _require_usable(variables: Mapping[str, str]) -> None:
    """Make sure that no answer would be refused once it is in the file.

    Raises:
        UsageError: one would.
    """
    for problem in mail_settings(variables).problems:
        message = f"{problem.key}: {problem.message}"
        raise click.UsageError(message)


def _has_certificate(advice: Advice, present: Mapping[str, str]) -> bool:
    """Say whether the file names a certificate, beside which no secret may stand."""
    name = "OAUTH_CLIENT_CERTIFICATE"
    return advice.hidden == "OAUTH_CLIENT_SECRET" and bool(present.get(name))


def _prompt(
    question: str, check: Callable[[str], str], default: str | None = None
) -> str:
    """Ask until the answer can be used."""
    answer = click.prompt(
        question, default=default, value_proc=check, prompt_suffix=" ", err=True
    )
    return str(answer)


def _choose(option: str, question: str) -> str:
    """Ask for one of the answers of an option, by its number."""
    choices = list(_CHOICES[option].items())
    say("{question}", question=question, err=True)
    for number, (_value, words) in enumerate(choices, 1):
        say("  {number}  {words}", number=number, words=_(words), err=True)
    colon = labelled("", "")
    among = click.IntRange(1, len(choices))
    number = click.prompt(_("Number"), type=among, prompt_suffix=colon, err=True)
    return choices[number - 1][0]


def _secret(name: str) -> str:
    question = _("{name} (not shown; Enter to fill it in later)").format(name=name)
    answer = click.prompt(
        question,
        default="",
        hide_input=True,
        show_default=False,
        prompt_suffix=labelled("", ""),
        err=True,
    )
    return str(answer)


def _write(
    target: Path, text: str, variables: Mapping[str, str], *, yes: bool, asks: bool
) -> Mapping[str, str] | None:
    """Write the variables into a file with ``text``; return all that it sets then.

    None if values that are there may not be replaced.

    Raises:
        PythonRunnerError: the file cannot be written.
    """
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
            return None
        if not click.confirm(question, prompt_suffix=" ", err=True):
            say(_("Nothing was written."), err=True)
            return None
    new = with_variables(text, wanted)
    found = set_by(new, target)
    if any(found.get(name) != value for name, value in wanted.items()):
        message = _("{path} cannot be changed: a quote in it is not closed")
        raise PythonRunnerError(message.format(path=target))
    if new != text:
        with writing(target):
            write_env(target, new)
    say(_("{path} sets {names}."), path=target, names=", ".join(variables))
    kept = [n for n, v in variables.items() if not v and present.get(n)]
    if kept and present.get("LOGIN_MAIL") != found.get("LOGIN_MAIL"):
        message = _(
            "Kept as before; change it there if it is another mailbox's: {names}."
        )
        say(message, names=", ".join(kept))
    return found


def _tell_what_is_open(found: Mapping[str, str], variables: Mapping[str, str]) -> None:
    """Say what is to be filled in, and which of it the environment sets otherwise."""
    if empty := [name for name in variables if not found.get(name)]:
        message = _("To be filled in there: {names}.")
        say(message, names=", ".join(empty))
    if winning := [
        n for n in variables if os.environ.get(n, found.get(n)) != found.get(n)
    ]:
        message = _("{names}: also set in the environment, which wins over the file.")
        say(message, names=", ".join(winning), err=True)


def _tell_what_diverts(target: Path, found: Mapping[str, str], advice: Advice) -> None:
    """Say what else is set by which email would leave by another way, or be refused."""
    login = advice.variables["LOGIN_MAIL"]

    def diverting(variables: Mapping[str, str]) -> str:
        names = [name for name in advice.unset if variables.get(name)]
        if variables.get("MAIL_FROM", "") not in {"", login}:
            names.append("MAIL_FROM")
        return ", ".join(names)

    if names := diverting(found):
        message = _("Remove from {path} what does not fit this way: {names}.")
        say(message, path=target, names=names, err=True)
    if names := diverting(os.environ):
        message = _("Unset in the environment what does not fit this way: {names}.")
        say(message, names=names, err=True)


def _show_next_steps(advice: Advice, recipient: str, file: str) -> None:
    show()
    show(_("Then, in this order:"))
    # They are to be copied, and no terminal breaks them.
    line, command = "  {command} {rest}", own_command()
    if advice.sign_in:
        say(line, command=command, rest=f"{advice.sign_in}{file}", whole=True)
    say(line, command=command, rest=f"mail test --to {recipient}{file}", whole=True)
