"""Asks the scheduler of the platform for what people have entered there."""

from __future__ import annotations

import sys

from python_runner.exceptions import PythonRunnerError
from python_runner.scheduling.entries import SchedulerError
from python_runner.scheduling.programs import require_success
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


def task_xml(name: str) -> bytes:
    r"""Return the XML of a task of Windows' Task Scheduler.

    Args:
        name: of the task with its folders, such as ``\Reports\Daily``.

    Raises:
        PythonRunnerError: there is none, or it cannot be asked for.
    """
    if sys.platform != "win32":
        message = _(
            "{name} is the name of a task of Windows; there, `schtasks /Query /TN"
            ' "{name}" /XML > task.xml` writes the file that --from takes here'
        )
        raise PythonRunnerError(message.format(name=name))
    return _answer(["schtasks", "/Query", "/TN", name, "/XML"])


def own_crontab() -> bytes:
    """Return the crontab of this user.

    Raises:
        PythonRunnerError: there is none, or it cannot be asked for.
    """
    if sys.platform == "win32":
        raise PythonRunnerError(_("Windows has no crontab; name a file, or a task"))
    return _answer(["crontab", "-l"])


def _answer(command: list[str]) -> bytes:
    try:
        return require_success(command)
    except SchedulerError as error:
        raise PythonRunnerError(error.reason.in_language(system_language())) from error
