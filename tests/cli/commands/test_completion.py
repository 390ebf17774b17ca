from __future__ import annotations

from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.support import (
        Cli,
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_for_each_shell(cli: Cli, shell: str) -> None:
    """Each script names the command and the variable that drives it."""
    done = cli("completion", shell)

    assert done.returncode == 0
    assert "_PYTHON_RUNNER_COMPLETE" in done.stdout


def test_completion_completes(cli: Cli) -> None:
    """The variable makes the command print its sub-commands."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="bash_complete",
        COMP_WORDS="python-runner ",
        COMP_CWORD="1",
    )

    assert "plain,run" in done.stdout
    assert "plain,check" in done.stdout


@pytest.mark.parametrize("command", ["show", "output", "run"])
def test_completion_of_projects(cli: Cli, command: str) -> None:
    """The shell itself completes the folder of a project."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="bash_complete",
        COMP_WORDS=f"python-runner {command} pro",
        COMP_CWORD="2",
    )

    assert done.stdout == "dir,pro\n"
