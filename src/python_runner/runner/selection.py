"""Which scripts of a series are run this time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.model import Outcome
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from python_runner.model import Project
    from python_runner.records.store import Store


class NothingToResume(Exception):
    """Nothing of a project is left to be run."""


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


def unfinished(project: Project, store: Store) -> Project:
    """Return the project with what has not succeeded.

    What counts for a script is the last run that held it: neither ``--only`` nor an
    earlier continuation makes the others done. A script that no run held, because it
    was added since, is not done either; a project that never ran has nothing to resume.

    Raises:
        NothingToResume: everything has, or nothing was ever run.
        StoreError: the records cannot be read.
    """
    last: dict[str, Outcome | None] = {**store.last_outcomes(project.path)}
    # Nobody has settled a run whose runner died, until the next one has the lock.
    for run in reversed(store.open_runs([project.path])):
        last |= {script.script: script.outcome for script in run.scripts}
    done = {name for name, outcome in last.items() if outcome is Outcome.SUCCESS}
    names = {script.name for script in project.scripts} - done
    if not last or not names:
        raise NothingToResume
    return _limited(project, names)


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
