"""An environment of its own for each peer, kept in a folder between runs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path


#: Seconds that an installation may take.
_LIMIT = 600.0
#: In an environment that is complete.
_READY = "ready"


class UnavailableError(Exception):
    """A peer cannot be had on this machine.

    Attributes:
        detail: what the installer said, for the terminal; it may name hosts and paths.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.detail = detail
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment, by the folder of its programs."""

    bin: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.bin / "python")

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.bin / name)

    def version(self, distribution: str) -> str:
        """Return the version of what is installed in it; "-" where it has none."""
        code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
        done = subprocess.run(
            [self.python, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT,
        )
        return done.stdout.strip() or "-"


def real_interpreter() -> str:
    """Return the interpreter behind environments, links and shims."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def prepare(cache: Path, name: str, requirement: str, *, update: bool) -> Environment:
    """Return the environment that holds a requirement; "" asks for an empty one.

    It is made where the cache has none of this Python and requirement, or where it is
    to be brought up to date.

    Raises:
        UnavailableError: what is required cannot be installed.
    """
    tag = f"{real_interpreter()} {sys.version} {requirement}"
    digest = hashlib.sha256(tag.encode()).hexdigest()[:8]
    folder = cache / f"{name}-{digest}"
    environment = Environment(
        Path(sysconfig.get_path("scripts", "venv", _vars(folder)))
    )
    if (folder / _READY).exists() and not update:
        return environment
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [real_interpreter(), "-m", "venv"]
    _call([*command, *([] if requirement else ["--without-pip"]), str(folder)])
    if requirement:
        pip = [environment.python, "-m", "pip", "--disable-pip-version-check"]
        _call([*pip, "install", "--quiet", "--no-input", requirement])
    (folder / _READY).touch()
    return environment


def _vars(folder: Path) -> dict[str, str]:
    return {"base": str(folder), "platbase": str(folder)}


def _call(command: list[str]) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in str(error.stderr).splitlines() if line.strip()]
        reason = "pip cannot install it on this machine"
        raise UnavailableError(reason, "\n".join(lines[-3:])) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError("its installation broke off", str(error)) from error


def find_program(name: str) -> str:
    """Return the path of a program of this machine.

    Raises:
        UnavailableError: there is none.
    """
    if (path := shutil.which(name)) is None:
        raise UnavailableError(f"{name} is not installed on this machine")
    return path
