"""Rules about what a session without a user lacks: answers, variables, a screen, Office."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.hints.rule import Rule, Seen, named
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping

    #: The values of a sentence; None where the rule does not hold after all.
    Found = Mapping[str, object] | None

#: Who raises what a variable is missing: the module `os`, frozen or not.
_ENVIRON = lazy_pattern(
    r'(?m)^ *File "(?:<frozen os>|.*[\\/]os\.py)", line \d+, in __getitem__$'
)
_GETPASS = lazy_pattern(r'(?m)^ *File ".*[\\/]getpass\.py", line \d+, in ')
#: What opens or writes a workbook.
_WITH_FILE = lazy_pattern(
    r"(?im)^ +.*(?:\.(?:Open(?:Text)?|Save(?:As|CopyAs)?|ExportAsFixedFormat)\("
    r"|, in (?:Open(?:Text)?|Save(?:As|CopyAs)?|ExportAsFixedFormat)$)"
)
#: A COM error of Excel, Word or Outlook: its number, and what it belongs to.
_COM = ("pywintypes.com_error", "pythoncom.com_error", "_ctypes.COMError")


def _variable(seen: Seen) -> Found:
    frames = seen.failure.text.splitlines()
    last = next((n for n, x in reversed([*enumerate(frames)]) if '  File "' in x), None)
    if last is None or not _ENVIRON.match(frames[last]):
        return None
    return {"variable": seen.match["key"]}


def _password(seen: Seen) -> Found:
    return {} if _GETPASS.search(seen.failure.text) else None


def _excel_file(seen: Seen) -> Found:
    # Excel has one number for all that it refuses.
    return {} if _WITH_FILE.search(seen.failure.text) else None


def _com(*numbers: int) -> str:
    return rf"\((?:{'|'.join(map(str, numbers))}), "


RULES = (
    Rule(
        name="password-prompt",
        kinds=("EOFError",),
        message=lazy_pattern(""),
        words=N_(
            "the script asks for a password, and nobody is there to type one: read it from a"
            " variable that `env_file` sets"
        ),
        values=_password,
    ),
    Rule(
        name="input",
        kinds=("EOFError",),
        message=lazy_pattern(r"EOF when reading a line$"),
        words=N_(
            "the script waits for an answer (input), and nobody is there to type one: pass it"
            " with `args`, or read it from a variable or file"
        ),
    ),
    Rule(
        name="display-variable",
        kinds=("KeyError",),
        message=lazy_pattern(r"'(?P<key>DISPLAY|WAYLAND_DISPLAY)'$"),
        words=N_(
            "the script needs a screen, and the session of a task has none: leave windows out,"
            " or start it with xvfb-run"
        ),
        values=_variable,
    ),
    Rule(
        name="variable",
        kinds=("KeyError",),
        message=lazy_pattern(r"'(?P<key>[^'\\]+)'$"),
        words=N_(
            "the variable {variable} is not set in the session of the task, which is not that"
            " of a terminal: set it under `env`, or in the file of `env_file`"
        ),
        values=_variable,
    ),
    Rule(
        name="display",
        kinds=(
            "_tkinter.TclError",
            "Xlib.error.DisplayConnectionError",
            "Xlib.error.DisplayNameError",
        ),
        message=lazy_pattern(
            r"(?:no display name and no \$DISPLAY|couldn't connect to display"
            r"|Can't connect to display|Bad display name)"
        ),
        words=N_(
            "the script opens a window, and the session of a task has no screen: leave the"
            ' window out (matplotlib: matplotlib.use("Agg")), or start it with xvfb-run'
        ),
    ),
    Rule(
        name="matplotlib",
        kinds=("ImportError",),
        message=lazy_pattern(
            r"Cannot load backend '\w+' which requires the '\w+' interactive framework, as"
            r" 'headless' is currently running"
        ),
        words=N_(
            "there is no screen to draw on: use the backend that writes files (MPLBACKEND=Agg"
            " under `env`), savefig in place of show"
        ),
    ),
    Rule(
        name="locale",
        kinds=("locale.Error",),
        message=lazy_pattern(r"unsupported locale setting$"),
        words=N_(
            "this locale does not exist on this computer: `locale -a` names those that do;"
            " others are added with the system's packages"
        ),
    ),
    Rule(
        name="com-missing",
        kinds=_COM,
        message=lazy_pattern(_com(-2147221005, -2147221164)),
        words=N_(
            "the program that the script controls (such as Excel) is not installed here,"
            " or not for the bits of this Python: install it, or use openpyxl for workbooks"
        ),
    ),
    Rule(
        name="com-session",
        kinds=_COM,
        message=lazy_pattern(_com(-2146959355, -2147024891, -2147467238)),
        words=N_(
            "Windows did not start the program that the script controls (such as Excel) in"
            " this session: run the task only when the user is logged on, or use openpyxl for"
            " workbooks"
        ),
    ),
    Rule(
        name="com-not-running",
        kinds=_COM,
        message=lazy_pattern(_com(-2147221021)),
        words=N_(
            "the script wants to use a program that is open already (such as Excel), and there"
            " is none in this session: start it with Dispatch in place of GetActiveObject"
        ),
    ),
    Rule(
        name="com-busy",
        kinds=_COM,
        message=lazy_pattern(_com(-2147418111, -2147417846)),
        words=N_(
            "the program that the script controls (such as Excel) is busy or shows a"
            " question: set DisplayAlerts = False, and end programs that earlier runs left"
        ),
    ),
    Rule(
        name="com-gone",
        kinds=_COM,
        message=lazy_pattern(_com(-2147023174, -2147417848, -2147023170)),
        words=N_(
            "the program that the script controls (such as Excel) has ended or crashed"
            " meanwhile: open it anew for each run, and let no two scripts share it"
        ),
    ),
    Rule(
        name="com-excel-file",
        kinds=_COM,
        message=lazy_pattern(r"\(-2147352567, .*-2146827284\)"),
        words=N_(
            "Excel refused that, often because the file is not there, is open elsewhere, or"
            " the session has no user: check the path, and use openpyxl where no user is"
            " logged on"
        ),
        values=_excel_file,
    ),
    Rule(
        name="browser-version",
        kinds=("*.SessionNotCreatedException",),
        message=lazy_pattern(
            r"(?:Message: )?session not created: This version of (?P<driver>[\w ]+) only"
            r" supports [\w ]+ version (?P<version>\d+)"
        ),
        words=N_(
            "the browser has been updated, and {driver} has not: it knows version {version}."
            " Update selenium to 4.6 or newer, which fetches the right one, and remove the"
            " old file"
        ),
        values=named,
    ),
    Rule(
        name="browser-driver",
        kinds=("*.NoSuchDriverException", "*.WebDriverException"),
        message=lazy_pattern(
            r"Message: (?:Unable to (?:obtain|locate or obtain) driver for (?P<one>\w+)"
            r"|'?(?P<other>\w+)'? executable (?:needs to be in PATH|may have wrong))"
        ),
        words=N_(
            "the driver of the browser is missing, and could not be fetched: put it on this"
            " computer and name its path in Service(executable_path=...)"
        ),
    ),
    Rule(
        name="browser-screen",
        kinds=("*.SessionNotCreatedException", "*.WebDriverException"),
        message=lazy_pattern(
            r"Message: (?:session not created: |unknown error: ).*(?:DevToolsActivePort file"
            r" doesn't exist|Chrome failed to start|Chrome instance exited)"
        ),
        words=N_(
            "the browser did not start in a session without a screen: give it the argument"
            " --headless=new, and a user-data-dir of its own"
        ),
    ),
    Rule(
        name="playwright",
        kinds=("playwright._impl._errors.Error", "playwright._impl._api_types.Error"),
        message=lazy_pattern(r"BrowserType\.\w+: Executable doesn't exist at "),
        words=N_(
            "the browsers of Playwright are missing for the account {account}: run, in that"
            " account, {python} -m playwright install"
        ),
        values=lambda seen: {
            "account": seen.around.account,
            "python": seen.around.python,
        },
    ),
)
