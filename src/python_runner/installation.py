"""How Python Runner was installed, and so what installs and uninstalls packages there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path


#: The name on the package index; ``python-runner`` is somebody else's there.
DISTRIBUTION = "python-series-runner"
COMMAND = "python-runner"
_MODULE = ("-m", "python_runner")


def extra_command(extra: str) -> str:
    """Return the command that adds what an extra needs to this installation."""
    return package_command("install", f'"{DISTRIBUTION}[{extra}]"')


def package_command(verb: str, what: str) -> str:
    """Return a command that changes the packages beside Python Runner.

    Args:
        verb: ``install`` or ``uninstall``.
        what: options and packages, ready for a shell.
    """
    if single_file():
        # Nothing changes what such a file holds; what is installed beside it does.
        return f"pipx {verb} {what}"
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return f"pipx runpip {DISTRIBUTION} {verb} {what}"
    if find_spec("pip"):
        return f"{shell_program(sys.executable)} -m pip {verb} {what}"
    # The environments that uv makes have no pip.
    return f"uv pip {verb} --python {shell_word(sys.executable)} {what}"


def shell_word(text: str) -> str:
    """Return a path or an address as one word for the shells of this platform."""
    if sys.platform != "win32":
        return text if re.fullmatch(r"[\w./:+@=-]+", text) else shlex.quote(text)
    # cmd and PowerShell have these quotes in common, and a path cannot hold them.
    return text if re.fullmatch(r"[\w./\\:+@~=-]+", text) else f'"{text}"'


def shell_program(path: str) -> str:
    """Return the path of a program as the first word of a command."""
    word = shell_word(path)
    return quoted_inside(path) if word.startswith('"') else word


def quoted_inside(path: str) -> str:
    """Return a path of Windows with quotes around its parts, none of them at its begin.

    A command that begins with a quote is a text for PowerShell, and no command.
    """
    first, *parts = path.split("\\")
    quoted = (
        f'"{part}"' if re.search(r"[^\w.@~+=-]", part) else part for part in parts
    )
    return "\\".join((first, *quoted))


def single_file() -> str | None:
    """Return the path of the ``.pyz`` that this command was started from, if it was."""
    # ``tools/pyz_main.py`` says so. A program of somebody's own may be such a file as well.
    file: str | None = getattr(sys.modules["__main__"], "PYTHON_RUNNER_FILE", None)
    return file


def start_words() -> list[str]:
    """Return the program and the arguments that start this installation anywhere."""
    return [sys.executable, *([file] if (file := single_file()) else _MODULE)]


def own_command() -> str:
    """Return what a person types to start this command again, in the same folder."""
    started = sys.argv[0]
    if single_file() or Path(started).stem != COMMAND:
        program, *words = start_words()
        return " ".join((shell_program(program), *map(shell_word, words)))
    import shutil  # noqa: PLC0415 - seldom needed

    found = shutil.which(COMMAND)
    if found and _same_program(found, started):
        return COMMAND
    return shell_program(started)


def _same_program(one: str, other: str) -> bool:
    """Say whether two paths name one program, with or without its ``.exe``."""
    first, second = (
        os.path.normcase(os.path.realpath(path)).removesuffix(".exe")
        for path in (one, other)
    )
    return first == second


def scheduled_command() -> tuple[str, ...]:
    """Return what a scheduler starts: this program by its absolute path, no window.

    The program in the folder of the interpreter is taken before ``-m``: that would look
    for modules in the working folder first, where there may be anything.
    """
    folder = Path(sys.executable).parent
    if file := single_file():
        return (_windowless(folder), file)
    name = f"{COMMAND}w.exe" if sys.platform == "win32" else COMMAND
    program = folder / name
    if program.is_file():
        return (str(program),)
    return (_windowless(folder), "-P", "-m", "python_runner")


def _windowless(folder: Path) -> str:
    """Return the interpreter that opens no window."""
    if sys.platform == "win32" and (folder / "pythonw.exe").is_file():
        return str(folder / "pythonw.exe")
    return sys.executable
