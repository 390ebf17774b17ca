"""What click itself would say in English, or in words that are not for people."""

from __future__ import annotations

import click

from python_runner.texts.sentence import translate as _


def whole_number(value: str | int) -> int:
    """Return the number that an argument gives: 1 or more.

    Raises:
        click.BadParameter: it gives none.
    """
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        message = _("expected a whole number, 1 or more, found {found}")
        raise click.BadParameter(message.format(found=value))
    return number


def translate_usage(command: click.Command) -> None:
    """Write what a command and its subcommands take in the system's language."""
    command.options_metavar = _("[OPTIONS]")
    if isinstance(command, click.Group):
        command.subcommand_metavar = _("COMMAND [ARGS]...")
    for part in getattr(command, "commands", {}).values():
        translate_usage(part)


def quote_parameter(error: click.BadParameter) -> None:
    """Put the name of the parameter that an error is about in the language's quotes."""
    if error.param_hint is not None or error.param is None:
        return
    names = error.param.opts
    if isinstance(error.param, click.Argument):
        context = error.ctx or click.Context(click.Command(None))
        names = [error.param.make_metavar(context)]
    error.param_hint = " / ".join(_("'{name}'").format(name=name) for name in names)
