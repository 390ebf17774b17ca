"""How a script ended, and what its output tells of that."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from python_runner.model import Traceback


class Ending(Enum):
    """How a process ended, as far as its output can explain it."""

    #: Python's exit code after an exception, and after ``sys.exit`` with a text.
    EXCEPTION = auto()
    #: Another exit code: what the output tells may have ended it, or not.
    CODE = auto()
    #: The interpreter crashed.
    CRASH = auto()
    #: Somebody ended it, perhaps with Ctrl-C.
    SIGNAL = auto()


class Beside(Enum):
    """What stands beside the end of a script, and did not end it.

    Its value is the name that it has in the sentence that tells of it.
    """

    #: An exception that was handled.
    LOGGED = "logged"
    #: An exception in a thread, a child process, a destructor.
    BACKGROUND = "background"
    #: The last line of the output.
    LAST_LINE = "line"


@dataclass(frozen=True, slots=True)
class Cause:
    """What an output tells of a failure.

    Attributes:
        traceback: the text to show; its exception is None where none ended the script.
        beside: what stands beside the end, and ``told`` says what it is.
    """

    traceback: Traceback | None = None
    beside: Beside | None = None
    told: str = ""
