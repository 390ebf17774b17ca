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
    from python_runner.runner import Runner, RunResult, ScriptRunResult, run_project

__all__ = [
    "BadPythonInterpreter",
    "BadRecipientList",
    "ConfigurationNotFound",
    "InvalidConfiguration",
    "MissingConfigurationVariable",
    "MissingEnvironmentVariable",
    "PythonRunnerError",
    "RunResult",
    "Runner",
    "ScriptRunResult",
    "__version__",
    "load_config",
    "run_project",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: a program that only reads a configuration pays no more.
    if name in {"RunResult", "Runner", "ScriptRunResult", "run_project"}:
        from python_runner import runner  # noqa: PLC0415

        return getattr(runner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
