"""What is found out about this computer: account, time zone, packages, permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.config import permissions
from python_runner.config.foreign_packages import package_problems
from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding, Kind
from python_runner.doctor.surroundings import open_permissions, readable_secrets
from python_runner.due_times import local_zone
from python_runner.texts.sanitize import flat


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from python_runner.doctor.examination import Examination
    from python_runner.exceptions import Problem
    from python_runner.model import Settings


def look_at_account() -> Iterator[Finding]:
    """Yield that this is root, and so what every script is."""
    for problem in permissions.root_problem():
        yield Finding.of(kinds.ROOT, problem=problem.message)


def look_at_packages(folder: Path) -> Iterator[Finding]:
    """Yield what takes Python Runner's name from it, for programs started in a folder."""
    yield from as_findings(kinds.FOREIGN_PACKAGE, package_problems(folder))


def look_at_permissions(
    examined: Sequence[Examination], settings: Settings
) -> Iterator[Finding]:
    """Yield what other users may change or read that they should not."""
    for problem in (
        *open_permissions(examined, settings),
        *readable_secrets(examined, settings),
    ):
        # What lies in a project is told of it.
        owners = (o.folder for o in examined if _lies_in(problem.file, o.folder))
        yield from as_findings(kinds.PERMISSIONS, [problem], next(owners, None))


def look_at_zone() -> Iterator[Finding]:
    """Yield that nobody knows when the clock changes here."""
    try:
        local_zone()
    except Exception as error:  # noqa: BLE001 - the library names no base of what it raises
        said = flat(str(error)) or type(error).__name__
        yield Finding.of(kinds.ZONE_UNKNOWN, error=said)


def as_findings(
    kind: Kind, problems: Iterable[Problem], project: Path | None = None
) -> Iterator[Finding]:
    """Yield problems that are in the user's language already as findings of one kind."""
    for problem in problems:
        yield Finding.of(kind, project, problem=str(problem), file=problem.file)


def _lies_in(file: str, folder: Path) -> bool:
    return file == str(folder) or file.startswith((f"{folder}/", f"{folder}\\"))
