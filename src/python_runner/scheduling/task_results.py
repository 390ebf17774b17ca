"""What the numbers of Windows' Task Scheduler mean: its last results and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a number says, and what a person can do.

    Attributes:
        what: the end of a sentence that begins with the number.
        todo: what to do, a sentence; empty where nothing is to be done.
    """

    what: str
    todo: str = ""


_ACCOUNT = N_(
    'Enter the password again: "schtasks /Change /TN TASK /RU ACCOUNT /RP *", or'
    " `python-runner schedule install`."
)
_RIGHT = N_(
    "Give the account the right SeBatchLogonRight (secpol.msc, Local Policies, User Rights"
    " Assignment)."
)
_FILES = N_(
    "Look at Program and Start in of the task: the account of the task must reach both,"
    " and knows no drive letters of the network."
)
_CONDITIONS = N_(
    "Look at the conditions and settings of the task: battery, network, idle, and what is"
    " done if it already runs."
)
_LOGON = N_("Choose `Run whether user is logged on or not` in the task.")
_PATH = N_("Check the account of the task and its domain.")
_LOG = N_("`python-runner history` shows what of a run is recorded.")

#: By the number as 32 bits without a sign. Codes of the Task Scheduler (0x413xx), Win32
#: errors (0x8007xxxx) and ends of processes (0xC000xxxx).
MEANINGS: Mapping[int, Meaning] = {
    0x0: Meaning(N_("the command ended without an error")),
    0x1: Meaning(
        N_(
            "the command ended with exit code 1: a script did not succeed, or the command"
            " itself failed"
        ),
        _LOG,
    ),
    0x2: Meaning(
        N_(
            "the command ended with exit code 2: a usage or configuration error, or a"
            " file that was not found"
        ),
        N_("Run `python-runner check` in the folder of the task."),
    ),
    0x3: Meaning(
        N_(
            "the command ended with exit code 3: the project was already running, or a"
            " folder was not found"
        ),
        _LOG,
    ),
    0x5: Meaning(N_("access was denied"), _FILES),
    0x82: Meaning(N_("the command ended with exit code 130: it was interrupted")),
    0x8F: Meaning(N_("the command ended with exit code 143: it was stopped")),
    0x103: Meaning(N_("the command is still running")),
    0x2331: Meaning(
        N_("cmd does not find a program that the command names (exit code 9009)"),
        _FILES,
    ),
    0x41301: Meaning(N_("the task is running now")),
    0x41302: Meaning(
        N_("the task is disabled"),
        N_('Enable it: "schtasks /Change /TN TASK /ENABLE".'),
    ),
    0x41303: Meaning(N_("the task has never run")),
    0x41304: Meaning(
        N_("the task has no further times"), N_("Look at the triggers of the task.")
    ),
    0x41305: Meaning(
        N_("the task lacks what it needs to run on a schedule"),
        N_("Look at the triggers of the task."),
    ),
    0x41306: Meaning(
        N_("the task was terminated, by a user or by its time limit"),
        N_("Look at `Stop the task if it runs longer than` in the task."),
    ),
    0x41307: Meaning(
        N_("the task has no triggers, or none that is enabled"),
        N_("Look at the triggers of the task."),
    ),
    0x41325: Meaning(
        N_("the task is queued: it waits for a condition, or for its turn"), _CONDITIONS
    ),
    0x8004130A: Meaning(N_("the task is not ready to run"), _CONDITIONS),
    0x8004130F: Meaning(N_("no account is known for the task"), _ACCOUNT),
    0x80041310: Meaning(N_("the account of the task cannot be found"), _PATH),
    0x80041315: Meaning(N_("the Task Scheduler service is not running")),
    0x8004131E: Meaning(
        N_("the end of the task's triggers has passed"),
        N_("Look at the triggers of the task."),
    ),
    0x8004131F: Meaning(N_("an instance of the task is already running"), _CONDITIONS),
    0x80041320: Meaning(N_("the account of the task is not logged on"), _LOGON),
    0x80041322: Meaning(N_("the Task Scheduler service is not available")),
    0x80041324: Meaning(N_("the task was tried, and failed to start"), _FILES),
    0x80041326: Meaning(
        N_("the task is disabled"),
        N_('Enable it: "schtasks /Change /TN TASK /ENABLE".'),
    ),
    0x80070002: Meaning(N_("the program of the task was not found"), _FILES),
    0x80070003: Meaning(N_("the path of the program was not found"), _FILES),
    0x80070005: Meaning(
        N_("access was denied: the account of the task may not start the program"),
        _FILES,
    ),
    0x80070008: Meaning(N_("there was not enough memory")),
    0x8007000E: Meaning(N_("there was not enough memory")),
    0x80070035: Meaning(N_("the network path was not found"), _FILES),
    0x800700C1: Meaning(
        N_("the program of the task is none that Windows can start"),
        N_("A script is an argument: the program is python.exe or python-runner.exe."),
    ),
    0x8007010B: Meaning(
        N_("the folder of `Start in` does not exist, or is in quotes"),
        N_("Write `Start in` without quotes, as a path that the account reaches."),
    ),
    0x800704C7: Meaning(N_("a user cancelled the task")),
    0x800704DD: Meaning(
        N_("the account is not logged on, and the task runs only while it is"), _LOGON
    ),
    0x800704EC: Meaning(
        N_("a policy of the system blocks the program"),
        N_(
            "Ask the administrator about AppLocker and the software restriction policy."
        ),
    ),
    0x8007052E: Meaning(
        N_("the logon failed: the password of the account has changed, or is wrong"),
        _ACCOUNT,
    ),
    0x8007052F: Meaning(
        N_("a restriction of the account prevents the logon (empty password, hours)"),
        _ACCOUNT,
    ),
    0x80070530: Meaning(
        N_("the account has no right to a session at this time"), _PATH
    ),
    0x80070531: Meaning(
        N_("the account has no right to a session on this computer"), _PATH
    ),
    0x80070532: Meaning(N_("the password of the account has expired"), _ACCOUNT),
    0x80070533: Meaning(
        N_("the account is disabled"), N_("Ask the administrator to enable it.")
    ),
    0x80070534: Meaning(N_("the account of the task does not exist any more"), _PATH),
    0x80070569: Meaning(
        N_("the account has not been granted the logon type that the task needs"),
        _RIGHT,
    ),
    0x800705B4: Meaning(N_("the time limit was reached")),
    0x80070701: Meaning(
        N_("the account has expired"), N_("Ask the administrator to enable it.")
    ),
    0x80070773: Meaning(
        N_("the password of the account must be changed before the next logon"),
        _ACCOUNT,
    ),
    0x80070775: Meaning(
        N_("the account is locked out"), N_("Ask the administrator to unlock it.")
    ),
    0x8007051F: Meaning(N_("no logon server was available"), _PATH),
    0x800710E0: Meaning(
        N_(
            "the operator or administrator has refused the request: a condition of the"
            " task was not met (battery, network, idle, missed time), or it may not be"
            " started"
        ),
        _CONDITIONS,
    ),
    0xC0000005: Meaning(N_("the process crashed: access violation")),
    0xC0000017: Meaning(N_("there was not enough memory")),
    0xC00000FD: Meaning(N_("the process crashed: stack overflow")),
    0xC0000135: Meaning(N_("a library (DLL) of the program was not found"), _FILES),
    0xC000013A: Meaning(
        N_("the process was ended by Ctrl-C, by its console or by a logoff")
    ),
    0xC0000142: Meaning(
        N_(
            "the program could not be initialised: the session was ending, or has no desktop"
        )
    ),
    0xC0000409: Meaning(N_("the process crashed: it found itself damaged")),
    0x40010004: Meaning(N_("the process was ended, by a shutdown or a logoff")),
}

#: Facility of the Win32 errors in an HRESULT.
_WIN32 = 0x80070000
#: Exit codes that a process may have, as a HRESULT never is.
_LARGEST_EXIT_CODE = 0xFFFF


def as_unsigned(text: str) -> int | None:
    """Return a result as 32 bits: ``-2147024894``, ``2147942402`` or ``0x80070002``."""
    try:
        return int(text.strip(), 0) & 0xFFFFFFFF
    except ValueError:
        return None


def result_words(number: int) -> Sentence:
    """Return what a result of the Task Scheduler means, with its number."""
    known = MEANINGS.get(number)
    code = f"0x{number:X}"
    if known:
        return Sentence.of(N_("{what} ({code})"), what=Sentence(known.what), code=code)
    if number <= _LARGEST_EXIT_CODE:
        template = N_("the command ended with exit code {number} ({code})")
        return Sentence.of(template, number=number, code=code)
    if number & 0xFFFF0000 == _WIN32:
        template = N_("error {number} of Windows ({code}); see `net helpmsg {number}`")
        return Sentence.of(template, number=number & 0xFFFF, code=code)
    return Sentence.of(N_("the result {code}"), code=code)


def result_advice(number: int) -> Sentence | None:
    """Return what to do about a result; None where nothing is known to help."""
    known = MEANINGS.get(number)
    return Sentence(known.todo) if known and known.todo else None


def is_refusal(number: int) -> bool:
    """Say whether a result tells that the command was not started at all."""
    return (
        number in {0x41302, 0x41304, 0x41305, 0x41307, 0x41325}
        or 0x80041309 <= number <= 0x80041328  # noqa: PLR2004 - SCHED_E_...
        or number & 0xFFFF0000 == _WIN32
    )
