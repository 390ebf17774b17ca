from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.config.project import config_path
from python_runner.config.settings import load_settings, require_mail
from python_runner.config.workspace import load_workspace
from python_runner.exceptions import PythonRunnerError


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links")


def make_pipe(path: Path) -> None:
    """Make a pipe that nobody writes to."""
    if sys.platform != "win32":
        os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    """Make a link that leads nowhere."""
    path.symlink_to(path.parent / "nothing")


def no_mail(folder: Path) -> None:
    """Want a mail of an environment that sets nothing."""
    require_mail(load_settings(environ={}, folder=folder).mail)


OTHERS: dict[str, Callable[[Path], object]] = {
    "is a pipe": make_pipe,
    "is a folder": os.mkdir,
    "is a link to a file that does not exist": link_to_nothing,
}
READERS: dict[str, Callable[[Path], object]] = {
    "exec_config.json": config_path,
    "variables.env": lambda folder: load_settings(folder / "variables.env", environ={}),
    ".env": no_mail,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_file_is_told_and_not_called_absent(
    tmp_path: Path, name: str, kind: str
) -> None:
    """Whoever is told that it does not exist looks for the fault elsewhere."""
    OTHERS[kind](tmp_path / name)

    with pytest.raises(PythonRunnerError, match=kind) as told:
        READERS[name](tmp_path)

    assert "does not exist; " not in str(told.value)


def test_a_pipe_in_the_place_of_the_projects_is_told(tmp_path: Path) -> None:
    """Passed over, it would leave every project without its defaults."""
    make_pipe(tmp_path / "python-runner.toml")
    with pytest.raises(PythonRunnerError, match="is a pipe"):
        load_workspace(tmp_path)


def test_what_means_no_file_is_none(tmp_path: Path) -> None:
    """A virtual environment may be called .env; a link to /dev/null hides a file."""
    (tmp_path / ".env").mkdir()
    (tmp_path / "python-runner.toml").symlink_to(os.devnull)

    assert load_settings(environ={}, folder=tmp_path).env_file is None
    assert load_workspace(tmp_path) is None
