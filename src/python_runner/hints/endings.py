"""What to do where no exception tells why a script ended: memory, signals, crashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.hints.rule import Rule
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection
    from re import Pattern

    from python_runner.hints.failure import Failure

_MEMORY = N_(
    "the script needs more memory than there is: read large files in parts (chunksize), keep"
    " less at a time, or let fewer scripts run at once (max_parallel)"
)

RULES = (
    Rule(
        name="memory",
        kinds=("MemoryError", "*._ArrayMemoryError", "pyarrow.lib.ArrowMemoryError"),
        message=lazy_pattern(""),
        words=_MEMORY,
    ),
    Rule(
        name="memory-refused",
        kinds=("OSError",),
        message=lazy_pattern(r"\[(?:Errno 12\] |WinError (?:8|14|1455)\] )"),
        words=_MEMORY,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndRule:
    """An end that is known by what stands in the output, or by its exit code.

    Attributes:
        output: what the output holds; None: anything.
        codes: exit codes, as the platform gives them; none: any.
        timed_out: whether the script took too long.
    """

    name: str
    words: str
    output: Pattern[str] | None = None
    codes: Collection[int] = ()
    timed_out: bool = False

    def hint(self, failure: Failure) -> Sentence | None:
        """Return what to do about a failure; None where the rule does not know it."""
        if self.timed_out and not failure.timed_out:
            return None
        if self.codes and failure.exit_code not in self.codes:
            return None
        if self.output and not self.output.search(failure.output):
            return None
        return Sentence.of(self.words)


#: What is known by CPython's own words in the output, whatever ended the script.
ANY_END = (
    EndRule(
        name="main-guard",
        output=lazy_pattern(
            r"An attempt has been made to start a new process before the\s+current process"
            r" has finished its bootstrapping phase"
        ),
        words=N_(
            "multiprocessing starts the script anew for each process: put what it does under"
            ' if __name__ == "__main__":'
        ),
    ),
)
#: What is known where no exception ended the script.
NO_EXCEPTION = (
    EndRule(
        name="qt-screen",
        output=lazy_pattern(
            r"(?m)^qt\.qpa\.(?:xcb: could not connect to display|plugin: Could not load the"
            r' Qt platform plugin "xcb")'
        ),
        words=N_(
            "the script opens a window of Qt, and the session of a task has no screen: set"
            " QT_QPA_PLATFORM=offscreen under `env`, or start it with xvfb-run"
        ),
    ),
    EndRule(
        name="time-out",
        timed_out=True,
        words=N_(
            "if it needs that time, raise `timeout`; else the end of its output shows where it"
            " waits: for an answer, a server, a lock or a window"
        ),
    ),
    EndRule(
        name="killed",
        codes={-9},
        words=N_(
            "if memory ran out, the system's log says so (on Linux: journalctl -k): let"
            " the script keep less in memory, or fewer scripts run at once (max_parallel)"
        ),
    ),
    EndRule(
        name="killed-inside",
        codes={137, 247},
        words=N_(
            "a program that the script started was killed (signal 9), mostly because"
            " memory ran out: the system's log says so (on Linux: journalctl -k)"
        ),
    ),
    EndRule(
        name="terminated",
        codes={-15},
        words=N_(
            "somebody or the system asked the script to end: look for a shutdown, a service that"
            " was stopped, or a limit of time at that moment"
        ),
    ),
    EndRule(
        name="processor-limit",
        codes={-24},
        words=N_(
            "the system limits the processor time of this account (ulimit -t): raise that limit"
        ),
    ),
    EndRule(
        name="memory-status", codes={0xC0000017, 0xC000012D, 0xC000009A}, words=_MEMORY
    ),
    EndRule(
        name="status-dll",
        codes={0xC0000135, 0xC0000139, 0xC0000138},
        words=N_(
            "a DLL is missing or of another version: install what the program needs (Visual C++"
            " Redistributable of Microsoft), and look at PATH in the session of the task"
        ),
    ),
    EndRule(
        name="status-bits",
        codes={0xC000007B},
        words=N_(
            "a program and its DLL do not fit together (32 and 64 bits): install both for the"
            " same bits"
        ),
    ),
    EndRule(
        name="status-desktop",
        codes={0xC0000142},
        words=N_(
            "Windows could start no further program in this session (desktop heap), or the user"
            " was signing out: start fewer at once, or run the task without a user"
        ),
    ),
    EndRule(
        name="status-sign-out",
        codes={0xC000013A, 0x40010004, 0xC000026B},
        words=N_(
            "the session ended (sign-out, restart, closed window): let the task run whether the"
            " user is logged on or not"
        ),
    ),
    EndRule(
        name="status-recursion",
        codes={0xC00000FD},
        words=N_(
            "calls were nested too deeply for the stack: look for a function that calls itself"
            " without an end"
        ),
    ),
    EndRule(
        name="crash",
        codes={-11, -7, -10, -4, 0xC0000005, 0xC0000374, 0xC000001D},
        words=N_(
            "a compiled package crashed, not the script's own lines: update it (the last"
            " frames name it), or install it again for this Python"
        ),
    ),
)
