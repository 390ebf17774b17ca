"""``load_config`` at the import path the original gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from python_runner.config.project import load_project


if TYPE_CHECKING:
    import os


class ProjectConfig(NamedTuple):
    """The six values of a project's configuration; unpacks in this order."""

    scripts: list[str]
    python_command: str | list[str] | None
    recipients: list[str]
    email_strategy: str
    include_traceback: bool
    logs_backup_count: int


def load_config(project: str | os.PathLike[str]) -> ProjectConfig:
    """Read and check ``exec_config.json`` of a project.

    Optional keys of the file are no part of the six values:
    :meth:`~python_runner.Runner.run` finds them by itself.

    Args:
        project: the project's folder.

    Raises:
        ConfigurationNotFound: no such folder, or no such file in it.
        MissingConfigurationVariable: required keys are absent.
        InvalidConfiguration: anything else is wrong; every problem is listed.
    """
    loaded = load_project(project)
    command = loaded.python_command
    return ProjectConfig(
        scripts=[script.path for script in loaded.scripts],
        python_command=[*command] if isinstance(command, tuple) else command,
        recipients=list(loaded.recipients),
        email_strategy=loaded.email_strategy.value,
        include_traceback=loaded.include_traceback,
        logs_backup_count=loaded.logs_backup_count,
    )
