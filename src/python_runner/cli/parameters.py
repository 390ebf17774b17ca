"""What click itself would say in English, or in words that are not for people."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable


def at_least(least: int, most: int | None = None) -> Callable[[str | int], int]:
    """Return the type of an argument that is a whole number, ``least`` or more.

    With ``most``, it is that number at most.
    """

    def whole_number(value: str | int) -> int:
        with suppress(ValueError):
            number = int(value)
            if number >= least and (most is None or number <= most):
                return number
        message = (
            _("expected a whole number, {least} or more, found {found}")
            if most is None
            else _("expected a whole number from {least} to {most}, found {found}")
        )
        raise click.BadParameter(message.format(least=least, most=most, found=value))

    return whole_number


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
