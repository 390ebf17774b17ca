"""Asks the programs of the system's schedulers; each answer takes a bounded time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.scheduling.entries import SchedulerError
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds after which nobody waits any more for such a program.
_PATIENCE = 60.0
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program answered.

    Attributes:
        code: its exit code.
        output: what it wrote to its standard output.
        errors: what it wrote to its standard error, readable.
    """

    code: int
    output: bytes
    errors: str


def find_program(name: str) -> str | None:
    """Return the path of a program of the system; None where there is none."""
    return shutil.which(name)


def ask(
    command: Sequence[str], given: bytes = b"", *, patience: float = _PATIENCE
) -> Answer:
    """Run a program of the system.

    Args:
        command: the program and its arguments.
        given: its standard input.
        patience: seconds that it may take.

    Raises:
        SchedulerError: it cannot be started, or does not end.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system's scheduler
            command,
            input=given,
            capture_output=True,
            timeout=patience,
            check=False,
            creationflags=_FLAGS,
        )
    except subprocess.TimeoutExpired:
        template = N_("{program} did not answer")
        raise SchedulerError(Sentence.of(template, program=command[0])) from None
    except OSError as error:
        raise _not_started(command[0], error) from None
    errors = done.stderr.decode(errors="replace").strip()
    return Answer(done.returncode, done.stdout, errors)


def let_ask(command: Sequence[str]) -> int:
    """Run a program that may ask the user something; return its exit code.

    Raises:
        SchedulerError: it cannot be started.
    """
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603
    except OSError as error:
        raise _not_started(command[0], error) from None


def require_success(command: Sequence[str], given: bytes = b"") -> bytes:
    """Run a program of the system and return its output.

    Raises:
        SchedulerError: it refused, or see :func:`ask`.
    """
    answer = ask(command, given)
    if answer.code:
        raise refused(command, answer)
    return answer.output


def refused(command: Sequence[str], answer: Answer) -> SchedulerError:
    """Return the error that tells what a program answered."""
    template = N_("`{command}` failed: {answer}")
    words = answer.errors or answer.output.decode(errors="replace").strip()
    return SchedulerError(
        Sentence.of(
            template,
            command=flat(" ".join(command)),
            answer=flat(words.replace("\n", " ")) or str(answer.code),
        )
    )


def _not_started(program: str, error: OSError) -> SchedulerError:
    template = N_("{program} cannot be started: {error}")
    return SchedulerError(
        Sentence.of(template, program=program, error=system_error(error))
    )
