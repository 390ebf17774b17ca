"""``load_config``, and what the original had beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from python_runner.config.project import CONFIG_FILE, REQUIRED_KEYS, load_project
from python_runner.exceptions import (
    BadPythonInterpreter,
    BadRecipientList,
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingConfigurationVariable,
    MissingEnvironmentVariable,
    Problem,
    PythonRunnerError,
)
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from python_runner.model import StrategyName

__all__ = [
    "CONFIG_FILE",
    "MANDATORY_VARS",
    "BadPythonInterpreter",
    "BadRecipientList",
    "ConfigurationNotFound",
    "InvalidConfiguration",
    "MissingConfigurationVariable",
    "MissingEnvironmentVariable",
    "ProjectConfig",
    "PythonRunnerError",
    "load_config",
]

#: The keys that ``exec_config.json`` must have, in the order of the original.
MANDATORY_VARS = [*REQUIRED_KEYS]


class ProjectConfig(NamedTuple):
    """The six values of a project's configuration; unpacks in this order."""

    scripts: list[str]
    python_command: str | list[str] | None
    recipients: list[str]
    email_strategy: StrategyName
    include_traceback: bool
    logs_backup_count: int


def _is_path(path: object) -> bool:
    """Say whether a path can be made of what a caller gives for one."""
    return isinstance(path, (str, os.PathLike)) and isinstance(os.fspath(path), str)


def load_config(project: str | os.PathLike[str]) -> ProjectConfig:
    """Read and check ``exec_config.json`` of a project.

    Optional keys of the file are no part of the six values:
    :meth:`~python_runner.Runner.run` finds them by itself.

    Args:
        project: the project's folder.

    Raises:
        ConfigurationNotFound: no such folder, or no such file in it.
        MissingConfigurationVariable: required keys are absent.
        InvalidConfiguration: anything else is wrong, also ``project``; every problem is
            listed.
    """
    if not _is_path(project):
        message = _("expected the path of a folder")
        raise InvalidConfiguration([Problem("load_config", "project", message)])
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
