"""The tree of commands; turns errors into messages and exit codes."""

from __future__ import annotations

import gettext
import importlib
import os
import sys
from gettext import gettext as click_text  # by another name: not of our catalogue
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.parameters import translate_usage
from python_runner.cli.streams import OutputLost, attached_streams, say
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import (
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_SUCCESS,
    EXIT_USAGE,
)
from python_runner.texts.sentence import LOCALE_DIR, N_, system_language
from python_runner.texts.sentence import translate as _
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Sequence


#: The commands in the order of the help page, each with its line there. A command is the
#: object ``command`` of the module of its name.
COMMANDS = {
    "run": N_("Run the series of projects."),
    "check": N_("Validate everything, run nothing."),
    "init": N_("Write a project's configuration."),
    "status": N_("Show the state of each project, one line per project."),
    "digest": N_("Tell how all projects did, also by email."),
    "history": N_("List past runs."),
    "show": N_("Show one run."),
    "output": N_("Show the output of a run's scripts."),
    "logs": N_("Show a project's log and its archives."),
    "why": N_("Say why a project did not run."),
    "stop": N_("Stop the active run of a project."),
    "mail": N_("Test the mail settings, manage the outbox."),
    "schedule": N_("Let the system's scheduler run projects."),
    "doctor": N_("Find out what would go wrong tonight, and what to do."),
    "serve": N_("Show all projects in a browser, live."),
    "report": N_("Write the pages of the dashboard into a folder."),
    "backup": N_("Copy the records."),
    "demo": N_("Run two small example projects."),
    "completion": N_("Print a shell's completion script."),
}


#: What other programs call a command, and whoever knows them types.
OTHER_NAMES = {
    "list": "history",
    "ls": "history",
    "runs": "history",
    "start": "run",
    "exec": "run",
    "execute": "run",
    "retry": "run --resume",
    "resume": "run --resume",
    "validate": "check",
    "lint": "check",
    "test": "check",
    "new": "init",
    "create": "init",
    "config": "init",
    "import": "init --from",
    "install": "schedule install",
    "uninstall": "schedule remove",
    "dashboard": "serve",
    "web": "serve",
    "ui": "serve",
    "summary": "digest",
    "info": "show",
    "tail": "output --follow",
    "kill": "stop",
    "cancel": "stop",
    "cron": "schedule",
    "email": "mail",
}


class _Context(click.Context):
    """The context of a command; ``obj`` names the variables that only click needs."""

    def invoke(self, callback: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Do what the command is for, in the user's own environment: scripts get it."""
        ours = {name: os.environ.pop(name) for name in self.obj or ()}
        try:
            return super().invoke(callback, *args, **kwargs)
        finally:
            os.environ.update(ours)


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read ``help COMMAND`` and ``version``, as other programs have them, too."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        elif args in (["version"], ["-V"]):
            args = ["--version"]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the help page."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"python_runner.cli.commands.{cmd_name}")
        command: click.Command = module.command
        command.short_help = _(COMMANDS[cmd_name])
        for part in (command, *getattr(command, "commands", {}).values()):
            part.context_class = _Context
        translate_usage(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is typed; tell what it is called here.

        Raises:
            click.UsageError: there is none of that name.
        """
        name = args[0]
        meant = OTHER_NAMES.get(name.lower(), "")
        if name not in COMMANDS and meant:
            words = _("there is no command {name}; did you mean {meant}?")
            raise click.UsageError(words.format(name=repr(name), meant=meant), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the commands with their lines, and import none of them."""
        del ctx
        with formatter.section(click_text("Commands")):
            formatter.write_dl([(name, _(line)) for name, line in COMMANDS.items()])


CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


def make_app() -> click.Group:
    """Return the command tree, worded in the system's language."""
    app = LazyGroup(
        name="python-runner",
        # Placeholders, from which click suggests the nearest name.
        commands={name: click.Command(name) for name in COMMANDS},
        help=_(
            "Run series of Python scripts of several projects, unattended, and report"
            " by email."
        ),
        context_settings=CONTEXT_SETTINGS,
        epilog=_(
            "Exit codes: 0 every script succeeded, 1 a script did not, 2 usage or"
            " configuration error, 3 project already running, 4 report given up, 5 JSON"
            " document not written, 130 stopped by Ctrl-C, 143 by a termination signal."
        ),
    )
    translate_usage(app)
    return click.version_option(__version__, prog_name="python-runner")(app)


def run_app(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    ours = translate_click()
    if os.environ.get("_PYTHON_RUNNER_COMPLETE", "").startswith("powershell"):
        from python_runner.cli import powershell  # noqa: PLC0415 - for that shell only

        powershell.register()
    try:
        with attached_streams():
            return _run(arguments, ours)
    except KeyboardInterrupt:
        # Once more, while the streams were waited for.
        return EXIT_INTERRUPTED


def _run(arguments: Sequence[str] | None, ours: Sequence[str]) -> int:
    try:
        result = make_app().main(
            arguments,
            prog_name="python-runner",
            standalone_mode=False,
            # A folder may be called "Projet[1]" or "$x": Windows' shell expands nothing.
            windows_expand_args=False,
            obj=ours,
        )
        code = result if isinstance(result, int) else EXIT_SUCCESS
    except click.exceptions.Exit as done:
        code = done.exit_code
    except (click.Abort, KeyboardInterrupt):
        say(_("Interrupted."), err=True)
        code = EXIT_INTERRUPTED
    except (click.ClickException, PythonRunnerError) as error:
        _show(error)
        code = EXIT_USAGE
    except OutputLost as lost:
        if lost.reason:
            say(
                _("the output could not be written: {error}"),
                err=True,
                error=lost.reason,
            )
        code = EXIT_FAILURE
    except Exception as error:  # noqa: BLE001 - people get a sentence, its file the rest
        _show(error)
        code = EXIT_FAILURE
    return code


def _show(error: Exception) -> None:
    # Imported here because it reads the settings, and --help must be quick.
    from python_runner.cli.errors import show_error  # noqa: PLC0415

    show_error(error)


def translate_click() -> tuple[str, ...]:
    """Let click find its translations in a catalogue of ours.

    Returns:
        The names of the variables that were set for that.
    """
    gettext.bindtextdomain("click", str(LOCALE_DIR))
    gettext.textdomain("click")
    if sys.platform == "win32" and "LANGUAGE" not in os.environ:
        # gettext reads the language from variables that Windows does not set.
        os.environ["LANGUAGE"] = system_language()
        return ("LANGUAGE",)
    return ()
