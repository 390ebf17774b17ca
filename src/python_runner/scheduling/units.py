"""The text of a systemd timer and of the service that it starts; no I/O.

The service of the dashboard is started with the session of its user, and has no timer.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.due_times import expression_problem
from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.scheduling.entries import Purpose, job_of
from python_runner.scheduling.on_calendar import calendar_lines, calendar_problem
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from python_runner.scheduling.entries import Job

#: A section that systemd leaves to others: it keeps the expression.
_OWN_SECTION = "X-PythonRunner"
#: Starts a program whose path systemd does not accept for one: with quotes, for instance.
_SHELL = ("/bin/sh", "-c", 'exec "$0" "$@"')
_UNSAFE = lazy_pattern(r"[\"'\\$]")
_WORD = lazy_pattern(
    r'"(?P<quoted>(?:[^"\\]|\\.)*)"|\'(?P<single>[^\']*)\'|(?P<bare>\S+)'
)
_ESCAPE = lazy_pattern(r"\\(x[0-9a-fA-F]{2}|.)")
_ESCAPES = {"n": "\n", "t": "\t", "s": " "}


@dataclass(frozen=True, slots=True)
class Units:
    """The two files of an entry, each with its text; without a timer that is empty."""

    timer: str
    service: str

    @property
    def text(self) -> str:
        """Both, one after the other."""
        return f"{self.timer}\n{self.service}" if self.timer else self.service


def unit_problem(job: Job) -> Sentence | None:
    """Say why a job cannot be units of systemd; None if it can."""
    texts = (*job.command, str(job.folder), *job.variables.values())
    odd = any(
        ord(character) < ord(" ") or "\ud800" <= character <= "\udfff"
        for text in texts
        for character in text
    )
    folder = str(job.folder)
    if odd or folder != folder.strip() or folder.endswith("\\"):
        template = N_("a unit of systemd cannot contain the path {path}")
        return Sentence.of(template, path=repr(str(job.project or job.folder)))
    if job.purpose is Purpose.SERVE:
        return None
    return calendar_problem(job.expression or "")


def make_units(job: Job) -> Units:
    """Return the files of a job."""
    if job.purpose is Purpose.SERVE:
        return Units("", _lasting_service(job))
    title = _title(job)
    calendar = "".join(
        f"OnCalendar={line}\n" for line in calendar_lines(job.expression or "")
    )
    timer = (
        "# Made by `python-runner schedule install`, which replaces it.\n"
        f"[Unit]\nDescription={title}\n\n"
        f"[Timer]\n{calendar}"
        # A time at which the computer is off is made up for when it is on again.
        "Persistent=true\nAccuracySec=1s\n\n"
        "[Install]\nWantedBy=timers.target\n\n"
        f"[{_OWN_SECTION}]\nExpression={job.expression}\n"
    )
    service = (
        "# Made by `python-runner schedule install`, which replaces it.\n"
        f"[Unit]\nDescription={title}\n\n"
        f"[Service]\nType=oneshot\n{_start(job)}TimeoutStartSec=infinity\n"
    )
    return Units(timer, service)


def _lasting_service(job: Job) -> str:
    """Return the service of what goes on until it is stopped."""
    return (
        "# Made by `python-runner serve --install`, which replaces it.\n"
        f"[Unit]\nDescription={_title(job)}\n\n"
        f"[Service]\nType=exec\n{_start(job)}"
        # 143: it was told to end, and did.
        "Restart=on-failure\nRestartSec=5\nSuccessExitStatus=143\n\n"
        "[Install]\nWantedBy=default.target\n\n"
        f"[{_OWN_SECTION}]\nPurpose={job.purpose}\n"
    )


def _title(job: Job) -> str:
    return _plain(" ".join(["Python Runner:", str(job.purpose), _about(job)]))


def _start(job: Job) -> str:
    """Return where, with which variables and by which command a service starts."""
    variables = "".join(
        f"Environment={_quoted(f'{name}={value}')}\n"
        for name, value in job.variables.items()
    )
    words = job.command
    if _UNSAFE.search(words[0]):
        words = (*_SHELL, *words)
    command = " ".join(_quoted(word).replace("$", "$$") for word in words)
    folder = _plain(str(job.folder))
    return f"WorkingDirectory={folder}\n{variables}ExecStart={command}\n"


def is_own(unit: str) -> bool:
    """Say whether the text of a timer, or of a service without one, is one of ours."""
    return f"[{_OWN_SECTION}]" in unit


def read_units(units: Units) -> Job | None:
    """Return what units start; None where that is not Python Runner."""
    expression, folder, variables, job = None, None, dict[str, str](), None
    for name, value in (*_settings(units.timer), *_settings(units.service)):
        if name == "Expression":
            expression = value
        elif name == "WorkingDirectory" and value.startswith("/"):
            folder = Path(value.replace("%%", "%"))
        elif name == "Environment":
            for word in _words(value):
                key, _sign, text = word.partition("=")
                variables[key] = text
        elif name == "ExecStart" and job is None:
            words = [word.replace("$$", "$") for word in _words(value)]
            words = [words[0].lstrip("@-:+!"), *words[1:]] if words else words
            if tuple(words[: len(_SHELL)]) == _SHELL:
                words = words[len(_SHELL) :]
            job = job_of(words, folder, expression=expression)
    if job is None:
        return None
    expression = _unless_edited(expression, units.timer)
    return job_of(job.command, folder, expression=expression, variables=variables)


def _unless_edited(expression: str | None, timer: str) -> str | None:
    """Return an expression; None where a person has given the timer other times."""
    if expression is None or expression_problem(expression):
        return None
    times = [value for name, value in _settings(timer) if name == "OnCalendar"]
    if calendar_problem(expression) or times != list(calendar_lines(expression)):
        return None
    return expression


def _about(job: Job) -> str:
    return str(job.project or job.folder or "")


def _plain(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    text = _plain(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a unit, in order; continued lines are one."""
    for line in text.replace("\\\n", " ").split("\n"):
        if not line.lstrip().startswith(("#", ";", "[")):
            name, sign, value = line.partition("=")
            if sign:
                yield name.strip(), value.strip()


def _words(value: str) -> list[str]:
    words = []
    for match in _WORD.finditer(value):
        text = match["single"] if match["single"] is not None else match["bare"]
        if match["quoted"] is not None:
            text = _ESCAPE.sub(_unescaped, match["quoted"])
        words.append(text.replace("%%", "%"))
    return words


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)
