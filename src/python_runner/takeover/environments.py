"""Which interpreter the files of a project's folder name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_CONDA_NAME = lazy_pattern(r"(?m)^name\s*:\s*[\"']?([^\s\"'#]+)")
_CONDA_PREFIX = lazy_pattern(r"(?m)^prefix\s*:\s*[\"']?([^\n\"'#]+?)[\"']?\s*$")
_VERSION = lazy_pattern(r"(?:cpython-)?(3\.\d{1,2})(?:\.(\d{1,3}))?")
_WINDOWS_PYTHON, _POSIX_PYTHON = "Scripts/python.exe", "bin/python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An interpreter that the files of a folder name.

    Attributes:
        command: as ``python_command`` has it; None: found by default.
        asked: whether it may be asked who it is: some make an environment then.
    """

    command: str | tuple[str, ...] | None
    asked: bool = True


def candidates(
    folders: Iterable[str],
    read: Callable[[str], str | None],
    exists: Callable[[str], bool],
    *,
    conda: Sequence[str] = (),
    pythons: Sequence[str] = (),
    windows: bool,
) -> list[Candidate]:
    """Return the interpreters that the files of a folder name, the likeliest first.

    Args:
        folders: names of the folders in it.
        read: returns the text of a file in it, or None.
        exists: says whether a path in it, with slashes, leads to something.
        conda: folders of the conda environments of this user.
        pythons: folders of the versions that pyenv has installed.
        windows: whether this computer runs Windows.
    """
    found: list[Candidate] = []
    names = sorted(folders, key=lambda name: (name not in {".venv", "venv"}, name))
    for name in names:
        own = exists(f"{name}/pyvenv.cfg")
        if own and name in {".venv", "venv"}:
            found.append(Candidate(command=None))
            continue
        for end in (_WINDOWS_PYTHON, _POSIX_PYTHON):
            if (own or name in {".venv", "venv", "env"}) and exists(f"{name}/{end}"):
                found.append(Candidate(command=f"{name}/{end.removesuffix('.exe')}"))
                break
    project = read("pyproject.toml") or ""
    for program, lock, table in (
        ("uv", "uv.lock", r"\[tool\.uv[\].]"),
        ("poetry", "poetry.lock", r"\[tool\.poetry[\].]"),
        ("pipenv", "Pipfile", "(?!)"),
    ):
        if exists(lock) or re.search(table, project):
            command = (program, "run", "python")
            found.append(Candidate(command=command, asked=False))
    found += _conda(read, conda, windows=windows)
    return found + _version(read(".python-version") or "", pythons, windows=windows)


def _conda(
    read: Callable[[str], str | None], prefixes: Sequence[str], *, windows: bool
) -> list[Candidate]:
    text = read("environment.yml") or read("environment.yaml")
    if text is None:
        return []
    name, prefix = _CONDA_NAME.search(text), _CONDA_PREFIX.search(text)
    wanted = [match[1] for match in (name, prefix) if match]
    end = "python.exe" if windows else _POSIX_PYTHON
    found = [
        Candidate(command=f"{place}/{end}")
        for place in prefixes
        if place in wanted or _name(place) in wanted
    ]
    if name:
        command = ("conda", "run", "--no-capture-output", "-n", name[1], "python")
        found.append(Candidate(command=command))
    return found


def _version(text: str, pythons: Sequence[str], *, windows: bool) -> list[Candidate]:
    """Return the interpreters of ``.python-version``."""
    lines = [line.strip() for line in text.splitlines()]
    wanted = next((line for line in lines if line and not line.startswith("#")), "")
    match = _VERSION.fullmatch(wanted)
    if match is None:
        return []
    end = "python.exe" if windows else _POSIX_PYTHON
    kept = [place for place in pythons if f"{_name(place)}.".startswith(f"{wanted}.")]
    kept.sort(
        key=lambda place: [int(n) for n in re.findall(r"\d+", place)], reverse=True
    )
    found = [Candidate(command=f"{place}/{end}") for place in kept]
    launcher = ("py", f"-{match[1]}") if windows else f"python{match[1]}"
    return [*found, Candidate(command=launcher)]


def _name(place: str) -> str:
    return re.split(r"[\\/]", place)[-1]
