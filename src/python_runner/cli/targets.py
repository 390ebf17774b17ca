"""Which projects a command is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from python_runner.config.project import absolute
from python_runner.config.workspace import WORKSPACE_FILE, load_workspace
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_F = TypeVar("_F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class Targets:
    """Folders, each once, and what python-runner.toml says for all of them."""

    folders: tuple[Path, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keep_days: int | None = None


def find_targets(arguments: Sequence[Path]) -> Targets:
    """Return the named projects, else those of ``python-runner.toml``.

    Raises:
        InvalidConfiguration: the file is wrong.
        click.UsageError: nothing is named anywhere.
    """
    workspace = load_workspace(Path.cwd())
    folders = arguments or (workspace.projects if workspace else ())
    if not folders:
        raise click.UsageError(
            _(
                "name the folder of a project, or list projects in a {file} in the"
                " current folder"
            ).format(file=WORKSPACE_FILE)
        )
    unique = dict.fromkeys(absolute(folder) for folder in folders)
    if workspace is None:
        return Targets(tuple(unique))
    return Targets(tuple(unique), workspace.defaults, workspace.keep_days)


def projects_argument(function: _F) -> _F:
    """Add ``[PROJECT]...`` to a command."""
    return click.argument(
        "projects", nargs=-1, type=click.Path(path_type=Path, file_okay=False)
    )(function)


def env_file_option(function: _F) -> _F:
    """Add ``--env-file`` to a command."""
    return click.option(
        "--env-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=_("File with variables; default: .env in the current folder."),
    )(function)
