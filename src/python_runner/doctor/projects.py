"""What an examination of a project means, as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.doctor import kinds
from python_runner.doctor.computer import as_findings
from python_runner.doctor.examination import brief, summary
from python_runner.doctor.finding import Finding, Kind
from python_runner.doctor.surroundings import unwritable_logs


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.doctor.examination import Examination
    from python_runner.exceptions import Problem
    from python_runner.model import Settings

#: Which kind of finding a key is about; any other is the configuration's.
_KINDS = {
    "python_command": kinds.INTERPRETER_UNUSABLE,
    "scripts": kinds.SCRIPT_WRONG,
}


def findings_of(examined: Examination, settings: Settings) -> Iterator[Finding]:
    """Yield what `check` calls problems and warnings, or else that all is well."""
    folder = examined.folder
    for problem in examined.problems:
        yield from as_findings(_kind(problem), [brief(problem, folder)], folder)
    for warning in examined.warnings:
        odd = brief(warning, folder)
        yield from as_findings(kinds.CONFIGURATION_ODD, [odd], folder)
    if not examined.problems:
        yield Finding.of(kinds.READY, folder, summary=summary(examined, settings))
    problems = unwritable_logs(folder, settings)
    yield from as_findings(kinds.LOGS_UNWRITABLE, problems, folder)


def _kind(problem: Problem) -> Kind:
    key = problem.key.partition("[")[0]
    # A script whose entry is wrong in itself is the configuration's.
    whole = problem.key.endswith("]") or key == problem.key
    return (
        _KINDS.get(key, kinds.CONFIGURATION_WRONG)
        if whole
        else kinds.CONFIGURATION_WRONG
    )
