"""``python -m python_runner``, and the names that the original had here."""

from __future__ import annotations

from importlib import import_module


# As a type checker reads it, and without what ``typing`` costs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from python_runner.helpers import (
        CONFIG_FILE,
        MANDATORY_VARS,
        BadPythonInterpreter,
        BadRecipientList,
        ConfigurationNotFound,
        InvalidConfiguration,
        MissingConfigurationVariable,
        MissingEnvironmentVariable,
        PythonRunnerError,
        load_config,
    )
    from python_runner.runner.library import Runner

__all__ = [
    "CONFIG_FILE",
    "MANDATORY_VARS",
    "BadPythonInterpreter",
    "BadRecipientList",
    "ConfigurationNotFound",
    "InvalidConfiguration",
    "MissingConfigurationVariable",
    "MissingEnvironmentVariable",
    "PythonRunnerError",
    "Runner",
    "load_config",
]


def __getattr__(name: str) -> Any:
    # The command has no use for them.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "runner.library" if name == "Runner" else "helpers"
    return getattr(import_module(f"python_runner.{module}"), name)


if __name__ == "__main__":
    from python_runner.cli import main

    main()
