"""Who else may change or read what a run uses, and what this user may not write."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.config import permissions
from python_runner.config.workspace import WORKSPACE_FILE
from python_runner.exceptions import Problem
from python_runner.files import (
    absolute,
    current_folder,
    exists,
    is_file,
    is_folder,
    may_write,
    may_write_in,
)
from python_runner.records.locks import lock_file
from python_runner.records.outputs import private_logs
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from python_runner.doctor.examination import Examination
    from python_runner.model import Settings


def open_permissions(
    examined: Iterable[Examination], settings: Settings
) -> Iterator[Problem]:
    """Yield what other users may change of all that a run believes and runs."""
    mail = settings.mail
    believed = [current_folder(), *mail.looked_in, absolute(WORKSPACE_FILE)]
    believed += filter(None, (mail.smtp_ca_file, mail.oauth_certificate))
    believed += permissions.import_folders(settings.environ)
    believed += permissions.parts_of_state(settings.home)
    for one in examined:
        believed += permissions.parts_of_project(one.folder)
        if project := one.project:
            believed += permissions.what_is_run(project, one.scripts, one.interpreter)
    yield from permissions.changeable(believed)


def readable_secrets(
    examined: Iterable[Examination], settings: Settings
) -> Iterator[Problem]:
    """Yield which files with secrets every user of this computer may read."""
    secret = [settings.env_file] if settings.env_file else []
    projects = [one.project for one in examined if one.project]
    secret += (one.path / one.env_file for one in projects if one.env_file)
    for file in dict.fromkeys(secret):
        yield from permissions.readable_secrets(file)


def unwritable(folders: Iterable[Path], settings: Settings) -> Iterator[Problem]:
    """Yield the places that a run writes to and this user may not."""
    folders = list(folders)
    yield from unwritable_state(settings)
    yield from unwritable_locks(folders, settings)
    for folder in folders:
        yield from unwritable_logs(folder, settings)


def unwritable_state(settings: Settings) -> Iterator[Problem]:
    """Yield that this user may not write to the state folder."""
    if not may_write_in(settings.home):
        message = _(
            "this user may not write to it: no records are kept, and nothing prevents"
            " a second run of a project at the same time; set PYTHON_RUNNER_HOME to"
            " another folder"
        )
        yield Problem(str(settings.home), "", message)


def unwritable_locks(folders: Iterable[Path], settings: Settings) -> Iterator[Problem]:
    """Yield which locks of projects this user may not take.

    Another account has made them in the same state folder: root, by hand.
    """
    if not may_write_in(settings.home):
        # That is told of the whole folder.
        return
    message = _(
        "this user may not write to it: nothing prevents a second run of a project at"
        " the same time"
    )
    for folder in folders:
        lock = lock_file(settings.home, folder)
        if exists(lock):
            if not may_write(lock):
                yield Problem(str(lock), "", message)
        elif not may_write_in(lock.parent):
            yield Problem(str(lock.parent), "", message)
            # It is one for all projects.
            return


def unwritable_logs(folder: Path, settings: Settings) -> Iterator[Problem]:
    """Yield what of a project's log and output this user may not write."""
    logs = folder / "logs"
    for part in (logs, logs / "runs"):
        if not is_folder(folder) or may_write_in(part):
            continue
        other = exists(part) and not is_folder(part)
        reason = (
            _("it is not a folder") if other else _("this user may not write to it")
        )
        message = _(
            "{reason}: the log stays incomplete, and the output of the scripts goes"
            " to {folder}"
        )
        if part != logs:
            message = _("{reason}: the output of the scripts goes to {folder}")
        values = {"reason": reason, "folder": _instead_of_logs(folder, settings)}
        yield Problem(str(part), "", message.format(**values))
        break
    log = logs / f"{folder.name}.log"
    if exists(log) and not is_file(log):
        yield Problem(str(log), "", _("it is not a file: the log stays incomplete"))
    elif exists(log) and not may_write(log):
        # Another account has run the project once: root, by hand.
        message = _("this user may not write to it: the log stays incomplete")
        yield Problem(str(log), "", message)


def _instead_of_logs(folder: Path, settings: Settings) -> Path:
    """Return where the output of scripts lies if ``logs`` cannot be written."""
    if may_write_in(settings.home):
        return private_logs(settings.home, folder)
    return Path(tempfile.gettempdir())
