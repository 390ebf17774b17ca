"""Checks whether other users may change what is run, or read what is secret."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

from python_runner.config.env_file import read_env
from python_runner.config.project import CONFIG_FILE
from python_runner.exceptions import InvalidConfiguration, Problem
from python_runner.secret_values import is_secret_name
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def open_to_others(folder: Path) -> Iterator[Problem]:
    """Yield what of a project every user of this machine may change.

    On Windows nothing: a mode does not show its permissions.
    """
    for path in (folder, folder / CONFIG_FILE):
        mode = _mode(path)
        # In a folder with the sticky bit users cannot replace each other's files.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            message = _(
                "every user of this machine may change it, and so decide what is run:"
                " `chmod o-w {path}`"
            )
            yield Problem(str(path), "", message.format(path=path))


def readable_secrets(env_file: Path) -> Iterator[Problem]:
    """Yield a file with secrets that every user of this machine may read."""
    if not _mode(env_file) & stat.S_IROTH:
        return
    try:
        names = [*filter(is_secret_name, read_env(env_file, {}).variables)]
    except InvalidConfiguration:
        return
    if names:
        message = _("every user of this machine may read {names}: `chmod 600 {path}`")
        values = {"names": ", ".join(names), "path": env_file}
        yield Problem(str(env_file), "", message.format(**values))


def _mode(path: Path) -> int:
    if sys.platform == "win32":
        return 0
    try:
        return path.stat().st_mode
    except OSError:
        return 0
