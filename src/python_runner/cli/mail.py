"""``python-runner mail``: is the way out open?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from python_runner.cli.targets import env_file_option
from python_runner.config.addresses import address_problems
from python_runner.config.settings import (
    load_settings,
    require_mail,
    sender_address,
)
from python_runner.mail.probe import probe
from python_runner.policy import EXIT_FAILURE, EXIT_SUCCESS
from python_runner.runner.session import local_now
from python_runner.texts import system_language
from python_runner.texts import translate as _


if TYPE_CHECKING:
    from pathlib import Path


@click.group(help=_("Test the mail settings."))
def command() -> None:
    """Group the commands about mail."""


@command.command(
    "test", help=_("Send a test mail, step by step, and say which step fails and why.")
)
@click.option(
    "--to", "recipient", metavar="ADDRESS", help=_("Default: the sender itself.")
)
@env_file_option
def test(recipient: str | None, env_file: Path | None) -> int:
    """Walk every step to the recipient's mailbox."""
    mail = load_settings(env_file).mail
    require_mail(mail)
    recipient = recipient or sender_address(mail)
    for _place, message in address_problems([recipient]):
        raise click.UsageError(message)
    reached = True
    language = system_language()
    for step in probe(mail, recipient, now=local_now(), language=language):
        word = _("ok") if step.ok else _("failed")
        detail = step.detail.in_language(language)
        click.echo(f"{step.name:<6} {word:<8} {detail}", err=not step.ok)
        reached = reached and step.ok
    if reached:
        click.echo(
            _("The test mail for {recipient} is out.").format(recipient=recipient)
        )
    return EXIT_SUCCESS if reached else EXIT_FAILURE
