"""Keeps what the commands of a file do, one after the other."""

from __future__ import annotations

import ntpath
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.masking import Masker
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import is_secret_name, secrets_inside
from python_runner.takeover.command_words import (
    PythonStart,
    Start,
    is_python,
    is_script,
    program_name,
    python_start,
)
from python_runner.takeover.facts import (
    END,
    UNKNOWN,
    Call,
    Note,
    Place,
    Taken,
    is_known,
    plain,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: Characters of a command that a note shows.
_SHOWN = 90
#: Notes of one entry: who has more reads no more of them.
_MOST_NOTES = 200
#: Scripts of one entry.
_MOST_CALLS = 500
#: Files inside of files, and groups inside of groups.
DEPTH = 8
NESTING = 40
#: Characters of a value: ``cmd.exe`` and people have fewer.
_LONGEST = 8191
#: Commands that only speak to whoever looks on.
_SILENT = frozenset(
    [
        "echo",
        "title",
        "color",
        "cls",
        "mode",
        "prompt",
        "verify",
        "chcp",
        "setlocal",
        "endlocal",
        "rem",
        "true",
        ":",
        "printf",
        "date",
        "shopt",
        "unset",
        "hash",
        "umask",
        "ulimit",
        "logger",
        "type",
        "tee",
        "cat",
        "ver",
        "vol",
        "time",
        "set",
        "break",
        "local",
        "declare",
        "readonly",
        "wait",
        "test",
        "[",
        "[[",
        "return",
        "exit",
        "pwd",
        "whoami",
        "hostname",
    ]
)
_ACTIVATE = lazy_pattern(
    r"(.*?)[\\/](?:Scripts|bin)[\\/]activate(?:\.(?:bat|ps1|fish))?", re.IGNORECASE
)
_CONDA_ACTIVATE = lazy_pattern(
    r"(.*?)[\\/](?:Scripts|bin|condabin)[\\/](?:activate|conda)(?:\.bat)?",
    re.IGNORECASE,
)
_CONDA_PROFILE = lazy_pattern(r"(.*?)/etc/profile\.d/(?:conda|mamba)\.sh")
#: Folders of a conda installation, by their usual names.
_CONDA_FOLDER = lazy_pattern(
    r"(?:mini|ana)conda\d*|mini-?forge\d*|mambaforge\d*|conda", re.IGNORECASE
)
#: Commands that do something else, and what is said of them.
_OTHERS = {
    "pause": N_("pause is not needed: nobody looks on"),
    **dict.fromkeys(
        ("sleep", "timeout", "ping"), N_("the wait {command} is not carried over")
    ),
    **dict.fromkeys(
        ("python-runner", "python-runnerw"),
        N_("Python Runner is started here already: {command}"),
    ),
}
_VALUE = r"(?P<secret>\"[^\"]+\"|'[^']+'|[^\s\"']+)"
#: ``--password x``, ``/token:x``.
_OPTION = lazy_pattern(
    rf"(?<![\w-])(?:--?|/)(?P<name>[A-Za-z][\w-]*)(?:[=:]|\s+(?![-/])){_VALUE}"
)
#: ``PGPASSWORD=x``.
_ASSIGNED = lazy_pattern(rf"(?P<name>\b[A-Za-z_]\w*)={_VALUE}")
#: ``curl -u ann:x``, ``mysql -px``, ``sshpass -p x``.
_LOGIN = lazy_pattern(
    r"(?:\b(?:curl|wget)\b[^|;&]*\s(?:-u|--user)\s*[\"']?[^\s:]+:"
    rf"|\b(?:mysql|mysqldump|mysqladmin|mariadb|sshpass)\b[^|;&]*?\s-p\s?){_VALUE}"
)
#: ``net use Z: \\\\nas\\data x /user:ann`` and its password behind the user.
_NETWORK_DRIVE = lazy_pattern(
    rf"\bnet(?:\.exe)?\s+use\s+(?:\S+:\s+)?\\\\\S+\s+(?:/user:\S+\s+)?(?!/){_VALUE}",
    re.IGNORECASE,
)
_NULL = frozenset({"nul", "/dev/null", "&1", "&2", "nul:"})


class Recorder:
    """The state that commands share, and what has been found so far.

    Args:
        windows: whether paths are those of Windows.
        variables: the environment, as far as it is known.
        base: the folder of the file.
        folder: the current folder at the start; None where nobody says.
        read: returns the text of another file that is called, or None.
    """

    def __init__(
        self,
        *,
        windows: bool,
        variables: Mapping[str, str],
        base: str | None,
        folder: str | None,
        read: Callable[[str], str | None],
    ) -> None:
        self.windows = windows
        self.paths = ntpath if windows else posixpath
        self.known = {self._key(name): value for name, value in variables.items()}
        self.base = base
        self.folder = folder
        self.read = read
        self.file = ""
        self.open: list[str] = []
        self.set: dict[str, str] = {}
        self.set_at: dict[str, Place] = {}
        self.used: set[str] = set()
        self.python: tuple[str, ...] = ()
        self.python_folder: str | None = None
        self.conda: str | None = None
        self.calls: list[Call] = []
        self.notes: list[Note] = []
        self.timeout: float | None = None
        self.waits: bool | None = None
        self._pushed: list[str | None] = []
        self._former: str | None = folder
        self._secrets: set[str] = set()
        self._logs: set[str] = set()
        self._users: set[str] = set()

    def _key(self, name: str) -> str:
        return name.upper() if self.windows else name

    def place(self, line: int | None) -> Place:
        """Return the place of a line of the file that is read now."""
        return Place(line, self.file)

    def note(self, line: int | None, template: str, **values: object) -> None:
        """Keep what cannot be carried over; the same sentence once for each line."""
        values = {
            name: shown(value) if isinstance(value, str) else value
            for name, value in values.items()
        }
        note = Note(self.place(line), Sentence.of(template, **values))
        if note not in self.notes and len(self.notes) < _MOST_NOTES:
            self.notes.append(note)

    # --- Variables and folders -------------------------------------------------------

    def value(self, name: str) -> str | None:
        """Return the value of a variable for the file itself, or None."""
        key = self._key(name)
        for own in self.set:
            if self._key(own) == key:
                self.used.add(own)
                return self.set[own]
        return self.known.get(key)

    def assign(self, name: str, value: str, line: int | None) -> None:
        """Set a variable for all that follows."""
        for own in [own for own in self.set if self._key(own) == self._key(name)]:
            del self.set[own]
        old = self.known.get("PATH") or "\0"
        if self._key(name) == "PATH" and (
            UNKNOWN in value or "%PATH%" in value.upper() or old in value
        ):
            self.note(
                line,
                N_(
                    "PATH was made longer: {value}; a script that needs it gets it by the"
                    " key `env`"
                ),
                value=plain(value.replace(old, "PATH")),
            )
            return
        self.keep_secret(name, value)
        self.set[name] = bounded(value)
        self.set_at[name] = self.place(line)

    def resolved(self, path: str) -> str:
        """Return a path with the current folder in front, where it is known."""
        if self.folder is None or not is_known(path):
            return path
        return str(self.paths.normpath(self.paths.join(self.folder, path)))

    def change_folder(self, path: str, line: int | None) -> None:
        """Make another folder the current one."""
        if not is_known(path):
            self.note(
                line, N_("the folder {path} is only known at run time"), path=path
            )
            return
        if path == "-":
            self.folder, self._former = self._former, self.folder
            return
        self._former = self.folder
        base = self.folder if self.folder is not None else self.base
        joined = path if base is None else self.paths.join(base, path)
        self.folder = str(self.paths.normpath(joined))

    # --- Commands --------------------------------------------------------------------

    def command(self, start: Start, line: int | None, source: str) -> bool:
        """Keep what one command does; return whether it starts a script.

        Args:
            start: the command, unwrapped; its text for another shell has been read.
            line: where it stands.
            source: as it was written.
        """
        self._around(start, line)
        words = start.words
        if not words:
            for name, value in start.env.items():
                self.assign(name, value, line)
            return False
        if self._environment(words, line) or self._moves(words, line):
            return False
        found = python_start(start)
        if found is not None:
            return self._call(found, start, line, source)
        name = program_name(words[0])
        if name not in _SILENT:
            template = _OTHERS.get(
                name, N_("{command} starts no Python script; it is not carried over")
            )
            self.note(line, template, command=source)
        return False

    def _moves(self, words: tuple[str, ...], line: int | None) -> bool:
        """Change the current folder where a command does; say whether it does."""
        name = program_name(words[0])
        rest = [word for word in words[1:] if word and word not in {"--", "-P", "-L"}]
        if name in {"cd", "chdir"}:
            if rest:
                self.change_folder(rest[0], line)
        elif name == "pushd":
            self._pushed.append(self.folder)
            self.change_folder(rest[0] if rest else ".", line)
        elif name == "popd":
            self.folder = self._pushed.pop() if self._pushed else self.folder
        else:
            return False
        return True

    def fails_stop(self, at: int = -1) -> None:
        """Note that a failure of a script ended the file; by default of the last one."""
        if not self.calls:
            return
        if at == -1:
            # What ended a part that has just ended as well ends the whole of it now.
            end = len(self.calls)
            self.calls = [
                replace(call, stops_until=None) if call.stops_until == end else call
                for call in self.calls
            ]
        self.calls[at] = replace(self.calls[at], stops=True, stops_until=None)

    def part_ends(self, begin: int, among: Iterable[int] | None = None) -> None:
        """Note that what failures stop from the script ``begin`` on goes no further.

        Args:
            begin: the first script of a list of ``&&``, a file that is called, a group.
            among: the scripts that are meant; None: all from that one on.
        """
        end = len(self.calls)
        for at in range(begin, end) if among is None else among:
            call = self.calls[at]
            if at == end - 1:
                # Nothing stood behind it.
                self.calls[at] = replace(call, stops=False, stops_until=None)
            elif call.stops and call.stops_until is None:
                self.calls[at] = replace(call, stops_until=end)

    def condition(self, line: int | None, source: str) -> None:
        """Note a condition that only the run can tell."""
        self.note(
            line, N_("the condition {command} is not carried over"), command=source
        )

    def output_to(self, target: str, line: int | None) -> None:
        """Note where the output went; each file once."""
        if target.lower() in _NULL or target in self._logs:
            return
        self._logs.add(target)
        self.note(
            line,
            N_(
                "the output to {file} is no longer needed: `python-runner output` shows"
                " what the scripts print"
            ),
            file=target,
        )

    def piped(self, source: str, line: int | None) -> None:
        """Note a program that reads the output of a script."""
        if program_name(source.split(" ", maxsplit=1)[0] if source else "") not in {
            "tee",
            "ts",
        }:
            self.note(
                line,
                N_("the output is not piped into {command} any more"),
                command=source,
            )

    def has_input(self, source: str, line: int | None) -> None:
        """Note what a script read at its standard input."""
        self.note(
            line,
            N_("the standard input is empty; {source} is not carried over"),
            source=source,
        )

    def taken(self) -> Taken:
        """Return what has been found."""
        return Taken(
            windows=self.windows,
            base=self.base,
            calls=tuple(replace(call, own=frozenset(self.used)) for call in self.calls),
            timeout=self.timeout,
            waits=self.waits,
            notes=tuple(self.notes),
            secrets=frozenset(self._secrets),
        )

    def keep_secret(self, name: str, value: str) -> None:
        """Keep a value that is secret by the name of its variable."""
        if is_secret_name(name) and is_known(value):
            self._secrets.add(value)

    def _around(self, start: Start, line: int | None) -> None:
        if start.locked is not None:
            self.waits = start.locked
            self.note(
                line,
                N_("flock is no longer needed: a project never runs twice at once"),
            )
        if start.user and start.user not in self._users:
            self._users.add(start.user)
            self.note(
                line,
                N_(
                    "it ran as the user {user}; scripts run as the user who starts"
                    " Python Runner"
                ),
                user=start.user,
            )

    def _environment(self, words: tuple[str, ...], line: int | None) -> bool:
        """Take the environment that a command activates; say whether it does."""
        name = program_name(words[0])
        rest = [word for word in words[1:] if not word.startswith("-")]
        if name in {"source", "."} and rest:
            return self._sourced(rest[0], rest[1:], line)
        if name in {"conda", "mamba", "micromamba"}:
            if match := _CONDA_ACTIVATE.fullmatch(words[0]):
                self.conda = match[1]
            if rest[:1] == ["activate"]:
                self._activate_conda(rest[1] if len(rest) > 1 else "base")
                return True
            return rest[:1] in (["deactivate"], ["init"], ["hook"])
        if name in {"deactivate", "eval", "conda_hook"}:
            if name == "deactivate":
                self.python = ()
            return True
        if program_name(words[0]) == "activate":
            return self._sourced(words[0], rest, line)
        return False

    def _sourced(self, path: str, rest: list[str], line: int | None) -> bool:
        if match := _CONDA_PROFILE.fullmatch(path):
            self.conda = match[1]
            return True
        match = _ACTIVATE.fullmatch(path)
        if match is None:
            return program_name(path) == "activate" and bool(
                rest and self._activate_conda(rest[0])
            )
        folder = match[1]
        name = re.split(r"[\\/]", folder)[-1]
        if rest or _CONDA_FOLDER.fullmatch(name):
            self.conda = folder
            if rest:
                self._activate_conda(rest[0])
            elif self.windows:
                self._activate_conda("base")
            return True
        if not is_known(folder):
            self.note(
                line, N_("the folder {path} is only known at run time"), path=folder
            )
            return True
        end = "Scripts\\python" if self.windows else "bin/python"
        self.python = (self.paths.join(folder, end),)
        self.python_folder = self.folder if self.folder is not None else self.base
        return True

    def _activate_conda(self, environment: str) -> bool:
        if re.search(r"[\\/]", environment):
            prefix = environment
        elif self.conda and is_known(self.conda):
            parts = () if environment == "base" else ("envs", environment)
            prefix = self.paths.join(self.conda, *parts)
        else:
            self.python = (
                "conda",
                "run",
                "--no-capture-output",
                "-n",
                environment,
                "python",
            )
            return True
        end = ("python.exe",) if self.windows else ("bin", "python")
        self.python = (self.paths.join(prefix, *end),)
        return True

    def _call(
        self, found: PythonStart, start: Start, line: int | None, source: str
    ) -> bool:
        if found.script is None:
            self._no_script(found, line, source)
            return False
        if not is_known(found.script):
            self.note(
                line,
                N_("the script {path} is only known at run time"),
                path=found.script,
            )
            return False
        if len(self.calls) >= _MOST_CALLS:
            return False
        python, python_folder = self._interpreter(found, line)
        folder = self.folder
        if start.folder and start.python[:2] != ("uv", "run"):
            folder = self.resolved(start.folder)
        self.calls.append(
            Call(
                script=found.script,
                args=self._args(found, line),
                python=python,
                python_folder=python_folder,
                folder=folder,
                env=self._env(start, line),
                set_at=dict(self.set_at),
                timeout=start.timeout,
                place=self.place(line),
            )
        )
        return True

    def _no_script(self, found: PythonStart, line: int | None, source: str) -> None:
        """Note what starts Python without a file."""
        if not found.other:
            # `python --version`, or an interpreter that waits for somebody to type.
            return
        module = found.other.removeprefix("-m ")
        code = f'import runpy; runpy.run_module("{module}", run_name="__main__")'
        if module in {"pip", "venv", "ensurepip", "virtualenv"}:
            template = N_("{command} starts no Python script; it is not carried over")
        elif module != found.other:
            template = N_(
                "{command} starts a module; write a script with the line {code} and list"
                " it"
            )
        else:
            template = N_(
                "{command} starts code without a file; it is not carried over"
            )
        self.note(line, template, command=source, code=code)

    def _interpreter(
        self, found: PythonStart, line: int | None
    ) -> tuple[tuple[str, ...], str | None]:
        """Return the interpreter of a script, and the folder its path begins in."""
        python = found.python
        named = bool(python) and (
            re.search(r"[\\/]", python[0])
            or not is_python(python[0])
            or program_name(python[0]) in {"py", "pyw"}
        )
        if self.python and not named:
            return (*self.python, *python[1:]), self.python_folder
        if not all(map(is_known, python)):
            self.note(
                line,
                N_("the interpreter {path} is only known at run time"),
                path=" ".join(python),
            )
            python = ()
        return python, self.folder if self.folder is not None else self.base

    def _args(self, found: PythonStart, line: int | None) -> tuple[str, ...]:
        """Return the arguments that are known now, the others noted."""
        kept: list[str] = []
        for arg in found.args:
            if is_known(arg):
                kept.append(arg)
                continue
            option = kept.pop() if kept and kept[-1].startswith("-") else ""
            self.note(
                line,
                N_(
                    "{script} does not get the argument {argument}: it is only known at"
                    " run time"
                ),
                script=found.script or "",
                argument=f"{option} {arg}".strip(),
            )
        return tuple(kept)

    def _env(self, start: Start, line: int | None) -> dict[str, str]:
        env = {}
        for name, value in (self.set | start.env).items():
            if is_known(value):
                env[name] = value
            elif name not in self.used:
                set_at = self.set_at.get(name) if name not in start.env else None
                place = set_at or self.place(line)
                text = N_("the value of {name}, {value}, is only known at run time")
                note = Note(
                    place, Sentence.of(text, name=shown(name), value=shown(value))
                )
                if note not in self.notes and len(self.notes) < _MOST_NOTES:
                    self.notes.append(note)
        return env


def without_secrets(command: str) -> str:
    """Return a command as people may see it: passwords that stand in it masked."""
    inside = set(secrets_inside("", command)) if len(command) <= _LONGEST else set()
    for pattern in (_OPTION, _ASSIGNED, _LOGIN, _NETWORK_DRIVE):
        for match in pattern.finditer(command):
            name = match.groupdict().get("name")
            if name is None or is_secret_name(name.replace("-", "_")):
                inside.add(match["secret"].strip("\"'"))
    return Masker(inside).text(command)


def shown(text: str) -> str:
    """Return a part of a file as a note shows it: on one line, its end cut."""
    line = " ".join(without_secrets(plain(text)).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def unknown(text: str) -> str:
    """Return a part of a text that only the run can tell."""
    return f"{UNKNOWN}{plain(text)}{END}"


def bounded(value: str) -> str:
    """Return a value, or, where it has grown beyond any use, that nobody knows it."""
    return value if len(value) <= _LONGEST else unknown(value[:_SHOWN])


def starts_python(text: str) -> bool:
    """Say whether a piece of a file looks as if it started a script of Python."""
    words = re.split(r"[\s\"'()&|;=]+", text)
    return any(word and (is_python(word) or is_script(word)) for word in words)
