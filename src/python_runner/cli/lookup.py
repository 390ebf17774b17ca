"""Opens and searches the records for commands."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from python_runner.cli.streams import say
from python_runner.config.project import load_project
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.files import absolute, current_folder, may_write_in
from python_runner.masking import Masker
from python_runner.records.store import StoreError, open_store
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from python_runner.model import OpenRun, Run, Settings
    from python_runner.records.store import Store


#: Ids that are named when one was not typed far enough.
_CANDIDATES = 10


@contextmanager
def open_records(settings: Settings) -> Iterator[Store]:
    """Open the records for one command.

    Raises:
        PythonRunnerError: they cannot be read; the sentence is in the user's language.
    """
    language = system_language()
    try:
        with open_store(settings.home, datetime.now().astimezone()) as store:
            if store.notice:
                say("{notice}", err=True, notice=store.notice.in_language(language))
            yield store
    except StoreError as error:
        reason = error.reason.in_language(language)
        if not may_write_in(settings.home):
            message = _(
                "{reason}; let PYTHON_RUNNER_HOME name a folder that this user may write"
            )
            reason = message.format(reason=reason)
        raise PythonRunnerError(reason) from error


def chosen_projects(arguments: Sequence[Path]) -> tuple[Path, ...]:
    """Return the named projects, else those of ``python-runner.toml``; () means all.

    Raises:
        InvalidConfiguration: the file is wrong.
    """
    folders = arguments or (load_workspace(current_folder()) or Workspace()).projects
    return tuple(dict.fromkeys(map(absolute, folders)))


def find_run(store: Store, prefix: str) -> Run | OpenRun:
    """Return the run whose id is ``prefix``, or the only one whose id begins so.

    Raises:
        PythonRunnerError: there is none, or more than one.
    """
    prefix = prefix.lower()
    ids = store.run_ids(prefix, limit=_CANDIDATES + 1)
    if len(ids) > 1 and ids[0] != prefix:
        message = _("several runs have an id that begins with {prefix}: {ids}")
        named = [*ids[:_CANDIDATES], *(["..."] if len(ids) > _CANDIDATES else [])]
        raise PythonRunnerError(message.format(prefix=prefix, ids=", ".join(named)))
    still_open = {run.run_id: run for run in store.open_runs()}
    for run_id in ids[:1]:
        # A run may end between the two queries: the later one counts.
        if run := store.run(run_id) or still_open.get(run_id):
            return run
    message = _(
        "no run has an id that begins with {prefix}; `python-runner history` lists them"
    )
    raise PythonRunnerError(message.format(prefix=prefix))


def past_masker(settings: Settings, project: Path) -> Masker:
    """Return what takes the secrets of environment and project out of a past run."""
    secrets = settings.secrets
    # A project may be gone, or its configuration wrong by now.
    with suppress(PythonRunnerError):
        workspace = load_workspace(current_folder()) or Workspace()
        secrets += load_project(project, defaults=workspace.defaults).secrets
    return Masker(secrets)
