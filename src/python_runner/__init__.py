"""Runs series of Python scripts of several projects, unattended and reliably."""

from __future__ import annotations

import importlib

from python_runner.version import __version__


# As a type checker reads it: ``typing`` costs more than all the rest of this import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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
    from python_runner.runner.library import Runner, run_project
    from python_runner.runner.result import (
        RunResult,
        RunResults,
        ScriptRunDict,
        ScriptRunResult,
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

#: Where a name is that is not an error. All are imported on first use: the command, and a
#: program that only reads a configuration, pay for no more than they use.
_MODULES = {
    "RunResult": "runner.result",
    "RunResults": "runner.result",
    "Runner": "runner.library",
    "ScriptRunDict": "runner.result",
    "ScriptRunResult": "runner.result",
    "load_config": "helpers",
    "run_project": "runner.library",
}
#: Modules that are there after ``import python_runner``, as they were in the original.
_PUBLIC = ("__main__", "exceptions", "helpers")


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULES.get(name, "exceptions")
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PUBLIC})
