"""``python-runner completion``: prints the completion script of a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from python_runner.cli.app import make_app
from python_runner.cli.streams import show
from python_runner.texts.sentence import translate as _


SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command(
    help=_(
        "Print the completion script of a shell, for commands, options, projects,"
        " runs and scripts."
    ),
    epilog=_(
        "Add to the shell's start-up file: for bash and zsh eval \"$(python-runner"
        ' completion bash)" (or zsh), for fish python-runner completion fish | source,'
        " for PowerShell python-runner completion powershell | Out-String |"
        " Invoke-Expression. If zsh finds no compdef, add this line before it:"
        " autoload -Uz compinit && compinit"
    ),
)
@click.argument("shell", type=click.Choice(SHELLS), metavar=_("SHELL"))
def command(shell: str) -> None:
    """Print the script; the user's shell sources it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(
            _("there is no completion for {shell}").format(shell=shell)
        )
    script = kind(make_app(), {}, "python-runner", "_PYTHON_RUNNER_COMPLETE")
    show(script.source())
