"""``python-runner completion``: prints the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from python_runner.cli.app import make_app
from python_runner.cli.streams import show
from python_runner.texts.sentence import translate as _


SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command(help=_("Print the completion script of a shell."))
@click.argument("shell", type=click.Choice(SHELLS), metavar=_("SHELL"))
def command(shell: str) -> None:
    """Print the script; the user's shell sources it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(_("no completion for {shell}").format(shell=shell))
    script = kind(make_app(), {}, "python-runner", "_PYTHON_RUNNER_COMPLETE")
    show(script.source())
