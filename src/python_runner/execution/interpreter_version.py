"""Asks an interpreter who it is: its version, and the program behind a launcher."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from ast import literal_eval
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Interpreter
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Seconds an answer may take: a cold disk, or a network drive.
PATIENCE = 10.0
#: Seconds in which one that was stopped closes its streams.
_AFTER_KILL = 1.0
if sys.platform == "win32":
    #: A runner without a console must not open one for this.
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0

# In ASCII: folders have accents, and the encoding of its streams is unknown.
_QUESTION = """
import sys
base = getattr(sys, "_base_executable", sys.executable)
answer = repr((sys.version.split()[0], sys.executable, base))
print(answer.encode("ascii", "backslashreplace").decode("ascii"))
"""
#: Bytes of what it says that are read; an answer is shorter.
_LONGEST = 10_000
#: Characters of its last line that people are shown.
_SHOWN = 200
#: Exit code of cmd.exe for a program that it does not find, and of the stub that Windows
#: has in the place of a Python.
NOT_FOUND = 9009
#: Where Windows keeps that stub, and the Python of its Store as well.
_STORE = "\\microsoft\\windowsapps\\"

_NO_STORE = N_(
    "this is not Python but the Windows alias that opens the Microsoft Store; install"
    " Python, or give the path of a python.exe"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an interpreter said when it was asked.

    Attributes:
        interpreter: what is known of it; without a version where it is no Python.
        executable: the program that answered, behind a launcher; None if none did.
        problem: why it is no Python, or None.
    """

    interpreter: Interpreter
    executable: str | None = None
    problem: Sentence | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    exit_code: int
    output: str
    errors: str

    @property
    def last_line(self) -> str:
        lines = f"{self.output}\n{self.errors}".strip().splitlines() or [""]
        return lines[-1].strip()[:_SHOWN]


def shown_command(command: Sequence[str]) -> str:
    """Return a command as people would type it; a program alone as it is."""
    if len(command) == 1:
        return command[0]
    if sys.platform == "win32":
        return subprocess.list2cmdline(command)
    return shlex.join(command)


def ask_version(
    interpreter: Path,
    folder: Path,
    environ: Mapping[str, str],
    arguments: Sequence[str] = (),
) -> Interpreter:
    """Ask an interpreter for its version: as long as its bare start, 10 s at most.

    The arguments are those of :func:`ask`.
    """
    return ask(interpreter, folder, environ, arguments).interpreter


def ask(
    interpreter: Path,
    folder: Path,
    environ: Mapping[str, str],
    arguments: Sequence[str] = (),
) -> Answer:
    """Ask an interpreter who it is: as long as its bare start, 10 s at most.

    Args:
        interpreter: the program to ask.
        folder: where the scripts will run; launchers may look there.
        environ: the whole environment of the scripts.
        arguments: of the program, before those of Python: ``-3.12`` of ``py``.
    """
    path = shown_command([str(interpreter), *arguments])
    nothing = Interpreter(path=path)
    command = [str(interpreter), *arguments, "-E", "-s", "-S", "-c", _QUESTION]
    try:
        said = _ask(command, folder, environ)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Answer(interpreter=nothing, problem=_why_silent(interpreter, error))
    answer = _parsed(said)
    if answer is None:
        return Answer(interpreter=nothing, problem=_why_no_python(interpreter, said))
    version, executable, base = answer
    itself = not arguments and os.path.normcase(executable) == os.path.normcase(path)
    known = Interpreter(
        path=path,
        version=version,
        base=base,
        stamp=stamp_of(path, base) if itself else None,
    )
    return Answer(interpreter=known, executable=executable)


def executable_behind(
    batch: Path, folder: Path, environ: Mapping[str, str]
) -> Path | None:
    """Return the interpreter that a batch file starts; None if that cannot be found out.

    The question goes through its standard input: ``cmd.exe`` would take a quote or a
    line break among the arguments for its own.
    """
    try:
        answer = _parsed(_ask([str(batch), "-"], folder, environ, _QUESTION.encode()))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Path(answer[1]) if answer and answer[1] else None


def _ask(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    question: bytes = b"",
) -> _Said:
    """Run a command to its end, with a question at its standard input.

    Raises:
        OSError: it cannot be started.
        ValueError: it is no command of any system.
        subprocess.TimeoutExpired: it took too long and was stopped.
    """
    process = subprocess.Popen(  # noqa: S603 - the interpreter that runs the scripts
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        creationflags=_FLAGS,
    )
    try:
        output, errors = process.communicate(question, PATIENCE)
    except BaseException:
        _kill(process)
        raise
    return _Said(process.returncode, _text(output), _text(errors))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Stop a process that was asked, with what it has started."""
    import psutil  # noqa: PLC0415 - only for one that does not answer

    with suppress(psutil.Error, OSError):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()
    # What lives on all the same keeps the pipes open: nobody waits for it.
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=_AFTER_KILL)


def _text(said: bytes) -> str:
    return said[-_LONGEST:].decode("utf-8", "replace")


def _parsed(said: _Said) -> tuple[str, str, str] | None:
    """Return version, executable and base; launchers may say something before."""
    lines = said.output.strip().splitlines()
    if said.exit_code or not lines:
        return None
    try:
        version, executable, base = literal_eval(lines[-1].strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return str(version), str(executable), str(base)


def _why_silent(interpreter: Path, error: Exception) -> Sentence:
    if isinstance(error, subprocess.TimeoutExpired):
        return Sentence.of(
            N_("{file} did not answer like a Python interpreter within {seconds} s"),
            file=str(interpreter),
            seconds=f"{PATIENCE:g}",
        )
    told = system_error(error) if isinstance(error, OSError) else str(error)
    return Sentence.of(
        N_("{file} cannot be started: {error}"), file=str(interpreter), error=told
    )


def _why_no_python(interpreter: Path, said: _Said) -> Sentence:
    file = str(interpreter)
    if said.exit_code == NOT_FOUND or (said.exit_code and _is_store(file)):
        return Sentence.of(
            "{file}: {problem}", file=file, problem=Sentence.of(_NO_STORE)
        )
    template = N_(
        "{file} does not answer like a Python interpreter: exit code {code},"
        " {last_line}"
    )
    if not said.last_line:
        template = N_(
            "{file} does not answer like a Python interpreter: exit code {code}"
        )
    return Sentence.of(
        template, file=file, code=said.exit_code, last_line=said.last_line
    )


def _is_store(file: str) -> bool:
    return _STORE in file.lower()


def still_holds(known: Interpreter) -> bool:
    """Say whether an answer of earlier would be given again: no file has changed."""
    return known.base is not None and known.stamp == stamp_of(known.path, known.base)


def stamp_of(*files: str) -> str | None:
    """Return what changes when one of ``files`` does; None where one is missing."""
    try:
        found = [os.stat(file) for file in files]  # noqa: PTH116 - plain texts
    except (OSError, ValueError):
        return None
    return " ".join(f"{status.st_size}:{status.st_mtime_ns}" for status in found)
