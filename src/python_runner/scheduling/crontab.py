"""The text of a crontab: our lines in it, and how a line is written; no I/O.

Each entry of ours is one line that ends in a comment with its key. So a line stays ours
when it is moved, edited or switched off by a ``#`` in front of it, and no other line can
be taken for one of ours.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.due_times import SHORT_FORMS
from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.scheduling.entries import PREFIX, Purpose, job_of
from python_runner.takeover.shell_words import tokens
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from python_runner.scheduling.entries import Job

#: Bytes of a command that Debian's cron takes.
LONGEST_COMMAND = 998
_MARK = lazy_pattern(rf"\s#\s*{PREFIX}:(?P<key>[0-9a-f]+)\s*$")
_VARIABLE = lazy_pattern(r"[A-Za-z_]\w*\s*=")
_FIELDS = 5
#: A number with a step, which Debian's cron does not know.
_NUMBER_STEP = lazy_pattern(r"(?<![-*\w])(\w+)/")
_LAST_VALUES = ("59", "23", "31", "12", "7")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a crontab that starts Python Runner.

    Attributes:
        text: as it stands there.
        key: that of the job it was made for; None where it is not ours.
        enabled: whether it is no comment.
    """

    text: str
    key: str | None
    enabled: bool
    job: Job


def expression_problem(expression: str) -> Sentence | None:
    """Say why cron does not know an expression that is right; None if it does."""
    _minute, _hour, day, _month, weekday = expression.upper().split()
    for sign in ("L", "W", "#"):
        # In names of days and months none of these stands.
        if sign in re.sub("JUL|WED", "", f"{day} {weekday}"):
            template = N_('cron does not know "{sign}" ({expression}); systemd does')
            shown = "LW" if "LW" in day else sign
            return Sentence.of(template, sign=shown, expression=expression)
    return None


def cron_expression(expression: str) -> str:
    """Return an expression as cron writes it: ``5/15`` is ``5-59/15`` there."""
    fields = expression.split()
    return " ".join(
        _NUMBER_STEP.sub(rf"\1-{last}/", field)
        for field, last in zip(fields, _LAST_VALUES, strict=True)
    )


def line_problem(job: Job) -> Sentence | None:
    """Say why a job cannot be a line of a crontab; None if it can."""
    command = _command(job)
    if job.purpose is Purpose.SERVE:
        template = N_(
            "cron does not start again what has ended; where nothing else is there, add"
            " this line with `crontab -e`: {line}"
        )
        return Sentence.of(template, line=f"@reboot {command}")
    if any(ord(character) < ord(" ") for character in command):
        template = N_("a line of a crontab cannot contain the path {path}")
        return Sentence.of(template, path=repr(str(job.project or job.folder)))
    if len(os.fsencode(f"{command} {_mark(job)}")) > LONGEST_COMMAND:
        template = N_(
            "the command is longer than cron accepts ({most} bytes): {path}; give the"
            " project a shorter path, for example by a link"
        )
        path = str(job.project or job.folder)
        return Sentence.of(template, most=LONGEST_COMMAND, path=path)
    return expression_problem(job.expression or "")


def entry_line(job: Job) -> str:
    """Return the line of a crontab that does a job."""
    expression = cron_expression(job.expression or "")
    return f"{expression} {_command(job)} {_mark(job)}"


def lines_of(crontab: str) -> list[Line]:
    """Return the lines of a crontab that start Python Runner."""
    found = (_line(text) for text in _texts(crontab))
    return [line for line in found if line is not None]


def changed(crontab: str, install: Sequence[Job], remove: Collection[str]) -> str:
    """Return a crontab with other lines of ours; all others stay as they are.

    Args:
        crontab: as it is.
        install: jobs; each takes the place of the line of its key, or is added.
        remove: keys whose lines go.
    """
    wanted = {job.key: entry_line(job) for job in install}
    lines = []
    for text in _texts(crontab):
        line = _line(text)
        key = line.key if line else None
        if key is None or key not in {*wanted, *remove}:
            lines.append(text)
        elif key in wanted:
            lines.append(wanted.pop(key))
            # A second line of that key would do the same twice.
            remove = {*remove, key}
    lines += wanted.values()
    return "".join(f"{text}\n" for text in lines)


def _texts(crontab: str) -> list[str]:
    """Return the lines of a crontab: what ends one for Python may stand in another."""
    return crontab.removesuffix("\n").split("\n") if crontab else []


def _command(job: Job) -> str:
    words = [*_settings(job.variables), *job.command]
    command = " ".join(map(shlex.quote, words))
    if job.folder is not None:
        command = f"cd {shlex.quote(str(job.folder))} && {command}"
    # Cron takes a per cent sign for the end of the line, also inside of quotes, and a
    # backslash before it for a quote of that: so none may stand there that is meant.
    return command.replace("\\%", "\\''%").replace("%", "\\%")


def _settings(variables: Mapping[str, str]) -> list[str]:
    if not variables:
        return []
    # Understood by every shell that a crontab may choose.
    return ["env", *(f"{name}={value}" for name, value in variables.items())]


def _mark(job: Job) -> str:
    return f"# {PREFIX}:{job.key}"


def _line(text: str) -> Line | None:
    """Return what a line starts; None where it does not start Python Runner."""
    mark = _MARK.search(text)
    bare = text.strip()
    enabled = not bare.startswith("#")
    if not enabled and mark is None:
        return None
    bare = bare.lstrip("# \t")
    if _VARIABLE.match(bare):
        return None
    expression, command = _split(bare)
    job = _job(_MARK.sub("", command), expression)
    if job is None and mark is None:
        return None
    if job is None:
        job = job_of((PREFIX,), None, expression=expression)
        assert job is not None  # noqa: S101 - it has our name
    return Line(text, mark["key"] if mark else None, enabled, job)


def _split(line: str) -> tuple[str | None, str]:
    """Return the expression of a line and its command."""
    if line.startswith("@"):
        word, _space, command = line.partition(" ")
        return SHORT_FORMS.get(word.lower()), command
    parts = line.split(None, _FIELDS)
    if len(parts) <= _FIELDS:
        return None, line
    return " ".join(parts[:_FIELDS]), parts[_FIELDS]


def _job(command: str, expression: str | None) -> Job | None:
    """Return what the command of a line starts."""
    # What follows a per cent sign is the command's standard input.
    command = re.split(r"(?<!\\)%", command, maxsplit=1)[0].replace("\\%", "%")
    folder, variables = None, {}
    for part in _parts(command):
        if part[0] == "cd" and len(part) > 1:
            folder = Path(part[-1])
            continue
        rest = part[1:] if part[0] == "env" else part
        while rest and _VARIABLE.match(rest[0]):
            name, _sign, value = rest[0].partition("=")
            variables[name] = value
            rest = rest[1:]
        job = job_of(rest, folder, expression=expression, variables=variables)
        if job is not None:
            return job
    return None


def _parts(line: str) -> list[list[str]]:
    """Return the commands of a line of a shell, without what redirects their streams."""
    parts: list[list[str]] = [[]]
    redirected = False
    for token in tokens(line):
        if token.is_word:
            if not redirected:
                parts[-1].append(_unquoted(token.text))
            redirected = False
        elif redirected := "<" in token.text or ">" in token.text:
            # The number of the stream: 2>&1.
            if parts[-1] and parts[-1][-1].isdigit():
                parts[-1].pop()
        else:
            parts.append([])
    return [part for part in parts if part]


def _unquoted(word: str) -> str:
    try:
        return " ".join(shlex.split(word))
    except ValueError:
        # A quote that nobody closes.
        return word
