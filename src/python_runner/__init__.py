"""Runs series of Python scripts of several projects, unattended and reliably."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from python_runner.exceptions import (
    BadPythonInterpreter,
    BadRecipientList,
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingConfigurationVariable,
    MissingEnvironmentVariable,
    PythonRunnerError,
)
from python_runner.helpers import load_config
from python_runner.version import __version__


if TYPE_CHECKING:
    from python_runner.runner import Runner

__all__ = [
    "BadPythonInterpreter",
    "BadRecipientList",
    "ConfigurationNotFound",
    "InvalidConfiguration",
    "MissingConfigurationVariable",
    "MissingEnvironmentVariable",
    "PythonRunnerError",
    "Runner",
    "__version__",
    "load_config",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: a program that only reads a configuration pays no more.
    if name == "Runner":
        from python_runner.runner import Runner  # noqa: PLC0415

        return Runner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
