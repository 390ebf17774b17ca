"""Which projects a command is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from python_runner.config.workspace import WORKSPACE_FILE, Workspace, load_workspace
from python_runner.files import absolute, current_folder
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_F = TypeVar("_F", bound="Callable[..., Any]")


def find_targets(arguments: Sequence[Path]) -> Workspace:
    """Return ``python-runner.toml``, with the named projects in place of its own.

    Raises:
        InvalidConfiguration: the file is wrong.
        click.UsageError: nothing is named anywhere.
    """
    workspace = load_workspace(current_folder()) or Workspace()
    folders = arguments or workspace.projects
    if not folders:
        raise click.UsageError(
            _(
                "name the folder of a project, or list projects in a {file} in the"
                " current folder"
            ).format(file=WORKSPACE_FILE)
        )
    return replace(workspace, projects=tuple(dict.fromkeys(map(absolute, folders))))


class _Folder(click.Path):
    """A folder that shells complete, and that only its project's run judges.

    Click would end the command where one of several is a file or may not be listed: the
    other projects would not run.
    """

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:  # noqa: ARG002
        """Return the path, whatever is there."""
        return Path(value)


def projects_argument(function: _F) -> _F:
    """Add ``[PROJECT]...`` to a command."""
    return click.argument("projects", nargs=-1, type=_Folder(file_okay=False))(function)


def env_file_option(function: _F) -> _F:
    """Add ``--env-file`` to a command."""
    return click.option(
        "--env-file",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        help=_(
            "File with variables; default: .env here, else beside the virtual environment."
        ),
    )(function)
