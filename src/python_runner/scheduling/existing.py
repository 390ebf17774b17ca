"""Asks the scheduler of the platform for what people have entered there."""

from __future__ import annotations

import os
import subprocess
import sys

from python_runner.exceptions import PythonRunnerError
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


#: Seconds that the scheduler may take to answer.
_PATIENCE = 30
#: Characters of what it says that people are shown.
_SHOWN = 200


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
    message = _("{command} failed: {error}")
    shown = " ".join(command)
    try:
        done = subprocess.run(  # noqa: S603 - a program of the platform, no shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise PythonRunnerError(
            message.format(command=shown, error=_("it did not answer"))
        ) from error
    except OSError as error:
        raise PythonRunnerError(
            message.format(command=shown, error=in_own_language(error))
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
        raise PythonRunnerError(
            message.format(command=shown, error=said[:_SHOWN] or done.returncode)
        )
    return done.stdout
