"""Runs series of Python scripts of several projects, unattended and reliably."""

from __future__ import annotations

from importlib import import_module
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
    from python_runner.runner import (
        Runner,
        RunResult,
        RunResults,
        ScriptRunDict,
        ScriptRunResult,
        run_project,
    )

__all__ = [
    "BadPythonInterpreter",
    "BadRecipientList",
    "ConfigurationNotFound",
    "InvalidConfiguration",
    "MissingConfigurationVariable",
    "MissingEnvironmentVariable",
    "PythonRunnerError",
    "RunResult",
    "RunResults",
    "Runner",
    "ScriptRunDict",
    "ScriptRunResult",
    "__version__",
    "load_config",
    "run_project",
]


def __getattr__(name: str) -> Any:
    # Imported on first use: a program that only reads a configuration pays no more.
    if name == "__main__":
        # The original's package imported it, so programs say python_runner.__main__.
        return import_module("python_runner.__main__")
    if name in __all__:
        return getattr(import_module("python_runner.runner"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
