"""Which scripts of a series are run this time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.exceptions import PythonRunnerError
from python_runner.model import Outcome
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

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
        message = _("there is no script {names} in the series; it contains {series}")
        series = [script.name for script in project.scripts]
        near = [_nearest(name, series) for name in sorted(missing)]
        if all(near):
            message = _(
                "there is no script {names} in the series; did you mean {near}?"
            )
        raise PythonRunnerError(
            message.format(
                names=", ".join(sorted(missing)),
                near=", ".join(near),
                series=", ".join(series),
            )
        )
    return _limited(project, {script.name for script in chosen})


def _nearest(name: str, series: Sequence[str]) -> str:
    """Return the script that is nearly called ``name``; nothing where none is."""
    from difflib import get_close_matches  # noqa: PLC0415 - after a slip alone

    stems = {re.sub(r"\.pyw?\Z", "", known.lower()): known for known in series}
    near = get_close_matches(re.sub(r"\.pyw?\Z", "", name.lower()), stems, n=1)
    return stems[near[0]] if near else ""


def require_records(store: Store | None) -> Store:
    """Return the records that say what there is to resume.

    Raises:
        PythonRunnerError: there are none, or new ones have just been begun.
    """
    if store is None:
        raise PythonRunnerError(_("without records there is nothing to resume"))
    if store.notice:
        reason = store.notice.in_language(system_language())
        message = _("it is not known what there is to resume: {reason}")
        raise PythonRunnerError(message.format(reason=reason))
    return store


def unfinished(
    project: Project, store: Store, unrecorded: Mapping[str, Outcome] | None = None
) -> Project | None:
    """Return the project with the scripts that have not succeeded.

    The last run that held a script counts for it: neither ``--only`` nor an earlier
    continuation makes the others done. A script that was added since has not succeeded
    either; a project that never ran has nothing to resume.

    Args:
        project: with the scripts that may be run.
        store: the records.
        unrecorded: how scripts ended in later runs, which the records could not take.

    Returns:
        The project; None where every script has succeeded, or nothing was ever run.

    Raises:
        StoreError: the records cannot be read.
    """
    last: dict[str, Outcome | None] = {**store.last_outcomes(project.path)}
    # A run whose runner died stays open until the next run recovers it.
    for run in reversed(store.open_runs([project.path])):
        last |= {script.script: script.outcome for script in run.scripts}
    last |= unrecorded or {}
    done = {name for name, outcome in last.items() if outcome is Outcome.SUCCESS}
    names = {script.name for script in project.scripts} - done
    return _limited(project, names) if last and names else None


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
