"""Looks up for commands what the records, the configuration and a sign-in tell."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from python_runner.cli.streams import say
from python_runner.config.settings import can_mail
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.files import absolute, current_folder, is_folder, may_write_in
from python_runner.masking import Masker
from python_runner.records.store import StoreError, open_store
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from python_runner.model import MailSettings, OpenRun, Project, Run, Settings
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
                "{reason}; set PYTHON_RUNNER_HOME to a folder that this user may"
                " write to"
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


def nothing_recorded(folders: Sequence[Path]) -> str:
    """Return that no run of these projects is recorded, and what to do about it.

    Raises:
        PythonRunnerError: because a project is no folder at all.
    """
    for folder in folders:
        if not is_folder(folder):
            from python_runner.config.project import (  # noqa: PLC0415 - a wrong path
                why_no_folder,
            )

            raise PythonRunnerError(why_no_folder(folder))
    if not folders:
        return _("No runs are recorded; run `python-runner run`.")
    return _("No runs of {projects} are recorded; run `python-runner run`.").format(
        projects=", ".join(flat(str(folder)) for folder in folders)
    )


def find_run(store: Store, chosen: str | Path | None) -> Run | OpenRun:
    """Return the run that an argument stands for.

    Args:
        store: the records.
        chosen: an id, or how it begins; the folder of a project, which stands for its
            last run; None for the last run of the projects of ``python-runner.toml``,
            else of all projects.

    Raises:
        PythonRunnerError: there is none, or more than one.
    """
    if isinstance(chosen, str):
        return _recorded(store, _whole_id(store, chosen))
    folders = chosen_projects(() if chosen is None else (chosen,))
    last = store.last_run(folders)
    if last is None:
        raise PythonRunnerError(nothing_recorded(folders))
    return _recorded(store, last)


def _whole_id(store: Store, prefix: str) -> str:
    begin = prefix.lower()
    ids = store.run_ids(begin, limit=_CANDIDATES + 1) if begin else []
    if not ids:
        message = _(
            "{name} is not a folder, and no run has an id that begins with it; see"
            " `python-runner history`"
        )
        raise PythonRunnerError(message.format(name=repr(prefix)))
    if len(ids) > 1 and ids[0] != begin:
        message = _("several runs have an id that begins with {prefix}: {ids}")
        named = [*ids[:_CANDIDATES], *(["..."] if len(ids) > _CANDIDATES else [])]
        raise PythonRunnerError(message.format(prefix=begin, ids=", ".join(named)))
    return ids[0]


def _recorded(store: Store, run_id: str) -> Run | OpenRun:
    still_open = {run.run_id: run for run in store.open_runs()}
    # A run may end between the two queries: the later one counts.
    if run := store.run(run_id) or still_open.get(run_id):
        return run
    # Deleted in between.
    raise PythonRunnerError(
        _("run {run_id} is not in the records").format(run_id=run_id)
    )


def configured_project(folder: Path) -> Project | None:
    """Return a project as it is configured now; None: it is gone, or wrong by now."""
    # What tells of successes needs no configuration.
    from python_runner.config.project import load_project  # noqa: PLC0415

    with suppress(PythonRunnerError):
        workspace = load_workspace(current_folder()) or Workspace()
        return load_project(folder, defaults=workspace.defaults)
    return None


def past_masker(settings: Settings, folder: Path) -> Masker:
    """Return what takes the secrets of environment and project out of a past run."""
    project = configured_project(folder)
    return Masker((*settings.secrets, *(project.secrets if project else ())))


def owners_help(project: Path) -> Mapping[str, str]:
    """Return what the configuration says to do about failures, by name of script."""
    from python_runner.config.project import configured_help  # noqa: PLC0415 - as above

    defaults: Mapping[str, Any] = {}
    with suppress(PythonRunnerError):
        defaults = (load_workspace(current_folder()) or Workspace()).defaults
    return configured_help(project, defaults)


def sign_in_notice(mail: MailSettings) -> str | None:
    """Return what people have to do so that reports can leave in a user's name."""
    if not mail.user_ways or not can_mail(mail):
        return None
    from python_runner.delivery.sign_in.facts import notice  # noqa: PLC0415 - seldom used

    found = notice(mail, datetime.now().astimezone())
    return found.in_language(system_language()) if found else None
