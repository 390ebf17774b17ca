"""Says who else may change what is run or believed, or read what is secret.

Whoever may write to a script, to its folder, to the interpreter or to a configuration
decides what this user runs: with its rights. On Windows nothing is said: a mode does not
show its permissions.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.config.env_file import read_env
from python_runner.config.project import CONFIG_FILE
from python_runner.config.workspace import WORKSPACE_FILE
from python_runner.exceptions import InvalidConfiguration, Problem
from python_runner.files import absolute, is_file, real_folder
from python_runner.secret_values import is_secret_name
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from python_runner.model import Project

#: Entries of a folder of packages that are looked at.
_PACKAGES = 2000


def parts_of_project(folder: Path) -> Iterator[Path]:
    """Yield what decides what a project runs and what is told of it, by its place."""
    yield from (folder, folder / CONFIG_FILE)
    logs = folder / "logs"
    yield from (logs, logs / "runs", logs / f"{folder.name}.log")


def parts_of_state(home: Path) -> Iterator[Path]:
    """Yield what lies in the state folder ``home``."""
    yield home
    yield from (
        home / name for name in ("locks", "outputs", "records.sqlite3", "sign-in")
    )


def what_is_run(
    project: Project, scripts: Iterable[Path], interpreter: Path | None
) -> Iterator[Path]:
    """Yield what a run of ``project`` executes or reads.

    Args:
        project: its configuration.
        scripts: the files of its scripts.
        interpreter: what runs them, where it was found.
    """
    if project.env_file:
        yield project.path / project.env_file
    for script in scripts:
        # Python looks beside a script for what it imports.
        yield from (script.parent, script)
    if interpreter is not None:
        yield from environment_of(interpreter)
    yield from import_folders(project.env)


def environment_of(interpreter: Path) -> Iterator[Path]:
    """Yield an interpreter, and the virtual environment that it belongs to."""
    yield from (interpreter.parent, interpreter)
    root = interpreter.parent.parent
    if not is_file(root / "pyvenv.cfg"):
        return
    yield from (root, root / "pyvenv.cfg")
    with suppress(OSError):
        for packages in sorted(root.glob("lib/python*/site-packages")):
            yield packages
            with os.scandir(packages) as entries:
                for entry, _number in zip(entries, range(_PACKAGES), strict=False):
                    yield Path(entry.path)


def import_folders(variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders from which ``PYTHONPATH`` lets scripts import."""
    for folder in variables.get("PYTHONPATH", "").split(os.pathsep):
        if folder:
            yield Path(folder)


def changeable(paths: Iterable[Path], *, above: bool = True) -> Iterator[Problem]:
    """Yield what another user than this one and root may change, and how to mend it.

    Links are followed: they and what they lead to are looked at. What belongs to the
    same user as the folder that it lies in is not told a second time.

    Args:
        paths: files, and folders to which nobody may add anything. What is not there is
            passed over.
        above: whether the folders that they lie in are looked at: who may rename one
            puts another one in its place.
    """
    places = dict.fromkeys(
        place for path in paths for place in (absolute(path), Path(real_folder(path)))
    )
    higher = dict.fromkeys(folder for place in places for folder in place.parents)
    told: dict[Path, int] = {}
    for place in places:
        yield from _problems(place, told, adding=True)
    for folder in higher if above else ():
        if folder not in places:
            yield from _problems(folder, told, adding=False)


def foreign_settings(env_file: Path | None) -> Iterator[Problem]:
    """Yield who else may change what holds for every run from the current folder.

    Args:
        env_file: the file of variables that was read; None if none was.
    """
    files = filter(None, (env_file, Path(WORKSPACE_FILE)))
    yield from changeable(files, above=False)


def readable_secrets(env_file: Path) -> Iterator[Problem]:
    """Yield a file with secrets that every user of this machine may read."""
    status = _status(env_file)
    if status is None or not status.st_mode & stat.S_IROTH or not is_file(env_file):
        return
    try:
        names = [*filter(is_secret_name, read_env(env_file, {}).variables)]
    except InvalidConfiguration:
        return
    if names:
        message = _("every user of this computer may read {names}: `chmod 600 {path}`")
        values = {"names": ", ".join(names), "path": shlex.quote(str(env_file))}
        yield Problem(str(env_file), "", message.format(**values))


def root_problem() -> Iterator[Problem]:
    """Yield that this is root, and so what every script is."""
    if _is_root():
        message = _(
            "runs as root, and so does every script: use an account with no more"
            " rights than they need"
        )
        yield Problem("python-runner", "", message)


if sys.platform == "win32":

    def _is_root() -> bool:
        return False

    def _status(path: Path) -> os.stat_result | None:  # noqa: ARG001
        return None

    def _problems(
        path: Path,  # noqa: ARG001
        told: dict[Path, int],  # noqa: ARG001
        *,
        adding: bool,  # noqa: ARG001
    ) -> Iterator[Problem]:
        yield from ()

else:
    import grp
    import pwd

    def _is_root() -> bool:
        return os.geteuid() == 0

    def _status(path: Path) -> os.stat_result | None:
        try:
            return path.stat()
        except (OSError, ValueError):
            return None

    def _problems(
        path: Path, told: dict[Path, int], *, adding: bool
    ) -> Iterator[Problem]:
        """Yield who may change ``path``; ``adding``: or add something to it."""
        try:
            status = path.lstat()
        except (OSError, ValueError):
            return
        if owner := _foreign_owner(path, status.st_uid, told):
            yield _problem(
                path,
                _(
                    "it belongs to {who}, who may change it, and so what is run or"
                    " reported: `chown {me} {path}`"
                ),
                owner,
            )
        # Of a link only the owner counts; what it leads to is looked at as well.
        if not stat.S_ISLNK(status.st_mode):
            yield from _open_modes(path, status, adding=adding)

    def _foreign_owner(path: Path, owner: int, told: dict[Path, int]) -> str:
        if owner in {0, os.geteuid()}:
            return ""
        told[path] = owner
        if any(told.get(folder) == owner for folder in path.parents):
            return ""
        return _user(owner)

    def _open_modes(
        path: Path, status: os.stat_result, *, adding: bool
    ) -> Iterator[Problem]:
        # In a folder with the sticky bit users cannot replace each other's files, but
        # add theirs. Of a file the bit means nothing.
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if sticky and not adding:
            return
        if status.st_mode & stat.S_IWOTH:
            if sticky:
                message = _(
                    "every user of this computer may add files to it, and so decide"
                    " what is run or reported: use a folder that only you can change"
                )
            else:
                message = _(
                    "every user of this computer may change it, and so what is run or"
                    " reported: `chmod o-w {path}`"
                )
            yield _problem(path, message)
        if status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid):
            message = _(
                "the members of the group {who} may change it, and so what is run or"
                " reported: `chmod g-w {path}`"
            )
            yield _problem(path, message, _group(status.st_gid))

    def _problem(path: Path, message: str, who: str = "") -> Problem:
        values = {"path": shlex.quote(str(path)), "who": who}
        me = _user(os.geteuid())
        return Problem(str(path), "", message.format(me=me, **values))

    def _is_own_group(group: int) -> bool:
        """Say whether a group has no other member than this user and root."""
        if group == 0:
            return True
        try:
            me = pwd.getpwuid(os.geteuid())
            entry = grp.getgrgid(group)
        except KeyError:
            # Numbers without names, as in containers.
            return group == os.geteuid()
        # Whose group is the first of others as well is told by its name alone.
        private = me.pw_gid == group and entry.gr_name == me.pw_name
        return private and set(entry.gr_mem) <= {me.pw_name, "root"}

    def _user(number: int) -> str:
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)

    def _group(number: int) -> str:
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)
