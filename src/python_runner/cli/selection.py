"""Which scripts of a series are run this time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.texts import translate as _


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from python_runner.model import Project
    from python_runner.records.store import Store


def select(project: Project, only: Sequence[str]) -> Project:
    """Return the project with the named scripts alone; with all if none is named.

    Raises:
        PythonRunnerError: a name is none of the series.
    """
    if not only:
        return project
    wanted = {name.replace("\\", "/") for name in only}
    chosen = [s for s in project.scripts if wanted & {s.name, s.path}]
    known = {name for script in chosen for name in (script.name, script.path)}
    if missing := wanted - known:
        raise PythonRunnerError(
            _("{project} has no script {names}; its series: {series}").format(
                project=project.name,
                names=", ".join(sorted(missing)),
                series=", ".join(script.name for script in project.scripts),
            )
        )
    return _limited(project, {script.name for script in chosen})


def unfinished(project: Project, store: Store) -> Project | None:
    """Return the project with what its last run left undone; None if that is nothing.

    A script that the run did not hold (``--only``, or an earlier continuation) is not
    part of what it left: continuing twice continues the same work.

    Raises:
        StoreError: the records cannot be read.
    """
    rest = _limited(project, _undone(project, store))
    return rest if rest.scripts else None


def _undone(project: Project, store: Store) -> set[str]:
    # Nobody has settled a run whose runner died, until the next one has the lock.
    for run in store.open_runs([project.path]):
        return {
            s.script for s in run.scripts if not (s.outcome and s.outcome.succeeded)
        }
    last = store.last_unsuccessful(project.path)
    return {result.script for result in last.failed_scripts} if last else set()


def _limited(project: Project, names: Collection[str]) -> Project:
    """Return the project with these scripts; what they need besides is taken as done."""
    return replace(
        project,
        scripts=tuple(
            replace(script, needs=tuple(n for n in script.needs if n in names))
            for script in project.scripts
            if script.name in names
        ),
    )
