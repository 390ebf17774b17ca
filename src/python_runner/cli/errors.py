"""Words the errors that end a command, without any secret."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from python_runner.cli.parameters import quote_parameter
from python_runner.cli.streams import say
from python_runner.config.settings import load_settings, state_folder
from python_runner.exceptions import InvalidConfiguration, PythonRunnerError
from python_runner.masking import Masker
from python_runner.secret_values import secret_values
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one sentence that a file cannot be written, where the block cannot.

    Raises:
        PythonRunnerError: instead of the block's OSError.
    """
    try:
        yield
    except OSError as error:
        message = _("{path} cannot be written: {error}")
        raise PythonRunnerError(
            message.format(path=path, error=in_own_language(error))
        ) from error


def show_error(error: Exception) -> None:
    """Print to stderr why a command ends.

    Click's errors with the usage, each problem of a configuration on its line, and what
    nobody foresaw as a sentence whose details are kept in a file.
    """
    if isinstance(error, click.BadParameter):
        quote_parameter(error)
    if isinstance(error, click.ClickException):
        message = io.StringIO()
        error.show(message)
        say(_masker().text(message.getvalue().rstrip("\n")), err=True)
    elif isinstance(error, InvalidConfiguration):
        _say(*map(str, error.problems))
    elif isinstance(error, PythonRunnerError):
        _say(str(error))
    else:
        try:
            home = load_settings().home
        except Exception:  # noqa: BLE001 - the error that is told may be this one
            home = state_folder(os.environ)
        show_unexpected(error, home, _masker())


def _say(*messages: str) -> None:
    masker = _masker()
    for message in messages:
        say("{message}", err=True, message=masker.text(message))


def show_unexpected(error: Exception, home: Path, masker: Masker) -> None:
    """Print what nobody foresaw; its details are kept in the state folder ``home``."""
    # Imported here because wrong usage has no use for the runner.
    from python_runner.runner.session import local_now  # noqa: PLC0415
    from python_runner.runner.unexpected import explain  # noqa: PLC0415

    sentence = explain(error, home, local_now(), masker)
    say("{sentence}", err=True, sentence=sentence.in_language(system_language()))


def _masker() -> Masker:
    """Return what takes the secrets of the environment out of errors."""
    try:
        secrets = load_settings().secrets
    except Exception:  # noqa: BLE001 - the error that is told may be this one
        secrets = tuple(secret_values(os.environ))
    return Masker(secrets)
