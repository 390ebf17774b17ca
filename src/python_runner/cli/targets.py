"""Which projects a command is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from python_runner.cli.candidates import (
    active_projects,
    completer,
    projects,
    runs_and_projects,
)
from python_runner.config.workspace import WORKSPACE_FILE, Workspace, load_workspace
from python_runner.files import absolute, current_folder, is_folder
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.shell_completion import CompletionItem

_F = TypeVar("_F", bound="Callable[..., Any]")


def find_targets(arguments: Sequence[Path]) -> Workspace:
    """Return ``python-runner.toml``, with the named projects in place of its own.

    Raises:
        InvalidConfiguration: the file is wrong.
        click.UsageError: nothing is named anywhere.
    """
    found = chosen_targets(arguments)
    if not found.projects:
        raise click.UsageError(
            _(
                "name the folder of a project, or list projects in a {file} in the"
                " current folder"
            ).format(file=WORKSPACE_FILE)
        )
    return found


def chosen_targets(arguments: Sequence[Path]) -> Workspace:
    """Return the same, without an error where nothing is named.

    Raises:
        InvalidConfiguration: the file is wrong.
    """
    workspace = load_workspace(current_folder()) or Workspace()
    folders = arguments or workspace.projects
    return replace(workspace, projects=tuple(dict.fromkeys(map(absolute, folders))))


def with_place(targets: Workspace, where: str | None) -> Workspace:
    """Return where the scripts run as well: ``where`` goes before the file.

    Raises:
        click.UsageError: nobody knows where that is.
    """
    place = targets.cluster
    if where is not None:
        from python_runner.config.cluster import (  # noqa: PLC0415 - few have one
            is_place,
            why_no_place,
        )
        from python_runner.model.cluster import ClusterPlace  # noqa: PLC0415

        if not is_place(where):
            raise click.UsageError(f"--on: {why_no_place(where)}")
        paths = place.paths if place else {}
        place = ClusterPlace(address=where.rstrip("/"), paths=paths)
    return replace(targets, cluster=place if place and place.address else None)


class _Folder(click.Path):
    """A folder that shells complete, and that only its project's run judges.

    Click would end the command where one of several is a file or may not be listed: the
    other projects would not run.
    """

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:  # noqa: ARG002
        """Return the path, whatever is there."""
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the projects that shells complete."""
        return completer(projects, folders=True)(ctx, param, incomplete)


def projects_argument(function: _F) -> _F:
    """Add ``[PROJECT]...`` to a command."""
    return click.argument(
        "projects",
        nargs=-1,
        type=_Folder(file_okay=False),
        metavar=_("[PROJECT]..."),
    )(function)


def project_argument(function: _F) -> _F:
    """Add ``PROJECT`` to a command."""
    return click.argument(
        "project", type=_Folder(file_okay=False), metavar=_("PROJECT")
    )(function)


def active_project_argument(function: _F) -> _F:
    """Add ``PROJECT`` to a command; shells complete those with an active run."""
    return click.argument(
        "project",
        type=_Folder(file_okay=False),
        metavar=_("PROJECT"),
        shell_complete=completer(active_projects, folders=True),
    )(function)


class _RunOrProject(click.Path):
    """A run id, or the folder of a project; shells complete folders.

    What is a folder or looks like a path is a project, anything else is a run id.
    """

    name = "run"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path | str:  # noqa: ARG002
        """Return a path for a project, a text for a run id."""
        if isinstance(value, Path) or _is_project(value):
            return Path(value)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the runs and projects that shells complete."""
        return completer(runs_and_projects, folders=True)(ctx, param, incomplete)


def _is_project(text: str) -> bool:
    if not text:
        return False
    looks = text in {".", ".."} or any(sign in text for sign in "/\\:~")
    return looks or is_folder(Path(text))


def run_argument(function: _F) -> _F:
    """Add ``[RUN_ID or PROJECT]`` to a command."""
    return click.argument(
        "chosen",
        metavar=_("[RUN_ID|PROJECT]"),
        required=False,
        type=_RunOrProject(file_okay=False),
    )(function)


def env_file_option(function: _F) -> _F:
    """Add ``--env-file`` to a command."""
    return click.option(
        "--env-file",
        type=click.Path(path_type=Path, dir_okay=False, readable=False),
        metavar=_("FILE"),
        help=_(
            "File with variables; default: .env here, else beside the virtual environment."
        ),
    )(function)
