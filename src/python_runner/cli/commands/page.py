"""A past run as a web page that needs nothing else."""

from __future__ import annotations

from socket import gethostname
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.files import replacing
from python_runner.model import EmailStrategy
from python_runner.report.render import render
from python_runner.runner.reports import tails_of
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Run


def write_page(run: Run, path: Path) -> None:
    """Write the report of ``run`` as a page that needs nothing else.

    Raises:
        PythonRunnerError: the file cannot be written; what was there is still there.
    """
    report = render(
        run,
        strategy=EmailStrategy.ALL,
        language=system_language(),
        tails=tails_of(run),
        host=gethostname(),
    )
    try:
        with replacing(path) as new:
            new.write_text(report.html or report.text, encoding="utf-8")
    except OSError as error:
        message = _("{path} cannot be written: {error}")
        raise PythonRunnerError(
            message.format(path=path, error=error.strerror)
        ) from error
