"""What the words of a command start: an interpreter, its script, and what is around it."""

from __future__ import annotations

import re
from dataclasses import field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable

_PYTHON = lazy_pattern(r"(?:python|pypy)w?[\d.]*|pyw?", re.IGNORECASE)
_PYTHON_FLAGS = lazy_pattern(r"-[bBdEhiIOPqRsSuvVx]+")
_LAUNCHER_FLAGS = lazy_pattern(r"-(?:\d[\d.]*(?:-(?:32|64|arm64))?|V:\S+)")
_ASSIGNMENT = lazy_pattern(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SPAN = lazy_pattern(r"(\d+(?:\.\d+)?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
#: Options of Python that take the next word.
_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}
#: Programs that start another one and change nothing that matters here, each with its
#: options that take the next word.
_WRAPPERS: dict[str, frozenset[str]] = {
    "nice": frozenset({"-n", "--adjustment"}),
    "ionice": frozenset({"-c", "-n", "--class", "--classdata"}),
    "chrt": frozenset(),
    "nohup": frozenset(),
    "time": frozenset({"-f", "-o"}),
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "chronic": frozenset(),
    "cronic": frozenset(),
    "setsid": frozenset(),
    "unbuffer": frozenset(),
    "caffeinate": frozenset(),
    "systemd-cat": frozenset({"-t", "-p"}),
    "xvfb-run": frozenset({"-n", "-s", "-e", "-f"}),
}
#: Options that take the next word, of programs that find an environment first.
_MANAGERS: dict[str, frozenset[str]] = {
    "uv": frozenset(
        {"--project", "--directory", "--with", "--python", "-p", "--extra", "--group"}
        | {"--env-file", "--package", "--with-requirements", "--index", "--cache-dir"}
    ),
    "poetry": frozenset({"-C", "--directory", "-P", "--project"}),
    "pipenv": frozenset(),
    "pdm": frozenset({"-p", "--project"}),
    "hatch": frozenset({"-e", "--env"}),
    "pyenv": frozenset(),
    "rye": frozenset(),
}
_CONDAS = frozenset({"conda", "mamba", "micromamba"})
_FOLDER_OPTIONS = frozenset({"--project", "--directory", "-C", "-P"})
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
_SUFFIXES = (".exe", ".bat", ".cmd", ".com")
#: Wrappers around wrappers, at most.
_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a command starts, what is around it taken off.

    Attributes:
        words: the rest of the command: a program and its arguments.
        python: what finds the interpreter, where an environment's program does.
        folder: the folder that such a program was given.
        env: variables set for it alone.
        timeout: seconds, or None.
        locked: whether a second start waits (True) or gives up (False); None: no lock.
        user: another user that it runs as.
        text: a command line for another shell to read, in the place of ``words``.
    """

    words: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    folder: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    locked: bool | None = None
    user: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonStart:
    """How an interpreter is started.

    Attributes:
        python: the interpreter and its own arguments.
        script: the file; None for a module, code, or nothing.
        args: those of the script.
        other: ``-m name`` or ``-c``, in the place of a script; empty where neither.
    """

    python: tuple[str, ...]
    script: str | None = None
    args: tuple[str, ...] = ()
    other: str = ""


def program_name(word: str) -> str:
    """Return the name of a program, without folder and suffix, in small letters."""
    name = re.split(r"[\\/]", word)[-1].lower()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def is_python(word: str) -> bool:
    """Say whether a word names an interpreter of Python."""
    return _PYTHON.fullmatch(program_name(word)) is not None


def is_script(word: str) -> bool:
    """Say whether a word names a file of Python."""
    return word.lower().endswith((".py", ".pyw"))


def seconds(text: str) -> float | None:
    """Return the seconds of ``90``, ``5m`` or ``2h``; None for anything else."""
    match = _SPAN.fullmatch(text.lower())
    return float(match[1]) * _SECONDS[match[2]] if match else None


def unwrapped(words: tuple[str, ...]) -> Start:
    """Return what a command starts, without the programs that only start another one."""
    start = Start(words=words)
    for _ in range(_DEPTH):
        inner = _inner(start)
        if inner is None:
            break
        start = inner
    return start


def python_start(start: Start) -> PythonStart | None:
    """Return how a command starts Python; None where it does not."""
    words = start.words
    if not words:
        return None
    if is_python(words[0]):
        return _python(words, start.python)
    if is_script(words[0]):
        # uv reads the interpreter's needs from the script; the others find it by themselves.
        python = (*start.python, "python") if start.python else ()
        return PythonStart(python=python, script=words[0], args=words[1:])
    return None


def _python(words: tuple[str, ...], manager: tuple[str, ...]) -> PythonStart:
    """Return what an interpreter starts; the options that still matter stay with it."""
    python = [*manager, words[0]]
    launcher = program_name(words[0]) in {"py", "pyw"}
    rest = list(words[1:])
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        if word == "-m" and rest:
            return PythonStart(python=tuple(python), other=f"-m {rest[0]}")
        kept = _option_of_python(word, launcher=launcher)
        if kept is None:
            # Code, standard input, or what no version knows.
            return PythonStart(python=tuple(python), other=word)
        python += kept
        if word in _WITH_VALUE and rest:
            python.append(rest.pop(0))
    if not rest:
        return PythonStart(python=tuple(python))
    return PythonStart(python=tuple(python), script=rest[0], args=tuple(rest[1:]))


def _option_of_python(word: str, *, launcher: bool) -> list[str] | None:
    """Return an option as it is kept: not at all, or as it is; None for no option."""
    if launcher and _LAUNCHER_FLAGS.fullmatch(word):
        return [word]
    if word in _WITH_VALUE or re.match(r"-[WX].", word):
        return [word]
    if _PYTHON_FLAGS.fullmatch(word):
        # Output is never buffered here, and nobody can look into what has ended.
        flags = re.sub("[uvxidhqV]", "", word[1:])
        return [f"-{flags}"] if flags else []
    return None


def _inner(start: Start) -> Start | None:
    """Return what the first program starts; None where it starts no other one."""
    words = start.words
    if not words:
        return None
    if assigned := _ASSIGNMENT.fullmatch(words[0]):
        env = start.env | {assigned[1]: assigned[2]}
        return replace(start, words=words[1:], env=env)
    name = program_name(words[0])
    rest = words[1:]
    if name in _WRAPPERS:
        return replace(start, words=_without_options(rest, _WRAPPERS[name])[0])
    if name in _SHELLS:
        return _shell(start, rest)
    known = _INNER.get(name)
    return known(start, name, rest) if known else _managed(start, name, rest)


def _timeout(start: Start, _name: str, rest: tuple[str, ...]) -> Start | None:
    span, *inner = (*_without_options(rest, frozenset({"-k", "-s"}))[0], "")
    # The program of Windows with this name only waits.
    if len(inner) < 2 or (limit := seconds(span)) is None:  # noqa: PLR2004 - a program
        return None
    return replace(start, words=tuple(inner[:-1]), timeout=limit or None)


def _shell(start: Start, rest: tuple[str, ...]) -> Start | None:
    """Return the text that a shell is given by ``-c``; a script is none."""
    for at, option in enumerate(rest[:3]):
        if option.startswith("-") and not option.startswith("--") and "c" in option:
            return replace(start, words=(), text=" ".join(rest[at + 1 : at + 2]))
    return None


def _flock(start: Start, _name: str, rest: tuple[str, ...]) -> Start:
    valued = frozenset({"-w", "--timeout", "--wait", "-E", "--conflict-exit-code"})
    rest, options = _without_options(rest, valued)
    gives_up = any(
        option in {"--nb", "--nonblock"}
        or (not option.startswith("--") and "n" in option)
        for option in options
    )
    inner = rest[1:]
    locked = replace(start, locked=not gives_up)
    if inner[:1] in {("-c",), ("--command",)}:
        return replace(locked, words=(), text=" ".join(inner[1:2]))
    return replace(locked, words=inner)


def _other_user(start: Start, name: str, rest: tuple[str, ...]) -> Start:
    user = "root"
    text = None
    left = list(rest)
    while left and left[0].startswith("-"):
        option = left.pop(0)
        if option in {"-u", "--user", "-g", "-h"} and left:
            value = left.pop(0)
            user = value if option in {"-u", "--user"} else user
        elif option.startswith("--user="):
            user = option.partition("=")[2]
        elif option in {"-c", "--command"} and left:
            text = left.pop(0)
        elif option == "--":
            break
    if name == "su" and left:
        user = left.pop(0)
        if left[:1] == ["-c"]:
            text = " ".join(left[1:2])
    return replace(
        start, words=tuple(left) if text is None else (), user=user, text=text
    )


def _managed(start: Start, name: str, rest: tuple[str, ...]) -> Start | None:
    """Return what is started in an environment that a program finds."""
    if name in _CONDAS and "run" in rest:
        return _conda(start, name, rest[rest.index("run") + 1 :])
    if name not in _MANAGERS:
        return None
    verb = "exec" if name == "pyenv" else "run"
    before, options = _without_options(rest, _MANAGERS[name])
    if before[:1] != (verb,):
        return None
    inner, more = _without_options(before[1:], _MANAGERS[name])
    folder = _option(options + more, _FOLDER_OPTIONS)
    # What finds the interpreter, its own name left to what is started.
    kept = [word for word in (*options, *more) if word not in _FOLDER_OPTIONS]
    python = (name, verb, *(word for word in kept if word != folder))
    return replace(start, words=inner, python=python, folder=folder)


def _conda(start: Start, name: str, rest: tuple[str, ...]) -> Start:
    valued = frozenset({"-n", "--name", "-p", "--prefix", "--cwd"})
    inner, options = _without_options(rest, valued)
    environment = _option(options, frozenset({"-n", "--name"}))
    prefix = _option(options, frozenset({"-p", "--prefix"}))
    which = ("-n", environment) if environment else ("-p", prefix or "base")
    output = ("--no-capture-output",) if name != "micromamba" else ()
    return replace(
        start,
        words=inner,
        python=(name, "run", *output, *which),
        folder=_option(options, frozenset({"--cwd"})),
    )


def _option(options: tuple[str, ...], names: frozenset[str]) -> str | None:
    for word, value in zip_longest(options, options[1:], fillvalue=""):
        if word in names:
            return value
        name, sign, joined = word.partition("=")
        if sign and name in names:
            return joined
    return None


def _without_options(
    words: tuple[str, ...], valued: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words behind the options at their start, and these with their values."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "--":
            return words[at + 1 :], words[:at]
        at += 2 if words[at] in valued else 1
    return words[at:], words[:at]


#: Programs around others, each with what takes it off.
_INNER: dict[str, Callable[[Start, str, tuple[str, ...]], Start | None]] = {
    "env": lambda start, _name, rest: replace(
        start, words=_without_options(rest, frozenset({"-u", "-S"}))[0]
    ),
    "timeout": _timeout,
    "flock": _flock,
    "sudo": _other_user,
    "doas": _other_user,
    "runuser": _other_user,
    "su": _other_user,
}
