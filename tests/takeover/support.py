"""Reads the inputs, in a project that has every script that they may name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.takeover.batch import BatchReader, Left
from python_runner.takeover.configuration import Carried, Here, configuration
from python_runner.takeover.crontab import entries, take_entry
from python_runner.takeover.decoding import decoded
from python_runner.takeover.recorder import Recorder
from python_runner.takeover.shell import ShellReader
from python_runner.takeover.task_xml import read_task


if TYPE_CHECKING:
    from python_runner.takeover.facts import Taken


INPUTS = Path(__file__).parent / "inputs"
PROJECT = "/srv/ventes"


def names() -> list[str]:
    """Return the names of the inputs."""
    return sorted(path.name for path in INPUTS.iterdir())


def text_of(name: str) -> str:
    """Return the text of an input."""
    return decoded((INPUTS / name).read_bytes())


def read(path: str) -> str | None:
    """Return the text of a file that an input calls."""
    name = path.replace("\\", "/").rpartition("/")[2]
    return text_of(name) if (INPUTS / name).is_file() else None


def here(*folders: str) -> Here:
    """Return a project that has all scripts at its top, and some other paths."""

    def in_project(path: str) -> bool:
        top = "/" not in path or path.startswith("scripts/")
        return (top and path.endswith(".py")) or path in folders

    return Here(
        project=PROJECT,
        windows=False,
        in_project=in_project,
        there=lambda path: path.startswith(("/usr/bin/", "/opt/python/")),
        mentions=lambda _name: False,
    )


def take_batch(text: str, name: str = "x.bat") -> Taken:
    """Return what a batch file in the project does."""
    recorder = Recorder(windows=True, variables={}, base=None, folder=None, read=read)
    recorder.open.append(name)
    with suppress(Left):
        BatchReader(recorder).file(text, None, None, name)
    return recorder.taken()


def take_shell(text: str, name: str = "x.sh") -> Taken:
    """Return what a shell script in the project does."""
    variables = {"HOME": "/home/ann"}
    recorder = Recorder(
        windows=False, variables=variables, base=PROJECT, folder=None, read=read
    )
    ShellReader(recorder).file(text, f"{PROJECT}/{name}")
    return recorder.taken()


def take(name: str) -> list[Taken]:
    """Return what an input does: one of a crontab for each entry."""
    text = text_of(name)
    if name.endswith((".bat", ".cmd")):
        return [take_batch(text, name)]
    if name.endswith(".sh"):
        return [take_shell(text, name)]
    if name.endswith(".xml"):
        return [read_task(text, variables={}, read=read).taken]
    variables = {"HOME": "/home/ann"}
    return [
        take_entry(entry, variables=variables, read=read, zone="Europe/Paris")
        for entry in entries(text)
    ]


def carried(name: str) -> list[Carried]:
    """Return what becomes of an input."""
    return [configuration(taken, here()) for taken in take(name)]
