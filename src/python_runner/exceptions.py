"""The errors a caller may meet, all raised before any script starts.

::

    PythonRunnerError
    ├── BadPythonInterpreter
    ├── BadRecipientList                  (ValueError)
    ├── ConfigurationNotFound             (FileNotFoundError)
    ├── InvalidConfiguration              (ValueError)
    │   └── MissingConfigurationVariable
    ├── MissingEnvironmentVariable
    └── StoreError                        (defined in ``python_runner.records``)

A run goes on without records when they fail. So only a caller who asks for the records
meets a ``StoreError``; it is defined where its reason, a translated sentence, is known.
What happens to a script is never an exception: it is a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Iterable


class PythonRunnerError(Exception):
    """Base of everything this package raises on purpose."""


class BadPythonInterpreter(PythonRunnerError):
    """The interpreter that should run the scripts cannot be found."""


class BadRecipientList(PythonRunnerError, ValueError):
    """The recipients are not a list of single mail addresses."""


class ConfigurationNotFound(PythonRunnerError, FileNotFoundError):
    """A project has no ``exec_config.json``, or there is no such project."""


class MissingEnvironmentVariable(PythonRunnerError):
    """A mail may be due and its transport lacks a variable."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration file.

    Attributes:
        file: the file as the user may open it.
        key: path of the key, such as ``scripts[2].timeout``; empty for the whole file.
        message: what is wrong and what was expected, in the user's language.
    """

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        # Imported here: most programs that import the errors never show one.
        from python_runner.texts.sentence import translate as _  # noqa: PLC0415

        text = self.message
        for name in filter(None, (self.key, self.file)):
            text = _("{name}: {value}").format(name=name, value=text)
        return text


class InvalidConfiguration(PythonRunnerError, ValueError):
    """A configuration is wrong; ``problems`` holds everything found, in file order.

    It may be raised with a text as well, as the original's errors were.
    """

    def __init__(self, problems: str | Iterable[Problem] = ()) -> None:
        if isinstance(problems, str):
            problems = [Problem("", "", problems)]
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class MissingConfigurationVariable(InvalidConfiguration):
    """Required keys are absent; other problems of the same file are listed as well."""
