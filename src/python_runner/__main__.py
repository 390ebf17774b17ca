"""``python -m python_runner``, and the names that the original had here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


if TYPE_CHECKING:
    from python_runner.runner import Runner

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
    # The command has no use for it.
    if name == "Runner":
        from python_runner.runner import Runner  # noqa: PLC0415

        return Runner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if __name__ == "__main__":
    from python_runner.cli import main

    main()
